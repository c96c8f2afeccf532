//! Error counts at every threshold, and the numbers that need no threshold of their own: AUC,
//! EER, minimum HTER.
//!
//! A score is accepted when `score >= threshold`, so that between two neighbouring scores nothing
//! changes: the distinct scores and `+inf` are all the thresholds there are. Counts are integers
//! and comparisons of rates are done on cross-multiplied counts, so that ties are exact.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::level;

/// Counts of wrong decisions at one threshold.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct OperatingPoint {
    /// Accept when `score >= threshold`; a score of the set, or `+inf`.
    #[serde(with = "level")]
    pub threshold: f64,
    /// Attacks accepted, over all species.
    pub attacks_accepted: u64,
    /// Bona fide samples rejected.
    pub bona_fide_rejected: u64,
}

/// The equal error rate with the operating point it is read at.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct EqualErrorRate {
    /// The rate that the convention calls EER, in `[0, 1]`.
    pub rate: f64,
    /// Threshold it is read at.
    #[serde(with = "level")]
    pub threshold: f64,
    /// Pooled APCER (false positive rate) there.
    pub apcer_pooled: f64,
    /// BPCER (false negative rate) there.
    pub bpcer: f64,
}

/// Error counts at every threshold, ascending; the last threshold is `+inf`.
#[derive(Debug, Clone, PartialEq)]
pub struct Sweep {
    points: Vec<OperatingPoint>,
    bona_fide: u64,
    attacks: u64,
}

impl Sweep {
    /// From the ascending scores of each class.
    pub(crate) fn from_sorted(bona_fide: &[f64], attacks: &[f64]) -> Self {
        let mut steps: Vec<(f64, u64, u64)> = Vec::new();
        let (mut i, mut j) = (0, 0);
        while i < bona_fide.len() || j < attacks.len() {
            let score = match (bona_fide.get(i), attacks.get(j)) {
                (Some(&b), Some(&a)) => b.min(a),
                (Some(&score), None) | (None, Some(&score)) => score,
                (None, None) => unreachable!("the loop condition"),
            };
            let (from_i, from_j) = (i, j);
            i += bona_fide[i..].iter().take_while(|&&s| s == score).count();
            j += attacks[j..].iter().take_while(|&&s| s == score).count();
            steps.push((score, (i - from_i) as u64, (j - from_j) as u64));
        }
        Self::from_steps(steps.into_iter())
    }

    /// From `(score, bona fide samples, attacks)` at ascending, distinct scores. Steps of no
    /// sample are left out.
    pub(crate) fn from_steps(steps: impl Iterator<Item = (f64, u64, u64)> + Clone) -> Self {
        let steps = steps.filter(|&(_, bona_fide, attacks)| bona_fide + attacks > 0);
        let attacks: u64 = steps.clone().map(|(_, _, attacks)| attacks).sum();
        let (mut accepted, mut rejected) = (attacks, 0);
        let mut points = Vec::new();
        for (threshold, bona_fide, attacks) in steps {
            points.push(OperatingPoint {
                threshold,
                attacks_accepted: accepted,
                bona_fide_rejected: rejected,
            });
            accepted -= attacks;
            rejected += bona_fide;
        }
        points.push(OperatingPoint {
            threshold: f64::INFINITY,
            attacks_accepted: 0,
            bona_fide_rejected: rejected,
        });
        Self {
            points,
            bona_fide: rejected,
            attacks,
        }
    }

    /// Every operating point, thresholds ascending, the last at `+inf`.
    pub fn points(&self) -> &[OperatingPoint] {
        &self.points
    }

    /// Number of bona fide samples.
    pub fn bona_fide(&self) -> u64 {
        self.bona_fide
    }

    /// Number of attacks, over all species.
    pub fn attacks(&self) -> u64 {
        self.attacks
    }

    /// The counts at any threshold; `+inf` rejects all.
    pub fn at(&self, threshold: f64) -> OperatingPoint {
        let index = self
            .points
            .partition_point(|point| point.threshold < threshold);
        OperatingPoint {
            threshold,
            ..self.points[index.min(self.points.len() - 1)]
        }
    }

    /// Share of attacks accepted at `point`: pooled APCER, in `[0, 1]`.
    pub fn apcer_pooled(&self, point: &OperatingPoint) -> f64 {
        point.attacks_accepted as f64 / self.attacks as f64
    }

    /// Share of bona fide samples rejected at `point`: BPCER, in `[0, 1]`.
    pub fn bpcer(&self, point: &OperatingPoint) -> f64 {
        point.bona_fide_rejected as f64 / self.bona_fide as f64
    }

