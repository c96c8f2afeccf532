//! Pixel U-Net of AnoDDPM: residual blocks of guided-diffusion, self-attention at small maps.

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Int, Tensor};
use fas_diffusion::{
    Resample, ResidualBlock, ResidualBlockConfig, TimeEmbedding, TimeEmbeddingConfig,
};
use fas_kernels::layers::{conv2d, group_norm, linear};

use crate::ops::{group_norm_layer, map_to_tokens, multi_head_attention, tokens_to_map};

/// Configuration to create a [`PixelUnet`] with [`init`](PixelUnetConfig::init).
#[derive(Config, Debug)]
pub struct PixelUnetConfig {
    /// Side of the images, in pixels: a multiple of `stem_patch 2^(levels - 1)`. Default: 256
    #[config(default = 256)]
    pub image_size: usize,
    /// Channels of the first level. Default: 128 (AnoDDPM)
    #[config(default = 128)]
    pub model_channels: usize,
    /// Channels of each level, in multiples of the first's. Default: 1, 1, 2, 2, 4, 4 (AnoDDPM, 256 px)
    #[config(default = "vec![1, 1, 2, 2, 4, 4]")]
    pub channel_mult: Vec<usize>,
    /// Residual blocks of a level of the encoder; a decoder level has one more. Default: 2
    #[config(default = 2)]
    pub num_res_blocks: usize,
    /// Sides of the maps that attend to themselves. Default: 32, 16, 8 (AnoDDPM)
    #[config(default = "vec![32, 16, 8]")]
    pub attention_sizes: Vec<usize>,
    /// Heads of each attention. Default: 2 (AnoDDPM)
    #[config(default = 2)]
    pub num_heads: usize,
    /// Most groups of the norms. Default: 32
    #[config(default = 32)]
    pub num_groups: usize,
    /// Side of the squares of pixels that the stem moves into channels; 1 is none. Default: 1
    #[config(default = 1)]
    pub stem_patch: usize,
}

impl PixelUnetConfig {
    /// For 64 px and a CPU: 2 x 2 pixels as channels, maps of 32, 16 and 8 px.
    pub fn small() -> Self {
        Self::new()
            .with_image_size(64)
            .with_model_channels(32)
            .with_channel_mult(vec![1, 2, 3])
            .with_num_res_blocks(1)
            .with_attention_sizes(vec![8])
            .with_num_groups(8)
            .with_stem_patch(2)
    }

    /// Initializes the network on `device`.
    ///
    /// # Panics
    ///
    /// Panics if the image cannot be halved between all levels.
    pub fn init(&self, device: &Device) -> PixelUnet {
        let levels = self.channel_mult.len();
        assert!(
            levels > 0
                && self
                    .image_size
                    .is_multiple_of(self.stem_patch << (levels - 1)),
            "an image of {} px cannot be halved over {levels} levels after patches of {}",
            self.image_size,
            self.stem_patch
        );
        let embed_channels = 4 * self.model_channels;
        let block = |from, to, resample| {
            ResidualBlockConfig::new(from, to, embed_channels)
                .with_num_groups(self.num_groups)
                .with_resample(resample)
                .init(device)
        };
        let attention = |channels, size| {
            self.attention_sizes
                .contains(&size)
                .then(|| SelfAttention::new(channels, self.num_heads, self.num_groups, device))
        };
        let image_channels = 3 * self.stem_patch * self.stem_patch;
        let mut size = self.image_size / self.stem_patch;
        let mut channels = self.model_channels;
        let mut skips = vec![channels];
        let mut encoder = Vec::new();
        for (level, mult) in self.channel_mult.iter().enumerate() {
            let width = self.model_channels * mult;
            for _ in 0..self.num_res_blocks {
                encoder.push(UnetStage {
                    block: block(channels, width, None),
                    attention: attention(width, size),
                    up: None,
                });
                channels = width;
                skips.push(channels);
            }
            if level + 1 < levels {
                encoder.push(UnetStage {
                    block: block(channels, channels, Some(Resample::Down)),
                    attention: None,
                    up: None,
                });
                size /= 2;
                skips.push(channels);
            }
        }
        let middle_in = block(channels, channels, None);
        let middle = SelfAttention::new(channels, self.num_heads, self.num_groups, device);
        let middle_out = block(channels, channels, None);
        let mut decoder = Vec::new();
        for (level, mult) in self.channel_mult.iter().enumerate().rev() {
            let width = self.model_channels * mult;
            for index in 0..=self.num_res_blocks {
                let skip = skips.pop().expect("one skip a decoder block");
                let last = level > 0 && index == self.num_res_blocks;
                decoder.push(UnetStage {
                    block: block(channels + skip, width, None),
                    attention: attention(width, size),
                    up: last.then(|| block(width, width, Some(Resample::Up))),
                });
                channels = width;
                if last {
                    size *= 2;
                }
            }
        }
        let conv = |from, to| {
            Conv2dConfig::new([from, to], [3, 3])
                .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
        };
        PixelUnet {
            time_embedding: TimeEmbeddingConfig::new(self.model_channels, embed_channels)
                .init(device),
            stem: conv(image_channels, self.model_channels).init(device),
            encoder,
            middle_in,
            middle,
            middle_out,
            decoder,
            out_norm: group_norm_layer(self.num_groups.min(channels), channels, 1e-5, device),
            out_conv: conv(channels, image_channels)
                .with_initializer(Initializer::Zeros)
                .init(device),
            stem_patch: self.stem_patch,
        }
    }
}

