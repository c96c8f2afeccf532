//! The DiffFAS U-Net: `spec` 1.1; DiffFAS, section 3.2. Input is the noised attack beside the live
//! face, attention slots hold STFM.

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{GroupNorm, Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::{Device, Int, Tensor, assert_shape};

use crate::block::{ResidualBlock, ResidualBlockConfig, group_norm};
use crate::ops::{conv2d, group_norm_silu};
use crate::resample::{channels_to_patches, nearest_2x, patches_to_channels};
use crate::{
    Resample, SpreadStatistic, StyleFeatures, StyleFusion, StyleFusionConfig, StyleFusionForm,
    StyleTokens, TimeEmbedding, TimeEmbeddingConfig,
};

/// Maps of pixel gains: three for the noised image, three for the live face.
const GAINS: usize = 6;

/// Which blocks carry a [`StyleFusion`], at the resolutions that have one.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum FusionPlacement {
    /// Block number `num_res_blocks - 1` of each level on both sides, and the middle: the seven of the
    /// released code.
    OnePerLevel,
    /// Every block, as the paper's text has it: 16.
    EveryBlock,
}

/// How the resolution changes between levels.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum LevelChange {
    /// A residual block that resamples both branches (released).
    Residual,
    /// One 3x3 convolution, of stride 2 or after nearest-neighbour doubling: half the cost.
    Convolution,
}

/// Configuration to create a [`UNet`] with [`init`](UNetConfig::init).
#[derive(Config, Debug)]
pub struct UNetConfig {
    /// Height and width of the images, a multiple of `stem_patch 2^(levels - 1)`.
    pub image_size: usize,
    /// Channels of the first level. Default: 128 (released)
    #[config(default = 128)]
    pub model_channels: usize,
    /// Channels of each level, as multiples of `model_channels`. Default: 1, 1, 2, 2, 4, 4 (released)
    #[config(default = "vec![1, 1, 2, 2, 4, 4]")]
    pub channel_mult: Vec<usize>,
    /// Residual blocks of an encoder level; a decoder level has one more. Default: 2 (released)
    #[config(default = 2)]
    pub num_res_blocks: usize,
    /// Width of the timestep embedding. Default: 512 (released)
    #[config(default = 512)]
    pub embed_channels: usize,
    /// Channels of the output: 3 for the noise alone, 6 with variance logits. Default: 6 (released)
    #[config(default = 6)]
    pub out_channels: usize,
    /// Sides, in pixels of the maps, of the levels that carry STFM. Default: 32, 16, 8 (released)
    #[config(default = "vec![32, 16, 8]")]
    pub fusion_sizes: Vec<usize>,
    /// Blocks of those levels that carry STFM. Default: the released seven; the paper's text says every
    /// block, at 2.3 times the STFM cost
    #[config(default = "FusionPlacement::OnePerLevel")]
    pub fusion_placement: FusionPlacement,
    /// Paper's or released STFM.
    #[config(default = "StyleFusionForm::Paper")]
    pub fusion_form: StyleFusionForm,
    /// Patch side of STFM's means. Default: 6 (paper)
    #[config(default = 6)]
    pub mean_patch: usize,
    /// Patch side of STFM's spread. Default: 2 (paper)
    #[config(default = 2)]
    pub spread_patch: usize,
    /// STFM's spread statistic.
    #[config(default = "SpreadStatistic::Variance")]
    pub spread: SpreadStatistic,
    /// Most groups of the norms. Default: 32 (released)
    #[config(default = 32)]
    pub num_groups: usize,
    /// Dropout of the residual blocks, in `[0, 1)`. Default: 0.1 (released)
    #[config(default = 0.1)]
    pub dropout: f64,
    /// How the resolution changes between levels.
    #[config(default = "LevelChange::Residual")]
    pub level_change: LevelChange,
    /// Side of the squares of pixels that the stem moves into channels; 1 is none (released), 2
    /// quarters the cost of the first level. Default: 1
    #[config(default = 1)]
    pub stem_patch: usize,
    /// Whether the last convolution also sees the input, scaled channel by channel by the timestep, so
    /// that fine detail and noise need not pass through the network. Default: false (released)
    #[config(default = false)]
    pub input_skip: bool,
    /// Whether the network also gives, pixel by pixel, gains of the noised image and of the live face
    /// that are added to its output. An attack is to a good part the live face under another colour and
    /// shade: its detail then need not pass through the channels of the first level. Default: false
    /// (released)
    #[config(default = false)]
    pub pixel_gains: bool,
}

