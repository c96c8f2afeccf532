//! Margin by the length of the feature vector: AdaFace (Kim et al. 2022,
//! <https://arxiv.org/abs/2204.00964>), equations 14 to 17, the model of DiffFAS's RQ loss.
//!
//! AdaFace takes the length of a feature vector as the quality of its image:
//! `z = clip(h (|f| - mean) / (deviation + eps), -1, 1)` over the batch, and
//! `g = cos(theta - m z) - (m z + m)`. DiffFAS replaces the length by a no-reference score; with this
//! loss the two can be compared.

use burn::config::Config;
use burn::tensor::Tensor;

use super::cross_entropy;
use super::margin::{Margins, margined_logits};

/// Configuration to create a [`FeatureNormMarginLoss`] with [`init`](FeatureNormMarginLossConfig::init).
#[derive(Config, Debug)]
pub struct FeatureNormMarginLossConfig {
    /// Margin `m`. Default: 0.4 (AdaFace)
    #[config(default = 0.4)]
    pub margin: f64,
    /// Concentration `h` of the normalised lengths. Default: 0.333 (AdaFace)
    #[config(default = 0.333)]
    pub concentration: f64,
    /// Scale of the cosines. Default: 30, as the other losses here (AdaFace: 64)
    #[config(default = 30.0)]
    pub scale: f64,
}

impl FeatureNormMarginLossConfig {
    /// The loss of this configuration.
    pub fn init(&self) -> FeatureNormMarginLoss {
        FeatureNormMarginLoss {
            config: self.clone(),
        }
    }
}

/// Loss with a margin by the length of the feature vector, normalised batch by batch (the released
/// default `t_alpha = 1`: no running mean).
#[derive(Debug, Clone)]
pub struct FeatureNormMarginLoss {
    config: FeatureNormMarginLossConfig,
}

impl FeatureNormMarginLoss {
    /// Normalised lengths `z`, in `[-1, 1]`; 0 for a single sample, and for equal lengths.
    ///
    /// Lengths are clipped to `[1e-3, 100]` as in the released code; one that is not finite counts as
    /// the smallest.
    pub fn normalised_lengths(&self, lengths: &[f64]) -> Vec<f64> {
        let lengths: Vec<f64> = lengths
            .iter()
            .map(|&length| {
                if length.is_finite() {
                    length.clamp(1e-3, 100.0)
                } else {
                    1e-3
                }
            })
            .collect();
        if lengths.len() < 2 || lengths.iter().all(|&length| length == lengths[0]) {
            return vec![0.0; lengths.len()];
        }
        let count = lengths.len() as f64;
        let mean = lengths.iter().sum::<f64>() / count;
        let squares: f64 = lengths.iter().map(|length| (length - mean).powi(2)).sum();
        let deviation = (squares / (count - 1.0)).sqrt() + 1e-3;
        let normalise = |length| (length - mean) / deviation * self.config.concentration;
        lengths
            .into_iter()
            .map(|length| normalise(length).clamp(-1.0, 1.0))
            .collect()
    }

    /// Loss of each sample. No gradient flows through the lengths.
    ///
    /// # Shapes
    ///
    /// - features: `[batch_size, feature_length]`, not normalised
    /// - cosines: `[batch_size, num_classes]`
    /// - output: `[batch_size]`
    ///
    /// # Panics
    ///
    /// Panics unless there is one class a sample.
    pub fn forward(
        &self,
        features: &Tensor<2>,
        cosines: Tensor<2>,
        classes: &[usize],
    ) -> Tensor<1> {
        let lengths: Vec<f64> = features
            .clone()
            .detach()
            .square()
            .sum_dim(1)
            .sqrt()
            .into_data()
            .iter::<f64>()
            .collect();
        let z = self.normalised_lengths(&lengths);
        let m = self.config.margin;
        let margins = Margins {
            angular: z.iter().map(|z| -m * z).collect(),
            additive: z.iter().map(|z| m + m * z).collect(),
        };
        cross_entropy(
            margined_logits(cosines, classes, margins, self.config.scale),
            classes,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference::{COSINES, assert_matches, log_softmax_of};
    use super::*;
    use burn::tensor::Device;

    const LENGTHS: [f64; 5] = [10.0, 12.0, 20.0, 30.0, 28.0];

    #[test]
    fn lengths_are_normalised_as_in_adaface() {
        // mean 20, unbiased deviation sqrt(328 / 4) = 9.05539
        let loss = FeatureNormMarginLossConfig::new().init();
        let z = loss.normalised_lengths(&LENGTHS);
        for (found, expected) in z
            .iter()
            .zip([-0.367696, -0.294157, 0.0, 0.367696, 0.294157])
        {
            assert!((found - expected).abs() < 1e-5, "{z:?}");
        }
        assert_eq!(loss.normalised_lengths(&[7.0]), [0.0]);
        assert_eq!(loss.normalised_lengths(&[7.0; 3]), [0.0; 3]);
        let odd = loss.normalised_lengths(&[f64::NAN, 1.0, 2.0, f64::INFINITY]);
        assert!(odd.iter().all(|z| z.is_finite()), "{odd:?}");
        assert_eq!(odd[0], odd[3]);
    }

    #[test]
    fn value_and_gradient_are_those_of_the_equations() {
        let device = Device::default();
        let loss = FeatureNormMarginLossConfig::new().with_scale(4.0).init();
        let features =
            Tensor::<2>::from_data(LENGTHS.map(|length| [length * 0.6, length * 0.8]), &device);
        let features = Tensor::from_inner(features);
        let z = loss.normalised_lengths(&LENGTHS);
        assert_matches(
            |cosines| loss.forward(&features, cosines, &COSINES.classes()),
            |row, class, index| {
                let mut row = row.to_vec();
                row[class] = (row[class].acos() - 0.4 * z[index]).cos() - 0.4 * (1.0 + z[index]);
                -log_softmax_of(row.iter().map(|c| 4.0 * c), class)
            },
            2e-5,
        );
    }
}
