//! A layer of the network: AG-FAS, section 3.3, equations 9 to 11, in the form of the released code.
//!
//! The paper prints the cross-attention without residual, norm and output projection; the released
//! code has `h = h + Attention(LN h)`, then `h = h + CrossAttention(LN h, cue)`, then
//! `h = h + MLP(LN h)`, which is what makes an untrained cross-attention harmless.

use burn::module::Module;
use burn::nn::{LayerNorm, LayerNormConfig, Linear};
use burn::tensor::{Device, Tensor};
use fas_kernels::layers;
use fas_kernels::{GeluForm, add, gelu};

use crate::VitConfig;
use crate::attention::{MultiHeadAttention, MultiHeadAttentionConfig, linear};

/// Cross-attention to the tokens of the cue, with its own norm; zero at the start.
#[derive(Module, Debug)]
pub struct CueAttention {
    norm: LayerNorm,
    attention: MultiHeadAttention,
}

impl CueAttention {
    /// What the cue adds to the tokens. The cue's tokens get neither norm nor positions.
    ///
    /// # Shapes
    ///
    /// - tokens, output: `[batch_size, tokens, width]`
    /// - cue: `[batch_size, cue_tokens, cue_width]`
    pub fn forward(&self, tokens: Tensor<3>, cue: Tensor<3>) -> Tensor<3> {
        self.attention.forward(self.norm.forward(tokens), cue)
    }
}

/// Self-attention, cross-attention to the cue, multilayer perceptron; each with a norm before it.
#[derive(Module, Debug)]
pub struct TransformerBlock {
    norm_attention: LayerNorm,
    attention: MultiHeadAttention,
    cue: Option<CueAttention>,
    norm_mlp: LayerNorm,
    mlp_in: Linear,
    mlp_out: Linear,
}

impl TransformerBlock {
    pub(crate) fn new(config: &VitConfig, device: &Device) -> Self {
        let norm = || {
            LayerNormConfig::new(config.width)
                .with_epsilon(config.layer_norm_epsilon)
                .init(device)
        };
        let attention = |context_width| {
            MultiHeadAttentionConfig::new(config.width, context_width, config.num_heads)
        };
        Self {
            norm_attention: norm(),
            attention: attention(config.width).init(device),
            cue: config.cue_width.map(|cue_width| CueAttention {
                norm: norm(),
                attention: attention(cue_width).with_zero_output(true).init(device),
            }),
            norm_mlp: norm(),
            mlp_in: linear(config.width, config.mlp_width, device),
            mlp_out: linear(config.mlp_width, config.width, device),
        }
    }

    /// # Shapes
    ///
    /// - tokens, output: `[batch_size, tokens, width]`
    /// - cue: `[batch_size, cue_tokens, cue_width]`
    ///
    /// # Panics
    ///
    /// Panics if there is a cue and no cross-attention.
    pub fn forward(&self, tokens: Tensor<3>, cue: Option<Tensor<3>>) -> Tensor<3> {
        let normed = self.norm_attention.forward(tokens.clone());
        let mut tokens = add(tokens, self.attention.forward(normed.clone(), normed));
        if let Some(cue) = cue {
            let layer = self.cue.as_ref().expect("a cue needs VitConfig::cue_width");
            tokens = add(tokens.clone(), layer.forward(tokens, cue));
        }
        let hidden = layers::linear(&self.mlp_in, self.norm_mlp.forward(tokens.clone()));
        add(
            tokens,
            layers::linear(&self.mlp_out, gelu(hidden, GeluForm::Erf)),
        )
    }
}
