//! Least-squares similarity transform between point sets: S. Umeyama, "Least-squares estimation of
//! transformation parameters between two point patterns", 1991, in two dimensions, no reflection.
//!
//! With points as complex numbers the fit is one division: `factor = sum(conj(f) t) / sum(|f|^2)`
//! over centred points. Where Umeyama's determinant would ask for a reflection, this is his
//! solution with the sign corrected.

/// `p -> factor * p + offset`, points taken as complex numbers `x + i y`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Similarity {
    factor: [f64; 2],
    offset: [f64; 2],
}

impl Similarity {
    /// The transform that changes nothing.
    pub const IDENTITY: Self = Self {
        factor: [1.0, 0.0],
        offset: [0.0, 0.0],
    };

    /// `p -> scale * p + offset`, without rotation.
    pub fn scaling(scale: f64, offset: [f64; 2]) -> Self {
        Self {
            factor: [scale, 0.0],
            offset,
        }
    }

    /// Least-squares fit of `to[i] = apply(from[i])`; `None` if either set has no extent or is not
    /// finite.
    pub fn between<const N: usize>(from: &[[f32; 2]; N], to: &[[f32; 2]; N]) -> Option<Self> {
        let (centre_from, centre_to) = (centroid(from), centroid(to));
        let (mut real, mut imaginary, mut energy) = (0.0, 0.0, 0.0);
        for (f, t) in from.iter().zip(to) {
            let [f, t] = [(f, centre_from), (t, centre_to)]
                .map(|(point, centre)| [0, 1].map(|axis| f64::from(point[axis]) - centre[axis]));
            real += f[0] * t[0] + f[1] * t[1];
            imaginary += f[0] * t[1] - f[1] * t[0];
            energy += f[0] * f[0] + f[1] * f[1];
        }
        let factor = [real / energy, imaginary / energy];
        let scale = factor[0].hypot(factor[1]);
        if !scale.is_finite() || scale < 1e-6 {
            return None;
        }
        let turned = multiply(factor, centre_from);
        Some(Self {
            factor,
            offset: [centre_to[0] - turned[0], centre_to[1] - turned[1]],
        })
    }

    /// Where `point` goes.
    pub fn apply(&self, point: [f64; 2]) -> [f64; 2] {
        let [x, y] = multiply(self.factor, point);
        [x + self.offset[0], y + self.offset[1]]
    }

    /// The transform back.
    ///
    /// # Panics
    ///
    /// Panics if the scale is zero, which no fit returns.
    pub fn inverse(&self) -> Self {
        let [a, b] = self.factor;
        let energy = a * a + b * b;
        assert!(energy > 0.0, "a transform of scale 0 has no inverse");
        let factor = [a / energy, -b / energy];
        let [x, y] = multiply(factor, self.offset);
        Self {
            factor,
            offset: [-x, -y],
        }
    }

    /// How many times longer distances become.
    pub fn scale(&self) -> f64 {
        self.factor[0].hypot(self.factor[1])
    }

    /// Rows of the 2 x 3 matrix: `[a, -b, x]`, `[b, a, y]`, for column vectors `(x, y, 1)`.
    pub fn matrix(&self) -> [[f64; 3]; 2] {
        let ([a, b], [x, y]) = (self.factor, self.offset);
        [[a, -b, x], [b, a, y]]
    }
}

/// Product of complex numbers.
fn multiply(a: [f64; 2], b: [f64; 2]) -> [f64; 2] {
    [a[0] * b[0] - a[1] * b[1], a[0] * b[1] + a[1] * b[0]]
}

fn centroid<const N: usize>(points: &[[f32; 2]; N]) -> [f64; 2] {
    [0, 1].map(|axis| points.iter().map(|p| f64::from(p[axis])).sum::<f64>() / N as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    const FROM: [[f32; 2]; 4] = [[1.0, 2.0], [5.0, 2.5], [3.0, 7.0], [-2.0, 4.0]];

    fn assert_close(a: [[f64; 3]; 2], b: [[f64; 3]; 2]) {
        for (a, b) in a.as_flattened().iter().zip(b.as_flattened()) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
    }

    #[test]
    fn a_known_similarity_is_recovered() {
        // turn by 90 degrees, scale by 2, shift by (10, -3): p -> 2 i p + (10 - 3 i)
        let to = FROM.map(|[x, y]| [-2.0 * y + 10.0, 2.0 * x - 3.0]);
        let fit = Similarity::between(&FROM, &to).unwrap();
        assert_close(fit.matrix(), [[0.0, -2.0, 10.0], [2.0, 0.0, -3.0]]);
        assert!((fit.scale() - 2.0).abs() < 1e-6);
    }

    #[test]
    fn noise_is_fitted_by_least_squares() {
        // Umeyama's own example: the source triangle and a mirrored, scaled target.
        let from = [[0.0, 0.0], [1.0, 0.0], [0.0, 2.0]];
        let to = [[0.0, 0.0], [-1.0, 0.0], [0.0, 2.0]];
        let fit = Similarity::between(&from, &to).unwrap();
        // R = [[0.832, 0.555], [-0.555, 0.832]], c = 0.721, t = [-0.8, 0.4]
        assert_close(fit.matrix(), [[0.6, 0.4, -0.8], [-0.4, 0.6, 0.4]]);
        assert!((fit.scale() - 0.721_110_255).abs() < 1e-6);
    }

    #[test]
    fn there_and_back_is_the_identity() {
        let to = FROM.map(|[x, y]| [0.3 * x - 0.8 * y + 4.0, 0.8 * x + 0.3 * y - 9.0]);
        let fit = Similarity::between(&FROM, &to).unwrap();
        let [x, y] = fit.inverse().apply(fit.apply([3.5, -1.25]));
        assert!((x - 3.5).abs() < 1e-9 && (y + 1.25).abs() < 1e-9);
        assert_close(
            Similarity::IDENTITY.inverse().matrix(),
            Similarity::scaling(1.0, [0.0; 2]).matrix(),
        );
    }

    #[test]
    fn points_without_extent_fit_nothing() {
        for points in [[[3.0, 3.0]; 4], [[f32::NAN, 1.0]; 4]] {
            assert_eq!(Similarity::between(&points, &FROM), None);
            assert_eq!(Similarity::between(&FROM, &points), None);
        }
    }
}
