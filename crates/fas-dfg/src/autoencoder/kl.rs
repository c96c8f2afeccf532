//! The autoencoder of latent diffusion (Rombach et al. 2022, <https://arxiv.org/abs/2112.10752>,
//! appendix G): AG-FAS's fixed first stage is the one of Stable Diffusion v1, "KL-f8".
//!
//! The paper calls it a VQVAE; the released code is a KL-regularised autoencoder. Fields are named as
//! in diffusers' `AutoencoderKL`.

use burn::config::Config;
use burn::module::Module;
use burn::nn::GroupNorm;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor, assert_shape};
use fas_kernels::layers::{conv2d, group_norm};

use super::attention::MapAttention;
use super::posterior::LatentPosterior;
use crate::ops::group_norm_layer;
use crate::resample::{Downsample, DownsamplePadding, Upsample, conv3x3};
use crate::resnet_block::{ResnetBlock, ResnetBlockConfig};

/// Epsilon of every norm.
const EPSILON: f64 = 1e-6;

/// Configuration to create an [`AutoencoderKl`] with [`init`](AutoencoderKlConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct AutoencoderKlConfig {
    /// Channels of the levels, full resolution first; each but the last is halved.
    pub block_out_channels: Vec<usize>,
    /// Channels of the latents. Default: 4
    #[config(default = 4)]
    pub latent_channels: usize,
    /// Residual blocks a level; the decoder has one more. Default: 2
    #[config(default = 2)]
    pub layers_per_block: usize,
    /// Groups of the norms. Default: 32
    #[config(default = 32)]
    pub num_groups: usize,
    /// What latents are multiplied with for diffusion, so that their variance is about 1. Default:
    /// 0.18215 (Stable Diffusion v1)
    #[config(default = 0.18215)]
    pub scaling_factor: f64,
}

impl AutoencoderKlConfig {
    /// KL-f8 of Stable Diffusion v1: 83,653,863 parameters; 8 times smaller, 4 channels.
    pub fn stable_diffusion() -> Self {
        Self::new(vec![128, 256, 512, 512])
    }

    /// For faces of 64 px on a CPU: 8 times smaller, 32 channels.
    pub fn small() -> Self {
        Self::new(vec![24, 48, 96, 128])
            .with_latent_channels(32)
            .with_layers_per_block(1)
            .with_num_groups(8)
    }

    /// Initializes the module on `device`.
    ///
    /// # Panics
    ///
    /// Panics if there is no level, or the groups do not divide a level's channels.
    pub fn init(&self, device: &Device) -> AutoencoderKl {
        assert!(
            !self.block_out_channels.is_empty(),
            "an autoencoder needs at least one level"
        );
        let latent = self.latent_channels;
        AutoencoderKl {
            encoder: Encoder::new(self, device),
            decoder: Decoder::new(self, device),
            quant_conv: Conv2dConfig::new([2 * latent, 2 * latent], [1, 1]).init(device),
            post_quant_conv: Conv2dConfig::new([latent, latent], [1, 1]).init(device),
            scaling_factor: self.scaling_factor,
        }
    }

    /// Side of a latent's pixel in image pixels.
    pub fn downsampling(&self) -> usize {
        1 << (self.block_out_channels.len() - 1)
    }

    fn resnet(&self, from: usize, to: usize, device: &Device) -> ResnetBlock {
        ResnetBlockConfig::new(from, to)
            .with_num_groups(self.num_groups)
            .with_epsilon(EPSILON)
            .init(device)
    }

    fn last_channels(&self) -> usize {
        self.block_out_channels[self.block_out_channels.len() - 1]
    }
}

/// KL-regularised autoencoder: images to latents and back.
#[derive(Module, Debug)]
pub struct AutoencoderKl {
    encoder: Encoder,
    decoder: Decoder,
    quant_conv: Conv2d,
    post_quant_conv: Conv2d,
    scaling_factor: f64,
}

impl AutoencoderKl {
    /// Distribution of the latents, not scaled.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, 3, height, width]`, in `[-1, 1]`
    /// - posterior: `[batch_size, latent_channels, height / f, width / f]`
    ///
    /// # Panics
    ///
    /// Panics if height or width is no multiple of `f`.
    pub fn encode(&self, images: Tensor<4>) -> LatentPosterior {
        self.encode_observed(images, |_, _| {})
    }

