//! Shape fits: the generalised Gaussian (GGD) of the coefficients and the asymmetric one (AGGD) of
//! their neighbour products (Mittal, Moorthy and Bovik 2012, section III.A; moment matching after
//! Sharifi and Leon-Garcia 1995 and Lasmar et al. 2009).
//!
//! The shape `alpha` is the point of the grid `0.2, 0.201, ..., 10` whose moment ratio is nearest.
//! The ratio is monotone in `alpha`, so a bisection finds the two candidates that a scan of all
//! 9801 points would choose between.

use std::sync::LazyLock;

use crate::error::{Neighbour, QualityError, Scale};
use crate::moments::{Moments, ProductMoments};

/// Number of features of one scale: two of the GGD, four for each of four neighbours.
pub(crate) const FEATURES: usize = 18;

/// The grid of shapes and both moment ratios on it.
struct Grid {
    alphas: Vec<f64>,
    /// `G(1/a) G(3/a) / G(2/a)^2`, falling.
    ggd: Vec<f64>,
    /// `G(2/a)^2 / (G(1/a) G(3/a))`, rising.
    aggd: Vec<f64>,
    /// `G(2/a) / G(1/a) sqrt(G(1/a) / G(3/a))`: the mean over the difference of the deviations.
    mean: Vec<f64>,
}

static GRID: LazyLock<Grid> = LazyLock::new(|| {
    let alphas: Vec<f64> = (0..=9800).map(|i| 0.2 + f64::from(i) * 0.001).collect();
    let mut grid = Grid {
        ggd: Vec::new(),
        aggd: Vec::new(),
        mean: Vec::new(),
        alphas,
    };
    for &a in &grid.alphas {
        let [one, two, three] = [1.0, 2.0, 3.0].map(|k| libm::tgamma(k / a));
        grid.ggd.push(one * three / (two * two));
        grid.aggd.push(two * two / (one * three));
        grid.mean.push((two / one) * (one.sqrt() / three.sqrt()));
    }
    grid
});

/// The 18 features of one scale, from its sums.
///
/// # Errors
///
/// [`QualityError::NoContrast`] and [`QualityError::OneSided`] where the fit does not exist.
pub(crate) fn fit(moments: &Moments, scale: Scale) -> Result<[f64; FEATURES], QualityError> {
    if moments.sq == 0.0 {
        return Err(QualityError::NoContrast { scale });
    }
    let mut features = [0.0; FEATURES];
    let count = moments.count as f64;
    let (variance, mean_abs) = (moments.sq / count, moments.abs / count);
    features[0] = GRID.alphas[ggd_shape(variance / (mean_abs * mean_abs))];
    features[1] = variance;
    let products = moments.products.iter().zip(Neighbour::ALL);
    for ((sums, neighbour), out) in products.zip(features[2..].chunks_exact_mut(4)) {
        let fitted = fit_products(sums, count);
        out.copy_from_slice(&fitted.ok_or(QualityError::OneSided { scale, neighbour })?);
    }
    Ok(features)
}

/// Shape, mean, left variance and right variance; `None` when a side is empty.
fn fit_products(sums: &ProductMoments, count: f64) -> Option<[f64; 4]> {
    let left_variance = sums.left_sq / sums.left as f64;
    let right_variance = sums.right_sq / sums.right as f64;
    // Also refuses products so small that their squares vanish, and 0 / 0 of an empty side.
    if !(left_variance > 0.0 && right_variance > 0.0) {
        return None;
    }
    let (left, right) = (left_variance.sqrt(), right_variance.sqrt());
    let mean_abs = sums.abs / count;
    let ratio = mean_abs * mean_abs / ((sums.left_sq + sums.right_sq) / count);
    let g = left / right;
    let shape = aggd_shape(ratio * (g.powi(3) + 1.0) * (g + 1.0) / (g * g + 1.0).powi(2));
    let mean = (right - left) * GRID.mean[shape];
    Some([GRID.alphas[shape], mean, left_variance, right_variance])
}

