//! Convolution with 1x1 kernels and stride 1 of large maps.
//!
//! A task multiplies the weights with a block of an image's pixels, copied to one place first: planes of a
//! large map often lie a power of two apart, where all channels of a pixel fall into the same few sets of
//! every cache.

use pulp::Simd;
use rayon::prelude::*;

use crate::buffer;
use crate::product::{self, Columns, PanelTask, Start, pack, packed_panel};
use crate::scratch::Scratch;

/// Pixels of a block.
const BLOCK: usize = 128;
/// Input channels of a block that are multiplied at once: their pixels stay in the first-level cache.
const CHANNELS: usize = 64;
/// Lanes of the widest vector: a gap that keeps rows of a block out of each other's sets.
const LANES: usize = 16;

/// A convolution of a batch.
pub(super) struct Pointwise<'a> {
    /// `[batch_size, channels_in, pixels]`
    pub(super) source: &'a [f32],
    /// `[channels_out, channels_in]`
    pub(super) weight: &'a [f32],
    /// `[channels_out]`
    pub(super) bias: &'a [f32],
    pub(super) pixels: usize,
}

impl Pointwise<'_> {
    /// Computes `output`, `[batch_size, channels_out, pixels]`.
    pub(super) fn run(&self, output: &mut [f32]) {
        let channels_out = self.bias.len();
        let weight = pack(self.weight, self.weight.len() / channels_out);
        let blocks = self.pixels.div_ceil(BLOCK);
        buffer::blocks(output, self.pixels, channels_out, BLOCK)
            .into_par_iter()
            .enumerate()
            .for_each(|(t, outputs)| {
                product::dispatch(Task {
                    operands: self,
                    weight: &weight,
                    image: t / blocks,
                    first: t % blocks * BLOCK,
                    outputs,
                });
            });
    }
}

/// A block of an image's pixels.
struct Task<'a> {
    operands: &'a Pointwise<'a>,
    /// In panels.
    weight: &'a [f32],
    image: usize,
    /// First pixel.
    first: usize,
    /// The block in each output channel.
    outputs: Vec<&'a mut [f32]>,
}

impl PanelTask for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const R: usize>(self, simd: S) {
        let Pointwise {
            source,
            weight,
            bias,
            pixels,
        } = *self.operands;
        let channels_in = weight.len() / bias.len();
        let count = self.outputs[0].len();
        let columns = count.next_multiple_of(S::F32_LANES);
        let stride = BLOCK + LANES;
        let mut block = Scratch::new(channels_in * stride);
        let planes = source[self.image * channels_in * pixels..].chunks_exact(pixels);
        for (row, plane) in block.chunks_exact_mut(stride).zip(planes).take(channels_in) {
            row[..count].copy_from_slice(&plane[self.first..][..count]);
            row[count..columns].fill(0.0);
        }
        let mut outputs = self.outputs;
        let len = outputs.len().next_multiple_of(R) * BLOCK;
        let mut products = Scratch::new(len);
        for first in (0..channels_in).step_by(CHANNELS) {
            let channels = first..channels_in.min(first + CHANNELS);
            let right = Columns {
                values: &block[first * stride..],
                columns,
                stride,
            };
            let start = if first == 0 {
                Start::Zero
            } else {
                Start::Output
            };
            let panels = self.weight.chunks_exact(channels_in * R);
            for (products, weight) in products[..len].chunks_exact_mut(R * BLOCK).zip(panels) {
                let left = &weight.as_chunks::<R>().0[channels.clone()];
                packed_panel::<S, R>(simd, left, right, products, BLOCK, start);
            }
        }
        let lines = products.chunks_exact(BLOCK).zip(bias);
        for (output, (products, bias)) in outputs.iter_mut().zip(lines) {
            for (output, product) in output.iter_mut().zip(products) {
                *output = product + bias;
            }
        }
    }
}
