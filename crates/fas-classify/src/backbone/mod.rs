//! Backbones: images to feature vectors.

mod resnet;

pub use resnet::{ResNet, ResNetConfig, ResNetStem};