impl UNetConfig {
    /// The released network at 256 px.
    pub fn released() -> Self {
        Self::new(256)
            .with_fusion_form(StyleFusionForm::Released)
            .with_mean_patch(5)
            .with_spread_patch(3)
            .with_spread(SpreadStatistic::MeanMinusMeanSquare)
    }

    /// The network of the paper's text at 256 px: STFM with 6x6 means and 2x2 variances.
    pub fn paper() -> Self {
        Self::new(256)
    }

    /// A network of 64 px that trains on a CPU: 2x2 pixels as channels, levels of 32, 16 and 8 px,
    /// STFM at 16 and 8.
    pub fn small() -> Self {
        Self::new(64)
            .with_model_channels(32)
            .with_channel_mult(vec![1, 2, 3])
            .with_num_res_blocks(1)
            .with_embed_channels(128)
            .with_out_channels(3)
            .with_fusion_sizes(vec![16, 8])
            .with_num_groups(8)
            .with_dropout(0.0)
            .with_level_change(LevelChange::Convolution)
            .with_stem_patch(2)
            .with_input_skip(true)
            .with_pixel_gains(true)
    }

    fn fusion(&self, channels: usize, size: usize) -> StyleFusionConfig {
        StyleFusionConfig::new(channels, size)
            .with_form(self.fusion_form)
            .with_mean_patch(self.mean_patch)
            .with_spread_patch(self.spread_patch)
            .with_spread(self.spread)
            .with_num_groups(self.num_groups)
            .with_zero_init(self.fusion_form == StyleFusionForm::Paper)
    }

    /// Initializes the network on `device`.
    ///
    /// # Panics
    ///
    /// Panics if `image_size` cannot be halved between all levels.
    pub fn init(&self, device: &Device) -> UNet {
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
        let in_channels = 6 * self.stem_patch * self.stem_patch;
        let res_block = |from: usize, to: usize| {
            ResidualBlockConfig::new(from, to, self.embed_channels)
                .with_num_groups(self.num_groups)
                .with_dropout(self.dropout)
        };
        let fused_at = |size: usize, index: usize| {
            self.fusion_sizes.contains(&size)
                && match self.fusion_placement {
                    FusionPlacement::OnePerLevel => index + 1 == self.num_res_blocks,
                    FusionPlacement::EveryBlock => true,
                }
        };
        let change = |channels: usize, resample: Resample| match self.level_change {
            LevelChange::Residual => LevelLayer {
                block: Some(
                    res_block(channels, channels)
                        .with_resample(Some(resample))
                        .init(device),
                ),
                conv: None,
                resample,
            },
            LevelChange::Convolution => {
                let stride = if resample == Resample::Down { 2 } else { 1 };
                let conv = conv3x3(channels, channels, stride).init(device);
                LevelLayer {
                    block: None,
                    conv: Some(conv),
                    resample,
                }
            }
        };

        let mut size = self.image_size / self.stem_patch;
        let mut channels = self.model_channels;
        let mut skip_channels = vec![channels];
        let mut encoder = Vec::new();
        for (level, mult) in self.channel_mult.iter().enumerate() {
            let width = self.model_channels * mult;
            for index in 0..self.num_res_blocks {
                encoder.push(UNetBlock {
                    residual: Some(res_block(channels, width).init(device)),
                    fusion: fused_at(size, index).then(|| self.fusion(width, size).init(device)),
                    change: None,
                });
                channels = width;
                skip_channels.push(channels);
            }
            if level + 1 < levels {
                encoder.push(UNetBlock {
                    residual: None,
                    fusion: None,
                    change: Some(change(channels, Resample::Down)),
                });
                size /= 2;
                skip_channels.push(channels);
            }
        }
        let middle = Middle {
            block_1: res_block(channels, channels).init(device),
            fusion: self.fusion(channels, size).init(device),
            block_2: res_block(channels, channels).init(device),
        };
        let mut decoder = Vec::new();
        for (level, mult) in self.channel_mult.iter().enumerate().rev() {
            let width = self.model_channels * mult;
            for index in 0..=self.num_res_blocks {
                let skip = skip_channels.pop().expect("one skip a decoder block");
                let last = level > 0 && index == self.num_res_blocks;
                decoder.push(UNetBlock {
                    residual: Some(res_block(channels + skip, width).init(device)),
                    fusion: fused_at(size, index).then(|| self.fusion(width, size).init(device)),
                    change: last.then(|| change(width, Resample::Up)),
                });
                channels = width;
                if last {
                    size *= 2;
                }
            }
        }
        let gains = if self.pixel_gains { GAINS } else { 0 };
        let patched_out = (self.out_channels + gains) * self.stem_patch * self.stem_patch;
        let out_in = channels + if self.input_skip { in_channels } else { 0 };
        UNet {
            time_embedding: TimeEmbeddingConfig::new(self.model_channels, self.embed_channels)
                .init(device),
            stem: conv3x3(in_channels, self.model_channels, 1).init(device),
            encoder,
            middle,
            decoder,
            out_norm: group_norm(self.num_groups, channels, device),
            input_scale: self.input_skip.then(|| {
                LinearConfig::new(self.embed_channels, in_channels)
                    .with_initializer(Initializer::Zeros)
                    .init(device)
            }),
            out_conv: conv3x3(out_in, patched_out, 1)
                .with_initializer(Initializer::Zeros)
                .init(device),
            image_size: self.image_size,
            stem_patch: self.stem_patch,
            pixel_gains: self.pixel_gains,
        }
    }
}

