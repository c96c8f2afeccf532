//! The live face where the attack shows it.
//!
//! A print or display is turned, shifted and shrunk before the camera, and the network has to move the face along:
//! convolutions alone blur it, since each moves by a pixel at most, and with it goes what tells people apart.

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::activation::silu;
use burn::tensor::grid::affine_grid_2d;
use burn::tensor::ops::{GridSampleOptions, GridSamplePaddingMode, InterpolateMode};
use burn::tensor::{Device, Tensor};
use fas_kernels::layers::{conv2d, linear};

use crate::precision::like;

/// Maps that the transformation is read from.
const MAPS: usize = 16;
/// Numbers of an affine transformation.
const AFFINE: usize = 6;
/// Size of a transformation for an output of one: so small that first steps of training move little.
const REACH: f64 = 0.1;
/// How strongly the difference of moved and live face enters at first: about the inverse deviation of attacks from
/// live faces, in whose units a live-centred network predicts.
const GAIN: f64 = 4.0;

/// An affine transformation of the live face, read from the maps of the middle block (Jaderberg et al. 2015,
/// <https://arxiv.org/abs/1506.02025>): none at the start of training.
#[derive(Module, Debug)]
pub(super) struct LiveWarp {
    squeeze: Conv2d,
    pub(super) transform: Linear,
    gain: Linear,
}

impl LiveWarp {
    /// For middle maps of `channels` and `side` and embeddings of `embed_channels`.
    pub(super) fn new(
        channels: usize,
        side: usize,
        embed_channels: usize,
        device: &Device,
    ) -> Self {
        let zeros = |from: usize, to: usize| {
            LinearConfig::new(from, to)
                .with_initializer(Initializer::Zeros)
                .init(device)
        };
        Self {
            squeeze: Conv2dConfig::new([channels, MAPS], [1, 1]).init(device),
            transform: zeros(MAPS * side * side, AFFINE),
            gain: zeros(embed_channels, 1),
        }
    }

    /// The moved faces, and what the move adds to the prediction.
    ///
    /// # Shapes
    ///
    /// - middle: `[batch_size, channels, side, side]`
    /// - embedding: `[batch_size, embed_channels]` or `[1, embed_channels]`
    /// - live and both outputs: `[batch_size, 3, height, width]`
    pub(super) fn forward(
        &self,
        middle: Tensor<4>,
        embedding: &Tensor<2>,
        live: Tensor<4>,
    ) -> [Tensor<4>; 2] {
        let dims = live.dims();
        let maps = silu(conv2d(&self.squeeze, like(middle, &live)));
        let maps: Tensor<2> = maps.flatten(1, 3);
        let change = linear(&self.transform, maps) * REACH;
        let identity = Tensor::<2>::from_floats([[1.0, 0.0, 0.0, 0.0, 1.0, 0.0]], &live.device());
        let transform = (change + identity).reshape([dims[0], 2, 3]);
        let options = GridSampleOptions::new(InterpolateMode::Bilinear)
            .with_padding_mode(GridSamplePaddingMode::Border)
            .with_align_corners(true);
        let moved = live
            .clone()
            .grid_sample_2d(affine_grid_2d(transform, dims), options);
        let gain = (self.gain.forward(embedding.clone()) + 1.0) * GAIN;
        let gain = gain.reshape([-1, 1, 1, 1]);
        [moved.clone(), (moved - live) * gain]
    }
}
