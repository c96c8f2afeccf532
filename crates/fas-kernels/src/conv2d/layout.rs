//! Zero-padded copies of an image in which every kernel tap is one constant offset.
//!
//! A convolution reads, for output pixel `(y, x)` and tap `(ky, kx)`, the input pixel
//! `(stride y + ky - padding, stride x + kx - padding)`. The copy puts one zero column between
//! rows and zero rows around the image, and for stride 2 splits it into its four parity phases.
//! Then with `q = y row + x` the value is at `q + taps[ky, kx]`: vectors of consecutive output
//! pixels read consecutive inputs, and no im2col matrix is ever stored. Positions with
//! `x >= columns` compute nonsense that is not copied out.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::scratch::Scratch;
use crate::simd;

/// Largest number of floats read past the last plane by a vector kernel.
pub(crate) const SLACK: usize = 64;

/// How one image plane is padded, and where the taps are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct PaddedLayout {
    /// Height and width of the source planes.
    source: [usize; 2],
    /// Parity phases a side: 1, or 2 for stride 2.
    phases: usize,
    /// Pixels skipped a side: `phases` when only one phase is kept (1x1 kernels).
    step: usize,
    /// Zero rows above and zero columns left of the image.
    lead: usize,
    /// Floats from one row to the next.
    pub(crate) row: usize,
    /// Floats of one channel.
    pub(crate) plane: usize,
    /// Offset of each tap, `ky` major.
    pub(crate) taps: Vec<usize>,
}

impl PaddedLayout {
    /// Input of a convolution with a kernel of 1, 3 or 7 and the padding that keeps the size.
    pub(crate) fn input(source: [usize; 2], kernel: usize, stride: usize) -> Self {
        let [rows_out, columns_out] = source.map(|size| (size - 1) / stride + 1);
        if kernel == 1 {
            return Self {
                source,
                phases: 1,
                step: stride,
                lead: 0,
                row: columns_out,
                plane: rows_out * columns_out,
                taps: vec![0],
            };
        }
        let lead = kernel / 2;
        let row = columns_out + lead;
        // Some positions more than the rows: the taps right of the last pixel at stride 1.
        let phase = if stride == 1 {
            (rows_out + 2 * lead) * row + lead
        } else {
            (rows_out + lead) * row
        };
        let taps = (0..kernel * kernel)
            .map(|tap| (tap / kernel, tap % kernel))
            .map(|(ky, kx)| {
                (ky % stride * stride + kx % stride) * phase + ky / stride * row + kx / stride
            })
            .collect();
        Self {
            source,
            phases: stride,
            step: 1,
            lead,
            row,
            plane: stride * stride * phase,
            taps,
        }
    }

    /// Output gradient of a convolution of stride 2, with one zero column right and one zero row
    /// below; `taps` are the four corners of a 2x2 window.
    pub(crate) fn strided_gradient(source: [usize; 2]) -> Self {
        let row = source[1] + 1;
        Self {
            source,
            phases: 1,
            step: 1,
            lead: 0,
            row,
            plane: (source[0] + 1) * row,
            taps: vec![0, 1, row, row + 1],
        }
    }

    /// Pixels of a source plane.
    pub(crate) fn source_pixels(&self) -> usize {
        self.source[0] * self.source[1]
    }

    /// Whether source planes already have this layout.
    pub(crate) fn is_source(&self) -> bool {
        self.plane == self.source_pixels() && self.step == 1
    }

    /// Floats of `planes` planes, with room for the last vector.
    fn buffer_len(&self, planes: usize) -> usize {
        planes * self.plane + SLACK
    }

    /// Padded copies of planes, by all threads if `parallel`.
    pub(crate) fn pad(&self, source: &[f32], parallel: bool) -> Scratch {
        let pixels = self.source_pixels();
        let planes = source.len() / pixels;
        let mut padded = Scratch::new(self.buffer_len(planes));
        let copies = &mut padded[..planes * self.plane];
        if parallel {
            copies
                .par_chunks_exact_mut(self.plane)
                .zip(source.par_chunks_exact(pixels))
                .with_min_len(4)
                .for_each(|(padded, source)| self.fill(source, padded));
        } else {
            copies
                .chunks_exact_mut(self.plane)
                .zip(source.chunks_exact(pixels))
                .for_each(|(padded, source)| self.fill(source, padded));
        }
        padded
    }

    /// Writes one plane, zeros included.
    pub(crate) fn fill(&self, source: &[f32], padded: &mut [f32]) {
        padded.fill(0.0);
        self.fill_pixels(source, padded);
    }

    /// Writes the pixels of one plane into a copy whose zeros are there.
    pub(crate) fn fill_pixels(&self, source: &[f32], padded: &mut [f32]) {
        let [height, width] = self.source;
        match (self.phases, self.step) {
            (1, 1) => {
                let first = self.lead + self.lead * self.row;
                copy_rows(
                    [height, width],
                    (source, width),
                    (&mut padded[first..], self.row),
                );
            }
            (1, step) => {
                let rows = padded.chunks_exact_mut(self.row);
                for (to, from) in rows.zip(source.chunks_exact(width).step_by(step)) {
                    copy_strided(to, from, step);
                }
            }
            _ => simd::dispatch(Split {
                layout: self,
                source,
                padded,
            }),
        }
    }
}

