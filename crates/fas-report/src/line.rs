//! Line charts with error bars: style accuracy and identity over guidance scale or start step.

use crate::axis::Axis;
use crate::chart::{Entry, Frame, Mark};
use crate::error::check_finite;
use crate::{Figure, ReportError, Unit, palette};

/// One line of a [`LineChart`].
#[derive(Clone, Debug)]
pub struct LineSeries {
    name: String,
    points: Vec<(f64, f64)>,
    intervals: Vec<(f64, f64)>,
}

impl LineSeries {
    /// A line through `(x, y)` points, in the order given.
    pub fn new(name: &str, points: Vec<(f64, f64)>) -> Self {
        Self {
            name: name.to_owned(),
            points,
            intervals: Vec::new(),
        }
    }

    /// Adds an error bar `(lower, upper)` to each point, absolute values of y.
    ///
    /// # Panics
    ///
    /// If there is not one interval a point.
    pub fn with_intervals(mut self, intervals: Vec<(f64, f64)>) -> Self {
        assert_eq!(intervals.len(), self.points.len(), "one interval a point");
        self.intervals = intervals;
        self
    }
}

/// A line chart with points, error bars and horizontal reference lines, named with their values in the legend.
#[derive(Clone, Debug)]
pub struct LineChart {
    title: String,
    x_label: String,
    y_label: String,
    unit: Unit,
    series: Vec<LineSeries>,
    references: Vec<(String, f64)>,
}

impl LineChart {
    /// An empty chart with a plain y axis.
    pub fn new(title: &str, x_label: &str, y_label: &str) -> Self {
        Self {
            title: title.to_owned(),
            x_label: x_label.to_owned(),
            y_label: y_label.to_owned(),
            unit: Unit::Plain,
            series: Vec::new(),
            references: Vec::new(),
        }
    }

    /// Sets the unit of the y axis.
    pub fn with_unit(mut self, unit: Unit) -> Self {
        self.unit = unit;
        self
    }

    /// Adds a line.
    pub fn with_series(mut self, series: LineSeries) -> Self {
        self.series.push(series);
        self
    }

    /// Adds a dashed horizontal line: a baseline, a bound or an aim.
    pub fn with_reference(mut self, label: &str, y: f64) -> Self {
        self.references.push((label.to_owned(), y));
        self
    }

    /// Draws the chart; the y axis starts at 0 unless a value is negative.
    ///
    /// # Errors
    ///
    /// No series, an empty series, a value that is not finite, an interval that does not run upwards.
    pub fn figure(&self) -> Result<Figure, ReportError> {
        self.check()?;
        let xs = self
            .series
            .iter()
            .flat_map(|series| series.points.iter().map(|point| point.0));
        let ys = self.series.iter().flat_map(|series| {
            let ends = series
                .intervals
                .iter()
                .flat_map(|(lower, upper)| [*lower, *upper]);
            series.points.iter().map(|point| point.1).chain(ends)
        });
        let ys = ys
            .chain(self.references.iter().map(|(_, y)| *y))
            .chain([0.0]);
        let alt = self.alt();
        let entry = |(index, series): (usize, &LineSeries)| Entry {
            name: series.name.clone(),
            ink: palette::series(index),
            mark: Mark::Point(index),
        };
        let references = self.references.iter().map(|(label, y)| Entry {
            name: format!("{label} ({})", self.rounded(*y)),
            ink: palette::MUTED,
            mark: Mark::Dashed,
        });
        let svg = Frame {
            title: &self.title,
            alt: &alt,
            x_label: &self.x_label,
            y_label: &self.y_label,
            x: Axis::around(xs, 6, Unit::Plain),
            y: Axis::around(ys, 5, self.unit),
            legend: self
                .series
                .iter()
                .enumerate()
                .map(entry)
                .chain(references)
                .collect(),
        }
        .draw(|canvas| {
            for (_, y) in &self.references {
                canvas.horizontal_rule(*y, palette::MUTED)?;
            }
            for (index, series) in self.series.iter().enumerate() {
                let ink = palette::series(index);
                for ((x, _), (lower, upper)) in series.points.iter().zip(&series.intervals) {
                    canvas.whisker(*x, *lower, *upper, ink)?;
                }
                canvas.line(&series.points, ink)?;
                for point in &series.points {
                    canvas.point(*point, index, ink)?;
                }
            }
            Ok(())
        })?;
        Ok(Figure {
            title: self.title.clone(),
            alt,
            svg,
            caption: String::new(),
            columns: ["series", "x", "y", "lower", "upper"]
                .map(str::to_owned)
                .to_vec(),
            rows: self.rows(),
        })
    }

