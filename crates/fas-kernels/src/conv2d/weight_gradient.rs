//! Gradient of a convolution's weight.
//!
//! `dW[o, i, tap] = sum over n, y, x of dY[n, o, y, x] X[n, i, (y, x) + tap]`. The output gradient
//! is transposed once so that vectors run over output channels; the padded input is broadcast. Sums
//! run tile by tile in a fixed order, whatever the number of threads.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::scratch::Scratch;
use crate::simd::{self, Width};

/// Vectors of output channels in a block.
const VECTORS: usize = 2;
/// Output pixels of a tile: its block of the transposed gradient stays in the first-level cache.
const TILE_PIXELS: usize = 128;
/// Input channels handled together for a 1x1 kernel.
const POINTWISE: usize = 8;

/// Operands of a weight gradient.
pub(crate) struct WeightGradient<'a> {
    /// Padded input, `[batch_size, channels_in, plane]` and slack.
    pub(crate) source: &'a [f32],
    /// Output gradient, `[batch_size, channels_out, rows, columns]`.
    pub(crate) gradient: &'a [f32],
    pub(crate) batch_size: usize,
    pub(crate) channels_in: usize,
    pub(crate) channels_out: usize,
    /// Output rows and columns.
    pub(crate) size: [usize; 2],
    /// Floats of a padded plane.
    pub(crate) plane: usize,
    /// Floats between padded rows.
    pub(crate) row: usize,
    /// Offsets of the taps.
    pub(crate) taps: &'a [usize],
}

impl WeightGradient<'_> {
    /// The gradient, `[channels_out, channels_in, taps]`.
    pub(crate) fn run(&self) -> Vec<f32> {
        let vectors = if Width::detect().many_registers {
            VECTORS
        } else {
            1
        };
        let block = vectors * Width::detect().lanes;
        let blocks = self.channels_out.div_ceil(block);
        let transposed = self.transposed(block);
        let taps = self.taps.len();
        // `[channels_in][block of outputs][tap][output in block]`
        let sums_len = self.channels_in * blocks * taps * block;
        let mut sums = Scratch::new(sums_len);
        let tasks = 4 * rayon::current_num_threads();
        let group = self
            .channels_in
            .div_ceil(tasks)
            .next_multiple_of(if taps == 1 { POINTWISE } else { 1 });
        sums[..sums_len]
            .par_chunks_mut(group * blocks * taps * block)
            .enumerate()
            .for_each(|(g, sums)| {
                simd::dispatch(WeightTask {
                    operands: self,
                    transposed: &transposed,
                    vectors,
                    first_channel: g * group,
                    sums,
                });
            });
        self.unpacked(&sums, block)
    }

    /// `[channels_out, channels_in, taps]` from the blocked sums.
    fn unpacked(&self, sums: &[f32], block: usize) -> Vec<f32> {
        let blocks = self.channels_out.div_ceil(block);
        let taps = self.taps.len();
        let row_len = self.channels_in * taps;
        let mut output = vec![0.0; self.channels_out * row_len];
        output
            .par_chunks_mut(block * row_len)
            .enumerate()
            .for_each(|(b, output)| {
                // Rows of `block` outputs, sixteen at a time: whole cache lines both ways.
                let row = |r: usize| &sums[((r / taps * blocks + b) * taps + r % taps) * block..];
                for first in (0..row_len).step_by(16) {
                    let count = 16.min(row_len - first);
                    let rows: [&[f32]; 16] =
                        core::array::from_fn(|r| row(first + r.min(count - 1)));
                    for (o, output) in output.chunks_exact_mut(row_len).enumerate() {
                        for (to, row) in output[first..first + count].iter_mut().zip(&rows) {
                            *to = row[o];
                        }
                    }
                }
            });
        output
    }

    /// The output gradient as `[batch_size][block][pixel][output in block]`.
    fn transposed(&self, block: usize) -> Scratch {
        let blocks = self.channels_out.div_ceil(block);
        let pixels = self.size[0] * self.size[1];
        let len = self.batch_size * blocks * pixels * block;
        let mut transposed = Scratch::new(len);
        transposed[..len]
            .par_chunks_mut(pixels * block)
            .enumerate()
            .for_each(|(chunk, transposed)| {
                let (n, b) = (chunk / blocks, chunk % blocks);
                let first = b * block;
                let outs = (self.channels_out - first).min(block);
                let from = &self.gradient[(n * self.channels_out + first) * pixels..];
                // Sixteen pixels at a time: whole cache lines are read and written.
                for p in (0..pixels).step_by(16) {
                    let count = 16.min(pixels - p);
                    let to = &mut transposed[p * block..][..count * block];
                    if outs < block {
                        to.fill(0.0);
                    }
                    for o in 0..outs {
                        let from = &from[o * pixels + p..][..count];
                        for (to, from) in to[o..].iter_mut().step_by(block).zip(from) {
                            *to = *from;
                        }
                    }
                }
            });
        transposed
    }
}

