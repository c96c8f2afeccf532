//! How identity tokens become the U-Net's condition (AG-FAS, section 3.2).
//!
//! The released code pads the 512 channels of each token with zeros to the 768 that Stable Diffusion
//! expects: no weight, no position. Small networks learn faster with a projection, positions, and the
//! mean token added to the timestep's code; then the condition can be dropped for a learned token too.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::{Initializer, LayerNorm, LayerNormConfig, Linear, LinearConfig};
use burn::tensor::{Device, Tensor, assert_shape};
use fas_kernels::layers::linear;

use crate::IDENTITY_MAP_SIZE;

/// Identity tokens of a face.
pub const IDENTITY_TOKENS: usize = IDENTITY_MAP_SIZE * IDENTITY_MAP_SIZE;

/// What is done to the tokens.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum TokenForm {
    /// Zeros behind the channels: the released code.
    ZeroPadded,
    /// LayerNorm, a linear layer, learned positions; the mean token goes to the timestep's code.
    Projected,
}

/// Configuration to create an [`IdentityCondition`] with [`init`](IdentityConditionConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct IdentityConditionConfig {
    /// Channels of the identity encoder's tokens.
    pub token_channels: usize,
    /// Channels of the U-Net's context.
    pub context_channels: usize,
    /// Width of the timestep's code.
    pub embed_channels: usize,
    /// What is done to the tokens. Default: padded with zeros
    #[config(default = "TokenForm::ZeroPadded")]
    pub form: TokenForm,
}

impl IdentityConditionConfig {
    /// Initializes the module on `device`.
    ///
    /// # Panics
    ///
    /// Panics if tokens to be padded are wider than the context.
    pub fn init(&self, device: &Device) -> IdentityCondition {
        let projection = match self.form {
            TokenForm::ZeroPadded => {
                assert!(
                    self.token_channels <= self.context_channels,
                    "tokens of {} channels cannot be padded to {}",
                    self.token_channels,
                    self.context_channels
                );
                None
            }
            TokenForm::Projected => {
                let small = Initializer::Normal {
                    mean: 0.0,
                    std: 0.02,
                };
                Some(TokenProjection {
                    norm: LayerNormConfig::new(self.token_channels).init(device),
                    linear: LinearConfig::new(self.token_channels, self.context_channels)
                        .init(device),
                    positions: small.init([IDENTITY_TOKENS, self.context_channels], device),
                    null_token: small.init([self.context_channels], device),
                    pooled: LinearConfig::new(self.token_channels, self.embed_channels)
                        .with_initializer(Initializer::Zeros)
                        .init(device),
                })
            }
        };
        IdentityCondition {
            projection,
            context_channels: self.context_channels,
        }
    }
}

/// Identity tokens to context.
#[derive(Module, Debug)]
pub struct IdentityCondition {
    projection: Option<TokenProjection>,
    context_channels: usize,
}

#[derive(Module, Debug)]
struct TokenProjection {
    norm: LayerNorm,
    linear: Linear,
    positions: Param<Tensor<2>>,
    null_token: Param<Tensor<1>>,
    pooled: Linear,
}

/// What the U-Net is told of a face.
///
/// # Shapes
///
/// - context: `[batch_size, 49, context_channels]`
/// - pooled: `[batch_size, embed_channels]`, for the timestep's code
#[derive(Debug, Clone)]
pub struct UNetCondition {
    /// Tokens of the cross-attention.
    pub context: Tensor<3>,
    /// Addition to the timestep's code, if the form has one.
    pub pooled: Option<Tensor<2>>,
}

impl IdentityCondition {
    /// # Shapes
    ///
    /// - tokens: `[batch_size, 49, token_channels]`
    /// - kept: `[batch_size]`, 1 for faces whose identity is told, 0 where it is dropped: the tokens
    ///   are then the learned null token, or zeros in the padded form
    ///
    /// # Panics
    ///
    /// Panics if there are not 49 tokens.
    pub fn forward(&self, tokens: Tensor<3>, kept: Option<Tensor<1>>) -> UNetCondition {
        assert_shape!(tokens, [_, IDENTITY_TOKENS, _]);
        let [batch_size, count, channels] = tokens.dims();
        let kept = kept.map(|kept| kept.reshape([batch_size, 1, 1]));
        let Some(projection) = &self.projection else {
            let missing = self.context_channels - channels;
            let mut context = tokens;
            if missing > 0 {
                let zeros = Tensor::zeros([batch_size, count, missing], &context.device());
                context = Tensor::cat(vec![context, zeros], 2);
            }
            let context = match kept {
                Some(kept) => context * kept,
                None => context,
            };
            return UNetCondition {
                context,
                pooled: None,
            };
        };
        let normed = projection.norm.forward(tokens);
        let mut context = linear(&projection.linear, normed.clone());
        let mut pooled = normed.mean_dim(1).squeeze_dim::<2>(1);
        if let Some(kept) = kept {
            let null = projection.null_token.val().unsqueeze::<3>();
            context = context * kept.clone() + null * (kept.clone().neg() + 1.0);
            pooled = pooled * kept.reshape([batch_size, 1]);
        }
        UNetCondition {
            context: context + projection.positions.val().unsqueeze(),
            pooled: Some(projection.pooled.forward(pooled)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokens(batch_size: usize, channels: usize, device: &Device) -> Tensor<3> {
        Tensor::<1, burn::tensor::Int>::arange(0..(batch_size * 49 * channels) as i64, device)
            .float()
            .reshape([batch_size, 49, channels])
    }

    #[test]
    fn padding_stands_behind_the_channels() {
        let device = Device::default();
        let condition = IdentityConditionConfig::new(3, 5, 8).init(&device);
        assert_eq!(condition.num_params(), 0);
        let out = condition.forward(tokens(2, 3, &device), None);
        assert_eq!(out.context.dims(), [2, 49, 5]);
        let row: Vec<f32> = out
            .context
            .slice([1..2, 48..49, 0..5])
            .into_data()
            .try_to_vec()
            .unwrap();
        assert_eq!(row, [291.0, 292.0, 293.0, 0.0, 0.0]);
        assert!(out.pooled.is_none());
    }

    #[test]
    fn a_dropped_identity_says_nothing_of_the_face() {
        let device = Device::default();
        for form in [TokenForm::ZeroPadded, TokenForm::Projected] {
            let condition = IdentityConditionConfig::new(3, 5, 8)
                .with_form(form)
                .init(&device);
            let kept = Tensor::<1>::from_data([0.0, 1.0], &device);
            let a = condition.forward(tokens(2, 3, &device), Some(kept.clone()));
            let b = condition.forward(tokens(2, 3, &device).neg() * 2.0, Some(kept));
            let gap = |index| -> f32 {
                let rows = a.context.clone() - b.context.clone();
                rows.narrow(0, index, 1).abs().max().into_scalar()
            };
            assert_eq!(gap(0), 0.0);
            assert!(gap(1) > 0.1);
        }
    }

    #[test]
    #[should_panic(expected = "cannot be padded")]
    fn tokens_wider_than_the_context_are_rejected() {
        let _ = IdentityConditionConfig::new(512, 128, 8).init(&Device::default());
    }
}
