//! Convolution of few pixels: the weights are read once, where they lie.
//!
//! A map of 4x4 pixels with 1280 channels meets 59 MB of weights, of which each serves 16 products: to pack them
//! takes longer than to multiply. Every output is the same chain of products as [`Gather`](super::gather::Gather)
//! makes.

use pulp::Simd;
use rayon::prelude::*;

use super::layout::PaddedLayout;
use crate::product::{self, Columns, PanelTask, Start, panel, rows_of};
use crate::scratch::Scratch;

/// Lanes of the widest vector.
const LANES: usize = 16;

/// A convolution of a batch.
pub(super) struct Few<'a> {
    /// `[batch_size, channels_in, pixels]`
    pub(super) source: &'a [f32],
    pub(super) layout: &'a PaddedLayout,
    /// `[channels_out, channels_in, taps]`
    pub(super) weight: &'a [f32],
    /// `[channels_out]`
    pub(super) bias: &'a [f32],
    /// Rows and columns of the output.
    pub(super) size: [usize; 2],
}

impl Few<'_> {
    /// Computes `output`, `[batch_size, channels_out, rows, columns]`.
    pub(super) fn run(&self, output: &mut [f32]) {
        let channels_out = self.bias.len();
        let pixels = self.size[0] * self.size[1];
        let batch_size = output.len() / (channels_out * pixels);
        let len = self.weight.len() / channels_out;
        let count = batch_size * pixels;
        let stride = count.next_multiple_of(LANES);
        let columns = self.columns(batch_size, stride, len);
        let rows = product::panel_rows();
        let mut products = Scratch::new(channels_out * stride);
        products[..channels_out * stride]
            .par_chunks_mut(rows * stride)
            .enumerate()
            .for_each(|(p, products)| {
                product::dispatch(Panel {
                    operands: self,
                    first: p * rows,
                    columns: Columns {
                        values: &columns,
                        columns: stride,
                        stride,
                    },
                    products,
                });
            });
        for (i, output) in output.chunks_exact_mut(pixels).enumerate() {
            let (image, channel) = (i / channels_out, i % channels_out);
            output.copy_from_slice(&products[channel * stride + image * pixels..][..pixels]);
        }
    }

    /// What every product of an output reads, `[channels_in, taps, batch_size, pixels]`.
    fn columns(&self, batch_size: usize, stride: usize, len: usize) -> Scratch {
        let padded = self.layout.pad(self.source, false);
        let taps = self.layout.taps.len();
        let [height, width] = self.size;
        let mut columns = Scratch::new(len * stride);
        let lines = columns[..len * stride].par_chunks_exact_mut(stride);
        lines.enumerate().with_min_len(64).for_each(|(k, line)| {
            let (channel, tap) = (k / taps, self.layout.taps[k % taps]);
            for image in 0..batch_size {
                let plane = (image * len / taps + channel) * self.layout.plane + tap;
                for y in 0..height {
                    let to = (image * height + y) * width;
                    line[to..to + width]
                        .copy_from_slice(&padded[plane + y * self.layout.row..][..width]);
                }
            }
            line[batch_size * height * width..].fill(0.0);
        });
        columns
    }
}

/// Some output channels.
struct Panel<'a> {
    operands: &'a Few<'a>,
    /// Output channel.
    first: usize,
    columns: Columns<'a>,
    products: &'a mut [f32],
}

impl PanelTask for Panel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const R: usize>(self, simd: S) {
        let Few { weight, bias, .. } = *self.operands;
        let stride = self.columns.stride;
        let len = weight.len() / bias.len();
        for (line, bias) in self
            .products
            .chunks_exact_mut(stride)
            .zip(&bias[self.first..])
        {
            line.fill(*bias);
        }
        let left: [&[f32]; R] = rows_of(weight, self.first, len, len);
        panel::<S, R>(
            simd,
            len,
            |k| core::array::from_fn(|r| left[r][k]),
            self.columns,
            self.products,
            stride,
            self.products.len() / stride,
            Start::Output,
        );
    }
}
