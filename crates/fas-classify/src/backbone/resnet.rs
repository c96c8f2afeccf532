//! ResNet-18: He et al. 2016, <https://arxiv.org/abs/1512.03385>; layers and names of torchvision.

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::Conv2d;
use burn::nn::pool::{MaxPool2d, MaxPool2dConfig};
use burn::nn::{BatchNorm, BatchNormConfig, PaddingConfig2d};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};
use fas_kernels::layers::{conv2d, conv2d_batch_norm};
use fas_kernels::{add, max_pool_3x3};

use crate::Backbone;
use crate::ops::convolution;

/// First layers of a [`ResNet`].
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum ResNetStem {
    /// 7x7 convolution of stride 2 and 3x3 max-pooling of stride 2 (torchvision).
    ImageNet,
    /// 3x3 convolution of stride 2: for images of 64 px.
    Small,
}

/// Configuration to create a [`ResNet`] with [`init`](ResNetConfig::init).
#[derive(Config, Debug)]
pub struct ResNetConfig {
    /// Channels of the first stage; each further one doubles them. Default: 64 (torchvision)
    #[config(default = 64)]
    pub base_width: usize,
    /// Residual blocks of each stage. Default: 2, 2, 2, 2 (ResNet-18)
    #[config(default = "vec![2, 2, 2, 2]")]
    pub depths: Vec<usize>,
    /// First layers.
    #[config(default = "ResNetStem::ImageNet")]
    pub stem: ResNetStem,
}

impl ResNetConfig {
    /// ResNet-18 as in torchvision.
    pub fn resnet18() -> Self {
        Self::new()
    }

    /// A narrow ResNet-18 for images of 64 px.
    pub fn small(base_width: usize) -> Self {
        Self::new()
            .with_base_width(base_width)
            .with_stem(ResNetStem::Small)
    }

    /// Length of the feature vector.
    pub fn feature_length(&self) -> usize {
        self.base_width << (self.depths.len() - 1)
    }

    /// Initializes the network on `device`; convolutions by Kaiming's rule over the fan out.
    ///
    /// # Panics
    ///
    /// Panics if `depths` is empty.
    pub fn init(&self, device: &Device) -> ResNet {
        assert!(!self.depths.is_empty(), "a ResNet needs at least one stage");
        let kernel = if self.stem == ResNetStem::ImageNet {
            7
        } else {
            3
        };
        let mut channels = self.base_width;
        let stages = self
            .depths
            .iter()
            .enumerate()
            .map(|(stage, &depth)| {
                let width = self.base_width << stage;
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
        ResNet {
            conv1: convolution([3, self.base_width], kernel, 2, 1, device),
            bn1: BatchNormConfig::new(self.base_width).init(device),
            pool: (self.stem == ResNetStem::ImageNet).then(|| {
                MaxPool2dConfig::new([3, 3])
                    .with_strides([2, 2])
                    .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
                    .init()
            }),
            stages,
            feature_length: self.feature_length(),
        }
    }
}

/// Two 3x3 convolutions with BatchNorm and a shortcut.
#[derive(Module, Debug)]
struct BasicBlock {
    conv1: Conv2d,
    bn1: BatchNorm,
    conv2: Conv2d,
    bn2: BatchNorm,
    downsample: Option<Downsample>,
}

/// Shortcut where the shape changes.
#[derive(Module, Debug)]
struct Downsample {
    conv: Conv2d,
    bn: BatchNorm,
}

impl BasicBlock {
    fn new(from: usize, to: usize, stride: usize, device: &Device) -> Self {
        Self {
            conv1: convolution([from, to], 3, stride, 1, device),
            bn1: BatchNormConfig::new(to).init(device),
            conv2: convolution([to, to], 3, 1, 1, device),
            bn2: BatchNormConfig::new(to).init(device),
            downsample: (stride != 1 || from != to).then(|| Downsample {
                conv: convolution([from, to], 1, stride, 1, device),
                bn: BatchNormConfig::new(to).init(device),
            }),
        }
    }

    fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        let hidden = relu(conv2d_batch_norm(&self.conv1, &self.bn1, input.clone()));
        let hidden = conv2d_batch_norm(&self.conv2, &self.bn2, hidden);
        let shortcut = match &self.downsample {
            Some(layer) => conv2d_batch_norm(&layer.conv, &layer.bn, input),
            None => input,
        };
        relu(add(hidden, shortcut))
    }
}

/// Residual network of basic blocks.
#[derive(Module, Debug)]
pub struct ResNet {
    conv1: Conv2d,
    bn1: BatchNorm,
    pool: Option<MaxPool2d>,
    stages: Vec<Vec<BasicBlock>>,
    feature_length: usize,
}

impl Backbone for ResNet {
    fn feature_length(&self) -> usize {
        self.feature_length
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        average(self.maps(images))
    }
}

impl ResNet {
    /// Feature vectors, averaged over the last map; intermediate maps are shown to `observe` under
    /// torchvision's names (`conv1`, `bn1`, `maxpool`, `layer1` …).
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, 3, height, width]`, any size of at least 32 px
    /// - output: `[batch_size, feature_length]`
    pub fn forward_observed(
        &self,
        images: Tensor<4>,
        observe: &mut dyn FnMut(&str, &Tensor<4>),
    ) -> Tensor<2> {
        average(self.maps_observed(images, observe))
    }

    /// Last map, before the average.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, 3, height, width]`, any size of at least 32 px
    /// - output: `[batch_size, feature_length, rows, columns]`; 7 x 7 for 224 px and 8 x 8 for 256 px
    ///   with torchvision's stem
    pub fn maps(&self, images: Tensor<4>) -> Tensor<4> {
        let hidden = conv2d_batch_norm(&self.conv1, &self.bn1, images);
        self.stages_observed(hidden, &mut |_, _| {})
    }