    fn check(&self) -> Result<(), ReportError> {
        if self.series.is_empty() {
            return Err(ReportError::Empty {
                name: self.title.clone(),
            });
        }
        for (label, y) in &self.references {
            check_finite(label, &[*y])?;
        }
        for series in &self.series {
            if series.points.is_empty() {
                return Err(ReportError::Empty {
                    name: series.name.clone(),
                });
            }
            for numbers in [&series.points, &series.intervals] {
                check_finite(
                    &series.name,
                    &numbers.iter().map(|pair| pair.0).collect::<Vec<_>>(),
                )?;
                check_finite(
                    &series.name,
                    &numbers.iter().map(|pair| pair.1).collect::<Vec<_>>(),
                )?;
            }
            if let Some(index) = series
                .intervals
                .iter()
                .position(|(lower, upper)| lower > upper)
            {
                let (lower, upper) = series.intervals[index];
                return Err(ReportError::EmptyInterval {
                    name: series.name.clone(),
                    index,
                    lower,
                    upper,
                });
            }
        }
        Ok(())
    }

    fn alt(&self) -> String {
        let show = |value| self.rounded(value);
        let series = self.series.iter().map(|series| {
            let ends = (series.points[0], series.points[series.points.len() - 1]);
            let ((x0, y0), (x1, y1)) = ends;
            format!(
                "{} from {} at {x0} to {} at {x1}",
                series.name,
                show(y0),
                show(y1)
            )
        });
        let references = self
            .references
            .iter()
            .map(|(label, y)| format!("{label} at {}", show(*y)));
        let parts: Vec<_> = series.chain(references).collect();
        format!(
            "{} over {}: {}.",
            self.y_label,
            self.x_label,
            parts.join("; ")
        )
    }

    fn rounded(&self, y: f64) -> String {
        self.unit.tick((y * 1e4).round() / 1e4)
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let mut rows = Vec::new();
        for series in &self.series {
            for (index, (x, y)) in series.points.iter().enumerate() {
                let (lower, upper) = match series.intervals.get(index) {
                    Some((lower, upper)) => (lower.to_string(), upper.to_string()),
                    None => (String::new(), String::new()),
                };
                rows.push(vec![
                    series.name.clone(),
                    x.to_string(),
                    y.to_string(),
                    lower,
                    upper,
                ]);
            }
        }
        rows
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn points_whiskers_and_references_fall_in_place() {
        let figure = LineChart::new("Accuracy", "guidance scale", "style accuracy")
            .with_unit(Unit::Percent)
            .with_series(
                LineSeries::new("print", vec![(1.0, 0.2), (2.0, 0.8), (4.0, 1.0)])
                    .with_intervals(vec![(0.1, 0.3), (0.7, 0.9), (1.0, 1.0)]),
            )
            .with_reference("aim", 0.8)
            .figure()
            .unwrap();
        // left = 5 characters * 0.56 * 48 + 40 = 174, right = 1464; x ticks 1, 1.5, … 4, so x runs over 1..4.
        // y runs over 0..1 from 1028 to 196.
        let svg = figure.svg();
        assert!(
            svg.contains("points=\"174,862 604,362 1464,196 \""),
            "{svg}"
        );
        assert!(
            svg.contains("x1=\"604\" y1=\"446\" x2=\"604\" y2=\"279\""),
            "{svg}"
        );
        assert!(svg.contains("cx=\"604\" cy=\"362\""));
        assert!(
            svg.contains("x1=\"174\" y1=\"362\" x2=\"194\" y2=\"362\""),
            "first dash of the reference"
        );
        assert_eq!(figure.csv().lines().nth(2), Some("print,2,0.8,0.7,0.9"));
        assert_eq!(
            figure.alt,
            "style accuracy over guidance scale: print from 20 % at 1 to 100 % at 4; aim at 80 %."
        );
    }

    #[test]
    fn bad_input_is_named() {
        let chart = |series| {
            LineChart::new("c", "x", "y")
                .with_series(series)
                .figure()
                .unwrap_err()
                .to_string()
        };
        assert!(chart(LineSeries::new("s", vec![])).contains("`s` has no data"));
        assert!(chart(LineSeries::new("s", vec![(0.0, f64::NAN)])).contains("value 0: NaN"));
        let upside_down = LineSeries::new("s", vec![(0.0, 1.0)]).with_intervals(vec![(2.0, 1.0)]);
        assert!(chart(upside_down).contains("[2, 1] is empty"));
        assert!(LineChart::new("c", "x", "y").figure().is_err());
    }
}
