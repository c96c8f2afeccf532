//! ROC plot: share of bona fide accepted over share of attacks accepted, on a log axis.

use crate::axis::{Axis, rate_floor};
use crate::chart::{Entry, Frame, Mark};
use crate::{Figure, RateCurve, ReportError, Unit, palette};

/// ROC curves of one or more detectors; the x axis is logarithmic, so that low error rates can be read.
#[derive(Clone, Debug)]
pub struct RocPlot {
    title: String,
    curves: Vec<RateCurve>,
}

impl RocPlot {
    /// An empty plot.
    pub fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            curves: Vec::new(),
        }
    }

    /// Adds a detector.
    pub fn with_curve(mut self, curve: RateCurve) -> Self {
        self.curves.push(curve);
        self
    }

    /// Draws the plot; an APCER of 0 is drawn at the left edge.
    ///
    /// # Errors
    ///
    /// [`ReportError::Empty`] without a curve.
    pub fn figure(&self) -> Result<Figure, ReportError> {
        let floor = curves_floor(&self.title, &self.curves)?;
        let alt = format!(
            "ROC curves. {}",
            per_curve(&self.curves, |curve| {
                let rate = |apcer| Unit::Percent.digits(1.0 - curve.bpcer_at(apcer), 1);
                format!(
                    "accepts {} % of bona fide at 1 % APCER and {} % at 10 %",
                    rate(0.01),
                    rate(0.1)
                )
            })
        );
        let svg = Frame {
            title: &self.title,
            alt: &alt,
            x_label: "APCER (attacks accepted)",
            y_label: "1 − BPCER (bona fide accepted)",
            x: Axis::log_rate(floor),
            y: Axis::linear(0.0..1.0, 5, Unit::Percent),
            legend: legend(&self.curves),
        }
        .draw(|canvas| {
            let chance: Vec<_> = (0..=60)
                .map(|step| floor.powf(1.0 - f64::from(step) / 60.0))
                .map(|rate| (rate, rate))
                .collect();
            for pair in chance.windows(2).step_by(2) {
                canvas.thin_line(pair[0], pair[1], palette::MUTED)?;
            }
            for (index, curve) in self.curves.iter().enumerate() {
                let points: Vec<_> = curve
                    .points()
                    .iter()
                    .map(|(apcer, bpcer)| (*apcer, 1.0 - bpcer))
                    .collect();
                canvas.line(&points, palette::series(index))?;
            }
            Ok(())
        })?;
        Ok(Figure {
            title: self.title.clone(),
            alt,
            svg,
            caption: "Upper left is better; the broken line is chance.".to_owned(),
            columns: ["detector", "apcer", "bpcer", "one_minus_bpcer"]
                .map(str::to_owned)
                .to_vec(),
            rows: rows(&self.curves, |apcer, bpcer| vec![apcer, bpcer, 1.0 - bpcer]),
        })
    }
}

/// Where the rate axes start, or the error for a plot without curves.
pub(crate) fn curves_floor(title: &str, curves: &[RateCurve]) -> Result<f64, ReportError> {
    if curves.is_empty() {
        return Err(ReportError::Empty {
            name: title.to_owned(),
        });
    }
    Ok(rate_floor(
        curves
            .iter()
            .flat_map(|curve| curve.points())
            .map(|point| point.0),
    ))
}

/// Legend of a plot with one line a curve.
pub(crate) fn legend(curves: &[RateCurve]) -> Vec<Entry> {
    let entry = |(index, curve): (usize, &RateCurve)| Entry {
        name: curve.name().to_owned(),
        ink: palette::series(index),
        mark: Mark::Line,
    };
    curves.iter().enumerate().map(entry).collect()
}

/// A clause a curve: "name: …; name: …."
pub(crate) fn per_curve(curves: &[RateCurve], clause: impl Fn(&RateCurve) -> String) -> String {
    let clauses: Vec<_> = curves
        .iter()
        .map(|curve| format!("{}: {}", curve.name(), clause(curve)))
        .collect();
    format!("{}.", clauses.join("; "))
}

/// Data rows: the curve's name, then the numbers of each point.
pub(crate) fn rows(
    curves: &[RateCurve],
    numbers: impl Fn(f64, f64) -> Vec<f64>,
) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for curve in curves {
        for (apcer, bpcer) in curve.points() {
            let mut row = vec![curve.name().to_owned()];
            row.extend(numbers(*apcer, *bpcer).iter().map(f64::to_string));
            rows.push(row);
        }
    }
    rows
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_curve_is_drawn_at_its_log_places() {
        let curve = RateCurve::new(
            "one",
            vec![(0.0, 1.0), (0.01, 0.5), (0.1, 0.25), (1.0, 0.0)],
        )
        .unwrap();
        let figure = RocPlot::new("ROC").with_curve(curve).figure().unwrap();
        // left = 5 characters ("100 %") * 0.56 * 48 + 40 = 174, right = 1464: a decade is 645 wide from 1 % on.
        // One legend row moves top and bottom to 196 and 1028: 832 pixels for 0 to 100 %.
        assert!(
            figure
                .svg()
                .contains("points=\"174,1028 174,612 819,404 1464,196 \""),
            "{}",
            figure.svg()
        );
        assert_eq!(
            figure.csv(),
            "detector,apcer,bpcer,one_minus_bpcer\none,0,1,0\none,0.01,0.5,0.5\none,0.1,0.25,0.75\none,1,0,1\n"
        );
        assert!(
            figure
                .alt
                .contains("one: accepts 50.0 % of bona fide at 1 % APCER and 75.0 % at 10 %")
        );
    }

    #[test]
    fn no_curve_is_an_error() {
        assert!(
            matches!(RocPlot::new("ROC").figure(), Err(ReportError::Empty { name }) if name == "ROC")
        );
    }
}
