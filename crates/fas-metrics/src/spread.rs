//! Mean and standard deviation over seeds or leave-one-out folds, the divisor named.

use serde::{Deserialize, Serialize};

use crate::MetricError;

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
}
