//! Transform of the weights.

use std::ops::Range;

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::transform::{Four, Minimal, Two};
use super::{Form, LANES};
use crate::scratch::Scratch;
use crate::simd;

/// Output channels whose weights are transformed together.
const BLOCK: usize = 8;

/// Weights of some output channels as `[channels_out][place][channels_in]`, with a gap after each
/// output channel so that channels do not fall into the same sets of the cache.
pub(super) struct TransformedWeight {
    data: Scratch,
    /// First output channel.
    first: usize,
    channels_in: usize,
    stride: usize,
}

impl TransformedWeight {
    /// Transforms all weights, in parallel.
    pub(super) fn new(weight: &Weight<'_>, form: Form) -> Self {
        let [channels_out, _] = weight.channels();
        let mut transformed = Self::empty(weight, form, 0..channels_out);
        let stride = transformed.stride;
        transformed.data[..channels_out * stride]
            .par_chunks_mut(BLOCK * stride)
            .enumerate()
            .for_each(|(b, output)| weight.transform(form, b * BLOCK, output, stride));
        transformed
    }

    /// Transforms the weights of some output channels, on this thread.
    pub(super) fn part(weight: &Weight<'_>, form: Form, channels: Range<usize>) -> Self {
        let (first, count) = (channels.start, channels.len());
        let mut transformed = Self::empty(weight, form, channels);
        let stride = transformed.stride;
        transformed.data[..count * stride]
            .chunks_mut(BLOCK * stride)
            .enumerate()
            .for_each(|(b, output)| weight.transform(form, first + b * BLOCK, output, stride));
        transformed
    }

    fn empty(weight: &Weight<'_>, form: Form, channels: Range<usize>) -> Self {
        let [_, channels_in] = weight.channels();
        let stride = form.places() * channels_in + LANES;
        Self {
            data: Scratch::new(channels.len() * stride),
            first: channels.start,
            channels_in,
            stride,
        }
    }

    /// Weights of `channel` at `place`, `[channels_in]`.
    #[inline(always)]
    pub(super) fn row(&self, channel: usize, place: usize) -> &[f32] {
        let at = (channel - self.first) * self.stride;
        &self.data[at + place * self.channels_in..][..self.channels_in]
    }
}

/// Weights as they are stored.
#[derive(Clone, Copy)]
pub(in crate::conv2d) struct Weight<'a> {
    /// `[rows, columns, 3, 3]`
    pub(in crate::conv2d) values: &'a [f32],
    /// Rows and columns.
    pub(in crate::conv2d) size: [usize; 2],
    /// For the input's gradient: channels swapped and the kernel turned by half.
    pub(in crate::conv2d) turned: bool,
}

impl Weight<'_> {
    /// Channels that the convolution makes, and those that it reads.
    pub(in crate::conv2d) fn channels(&self) -> [usize; 2] {
        let [rows, columns] = self.size;
        if self.turned {
            [columns, rows]
        } else {
            self.size
        }
    }

    /// Transforms the kernels of the output channels from `first` on that fit into `output`, `stride` floats
    /// each.
    fn transform(&self, form: Form, first: usize, output: &mut [f32], stride: usize) {
        for (o, output) in output.chunks_exact_mut(stride).enumerate() {
            simd::dispatch(WeightTask {
                weight: self,
                channel: first + o,
                output,
                form,
            });
        }
    }

    /// The taps of the kernels from some input channels, at most [`LANES`], to `channel`.
    #[inline(always)]
    fn taps(&self, channel: usize, channels_in: Range<usize>) -> [[f32; LANES]; 9] {
        let (kernels, _) = self.values.as_chunks::<9>();
        let [_, columns] = self.size;
        let mut taps = [[0.0; LANES]; 9];
        for (lane, i) in channels_in.enumerate() {
            if self.turned {
                for (tap, value) in taps.iter_mut().rev().zip(&kernels[i * columns + channel]) {
                    tap[lane] = *value;
                }
            } else {
                for (tap, value) in taps.iter_mut().zip(&kernels[channel * columns + i]) {
                    tap[lane] = *value;
                }
            }
        }
        taps
    }
}

/// `G g G^T` of the kernels of one output channel.
struct WeightTask<'a> {
    weight: &'a Weight<'a>,
    channel: usize,
    /// `[place][channels_in]`
    output: &'a mut [f32],
    form: Form,
}

impl WithSimd for WeightTask<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        match self.form {
            Form::Two => self.run::<S, Two, 2, 4>(simd),
            Form::Four => self.run::<S, Four, 4, 6>(simd),
        }
    }
}

impl WeightTask<'_> {
    #[inline(always)]
    fn run<S: Simd, F: Minimal<M, N>, const M: usize, const N: usize>(self, simd: S) {
        let zero = simd.splat_f32s(0.0);
        let [_, channels] = self.weight.channels();
        for first in (0..channels).step_by(S::F32_LANES) {
            let count = S::F32_LANES.min(channels - first);
            let taps = self.weight.taps(self.channel, first..first + count);
            // Columns, then rows.
            let mut columns = [[zero; N]; 3];
            for (x, column) in columns.iter_mut().enumerate() {
                let mut values = [zero; 3];
                for (y, value) in values.iter_mut().enumerate() {
                    *value = S::as_simd_f32s(&taps[3 * y + x]).0[0];
                }
                *column = F::filter(simd, values);
            }
            let [a, b, c] = columns;
            for (y, ((a, b), c)) in a.into_iter().zip(b).zip(c).enumerate() {
                let row = F::filter(simd, [a, b, c]);
                for (x, value) in row.into_iter().enumerate() {
                    let to = &mut self.output[(N * y + x) * channels + first..][..count];
                    match S::as_mut_simd_f32s(to) {
                        ([whole], []) => *whole = value,
                        _ => simd.partial_store_f32s(to, value),
                    }
                }
            }
        }
    }
}
