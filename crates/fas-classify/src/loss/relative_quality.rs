//! Relative Quality (RQ) loss: DiffFAS, section 3.4, equations 14 to 18.
//!
//! A margin on the cosine of the right class that depends on the image quality relative to the batch:
//! `g = cos(theta - s b_rq) - s (1 + b_rq)`. A bona fide sample has a larger `s` than an attack.

use burn::config::Config;
use burn::tensor::Tensor;

use super::cross_entropy;
use super::margin::{Margins, margined_logits};

/// Scores beyond this size are no quality scores: their squares would spoil the statistics.
const LARGEST_SCORE: f64 = 1e6;

/// A score that statistics can use.
fn usable(score: Option<f64>) -> Option<f64> {
    score.filter(|b| b.is_finite() && b.abs() <= LARGEST_SCORE)
}

/// Configuration to create a [`RelativeQualityLoss`] with [`init`](RelativeQualityLossConfig::init).
#[derive(Config, Debug)]
pub struct RelativeQualityLossConfig {
    /// Margin of bona fide samples. Default: 0.4 (paper, Table 6)
    #[config(default = 0.4)]
    pub margin_bona_fide: f64,
    /// Margin of attacks. Default: 0.2 (paper, Table 6)
    #[config(default = 0.2)]
    pub margin_attack: f64,
    /// Scale of the logits, `m`. The paper gives no value. Default: 30 (PatchNet)
    #[config(default = 30.0)]
    pub scale: f64,
}

impl RelativeQualityLossConfig {
    /// The loss of this configuration.
    pub fn init(&self) -> RelativeQualityLoss {
        RelativeQualityLoss {
            config: self.clone(),
        }
    }
}

/// Relative quality of a batch: what equations 14 and 15 give.
#[derive(Debug, Clone, PartialEq)]
pub struct RelativeQualityTerms {
    /// `b_norm`: positive for better than the mean.
    pub normalised: Vec<f64>,
    /// `b_rq`, clipped to `[-n1 / N, n2 / N]`.
    pub relative: Vec<f64>,
}

/// Relative quality from BRISQUE scores (lower is better): equations 14 and 15.
///
/// The deviation is the unbiased one plus 1e-3; `n1` counts the scores below the mean, `n2` those above.
/// A sample without a score, or with one that is not finite or beyond 1e6 in size, is left out of all
/// statistics and gets the lower bound `-n1 / N`, as the worst image of the batch would. Fewer than two
/// scores, or equal ones: all 0.
pub fn relative_quality(scores: &[Option<f64>]) -> RelativeQualityTerms {
    let known: Vec<f64> = scores.iter().filter_map(|&score| usable(score)).collect();
    // Equal scores are decided before the mean is rounded.
    if known.len() < 2 || known.iter().all(|&b| b == known[0]) {
        let zeros = vec![0.0; scores.len()];
        return RelativeQualityTerms {
            normalised: zeros.clone(),
            relative: zeros,
        };
    }
    let count = known.len() as f64;
    let mean = known.iter().sum::<f64>() / count;
    let variance = known.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / (count - 1.0);
    let deviation = variance.sqrt() + 1e-3;
    let share = |above: fn(f64, f64) -> bool| {
        known.iter().filter(|&&b| above(b, mean)).count() as f64 / count
    };
    let lowest = -share(|b, mean| b < mean);
    let highest = share(|b, mean| b > mean);
    let (normalised, relative) = scores
        .iter()
        .map(|score| match usable(*score) {
            Some(b) => {
                let normalised = (mean - b) / deviation;
                (normalised, (normalised / 3.0).clamp(lowest, highest))
            }
            None => (3.0 * lowest, lowest),
        })
        .unzip();
    RelativeQualityTerms {
        normalised,
        relative,
    }
}

/// Relative Quality loss.
#[derive(Debug, Clone)]
pub struct RelativeQualityLoss {
    config: RelativeQualityLossConfig,
}

