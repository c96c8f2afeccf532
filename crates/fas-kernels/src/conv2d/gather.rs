//! Convolution engine: output pixels gather from the padded image, tap by tap.
//!
//! A register tile holds `M` output channels times `V` vectors of consecutive output pixels. For
//! every input channel and tap it loads `V` vectors and multiplies them by `M` broadcast weights.
//! Each output is one chain of fused multiply-adds in a fixed order, so results depend neither on
//! the tiling nor on the number of threads.

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::layout::PaddedLayout;
use crate::scratch::Scratch;
use crate::simd::{self, Width};

/// Floats of one band of the padded image that should stay in the second-level cache.
const BAND_FLOATS: usize = 128 * 1024;

/// What a gather reads.
#[derive(Clone, Copy)]
pub(crate) enum Source<'a> {
    /// Padded, `[batch_size, channels_in, plane]` and slack.
    Padded(&'a [f32]),
    /// Still to be padded, `[batch_size, channels_in, pixels]`.
    Plain(&'a [f32]),
}

/// One gather over a batch of images.
pub(crate) struct Gather<'a> {
    pub(crate) source: Source<'a>,
    /// How images are padded.
    pub(crate) layout: &'a PaddedLayout,
    /// Input channels.
    pub(crate) channels_in: usize,
    /// Output channels.
    pub(crate) channels_out: usize,
    /// Offsets of the taps.
    pub(crate) taps: &'a [usize],
    /// Packed weights, see [`PackedWeight`].
    pub(crate) weight: &'a PackedWeight,
    /// Added to every output of a channel.
    pub(crate) bias: Option<&'a [f32]>,
    /// Where the outputs go.
    pub(crate) target: Target,
}

/// Output pixels of a gather: a possibly strided grid in planes of `plane` floats.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Target {
    pub(crate) rows: usize,
    pub(crate) columns: usize,
    pub(crate) plane: usize,
    pub(crate) start: usize,
    pub(crate) row_step: usize,
    pub(crate) column_step: usize,
}

impl Target {
    /// Every pixel of a dense image.
    pub(crate) fn dense([rows, columns]: [usize; 2]) -> Self {
        Self {
            rows,
            columns,
            plane: rows * columns,
            start: 0,
            row_step: columns,
            column_step: 1,
        }
    }

    /// The first row of the plane that the grid fills, if it skips rows.
    pub(crate) fn first_row(&self) -> usize {
        2 * self.start / self.row_step
    }
}

/// Part of the outputs, all of which see the same taps.
pub(crate) struct Pass {
    pub(crate) target: Target,
    /// Offsets into the padded source.
    pub(crate) taps: Vec<usize>,
    /// The kernel's tap that each offset meets.
    pub(crate) weight_taps: Vec<usize>,
}

/// Weights as `[channels_out / block][channels_in][tap][block]`, zero beyond the last channel.
pub(crate) struct PackedWeight {
    block: usize,
    data: Scratch,
}

impl PackedWeight {
    /// Packs `weight[out * strides[0] + in * strides[1] + taps[t]]`.
    pub(crate) fn new(
        weight: &[f32],
        channels: [usize; 2],
        strides: [usize; 2],
        taps: &[usize],
    ) -> Self {
        if Width::detect().many_registers {
            Self::pack::<8>(weight, channels, strides, taps)
        } else {
            Self::pack::<4>(weight, channels, strides, taps)
        }
    }

    fn pack<const M: usize>(
        weight: &[f32],
        [channels_out, channels_in]: [usize; 2],
        strides: [usize; 2],
        taps: &[usize],
    ) -> Self {
        let len = channels_in * taps.len() * M;
        let blocks = channels_out.div_ceil(M);
        let mut data = Scratch::new(blocks * len);
        data[..blocks * len]
            .par_chunks_mut(len)
            .enumerate()
            .for_each(|(b, packed)| {
                let outs = (channels_out - b * M).min(M);
                for (i, packed) in packed.chunks_exact_mut(taps.len() * M).enumerate() {
                    let rows: [&[f32]; M] = core::array::from_fn(|o| {
                        let o = b * M + o.min(outs - 1);
                        &weight[o * strides[0] + i * strides[1]..]
                    });
                    for (tap, packed) in taps.iter().zip(packed.as_chunks_mut::<M>().0) {
                        *packed = core::array::from_fn(|o| rows[o][*tap]);
                        packed[outs..].fill(0.0);
                    }
                }
            });
        Self { block: M, data }
    }
}

