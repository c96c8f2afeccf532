//! Configuration of the U-Net, and its construction.

use burn::config::Config;
use burn::nn::conv::Conv2dConfig;
use burn::nn::{Initializer, LinearConfig, PaddingConfig2d};
use burn::tensor::Device;

use super::warp::LiveWarp;
use super::{GAINS, LevelLayer, Middle, UNet, UNetBlock};
use crate::block::{ResidualBlockConfig, group_norm};
use crate::{
    Precision, Resample, SpreadStatistic, StyleFusionConfig, StyleFusionForm, TimeEmbeddingConfig,
};

/// Which blocks carry a [`StyleFusion`](crate::StyleFusion), at the resolutions that have one.
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
    /// Channels of the output: 3 for the noise alone (the paper's equation 2), 6 with variance logits,
    /// trained by the hybrid loss. Default: 6 (released)
    #[config(default = 6)]
    pub out_channels: usize,
    /// Sides, in pixels of the maps, of the levels that carry STFM. Default: 32, 16, 8 (released)
    #[config(default = "vec![32, 16, 8]")]
    pub fusion_sizes: Vec<usize>,
    /// Blocks of those levels that carry STFM. Default: the released seven, which the published weights
    /// have; the paper's text says every block, at 2.3 times the STFM cost
    #[config(default = "FusionPlacement::OnePerLevel")]
    pub fusion_placement: FusionPlacement,
    /// Paper's or released STFM. Default: the paper's
    #[config(default = "StyleFusionForm::paper()")]
    pub fusion_form: StyleFusionForm,
    /// Patch side of STFM's means. Default: 6 (paper)
    #[config(default = 6)]
    pub mean_patch: usize,
    /// Patch side of STFM's spread. Default: 2 (paper)
    #[config(default = 2)]
    pub spread_patch: usize,
    /// STFM's spread statistic. Default: variance (paper; the released code has `E[x] - E[x^2]`)
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
    /// Whether the network also moves the live face to where the attack shows it, by an affine transformation that
    /// it reads from its middle block, and goes on from there: prints and displays are turned and shrunk before the
    /// camera. The gain it begins with suits the live-centred prediction. Default: false (released)
    #[config(default = false)]
    pub live_warp: bool,
}

impl UNetConfig {
    /// The released network at 256 px: 159,367,430 parameters as coded, of which 9,410,176 never meet a
    /// value (a self-attention and a second conditioning that nothing calls) and are left out here.
    pub fn released() -> Self {
        Self::new(256)
            .with_fusion_form(StyleFusionForm::released())
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

    /// [`small`](Self::small) with twice the channels before the first halving and two blocks a level, which is
    /// where the phase of a halftone or of a display's stripes is decided, and with a live face that it moves to where
    /// the attack shows it. 3.6 million parameters.
    pub fn wide() -> Self {
        Self::small()
            .with_channel_mult(vec![2, 2, 3])
            .with_num_res_blocks(2)
            .with_live_warp(true)
    }

    fn fusion(&self, channels: usize, size: usize) -> StyleFusionConfig {
        StyleFusionConfig::new(channels, size)
            .with_form(self.fusion_form.clone())
            .with_mean_patch(self.mean_patch)
            .with_spread_patch(self.spread_patch)
            .with_spread(self.spread)
            .with_num_groups(self.num_groups)
    }

    /// For the maps of the middle block.
    pub(super) fn warp(&self, device: &Device) -> LiveWarp {
        let levels = self.channel_mult.len();
        let channels = self.model_channels * self.channel_mult[levels - 1];
        let side = self.image_size / (self.stem_patch << (levels - 1));
        LiveWarp::new(channels, side, self.embed_channels, device)
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
        let warp = self.live_warp.then(|| self.warp(device));
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
            warp,
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
            precision: Precision::Full,
        }
    }
}

fn conv3x3(from: usize, to: usize, stride: usize) -> Conv2dConfig {
    Conv2dConfig::new([from, to], [3, 3])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
}
