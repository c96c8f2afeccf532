//! Heads: features to one logit a class.
//!
//! The cosine head has one class a style label, features and class weights normalised (DiffFAS,
//! section 3.4). SSDG's own is in `ssdg_head`.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

use crate::{SsdgHead, SsdgHeadConfig};

/// Choice of head.
#[derive(Config, Debug)]
pub enum HeadConfig {
    /// Cosines of features and class weights: DiffFAS, PatchNet.
    Cosine,
    /// SSDG's embedding and classifier.
    Ssdg(SsdgHeadConfig),
}

impl HeadConfig {
    /// Initializes the head on `device`.
    pub fn init(&self, feature_length: usize, num_classes: usize, device: &Device) -> Head {
        match self {
            Self::Cosine => {
                Head::Cosine(CosineHeadConfig::new(feature_length, num_classes).init(device))
            }
            Self::Ssdg(config) => Head::Ssdg(config.init(feature_length, num_classes, device)),
        }
    }
}

/// A head of either kind.
#[derive(Module, Debug)]
#[allow(
    clippy::large_enum_variant,
    reason = "a classifier has one, and modules are not boxed"
)]
pub enum Head {
    /// Cosines.
    Cosine(CosineHead),
    /// SSDG's embedding and classifier.
    Ssdg(SsdgHead),
}

impl Head {
    /// Number of classes.
    pub fn num_classes(&self) -> usize {
        match self {
            Self::Cosine(head) => head.num_classes(),
            Self::Ssdg(head) => head.num_classes(),
        }
    }

    /// Logits, and the embedding they come from where the head makes one of its own.
    ///
    /// # Shapes
    ///
    /// - features: `[batch_size, feature_length]`
    /// - dropout_mask: `[batch_size, embedding_length]`, for SSDG's head
    /// - output: `[batch_size, num_classes]` and `[batch_size, embedding_length]`
    pub fn forward(
        &self,
        features: Tensor<2>,
        dropout_mask: Option<Tensor<2>>,
    ) -> (Tensor<2>, Option<Tensor<2>>) {
        match self {
            Self::Cosine(head) => (head.forward(features), None),
            Self::Ssdg(head) => {
                let embedding = head.embedding(features, dropout_mask);
                (head.logits(embedding.clone()), Some(embedding))
            }
        }
    }
}

/// Configuration to create a [`CosineHead`] with [`init`](CosineHeadConfig::init).
#[derive(Config, Debug)]
pub struct CosineHeadConfig {
    /// Length of a feature vector.
    pub feature_length: usize,
    /// Number of style labels.
    pub num_classes: usize,
}

impl CosineHeadConfig {
    /// Initializes the head on `device`.
    pub fn init(&self, device: &Device) -> CosineHead {
        CosineHead {
            class_weight: Initializer::Normal {
                mean: 0.0,
                std: 1.0,
            }
            .init([self.num_classes, self.feature_length], device),
        }
    }
}

/// Cosines of features and class weights, without bias.
#[derive(Module, Debug)]
pub struct CosineHead {
    class_weight: Param<Tensor<2>>,
}

impl CosineHead {
    /// Number of style labels.
    pub fn num_classes(&self) -> usize {
        self.class_weight.lazy_shape()[0]
    }

    /// # Shapes
    ///
    /// - features: `[batch_size, feature_length]`
    /// - output: `[batch_size, num_classes]`, in `[-1, 1]`
    pub fn forward(&self, features: Tensor<2>) -> Tensor<2> {
        cosines(features, self.class_weight.val())
    }
}

/// Cosines of the rows of `features` and of `class_weight`.
///
/// # Shapes
///
/// - features: `[batch_size, feature_length]`
/// - class_weight: `[num_classes, feature_length]`
/// - output: `[batch_size, num_classes]`
pub(crate) fn cosines(features: Tensor<2>, class_weight: Tensor<2>) -> Tensor<2> {
    normalise(features).matmul(normalise(class_weight).transpose())
}

/// Rows at length 1; a zero row stays zero.
pub(crate) fn normalise(rows: Tensor<2>) -> Tensor<2> {
    // Clamped before the root, whose slope at 0 is infinite.
    let length = rows.clone().square().sum_dim(1).clamp_min(1e-24).sqrt();
    rows / length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cosines_of_known_vectors() {
        let device = Device::default();
        let features = Tensor::<2>::from_data([[3.0, 4.0], [0.0, -2.0]], &device);
        let weight = Tensor::<2>::from_data([[10.0, 0.0], [0.0, 0.5]], &device);
        let cosine: Vec<f32> = cosines(features, weight).into_data().try_to_vec().unwrap();
        for (found, expected) in cosine.iter().zip([0.6, 0.8, 0.0, -1.0]) {
            assert!((found - expected).abs() < 1e-6, "{cosine:?}");
        }
    }

    #[test]
    fn a_zero_feature_vector_has_a_finite_gradient() {
        let device = Device::default().autodiff();
        let features = Tensor::<2>::zeros([1, 2], &device).require_grad();
        let weight = Tensor::<2>::from_data([[1.0, 2.0]], &device);
        let gradients = cosines(features.clone(), weight).sum().backward();
        let gradient: Vec<f32> = features
            .grad(&gradients)
            .unwrap()
            .into_data()
            .try_to_vec()
            .unwrap();
        assert!(gradient.iter().all(|g| g.is_finite()), "{gradient:?}");
    }
}
