//! Mean-subtracted contrast-normalised coefficients, reference form in f64: Mittal, Moorthy and
//! Bovik 2012, "No-Reference Image Quality Assessment in the Spatial Domain", equations 1 to 3.
//!
//! `(x - mu) / (sigma + 1)` with a 7x7 Gaussian window of standard deviation 7/6 and zeros beyond
//! the border. Written as `E[x^2] - mu^2` the variance of a flat window is rounding noise whose
//! signs the features would count, so both passes work on differences from the centre: flat
//! windows and ramps give exactly zero.

/// Half the side of the window.
pub(crate) const RADIUS: usize = 3;

/// Weights of the window at distance `0 ..= 3`; `w[0] + 2 (w[1] + w[2] + w[3]) = 1`.
pub(crate) fn window() -> [f64; RADIUS + 1] {
    const SIGMA: f64 = 7.0 / 6.0;
    let raw = [0.0, 1.0, 2.0, 3.0].map(|d: f64| libm::exp(-d * d / (2.0 * SIGMA * SIGMA)));
    let sum = raw[0] + 2.0 * (raw[1] + raw[2] + raw[3]);
    raw.map(|w| w / sum)
}

/// Coefficients of a `width * height` plane of grey levels, row by row.
pub(crate) fn mscn(width: usize, height: usize, plane: &[f64]) -> Vec<f64> {
    let weights = window();
    let (mean, variance) = vertical(width, height, plane, &weights);
    let mut out = vec![0.0; plane.len()];
    for y in 0..height {
        let row = y * width..(y + 1) * width;
        let (mean, variance) = (&mean[row.clone()], &variance[row.clone()]);
        for (x, out) in out[row].iter_mut().enumerate() {
            let at = |values: &[f64], x: Option<usize>| {
                x.and_then(|x| values.get(x)).copied().unwrap_or(0.0)
            };
            // Law of total variance: mean of the column variances + variance of the column means.
            let (mut shift, mut total) = (0.0, weights[0] * variance[x]);
            for (k, w) in weights.iter().enumerate().skip(1) {
                let (left, right) = (x.checked_sub(k), Some(x + k));
                let (a, b) = (at(mean, left) - mean[x], at(mean, right) - mean[x]);
                shift += w * (a + b);
                total += w * (a * a + b * b + at(variance, left) + at(variance, right));
            }
            total -= shift * shift;
            // Rounding the sum to the precision of a grey level clears the noise that is left of
            // means which cancel exactly; a true difference is far larger.
            let mu = mean[x] + shift;
            *out = (plane[y * width + x] - mu) / (total.abs().sqrt() + 1.0);
        }
    }
    out
}

/// Weighted mean and variance of each column of seven.
fn vertical(
    width: usize,
    height: usize,
    plane: &[f64],
    weights: &[f64; RADIUS + 1],
) -> (Vec<f64>, Vec<f64>) {
    let (mut mean, mut variance) = (vec![0.0; plane.len()], vec![0.0; plane.len()]);
    for y in 0..height {
        for x in 0..width {
            let i = y * width + x;
            let centre = plane[i];
            let (mut shift, mut square) = (0.0, 0.0);
            for (k, w) in weights.iter().enumerate().skip(1) {
                let above = if y >= k { plane[i - k * width] } else { 0.0 };
                let below = if y + k < height {
                    plane[i + k * width]
                } else {
                    0.0
                };
                let (a, b) = (above - centre, below - centre);
                shift += w * (a + b);
                square += w * (a * a + b * b);
            }
            mean[i] = centre + shift;
            variance[i] = square - shift * shift;
        }
    }
    (mean, variance)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Equations 1 to 3 as printed: 49 products a pixel.
    fn direct(width: usize, height: usize, plane: &[f64]) -> Vec<f64> {
        let w = window();
        let window_sum = |x: usize, y: usize, f: &dyn Fn(f64) -> f64| {
            let mut sum = 0.0;
            for dy in -3_isize..=3 {
                for dx in -3_isize..=3 {
                    let (i, j) = (x as isize + dx, y as isize + dy);
                    let inside =
                        (0..width as isize).contains(&i) && (0..height as isize).contains(&j);
                    let value = if inside {
                        plane[j as usize * width + i as usize]
                    } else {
                        0.0
                    };
                    sum += w[dx.unsigned_abs()] * w[dy.unsigned_abs()] * f(value);
                }
            }
            sum
        };
        (0..plane.len())
            .map(|i| {
                let (x, y) = (i % width, i / width);
                let mu = window_sum(x, y, &|v| v);
                let sigma = window_sum(x, y, &|v| (v - mu) * (v - mu)).sqrt();
                (plane[i] - mu) / (sigma + 1.0)
            })
            .collect()
    }

    #[test]
    fn agrees_with_the_direct_window() {
        let (w, h) = (23, 17);
        let plane: Vec<f64> = (0..w * h)
            .map(|i| f64::from((i * i * 37 % 256) as u8))
            .collect();
        let (found, expected) = (mscn(w, h, &plane), direct(w, h, &plane));
        for (a, b) in found.iter().zip(&expected) {
            assert!((a - b).abs() < 1e-13, "{a} {b}");
        }
    }

    #[test]
    fn flat_windows_and_ramps_are_exactly_zero() {
        let (w, h) = (16, 15);
        for slope in [0.0, 3.0] {
            let plane: Vec<f64> = (0..w * h)
                .map(|i| 100.0 + slope * ((i % w) as f64 + (i / w) as f64))
                .collect();
            let found = mscn(w, h, &plane);
            for y in RADIUS..h - RADIUS {
                for x in RADIUS..w - RADIUS {
                    assert_eq!(found[y * w + x], 0.0);
                }
            }
        }
    }

    #[test]
    fn window_is_a_normalised_gaussian() {
        // exp(-d^2 / (2 (7/6)^2)) over its sum, worked out apart; fspecial('gaussian', 7, 7/6) is
        // the outer product of this with itself.
        let expected = [
            0.342_631_515_5,
            0.237_296_077_1,
            0.078_827_964_7,
            0.012_560_200_5,
        ];
        for (found, expected) in window().iter().zip(expected) {
            assert!((found - expected).abs() < 1e-10, "{found} {expected}");
        }
    }
}
