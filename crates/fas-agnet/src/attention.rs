//! Multi-head attention: Vaswani et al. 2017, <https://arxiv.org/abs/1706.03762>, section 3.2.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Initializer, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use fas_kernels::layers;

/// Deviation of the initial weights of a transformer (Dosovitskiy et al. 2021, released code).
pub(crate) const INITIAL_DEVIATION: f64 = 0.02;

/// A linear layer with weights of [`INITIAL_DEVIATION`] and no bias at the start.
pub(crate) fn linear(from: usize, to: usize, device: &Device) -> Linear {
    let mut layer = LinearConfig::new(from, to)
        .with_initializer(Initializer::Normal {
            mean: 0.0,
            std: INITIAL_DEVIATION,
        })
        .init(device);
    layer.bias = Some(Initializer::Zeros.init([to], device));
    layer
}

/// Configuration to create a [`MultiHeadAttention`] with [`init`](MultiHeadAttentionConfig::init).
#[derive(Config, Debug)]
pub struct MultiHeadAttentionConfig {
    /// Length of a query token and of an output token.
    pub width: usize,
    /// Length of a context token: `width` for self-attention, the cue's for cross-attention.
    pub context_width: usize,
    /// Heads, each of `width / num_heads` channels.
    pub num_heads: usize,
    /// Whether the last projection starts at zero, so that the layer adds nothing. Default: false
    #[config(default = false)]
    pub zero_output: bool,
}

impl MultiHeadAttentionConfig {
    /// Initializes the layer on `device`.
    ///
    /// # Panics
    ///
    /// Panics if `num_heads` does not divide `width`.
    pub fn init(&self, device: &Device) -> MultiHeadAttention {
        assert!(
            self.num_heads > 0 && self.width.is_multiple_of(self.num_heads),
            "{} heads of {} channels",
            self.num_heads,
            self.width
        );
        let mut output = linear(self.width, self.width, device);
        if self.zero_output {
            output.weight = Initializer::Zeros.init([self.width, self.width], device);
        }
        MultiHeadAttention {
            query: linear(self.width, self.width, device),
            key: linear(self.context_width, self.width, device),
            value: linear(self.context_width, self.width, device),
            output,
            num_heads: self.num_heads,
        }
    }
}

/// `output(softmax(q k^T / sqrt(d)) v)` over heads of `d` channels; every projection has a bias.
#[derive(Module, Debug)]
pub struct MultiHeadAttention {
    query: Linear,
    key: Linear,
    value: Linear,
    output: Linear,
    num_heads: usize,
}

impl MultiHeadAttention {
    /// # Shapes
    ///
    /// - tokens: `[batch_size, queries, width]`
    /// - context: `[batch_size, keys, context_width]`, any number of keys
    /// - output: `[batch_size, queries, width]`
    pub fn forward(&self, tokens: Tensor<3>, context: Tensor<3>) -> Tensor<3> {
        let channels = tokens.dims()[2] / self.num_heads;
        let attended = fas_kernels::multi_head_attention(
            layers::linear(&self.query, tokens),
            layers::linear(&self.key, context.clone()),
            layers::linear(&self.value, context),
            self.num_heads,
            1.0 / (channels as f64).sqrt(),
        );
        layers::linear(&self.output, attended)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;

    /// Identity projections; the context is its own key and value.
    fn identity(width: usize, num_heads: usize) -> MultiHeadAttention {
        let device = Device::default();
        let mut layer = MultiHeadAttentionConfig::new(width, width, num_heads).init(&device);
        let eye = || Param::from_tensor(Tensor::<2>::eye(width, &device));
        layer.query.weight = eye();
        layer.key.weight = eye();
        layer.value.weight = eye();
        layer.output.weight = eye();
        layer
    }

    #[test]
    fn each_head_weighs_the_context_by_its_own_channels() {
        let device = Device::default();
        // Two heads of one channel: scale 1. Head 0 has scores (0, 0), head 1 (0, ln 3).
        let tokens = Tensor::from_data([[[0.0, 1.0]]], &device);
        let context = Tensor::from_data([[[2.0, 0.0], [4.0, 1.098_612_3]]], &device);
        let output: Vec<f32> = identity(2, 2)
            .forward(tokens, context)
            .into_data()
            .try_to_vec()
            .unwrap();
        // Means: (2 + 4) / 2, and (1 * 0 + 3 * ln 3) / 4.
        assert!((output[0] - 3.0).abs() < 1e-6, "{output:?}");
        assert!((output[1] - 0.75 * 1.098_612_3).abs() < 1e-6, "{output:?}");
    }

    #[test]
    fn the_scale_is_that_of_a_head() {
        let device = Device::default();
        // One head of four channels: scores (0, 4 / sqrt(4)).
        let tokens = Tensor::from_data([[[1.0, 1.0, 1.0, 1.0]]], &device);
        let context = Tensor::from_data([[[0.0; 4], [1.0; 4]]], &device);
        let output: Vec<f32> = identity(4, 1)
            .forward(tokens, context)
            .into_data()
            .try_to_vec()
            .unwrap();
        let expected = 2f32.exp() / (1.0 + 2f32.exp());
        assert!((output[0] - expected).abs() < 1e-6, "{output:?}");
    }

    #[test]
    #[should_panic(expected = "3 heads of 8 channels")]
    fn heads_must_divide_the_width() {
        MultiHeadAttentionConfig::new(8, 8, 3).init(&Device::default());
    }
}