impl Gather<'_> {
    /// Computes every output of `target` in `output`, `[batch_size, channels_out, target.plane]`.
    pub(crate) fn run(&self, output: &mut [f32]) {
        let image_len = self.channels_out * self.target.plane;
        let blocks = self.channels_out.div_ceil(self.weight.block);
        let batch_size = output.len() / image_len;
        // Enough tasks to balance, else whole images: their padded planes are then read once.
        let wanted = (4 * rayon::current_num_threads())
            .div_ceil(batch_size)
            .min(blocks);
        let group = blocks.div_ceil(wanted) * self.weight.block;
        let padded_len = self.channels_in * self.layout.plane;
        let (padded, whole) = match self.source {
            Source::Padded(padded) => (padded, None),
            // An image's only task pads it, so that it is in the cache when it is read.
            Source::Plain(plain) if wanted == 1 => {
                let image = plain.len() / batch_size;
                output
                    .par_chunks_mut(image_len)
                    .zip(plain.par_chunks(image))
                    .for_each(|(output, image)| {
                        let padded = self.layout.pad(image, false);
                        self.task(&padded, 0, output);
                    });
                return;
            }
            Source::Plain(plain) => (&[][..], Some(self.layout.pad(plain, true))),
        };
        let padded = whole.as_deref().unwrap_or(padded);
        output
            .par_chunks_mut(image_len)
            .enumerate()
            .for_each(|(n, image)| {
                image
                    .par_chunks_mut(group * self.target.plane)
                    .enumerate()
                    .for_each(|(g, output)| {
                        self.task(&padded[n * padded_len..], g * group, output);
                    });
            });
    }

    fn task(&self, source: &[f32], first_channel: usize, output: &mut [f32]) {
        simd::dispatch(GatherTask {
            gather: self,
            source,
            first_channel,
            output,
        });
    }
}

/// Some output channels of one image.
struct GatherTask<'a> {
    gather: &'a Gather<'a>,
    source: &'a [f32],
    first_channel: usize,
    output: &'a mut [f32],
}

impl WithSimd for GatherTask<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.gather.weight.block {
            8 => self.bands::<S, 8>(simd),
            _ => self.bands::<S, 4>(simd),
        }
    }
}

impl GatherTask<'_> {
    #[inline(always)]
    fn bands<S: Simd, const M: usize>(self, simd: S) {
        let Gather {
            channels_in,
            layout: &PaddedLayout { plane, row, .. },
            taps,
            weight,
            bias,
            target,
            ..
        } = *self.gather;
        let band_rows = (BAND_FLOATS / (channels_in * row)).clamp(1, target.rows);
        let positions = band_rows * row;
        let stride = positions.next_multiple_of(4 * S::F32_LANES);
        let mut scratch = vec![0.0; M * stride];
        let weight_len = channels_in * taps.len() * M;
        for first_row in (0..target.rows).step_by(band_rows) {
            let rows = band_rows.min(target.rows - first_row);
            let vectors = ((rows - 1) * row + target.columns).div_ceil(S::F32_LANES);
            for (b, output) in self.output.chunks_mut(M * target.plane).enumerate() {
                let channel = self.first_channel + b * M;
                let weight = &weight.data[channel / M * weight_len..][..weight_len];
                let mut init = [0.0; M];
                if let Some(bias) = bias {
                    let bias = &bias[channel..];
                    for (to, from) in init.iter_mut().zip(bias) {
                        *to = *from;
                    }
                }
                let mut vector = 0;
                while vector < vectors {
                    let at = vector * S::F32_LANES;
                    let source = &self.source[first_row * row + at..];
                    let out = &mut scratch[at..];
                    // Never a single vector after a three: two and two keep the multipliers busier.
                    let step = match vectors - vector {
                        1 => 1,
                        2 | 4 => 2,
                        _ => 3,
                    };
                    match step {
                        1 => tile::<S, M, 1>(simd, source, plane, taps, weight, init, out, stride),
                        2 => tile::<S, M, 2>(simd, source, plane, taps, weight, init, out, stride),
                        _ => tile::<S, M, 3>(simd, source, plane, taps, weight, init, out, stride),
                    }
                    vector += step;
                }
                for (m, output) in output.chunks_exact_mut(target.plane).enumerate() {
                    for y in 0..rows {
                        let from = &scratch[m * stride + y * row..][..target.columns];
                        let to = &mut output[target.start + (first_row + y) * target.row_step..];
                        if target.column_step == 1 {
                            to[..target.columns].copy_from_slice(from);
                        } else {
                            for (to, from) in to.iter_mut().step_by(target.column_step).zip(from) {
                                *to = *from;
                            }
                        }
                    }
                }
            }
        }
    }
}

/// `M` channels times `V` vectors of output pixels.
#[inline(always)]
#[allow(clippy::too_many_arguments)] // a struct here costs registers in the hot loop
fn tile<S: Simd, const M: usize, const V: usize>(
    simd: S,
    source: &[f32],
    plane: usize,
    taps: &[usize],
    weight: &[f32],
    init: [f32; M],
    output: &mut [f32],
    stride: usize,
) {
    let mut sums: [[S::f32s; V]; M] = core::array::from_fn(|m| [simd.splat_f32s(init[m]); V]);
    for (c, weight) in weight.chunks_exact(taps.len() * M).enumerate() {
        let image = &source[c * plane..];
        for (tap, weight) in taps.iter().zip(weight.as_chunks::<M>().0) {
            let (pixels, _) = S::as_simd_f32s(&image[*tap..*tap + V * S::F32_LANES]);
            let pixels: [S::f32s; V] = core::array::from_fn(|v| pixels[v]);
            for m in 0..M {
                let weight = simd.splat_f32s(weight[m]);
                for v in 0..V {
                    sums[m][v] = simd.mul_add_e_f32s(weight, pixels[v], sums[m][v]);
                }
            }
        }
    }
    for (m, sums) in sums.iter().enumerate() {
        let (to, _) = S::as_mut_simd_f32s(&mut output[m * stride..][..V * S::F32_LANES]);
        to.copy_from_slice(sums);
    }
}
