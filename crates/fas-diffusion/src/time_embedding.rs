//! Timestep embedding: DDPM (Ho et al. 2020, <https://arxiv.org/abs/2006.11239>), appendix B.
//!
//! `emb(t) = W2 silu(W1 [cos(t w_i), sin(t w_i)])`, with `w_i = 10000^(-i / half)`.

use burn::config::Config;
use burn::module::Module;
use burn::nn::{Linear, LinearConfig};
use burn::tensor::{Device, Int, Tensor, TensorData, assert_shape};
use fas_kernels::layers::linear;
use fas_kernels::silu;

/// Configuration to create a [`TimeEmbedding`] with [`init`](TimeEmbeddingConfig::init).
#[derive(Config, Debug)]
pub struct TimeEmbeddingConfig {
    /// Width of the sinusoidal code; even.
    pub channels: usize,
    /// Width of the output.
    pub embed_channels: usize,
    /// Longest wavelength, in diffusion steps. Default: 10000
    #[config(default = 10000.0)]
    pub max_period: f64,
}

impl TimeEmbeddingConfig {
    /// Initializes the module on `device`.
    ///
    /// # Panics
    ///
    /// Panics if `channels` is odd.
    pub fn init(&self, device: &Device) -> TimeEmbedding {
        assert!(
            self.channels.is_multiple_of(2),
            "channels must be even, got {}",
            self.channels
        );
        let half = self.channels / 2;
        // f64 on the host: the rounding of a frequency is multiplied by t, up to 999
        let frequencies: Vec<f32> = (0..half)
            .map(|i| (-self.max_period.ln() * i as f64 / half as f64).exp() as f32)
            .collect();
        TimeEmbedding {
            frequencies: Tensor::from_data(TensorData::from(&frequencies[..]), device),
            linear_1: LinearConfig::new(self.channels, self.embed_channels).init(device),
            linear_2: LinearConfig::new(self.embed_channels, self.embed_channels).init(device),
        }
    }
}

/// Sinusoidal code of the diffusion step, followed by a two-layer MLP.
#[derive(Module, Debug)]
pub struct TimeEmbedding {
    /// `w_i`, shape `[channels / 2]`. A plain tensor: moved with the module, not saved.
    frequencies: Tensor<1>,
    linear_1: Linear,
    linear_2: Linear,
}

impl TimeEmbedding {
    /// Embeds diffusion steps.
    ///
    /// # Shapes
    ///
    /// - timesteps: `[batch_size]`, each in `0..num_timesteps`
    /// - output: `[batch_size, embed_channels]`
    pub fn forward(&self, timesteps: Tensor<1, Int>) -> Tensor<2> {
        let code = self.sinusoid(timesteps);
        linear(&self.linear_2, silu(linear(&self.linear_1, code)))
    }

    fn sinusoid(&self, timesteps: Tensor<1, Int>) -> Tensor<2> {
        let [batch_size] = timesteps.dims();
        let angles = timesteps.float().unsqueeze_dim::<2>(1) * self.frequencies.clone().unsqueeze();
        let code = Tensor::cat(vec![angles.clone().cos(), angles.sin()], 1);
        assert_shape!(code, [batch_size, _]);
        code
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{TensorData, Tolerance};

    #[test]
    fn sinusoid_matches_guided_diffusion() {
        let device = Device::default();
        let embedding = TimeEmbeddingConfig::new(4, 8).init(&device);
        let code = embedding.sinusoid(Tensor::from_data([0, 10], &device));
        // cos and sin of [t, t / 100]: openai/guided-diffusion guided_diffusion/nn.py:103
        let expected = TensorData::from([
            [1.0, 1.0, 0.0, 0.0],
            [-0.839_071_5, 0.995_004_2, -0.544_021_1, 0.099_833_4],
        ]);
        code.into_data()
            .assert_approx_eq::<f32>(&expected, Tolerance::rel_abs(1e-5, 1e-5));
    }

    #[test]
    #[should_panic(expected = "channels must be even")]
    fn odd_width_is_rejected() {
        let _ = TimeEmbeddingConfig::new(5, 8).init(&Device::default());
    }

    #[test]
    fn frequencies_are_not_saved() {
        let device = Device::default();
        let embedding = TimeEmbeddingConfig::new(4, 8).init(&device);
        // weight and bias of each linear layer
        assert_eq!(embedding.into_record().len(), 4);
    }
}
