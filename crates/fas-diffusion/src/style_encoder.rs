//! Style encoder: DiffFAS, section 3.2 and `spec` 1.2: a residual classifier of spoof styles whose
//! intermediate maps condition STFM. Trained first, with cross-entropy over style labels, then frozen.

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use fas_kernels::layers::conv2d_batch_norm;
use fas_kernels::{add, max_pool_3x3};

/// First layers of the encoder.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum Stem {
    /// 7x7 convolution of stride 2 and 3x3 max-pooling of stride 2: images of 256 px.
    ImageNet,
    /// 5x5 convolution of stride 2: images of 64 px.
    Small,
}

/// Configuration to create a [`StyleEncoder`] with [`init`](StyleEncoderConfig::init).
#[derive(Config, Debug)]
pub struct StyleEncoderConfig {
    /// Number of style labels.
    pub num_styles: usize,
    /// First layers.
    #[config(default = "Stem::ImageNet")]
    pub stem: Stem,
    /// Channels of the stem. Default: 64
    #[config(default = 64)]
    pub stem_channels: usize,
    /// Channels of each stage; every stage but the first halves the resolution.
    /// Default: 64, 256, 512, 512 (released)
    #[config(default = "vec![64, 256, 512, 512]")]
    pub widths: Vec<usize>,
    /// Residual blocks of each stage. Default: 3, 4, 6, 3 (released)
    #[config(default = "vec![3, 4, 6, 3]")]
    pub depths: Vec<usize>,
}

impl StyleEncoderConfig {
    /// The released encoder for images of 256 px: 46,238,801 parameters with 17 styles.
    pub fn released(num_styles: usize) -> Self {
        Self::new(num_styles)
    }

    /// An encoder for images of 64 px with maps of 32, 16 and 8 px.
    pub fn small(num_styles: usize) -> Self {
        Self::new(num_styles)
            .with_stem(Stem::Small)
            .with_stem_channels(32)
            .with_widths(vec![32, 64, 96])
            .with_depths(vec![1, 1, 1])
    }

    /// Initializes the module on `device`; convolutions by Kaiming's rule over the fan out.
    ///
    /// # Panics
    ///
    /// Panics if `widths` and `depths` differ in length or are empty.
    pub fn init(&self, device: &Device) -> StyleEncoder {
        assert!(
            !self.widths.is_empty() && self.widths.len() == self.depths.len(),
            "one depth a width, got {} and {}",
            self.depths.len(),
            self.widths.len()
        );
        let kernel = match self.stem {
            Stem::ImageNet => 7,
            Stem::Small => 5,
        };
        let mut channels = self.stem_channels;
        let stages = self
            .widths
            .iter()
            .zip(&self.depths)
            .enumerate()
            .map(|(stage, (&width, &depth))| {
                (0..depth)
                    .map(|index| {
                        let stride = if stage > 0 && index == 0 { 2 } else { 1 };
                        let block = BasicBlock::new(channels, width, stride, device);
                        channels = width;
                        block
                    })
                    .collect()
            })
            .collect();
        StyleEncoder {
            conv: convolution(3, self.stem_channels, kernel, 2, device),
            norm: BatchNormConfig::new(self.stem_channels).init(device),
            pool: (self.stem == Stem::ImageNet).then(|| {
                MaxPool2dConfig::new([3, 3])
                    .with_strides([2, 2])
                    .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                    .init()
            }),
            stages,
            classifier: LinearConfig::new(channels, self.num_styles).init(device),
        }
    }
}

