//! Attention between tokens, and the transformer block of Stable Diffusion (Rombach et al. 2022,
//! <https://arxiv.org/abs/2112.10752>, section 3.3): self-attention, cross-attention to the condition,
//! GEGLU feed-forward, each behind a LayerNorm and added to its input.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use fas_kernels::layers::linear;
use fas_kernels::{GeluForm, add, gelu};

use crate::ops::multi_head_attention;

/// Inner width of the feed-forward layer over the width of its input.
const EXPANSION: usize = 4;

/// Query, key and value without bias; output with.
#[derive(Module, Debug)]
pub(super) struct CrossAttention {
    to_q: Linear,
    to_k: Linear,
    to_v: Linear,
    /// One layer: diffusers numbers it, with a dropout that is never used behind it.
    to_out: Vec<Linear>,
    heads: usize,
}

impl CrossAttention {
    fn new(channels: usize, context_channels: usize, heads: usize, device: &Device) -> Self {
        let projection = |from| {
            LinearConfig::new(from, channels)
                .with_bias(false)
                .init(device)
        };
        Self {
            to_q: projection(channels),
            to_k: projection(context_channels),
            to_v: projection(context_channels),
            to_out: vec![LinearConfig::new(channels, channels).init(device)],
            heads,
        }
    }

    fn forward(&self, tokens: Tensor<3>, context: Tensor<3>) -> Tensor<3> {
        let attended = multi_head_attention(
            linear(&self.to_q, tokens),
            linear(&self.to_k, context.clone()),
            linear(&self.to_v, context),
            self.heads,
        );
        linear(&self.to_out[0], attended)
    }
}

/// `W_out (a gelu(b))` with `(a, b) = W x` (Shazeer 2020, <https://arxiv.org/abs/2002.05202>).
#[derive(Module, Debug)]
struct GatedFeedForward {
    /// `net.0.proj` in diffusers.
    proj: Linear,
    /// `net.2` in diffusers.
    out: Linear,
}

impl GatedFeedForward {
    fn new(channels: usize, device: &Device) -> Self {
        let inner = EXPANSION * channels;
        Self {
            proj: LinearConfig::new(channels, 2 * inner).init(device),
            out: LinearConfig::new(inner, channels).init(device),
        }
    }

    fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        let [.., channels] = tokens.dims();
        let inner = EXPANSION * channels;
        let projected = linear(&self.proj, tokens);
        let value = projected.clone().narrow(2, 0, inner);
        let gate = projected.narrow(2, inner, inner);
        linear(&self.out, value * gelu(gate, GeluForm::Erf))
    }
}

/// Self-attention, cross-attention, feed-forward.
#[derive(Module, Debug)]
pub(super) struct TransformerBlock {
    norm1: LayerNorm,
    attn1: CrossAttention,
    norm2: LayerNorm,
    attn2: CrossAttention,
    norm3: LayerNorm,
    ff: GatedFeedForward,
}

impl TransformerBlock {
    pub(super) fn new(
        channels: usize,
        context_channels: usize,
        heads: usize,
        device: &Device,
    ) -> Self {
        let norm = || LayerNormConfig::new(channels).init(device);
        Self {
            norm1: norm(),
            attn1: CrossAttention::new(channels, channels, heads, device),
            norm2: norm(),
            attn2: CrossAttention::new(channels, context_channels, heads, device),
            norm3: norm(),
            ff: GatedFeedForward::new(channels, device),
        }
    }

    /// # Shapes
    ///
    /// - tokens, output: `[batch_size, tokens, channels]`
    /// - context: `[batch_size, context_tokens, context_channels]`
    pub(super) fn forward(&self, tokens: Tensor<3>, context: Tensor<3>) -> Tensor<3> {
        let normed = self.norm1.forward(tokens.clone());
        let tokens = add(tokens, self.attn1.forward(normed.clone(), normed));
        let normed = self.norm2.forward(tokens.clone());
        let tokens = add(tokens, self.attn2.forward(normed, context));
        let normed = self.norm3.forward(tokens.clone());
        add(tokens, self.ff.forward(normed))
    }
}
