//! Cosine head: one class a style label, features and class weights normalised (DiffFAS, section 3.4).

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::Initializer;
use burn::tensor::{Device, Tensor};

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
fn normalise(rows: Tensor<2>) -> Tensor<2> {
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