fn convolution(from: usize, to: usize, kernel: usize, stride: usize, device: &Device) -> Conv2d {
    let pad = kernel / 2;
    Conv2dConfig::new([from, to], [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .with_bias(false)
        .with_initializer(Initializer::KaimingNormal {
            gain: 2f64.sqrt(),
            fan_out_only: true,
        })
        .init(device)
}

/// Two 3x3 convolutions and a shortcut, with BatchNorm.
#[derive(Module, Debug)]
struct BasicBlock {
    conv_1: Conv2d,
    norm_1: BatchNorm,
    conv_2: Conv2d,
    norm_2: BatchNorm,
    shortcut_conv: Option<Conv2d>,
    shortcut_norm: Option<BatchNorm>,
}

impl BasicBlock {
    fn new(from: usize, to: usize, stride: usize, device: &Device) -> Self {
        let shortcut = stride != 1 || from != to;
        Self {
            conv_1: convolution(from, to, 3, stride, device),
            norm_1: BatchNormConfig::new(to).init(device),
            conv_2: convolution(to, to, 3, 1, device),
            norm_2: BatchNormConfig::new(to).init(device),
            shortcut_conv: shortcut.then(|| convolution(from, to, 1, stride, device)),
            shortcut_norm: shortcut.then(|| BatchNormConfig::new(to).init(device)),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let hidden = relu(conv2d_batch_norm(&self.conv_1, &self.norm_1, input.clone()));
        let hidden = conv2d_batch_norm(&self.conv_2, &self.norm_2, hidden);
        let shortcut = match (&self.shortcut_conv, &self.shortcut_norm) {
            (Some(conv), Some(norm)) => conv2d_batch_norm(conv, norm, input),
            _ => input,
        };
        relu(add(hidden, shortcut))
    }
}

/// Multi-scale maps of a style image, finest first. One map a stage but the first.
#[derive(Debug, Clone)]
pub struct StyleFeatures(pub Vec<Tensor<4>>);

impl StyleFeatures {
    /// The map of `size` px.
    ///
    /// # Panics
    ///
    /// Panics if the encoder has no map of that size.
    pub fn of_size(&self, size: usize) -> Tensor<4> {
        let sizes: Vec<usize> = self.0.iter().map(|map| map.dims()[2]).collect();
        let index = sizes
            .iter()
            .position(|&s| s == size)
            .unwrap_or_else(|| panic!("no style map of {size} px, the encoder gives {sizes:?}"));
        self.0[index].clone()
    }
}

/// Classifier of spoof styles whose maps condition the generator.
#[derive(Module, Debug)]
pub struct StyleEncoder {
    conv: Conv2d,
    norm: BatchNorm,
    pool: Option<MaxPool2d>,
    stages: Vec<Vec<BasicBlock>>,
    classifier: Linear,
}

impl StyleEncoder {
    /// Number of style labels.
    pub fn num_styles(&self) -> usize {
        self.classifier.weight.dims()[1]
    }

    /// Maps of every stage, the first (finest) included.
    fn maps(&self, images: Tensor<4>) -> Vec<Tensor<4>> {
        let mut hidden = relu(conv2d_batch_norm(&self.conv, &self.norm, images));
        if self.pool.is_some() {
            hidden = max_pool_3x3(hidden);
        }
        self.stages
            .iter()
            .map(|stage| {
                for block in stage {
                    hidden = block.forward(hidden.clone());
                }
                hidden.clone()
            })
            .collect()
    }

    /// Conditions for STFM.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, 3, height, width]`, in `[-1, 1]`; the maps have their type
    pub fn features(&self, images: Tensor<4>) -> StyleFeatures {
        let mut maps = self.maps(images);
        maps.remove(0);
        StyleFeatures(maps)
    }

    /// Logits of the style labels, for pretraining.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, 3, height, width]`, in `[-1, 1]`
    /// - output: `[batch_size, num_styles]`
    pub fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        let last = self.maps(images).pop().expect("at least one stage");
        let pooled: Tensor<2> = last.mean_dims(&[2, 3]).flatten(1, 3);
        self.classifier.forward(pooled)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Module;

    #[test]
    fn small_encoder_gives_the_maps_the_small_unet_asks_for() {
        let device = Device::default();
        let encoder = StyleEncoderConfig::small(7).init(&device);
        let features = encoder.features(Tensor::zeros([1, 3, 64, 64], &device));
        assert_eq!(features.of_size(16).dims(), [1, 64, 16, 16]);
        assert_eq!(features.of_size(8).dims(), [1, 96, 8, 8]);
        assert_eq!(
            encoder
                .forward(Tensor::zeros([2, 3, 64, 64], &device))
                .dims(),
            [2, 7]
        );
    }

    #[test]
    fn released_encoder_has_the_published_size() {
        let encoder = StyleEncoderConfig::released(17).init(&Device::default());
        // BatchNorm's running statistics are parameters here: two a channel, beyond torch's count
        let statistics: usize = 2 * (64 + 6 * 64 + (8 + 1) * 256 + (12 + 1 + 6 + 1) * 512);
        assert_eq!(encoder.num_params(), 46_238_801 + statistics);
    }
}
