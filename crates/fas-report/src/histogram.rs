//! Histograms: detector scores with thresholds, BRISQUE of bona fide, simulated and generated images.

use crate::axis::Axis;
use crate::chart::{Entry, Frame, Mark};
use crate::error::check_finite;
use crate::{Figure, ReportError, Unit, palette};

/// Histograms of one or more series over common bins, each as shares of its own series.
#[derive(Clone, Debug)]
pub struct HistogramPlot {
    title: String,
    x_label: String,
    series: Vec<(String, Vec<f64>)>,
    thresholds: Vec<(String, f64)>,
    bins: usize,
}

impl HistogramPlot {
    /// An empty plot of 30 bins.
    pub fn new(title: &str, x_label: &str) -> Self {
        Self {
            title: title.to_owned(),
            x_label: x_label.to_owned(),
            series: Vec::new(),
            thresholds: Vec::new(),
            bins: 30,
        }
    }

    /// Adds a series of values.
    pub fn with_series(mut self, name: &str, values: Vec<f64>) -> Self {
        self.series.push((name.to_owned(), values));
        self
    }

    /// Marks a threshold; `policy` says how it was chosen.
    pub fn with_threshold(mut self, policy: &str, threshold: f64) -> Self {
        self.thresholds.push((policy.to_owned(), threshold));
        self
    }

    /// Sets the number of bins.
    ///
    /// # Panics
    ///
    /// If `bins` is 0.
    pub fn with_bins(mut self, bins: usize) -> Self {
        assert!(bins > 0, "a histogram needs at least one bin");
        self.bins = bins;
        self
    }

    /// Draws the plot. A bin holds its lower edge, the last bin both; thresholds widen the range.
    ///
    /// # Errors
    ///
    /// No series, an empty series, or a value or threshold that is not finite.
    pub fn figure(&self) -> Result<Figure, ReportError> {
        if self.series.is_empty() {
            return Err(ReportError::Empty {
                name: self.title.clone(),
            });
        }
        for (name, values) in &self.series {
            if values.is_empty() {
                return Err(ReportError::Empty { name: name.clone() });
            }
            check_finite(name, values)?;
        }
        for (policy, threshold) in &self.thresholds {
            check_finite(policy, &[*threshold])?;
        }
        let values = self.series.iter().flat_map(|(_, values)| values);
        let x = Axis::around(
            values
                .copied()
                .chain(self.thresholds.iter().map(|(_, value)| *value)),
            6,
            Unit::Plain,
        );
        let width = (x.end() - x.start()) / self.bins as f64;
        let edge = |bin: usize| x.start() + bin as f64 * width;
        let shares: Vec<Vec<f64>> = self
            .series
            .iter()
            .map(|(_, values)| {
                let mut counts = vec![0usize; self.bins];
                for value in values {
                    counts[(((value - x.start()) / width) as usize).min(self.bins - 1)] += 1;
                }
                counts
                    .into_iter()
                    .map(|count| count as f64 / values.len() as f64)
                    .collect()
            })
            .collect();

        let rows = (0..self.bins).map(|bin| {
            let mut row = vec![edge(bin).to_string(), edge(bin + 1).to_string()];
            row.extend(shares.iter().map(|series| series[bin].to_string()));
            row
        });
        let rows = rows.collect();
        let mut columns = vec!["from".to_owned(), "to".to_owned()];
        columns.extend(
            self.series
                .iter()
                .map(|(name, _)| format!("share of {name}")),
        );

        let alt = self.alt();
        let entry = |(index, (name, values)): (usize, &(String, Vec<f64>))| Entry {
            name: format!("{name} (n = {})", values.len()),
            ink: palette::series(index),
            mark: Mark::Area,
        };
        let opacity = if self.series.len() > 3 { 0.10 } else { 0.20 };
        let svg = Frame {
            title: &self.title,
            alt: &alt,
            x_label: &self.x_label,
            y_label: "share of each group, per bin",
            x: x.clone(),
            y: Axis::around(
                shares.iter().flatten().copied().chain([0.0]),
                5,
                Unit::Percent,
            ),
            legend: self.series.iter().enumerate().map(entry).collect(),
        }
        .draw(|canvas| {
            for (index, series) in shares.iter().enumerate() {
                let mut outline = vec![(edge(0), 0.0)];
                for (bin, share) in series.iter().enumerate() {
                    outline.extend([(edge(bin), *share), (edge(bin + 1), *share)]);
                }
                outline.push((edge(self.bins), 0.0));
                canvas.area(&outline, palette::series(index), opacity)?;
            }
            for (_, threshold) in &self.thresholds {
                canvas.vertical_rule(*threshold, palette::TEXT)?;
            }
            // Labels last, so that no line crosses them.
            for (row, (policy, threshold)) in (0..).zip(&self.thresholds) {
                let label = format!("{policy}: {threshold:.3}");
                canvas.rule_label(*threshold, &label, row, palette::TEXT)?;
            }
            Ok(())
        })?;
        Ok(Figure {
            title: self.title.clone(),
            alt,
            svg,
            caption: String::new(),
            columns,
            rows,
        })
    }

    fn alt(&self) -> String {
        let series = self.series.iter().map(|(name, values)| {
            format!(
                "{name}: {} values, median {:.3}",
                values.len(),
                median(values)
            )
        });
        let thresholds = self
            .thresholds
            .iter()
            .map(|(policy, value)| format!("threshold {policy} at {value:.3}"));
        let parts: Vec<_> = series.chain(thresholds).collect();
        format!("Histogram of {}. {}.", self.x_label, parts.join("; "))
    }
}

fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    (sorted[(sorted.len() - 1) / 2] + sorted[sorted.len() / 2]) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_known_values() {
        let figure = HistogramPlot::new("Scores", "score")
            .with_bins(4)
            .with_series("bona fide", vec![0.0, 0.25, 0.3, 1.0])
            .with_series("attack", vec![0.74, 0.75])
            .with_threshold("source EER", 0.5)
            .figure()
            .unwrap();
        assert_eq!(
            figure.csv(),
            "from,to,share of bona fide,share of attack\n\
             0,0.25,0.25,0\n0.25,0.5,0.5,0\n0.5,0.75,0,0.5\n0.75,1,0.25,0.5\n"
        );
        // left = 4 characters ("10 %") * 0.56 * 48 + 40 = 147, right = 1464, y from 1028 (0) to 196 (50 %).
        let outline = "points=\"147,1028 147,612 476,612 476,196 806,196 806,1028 1135,1028 1135,612 1464,612 1464,1028 \"";
        assert!(figure.svg().contains(outline), "{}", figure.svg());
        assert!(figure.svg().contains("source EER: 0.500"));
        assert!(
            figure.alt.contains("bona fide: 4 values, median 0.275"),
            "{}",
            figure.alt
        );
    }

    #[test]
    fn equal_values_and_bad_values() {
        assert!(
            HistogramPlot::new("h", "x")
                .with_series("s", vec![1.0; 3])
                .figure()
                .is_ok()
        );
        let error = HistogramPlot::new("h", "x")
            .with_series("s", vec![1.0, f64::INFINITY])
            .figure()
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "`s`, value 1: inf cannot be drawn; remove or repair it first"
        );
        assert!(
            HistogramPlot::new("h", "x")
                .with_series("s", vec![])
                .figure()
                .is_err()
        );
        assert!(HistogramPlot::new("h", "x").figure().is_err());
    }
}
