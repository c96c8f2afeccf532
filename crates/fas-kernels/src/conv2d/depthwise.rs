//! Convolution of each channel with a 3x3 kernel of its own.
//!
//! One plane at a time: padded as [`PaddedLayout`] says, so that every tap is one offset, and then one
//! multiply-add a tap for each vector of pixels. The padded plane and its sums stay in the cache. Each output is one chain in a fixed order, whatever the number of threads.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::gather::{Pass, Target};
use super::layout::{PaddedLayout, SLACK};
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
        let channels = weight.len() / TAPS;
        let mut padded = vec![0.0; layout.plane + SLACK];
        let mut sums = vec![0.0; layout.plane + SLACK];
        let planes = self.output.chunks_exact_mut(passes[0].target.plane);
        for (number, output) in planes.enumerate() {
            let number = self.first + number;
            let channel = number % channels;
            layout.fill(
                &source[number * pixels..][..pixels],
                &mut padded[..layout.plane],
            );
            let kernel = &weight[channel * TAPS..][..TAPS];
            let bias = bias.map_or(0.0, |bias| bias[channel]);
            for pass in passes {
                let Target { rows, columns, .. } = pass.target;
                let len = ((rows - 1) * layout.row + columns).next_multiple_of(S::F32_LANES);
                let sums = &mut sums[..len];
                match pass.taps.len() {
                    9 => gather::<S, 9>(simd, &padded, pass, kernel, bias, sums),
                    4 => gather::<S, 4>(simd, &padded, pass, kernel, bias, sums),
                    2 => gather::<S, 2>(simd, &padded, pass, kernel, bias, sums),
                    _ => gather::<S, 1>(simd, &padded, pass, kernel, bias, sums),
                }
                scatter(sums, layout.row, pass.target, output);
            }
        }
    }
}

/// `sums[i] = bias + sum over taps of weight * source[i + offset]`.
#[inline(always)]
fn gather<S: Simd, const N: usize>(
    simd: S,
    source: &[f32],
    pass: &Pass,
    kernel: &[f32],
    bias: f32,
    sums: &mut [f32],
) {
    let bias = simd.splat_f32s(bias);
    let weights: [S::f32s; N] =
        core::array::from_fn(|t| simd.splat_f32s(kernel[pass.weight_taps[t]]));
    let lines: [&[S::f32s]; N] =
        core::array::from_fn(|t| S::as_simd_f32s(&source[pass.taps[t]..][..sums.len()]).0);
    let (sums, _) = S::as_mut_simd_f32s(sums);
    for (i, to) in sums.iter_mut().enumerate() {
        let mut sum = bias;
        for (line, weight) in lines.iter().zip(&weights) {
            sum = simd.mul_add_e_f32s(line[i], *weight, sum);
        }
        *to = sum;
    }
}

/// Copies the rows of `sums`, `row` floats apart, to the grid of `target`.
#[inline(always)]
fn scatter(sums: &[f32], row: usize, target: Target, output: &mut [f32]) {
    for (y, sums) in sums.chunks(row).take(target.rows).enumerate() {
        let output = &mut output[target.start + y * target.row_step..];
        let sums = &sums[..target.columns];
        if target.column_step == 1 {
            output[..target.columns].copy_from_slice(sums);
        } else {
            for (to, sum) in output.iter_mut().step_by(target.column_step).zip(sums) {
                *to = *sum;
            }
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
        let mut sums = [simd.splat_f32s(0.0); TAPS];
        let batch_size = gradient.len() / (channels * rows * columns);
        for n in 0..batch_size {
            let number = n * channels + self.channel;
            layout.fill(
                &source[number * pixels..][..pixels],
                &mut padded[..layout.plane],
            );
            let gradient = &gradient[number * rows * columns..][..rows * columns];
            for (y, gradient) in gradient.chunks_exact(columns).enumerate() {
                // Row by row: a position between rows would multiply its zero by a pixel, which is no
                // zero where the pixel is infinite.
                let (vectors, tail) = S::as_simd_f32s(gradient);
                let lines: [(&[S::f32s], &[f32]); TAPS] = core::array::from_fn(|t| {
                    S::as_simd_f32s(&padded[y * layout.row + layout.taps[t]..][..columns])
                });
                for (x, gradient) in vectors.iter().enumerate() {
                    for (sum, (line, _)) in sums.iter_mut().zip(&lines) {
                        *sum = simd.mul_add_e_f32s(line[x], *gradient, *sum);
                    }
                }
                if !tail.is_empty() {
                    let gradient = simd.partial_load_f32s(tail);
                    for (sum, (_, line)) in sums.iter_mut().zip(&lines) {
                        *sum = simd.mul_add_e_f32s(simd.partial_load_f32s(line), gradient, *sum);
                    }
                }
            }
        }
        for (to, sum) in self.output.iter_mut().zip(sums) {
            *to = simd.reduce_sum_f32s(sum);
        }
    }
}
