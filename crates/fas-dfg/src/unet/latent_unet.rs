//! The denoising network of Stable Diffusion v1 (Rombach et al. 2022,
//! <https://arxiv.org/abs/2112.10752>), which AG-FAS conditions on identity tokens.
//!
//! Fields are named as in diffusers' `UNet2DConditionModel`. Two additions are off by default: a vector
//! added to the timestep's code, for a pooled condition, and any number of latent channels.

use burn::config::Config;
use burn::module::Module;
use burn::nn::GroupNorm;
use burn::nn::conv::Conv2d;
use burn::tensor::{Device, Int, Tensor, assert_shape};
use fas_diffusion::{TimeEmbedding, TimeEmbeddingConfig};
use fas_kernels::layers::{conv2d, group_norm};
use fas_kernels::silu;

use super::spatial_transformer::SpatialTransformer;
use crate::half_weights::ToHalf;
use crate::ops::group_norm_layer;
use crate::resample::{Downsample, DownsamplePadding, Upsample, conv3x3};
use crate::resnet_block::{ResnetBlock, ResnetBlockConfig};

/// Epsilon of the norms outside the transformers.
const EPSILON: f64 = 1e-5;
/// Width of the timestep's code over the first level's channels.
const TIME_EXPANSION: usize = 4;

/// Configuration to create a [`LatentUNet`] with [`init`](LatentUNetConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct LatentUNetConfig {
    /// Channels of the levels, full resolution first; each but the last is halved.
    pub block_out_channels: Vec<usize>,
    /// Whether a level has spatial transformers, as many as residual blocks. The middle has one always.
    pub transformers: Vec<bool>,
    /// Channels of the latents, in and out. Default: 4
    #[config(default = 4)]
    pub latent_channels: usize,
    /// Residual blocks a level; the decoder has one more. Default: 2
    #[config(default = 2)]
    pub layers_per_block: usize,
    /// Channels of the condition's tokens. Default: 768
    #[config(default = 768)]
    pub context_channels: usize,
    /// Heads of every attention. Default: 8
    #[config(default = 8)]
    pub heads: usize,
    /// Groups of the norms. Default: 32
    #[config(default = 32)]
    pub num_groups: usize,
}

impl LatentUNetConfig {
    /// Stable Diffusion v1: 859,520,964 parameters; transformers at all levels but the lowest.
    pub fn stable_diffusion() -> Self {
        Self::new(vec![320, 640, 1280, 1280], vec![true, true, true, false])
    }

    /// For latents of 8 x 8 on a CPU.
    pub fn small() -> Self {
        Self::new(vec![96, 96], vec![true, true])
            .with_latent_channels(32)
            .with_layers_per_block(1)
            .with_context_channels(128)
            .with_heads(4)
    }

    /// Width of the timestep's code, to which a pooled condition is added.
    pub fn embed_channels(&self) -> usize {
        TIME_EXPANSION * self.block_out_channels[0]
    }

    /// Initializes the network on `device`. The last convolutions of residual blocks and transformers
    /// start at zero (CompVis).
    ///
    /// # Panics
    ///
    /// Panics if there is no level, `transformers` does not have an entry a level, or groups or heads
    /// do not divide a level's channels.
    pub fn init(&self, device: &Device) -> LatentUNet {
        let channels = &self.block_out_channels;
        assert!(!channels.is_empty(), "a U-Net needs at least one level");
        assert_eq!(
            channels.len(),
            self.transformers.len(),
            "one entry of transformers a level"
        );
        let (first, last) = (channels[0], channels[channels.len() - 1]);
        let (down_blocks, mut skips) = self.encoder(device);
        let up_blocks = self.decoder(&mut skips, device);
        LatentUNet {
            conv_in: conv3x3([self.latent_channels, first]).init(device),
            time_embedding: TimeEmbeddingConfig::new(first, self.embed_channels()).init(device),
            down_blocks,
            mid_block: MiddleBlock {
                attentions: vec![self.transformer(last, device)],
                resnets: (0..2).map(|_| self.resnet(last, last, device)).collect(),
            },
            up_blocks,
            conv_norm_out: group_norm_layer(self.num_groups, first, EPSILON, device),
            conv_out: conv3x3([first, self.latent_channels]).init(device),
        }
    }

    /// Blocks of the encoder, and the channels of the maps it keeps for the decoder.
    fn encoder(&self, device: &Device) -> (Vec<DownBlock>, Vec<usize>) {
        let channels = &self.block_out_channels;
        let mut from = channels[0];
        let mut skips = vec![from];
        let mut blocks = Vec::new();
        for (level, &to) in channels.iter().enumerate() {
            let resnets = (0..self.layers_per_block)
                .map(|_| self.resnet(std::mem::replace(&mut from, to), to, device))
                .collect();
            skips.extend(vec![to; self.layers_per_block]);
            let halved = level + 1 < channels.len();
            if halved {
                skips.push(to);
            }
            let halve = || Downsample::new(to, DownsamplePadding::Symmetric, device);
            blocks.push(DownBlock {
                resnets,
                attentions: self.transformers(level, self.layers_per_block, device),
                downsamplers: halved.then(halve).into_iter().collect(),
            });
        }
        (blocks, skips)
    }