    /// [`maps`](Self::maps), observed as [`forward_observed`](Self::forward_observed) says.
    pub fn maps_observed(
        &self,
        images: Tensor<4>,
        observe: &mut dyn FnMut(&str, &Tensor<4>),
    ) -> Tensor<4> {
        let mut hidden = conv2d(&self.conv1, images);
        observe("conv1", &hidden);
        hidden = self.bn1.forward(hidden);
        observe("bn1", &hidden);
        self.stages_observed(hidden, observe)
    }

    /// What follows the first convolution and its norm.
    fn stages_observed(
        &self,
        hidden: Tensor<4>,
        observe: &mut dyn FnMut(&str, &Tensor<4>),
    ) -> Tensor<4> {
        let mut hidden = relu(hidden);
        if self.pool.is_some() {
            hidden = max_pool_3x3(hidden);
            observe("maxpool", &hidden);
        }
        for (index, stage) in self.stages.iter().enumerate() {
            for block in stage {
                hidden = block.forward(hidden);
            }
            observe(&format!("layer{}", index + 1), &hidden);
        }
        hidden
    }
}

/// Each map's mean.
fn average(maps: Tensor<4>) -> Tensor<2> {
    let [batch_size, channels, _, _] = maps.dims();
    maps.mean_dims(&[2, 3]).reshape([batch_size, channels])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tolerance;

    #[test]
    fn resnet18_has_torchvision_s_size() {
        let network = ResNetConfig::resnet18().init(&Device::default());
        // 11,176,512 without the head; BatchNorm's running statistics count here, 9,600 values
        assert_eq!(network.num_params(), 11_176_512 + 9_600);
        let head = (ResNetConfig::resnet18().feature_length() + 1) * 1000;
        assert_eq!(network.num_params() - 9_600 + head, 11_689_512);
    }

    #[test]
    fn any_input_size_gives_one_vector() {
        let device = Device::default();
        let config = ResNetConfig::small(4);
        let features = config
            .init(&device)
            .forward(Tensor::zeros([2, 3, 50, 37], &device));
        assert_eq!(features.dims(), [2, config.feature_length()]);
    }

    #[test]
    fn features_are_the_mean_of_the_last_map() {
        let device = Device::default();
        let network = ResNetConfig::small(2).init(&device);
        let images =
            Tensor::<4>::random([1, 3, 64, 64], burn::tensor::Distribution::Default, &device);
        let maps = network.maps(images.clone());
        assert_eq!(maps.dims(), [1, 16, 4, 4]);
        let mean = maps.reshape([1, 16, 16]).mean_dim(2).reshape([1, 16]);
        network
            .forward(images)
            .into_data()
            .assert_approx_eq::<f32>(&mean.into_data(), Tolerance::rel_abs(1e-5, 1e-6));
    }
}