fn conv3x3(from: usize, to: usize, stride: usize) -> Conv2dConfig {
    Conv2dConfig::new([from, to], [3, 3])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
}

/// Change of resolution between two levels: one of the two fields is set.
#[derive(Module, Debug)]
struct LevelLayer {
    block: Option<ResidualBlock>,
    conv: Option<Conv2d>,
    #[module(skip)]
    resample: Resample,
}

impl LevelLayer {
    fn forward(&self, input: Tensor<4>, embedding: Tensor<2>) -> Tensor<4> {
        match (&self.block, &self.conv, self.resample) {
            (Some(block), _, _) => block.forward(input, embedding),
            (None, Some(conv), Resample::Down) => conv2d(conv, input),
            (None, Some(conv), Resample::Up) => conv2d(conv, nearest_2x(input)),
            (None, None, _) => unreachable!("built with one of the two"),
        }
    }
}

/// One entry of the released block lists: any of its parts may be absent.
#[derive(Module, Debug)]
struct UNetBlock {
    residual: Option<ResidualBlock>,
    fusion: Option<StyleFusion>,
    change: Option<LevelLayer>,
}

impl UNetBlock {
    fn forward(
        &self,
        mut hidden: Tensor<4>,
        embedding: &Tensor<2>,
        style: &mut std::slice::Iter<'_, StyleTokens>,
    ) -> Tensor<4> {
        if let Some(block) = &self.residual {
            hidden = block.forward(hidden, embedding.clone());
        }
        if let Some(fusion) = &self.fusion {
            hidden = fusion.forward(hidden, style.next().expect("tokens for every STFM"));
        }
        match &self.change {
            Some(change) => change.forward(hidden, embedding.clone()),
            None => hidden,
        }
    }
}

#[derive(Module, Debug)]
struct Middle {
    block_1: ResidualBlock,
    fusion: StyleFusion,
    block_2: ResidualBlock,
}

/// What the STFMs of a [`UNet`] read of a batch of style images, in the order of use. Constant over the
/// diffusion steps.
#[derive(Debug, Clone)]
pub struct StyleCondition(Vec<StyleTokens>);

