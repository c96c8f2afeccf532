//! Backbones: images to feature vectors.

mod resnet;

pub use resnet::{ResNet, ResNetConfig, ResNetStem};

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;

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
