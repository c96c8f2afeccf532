//! Losses over cosine logits.

mod relative_quality;

pub use relative_quality::{
    RelativeQualityLoss, RelativeQualityLossConfig, RelativeQualityTerms, relative_quality,
};

use burn::config::Config;
use burn::tensor::activation::log_softmax;
use burn::tensor::{Int, Tensor};

/// Loss of a classifier.
#[derive(Config, Debug)]
pub enum ClassifierLoss {
    /// Cross-entropy over cosines times this scale.
    CrossEntropy {
        /// Scale of the cosines. 30 is PatchNet's.
        scale: f64,
    },
    /// Relative Quality loss.
    RelativeQuality(RelativeQualityLossConfig),
}

impl ClassifierLoss {
    /// Scale of the cosines at inference, where no loss has a margin.
    pub fn scale(&self) -> f64 {
        match self {
            Self::CrossEntropy { scale } => *scale,
            Self::RelativeQuality(config) => config.scale,
        }
    }

    /// Mean loss of a batch.
    ///
    /// # Shapes
    ///
    /// - cosines: `[batch_size, num_classes]`
    ///
    /// # Panics
    ///
    /// Panics if the slices are not of length `batch_size`.
    pub fn forward(
        &self,
        cosines: Tensor<2>,
        classes: &[usize],
        is_bona_fide: &[bool],
        quality: &[Option<f64>],
    ) -> Tensor<1> {
        match self {
            Self::CrossEntropy { scale } => cross_entropy(cosines * *scale, classes).mean(),
            Self::RelativeQuality(config) => config
                .init()
                .forward(cosines, classes, is_bona_fide, quality)
                .mean(),
        }
    }
}

/// Cross-entropy of each sample.
pub(crate) fn cross_entropy(logits: Tensor<2>, classes: &[usize]) -> Tensor<1> {
    let [batch_size, _] = logits.dims();
    assert_eq!(classes.len(), batch_size, "one class a sample");
    let indices: Vec<i64> = classes.iter().map(|&class| class as i64).collect();
    let indices = Tensor::<1, Int>::from_data(&indices[..], &logits.device());
    log_softmax(logits, 1)
        .gather(1, indices.reshape([batch_size, 1]))
        .reshape([batch_size])
        .neg()
}