/// Copies `rows` rows of `width` values; either side's rows are so many floats apart.
#[inline(always)]
pub(crate) fn copy_rows([rows, width]: [usize; 2], from: (&[f32], usize), to: (&mut [f32], usize)) {
    // A width that the compiler knows is a move or two, any other a call.
    match width {
        4 => copy_rows_of::<4>(rows, from, to),
        8 => copy_rows_of::<8>(rows, from, to),
        16 => copy_rows_of::<16>(rows, from, to),
        32 => copy_rows_of::<32>(rows, from, to),
        _ => {
            for y in 0..rows {
                let from = &from.0[y * from.1..][..width];
                to.0[y * to.1..][..width].copy_from_slice(from);
            }
        }
    }
}

#[inline(always)]
fn copy_rows_of<const N: usize>(
    rows: usize,
    (from, from_step): (&[f32], usize),
    (to, to_step): (&mut [f32], usize),
) {
    for y in 0..rows {
        to[y * to_step..][..N].copy_from_slice(&from[y * from_step..][..N]);
    }
}

/// Splits a plane into the four phases of stride 2, whose zeros are there.
struct Split<'a> {
    layout: &'a PaddedLayout,
    source: &'a [f32],
    padded: &'a mut [f32],
}

impl WithSimd for Split<'_> {
    type Output = ();

    // Plain code, but compiled for the widest vectors, which split a line in a few shuffles.
    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let PaddedLayout {
            source: [_, width],
            lead,
            row,
            plane,
            ..
        } = *self.layout;
        let phase = plane / 4;
        // Rows and columns before the image are odd: even sources fall into odd phases.
        for (y, line) in self.source.chunks_exact(width).enumerate() {
            let start = (y + lead) % 2 * 2 * phase + (y + lead) / 2 * row + lead / 2;
            let (odd, even) = self.padded[start..].split_at_mut(phase);
            let (pairs, last) = line.as_chunks::<2>();
            split_pairs(pairs, even, &mut odd[1..]);
            if let [last] = last {
                even[pairs.len()] = *last;
            }
        }
    }
}

/// Splits pairs into the first and the second values.
#[inline(always)]
fn split_pairs(pairs: &[[f32; 2]], first: &mut [f32], second: &mut [f32]) {
    // In eights, for which the compiler needs no loop.
    const COUNT: usize = 8;
    let (first, second) = (&mut first[..pairs.len()], &mut second[..pairs.len()]);
    let (eights, rest) = pairs.as_chunks::<COUNT>();
    let (first, first_rest) = first.as_chunks_mut::<COUNT>();
    let (second, second_rest) = second.as_chunks_mut::<COUNT>();
    for ((pairs, first), second) in eights.iter().zip(first).zip(second) {
        *first = core::array::from_fn(|i| pairs[i][0]);
        *second = core::array::from_fn(|i| pairs[i][1]);
    }
    for ((pair, first), second) in rest.iter().zip(first_rest).zip(second_rest) {
        [*first, *second] = *pair;
    }
}

/// Copies every `step`th value.
fn copy_strided(to: &mut [f32], from: &[f32], step: usize) {
    for (to, from) in to.iter_mut().zip(from.iter().step_by(step)) {
        *to = *from;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Value that tap `(ky, kx)` of output `(y, x)` must see.
    fn expected(
        source: &[f32],
        [height, width]: [usize; 2],
        [kernel, stride]: [usize; 2],
        [y, x]: [usize; 2],
        [ky, kx]: [usize; 2],
    ) -> f32 {
        let row = (stride * y + ky).checked_sub(kernel / 2);
        let column = (stride * x + kx).checked_sub(kernel / 2);
        match (row.filter(|y| *y < height), column.filter(|x| *x < width)) {
            (Some(row), Some(column)) => source[row * width + column],
            _ => 0.0,
        }
    }

    #[test]
    fn every_tap_sees_its_pixel() {
        let sizes = [[5, 4], [6, 7], [1, 1], [1, 3], [9, 12]];
        for (size, (kernel, stride)) in sizes
            .into_iter()
            .flat_map(|size| [(3, 1), (3, 2), (7, 1), (7, 2)].map(|k| (size, k)))
        {
            let source: Vec<f32> = (1..=size[0] * size[1]).map(|v| v as f32).collect();
            let layout = PaddedLayout::input(size, kernel, stride);
            let mut padded = vec![f32::NAN; layout.plane];
            layout.fill(&source, &mut padded);
            let out = size.map(|s| (s - 1) / stride + 1);
            for y in 0..out[0] {
                for x in 0..out[1] {
                    for tap in 0..kernel * kernel {
                        let at = [tap / kernel, tap % kernel];
                        assert_eq!(
                            padded[y * layout.row + x + layout.taps[tap]],
                            expected(&source, size, [kernel, stride], [y, x], at),
                            "{size:?} kernel {kernel} stride {stride} output {y} {x} tap {tap}"
                        );
                    }
                }
            }
        }
    }

    #[test]
    fn pointwise_kernel_of_stride_two_skips_pixels() {
        let layout = PaddedLayout::input([3, 4], 1, 2);
        let source: Vec<f32> = (0..12).map(|v| v as f32).collect();
        let mut padded = vec![f32::NAN; layout.plane];
        layout.fill(&source, &mut padded);
        assert_eq!(padded, [0.0, 2.0, 8.0, 10.0]);
        assert!(PaddedLayout::input([3, 4], 1, 1).is_source());
    }
}
