//! Convolution of each channel with a 3x3 kernel of its own.
//!
//! One plane at a time: padded as [`PaddedLayout`] says, so that every tap is one offset, and then one
//! multiply-add a tap for each vector of pixels. The padded plane and its sums stay in the cache; sums of
//! rows of whole vectors go to the output at once. Each output is one chain in a fixed order, whatever the
//! number of threads.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::gather::{Pass, Target};
use super::layout::{PaddedLayout, SLACK, copy_rows};
use crate::simd;

/// Floats of the output that a rayon job should have at least.
const JOB: usize = 16 * 1024;
/// Taps of a kernel.
const TAPS: usize = 9;

/// Planes that gather from planes.
pub(crate) struct Depthwise<'a> {
    /// `[batch_size, channels, pixels]`, to be padded.
    pub(crate) source: &'a [f32],
    /// How planes are padded.
    pub(crate) layout: &'a PaddedLayout,
    /// `[channels, 9]`
    pub(crate) weight: &'a [f32],
    /// Added to every output of a channel.
    pub(crate) bias: Option<&'a [f32]>,
    /// What is computed of a plane, one pass after the other.
    pub(crate) passes: &'a [Pass],
}

impl Depthwise<'_> {
    /// Computes the targets of all passes in `output`, `[batch_size, channels, pixels]`.
    pub(crate) fn run(&self, output: &mut [f32]) {
        let plane = self.passes[0].target.plane;
        let group = JOB.div_ceil(plane);
        output
            .par_chunks_mut(group * plane)
            .enumerate()
            .for_each(|(g, output)| {
                simd::dispatch(PlanesTask {
                    operands: self,
                    first: g * group,
                    output,
                });
            });
    }
}

/// Some consecutive planes.
struct PlanesTask<'a> {
    operands: &'a Depthwise<'a>,
    first: usize,
    output: &'a mut [f32],
}

impl WithSimd for PlanesTask<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let Depthwise {
            source,
            layout,
            weight,
            bias,
            passes,
        } = *self.operands;
        let pixels = layout.source_pixels();
        let row = layout.row;
        let channels = weight.len() / TAPS;
        let mut padded = vec![0.0; layout.plane + SLACK];
        let mut sums = [(); 2].map(|()| vec![0.0; layout.plane + SLACK]);
        let planes = self.output.chunks_exact_mut(passes[0].target.plane);
        for (number, output) in planes.enumerate() {
            let number = self.first + number;
            let channel = number % channels;
            layout.fill_pixels(
                &source[number * pixels..][..pixels],
                &mut padded[..layout.plane],
            );
            let channel = Channel {
                kernel: &weight[channel * TAPS..][..TAPS],
                bias: bias.map_or(0.0, |bias| bias[channel]),
            };
            // Passes that share rows of the output fill them together.
            for passes in passes.chunk_by(|a, b| a.target.first_row() == b.target.first_row()) {
                let target = passes[0].target;
                let [rows, columns] = [target.rows, target.columns];
                if target.column_step == 1 && columns.is_multiple_of(S::F32_LANES) {
                    let lines = output.chunks_exact_mut(columns).enumerate();
                    let lines = lines.map(|(y, line)| (y * row, line));
                    channel.sum(simd, &padded, &passes[0], lines);
                    continue;
                }
                for (pass, sums) in passes.iter().zip(&mut sums) {
                    let Target { rows, columns, .. } = pass.target;
                    let len = ((rows - 1) * row + columns).next_multiple_of(S::F32_LANES);
                    let line = std::iter::once((0, &mut sums[..len]));
                    channel.sum(simd, &padded, pass, line);
                }
                let output = &mut output[target.start..];
                match &sums {
                    [sums, _] if target.column_step == 1 => {
                        copy_rows([rows, columns], (sums, row), (output, columns));
                    }
                    [even, odd] => {
                        let odd = (passes.len() == 2).then_some(&odd[..]);
                        interleave((even, odd, row), target, output);
                    }
                }
            }
        }
    }
}

/// The kernel of one channel.
struct Channel<'a> {
    kernel: &'a [f32],
    bias: f32,
}

impl Channel<'_> {
    /// `line[i] = bias + sum over taps of weight * source[start + i + offset]` of lines `(start, line)` of
    /// whole vectors.
    #[inline(always)]
    fn sum<'a, S: Simd>(
        &self,
        simd: S,
        source: &[f32],
        pass: &Pass,
        lines: impl Iterator<Item = (usize, &'a mut [f32])>,
    ) {
        match pass.taps.len() {
            9 => self.sum_taps::<S, 9>(simd, source, pass, lines),
            4 => self.sum_taps::<S, 4>(simd, source, pass, lines),
            2 => self.sum_taps::<S, 2>(simd, source, pass, lines),
            _ => self.sum_taps::<S, 1>(simd, source, pass, lines),
        }
    }

    #[inline(always)]
    fn sum_taps<'a, S: Simd, const N: usize>(
        &self,
        simd: S,
        source: &[f32],
        pass: &Pass,
        lines: impl Iterator<Item = (usize, &'a mut [f32])>,
    ) {
        let bias = simd.splat_f32s(self.bias);
        let weights: [S::f32s; N] =
            core::array::from_fn(|t| simd.splat_f32s(self.kernel[pass.weight_taps[t]]));
        let offsets: [usize; N] = core::array::from_fn(|t| pass.taps[t]);
        for (start, line) in lines {
            let source = &source[start..];
            let taps: [&[S::f32s]; N] =
                core::array::from_fn(|t| S::as_simd_f32s(&source[offsets[t]..][..line.len()]).0);
            let (line, _) = S::as_mut_simd_f32s(line);
            for (i, to) in line.iter_mut().enumerate() {
                let mut sum = bias;
                for (tap, weight) in taps.iter().zip(&weights) {
                    sum = simd.mul_add_e_f32s(tap[i], *weight, sum);
                }
                *to = sum;
            }
        }
    }
}

