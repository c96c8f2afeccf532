//! Exact binomial intervals: Clopper and Pearson (1934).

use serde::{Deserialize, Serialize};
use statrs::distribution::{Beta, ContinuousCDF};

use crate::MetricError;
use crate::rates::Proportion;

/// A two-sided confidence interval of a rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Interval {
    /// Lower end.
    pub lower: f64,
    /// Upper end.
    pub upper: f64,
    /// Confidence, in `(0, 1)`.
    pub level: f64,
}

impl Interval {
    /// Clopper-Pearson interval of `proportion`: `Beta⁻¹(α/2; x, n-x+1)` to
    /// `Beta⁻¹(1-α/2; x+1, n-x)`, the ends 0 and 1 where `x` is 0 or `n`.
    ///
    /// It takes decisions as independent. Frames of one video are not: see
    /// [`Bootstrap`](crate::Bootstrap).
    ///
    /// # Errors
    ///
    /// [`MetricError::InvalidLevel`].
    ///
    /// # Panics
    ///
    /// If there are more errors than trials.
    pub fn clopper_pearson(proportion: Proportion, level: f64) -> Result<Self, MetricError> {
        check_level(level)?;
        let Proportion { errors, trials } = proportion;
        assert!(errors <= trials, "{errors} errors in {trials} trials");
        let alpha = 1.0 - level;
        let (x, n) = (errors as f64, trials as f64);
        let lower = if errors == 0 {
            0.0
        } else {
            quantile(x, n - x + 1.0, alpha / 2.0)
        };
        let upper = if errors == trials {
            1.0
        } else {
            quantile(x + 1.0, n - x, 1.0 - alpha / 2.0)
        };
        Ok(Self {
            lower,
            upper,
            level,
        })
    }
}

pub(crate) fn check_level(level: f64) -> Result<(), MetricError> {
    if level > 0.0 && level < 1.0 {
        Ok(())
    } else {
        Err(MetricError::InvalidLevel(level))
    }
}

/// Quantile of the beta distribution by bisection of its distribution function to the last bit:
/// the Newton iteration of `statrs` 0.19 is off by 0.16 % for 3 errors in a million trials.
fn quantile(a: f64, b: f64, probability: f64) -> f64 {
    let beta = Beta::new(a, b).expect("both shapes are at least 1");
    let (mut low, mut high) = (0.0, 1.0);
    loop {
        let middle = f64::midpoint(low, high);
        if middle <= low || middle >= high {
            return middle;
        }
        if beta.cdf(middle) < probability {
            low = middle;
        } else {
            high = middle;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn interval(errors: u64, trials: u64, level: f64) -> (f64, f64) {
        let interval = Interval::clopper_pearson(Proportion { errors, trials }, level).unwrap();
        (interval.lower, interval.upper)
    }

    #[test]
    fn closed_forms() {
        // No error: the upper end is 1 - (α/2)^(1/n). One: the lower is 1 - (1 - α/2)^(1/n).
        for n in [1u64, 10, 108, 5400, 1_000_000] {
            let root = 1.0 / n as f64;
            let (lower, upper) = interval(0, n, 0.95);
            let expected = -(0.025f64.ln() * root).exp_m1();
            assert_eq!(lower, 0.0);
            assert!(
                (upper / expected - 1.0).abs() < 1e-9,
                "{n}: {upper} {expected}"
            );
            let (lower, _) = interval(1, n, 0.95);
            let expected = -(0.975f64.ln() * root).exp_m1();
            assert!(
                (lower / expected - 1.0).abs() < 1e-9,
                "{n}: {lower} {expected}"
            );
            assert_eq!(interval(n, n, 0.95).1, 1.0);
        }
    }

    #[test]
    fn is_its_own_mirror() {
        for (x, n) in [(1, 10), (3, 10), (5, 10), (7, 200), (150, 1000)] {
            let (lower, upper) = interval(x, n, 0.9);
            let (mirror_lower, mirror_upper) = interval(n - x, n, 0.9);
            assert!((lower - (1.0 - mirror_upper)).abs() < 1e-12);
            assert!((upper - (1.0 - mirror_lower)).abs() < 1e-12);
            assert!(lower < x as f64 / n as f64 && upper > x as f64 / n as f64);
        }
    }

    /// The defining tail sums, counted directly.
    #[test]
    fn tails_hold_half_of_alpha_each() {
        let (x, n) = (5u64, 50u64);
        let (lower, upper) = interval(x, n, 0.95);
        let at_most = |k: u64, p: f64| -> f64 {
            let mut term = (1.0 - p).powi(n as i32);
            let mut sum = term;
            for i in 0..k {
                term *= (n - i) as f64 / (i + 1) as f64 * p / (1.0 - p);
                sum += term;
            }
            sum
        };
        assert!((at_most(x, upper) - 0.025).abs() < 1e-12);
        assert!((1.0 - at_most(x - 1, lower) - 0.025).abs() < 1e-12);
        assert!((lower - 0.033_275).abs() < 1e-6 && (upper - 0.218_135).abs() < 1e-6);
    }

    #[test]
    fn refuses_a_level_of_one() {
        for level in [0.0, 1.0, 95.0, f64::NAN] {
            let proportion = Proportion {
                errors: 1,
                trials: 2,
            };
            assert!(Interval::clopper_pearson(proportion, level).is_err());
        }
    }
}
