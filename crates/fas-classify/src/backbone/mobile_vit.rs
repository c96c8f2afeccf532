//! MobileViT-S, -XS and -XXS: Mehta and Rastegari 2022, <https://arxiv.org/abs/2110.02178>; layers,
//! widths and names of timm, whose weights `import` reads.
//!
//! Inverted residuals (MobileNetV2), and from the third stage on a block in which a transformer sees
//! all pixels at the same place of their 2x2 patches.

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, BatchNormConfig, LayerNorm, LayerNormConfig, Linear};
use burn::tensor::module::interpolate;
use burn::tensor::ops::{InterpolateMode, InterpolateOptions};
use burn::tensor::{Device, Tensor};
use fas_kernels::layers::{self, conv2d, conv2d_batch_norm};
use fas_kernels::{add, attention, silu};

use crate::Backbone;
use crate::ops::{convolution, linear};

/// Side of a patch, in pixels of the map.
const PATCH: usize = 2;

/// One stage of a [`MobileVit`].
#[derive(Config, Debug)]
pub struct MobileVitStage {
    /// Channels.
    pub channels: usize,
    /// Stride of the first inverted residual.
    pub stride: usize,
    /// Inverted residuals.
    pub residuals: usize,
    /// Width of the transformer behind them, 0 for none.
    pub transformer_width: usize,
    /// Layers of the transformer.
    pub transformer_depth: usize,
}

/// Configuration to create a [`MobileVit`] with [`init`](MobileVitConfig::init).
#[derive(Config, Debug)]
pub struct MobileVitConfig {
    /// Channels of the first convolution.
    pub stem_channels: usize,
    /// Stages.
    pub stages: Vec<MobileVitStage>,
    /// Channels inside an inverted residual, over those that enter it.
    pub expansion: usize,
    /// Length of the feature vector: channels of the last convolution.
    pub feature_length: usize,
    /// Attention heads. Default: 4
    #[config(default = 4)]
    pub num_heads: usize,
    /// Hidden width of the transformer's perceptron, over its width. Default: 2
    #[config(default = 2)]
    pub mlp_ratio: usize,
}

impl MobileVitConfig {
    /// MobileViT-S, 5.58 million parameters with a head of 1000 classes: DiffFAS-V.
    pub fn s() -> Self {
        Self::of_widths([32, 64, 96, 128, 160], [144, 192, 240], 4, 640)
    }

    /// MobileViT-XS, 2.32 million parameters with a head of 1000 classes.
    pub fn xs() -> Self {
        Self::of_widths([32, 48, 64, 80, 96], [96, 120, 144], 4, 384)
    }

    /// MobileViT-XXS, 1.27 million parameters with a head of 1000 classes.
    pub fn xxs() -> Self {
        Self::of_widths([16, 24, 48, 64, 80], [64, 80, 96], 2, 320)
    }

    fn of_widths(
        channels: [usize; 5],
        transformers: [usize; 3],
        expansion: usize,
        feature_length: usize,
    ) -> Self {
        let [first, second, rest @ ..] = channels;
        let mut stages = vec![
            MobileVitStage::new(first, 1, 1, 0, 0),
            MobileVitStage::new(second, 2, 3, 0, 0),
        ];
        let blocks = rest.into_iter().zip(transformers).zip([2, 4, 3]);
        stages.extend(
            blocks.map(|((channels, width), depth)| {
                MobileVitStage::new(channels, 2, 1, width, depth)
            }),
        );
        Self::new(16, stages, expansion, feature_length)
    }

