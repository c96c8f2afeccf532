//! DET plot: BPCER over APCER, both on probit axes (Martin et al. 1997), with the BPCER10/20/100 marks.

use crate::axis::{Axis, rate_floor};
use crate::chart::{Entry, Frame, Mark};
use crate::roc::{curves_floor, legend, per_curve, rows};
use crate::{Figure, RateCurve, ReportError, Unit, palette};

/// The N of ISO/IEC 30107-3's BPCER10, BPCER20 and BPCER100: BPCER at an APCER of 1/N.
const MARKS: [u32; 3] = [10, 20, 100];

/// DET curves of one or more detectors.
///
/// BPCER10, BPCER20 and BPCER100 are marked where each curve first has an APCER of at most 1/10, 1/20 and
/// 1/100. They are those of the points given: give curves of one attack species for the standard's figures.
#[derive(Clone, Debug)]
pub struct DetPlot {
    title: String,
    curves: Vec<RateCurve>,
}

impl DetPlot {
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

    /// Draws the plot; rates outside the axes (0, or above 90 %) are drawn at the edge.
    ///
    /// # Errors
    ///
    /// [`ReportError::Empty`] without a curve.
    pub fn figure(&self) -> Result<Figure, ReportError> {
        let x_floor = curves_floor(&self.title, &self.curves)?;
        let y_floor = rate_floor(
            self.curves
                .iter()
                .flat_map(|curve| curve.points())
                .map(|point| point.1),
        );
        let marks = per_curve(&self.curves, |curve| {
            let at = |n: u32| Unit::Percent.digits(curve.bpcer_at(1.0 / f64::from(n)), 1);
            MARKS.map(at).join(" / ") + " %"
        });
        let caption = format!("Lower left is better. BPCER10 / BPCER20 / BPCER100 – {marks}");
        let alt = format!("DET curves on probit axes. {caption}");
        let (x, y) = (Axis::probit_rate(x_floor), Axis::probit_rate(y_floor));
        let (low, high) = (x.start().max(y.start()), x.end().min(y.end()));
        let mut legend = legend(&self.curves);
        legend.push(Entry {
            name: "BPCER100, 20, 10".to_owned(),
            ink: palette::MUTED,
            mark: Mark::Dashed,
        });
        let svg = Frame {
            title: &self.title,
            alt: &alt,
            x_label: "APCER (attacks accepted)",
            y_label: "BPCER (bona fide rejected)",
            x,
            y,
            legend,
        }
        .draw(|canvas| {
            canvas.thin_line((low, low), (high, high), palette::GRID)?;
            for n in MARKS {
                canvas.vertical_rule(1.0 / f64::from(n), palette::MUTED)?;
            }
            for (index, curve) in self.curves.iter().enumerate() {
                canvas.line(curve.points(), palette::series(index))?;
                for n in MARKS {
                    let apcer = 1.0 / f64::from(n);
                    canvas.point((apcer, curve.bpcer_at(apcer)), 0, palette::series(index))?;
                }
            }
            Ok(())
        })?;
        Ok(Figure {
            title: self.title.clone(),
            alt,
            svg,
            caption,
            columns: ["detector", "apcer", "bpcer"].map(str::to_owned).to_vec(),
            rows: rows(&self.curves, |apcer, bpcer| vec![apcer, bpcer]),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn marks_and_curve_are_at_their_probit_places() {
        let curve = RateCurve::new(
            "one",
            vec![
                (0.01, 0.5),
                (0.05, 0.2),
                (0.1, 0.1),
                (0.5, 0.02),
                (0.9, 0.01),
            ],
        )
        .unwrap();
        let figure = DetPlot::new("DET").with_curve(curve).figure().unwrap();
        // left = 4 characters ("90 %") * 0.56 * 48 + 40 = 147, right = 1464; bottom = 1028, top = 196.
        // x(p) = 147 + 1317 (probit p + 2.32635) / (1.28155 + 2.32635); y alike with 832 pixels upwards.
        assert!(
            figure
                .svg()
                .contains("points=\"147,492 396,686 528,787 996,965 1464,1028 \""),
            "{}",
            figure.svg()
        );
        for (x, y) in [(528, 787), (396, 686), (147, 492)] {
            assert!(
                figure.svg().contains(&format!("cx=\"{x}\" cy=\"{y}\"")),
                "{x} {y}"
            );
        }
        assert!(
            figure.caption.ends_with("one: 10.0 / 20.0 / 50.0 %."),
            "{}",
            figure.caption
        );
        assert_eq!(
            figure
                .svg()
                .matches(
                    "BPCER100, 20, 10
"
                )
                .count(),
            1
        );
    }
}