/// The DiffFAS U-Net.
#[derive(Module, Debug)]
pub struct UNet {
    time_embedding: TimeEmbedding,
    stem: Conv2d,
    encoder: Vec<UNetBlock>,
    middle: Middle,
    decoder: Vec<UNetBlock>,
    out_norm: GroupNorm,
    input_scale: Option<Linear>,
    out_conv: Conv2d,
    image_size: usize,
    stem_patch: usize,
    pixel_gains: bool,
}

impl UNet {
    /// Every STFM, in the order of use.
    fn fusions(&self) -> impl Iterator<Item = &StyleFusion> {
        self.encoder
            .iter()
            .filter_map(|block| block.fusion.as_ref())
            .chain(std::iter::once(&self.middle.fusion))
            .chain(
                self.decoder
                    .iter()
                    .filter_map(|block| block.fusion.as_ref()),
            )
    }

    /// Statistics of the style maps for every STFM.
    ///
    /// # Panics
    ///
    /// Panics if `features` has no map of the size of one of the STFMs.
    pub fn condition(&self, features: &StyleFeatures) -> StyleCondition {
        StyleCondition(
            self.fusions()
                .map(|fusion| fusion.style_tokens(features.of_size(fusion.size())))
                .collect(),
        )
    }

    /// Predicts the noise (and variance logits) of `x_t`.
    ///
    /// # Shapes
    ///
    /// - x_t, content: `[batch_size, 3, image_size, image_size]`, content in `[-1, 1]`
    /// - timesteps: `[batch_size]`, each in `0..num_timesteps`
    /// - output: `[batch_size, out_channels, image_size, image_size]`
    pub fn forward(
        &self,
        x_t: Tensor<4>,
        content: Tensor<4>,
        timesteps: Tensor<1, Int>,
        style: &StyleCondition,
    ) -> Tensor<4> {
        self.forward_observed(x_t, content, timesteps, style, &mut |_, _| {})
    }

