//! SSDG's head: Jia et al. 2020, <https://arxiv.org/abs/2004.14043>, section 3.4, as in the released
//! code, which differs from the words of the paper.
//!
//! Linear, ReLU and dropout, the embedding `f / sqrt(2 |f|)`, and a classifier whose weight is divided
//! by its length **across classes**, feature by feature, not by the length of each class vector.

use burn::config::Config;
use burn::module::{Module, Param};
use burn::nn::{Initializer, Linear};
use burn::tensor::activation::relu;
use burn::tensor::{Device, Tensor};

use crate::loss::ssdg_embedding;
use crate::ops::linear;

/// Configuration to create an [`SsdgHead`] with [`init`](SsdgHeadConfig::init).
#[derive(Config, Debug)]
pub struct SsdgHeadConfig {
    /// Length of the embedding. Default: 512 (SSDG)
    #[config(default = 512)]
    pub embedding_length: usize,
    /// Rate of the dropout before the normalisation. Default: 0.5 (SSDG)
    #[config(default = 0.5)]
    pub dropout: f64,
    /// Whether ReLU stands before the normalisation. Default: true (SSDG; AG-FAS's released code builds
    /// ReLU and dropout and never runs them on its transformer)
    #[config(default = true)]
    pub relu: bool,
}

impl SsdgHeadConfig {
    /// The head of AG-FAS's released transformer: neither ReLU nor dropout.
    pub fn agfas() -> Self {
        Self::new().with_dropout(0.0).with_relu(false)
    }

    /// Initializes the head on `device`: normal weights of deviation 0.005 and 0.01, biases 0.1 and 0.
    pub fn init(&self, feature_length: usize, num_classes: usize, device: &Device) -> SsdgHead {
        let mut bottleneck = linear(feature_length, self.embedding_length, 0.005, device);
        bottleneck.bias =
            Some(Initializer::Constant { value: 0.1 }.init([self.embedding_length], device));
        SsdgHead {
            bottleneck,
            class_weight: Initializer::Normal {
                mean: 0.0,
                std: 0.01,
            }
            .init([num_classes, self.embedding_length], device),
            class_bias: Initializer::Zeros.init([num_classes], device),
            relu: self.relu,
        }
        .renormalised()
    }
}

/// SSDG's embedding and classifier.
#[derive(Module, Debug)]
pub struct SsdgHead {
    bottleneck: Linear,
    class_weight: Param<Tensor<2>>,
    class_bias: Param<Tensor<1>>,
    relu: bool,
}

impl SsdgHead {
    /// Number of classes.
    pub fn num_classes(&self) -> usize {
        self.class_weight.lazy_shape()[0]
    }

    /// Length of the embedding.
    pub fn embedding_length(&self) -> usize {
        self.class_weight.lazy_shape()[1]
    }

    /// Weight of the classifier, `[num_classes, embedding_length]`.
    pub fn class_weight(&self) -> Tensor<2> {
        self.class_weight.val()
    }

    /// What is normalised into the embedding.
    ///
    /// # Shapes
    ///
    /// - features: `[batch_size, feature_length]`
    /// - output: `[batch_size, embedding_length]`
    pub fn bottleneck(&self, features: Tensor<2>) -> Tensor<2> {
        let hidden = self.bottleneck.forward(features);
        if self.relu { relu(hidden) } else { hidden }
    }

    /// Embeddings; `dropout_mask`, if any, multiplies the values before the normalisation.
    ///
    /// # Shapes
    ///
    /// - features: `[batch_size, feature_length]`
    /// - dropout_mask, output: `[batch_size, embedding_length]`
    pub fn embedding(&self, features: Tensor<2>, dropout_mask: Option<Tensor<2>>) -> Tensor<2> {
        let hidden = self.bottleneck(features);
        ssdg_embedding(match dropout_mask {
            Some(mask) => hidden * mask,
            None => hidden,
        })
    }

    /// Logits of embeddings.
    ///
    /// # Shapes
    ///
    /// - embeddings: `[batch_size, embedding_length]`
    /// - output: `[batch_size, num_classes]`
    pub fn logits(&self, embeddings: Tensor<2>) -> Tensor<2> {
        let logits = embeddings.matmul(self.class_weight.val().transpose());
        logits + self.class_bias.val().unsqueeze()
    }

    /// The same head with its classifier's weight normalised again: SSDG does this before every
    /// forward pass, outside the graph.
    #[must_use]
    pub fn renormalised(mut self) -> Self {
        self.class_weight = self.class_weight.map(|weight| {
            let is_trained = weight.is_require_grad();
            normalise_across_classes(weight)
                .detach()
                .set_require_grad(is_trained)
        });
        self
    }
}

/// Each column of `class_weight` divided by its length; a zero column stays zero.
///
/// # Shapes
///
/// - class_weight, output: `[num_classes, embedding_length]`
pub fn normalise_across_classes(class_weight: Tensor<2>) -> Tensor<2> {
    let length = class_weight
        .clone()
        .square()
        .sum_dim(0)
        .clamp_min(1e-24)
        .sqrt();
    class_weight / length
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn weights_are_normalised_feature_by_feature() {
        let device = Device::default();
        let weight = Tensor::<2>::from_data([[3.0, 0.0, 1.0], [4.0, 0.0, -1.0]], &device);
        let found: Vec<f32> = normalise_across_classes(weight)
            .into_data()
            .try_to_vec()
            .unwrap();
        let half = std::f32::consts::FRAC_1_SQRT_2;
        for (found, expected) in found.iter().zip([0.6, 0.0, half, 0.8, 0.0, -half]) {
            assert!((found - expected).abs() < 1e-6, "{found} {expected}");
        }
    }

    #[test]
    fn a_new_head_is_normalised_and_all_of_it_is_trained() {
        let device = Device::default().autodiff();
        let head = SsdgHeadConfig::new()
            .with_embedding_length(6)
            .init(4, 2, &device);
        let columns: Vec<f32> = head
            .class_weight
            .val()
            .square()
            .sum_dim(0)
            .into_data()
            .try_to_vec()
            .unwrap();
        assert!(
            columns.iter().all(|c| (c - 1.0).abs() < 1e-5),
            "{columns:?}"
        );
        let features = Tensor::<2>::from_data([[1.0, -2.0, 0.5, 3.0]], &device);
        let logits = head.logits(head.embedding(features, None));
        let gradients = logits.square().sum().backward();
        assert!(head.class_weight.val().grad(&gradients).is_some());
        assert!(head.class_bias.val().grad(&gradients).is_some());
        assert!(head.bottleneck.weight.val().grad(&gradients).is_some());
        let again = head.clone().renormalised();
        assert_eq!(again.class_weight.id, head.class_weight.id);
        assert!(again.class_weight.val().is_require_grad());
    }
}