    fn decoder(&self, skips: &mut Vec<usize>, device: &Device) -> Vec<UpBlock> {
        let channels = &self.block_out_channels;
        let mut from = channels[channels.len() - 1];
        let mut blocks = Vec::new();
        for level in (0..channels.len()).rev() {
            let to = channels[level];
            let layers = self.layers_per_block + 1;
            let resnets = (0..layers)
                .map(|_| {
                    let skip = skips.pop().expect("the encoder keeps a map for each block");
                    self.resnet(std::mem::replace(&mut from, to) + skip, to, device)
                })
                .collect();
            let double = || Upsample::new(to, device);
            blocks.push(UpBlock {
                resnets,
                attentions: self.transformers(level, layers, device),
                upsamplers: (level > 0).then(double).into_iter().collect(),
            });
        }
        blocks
    }

    fn resnet(&self, from: usize, to: usize, device: &Device) -> ResnetBlock {
        ResnetBlockConfig::new(from, to)
            .with_embed_channels(Some(self.embed_channels()))
            .with_num_groups(self.num_groups)
            .with_epsilon(EPSILON)
            .with_zero_init(true)
            .init(device)
    }

    fn transformer(&self, channels: usize, device: &Device) -> SpatialTransformer {
        let (context, groups) = (self.context_channels, self.num_groups);
        SpatialTransformer::new(channels, context, self.heads, groups, device)
    }

    fn transformers(&self, level: usize, count: usize, device: &Device) -> Vec<SpatialTransformer> {
        let count = if self.transformers[level] { count } else { 0 };
        (0..count)
            .map(|_| self.transformer(self.block_out_channels[level], device))
            .collect()
    }
}

/// Latent diffusion's U-Net.
#[derive(Module, Debug)]
pub struct LatentUNet {
    conv_in: Conv2d,
    time_embedding: TimeEmbedding,
    down_blocks: Vec<DownBlock>,
    mid_block: MiddleBlock,
    up_blocks: Vec<UpBlock>,
    conv_norm_out: GroupNorm,
    conv_out: Conv2d,
}

impl LatentUNet {
    /// The same network with the weights of its blocks kept as 16-bit floats and widened, a layer at a
    /// time, where they are used: Stable Diffusion's then take 1.7 GB, not 3.4. What comes out is
    /// bit-equal to that of a file stored in 16 bits. For inference: nothing of it can be trained.
    pub fn with_half_weights(self) -> Self {
        Self {
            down_blocks: self.down_blocks.map(&mut ToHalf),
            mid_block: self.mid_block.map(&mut ToHalf),
            up_blocks: self.up_blocks.map(&mut ToHalf),
            ..self
        }
    }

    /// Denoises a batch.
    ///
    /// # Shapes
    ///
    /// - x_t, output: `[batch_size, latent_channels, height, width]`, scaled latents; any size: where
    ///   halving rounds up, doubling comes back to the size it had
    /// - timesteps: `[batch_size]`
    /// - context: `[batch_size, tokens, context_channels]`
    pub fn forward(
        &self,
        x_t: Tensor<4>,
        timesteps: Tensor<1, Int>,
        context: Tensor<3>,
    ) -> Tensor<4> {
        self.forward_observed(x_t, timesteps, context, None, |_, _| {})
    }

    /// [`forward`](Self::forward) with `pooled`, which is added to the timestep's code.
    ///
    /// # Shapes
    ///
    /// - pooled: `[batch_size, embed_channels]`
    pub fn forward_with_pooled(
        &self,
        x_t: Tensor<4>,
        timesteps: Tensor<1, Int>,
        context: Tensor<3>,
        pooled: Option<Tensor<2>>,
    ) -> Tensor<4> {
        self.forward_observed(x_t, timesteps, context, pooled, |_, _| {})
    }