    /// [`forward`](Self::forward), showing each block's output to `observe` under the released name
    /// of the block (`input_blocks.3`, `middle_block`, `output_blocks.0`).
    pub fn forward_observed(
        &self,
        x_t: Tensor<4>,
        content: Tensor<4>,
        timesteps: Tensor<1, Int>,
        style: &StyleCondition,
        observe: &mut dyn FnMut(&str, &Tensor<4>),
    ) -> Tensor<4> {
        let [batch_size, _, _, _] = x_t.dims();
        assert_shape!(x_t, [batch_size, 3, self.image_size, self.image_size]);
        assert_shape!(content, [batch_size, 3, self.image_size, self.image_size]);
        let embedding = self.time_embedding.forward(timesteps);
        let mut style = style.0.iter();
        let pixels = Tensor::cat(vec![x_t, content], 1);
        let input = patches_to_channels(pixels.clone(), self.stem_patch);

        let mut hidden = conv2d(&self.stem, input.clone());
        observe("input_blocks.0", &hidden);
        let mut skips = vec![hidden.clone()];
        for (index, block) in self.encoder.iter().enumerate() {
            hidden = block.forward(hidden, &embedding, &mut style);
            observe(&format!("input_blocks.{}", index + 1), &hidden);
            skips.push(hidden.clone());
        }
        hidden = self.middle.block_1.forward(hidden, embedding.clone());
        hidden = self
            .middle
            .fusion
            .forward(hidden, style.next().expect("tokens for every STFM"));
        hidden = self.middle.block_2.forward(hidden, embedding.clone());
        observe("middle_block", &hidden);
        for (index, block) in self.decoder.iter().enumerate() {
            let skip = skips.pop().expect("one skip a decoder block");
            hidden = block.forward(Tensor::cat(vec![hidden, skip], 1), &embedding, &mut style);
            observe(&format!("output_blocks.{index}"), &hidden);
        }
        let mut hidden = group_norm_silu(&self.out_norm, hidden);
        if let Some(linear) = &self.input_scale {
            let channels = input.dims()[1];
            let scale = linear
                .forward(embedding)
                .reshape([batch_size, channels, 1, 1])
                + 1.0;
            hidden = Tensor::cat(vec![hidden, input * scale], 1);
        }
        let output = channels_to_patches(conv2d(&self.out_conv, hidden), self.stem_patch);
        if !self.pixel_gains {
            return output;
        }
        let [_, channels, height, width] = output.dims();
        let channels = channels - GAINS;
        let gains = output.clone().narrow(1, channels, GAINS);
        let output = output.narrow(1, 0, channels);
        let weighted = (gains * pixels).reshape([batch_size, 2, 3, height, width]);
        let weighted: Tensor<4> = weighted.sum_dim(1).squeeze_dim(1);
        if channels == 3 {
            return output + weighted;
        }
        // The variance logits have no gains.
        let mean = output.clone().narrow(1, 0, 3) + weighted;
        Tensor::cat(vec![mean, output.narrow(1, 3, channels - 3)], 1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StyleEncoderConfig;
    use burn::module::{Module, Param};

    #[test]
    fn seven_fusions_or_sixteen() {
        let device = Device::default();
        let config = UNetConfig::paper()
            .with_model_channels(4)
            .with_embed_channels(8);
        assert_eq!(config.init(&device).fusions().count(), 7);
        let every = config.with_fusion_placement(FusionPlacement::EveryBlock);
        assert_eq!(every.init(&device).fusions().count(), 16);
    }

    #[test]
    fn small_network_fits_the_small_encoder() {
        let device = Device::default();
        let unet = UNetConfig::small().init(&device);
        let encoder = StyleEncoderConfig::small(3).init(&device);
        let images = Tensor::<4>::zeros([2, 3, 64, 64], &device);
        let condition = unet.condition(&encoder.features(images.clone()));
        let timesteps = Tensor::<1, Int>::from_data([0, 999], &device);
        let noise = unet.forward(images.clone(), images, timesteps, &condition);
        assert_eq!(noise.dims(), [2, 3, 64, 64]);
        assert!(unet.num_params() < 3_000_000, "{}", unet.num_params());
    }

    #[test]
    fn pixel_gains_weigh_the_noised_image_and_the_live_face() {
        let device = Device::default();
        for out_channels in [3, 6] {
            let config = UNetConfig::small().with_out_channels(out_channels);
            let mut unet = config.init(&device);
            // The last convolution starts at zero: its bias alone makes the maps. The gains are 2 for
            // the noised image and -1 for the live face, the output before them 0.25.
            let bias: Vec<f32> = (0..out_channels + 6)
                .flat_map(|channel| {
                    let value = match channel.checked_sub(out_channels) {
                        None => 0.25,
                        Some(0..3) => 2.0,
                        Some(_) => -1.0,
                    };
                    [value; 4]
                })
                .collect();
            unet.out_conv.bias = Some(Param::from_data(bias.as_slice(), &device));
            let encoder = StyleEncoderConfig::small(3).init(&device);
            let x_t = Tensor::<4>::full([1, 3, 64, 64], 0.5, &device);
            let content = Tensor::<4>::full([1, 3, 64, 64], 0.125, &device);
            let condition = unet.condition(&encoder.features(content.clone()));
            let timesteps = Tensor::<1, Int>::from_data([10], &device);
            let output = unet.forward(x_t, content, timesteps, &condition);
            let mean: Vec<f32> = output
                .clone()
                .narrow(1, 0, 3)
                .into_data()
                .try_to_vec()
                .unwrap();
            assert!(mean.iter().all(|&value| value == 0.25 + 1.0 - 0.125));
            if out_channels > 3 {
                let rest = output.narrow(1, 3, out_channels - 3);
                let rest: Vec<f32> = rest.into_data().try_to_vec().unwrap();
                assert!(rest.iter().all(|&value| value == 0.25));
            }
        }
    }

    #[test]
    #[should_panic(expected = "cannot be halved")]
    fn odd_sizes_are_rejected() {
        UNetConfig {
            image_size: 60,
            ..UNetConfig::small()
        }
        .init(&Device::default());
    }
}
