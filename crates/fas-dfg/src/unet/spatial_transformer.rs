//! A transformer over the places of a map: the way the condition enters the U-Net (Rombach et al.
//! 2022, <https://arxiv.org/abs/2112.10752>, section 3.3 and appendix E.2.1).

use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, Initializer};
use burn::tensor::{Device, Tensor};
use fas_kernels::layers::{conv2d, group_norm};

use super::attention::TransformerBlock;
use crate::ops::{group_norm_layer, map_to_tokens, tokens_to_map};

/// Epsilon of the norm; that of residual blocks is 1e-5.
const EPSILON: f64 = 1e-6;

/// Norm, 1x1 convolution, one transformer block, 1x1 convolution; plus the input.
#[derive(Module, Debug)]
pub(super) struct SpatialTransformer {
    norm: GroupNorm,
    proj_in: Conv2d,
    transformer_blocks: Vec<TransformerBlock>,
    pub(super) proj_out: Conv2d,
}

impl SpatialTransformer {
    /// The last convolution starts at zero (CompVis), so that the module starts as the identity.
    pub(super) fn new(
        channels: usize,
        context_channels: usize,
        heads: usize,
        num_groups: usize,
        device: &Device,
    ) -> Self {
        assert!(
            channels.is_multiple_of(heads),
            "{heads} heads do not divide {channels} channels"
        );
        let conv = Conv2dConfig::new([channels, channels], [1, 1]);
        Self {
            norm: group_norm_layer(num_groups, channels, EPSILON, device),
            proj_in: conv.init(device),
            transformer_blocks: vec![TransformerBlock::new(
                channels,
                context_channels,
                heads,
                device,
            )],
            proj_out: conv.with_initializer(Initializer::Zeros).init(device),
        }
    }

    /// # Shapes
    ///
    /// - input, output: `[batch_size, channels, height, width]`
    /// - context: `[batch_size, context_tokens, context_channels]`
    pub(super) fn forward(&self, input: Tensor<4>, context: Tensor<3>) -> Tensor<4> {
        let [_, _, height, width] = input.dims();
        let hidden = group_norm(&self.norm, input.clone(), None, false);
        let tokens = map_to_tokens(conv2d(&self.proj_in, hidden));
        let tokens = self
            .transformer_blocks
            .iter()
            .fold(tokens, |x, block| block.forward(x, context.clone()));
        input + conv2d(&self.proj_out, tokens_to_map(tokens, height, width))
    }
}