    /// Half total error rate at `point`, `(pooled APCER + BPCER) / 2`.
    pub fn hter(&self, point: &OperatingPoint) -> f64 {
        (self.apcer_pooled(point) + self.bpcer(point)) / 2.0
    }

    /// Area under the ROC curve: P(bona fide > attack) + P(equal) / 2, from exact counts.
    pub fn auc(&self) -> f64 {
        let wins = self.points.windows(2).fold(0u128, |sum, pair| {
            let bona_fide = pair[1].bona_fide_rejected - pair[0].bona_fide_rejected;
            let equal = pair[0].attacks_accepted - pair[1].attacks_accepted;
            let below = self.attacks - pair[0].attacks_accepted;
            sum + u128::from(bona_fide) * u128::from(2 * below + equal)
        });
        wins as f64 / (2 * u128::from(self.bona_fide) * u128::from(self.attacks)) as f64
    }

    /// Standard error of [`auc`](Self::auc) after Hanley and McNeil (1982), equation 1.
    pub fn auc_standard_error(&self) -> f64 {
        hanley_mcneil(self.auc(), self.bona_fide as f64, self.attacks as f64)
    }

    /// Whether attacks score clearly higher than bona fide samples: at least three of each class
    /// and an AUC more than three standard errors below one half.
    pub fn looks_inverted(&self) -> bool {
        let enough = self.bona_fide.min(self.attacks) >= 3;
        enough && self.auc() + 3.0 * self.auc_standard_error() < 0.5
    }

    /// Equal error rate by exact sweep: the threshold of least `|pooled APCER - BPCER|`, then of
    /// least HTER, then the lowest; the rate is the HTER there.
    pub fn eer(&self) -> EqualErrorRate {
        let key = |point: &OperatingPoint| {
            let (accepted, rejected) = self.common(point);
            (accepted.abs_diff(rejected), accepted + rejected)
        };
        self.read(first_least(&self.points, |a, b| key(a).cmp(&key(b))))
    }

    /// Operating point of least HTER; the lowest threshold among equals.
    pub fn min_hter(&self) -> OperatingPoint {
        let key = |point: &OperatingPoint| {
            let (accepted, rejected) = self.common(point);
            accepted + rejected
        };
        first_least(&self.points, |a, b| key(a).cmp(&key(b)))
    }

    /// Operating point of least `weight * pooled APCER + (1 - weight) * BPCER`; the lowest
    /// threshold among equals. `weight` is in `[0, 1]`.
    pub fn min_weighted(&self, weight: f64) -> OperatingPoint {
        self.min_weighted_of(&self.points, weight)
    }

    pub(crate) fn min_weighted_of(&self, points: &[OperatingPoint], weight: f64) -> OperatingPoint {
        let cost = |point: &OperatingPoint| {
            weight * self.apcer_pooled(point) + (1.0 - weight) * self.bpcer(point)
        };
        first_least(points, |a, b| cost(a).total_cmp(&cost(b)))
    }

    /// Operating point of the largest threshold with BPCER at most `target`, in `[0, 1]`.
    pub fn largest_with_bpcer(&self, target: f64) -> OperatingPoint {
        let count = self
            .points
            .partition_point(|point| self.bpcer(point) <= target);
        self.points[count.max(1) - 1]
    }

    /// Operating point of the smallest threshold with pooled APCER at most `target`, in `[0, 1]`.
    pub fn smallest_with_apcer(&self, target: f64) -> OperatingPoint {
        let index = self
            .points
            .partition_point(|point| self.apcer_pooled(point) > target);
        self.points[index.min(self.points.len() - 1)]
    }

    /// Share of bona fide samples accepted at pooled APCER at most `fpr`: TPR@FPR, in `[0, 1]`.
    pub fn tpr_at_fpr(&self, fpr: f64) -> f64 {
        1.0 - self.bpcer(&self.smallest_with_apcer(fpr))
    }

    /// Equal error rate of the ROC with its points joined by lines. For information: no threshold
    /// gives it.
    pub fn eer_interpolated(&self) -> f64 {
        self.crossing(&self.points)
    }

    /// Equal error rate of the convex hull of the ROC. For information: only a random mixture of
    /// two thresholds gives it.
    pub fn eer_convex_hull(&self) -> f64 {
        let mut hull: Vec<OperatingPoint> = Vec::new();
        for point in &self.points {
            while hull.len() >= 2 {
                let (a, b) = (&hull[hull.len() - 2], &hull[hull.len() - 1]);
                if turn(a, b, point) < 0 {
                    break;
                }
                hull.pop();
            }
            hull.push(*point);
        }
        self.crossing(&hull)
    }

