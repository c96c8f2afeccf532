//! Error rates over all thresholds, the input of ROC and DET plots.

use crate::ReportError;
use crate::error::check_finite;

/// One detector's `(APCER, BPCER)` points, both fractions in `[0, 1]`.
#[derive(Clone, Debug)]
pub struct RateCurve {
    name: String,
    points: Vec<(f64, f64)>,
}

impl RateCurve {
    /// Takes the points of one threshold sweep in any order; `name` is shown in the legend.
    ///
    /// Points in the middle of a straight horizontal or vertical run are dropped, which changes no picture
    /// and no rate read from it.
    ///
    /// # Errors
    ///
    /// No points; a rate that is not finite or not in `[0, 1]`; BPCER that rises with APCER.
    pub fn new(name: &str, mut points: Vec<(f64, f64)>) -> Result<Self, ReportError> {
        if points.is_empty() {
            return Err(ReportError::Empty {
                name: name.to_owned(),
            });
        }
        for rates in [
            points.iter().map(|p| p.0).collect::<Vec<_>>(),
            points.iter().map(|p| p.1).collect(),
        ] {
            check_finite(name, &rates)?;
            if let Some(index) = rates.iter().position(|rate| !(0.0..=1.0).contains(rate)) {
                return Err(ReportError::RateOutOfRange {
                    name: name.to_owned(),
                    index,
                    value: rates[index],
                });
            }
        }
        points.sort_by(|one, other| one.0.total_cmp(&other.0).then(other.1.total_cmp(&one.1)));
        if let Some(pair) = points.windows(2).find(|pair| pair[1].1 > pair[0].1) {
            return Err(ReportError::NotMonotone {
                name: name.to_owned(),
                apcer: pair[1].0,
                before: pair[0].1,
                after: pair[1].1,
            });
        }
        Ok(Self {
            name: name.to_owned(),
            points: corners(&points),
        })
    }

    /// Name in the legend.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Points by rising APCER.
    pub fn points(&self) -> &[(f64, f64)] {
        &self.points
    }

    /// Smallest BPCER among the points with an APCER of at most `apcer`, or 1 when there is none.
    ///
    /// On pooled attacks, `bpcer_at(0.05)` is BPCER20; the standard's figure is the worst over attack species.
    pub fn bpcer_at(&self, apcer: f64) -> f64 {
        let reached = self.points.iter().take_while(|point| point.0 <= apcer);
        reached.last().map_or(1.0, |point| point.1)
    }
}

/// The points without those between two equal neighbours of either rate.
fn corners(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let mut kept: Vec<(f64, f64)> = Vec::new();
    for (index, point) in points.iter().enumerate() {
        let next = points.get(index + 1);
        let between = |rate: fn(&(f64, f64)) -> f64| match (kept.last(), next) {
            (Some(last), Some(next)) => rate(last) == rate(point) && rate(next) == rate(point),
            _ => false,
        };
        if !between(|point| point.0) && !between(|point| point.1) {
            kept.push(*point);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sorts_and_keeps_corners() {
        let curve = RateCurve::new(
            "a",
            vec![
                (1.0, 0.0),
                (0.2, 0.1),
                (0.5, 0.1),
                (0.4, 0.1),
                (0.0, 1.0),
                (0.2, 0.6),
                (0.2, 0.3),
            ],
        )
        .unwrap();
        assert_eq!(
            curve.points(),
            [(0.0, 1.0), (0.2, 0.6), (0.2, 0.1), (0.5, 0.1), (1.0, 0.0)]
        );
    }

    #[test]
    fn bpcer_at_reads_the_best_point_allowed() {
        let curve =
            RateCurve::new("a", vec![(0.0, 0.9), (0.05, 0.4), (0.2, 0.1), (1.0, 0.0)]).unwrap();
        assert_eq!(
            [0.01, 0.05, 0.1, 0.5].map(|apcer| curve.bpcer_at(apcer)),
            [0.9, 0.4, 0.4, 0.1]
        );
        assert_eq!(
            RateCurve::new("b", vec![(0.5, 0.2)]).unwrap().bpcer_at(0.1),
            1.0
        );
    }

    #[test]
    fn wrong_input_is_named() {
        let message = |points| RateCurve::new("cnn", points).unwrap_err().to_string();
        assert!(message(vec![]).contains("cnn"));
        assert!(message(vec![(0.0, f64::NAN)]).contains("NaN"));
        assert!(message(vec![(0.0, 1.0), (12.0, 0.5)]).contains("point 1: rate 12"));
        assert!(message(vec![(0.0, 0.0), (0.5, 0.9), (1.0, 1.0)]).contains("not (FPR, TPR)"));
    }
}