/// Some input channels, over the whole batch.
struct WeightTask<'a> {
    operands: &'a WeightGradient<'a>,
    transposed: &'a [f32],
    vectors: usize,
    first_channel: usize,
    sums: &'a mut [f32],
}

impl WithSimd for WeightTask<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        if self.vectors == VECTORS {
            self.blocks::<S, VECTORS>(simd);
        } else {
            self.blocks::<S, 1>(simd);
        }
    }
}

impl WeightTask<'_> {
    #[inline(always)]
    fn blocks<S: Simd, const V: usize>(self, simd: S) {
        let WeightGradient {
            source,
            batch_size,
            channels_in,
            channels_out,
            size: [rows, columns],
            plane,
            row,
            taps,
            ..
        } = *self.operands;
        let block = V * S::F32_LANES;
        let blocks = channels_out.div_ceil(block);
        let channel_len = blocks * taps.len() * block;
        let channels = self.sums.len() / channel_len;
        let tile_rows = (TILE_PIXELS / columns).clamp(1, rows);
        self.sums.fill(0.0);
        for n in 0..batch_size {
            let image = &source[(n * channels_in + self.first_channel) * plane..];
            for b in 0..blocks {
                let gradient = &self.transposed[(n * blocks + b) * rows * columns * block..];
                for first_row in (0..rows).step_by(tile_rows) {
                    let tile_rows = tile_rows.min(rows - first_row);
                    let gradient =
                        &gradient[first_row * columns * block..][..tile_rows * columns * block];
                    let image = &image[first_row * row..];
                    let mut c = 0;
                    while c < channels {
                        let sums = &mut self.sums[c * channel_len + b * taps.len() * block..];
                        if taps.len() == 9 {
                            let starts = core::array::from_fn(|t| c * plane + taps[t]);
                            tile::<S, 9, V>(
                                simd, image, starts, row, columns, gradient, sums, block,
                            );
                            c += 1;
                        } else if channels - c >= POINTWISE {
                            let starts = core::array::from_fn(|j| (c + j) * plane);
                            tile::<S, POINTWISE, V>(
                                simd,
                                image,
                                starts,
                                row,
                                columns,
                                gradient,
                                sums,
                                channel_len,
                            );
                            c += POINTWISE;
                        } else {
                            let starts = [c * plane];
                            tile::<S, 1, V>(
                                simd,
                                image,
                                starts,
                                row,
                                columns,
                                gradient,
                                sums,
                                channel_len,
                            );
                            c += 1;
                        }
                    }
                }
            }
        }
    }
}

/// Adds one tile of pixels to `N` sums of `V` vectors, `stride` floats apart.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a struct here costs registers in the hot loop
fn tile<S: Simd, const N: usize, const V: usize>(
    simd: S,
    image: &[f32],
    starts: [usize; N],
    row: usize,
    columns: usize,
    gradient: &[f32],
    output: &mut [f32],
    stride: usize,
) {
    let block = V * S::F32_LANES;
    let mut sums = [[simd.splat_f32s(0.0); V]; N];
    for (y, gradient) in gradient.chunks_exact(columns * block).enumerate() {
        let lines: [&[f32]; N] = core::array::from_fn(|j| &image[starts[j] + y * row..][..columns]);
        for (x, gradient) in gradient.chunks_exact(block).enumerate() {
            let (gradient, _) = S::as_simd_f32s(gradient);
            let gradient: [S::f32s; V] = core::array::from_fn(|v| gradient[v]);
            for j in 0..N {
                let pixel = simd.splat_f32s(lines[j][x]);
                for v in 0..V {
                    sums[j][v] = simd.mul_add_e_f32s(pixel, gradient[v], sums[j][v]);
                }
            }
        }
    }
    for (j, sums) in sums.iter().enumerate() {
        let (to, _) = S::as_mut_simd_f32s(&mut output[j * stride..][..block]);
        for (to, sum) in to.iter_mut().zip(sums) {
            *to = simd.add_f32s(*to, *sum);
        }
    }
}
