//! What is trained of the De-spoofing Face Generator: the U-Net and the way of the condition into it.
//! First stage and identity encoder are fixed (AG-FAS, section 3.2).

use burn::module::Module;
use burn::tensor::{Int, Tensor};

use crate::{IdentityCondition, LatentUNet};

/// Condition and U-Net.
#[derive(Module, Debug)]
pub struct Denoiser {
    /// Identity tokens to context.
    pub condition: IdentityCondition,
    /// The denoising network.
    pub unet: LatentUNet,
}

impl Denoiser {
    /// The network's output for noised latents; what it stands for is the generator's `Prediction`.
    ///
    /// # Shapes
    ///
    /// - x_t, output: `[batch_size, latent_channels, height, width]`
    /// - timesteps: `[batch_size]`
    /// - tokens: `[batch_size, 49, token_channels]`
    /// - kept: `[batch_size]`, 0 where the identity is dropped
    pub fn forward(
        &self,
        x_t: Tensor<4>,
        timesteps: Tensor<1, Int>,
        tokens: Tensor<3>,
        kept: Option<Tensor<1>>,
    ) -> Tensor<4> {
        let condition = self.condition.forward(tokens, kept);
        self.unet
            .forward_with_pooled(x_t, timesteps, condition.context, condition.pooled)
    }
}