    /// Initializes the network on `device`; convolutions by Kaiming's rule over the fan out, linear
    /// layers normal with deviation 0.01 (timm).
    ///
    /// # Panics
    ///
    /// Panics if there is no stage, or if a transformer's width is no multiple of the heads.
    pub fn init(&self, device: &Device) -> MobileVit {
        assert!(
            !self.stages.is_empty(),
            "a MobileViT needs at least one stage"
        );
        let mut channels = self.stem_channels;
        let stages = self
            .stages
            .iter()
            .map(|stage| {
                let residuals = (0..stage.residuals)
                    .map(|index| {
                        let stride = if index == 0 { stage.stride } else { 1 };
                        let block =
                            InvertedResidual::new(channels, stage.channels, stride, self, device);
                        channels = stage.channels;
                        block
                    })
                    .collect();
                Stage {
                    residuals,
                    block: (stage.transformer_width > 0)
                        .then(|| MobileVitBlock::new(stage, self, device)),
                }
            })
            .collect();
        MobileVit {
            stem: ConvNorm::new([3, self.stem_channels], 3, 2, 1, device),
            stages,
            final_conv: ConvNorm::new([channels, self.feature_length], 1, 1, 1, device),
            feature_length: self.feature_length,
        }
    }
}

/// Convolution and BatchNorm.
#[derive(Module, Debug)]
struct ConvNorm {
    conv: Conv2d,
    bn: BatchNorm,
}

impl ConvNorm {
    fn new(
        channels: [usize; 2],
        kernel: usize,
        stride: usize,
        groups: usize,
        device: &Device,
    ) -> Self {
        Self {
            conv: convolution(channels, kernel, stride, groups, device),
            bn: BatchNormConfig::new(channels[1]).init(device),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        conv2d_batch_norm(&self.conv, &self.bn, input)
    }

    fn forward_silu(&self, input: Tensor<4>) -> Tensor<4> {
        silu(self.forward(input))
    }
}

/// 1x1 expansion, 3x3 convolution channel by channel, 1x1 projection without activation.
#[derive(Module, Debug)]
struct InvertedResidual {
    conv1_1x1: ConvNorm,
    conv2_kxk: ConvNorm,
    conv3_1x1: ConvNorm,
    shortcut: bool,
}

impl InvertedResidual {
    fn new(
        from: usize,
        to: usize,
        stride: usize,
        config: &MobileVitConfig,
        device: &Device,
    ) -> Self {
        let hidden = from * config.expansion;
        Self {
            conv1_1x1: ConvNorm::new([from, hidden], 1, 1, 1, device),
            conv2_kxk: ConvNorm::new([hidden, hidden], 3, stride, hidden, device),
            conv3_1x1: ConvNorm::new([hidden, to], 1, 1, 1, device),
            shortcut: stride == 1 && from == to,
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let hidden = self.conv1_1x1.forward_silu(input.clone());
        let hidden = self.conv2_kxk.forward_silu(hidden);
        let output = self.conv3_1x1.forward(hidden);
        if self.shortcut {
            add(output, input)
        } else {
            output
        }
    }
}

/// Self-attention with one projection to queries, keys and values.
#[derive(Module, Debug)]
struct Attention {
    qkv: Linear,
    proj: Linear,
    num_heads: usize,
}

impl Attention {
    fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        let [batch_size, count, width] = tokens.dims();
        let head = width / self.num_heads;
        let qkv = layers::linear(&self.qkv, tokens)
            .reshape([batch_size, count, 3, self.num_heads, head])
            .permute([2, 0, 3, 1, 4]);
        let [query, key, value] = [0, 1, 2].map(|part| {
            qkv.clone()
                .narrow(0, part, 1)
                .reshape([batch_size, self.num_heads, count, head])
        });
        let mixed = attention(query, key, value, (head as f64).powf(-0.5));
        let mixed = mixed.swap_dims(1, 2).reshape([batch_size, count, width]);
        layers::linear(&self.proj, mixed)
    }
}

/// Two-layer perceptron.
#[derive(Module, Debug)]
struct Perceptron {
    fc1: Linear,
    fc2: Linear,
}

/// Pre-norm transformer layer.
#[derive(Module, Debug)]
struct TransformerLayer {
    norm1: LayerNorm,
    attn: Attention,
    norm2: LayerNorm,
    mlp: Perceptron,
}

impl TransformerLayer {
    fn new(width: usize, config: &MobileVitConfig, device: &Device) -> Self {
        let hidden = width * config.mlp_ratio;
        Self {
            norm1: LayerNormConfig::new(width).init(device),
            attn: Attention {
                qkv: linear(width, 3 * width, 0.01, device),
                proj: linear(width, width, 0.01, device),
                num_heads: config.num_heads,
            },
            norm2: LayerNormConfig::new(width).init(device),
            mlp: Perceptron {
                fc1: linear(width, hidden, 0.01, device),
                fc2: linear(hidden, width, 0.01, device),
            },
        }
    }