/// Index of the grid point with the smallest `|ratio - ggd|`, the first of equals.
fn ggd_shape(ratio: f64) -> usize {
    let first_below = GRID.ggd.partition_point(|&r| r > ratio);
    nearest(first_below, |i| (ratio - GRID.ggd[i]).abs())
}

/// Index of the grid point with the smallest `(ratio - aggd)^2`, the first of equals.
fn aggd_shape(ratio: f64) -> usize {
    let first_above = GRID.aggd.partition_point(|&r| r < ratio);
    nearest(first_above, |i| (GRID.aggd[i] - ratio).powi(2))
}

fn nearest(upper: usize, distance: impl Fn(usize) -> f64) -> usize {
    let upper = upper.min(GRID.alphas.len() - 1);
    let lower = upper.saturating_sub(1);
    if distance(lower) <= distance(upper) {
        lower
    } else {
        upper
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The definition: the first minimum over the whole grid.
    fn scan(distance: impl Fn(usize) -> f64) -> usize {
        let mut best = 0;
        for i in 1..GRID.alphas.len() {
            if distance(i) < distance(best) {
                best = i;
            }
        }
        best
    }

    #[test]
    fn bisection_is_the_argmin_of_a_scan() {
        assert!(GRID.ggd.is_sorted_by(|a, b| a > b));
        assert!(GRID.aggd.is_sorted_by(|a, b| a < b));
        let between = |table: &[f64], step: usize| -> Vec<f64> {
            let pairs = table.windows(2).step_by(step);
            pairs
                .flat_map(|w| [w[0], (w[0] + w[1]) / 2.0, w[0] * 0.3 + w[1] * 0.7])
                .collect()
        };
        let outside = [0.0, 1e-3, 0.5, 0.9, 1.0, 1.2, 5.0, 1e3, 1e9];
        for ratio in between(&GRID.ggd, 97).into_iter().chain(outside) {
            assert_eq!(
                ggd_shape(ratio),
                scan(|i| (ratio - GRID.ggd[i]).abs()),
                "{ratio}"
            );
        }
        for ratio in between(&GRID.aggd, 97).into_iter().chain(outside) {
            assert_eq!(
                aggd_shape(ratio),
                scan(|i| (GRID.aggd[i] - ratio).powi(2)),
                "{ratio}"
            );
        }
    }

    #[test]
    fn known_distributions_have_their_shape() {
        // Gaussian: E[x^2] / E[|x|]^2 = pi / 2. Laplace: 2.
        assert_eq!(GRID.alphas[ggd_shape(std::f64::consts::FRAC_PI_2)], 2.0);
        assert_eq!(GRID.alphas[ggd_shape(2.0)], 1.0);
        assert_eq!(GRID.alphas[aggd_shape(2.0 / std::f64::consts::PI)], 2.0);
    }

    #[test]
    fn a_symmetric_fit_has_mean_zero() {
        let sums = ProductMoments {
            abs: 8.0,
            left_sq: 6.0,
            right_sq: 6.0,
            left: 5,
            right: 5,
        };
        let [alpha, mean, left, right] = fit_products(&sums, 10.0).unwrap();
        // (mean |x|)^2 / mean x^2 = 0.64 / 1.2: between Laplace (1/2) and Gaussian (2/pi).
        assert!(alpha > 1.0 && alpha < 2.0);
        assert_eq!((mean, left, right), (0.0, 1.2, 1.2));
    }

    #[test]
    fn empty_sides_are_named() {
        let one_sided = ProductMoments {
            abs: 1.0,
            right_sq: 1.0,
            right: 4,
            ..Default::default()
        };
        let moments = Moments {
            count: 4,
            abs: 2.0,
            sq: 2.0,
            products: [one_sided; 4],
        };
        let found = fit(&moments, Scale::Half).unwrap_err();
        let neighbour = Neighbour::Horizontal;
        assert_eq!(
            found,
            QualityError::OneSided {
                scale: Scale::Half,
                neighbour
            }
        );
        let found = fit(
            &Moments {
                count: 4,
                ..Default::default()
            },
            Scale::Full,
        )
        .unwrap_err();
        assert_eq!(found, QualityError::NoContrast { scale: Scale::Full });
    }
}