    /// The points at which the ROC bends, ends included: same curve, far fewer points.
    pub fn corners(&self) -> Vec<OperatingPoint> {
        let mut corners: Vec<OperatingPoint> = Vec::new();
        for point in &self.points {
            if let [.., a, b] = corners[..]
                && turn(&a, &b, point) == 0
            {
                corners.pop();
            }
            corners.push(*point);
        }
        corners
    }

    /// Scores of one class, ascending and repeated: bona fide first, attacks second.
    pub(crate) fn sorted_scores(&self) -> (Vec<f64>, Vec<f64>) {
        let mut bona_fide = Vec::with_capacity(self.bona_fide as usize);
        let mut attacks = Vec::with_capacity(self.attacks as usize);
        for pair in self.points.windows(2) {
            let rejected = pair[1].bona_fide_rejected - pair[0].bona_fide_rejected;
            let accepted = pair[0].attacks_accepted - pair[1].attacks_accepted;
            bona_fide.extend(std::iter::repeat_n(pair[0].threshold, rejected as usize));
            attacks.extend(std::iter::repeat_n(pair[0].threshold, accepted as usize));
        }
        (bona_fide, attacks)
    }

    /// The EER record at `point`, its rate the mean of both error rates.
    pub(crate) fn read(&self, point: OperatingPoint) -> EqualErrorRate {
        EqualErrorRate {
            rate: self.hter(&point),
            threshold: point.threshold,
            apcer_pooled: self.apcer_pooled(&point),
            bpcer: self.bpcer(&point),
        }
    }

    /// Both error rates over the common denominator `bona_fide * attacks`.
    fn common(&self, point: &OperatingPoint) -> (u128, u128) {
        (
            u128::from(point.attacks_accepted) * u128::from(self.bona_fide),
            u128::from(point.bona_fide_rejected) * u128::from(self.attacks),
        )
    }

    /// Rate at which the line through `points` meets `APCER = BPCER`.
    fn crossing(&self, points: &[OperatingPoint]) -> f64 {
        let excess = |point: &OperatingPoint| {
            let (accepted, rejected) = self.common(point);
            rejected as i128 - accepted as i128
        };
        // APCER = 1 and BPCER = 0 at the first point, the reverse at the last.
        let next = points.partition_point(|point| excess(point) < 0);
        let (a, b) = (&points[next - 1], &points[next]);
        let share = -excess(a) as f64 / (excess(b) - excess(a)) as f64;
        let from = self.apcer_pooled(a);
        from + share * (self.apcer_pooled(b) - from)
    }
}

fn hanley_mcneil(auc: f64, bona_fide: f64, attacks: f64) -> f64 {
    let squared = auc * auc;
    let (q1, q2) = (auc / (2.0 - auc), 2.0 * squared / (1.0 + auc));
    let variance =
        auc * (1.0 - auc) + (bona_fide - 1.0) * (q1 - squared) + (attacks - 1.0) * (q2 - squared);
    // Rounding may leave a perfect AUC a variance just below zero.
    (variance.max(0.0) / (bona_fide * attacks)).sqrt()
}

/// The first of the least points; a sweep and its corners end at `+inf` and so are never empty.
fn first_least(
    points: &[OperatingPoint],
    compare: impl Fn(&OperatingPoint, &OperatingPoint) -> Ordering,
) -> OperatingPoint {
    *points
        .iter()
        .min_by(|a, b| compare(a, b))
        .expect("a sweep ends at +inf")
}

