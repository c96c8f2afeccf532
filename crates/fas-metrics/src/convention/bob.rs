//! bob.measure 6.1.1 (`_library.py`, `__init__.py`): thresholds midway between scores, the last of
//! equal minima, percentile thresholds at the scores of one class, and an AUC of 2000 sampled
//! points. Written anew from its behaviour, its running sums of rates included, because they
//! decide ties.

use crate::MetricError;
use crate::sweep::{EqualErrorRate, Sweep};

/// Points that `roc_auc_score` samples.
const AUC_POINTS: usize = 2000;
/// The smallest rate it samples is `10^-8`.
const AUC_DECADES: usize = 8;

pub(super) fn eer(sweep: &Sweep) -> EqualErrorRate {
    sweep.read(sweep.at(minimizing_threshold(sweep, |far, frr| (far - frr).abs())))
}

pub(super) fn min_hter_threshold(sweep: &Sweep) -> f64 {
    minimizing_threshold(sweep, |far, frr| 0.5 * far + (1.0 - 0.5) * frr)
}

/// Scans upwards and keeps the last threshold of least `cost(far, frr)`. The scan ends with the
/// class that ends first; what lies above is tried by one last threshold above all scores.
fn minimizing_threshold(sweep: &Sweep, cost: impl Fn(f64, f64) -> f64) -> f64 {
    let (positives, negatives) = sweep.sorted_scores();
    let (far_step, frr_step) = (1.0 / negatives.len() as f64, 1.0 / positives.len() as f64);
    let (mut far, mut frr) = (1.0, 0.0);
    let (mut n, mut p) = (0, 0);
    let mut threshold = negatives[0].min(positives[0]);
    let (mut least, mut best) = (f64::INFINITY, threshold);
    while p < positives.len() && n < negatives.len() {
        let current = cost(far, frr);
        if current <= least {
            (least, best) = (current, threshold);
        }
        let score = positives[p].min(negatives[n]);
        while n < negatives.len() && negatives[n] == score {
            n += 1;
            far -= far_step;
        }
        while p < positives.len() && positives[p] == score {
            p += 1;
            frr += frr_step;
        }
        threshold = match (negatives.get(n), positives.get(p)) {
            (Some(&negative), Some(&positive)) => (score + negative.min(positive)) / 2.0,
            (Some(&next), None) | (None, Some(&next)) => (score + next) / 2.0,
            (None, None) => score,
        };
    }
    if cost(far, frr) < least {
        (least, best) = (cost(far, frr), threshold);
    }
    if n < negatives.len() || p < positives.len() {
        let highest = if n < negatives.len() {
            negatives.last()
        } else {
            positives.last()
        };
        if cost(0.0, 1.0) < least {
            best = highest.expect("both classes have scores").next_up();
        }
    }
    best
}

/// Lowest attack score with a share of at most `target` at or above it; just above the highest
/// where even that is too many.
pub(super) fn far_threshold(negatives: &[f64], target: f64) -> Result<f64, MetricError> {
    let [lowest, .., highest] = negatives else {
        return Err(MetricError::TooFewScores {
            class: "attack",
            count: negatives.len(),
        });
    };
    if target >= 1.0 - f64::EPSILON {
        return Ok(lowest.next_down());
    }
    let total = negatives.len();
    let accepted = |score: f64| total - negatives.partition_point(|&other| other < score);
    let first = negatives.partition_point(|&score| accepted(score) as f64 / total as f64 > target);
    Ok(negatives.get(first).copied().unwrap_or(highest.next_up()))
}

