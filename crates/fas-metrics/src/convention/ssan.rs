//! SSAN's reading of the EER (wangzhuo2019/SSAN, `utils/performance.py`): the first minimum of
//! `|tpr + fpr - 1|` on scikit-learn's `roc_curve`, its false positive rate named EER.
//!
//! `roc_curve` lists thresholds downwards from infinity and drops collinear points, the best one
//! among them at times.

use crate::sweep::{EqualErrorRate, OperatingPoint, Sweep};

pub(super) fn eer(sweep: &Sweep) -> EqualErrorRate {
    let tpr = |point: &OperatingPoint| {
        (sweep.bona_fide() - point.bona_fide_rejected) as f64 / sweep.bona_fide() as f64
    };
    let distance = |point: &OperatingPoint| (tpr(point) + sweep.apcer_pooled(point) - 1.0).abs();
    let best = roc_points(sweep)
        .into_iter()
        .min_by(|a, b| distance(a).total_cmp(&distance(b)))
        .expect("a curve has its end at infinity");
    let apcer_pooled = sweep.apcer_pooled(&best);
    EqualErrorRate {
        rate: apcer_pooled,
        threshold: best.threshold,
        apcer_pooled,
        bpcer: 1.0 - tpr(&best),
    }
}

/// scikit-learn's points: thresholds descending, `+inf` first, and of the rest each point dropped
/// whose neighbours lie at equal steps on both axes.
fn roc_points(sweep: &Sweep) -> Vec<OperatingPoint> {
    let mut points: Vec<_> = sweep.points().iter().rev().copied().collect();
    let infinite = points.remove(0);
    let bends = |window: &[OperatingPoint]| {
        let [a, b, c] = window else {
            unreachable!("windows of three")
        };
        a.attacks_accepted + c.attacks_accepted != 2 * b.attacks_accepted
            || a.bona_fide_rejected + c.bona_fide_rejected != 2 * b.bona_fide_rejected
    };
    let inner = points
        .windows(3)
        .filter(|window| bends(window))
        .map(|window| window[1]);
    let (first, last) = (points[0], points[points.len() - 1]);
    let end = (points.len() > 1).then_some(last);
    [infinite, first]
        .into_iter()
        .chain(inner)
        .chain(end)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn drops_evenly_spaced_points() {
        let sweep = Sweep::from_sorted(&[3.0, 4.0, 5.0], &[0.0, 1.0, 2.0]);
        let thresholds: Vec<_> = roc_points(&sweep).iter().map(|p| p.threshold).collect();
        // What roc_curve([0,0,0,1,1,1], [0,1,2,3,4,5]) of scikit-learn lists.
        assert_eq!(thresholds, [f64::INFINITY, 5.0, 3.0, 0.0]);
    }

    #[test]
    fn useless_scores_get_a_perfect_looking_eer() {
        let sweep = Sweep::from_sorted(&[0.5; 4], &[0.5; 4]);
        let eer = eer(&sweep);
        assert_eq!(
            (eer.rate, eer.bpcer, eer.threshold),
            (0.0, 1.0, f64::INFINITY)
        );
    }
}