/// Self-attention over the pixels of a map, added to it; zero at the start.
#[derive(Module, Debug)]
struct SelfAttention {
    norm: GroupNorm,
    query_key_value: Linear,
    output: Linear,
    num_heads: usize,
}

impl SelfAttention {
    fn new(channels: usize, num_heads: usize, num_groups: usize, device: &Device) -> Self {
        Self {
            norm: group_norm_layer(num_groups.min(channels), channels, 1e-5, device),
            query_key_value: LinearConfig::new(channels, 3 * channels).init(device),
            output: LinearConfig::new(channels, channels)
                .with_initializer(Initializer::Zeros)
                .init(device),
            num_heads,
        }
    }

    fn forward(&self, map: Tensor<4>) -> Tensor<4> {
        let [_, _, height, width] = map.dims();
        let tokens = map_to_tokens(group_norm(&self.norm, map.clone(), None, false));
        let [query, key, value] = linear(&self.query_key_value, tokens)
            .chunk(3, 2)
            .try_into()
            .expect("three parts");
        let attended = multi_head_attention(query, key, value, self.num_heads);
        map + tokens_to_map(linear(&self.output, attended), height, width)
    }
}

#[derive(Module, Debug)]
struct UnetStage {
    block: ResidualBlock,
    attention: Option<SelfAttention>,
    up: Option<ResidualBlock>,
}

impl UnetStage {
    fn forward(&self, map: Tensor<4>, embedding: &Tensor<2>) -> Tensor<4> {
        let mut map = self.block.forward(map, embedding.clone());
        if let Some(attention) = &self.attention {
            map = attention.forward(map);
        }
        match &self.up {
            Some(block) => block.forward(map, embedding.clone()),
            None => map,
        }
    }
}

/// Unconditional U-Net that predicts the noise of an image.
#[derive(Module, Debug)]
pub struct PixelUnet {
    time_embedding: TimeEmbedding,
    stem: Conv2d,
    encoder: Vec<UnetStage>,
    middle_in: ResidualBlock,
    middle: SelfAttention,
    middle_out: ResidualBlock,
    decoder: Vec<UnetStage>,
    out_norm: GroupNorm,
    out_conv: Conv2d,
    stem_patch: usize,
}

impl PixelUnet {
    /// # Shapes
    ///
    /// - x_t, output: `[batch_size, 3, size, size]`
    /// - timesteps: `[batch_size]`
    pub fn forward(&self, x_t: Tensor<4>, timesteps: Tensor<1, Int>) -> Tensor<4> {
        let embedding = self.time_embedding.forward(timesteps);
        let mut map = conv2d(&self.stem, patches_to_channels(x_t, self.stem_patch));
        let mut skips = vec![map.clone()];
        for stage in &self.encoder {
            map = stage.forward(map, &embedding);
            skips.push(map.clone());
        }
        map = self.middle_in.forward(map, embedding.clone());
        map = self.middle.forward(map);
        map = self.middle_out.forward(map, embedding.clone());
        for stage in &self.decoder {
            let skip = skips.pop().expect("one skip a decoder block");
            map = stage.forward(Tensor::cat(vec![map, skip], 1), &embedding);
        }
        let map = conv2d(&self.out_conv, group_norm(&self.out_norm, map, None, true));
        channels_to_patches(map, self.stem_patch)
    }
}

/// Squares of pixels become channels.
fn patches_to_channels(image: Tensor<4>, patch: usize) -> Tensor<4> {
    let [batch_size, channels, height, width] = image.dims();
    let (rows, columns) = (height / patch, width / patch);
    let split: Tensor<6> = image
        .reshape([batch_size, channels, rows, patch, columns, patch])
        .permute([0, 1, 3, 5, 2, 4]);
    split.reshape([batch_size, channels * patch * patch, rows, columns])
}

/// The inverse of [`patches_to_channels`].
fn channels_to_patches(map: Tensor<4>, patch: usize) -> Tensor<4> {
    let [batch_size, channels, rows, columns] = map.dims();
    let channels = channels / (patch * patch);
    let split: Tensor<6> = map
        .reshape([batch_size, channels, patch, patch, rows, columns])
        .permute([0, 1, 4, 2, 5, 3]);
    split.reshape([batch_size, channels, rows * patch, columns * patch])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    #[test]
    fn patches_come_back() {
        let image = Tensor::<4>::random([1, 3, 8, 4], Distribution::Default, &Device::default());
        let map = patches_to_channels(image.clone(), 2);
        assert_eq!(map.dims(), [1, 12, 4, 2]);
        assert_eq!(channels_to_patches(map, 2).into_data(), image.into_data());
    }

    #[test]
    fn an_untrained_network_predicts_no_noise() {
        let device = Device::default();
        let network = PixelUnetConfig::small().init(&device);
        let image = Tensor::<4>::random([2, 3, 64, 64], Distribution::Default, &device);
        let steps = Tensor::<1, Int>::from_data([3, 700], &device);
        let noise = network.forward(image, steps);
        assert_eq!(noise.dims(), [2, 3, 64, 64]);
        assert!(noise.into_data().iter::<f32>().all(|value| value == 0.0));
    }
}
