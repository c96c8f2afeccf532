//! Doubling and halving on the Flex backend, row by row.

use burn::backend::flex::{Flex, FlexTensor};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::reference;
use crate::buffer::{all_f32, dims, output, read, recycle, tensor};
use crate::simd;

/// Floats of the larger map that a rayon job should have at least.
const JOB: usize = 32 * 1024;

/// See [`KernelOps::double_size`](crate::KernelOps::double_size).
pub(crate) fn double(x: FlexTensor, factor: f64) -> FlexTensor {
    let [batch_size, channels, height, width] = dims(&x);
    let len = batch_size * channels * height * width;
    if !all_f32(&[&x]) || len == 0 {
        return reference::double::<Flex>(x, factor);
    }
    let mut output = output(4 * len);
    output
        .par_chunks_mut(4 * width)
        .zip(read(&x).par_chunks(width))
        .with_min_len(JOB.div_ceil(4 * width))
        .for_each(|(output, row)| {
            simd::dispatch(Double {
                row,
                output,
                factor: factor as f32,
            });
        });
    recycle(x);
    tensor(output, [batch_size, channels, 2 * height, 2 * width])
}

/// See [`KernelOps::halve_size`](crate::KernelOps::halve_size).
pub(crate) fn halve(x: FlexTensor, factor: f64) -> FlexTensor {
    let [batch_size, channels, height, width] = dims(&x);
    let len = batch_size * channels * height * width;
    if !all_f32(&[&x]) || len == 0 {
        return reference::halve::<Flex>(x, factor);
    }
    let mut output = output(len / 4);
    output
        .par_chunks_mut(width / 2)
        .zip(read(&x).par_chunks(2 * width))
        .with_min_len(JOB.div_ceil(2 * width))
        .for_each(|(output, rows)| {
            simd::dispatch(Halve {
                rows,
                output,
                factor: factor as f32,
            });
        });
    recycle(x);
    tensor(output, [batch_size, channels, height / 2, width / 2])
}

// Plain loops: the compiler makes vector instructions of them, for the set that `dispatch` chose.

/// One row to two.
struct Double<'a> {
    row: &'a [f32],
    output: &'a mut [f32],
    factor: f32,
}

impl WithSimd for Double<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let (first, second) = self.output.split_at_mut(2 * self.row.len());
        for (pair, value) in first.as_chunks_mut::<2>().0.iter_mut().zip(self.row) {
            *pair = [value * self.factor; 2];
        }
        second.copy_from_slice(first);
    }
}

/// Two rows to one.
struct Halve<'a> {
    rows: &'a [f32],
    output: &'a mut [f32],
    factor: f32,
}

impl WithSimd for Halve<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let (first, second) = self.rows.split_at(2 * self.output.len());
        let pairs = first
            .as_chunks::<2>()
            .0
            .iter()
            .zip(second.as_chunks::<2>().0);
        for (output, ([a, b], [c, d])) in self.output.iter_mut().zip(pairs) {
            *output = ((a + c) + (b + d)) * self.factor;
        }
    }
}