impl RelativeQualityLoss {
    fn margin(&self, is_bona_fide: bool) -> f64 {
        if is_bona_fide {
            self.config.margin_bona_fide
        } else {
            self.config.margin_attack
        }
    }

    /// Angular part `psi = -s b_rq` and additive part `omega = s (1 + b_rq)` of each sample
    /// (equation 16).
    ///
    /// # Panics
    ///
    /// Panics if the slices differ in length.
    pub fn margins(&self, is_bona_fide: &[bool], relative: &[f64]) -> (Vec<f64>, Vec<f64>) {
        assert_eq!(is_bona_fide.len(), relative.len(), "one quality a sample");
        is_bona_fide
            .iter()
            .zip(relative)
            .map(|(&live, b)| {
                let s = self.margin(live);
                (-s * b, s * (1.0 + b))
            })
            .unzip()
    }

    /// Inputs of the softmax (equations 17 and 18): the right class with its margin, all classes times
    /// the scale. (The paper prints the wrong classes without the scale, which would make the loss
    /// vanish.) Cosines are clamped to `1 - 1e-3` in size, angles to `[1e-3, pi - 1e-3]`.
    ///
    /// # Shapes
    ///
    /// - cosines, output: `[batch_size, num_classes]`
    ///
    /// # Panics
    ///
    /// Panics if a slice is not of length `batch_size`.
    pub fn logits(
        &self,
        cosines: Tensor<2>,
        classes: &[usize],
        is_bona_fide: &[bool],
        quality: &[Option<f64>],
    ) -> Tensor<2> {
        assert_eq!(quality.len(), classes.len(), "one quality score a sample");
        let (angular, additive) = self.margins(is_bona_fide, &relative_quality(quality).relative);
        let margins = Margins { angular, additive };
        margined_logits(cosines, classes, margins, self.config.scale)
    }

