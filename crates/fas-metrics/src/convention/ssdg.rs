//! SSDG's EER (taylover-pei/SSDG-CVPR2020, `utils/statistic.py`): a grid of 10 001 thresholds on
//! `[0, 1]` and 1.1, `probability >= threshold`, the last threshold of least `|FRR - FAR|`.
//!
//! SSDG calls the HTER at this same point its HTER, so that its HTER is its EER. A class without
//! samples counts as an error rate of 1 there; here it is refused.

use crate::sweep::{EqualErrorRate, Sweep};

const GRID_DENSITY: u32 = 10_000;

pub(super) fn eer(sweep: &Sweep) -> EqualErrorRate {
    let grid = (0..=GRID_DENSITY).map(|i| f64::from(i) / f64::from(GRID_DENSITY));
    let mut least = 1.0;
    let mut best = sweep.at(1.1);
    for threshold in grid.chain([1.1]) {
        let point = sweep.at(threshold);
        let distance = (sweep.bpcer(&point) - sweep.apcer_pooled(&point)).abs();
        if distance <= least {
            least = distance;
            best = point;
        }
    }
    sweep.read(best)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn takes_the_last_grid_point_of_a_gap() {
        let sweep = Sweep::from_sorted(&[0.75, 0.9], &[0.1, 0.2]);
        let eer = eer(&sweep);
        assert_eq!((eer.threshold, eer.rate), (0.75, 0.0));
    }

    #[test]
    fn is_blind_between_grid_points() {
        let sweep = Sweep::from_sorted(&[0.500_06; 3], &[0.500_04; 3]);
        assert_eq!(eer(&sweep).rate, 0.5);
        assert_eq!(sweep.eer().rate, 0.0);
    }
}
