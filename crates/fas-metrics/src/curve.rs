//! Curves: ROC, DET on probit axes, and the expected performance curve (EPC; Bengio, Mariéthoz
//! and Keller 2005).

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, Normal};

use crate::level;
use crate::sweep::Sweep;

/// A point of the ROC.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct RocPoint {
    /// Accept when `score >= threshold`.
    #[serde(with = "level")]
    pub threshold: f64,
    /// False positive rate: pooled APCER, in `[0, 1]`.
    pub fpr: f64,
    /// True positive rate: `1 - BPCER`, in `[0, 1]`.
    pub tpr: f64,
}

/// A point of the DET curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct DetPoint {
    /// Accept when `score >= threshold`.
    #[serde(with = "level")]
    pub threshold: f64,
    /// Probit of the pooled APCER.
    pub apcer_probit: f64,
    /// Probit of the BPCER.
    pub bpcer_probit: f64,
}

/// A point of the expected performance curve.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EpcPoint {
    /// Weight `w` of the pooled APCER, in `[0, 1]`; the BPCER has `1 - w`.
    pub weight: f64,
    /// Threshold of least weighted error on the development scores.
    #[serde(with = "level")]
    pub threshold: f64,
    /// HTER on the test scores there.
    pub hter: f64,
}

impl Sweep {
    /// The ROC at its corners, from (0, 0) at `+inf` to (1, 1): straight between them, ties
    /// included, so nothing is lost.
    pub fn roc(&self) -> Vec<RocPoint> {
        let point = |point: &crate::OperatingPoint| RocPoint {
            threshold: point.threshold,
            fpr: self.apcer_pooled(point),
            tpr: 1.0 - self.bpcer(point),
        };
        self.corners().iter().rev().map(point).collect()
    }

    /// The DET curve at every threshold, descending from `+inf`. Rates are clipped to
    /// `[ε, 1 - ε]` first, ε the float epsilon, as bob does: the probit of 0 is infinite.
    pub fn det(&self) -> Vec<DetPoint> {
        let point = |point: &crate::OperatingPoint| DetPoint {
            threshold: point.threshold,
            apcer_probit: probit(self.apcer_pooled(point)),
            bpcer_probit: probit(self.bpcer(point)),
        };
        self.points().iter().rev().map(point).collect()
    }

    /// Expected performance curve of thresholds chosen on `self` (development) and applied to
    /// `test`, at `count` evenly spaced weights from 0 to 1.
    ///
    /// # Panics
    ///
    /// If `count` is below 2.
    pub fn epc(&self, test: &Self, count: usize) -> Vec<EpcPoint> {
        assert!(
            count >= 2,
            "an expected performance curve needs at least 2 points, got {count}"
        );
        // Only corners can be minimal, and of equals the lowest threshold is one.
        let corners = self.corners();
        (0..count)
            .map(|i| {
                let weight = i as f64 / (count - 1) as f64;
                let threshold = self.min_weighted_of(&corners, weight).threshold;
                EpcPoint {
                    weight,
                    threshold,
                    hter: test.hter(&test.at(threshold)),
                }
            })
            .collect()
    }
}

/// Probit of a rate clipped to `[ε, 1 - ε]`: the axis of a DET curve.
///
/// ```
/// assert!((fas_metrics::probit(0.1) + 1.2816).abs() < 1e-4);
/// assert!(fas_metrics::probit(0.0).is_finite());
/// ```
pub fn probit(rate: f64) -> f64 {
    let clipped = rate.clamp(f64::EPSILON, 1.0 - f64::EPSILON);
    Normal::standard().inverse_cdf(clipped)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roc_runs_from_nothing_to_everything() {
        let sweep = Sweep::from_sorted(&[0.4, 0.6, 0.6], &[0.1, 0.4, 0.7]);
        let roc: Vec<_> = sweep.roc().iter().map(|p| (p.fpr, p.tpr)).collect();
        let third = 1.0 / 3.0;
        let expected = [
            (0.0, 0.0),
            (third, 0.0),
            (third, 1.0 - third),
            (2.0 * third, 1.0),
            (1.0, 1.0),
        ];
        assert_eq!(roc, expected);
        let area: f64 = roc
            .windows(2)
            .map(|w| (w[1].0 - w[0].0) * (w[0].1 + w[1].1) / 2.0)
            .sum();
        assert!((area - sweep.auc()).abs() < 1e-15);
    }

    #[test]
    fn probit_of_known_rates() {
        let known = [
            (0.001, -3.090_232_306_167_813_5),
            (0.01, -2.326_347_874_040_841),
            (0.1, -1.281_551_565_544_600_4),
            (0.5, 0.0),
            (0.99, 2.326_347_874_040_841),
        ];
        for (rate, expected) in known {
            assert!(
                (probit(rate) - expected).abs() < 1e-12,
                "{rate}: {}",
                probit(rate)
            );
        }
        assert!(
            (probit(0.0) + 8.125_890_664_701_906).abs() < 1e-9,
            "{}",
            probit(0.0)
        );
        assert!(probit(1.0).is_finite());
    }

    #[test]
    fn det_is_finite_at_its_ends() {
        let sweep = Sweep::from_sorted(&[2.0, 3.0], &[0.0, 1.0]);
        let det = sweep.det();
        assert_eq!(det.len(), 5);
        assert!(
            det.iter()
                .all(|p| p.apcer_probit.is_finite() && p.bpcer_probit.is_finite())
        );
        assert_eq!(
            (det[0].apcer_probit, det[4].bpcer_probit),
            (probit(0.0), probit(0.0))
        );
        assert_eq!(det[1].bpcer_probit, 0.0);
    }

    #[test]
    fn epc_weighs_the_two_errors() {
        let dev = Sweep::from_sorted(&[0.2, 0.6, 0.8], &[0.1, 0.3, 0.7]);
        let test = Sweep::from_sorted(&[0.5, 0.9], &[0.15, 0.25, 0.65, 0.75]);
        let epc = dev.epc(&test, 5);
        let weights: Vec<_> = epc.iter().map(|p| p.weight).collect();
        assert_eq!(weights, [0.0, 0.25, 0.5, 0.75, 1.0]);
        // w = 0: only BPCER counts, the lowest threshold. w = 1: only APCER, the lowest above 0.7.
        assert_eq!((epc[0].threshold, epc[0].hter), (0.1, 0.5));
        assert_eq!((epc[4].threshold, epc[4].hter), (0.8, 0.25));
        // w = 1/2: 0.2 costs 1/3, 0.6 costs (1/3 + 1/3)/2: equal, the lower stays.
        assert_eq!(epc[2].threshold, 0.2);
        for point in epc {
            assert_eq!(point.threshold, dev.min_weighted(point.weight).threshold);
        }
    }
}
