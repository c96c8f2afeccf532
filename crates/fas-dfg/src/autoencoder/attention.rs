//! The single-head self-attention in the middle of the autoencoder.

use burn::module::Module;
use burn::nn::{GroupNorm, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use fas_kernels::layers::{group_norm, linear};

use crate::ops::{group_norm_layer, map_to_tokens, multi_head_attention, tokens_to_map};

/// Norm, query, key, value and output projections; plus the input.
#[derive(Module, Debug)]
pub(super) struct MapAttention {
    group_norm: GroupNorm,
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    /// One layer: diffusers numbers it, with a dropout that is never used behind it.
    to_out: Vec<Linear>,
}

impl MapAttention {
    pub(crate) fn new(channels: usize, num_groups: usize, epsilon: f64, device: &Device) -> Self {
        let linear = || LinearConfig::new(channels, channels).init(device);
        Self {
            group_norm: group_norm_layer(num_groups, channels, epsilon, device),
            to_q: linear(),
            to_k: linear(),
            to_v: linear(),
            to_out: vec![linear()],
        }
    }

    /// # Shapes
    ///
    /// - input, output: `[batch_size, channels, height, width]`
    pub(crate) fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = input.dims();
        let tokens = map_to_tokens(group_norm(&self.group_norm, input.clone(), None, false));
        let attended = multi_head_attention(
            linear(&self.to_q, tokens.clone()),
            linear(&self.to_k, tokens.clone()),
            linear(&self.to_v, tokens),
            1,
        );
        input + tokens_to_map(linear(&self.to_out[0], attended), height, width)
    }
}
