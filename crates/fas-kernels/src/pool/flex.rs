//! Max-pooling on the Flex backend, plane by plane.

use burn::backend::flex::{Flex, FlexTensor};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::reference;
use crate::buffer::{all_f32, dims, output, read, recycle, tensor};
use crate::simd;

/// Floats of the larger map that a rayon job should have at least.
const JOB: usize = 32 * 1024;

/// See [`KernelOps::max_pool`](crate::KernelOps::max_pool).
pub(crate) fn forward(x: FlexTensor) -> FlexTensor {
    let [batch_size, channels, height, width] = dims(&x);
    if !all_f32(&[&x]) || batch_size * channels * height * width == 0 {
        return reference::forward::<Flex>(x);
    }
    let [rows, columns] = [height, width].map(|size| size.div_ceil(2));
    let mut output = output(batch_size * channels * rows * columns);
    output
        .par_chunks_mut(rows * columns)
        .zip(read(&x).par_chunks(height * width))
        .with_min_len(JOB.div_ceil(height * width))
        .for_each(|(output, plane)| {
            simd::dispatch(Plane {
                plane,
                output,
                width,
            });
        });
    recycle(x);
    tensor(output, [batch_size, channels, rows, columns])
}

/// One plane to its maxima.
struct Plane<'a> {
    plane: &'a [f32],
    output: &'a mut [f32],
    width: usize,
}

/// The larger value, or NaN if either is.
#[inline(always)]
fn larger(a: f32, b: f32) -> f32 {
    if b > a || b.is_nan() { b } else { a }
}

impl WithSimd for Plane<'_> {
    type Output = ();

    // Plain loops: the compiler makes vector instructions of them, for the set that `dispatch` chose.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let width = self.width;
        let height = self.plane.len() / width;
        // Of three rows, behind one column more: a maximum over nothing there.
        let mut line = vec![f32::NEG_INFINITY; 2 * width.div_ceil(2) + 1];
        for (y, output) in self.output.chunks_exact_mut(width.div_ceil(2)).enumerate() {
            let row = |y: usize| &self.plane[y * width..][..width];
            let middle = row(2 * y);
            // A row beyond the plane is the middle one again.
            let above = row((2 * y).saturating_sub(1));
            let below = if 2 * y + 1 < height {
                row(2 * y + 1)
            } else {
                middle
            };
            let rows = above.iter().zip(middle).zip(below);
            for (value, ((above, middle), below)) in line[1..=width].iter_mut().zip(rows) {
                *value = larger(larger(*above, *middle), *below);
            }
            let (pairs, last) = line.as_chunks::<2>();
            let next = pairs[1..]
                .iter()
                .map(|pair| pair[0])
                .chain(last.iter().copied());
            for ((value, pair), next) in output.iter_mut().zip(pairs).zip(next) {
                *value = larger(larger(pair[0], pair[1]), next);
            }
        }
    }
}