/// Highest bona fide score with a share of at most `target` before its last equal; just above the
/// lowest where even that is too many, which then breaks the target (kept: it is what bob does).
pub(super) fn frr_threshold(positives: &[f64], target: f64) -> Result<f64, MetricError> {
    let [lowest, .., highest] = positives else {
        return Err(MetricError::TooFewScores {
            class: "bona_fide",
            count: positives.len(),
        });
    };
    if target >= 1.0 - f64::EPSILON {
        return Ok(highest.next_up());
    }
    let total = positives.len();
    let last_equal = |score: f64| positives.partition_point(|&other| other <= score) - 1;
    let count =
        positives.partition_point(|&score| last_equal(score) as f64 / total as f64 <= target);
    Ok(if count == 0 {
        lowest.next_up()
    } else {
        positives[count - 1]
    })
}

/// `roc_auc_score`: trapezoids between operating points at rates of `10^-8` to 1, evenly spaced in
/// the exponent, half of them BPCER and half of them APCER.
pub(super) fn auc(sweep: &Sweep) -> Result<f64, MetricError> {
    let (positives, negatives) = sweep.sorted_scores();
    let half = AUC_POINTS / 2;
    let per_decade = (half / AUC_DECADES) as f64;
    let mut thresholds = Vec::with_capacity(AUC_POINTS);
    for i in 0..half {
        let rate = 10f64.powf((i as f64 - (half - 1) as f64) / per_decade);
        thresholds.push(frr_threshold(&positives, rate)?);
        thresholds.push(far_threshold(&negatives, rate)?);
    }
    thresholds.sort_unstable_by(f64::total_cmp);
    let curve: Vec<_> = thresholds
        .iter()
        .map(|&threshold| sweep.at(threshold))
        .map(|point| (sweep.apcer_pooled(&point), 1.0 - sweep.bpcer(&point)))
        .collect();
    Ok(curve
        .windows(2)
        .map(|w| (w[0].0 - w[1].0) * (w[0].1 + w[1].1) / 2.0)
        .sum())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What bob.measure 6.1.1 answers for these lists.
    #[test]
    fn known_answers() {
        let eer = |positives: &[f64], negatives: &[f64]| {
            super::eer(&Sweep::from_sorted(positives, negatives))
        };
        let separable = eer(&[2.0, 3.0], &[0.0, 1.0]);
        assert_eq!((separable.threshold, separable.rate), (1.5, 0.0));
        assert_eq!(eer(&[0.0, 1.0], &[2.0, 3.0]).threshold, 1.5);
        let crossed = eer(&[0.35, 0.8], &[0.1, 0.4]);
        assert_eq!(
            (crossed.threshold, crossed.apcer_pooled, crossed.bpcer),
            (0.375, 0.5, 0.5)
        );
        let ties = eer(&[0.5; 3], &[0.5; 3]);
        assert_eq!(
            (ties.threshold, ties.apcer_pooled, ties.bpcer),
            (0.5, 1.0, 0.0)
        );
        let sweep = Sweep::from_sorted(&[0.35, 0.8], &[0.1, 0.4]);
        assert_eq!(min_hter_threshold(&sweep), (0.1 + 0.35) / 2.0);
    }

    #[test]
    fn percentiles_at_their_edges() {
        let negatives: Vec<f64> = (0..10).map(|i| f64::from(i) / 10.0).collect();
        // No step of ten scores reaches 5 %.
        assert_eq!(
            far_threshold(&negatives, 0.05).unwrap(),
            0.900_000_000_000_000_1
        );
        assert_eq!(far_threshold(&negatives, 0.1).unwrap(), 0.9);
        assert_eq!(far_threshold(&negatives, 1.0).unwrap(), 0f64.next_down());
        assert!(far_threshold(&[0.5], 0.1).is_err());
        // Two ties at the bottom: the target of 10 % is broken.
        assert_eq!(
            frr_threshold(&[0.1, 0.1, 0.1, 0.4], 0.1).unwrap(),
            0.1f64.next_up()
        );
        assert_eq!(frr_threshold(&[0.1, 0.2, 0.3, 0.4], 0.25).unwrap(), 0.2);
        assert!(frr_threshold(&[0.5], 0.1).is_err());
    }
}
