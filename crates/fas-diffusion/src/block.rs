//! Residual block of guided-diffusion (Dhariwal and Nichol 2021, <https://arxiv.org/abs/2105.05233>):
//! norm, SiLU, (resample,) convolution; norm, scale and shift by the timestep, SiLU, convolution.

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{
    Dropout, DropoutConfig, GroupNorm, GroupNormConfig, Initializer, Linear, LinearConfig,
    PaddingConfig2d,
};
use burn::tensor::{Device, Tensor};
use fas_kernels::layers::{conv2d, linear};
use fas_kernels::{add, silu};

use crate::Resample;
use crate::ops::{group_norm_modulated_silu, group_norm_silu};
use crate::resample::repeat_to;

/// Configuration to create a [`ResidualBlock`] with [`init`](ResidualBlockConfig::init).
#[derive(Config, Debug)]
pub struct ResidualBlockConfig {
    /// Channels of the input.
    pub in_channels: usize,
    /// Channels of the output.
    pub out_channels: usize,
    /// Width of the timestep embedding.
    pub embed_channels: usize,
    /// Most groups of the norms; fewer where there are fewer channels. Default: 32
    #[config(default = 32)]
    pub num_groups: usize,
    /// Dropout before the second convolution, in `[0, 1)`. Default: 0
    #[config(default = 0.0)]
    pub dropout: f64,
    /// Change of resolution inside the block, on both branches.
    pub resample: Option<Resample>,
}

impl ResidualBlockConfig {
    /// Initializes the module on `device`. The second convolution starts at zero, so that the block
    /// starts as its skip path.
    pub fn init(&self, device: &Device) -> ResidualBlock {
        let conv = |from, to| {
            Conv2dConfig::new([from, to], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        };
        ResidualBlock {
            norm_1: group_norm(self.num_groups, self.in_channels, device),
            conv_1: conv(self.in_channels, self.out_channels).init(device),
            time_projection: LinearConfig::new(self.embed_channels, 2 * self.out_channels)
                .init(device),
            norm_2: group_norm(self.num_groups, self.out_channels, device),
            dropout: DropoutConfig::new(self.dropout).init(),
            conv_2: conv(self.out_channels, self.out_channels)
                .with_initializer(Initializer::Zeros)
                .init(device),
            skip: (self.in_channels != self.out_channels).then(|| {
                Conv2dConfig::new([self.in_channels, self.out_channels], [1, 1]).init(device)
            }),
            resample: self.resample,
        }
    }
}

/// GroupNorm with at most `num_groups` groups.
pub(crate) fn group_norm(num_groups: usize, channels: usize, device: &Device) -> GroupNorm {
    GroupNormConfig::new(num_groups.min(channels), channels).init(device)
}

/// Residual block, conditioned on the timestep.
#[derive(Module, Debug)]
pub struct ResidualBlock {
    norm_1: GroupNorm,
    conv_1: Conv2d,
    time_projection: Linear,
    norm_2: GroupNorm,
    dropout: Dropout,
    conv_2: Conv2d,
    skip: Option<Conv2d>,
    #[module(skip)]
    resample: Option<Resample>,
}

impl ResidualBlock {
    /// # Shapes
    ///
    /// - input: `[batch_size, in_channels, height, width]`
    /// - embedding: `[batch_size, embed_channels]`, or fewer entries that are repeated
    /// - output: `[batch_size, out_channels, height', width']`, resampled where the Config says so
    pub fn forward(&self, input: Tensor<4>, embedding: Tensor<2>) -> Tensor<4> {
        let mut hidden = group_norm_silu(&self.norm_1, input.clone());
        let mut skip = input;
        if let Some(resample) = self.resample {
            hidden = resample.forward(hidden);
            skip = resample.forward(skip);
        }
        let hidden = conv2d(&self.conv_1, hidden);
        let projected = linear(&self.time_projection, silu(embedding));
        let projected = repeat_to(projected, hidden.dims()[0]);
        let [scale, shift] = projected.chunk(2, 1).try_into().expect("two halves");
        let hidden = group_norm_modulated_silu(&self.norm_2, hidden, scale, shift);
        let hidden = conv2d(&self.conv_2, self.dropout.forward(hidden));
        let skip = match &self.skip {
            Some(conv) => conv2d(conv, skip),
            None => skip,
        };
        add(skip, hidden)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    #[test]
    fn starts_as_its_skip_path() {
        let device = Device::default();
        let block = ResidualBlockConfig::new(4, 4, 8)
            .with_num_groups(2)
            .with_resample(Some(Resample::Up))
            .init(&device);
        let x = Tensor::<4>::random([2, 4, 4, 4], Distribution::Default, &device);
        let embedding = Tensor::<2>::random([2, 8], Distribution::Default, &device);
        let y = block.forward(x.clone(), embedding);
        assert_eq!(y.into_data(), Resample::Up.forward(x).into_data());
    }
}