    /// [`forward_with_pooled`](Self::forward_with_pooled); `observe` sees the timestep's code (as
    /// `[batch_size, embed_channels, 1, 1]`) and the maps between blocks, under diffusers' names.
    pub fn forward_observed(
        &self,
        x_t: Tensor<4>,
        timesteps: Tensor<1, Int>,
        context: Tensor<3>,
        pooled: Option<Tensor<2>>,
        mut observe: impl FnMut(&str, &Tensor<4>),
    ) -> Tensor<4> {
        let [batch_size, ..] = x_t.dims();
        assert_shape!(context, [batch_size, _, _]);
        let mut embedding = self.time_embedding.forward(timesteps);
        observe("time_embedding", &embedding.clone().unsqueeze_dims(&[2, 3]));
        if let Some(pooled) = pooled {
            embedding = embedding + pooled;
        }
        let time = silu(embedding);
        let mut hidden = conv2d(&self.conv_in, x_t);
        observe("conv_in", &hidden);
        let mut skips = vec![hidden.clone()];
        for (level, block) in self.down_blocks.iter().enumerate() {
            for (index, resnet) in block.resnets.iter().enumerate() {
                hidden = resnet.forward(hidden, Some(&time));
                if let Some(transformer) = block.attentions.get(index) {
                    hidden = transformer.forward(hidden, context.clone());
                }
                skips.push(hidden.clone());
            }
            for downsample in &block.downsamplers {
                hidden = downsample.forward(hidden);
                skips.push(hidden.clone());
            }
            observe(&format!("down_blocks.{level}"), &hidden);
        }
        hidden = self.mid_block.resnets[0].forward(hidden, Some(&time));
        hidden = self.mid_block.attentions[0].forward(hidden, context.clone());
        hidden = self.mid_block.resnets[1].forward(hidden, Some(&time));
        observe("mid_block", &hidden);
        for (level, block) in self.up_blocks.iter().enumerate() {
            for (index, resnet) in block.resnets.iter().enumerate() {
                let skip = skips.pop().expect("one map a block");
                hidden = resnet.forward(Tensor::cat(vec![hidden, skip], 1), Some(&time));
                if let Some(transformer) = block.attentions.get(index) {
                    hidden = transformer.forward(hidden, context.clone());
                }
            }
            for upsample in &block.upsamplers {
                let [_, _, height, width] = skips[skips.len() - 1].dims();
                hidden = upsample.forward(hidden, [height, width]);
            }
            observe(&format!("up_blocks.{level}"), &hidden);
        }
        conv2d(
            &self.conv_out,
            group_norm(&self.conv_norm_out, hidden, None, true),
        )
    }
}

#[derive(Module, Debug)]
struct DownBlock {
    resnets: Vec<ResnetBlock>,
    attentions: Vec<SpatialTransformer>,
    downsamplers: Vec<Downsample>,
}

#[derive(Module, Debug)]
struct MiddleBlock {
    attentions: Vec<SpatialTransformer>,
    resnets: Vec<ResnetBlock>,
}

#[derive(Module, Debug)]
struct UpBlock {
    resnets: Vec<ResnetBlock>,
    attentions: Vec<SpatialTransformer>,
    upsamplers: Vec<Upsample>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn as_many_parameters_as_stable_diffusion() {
        // counted from the shapes: nothing is allocated
        let net = LatentUNetConfig::stable_diffusion().init(&Device::default());
        assert_eq!(net.num_params(), 859_520_964);
    }

    #[test]
    fn sizes_that_do_not_halve_come_back() {
        // 224 px: latents of 28, then 14, 7, 4
        let device = Device::default();
        let net = LatentUNetConfig::new(vec![8, 8, 8, 8], vec![true, false, false, false])
            .with_layers_per_block(1)
            .with_context_channels(6)
            .with_heads(2)
            .with_num_groups(4)
            .init(&device);
        let output = net.forward(
            Tensor::ones([1, 4, 28, 28], &device),
            Tensor::from_data([3], &device),
            Tensor::ones([1, 49, 6], &device),
        );
        assert_eq!(output.dims(), [1, 4, 28, 28]);
    }

    #[test]
    fn the_condition_reaches_the_output() {
        let device = Device::default();
        device.seed(1);
        let mut net = LatentUNetConfig::new(vec![8], vec![true])
            .with_layers_per_block(1)
            .with_context_channels(6)
            .with_heads(2)
            .with_num_groups(4)
            .init(&device);
        let run = |net: &LatentUNet, value: f64| {
            net.forward(
                Tensor::ones([1, 4, 8, 8], &device),
                Tensor::from_data([3], &device),
                Tensor::<1, Int>::arange(0..6, &device)
                    .float()
                    .reshape([1, 1, 6])
                    * value,
            )
            .into_data()
        };
        // transformers start as the identity
        assert_eq!(run(&net, 0.5), run(&net, -0.5));
        let open = |t: &mut SpatialTransformer| {
            t.proj_out = burn::nn::conv::Conv2dConfig::new([8, 8], [1, 1]).init(&device);
        };
        net.mid_block.attentions.iter_mut().for_each(open);
        net.mid_block.resnets[1] = ResnetBlockConfig::new(8, 8)
            .with_embed_channels(Some(32))
            .with_num_groups(4)
            .init(&device);
        assert_ne!(run(&net, 0.5), run(&net, -0.5));
    }

    #[test]
    #[should_panic(expected = "one entry of transformers a level")]
    fn levels_without_an_entry_are_rejected() {
        let _ = LatentUNetConfig::new(vec![8, 8], vec![true]).init(&Device::default());
    }
}
