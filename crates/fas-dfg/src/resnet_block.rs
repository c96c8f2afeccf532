//! Residual block of latent diffusion (Rombach et al. 2022, <https://arxiv.org/abs/2112.10752>), for
//! the autoencoder and the U-Net: norm, SiLU, convolution; the timestep's code is **added** (DiffFAS's
//! block scales and shifts); norm, SiLU, convolution; plus the input.
//!
//! Fields are named as in diffusers.

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, Initializer, Linear, LinearConfig};
use burn::tensor::{Device, Tensor};
use fas_kernels::layers::{conv2d, group_norm, linear};

use crate::ops::group_norm_layer;
use crate::resample::conv3x3;

/// Configuration to create a [`ResnetBlock`] with [`init`](ResnetBlockConfig::init).
#[derive(Config, Debug)]
pub struct ResnetBlockConfig {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Width of the timestep's code; none in the autoencoder.
    pub embed_channels: Option<usize>,
    /// Groups of the norms. Default: 32
    #[config(default = 32)]
    pub num_groups: usize,
    /// Epsilon of the norms: 1e-6 in the autoencoder, 1e-5 in the U-Net. Default: 1e-5
    #[config(default = 1e-5)]
    pub epsilon: f64,
    /// Whether the second convolution starts at zero, so that the block starts as its skip path
    /// (CompVis' U-Net). Default: false
    #[config(default = false)]
    pub zero_init: bool,
}

impl ResnetBlockConfig {
    /// Initializes the module on `device`.
    pub fn init(&self, device: &Device) -> ResnetBlock {
        let (from, to) = (self.in_channels, self.out_channels);
        let norm = |channels| group_norm_layer(self.num_groups, channels, self.epsilon, device);
        let mut conv2 = conv3x3([to, to]);
        if self.zero_init {
            conv2 = conv2.with_initializer(Initializer::Zeros);
        }
        ResnetBlock {
            norm1: norm(from),
            conv1: conv3x3([from, to]).init(device),
            time_emb_proj: self
                .embed_channels
                .map(|width| LinearConfig::new(width, to).init(device)),
            norm2: norm(to),
            conv2: conv2.init(device),
            conv_shortcut: (from != to).then(|| Conv2dConfig::new([from, to], [1, 1]).init(device)),
        }
    }
}

/// Residual block, with or without a timestep.
#[derive(Module, Debug)]
pub struct ResnetBlock {
    norm1: GroupNorm,
    conv1: Conv2d,
    time_emb_proj: Option<Linear>,
    norm2: GroupNorm,
    conv2: Conv2d,
    conv_shortcut: Option<Conv2d>,
}

impl ResnetBlock {
    /// # Shapes
    ///
    /// - input: `[batch_size, in_channels, height, width]`
    /// - time: `silu` of the timestep's code, `[batch_size, embed_channels]`
    /// - output: `[batch_size, out_channels, height, width]`
    ///
    /// # Panics
    ///
    /// Panics if `time` is given to a block without time, or the reverse.
    pub fn forward(&self, input: Tensor<4>, time: Option<&Tensor<2>>) -> Tensor<4> {
        let mut hidden = conv2d(
            &self.conv1,
            group_norm(&self.norm1, input.clone(), None, true),
        );
        match (&self.time_emb_proj, time) {
            (Some(projection), Some(time)) => {
                let [batch_size, channels, ..] = hidden.dims();
                let shift = linear(projection, time.clone());
                hidden = hidden + shift.reshape([batch_size, channels, 1, 1]);
            }
            (None, None) => {}
            (Some(_), None) => panic!("this block needs the timestep's code"),
            (None, Some(_)) => panic!("this block takes no timestep"),
        }
        let hidden = conv2d(&self.conv2, group_norm(&self.norm2, hidden, None, true));
        match &self.conv_shortcut {
            Some(conv) => conv2d(conv, input) + hidden,
            None => input + hidden,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    #[test]
    fn starts_as_its_skip_path() {
        let device = Device::default();
        let block = ResnetBlockConfig::new(4, 4)
            .with_embed_channels(Some(8))
            .with_num_groups(2)
            .with_zero_init(true)
            .init(&device);
        let x = Tensor::<4>::random([2, 4, 4, 4], Distribution::Default, &device);
        // conv2's bias alone is left, and starts at zero too
        let time = Tensor::<2>::random([2, 8], Distribution::Default, &device);
        assert_eq!(
            block.forward(x.clone(), Some(&time)).into_data(),
            x.into_data()
        );
    }

    #[test]
    #[should_panic(expected = "needs the timestep")]
    fn a_forgotten_timestep_is_rejected() {
        let device = Device::default();
        let block = ResnetBlockConfig::new(4, 4)
            .with_embed_channels(Some(8))
            .with_num_groups(2)
            .init(&device);
        let _ = block.forward(Tensor::zeros([1, 4, 4, 4], &device), None);
    }
}
