//! Backbones: images to feature vectors.

mod mobile_vit;
mod resnet;

pub use mobile_vit::{MobileVit, MobileVitConfig, MobileVitStage};
pub use resnet::{ResNet, ResNetConfig, ResNetStem};

use burn::config::Config;
use burn::module::{Module, ModuleDisplay};
use burn::tensor::{Device, Tensor};

/// A network that turns images into feature vectors, for any head, loss and sampler to train.
///
/// An image may have more planes than the three of a face: a network with a second input takes it as
/// further planes of the same size, which augmentation then moves together with the face.
pub trait Backbone: Module + ModuleDisplay {
    /// Planes of an image.
    fn channels(&self) -> usize {
        3
    }

    /// Length of a feature vector.
    fn feature_length(&self) -> usize;

    /// # Shapes
    ///
    /// - images: `[batch_size, channels, height, width]`, face planes in `[-1, 1]`
    /// - output: `[batch_size, feature_length]`
    fn forward(&self, images: Tensor<4>) -> Tensor<2>;
}

/// Choice of a [`FaceBackbone`].
#[derive(Config, Debug)]
pub enum BackboneConfig {
    /// ResNet, DiffFAS-R.
    ResNet(ResNetConfig),
    /// MobileViT, DiffFAS-V.
    MobileVit(MobileVitConfig),
}

impl From<ResNetConfig> for BackboneConfig {
    fn from(config: ResNetConfig) -> Self {
        Self::ResNet(config)
    }
}

impl From<MobileVitConfig> for BackboneConfig {
    fn from(config: MobileVitConfig) -> Self {
        Self::MobileVit(config)
    }
}

impl BackboneConfig {
    /// Initializes the backbone on `device`.
    pub fn init(&self, device: &Device) -> FaceBackbone {
        match self {
            Self::ResNet(config) => FaceBackbone::ResNet(config.init(device)),
            Self::MobileVit(config) => FaceBackbone::MobileVit(config.init(device)),
        }
    }

    /// Length of the feature vector.
    pub fn feature_length(&self) -> usize {
        match self {
            Self::ResNet(config) => config.feature_length(),
            Self::MobileVit(config) => config.feature_length,
        }
    }
}

/// The backbones of DiffFAS, either of them.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a classifier has one, and modules are not boxed"
)]
pub enum FaceBackbone {
    /// ResNet, DiffFAS-R.
    ResNet(ResNet),
    /// MobileViT, DiffFAS-V.
    MobileVit(MobileVit),
}

impl Backbone for FaceBackbone {
    fn feature_length(&self) -> usize {
        match self {
            Self::ResNet(network) => network.feature_length(),
            Self::MobileVit(network) => network.feature_length(),
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        match self {
            Self::ResNet(network) => network.forward(images),
            Self::MobileVit(network) => network.forward(images),
        }
    }
}