    fn forward(&self, tokens: Tensor<3>) -> Tensor<3> {
        let mixed = self.attn.forward(self.norm1.forward(tokens.clone()));
        let tokens = add(tokens, mixed);
        let hidden = silu(layers::linear(
            &self.mlp.fc1,
            self.norm2.forward(tokens.clone()),
        ));
        add(tokens, layers::linear(&self.mlp.fc2, hidden))
    }
}

/// Convolution, transformer over the places of all patches, fusion with the input.
#[derive(Module, Debug)]
struct MobileVitBlock {
    conv_kxk: ConvNorm,
    conv_1x1: Conv2d,
    transformer: Vec<TransformerLayer>,
    norm: LayerNorm,
    conv_proj: ConvNorm,
    conv_fusion: ConvNorm,
}

impl MobileVitBlock {
    fn new(stage: &MobileVitStage, config: &MobileVitConfig, device: &Device) -> Self {
        let (channels, width) = (stage.channels, stage.transformer_width);
        assert!(
            width.is_multiple_of(config.num_heads),
            "a transformer of width {width} does not divide into {} heads",
            config.num_heads
        );
        Self {
            conv_kxk: ConvNorm::new([channels, channels], 3, 1, 1, device),
            conv_1x1: convolution([channels, width], 1, 1, 1, device),
            transformer: (0..stage.transformer_depth)
                .map(|_| TransformerLayer::new(width, config, device))
                .collect(),
            norm: LayerNormConfig::new(width).init(device),
            conv_proj: ConvNorm::new([width, channels], 1, 1, 1, device),
            conv_fusion: ConvNorm::new([2 * channels, channels], 3, 1, 1, device),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let hidden = conv2d(&self.conv_1x1, self.conv_kxk.forward_silu(input.clone()));
        let [_, _, height, width] = hidden.dims();
        // Odd maps are stretched to whole patches and back, as timm does.
        let even = [height, width].map(|side| side.next_multiple_of(PATCH));
        let mut tokens = unfold(resize(hidden, even));
        for layer in &self.transformer {
            tokens = layer.forward(tokens);
        }
        let hidden = resize(fold(self.norm.forward(tokens), even), [height, width]);
        let hidden = self.conv_proj.forward_silu(hidden);
        self.conv_fusion
            .forward_silu(Tensor::cat(vec![input, hidden], 1))
    }
}

fn resize(map: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
    let [_, _, height, width] = map.dims();
    if [height, width] == size {
        return map;
    }
    let options = InterpolateOptions::new(InterpolateMode::Bilinear)
        .with_align_corners(false)
        .with_output_size(size);
    interpolate(map, options)
}

/// `[batch, channels, height, width]` to `[batch * 4, patches, channels]`.
fn unfold(map: Tensor<4>) -> Tensor<3> {
    let [batch_size, channels, height, width] = map.dims();
    let (rows, columns) = (height / PATCH, width / PATCH);
    map.reshape([batch_size, channels, rows, PATCH, columns, PATCH])
        .permute([0, 3, 5, 2, 4, 1])
        .reshape([batch_size * PATCH * PATCH, rows * columns, channels])
}

/// The way back from [`unfold`].
fn fold(tokens: Tensor<3>, [height, width]: [usize; 2]) -> Tensor<4> {
    let [folded, _, channels] = tokens.dims();
    let batch_size = folded / (PATCH * PATCH);
    let (rows, columns) = (height / PATCH, width / PATCH);
    tokens
        .reshape([batch_size, PATCH, PATCH, rows, columns, channels])
        .permute([0, 5, 3, 1, 4, 2])
        .reshape([batch_size, channels, height, width])
}

/// Inverted residuals, and a MobileViT block in the later stages.
#[derive(Module, Debug)]
struct Stage {
    residuals: Vec<InvertedResidual>,
    block: Option<MobileVitBlock>,
}

/// MobileViT without its classification head.
#[derive(Module, Debug)]
pub struct MobileVit {
    stem: ConvNorm,
    stages: Vec<Stage>,
    final_conv: ConvNorm,
    feature_length: usize,
}

impl Backbone for MobileVit {
    fn feature_length(&self) -> usize {
        self.feature_length
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward_observed(images, &mut |_, _| {})
    }
}

impl MobileVit {
    /// Feature vectors, averaged over the last map; intermediate maps are shown to `observe` under
    /// timm's names (`stem`, `stages.2.1`, `final_conv` …).
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, 3, height, width]`, any size of at least 32 px; timm's weights want
    ///   values in `[0, 1]`
    /// - output: `[batch_size, feature_length]`
    pub fn forward_observed(
        &self,
        images: Tensor<4>,
        observe: &mut dyn FnMut(&str, &Tensor<4>),
    ) -> Tensor<2> {
        let mut hidden = self.stem.forward_silu(images);
        observe("stem", &hidden);
        for (index, stage) in self.stages.iter().enumerate() {
            for (place, block) in stage.residuals.iter().enumerate() {
                hidden = block.forward(hidden);
                observe(&format!("stages.{index}.{place}"), &hidden);
            }
            if let Some(block) = &stage.block {
                hidden = block.forward(hidden);
                observe(
                    &format!("stages.{index}.{}", stage.residuals.len()),
                    &hidden,
                );
            }
        }
        hidden = self.final_conv.forward_silu(hidden);
        observe("final_conv", &hidden);
        let [batch_size, channels, _, _] = hidden.dims();
        hidden.mean_dims(&[2, 3]).reshape([batch_size, channels])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    /// Parameters without BatchNorm's running statistics, with a linear head of 1000 classes.
    fn size(config: &MobileVitConfig) -> usize {
        let network = config.init(&Device::default());
        let head = (config.feature_length + 1) * 1000;
        network.num_params() - running_statistics(config) + head
    }

    /// Two values a BatchNorm channel.
    fn running_statistics(config: &MobileVitConfig) -> usize {
        let mut from = config.stem_channels;
        let mut channels = from + config.feature_length;
        for stage in &config.stages {
            for _ in 0..stage.residuals {
                channels += 2 * from * config.expansion + stage.channels;
                from = stage.channels;
            }
            if stage.transformer_width > 0 {
                channels += 3 * stage.channels;
            }
        }
        2 * channels
    }

    #[test]
    fn sizes_are_those_of_timm() {
        assert_eq!(size(&MobileVitConfig::s()), 5_578_632);
        assert_eq!(size(&MobileVitConfig::xs()), 2_317_848);
        assert_eq!(size(&MobileVitConfig::xxs()), 1_272_024);
    }

    #[test]
    fn folding_takes_unfolding_back_and_tokens_are_places_of_patches() {
        let device = Device::default();
        let map = Tensor::<4>::random([2, 3, 4, 6], Distribution::Default, &device);
        let tokens = unfold(map.clone());
        assert_eq!(tokens.dims(), [8, 6, 3]);
        assert_eq!(fold(tokens.clone(), [4, 6]).into_data(), map.to_data());
        // Token 4 of place (1, 0) in image 1: patch (1, 1), pixel (3, 2).
        let token = tokens.slice([6..7, 4..5, 0..3]).into_data();
        let pixel = map.slice([1..2, 0..3, 3..4, 2..3]).into_data();
        assert!(token.iter::<f32>().eq(pixel.iter::<f32>()));
    }

    #[test]
    fn maps_of_odd_size_are_stretched() {
        let device = Device::default();
        let config = MobileVitConfig::xxs();
        let images = Tensor::<4>::random([1, 3, 70, 100], Distribution::Default, &device);
        assert_eq!(config.init(&device).forward(images).dims(), [1, 320]);
    }
}
