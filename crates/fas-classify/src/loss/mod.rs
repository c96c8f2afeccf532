//! Losses: [`ClassifierLoss`] over the cosines of all style classes, and the terms of SSDG and
//! PatchNet beside it; [`ObjectiveConfig`] joins them.

mod asymmetric_softmax;
mod asymmetric_triplet;
mod embedding;
mod feature_norm_margin;
mod focal;
mod margin;
mod objective;
#[cfg(test)]
mod reference;
mod relative_quality;
mod similarity;
mod single_side_adversarial;

pub use asymmetric_softmax::{AsymmetricSoftmaxLoss, AsymmetricSoftmaxLossConfig};
pub use asymmetric_triplet::{AsymmetricTripletLoss, AsymmetricTripletLossConfig, TripletOutput};
pub use embedding::ssdg_embedding;
pub use feature_norm_margin::{FeatureNormMarginLoss, FeatureNormMarginLossConfig};
pub use focal::{FocalLoss, FocalLossConfig};
pub use objective::{Adversary, ObjectiveConfig, ObjectiveTerms};
pub use relative_quality::{
    RelativeQualityLoss, RelativeQualityLossConfig, RelativeQualityTerms, relative_quality,
};
pub use similarity::similarity_loss;
pub use single_side_adversarial::{
    DomainDiscriminator, SingleSideAdversarialConfig, reverse_gradient,
};

use burn::config::Config;
use burn::tensor::Tensor;
use burn::tensor::activation::log_softmax;

use margin::class_indices;

/// What is known of the samples of a batch, one entry a sample.
#[derive(Debug, Clone, Copy)]
pub struct Targets<'a> {
    /// Style classes.
    pub classes: &'a [usize],
    /// Whether each is bona fide.
    pub is_bona_fide: &'a [bool],
    /// BRISQUE, lower is better; `None` where it is unknown.
    pub quality: &'a [Option<f64>],
    /// Domains, from 0.
    pub domains: &'a [usize],
}

/// Loss over the cosines of the style classes: the rows of DiffFAS, Table 5, but for the triplet loss,
/// which stands beside one of these.
#[derive(Config, Debug)]
pub enum ClassifierLoss {
    /// Cross-entropy over cosines times this scale.
    CrossEntropy {
        /// Scale of the cosines. 30 is PatchNet's; 1 for the logits of SSDG's head.
        scale: f64,
    },
    /// Focal loss.
    Focal(FocalLossConfig),
    /// Asymmetric margin softmax (PatchNet).
    AsymmetricSoftmax(AsymmetricSoftmaxLossConfig),
    /// Margin by the length of the feature vector (AdaFace).
    FeatureNormMargin(FeatureNormMarginLossConfig),
    /// Relative Quality loss (DiffFAS).
    RelativeQuality(RelativeQualityLossConfig),
}

impl ClassifierLoss {
    /// Scale of the cosines at inference, where no loss has a margin.
    pub fn scale(&self) -> f64 {
        match self {
            Self::CrossEntropy { scale } => *scale,
            Self::Focal(config) => config.scale,
            Self::AsymmetricSoftmax(config) => config.scale,
            Self::FeatureNormMargin(config) => config.scale,
            Self::RelativeQuality(config) => config.scale,
        }
    }

    /// Name in tables, for instance `RQ`.
    pub fn name(&self) -> &'static str {
        match self {
            Self::CrossEntropy { .. } => "cross-entropy",
            Self::Focal(_) => "focal",
            Self::AsymmetricSoftmax(_) => "asymmetric softmax",
            Self::FeatureNormMargin(_) => "feature-norm margin",
            Self::RelativeQuality(_) => "RQ",
        }
    }

    /// Loss of each sample.
    ///
    /// # Shapes
    ///
    /// - features: `[batch_size, feature_length]`, not normalised
    /// - cosines: `[batch_size, num_classes]`
    /// - output: `[batch_size]`
    ///
    /// # Panics
    ///
    /// Panics if a slice of `targets` is not of length `batch_size`.
    pub fn forward(
        &self,
        features: &Tensor<2>,
        cosines: Tensor<2>,
        targets: Targets<'_>,
    ) -> Tensor<1> {
        let Targets {
            classes,
            is_bona_fide,
            quality,
            ..
        } = targets;
        match self {
            Self::CrossEntropy { scale } => cross_entropy(cosines * *scale, classes),
            Self::Focal(config) => config.init().forward(cosines, classes),
            Self::AsymmetricSoftmax(config) => {
                config.init().forward(cosines, classes, is_bona_fide)
            }
            Self::FeatureNormMargin(config) => config.init().forward(features, cosines, classes),
            Self::RelativeQuality(config) => {
                config
                    .init()
                    .forward(cosines, classes, is_bona_fide, quality)
            }
        }
    }
}

/// Cross-entropy of each sample.
///
/// # Shapes
///
/// - logits: `[batch_size, num_classes]`
/// - output: `[batch_size]`
///
/// # Panics
///
/// Panics unless there is one class a sample.
pub fn cross_entropy(logits: Tensor<2>, classes: &[usize]) -> Tensor<1> {
    let [batch_size, _] = logits.dims();
    let indices = class_indices(&logits, classes);
    log_softmax(logits, 1)
        .gather(1, indices.reshape([batch_size, 1]))
        .reshape([batch_size])
        .neg()
}

#[cfg(test)]
mod tests {
    use super::reference::{COSINES, assert_matches, log_softmax_of};
    use super::*;

    #[test]
    fn cross_entropy_is_the_negative_logarithm_of_softmax() {
        assert_matches(
            |cosines| cross_entropy(cosines * 7.0, &COSINES.classes()),
            |row, class, _| -log_softmax_of(row.iter().map(|c| 7.0 * c), class),
            1e-5,
        );
    }
}