    /// Loss of each sample (equation 18).
    ///
    /// # Shapes
    ///
    /// - cosines: `[batch_size, num_classes]`
    /// - output: `[batch_size]`
    ///
    /// # Panics
    ///
    /// As [`logits`](Self::logits).
    pub fn forward(
        &self,
        cosines: Tensor<2>,
        classes: &[usize],
        is_bona_fide: &[bool],
        quality: &[Option<f64>],
    ) -> Tensor<1> {
        cross_entropy(
            self.logits(cosines, classes, is_bona_fide, quality),
            classes,
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn assert_close(found: &[f64], expected: &[f64], tolerance: f64) {
        for (a, b) in found.iter().zip(expected) {
            assert!((a - b).abs() < tolerance, "{found:?} {expected:?}");
        }
    }

    #[test]
    fn the_hand_checked_vector() {
        let scores = [10.0, 20.0, 30.0, 60.0].map(Some);
        let terms = relative_quality(&scores);
        assert_close(&terms.normalised, &[0.9258, 0.4629, 0.0, -1.3887], 1e-4);
        assert_close(&terms.relative, &[0.25, 0.1543, 0.0, -0.4629], 1e-4);
    }

    #[test]
    fn quality_is_relative_to_scale_and_offset() {
        let scores = [12.0, 45.0, 33.0, 20.5, 71.0];
        let moved = scores.map(|b| Some(5.0 * b + 900.0));
        let a = relative_quality(&scores.map(Some)).relative;
        assert_close(&a, &relative_quality(&moved).relative, 1e-4);
    }

    #[test]
    fn a_missing_score_is_the_worst_and_poisons_nothing() {
        let with = relative_quality(&[Some(10.0), None, Some(20.0), Some(f64::NAN), Some(60.0)]);
        let without = relative_quality(&[Some(10.0), Some(20.0), Some(60.0)]);
        let known = [with.relative[0], with.relative[2], with.relative[4]];
        assert_eq!(known.to_vec(), without.relative);
        // two of three scores lie below the mean of 30
        assert_close(
            &[with.relative[1], with.relative[3]],
            &[-2.0 / 3.0, -2.0 / 3.0],
            1e-12,
        );
    }

    #[test]
    fn degenerate_scores_never_poison_loss_or_gradient() {
        let odd = [
            None,
            Some(f64::NAN),
            Some(f64::INFINITY),
            Some(f64::NEG_INFINITY),
            Some(f64::MAX),
            Some(-1e300),
            Some(0.0),
            Some(1e-320),
        ];
        let device = Device::default().autodiff();
        let loss = RelativeQualityLossConfig::new().init();
        for first in odd {
            for second in odd {
                for third in [Some(20.0), first, second] {
                    let scores = [first, second, third];
                    let terms = relative_quality(&scores);
                    assert!(terms.relative.iter().all(|b| b.abs() <= 1.0), "{scores:?}");
                    let cosines =
                        Tensor::<2>::from_data([[0.9, 0.1], [1.0, -1.0], [0.2, 0.3]], &device)
                            .require_grad();
                    let value = loss
                        .forward(cosines.clone(), &[0, 0, 1], &[true, true, false], &scores)
                        .sum();
                    assert!(value.clone().into_scalar::<f32>().is_finite(), "{scores:?}");
                    let gradients = value.backward();
                    let gradient = cosines.grad(&gradients).unwrap().into_data();
                    assert!(gradient.iter::<f32>().all(f32::is_finite), "{scores:?}");
                }
            }
        }
    }

    #[test]
    fn value_and_gradient_are_those_of_equations_16_to_18() {
        use super::super::reference::{COSINES, assert_matches, log_softmax_of};
        let loss = RelativeQualityLossConfig::new().with_scale(4.0).init();
        let relative = relative_quality(&COSINES.quality()).relative;
        assert_matches(
            |cosines| {
                let (classes, live) = (COSINES.classes(), COSINES.is_bona_fide());
                loss.forward(cosines, &classes, &live, &COSINES.quality())
            },
            |row, class, index| {
                let s = if class < 2 { 0.4 } else { 0.2 };
                let b = relative[index];
                let mut row = row.to_vec();
                row[class] = (row[class].acos() - s * b).cos() - s * (1.0 + b);
                -log_softmax_of(row.iter().map(|c| 4.0 * c), class)
            },
            2e-5,
        );
    }

    #[test]
    fn one_sample_or_equal_scores_have_no_relative_quality() {
        assert_eq!(relative_quality(&[Some(40.0)]).relative, [0.0]);
        assert_eq!(relative_quality(&[Some(40.0); 3]).relative, [0.0; 3]);
        assert_eq!(relative_quality(&[None, None]).relative, [0.0; 2]);
        // 0.1 three times has a mean above 0.1 in floating point
        let equal = [Some(0.1), Some(0.1), Some(0.1), None];
        assert_eq!(relative_quality(&equal).relative, [0.0; 4]);
    }

    #[test]
    fn margin_and_loss_of_the_specification() {
        // g(cos = 0.8, s = 0.4, b_rq = 0.25) = 0.355903; cosines of the others 0.1 and 0: 4.86265e-4
        let device = Device::default();
        let scores = [10.0, 20.0, 30.0, 60.0].map(Some);
        let cosines = Tensor::<2>::from_data([[0.8, 0.1, 0.0]; 4], &device);
        let loss = RelativeQualityLossConfig::new().init();
        let live = [true; 4];
        let logits: Vec<f32> = loss
            .logits(cosines.clone(), &[0; 4], &live, &scores)
            .into_data()
            .try_to_vec()
            .unwrap();
        assert!(
            (f64::from(logits[0]) / 30.0 - 0.355903).abs() < 1e-5,
            "{logits:?}"
        );
        let values: Vec<f32> = loss
            .forward(cosines, &[0; 4], &live, &scores)
            .into_data()
            .try_to_vec()
            .unwrap();
        assert!(
            (f64::from(values[0]) - 4.86265e-4).abs() < 1e-6,
            "{values:?}"
        );
    }
}