/// Writes the rows of `even` and `odd` sums, `row` floats apart, to every other row of the output, value by
/// value in turn; without `odd` to every other value.
#[inline(always)]
fn interleave(
    (even, odd, row): (&[f32], Option<&[f32]>, usize),
    target: Target,
    output: &mut [f32],
) {
    for (y, even) in even.chunks(row).take(target.rows).enumerate() {
        let output = &mut output[y * target.row_step..];
        let even = &even[..target.columns];
        let Some(odd) = odd else {
            for (to, even) in output.iter_mut().step_by(2).zip(even) {
                *to = *even;
            }
            continue;
        };
        let (pairs, last) = output[..target.row_step / 2].as_chunks_mut::<2>();
        for ((pair, even), odd) in pairs.iter_mut().zip(even).zip(&odd[y * row..]) {
            *pair = [*even, *odd];
        }
        if let [last] = last {
            *last = even[target.columns - 1];
        }
    }
}

/// Gradient of the kernels, `[channels, 9]`.
pub(crate) struct DepthwiseWeightGradient<'a> {
    /// Input, `[batch_size, channels, pixels]`, to be padded.
    pub(crate) source: &'a [f32],
    /// How planes are padded.
    pub(crate) layout: &'a PaddedLayout,
    /// Output gradient, `[batch_size, channels, rows, columns]`.
    pub(crate) gradient: &'a [f32],
    pub(crate) channels: usize,
    /// Output rows and columns.
    pub(crate) size: [usize; 2],
}

impl DepthwiseWeightGradient<'_> {
    /// The gradient, summed image by image.
    pub(crate) fn run(&self) -> Vec<f32> {
        let mut output = vec![0.0; self.channels * TAPS];
        let of_channel = self.gradient.len() / self.channels;
        output
            .par_chunks_exact_mut(TAPS)
            .with_min_len(JOB.div_ceil(of_channel))
            .enumerate()
            .for_each(|(channel, output)| {
                simd::dispatch(KernelTask {
                    operands: self,
                    channel,
                    output,
                });
            });
        output
    }
}

/// The kernel of one channel.
struct KernelTask<'a> {
    operands: &'a DepthwiseWeightGradient<'a>,
    channel: usize,
    output: &'a mut [f32],
}

impl WithSimd for KernelTask<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let DepthwiseWeightGradient {
            source,
            layout,
            gradient,
            channels,
            size: [rows, columns],
        } = *self.operands;
        let pixels = layout.source_pixels();
        let mut padded = vec![0.0; layout.plane + SLACK];
        let zero = simd.splat_f32s(0.0);
        let mut sums = [zero; TAPS];
        let rest = columns % S::F32_LANES;
        let inside = simd.mask_between_m32s(0, rest as u32).mask();
        let batch_size = gradient.len() / (channels * rows * columns);
        for n in 0..batch_size {
            let number = n * channels + self.channel;
            layout.fill_pixels(
                &source[number * pixels..][..pixels],
                &mut padded[..layout.plane],
            );
            let gradient = &gradient[number * rows * columns..][..rows * columns];
            for (y, gradient) in gradient.chunks_exact(columns).enumerate() {
                // Row by row: a position between rows would multiply its zero by a pixel, which is no
                // zero where the pixel is infinite.
                let (vectors, tail) = S::as_simd_f32s(gradient);
                let source = &padded[y * layout.row..];
                let lines: [&[S::f32s]; TAPS] = core::array::from_fn(|t| {
                    let line = &source[layout.taps[t]..][..columns.next_multiple_of(S::F32_LANES)];
                    S::as_simd_f32s(line).0
                });
                for (x, gradient) in vectors.iter().enumerate() {
                    for (sum, line) in sums.iter_mut().zip(&lines) {
                        *sum = simd.mul_add_e_f32s(line[x], *gradient, *sum);
                    }
                }
                if !tail.is_empty() {
                    let gradient = simd.partial_load_f32s(tail);
                    for (sum, line) in sums.iter_mut().zip(&lines) {
                        let line = simd.select_f32s(inside, line[vectors.len()], zero);
                        *sum = simd.mul_add_e_f32s(line, gradient, *sum);
                    }
                }
            }
        }
        for (to, sum) in self.output.iter_mut().zip(sums) {
            *to = simd.reduce_sum_f32s(sum);
        }
    }
}
