//! Scatter plots coloured by a value: features in the plane, coloured by quality.

use crate::axis::Axis;
use crate::chart::{Entry, Frame, Mark};
use crate::error::check_finite;
use crate::{Figure, ReportError, Unit, palette};

/// One point of a [`ScatterPlot`].
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct ScatterPoint {
    /// Position.
    pub x: f64,
    /// Position.
    pub y: f64,
    /// What the colour says, for instance BRISQUE.
    pub value: f64,
    /// Index of the class, which gives the shape.
    pub class: usize,
}

/// Points in the plane: shape by class, colour by which fifth of all values theirs is in.
///
/// Fifths and not a continuous scale, so that few outliers do not leave all other points in one colour.
#[derive(Clone, Debug)]
pub struct ScatterPlot {
    title: String,
    value_label: String,
    classes: Vec<String>,
    points: Vec<ScatterPoint>,
}

impl ScatterPlot {
    /// An empty plot of `classes`, at most four, whose values are named `value_label`.
    ///
    /// # Panics
    ///
    /// If there are more than four classes: there are no more shapes.
    pub fn new<S: Into<String>>(
        title: &str,
        value_label: &str,
        classes: impl IntoIterator<Item = S>,
    ) -> Self {
        let classes: Vec<String> = classes.into_iter().map(Into::into).collect();
        assert!(classes.len() <= 4, "at most four classes have shapes");
        Self {
            title: title.to_owned(),
            value_label: value_label.to_owned(),
            classes,
            points: Vec::new(),
        }
    }

    /// Adds points.
    ///
    /// # Panics
    ///
    /// If a class is out of range.
    pub fn with_points(mut self, points: impl IntoIterator<Item = ScatterPoint>) -> Self {
        self.points.extend(points);
        let classes = self.classes.len();
        assert!(
            self.points.iter().all(|point| point.class < classes),
            "a point is of none of the {classes} classes"
        );
        self
    }

    /// Draws the plot.
    ///
    /// # Errors
    ///
    /// No point, or a number that is not finite.
    pub fn figure(&self) -> Result<Figure, ReportError> {
        if self.points.is_empty() {
            return Err(ReportError::Empty {
                name: self.title.clone(),
            });
        }
        for numbers in [
            self.points.iter().map(|p| p.x).collect::<Vec<_>>(),
            self.points.iter().map(|p| p.y).collect(),
            self.points.iter().map(|p| p.value).collect(),
        ] {
            check_finite(&self.title, &numbers)?;
        }
        let bounds = self.upper_bounds();
        let shapes = self.classes.iter().enumerate().map(|(class, name)| Entry {
            name: name.clone(),
            ink: palette::MUTED,
            mark: Mark::Dot(class),
        });
        let colours = bounds.iter().enumerate().map(|(fifth, bound)| Entry {
            name: format!("{} ≤ {}", self.value_label, Unit::Plain.digits(*bound, 1)),
            ink: palette::ramp(fifth),
            mark: Mark::Area,
        });
        let alt = format!(
            "{} points, {}, coloured by {} in fifths up to {}.",
            self.points.len(),
            self.classes.join(" and "),
            self.value_label,
            bounds
                .iter()
                .map(|bound| Unit::Plain.digits(*bound, 1))
                .collect::<Vec<_>>()
                .join(", ")
        );
        let svg = Frame {
            title: &self.title,
            alt: &alt,
            x_label: "",
            y_label: &self.title,
            x: Axis::around(self.points.iter().map(|p| p.x), 4, Unit::Plain),
            y: Axis::around(self.points.iter().map(|p| p.y), 4, Unit::Plain),
            legend: shapes.chain(colours).collect(),
        }
        .draw(|canvas| {
            for point in &self.points {
                let fifth = fifth_of(&bounds, point.value);
                canvas.point((point.x, point.y), point.class, palette::ramp(fifth))?;
            }
            Ok(())
        })?;
        Ok(Figure {
            title: self.title.clone(),
            alt,
            svg,
            caption: String::new(),
            columns: ["x", "y", "value", "class"].map(str::to_owned).to_vec(),
            rows: self
                .points
                .iter()
                .map(|point| {
                    vec![
                        point.x.to_string(),
                        point.y.to_string(),
                        point.value.to_string(),
                        self.classes[point.class].clone(),
                    ]
                })
                .collect(),
        })
    }

    /// Largest value of each fifth.
    fn upper_bounds(&self) -> Vec<f64> {
        let mut values: Vec<f64> = self.points.iter().map(|point| point.value).collect();
        values.sort_by(f64::total_cmp);
        (1..=palette::RAMP_LENGTH)
            .map(|part| values[(part * values.len()).div_ceil(palette::RAMP_LENGTH) - 1])
            .collect()
    }
}

fn fifth_of(bounds: &[f64], value: f64) -> usize {
    bounds
        .iter()
        .position(|bound| value <= *bound)
        .unwrap_or(bounds.len() - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colour_is_by_fifth_and_shape_by_class() {
        let points = (0..10).map(|at| ScatterPoint {
            x: f64::from(at),
            y: f64::from(at % 2),
            value: f64::from(at * at),
            class: (at % 2) as usize,
        });
        let plot =
            ScatterPlot::new("Features", "BRISQUE", ["bona fide", "attack"]).with_points(points);
        assert_eq!(plot.upper_bounds(), [1.0, 9.0, 25.0, 49.0, 81.0]);
        assert_eq!(fifth_of(&plot.upper_bounds(), 9.0), 1);
        assert_eq!(fifth_of(&plot.upper_bounds(), 10.0), 2);
        let figure = plot.figure().unwrap();
        // Five circles of bona fide points and one in the legend.
        assert_eq!(figure.svg().matches("<circle").count(), 6);
        assert!(figure.svg().contains("BRISQUE ≤ 81.0"));
        assert_eq!(figure.csv().lines().nth(2), Some("1,1,1,attack"));
    }

    #[test]
    fn bad_input_is_named() {
        let empty = ScatterPlot::new("f", "v", ["a"]);
        assert!(empty.figure().is_err());
        let point = ScatterPoint {
            x: f64::NAN,
            y: 0.0,
            value: 0.0,
            class: 0,
        };
        assert!(empty.with_points([point]).figure().is_err());
    }
}