    /// [`encode`](Self::encode); `observe` sees the maps between blocks, under diffusers' names.
    pub fn encode_observed(
        &self,
        images: Tensor<4>,
        mut observe: impl FnMut(&str, &Tensor<4>),
    ) -> LatentPosterior {
        let factor = 1 << (self.encoder.down_blocks.len() - 1);
        let [_, channels, height, width] = images.dims();
        assert!(
            channels == 3 && height.is_multiple_of(factor) && width.is_multiple_of(factor),
            "images must have 3 channels and sides that {factor} divides, got {:?}",
            images.dims()
        );
        let moments = self.encoder.forward(images, &mut observe);
        LatentPosterior::from_moments(conv2d(&self.quant_conv, moments))
    }

    /// Images of latents that are not scaled.
    ///
    /// # Shapes
    ///
    /// - latents: `[batch_size, latent_channels, height, width]`
    /// - output: `[batch_size, 3, f height, f width]`, about `[-1, 1]`, not clamped
    pub fn decode(&self, latents: Tensor<4>) -> Tensor<4> {
        self.decode_observed(latents, |_, _| {})
    }

    /// [`decode`](Self::decode); `observe` sees the maps between blocks, under diffusers' names.
    pub fn decode_observed(
        &self,
        latents: Tensor<4>,
        mut observe: impl FnMut(&str, &Tensor<4>),
    ) -> Tensor<4> {
        let latents = conv2d(&self.post_quant_conv, latents);
        self.decoder.forward(latents, &mut observe)
    }

    /// What latents are multiplied with for diffusion.
    pub fn scaling_factor(&self) -> f64 {
        self.scaling_factor
    }

    /// Sets [`scaling_factor`](Self::scaling_factor), once it is measured.
    pub fn with_scaling_factor(self, scaling_factor: f64) -> Self {
        Self {
            scaling_factor,
            ..self
        }
    }
}

/// Residual blocks and, but at the lowest level, a halving.
#[derive(Module, Debug)]
struct EncoderBlock {
    resnets: Vec<ResnetBlock>,
    downsamplers: Vec<Downsample>,
}

/// Residual blocks and, but at full resolution, a doubling.
#[derive(Module, Debug)]
struct DecoderBlock {
    resnets: Vec<ResnetBlock>,
    upsamplers: Vec<Upsample>,
}

/// Residual block, attention, residual block.
#[derive(Module, Debug)]
struct MiddleBlock {
    attentions: Vec<MapAttention>,
    resnets: Vec<ResnetBlock>,
}

