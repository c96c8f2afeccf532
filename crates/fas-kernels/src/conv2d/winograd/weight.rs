//! Transform of the weights.

use std::ops::Range;

use pulp::Simd;
use rayon::prelude::*;

use super::transform::{Four, Minimal, Two};
use super::{Form, LANES};
use crate::product::{self, PanelTask};
use crate::scratch::Scratch;

/// Weights of some output channels as `[panel][place][channels_in][row]`, with a panel's output channels as
/// rows, and a gap after each panel so that panels do not fall into the same sets of the cache.
pub(super) struct TransformedWeight {
    data: Scratch,
    /// First output channel.
    first: usize,
    channels_in: Range<usize>,
    stride: usize,
}

impl TransformedWeight {
    /// Transforms all weights, in parallel.
    pub(super) fn new(weight: &Weight<'_>, form: Form) -> Self {
        let [channels_out, channels_in] = weight.channels();
        let rows = product::panel_rows();
        let mut transformed = Self::empty(form, 0..channels_out, 0..channels_in, rows);
        let stride = transformed.stride;
        transformed.data[..channels_out.div_ceil(rows) * stride]
            .par_chunks_mut(stride)
            .enumerate()
            .for_each(|(p, output)| {
                product::dispatch(PanelWeight {
                    weight,
                    form,
                    channels_out: p * rows..channels_out,
                    channels_in: 0..channels_in,
                    output,
                });
            });
        transformed
    }

    /// Transforms the weights between some channels, on this thread.
    pub(super) fn part<const R: usize>(
        weight: &Weight<'_>,
        form: Form,
        channels_out: Range<usize>,
        channels_in: Range<usize>,
    ) -> Self {
        let mut transformed = Self::empty(form, channels_out.clone(), channels_in.clone(), R);
        let panels = transformed.data.chunks_exact_mut(transformed.stride);
        for (first, output) in channels_out.clone().step_by(R).zip(panels) {
            product::dispatch(PanelWeight {
                weight,
                form,
                channels_out: first..channels_out.end,
                channels_in: channels_in.clone(),
                output,
            });
        }
        transformed
    }

    fn empty(
        form: Form,
        channels_out: Range<usize>,
        channels_in: Range<usize>,
        rows: usize,
    ) -> Self {
        let stride = form.places() * channels_in.len() * rows + LANES;
        Self {
            data: Scratch::new(channels_out.len().div_ceil(rows) * stride),
            first: channels_out.start,
            channels_in,
            stride,
        }
    }

    /// Weights at `place` of the panel that starts with `channel`, `[channels_in][R]`.
    #[inline(always)]
    pub(super) fn panel<const R: usize>(
        &self,
        channel: usize,
        place: usize,
        channels_in: Range<usize>,
    ) -> &[[f32; R]] {
        let panel = (channel - self.first) / R * self.stride;
        let first = place * self.channels_in.len() + channels_in.start - self.channels_in.start;
        self.data[panel + first * R..][..channels_in.len() * R]
            .as_chunks()
            .0
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

    /// The taps from one input channel to one output channel.
    #[inline(always)]
    fn taps(&self, channel: usize, from: usize) -> &[f32; 9] {
        let (kernels, _) = self.values.as_chunks::<9>();
        let [_, columns] = self.size;
        if self.turned {
            &kernels[from * columns + channel]
        } else {
            &kernels[channel * columns + from]
        }
    }
}

/// `G g G^T` of the kernels of a panel of output channels.
struct PanelWeight<'a> {
    weight: &'a Weight<'a>,
    form: Form,
    /// From the panel's first on.
    channels_out: Range<usize>,
    channels_in: Range<usize>,
    /// `[place][channels_in][row]`
    output: &'a mut [f32],
}

impl PanelTask for PanelWeight<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const R: usize>(self, simd: S) {
        match self.form {
            Form::Two => self.run_form::<S, Two, 2, 4, R>(simd),
            Form::Four => self.run_form::<S, Four, 4, 6, R>(simd),
        }
    }
}

impl PanelWeight<'_> {
    #[inline(always)]
    fn run_form<S: Simd, F: Minimal<M, N>, const M: usize, const N: usize, const R: usize>(
        self,
        simd: S,
    ) {
        let zero = simd.splat_f32s(0.0);
        let rows = R.min(self.channels_out.len());
        let len = self.channels_in.len() * R;
        for first in (0..len).step_by(S::F32_LANES) {
            let count = S::F32_LANES.min(len - first);
            let mut taps = [[0.0; LANES]; 9];
            for lane in 0..count {
                let (from, row) = ((first + lane) / R, (first + lane) % R);
                let channel = self.channels_out.start + row.min(rows - 1);
                let kernel = self.weight.taps(channel, self.channels_in.start + from);
                if self.weight.turned {
                    for (tap, value) in taps.iter_mut().rev().zip(kernel) {
                        tap[lane] = *value;
                    }
                } else {
                    for (tap, value) in taps.iter_mut().zip(kernel) {
                        tap[lane] = *value;
                    }
                }
            }
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
                    let to = &mut self.output[(N * y + x) * len + first..][..count];
                    match S::as_mut_simd_f32s(to) {
                        ([whole], []) => *whole = value,
                        _ => simd.partial_store_f32s(to, value),
                    }
                }
            }
        }
    }
}
