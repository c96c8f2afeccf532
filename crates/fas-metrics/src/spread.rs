//! Mean and standard deviation over seeds or leave-one-out folds, the divisor named.

use serde::{Deserialize, Serialize};
use statrs::distribution::{ContinuousCDF, StudentsT};

use crate::MetricError;
use crate::interval::{Interval, check_level};

/// Which standard deviation is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Deviation {
    /// Divides by `n`: these values are all there are (the four OCIM folds).
    Population,
    /// Divides by `n - 1`: these values are drawn from many (seeds).
    Sample,
}

/// Mean and standard deviation of one metric over several runs.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Spread {
    /// Mean.
    pub mean: f64,
    /// Standard deviation.
    pub std: f64,
    /// Its divisor.
    pub deviation: Deviation,
    /// Number of values.
    pub count: usize,
}

impl Spread {
    /// Mean and deviation of `values`.
    ///
    /// # Errors
    ///
    /// [`MetricError::TooFewValues`] for no value, or one value and a sample deviation;
    /// [`MetricError::NonFiniteScore`] for a value that is no number.
    pub fn of(values: &[f64], deviation: Deviation) -> Result<Self, MetricError> {
        let (needed, divisor) = match deviation {
            Deviation::Population => (1, values.len()),
            Deviation::Sample => (2, values.len().saturating_sub(1)),
        };
        if values.len() < needed {
            return Err(MetricError::TooFewValues {
                needed,
                count: values.len(),
            });
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(MetricError::NonFiniteScore {
                index,
                value: values[index],
            });
        }
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Ok(Self {
            mean,
            std: (squares / divisor as f64).sqrt(),
            deviation,
            count: values.len(),
        })
    }

    /// Interval of the mean by Student's distribution: `mean ± t(n - 1) s / sqrt(n)` with the sample
    /// deviation `s`. Its ends may lie outside `[0, 1]`.
    ///
    /// # Errors
    ///
    /// [`MetricError::InvalidLevel`], and [`MetricError::TooFewValues`] for one value.
    pub fn mean_interval(&self, level: f64) -> Result<Interval, MetricError> {
        check_level(level)?;
        if self.count < 2 {
            return Err(MetricError::TooFewValues {
                needed: 2,
                count: self.count,
            });
        }
        let freedom = (self.count - 1) as f64;
        let squares = match self.deviation {
            Deviation::Population => self.std * self.std * self.count as f64,
            Deviation::Sample => self.std * self.std * freedom,
        };
        let student = StudentsT::new(0.0, 1.0, freedom).expect("at least one degree of freedom");
        let error = (squares / freedom / self.count as f64).sqrt();
        let half = student.inverse_cdf(0.5 + level / 2.0) * error;
        Ok(Interval {
            lower: self.mean - half,
            upper: self.mean + half,
            level,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_divisors() {
        let values = [2.0, 4.0, 4.0, 4.0, 5.0, 5.0, 7.0, 9.0];
        let population = Spread::of(&values, Deviation::Population).unwrap();
        assert_eq!((population.mean, population.std), (5.0, 2.0));
        let sample = Spread::of(&values, Deviation::Sample).unwrap();
        assert!((sample.std - (32.0f64 / 7.0).sqrt()).abs() < 1e-15);
        assert!(Spread::of(&[1.0], Deviation::Sample).is_err());
        assert!(Spread::of(&[], Deviation::Population).is_err());
        assert!(Spread::of(&[f64::NAN, 1.0], Deviation::Sample).is_err());
    }

    #[test]
    fn intervals_of_the_mean() {
        // Quantiles of a table: t(0.975) = 12.7062 and 4.30265 with 1 and 2 degrees of freedom,
        // t(0.95) = 2.13185 with 4.
        let cases: [(&[f64], f64, f64); 3] = [
            (&[1.0, 3.0], 0.95, 12.7062),
            (&[1.0, 2.0, 3.0], 0.95, 4.30265 / 3f64.sqrt()),
            (
                &[1.0, 2.0, 3.0, 4.0, 5.0],
                0.9,
                2.13185 * (2.5f64 / 5.0).sqrt(),
            ),
        ];
        for (values, level, half) in cases {
            for deviation in [Deviation::Sample, Deviation::Population] {
                let spread = Spread::of(values, deviation).unwrap();
                let interval = spread.mean_interval(level).unwrap();
                assert!(
                    (interval.upper - spread.mean - half).abs() < 1e-4 * half,
                    "{interval:?}"
                );
                assert!(
                    (spread.mean - interval.lower - half).abs() < 1e-4 * half,
                    "{interval:?}"
                );
            }
        }
        let one = Spread::of(&[1.0], Deviation::Population).unwrap();
        assert!(one.mean_interval(0.95).is_err());
        let two = Spread::of(&[1.0, 2.0], Deviation::Sample).unwrap();
        assert!(two.mean_interval(1.0).is_err());
    }
}