impl MiddleBlock {
    fn new(config: &AutoencoderKlConfig, device: &Device) -> Self {
        let channels = config.last_channels();
        Self {
            attentions: vec![MapAttention::new(
                channels,
                config.num_groups,
                EPSILON,
                device,
            )],
            resnets: (0..2)
                .map(|_| config.resnet(channels, channels, device))
                .collect(),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let hidden = self.attentions[0].forward(self.resnets[0].forward(input, None));
        self.resnets[1].forward(hidden, None)
    }
}

#[derive(Module, Debug)]
struct Encoder {
    conv_in: Conv2d,
    down_blocks: Vec<EncoderBlock>,
    mid_block: MiddleBlock,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Encoder {
    fn new(config: &AutoencoderKlConfig, device: &Device) -> Self {
        let channels = &config.block_out_channels;
        let (levels, last) = (channels.len(), config.last_channels());
        let mut from = channels[0];
        let down_blocks = channels
            .iter()
            .enumerate()
            .map(|(level, &to)| {
                let resnets = (0..config.layers_per_block)
                    .map(|_| config.resnet(std::mem::replace(&mut from, to), to, device))
                    .collect();
                let halve = || Downsample::new(to, DownsamplePadding::RightBottom, device);
                let downsamplers = (level + 1 < levels).then(halve).into_iter().collect();
                EncoderBlock {
                    resnets,
                    downsamplers,
                }
            })
            .collect();
        Self {
            conv_in: conv3x3([3, channels[0]]).init(device),
            down_blocks,
            mid_block: MiddleBlock::new(config, device),
            conv_norm_out: group_norm_layer(config.num_groups, last, EPSILON, device),
            conv_out: conv3x3([last, 2 * config.latent_channels]).init(device),
        }
    }

    fn forward(&self, images: Tensor<4>, observe: &mut impl FnMut(&str, &Tensor<4>)) -> Tensor<4> {
        let mut hidden = conv2d(&self.conv_in, images);
        for (level, block) in self.down_blocks.iter().enumerate() {
            for resnet in &block.resnets {
                hidden = resnet.forward(hidden, None);
            }
            for downsample in &block.downsamplers {
                hidden = downsample.forward(hidden);
            }
            observe(&format!("encoder.down_blocks.{level}"), &hidden);
        }
        let hidden = self.mid_block.forward(hidden);
        observe("encoder.mid_block", &hidden);
        conv2d(
            &self.conv_out,
            group_norm(&self.conv_norm_out, hidden, None, true),
        )
    }
}

#[derive(Module, Debug)]
struct Decoder {
    conv_in: Conv2d,
    up_blocks: Vec<DecoderBlock>,
    mid_block: MiddleBlock,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl Decoder {
    fn new(config: &AutoencoderKlConfig, device: &Device) -> Self {
        let channels = &config.block_out_channels;
        let (levels, last) = (channels.len(), config.last_channels());
        let mut from = last;
        let up_blocks = channels
            .iter()
            .rev()
            .enumerate()
            .map(|(level, &to)| {
                let resnets = (0..config.layers_per_block + 1)
                    .map(|_| config.resnet(std::mem::replace(&mut from, to), to, device))
                    .collect();
                let double = || Upsample::new(to, device);
                let upsamplers = (level + 1 < levels).then(double).into_iter().collect();
                DecoderBlock {
                    resnets,
                    upsamplers,
                }
            })
            .collect();
        Self {
            conv_in: conv3x3([config.latent_channels, last]).init(device),
            up_blocks,
            mid_block: MiddleBlock::new(config, device),
            conv_norm_out: group_norm_layer(config.num_groups, channels[0], EPSILON, device),
            conv_out: conv3x3([channels[0], 3]).init(device),
        }
    }

    fn forward(&self, latents: Tensor<4>, observe: &mut impl FnMut(&str, &Tensor<4>)) -> Tensor<4> {
        let mut hidden = self.mid_block.forward(conv2d(&self.conv_in, latents));
        observe("decoder.mid_block", &hidden);
        for (level, block) in self.up_blocks.iter().enumerate() {
            for resnet in &block.resnets {
                hidden = resnet.forward(hidden, None);
            }
            for upsample in &block.upsamplers {
                let [_, _, height, width] = hidden.dims();
                hidden = upsample.forward(hidden, [2 * height, 2 * width]);
            }
            observe(&format!("decoder.up_blocks.{level}"), &hidden);
        }
        let images = conv2d(
            &self.conv_out,
            group_norm(&self.conv_norm_out, hidden, None, true),
        );
        assert_shape!(images, [_, 3, _, _]);
        images
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_parameters_as_the_released_autoencoder() {
        // counted from the shapes: nothing is allocated
        let net = AutoencoderKlConfig::stable_diffusion().init(&Device::default());
        assert_eq!(net.num_params(), 83_653_863);
        assert_eq!(
            net.encoder.num_params() + net.quant_conv.num_params(),
            34_163_664
        );
    }

    #[test]
    fn the_small_one_is_eight_times_smaller_too() {
        let device = Device::default();
        let config = AutoencoderKlConfig::small();
        let net = config.init(&device);
        assert_eq!(config.downsampling(), 8);
        let posterior = net.encode(Tensor::zeros([1, 3, 64, 64], &device));
        assert_eq!(posterior.mean.dims(), [1, 32, 8, 8]);
        assert_eq!(net.decode(posterior.mean).dims(), [1, 3, 64, 64]);
    }

    #[test]
    #[should_panic(expected = "sides that 8 divides")]
    fn sides_that_do_not_divide_are_rejected() {
        let device = Device::default();
        let net = AutoencoderKlConfig::small().init(&device);
        let _ = net.encode(Tensor::zeros([1, 3, 60, 64], &device));
    }
}