/// Cross product of the steps `a` to `b` and `b` to `c` in (attacks accepted, bona fide rejected):
/// negative where the path turns right, as the hull does when walked by rising threshold.
fn turn(a: &OperatingPoint, b: &OperatingPoint, c: &OperatingPoint) -> i128 {
    let step = |from: &OperatingPoint, to: &OperatingPoint| {
        (
            i128::from(to.attacks_accepted) - i128::from(from.attacks_accepted),
            i128::from(to.bona_fide_rejected) - i128::from(from.bona_fide_rejected),
        )
    };
    let (first, second) = (step(a, b), step(b, c));
    first.0 * second.1 - first.1 * second.0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sweep(bona_fide: &[f64], attacks: &[f64]) -> Sweep {
        Sweep::from_sorted(bona_fide, attacks)
    }

    #[test]
    fn counts_every_threshold() {
        let sweep = sweep(&[0.4, 0.6, 0.6], &[0.1, 0.4, 0.7]);
        let counts: Vec<_> = sweep
            .points()
            .iter()
            .map(|p| (p.threshold, p.attacks_accepted, p.bona_fide_rejected))
            .collect();
        let inf = f64::INFINITY;
        assert_eq!(
            counts,
            [
                (0.1, 3, 0),
                (0.4, 2, 0),
                (0.6, 1, 1),
                (0.7, 1, 3),
                (inf, 0, 3)
            ]
        );
        // 0.4 beats 0.1 and ties 0.4; each 0.6 beats two: (1.5 + 2 + 2) / 9.
        assert_eq!(sweep.auc(), 5.5 / 9.0);
        assert_eq!(sweep.at(0.5).attacks_accepted, 1);
        assert_eq!(sweep.at(0.6).attacks_accepted, 1);
        assert_eq!(sweep.at(0.65).bona_fide_rejected, 3);
        assert_eq!(sweep.at(9.0).attacks_accepted, 0);
        assert_eq!(sweep.at(f64::INFINITY).bona_fide_rejected, 3);
    }

    #[test]
    fn eer_prefers_least_hter_then_lowest_threshold() {
        let eer = sweep(&[0.4, 0.6, 0.6], &[0.1, 0.4, 0.7]).eer();
        assert_eq!((eer.rate, eer.threshold), (1.0 / 3.0, 0.6));
        let separable = sweep(&[2.0, 3.0], &[0.0, 1.0]).eer();
        assert_eq!((separable.rate, separable.threshold), (0.0, 2.0));
        let inverted = sweep(&[0.0, 1.0], &[2.0, 3.0]).eer();
        assert_eq!((inverted.rate, inverted.threshold), (1.0, 2.0));
    }

    #[test]
    fn targets_are_met_at_the_edge() {
        let bona_fide: Vec<f64> = (0..100).map(f64::from).collect();
        let sweep = sweep(&bona_fide, &[-2.0, 5.0, 50.0, 200.0]);
        assert_eq!(sweep.largest_with_bpcer(0.01).threshold, 1.0);
        assert_eq!(sweep.largest_with_bpcer(0.0).threshold, 0.0);
        assert_eq!(sweep.largest_with_bpcer(1.0).threshold, f64::INFINITY);
        assert_eq!(sweep.smallest_with_apcer(0.5).threshold, 6.0);
        assert_eq!(sweep.smallest_with_apcer(0.0).threshold, f64::INFINITY);
        assert_eq!(sweep.smallest_with_apcer(1.0).threshold, -2.0);
        assert_eq!(sweep.tpr_at_fpr(0.25), 0.49);
    }

    #[test]
    fn interpolated_rates_of_a_diagonal() {
        let ties = sweep(&[0.5; 7], &[0.5; 3]);
        assert_eq!(ties.eer_interpolated(), 0.5);
        assert_eq!(ties.eer_convex_hull(), 0.5);
        // Corners (1, 0), (1/2, 0), (1/2, 1/2), (0, 1/2), (0, 1): the hull cuts the last but one.
        let steps = sweep(&[0.2, 0.9], &[0.1, 0.8]);
        assert_eq!(steps.eer_interpolated(), 0.5);
        assert_eq!(steps.eer_convex_hull(), 0.25);
    }

    #[test]
    fn corners_keep_the_curve() {
        let sweep = sweep(&[3.0, 4.0, 5.0], &[0.0, 1.0, 2.0]);
        let corners: Vec<_> = sweep
            .corners()
            .iter()
            .map(|p| (p.attacks_accepted, p.bona_fide_rejected))
            .collect();
        assert_eq!(corners, [(3, 0), (0, 0), (0, 3)]);
    }

    #[test]
    fn inversion_needs_evidence() {
        assert!(sweep(&[0.0, 0.1, 0.2], &[0.8, 0.9, 1.0]).looks_inverted());
        assert!(!sweep(&[0.0], &[1.0]).looks_inverted());
        assert!(!sweep(&[0.1, 0.5, 0.7], &[0.2, 0.6, 0.8]).looks_inverted());
        assert!(!sweep(&[0.8, 0.9, 1.0], &[0.0, 0.1, 0.2]).looks_inverted());
    }

    #[test]
    fn standard_error_of_hanley_and_mcneil() {
        // Their worked example: area 0.893, 51 abnormal and 58 normal images, error 0.032.
        assert!((hanley_mcneil(0.893, 51.0, 58.0) - 0.0325).abs() < 1e-4);
        assert_eq!(sweep(&[2.0, 3.0], &[0.0, 1.0]).auc_standard_error(), 0.0);
    }
}
