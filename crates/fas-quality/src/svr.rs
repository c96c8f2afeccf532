//! Support vector regression from features to score: the model of the LIVE release of 2011
//! (numbers and their licence notice in `data/`), epsilon-SVR with a radial basis kernel.

use std::sync::LazyLock;

use pulp::{Arch, Simd, WithSimd};

/// Number of features: 18 of the full-size image, then 18 of the half-size image.
pub const NUM_FEATURES: usize = 36;

const NUM_VECTORS: usize = 774;

/// Layout in `data/convert.py`.
static NUMBERS: &[u8] = include_bytes!("../data/brisque.f64");

pub(crate) static LIVE: LazyLock<Svr> = LazyLock::new(Svr::live);

/// The regression model.
pub(crate) struct Svr {
    gamma: f64,
    rho: f64,
    /// Lowest and highest value of each feature in the training data.
    ranges: [[f64; 2]; NUM_FEATURES],
    coefficients: Vec<f64>,
    /// Feature by feature, so that all distances grow side by side in vector registers.
    vectors: Vec<f64>,
}

impl Svr {
    fn live() -> Self {
        let mut numbers = NUMBERS
            .as_chunks::<8>()
            .0
            .iter()
            .map(|&bytes| f64::from_le_bytes(bytes));
        let mut next = || numbers.next().expect("data/brisque.f64 is complete");
        let (gamma, rho) = (next(), next());
        let ranges = std::array::from_fn(|_| [next(), next()]);
        let coefficients = (0..NUM_VECTORS).map(|_| next()).collect();
        let vectors = (0..NUM_FEATURES * NUM_VECTORS).map(|_| next()).collect();
        Self {
            gamma,
            rho,
            ranges,
            coefficients,
            vectors,
        }
    }

    /// Score of 36 features; lower is better, not clamped.
    pub(crate) fn predict(&self, features: &[f64; NUM_FEATURES]) -> f64 {
        let mut distances = [0.0; NUM_VECTORS];
        Arch::new().dispatch(Distances {
            point: &self.scale(features),
            vectors: &self.vectors,
            distances: &mut distances,
        });
        let terms = self.coefficients.iter().zip(&distances);
        terms.map(|(c, d)| c * (-self.gamma * d).exp()).sum::<f64>() - self.rho
    }

    /// To `[-1, 1]` over the training data, without clamping.
    fn scale(&self, features: &[f64; NUM_FEATURES]) -> [f64; NUM_FEATURES] {
        std::array::from_fn(|k| {
            let [low, high] = self.ranges[k];
            2.0 * (features[k] - low) / (high - low) - 1.0
        })
    }
}

/// Squared distances to all support vectors, compiled for each instruction set.
struct Distances<'a> {
    point: &'a [f64; NUM_FEATURES],
    vectors: &'a [f64],
    distances: &'a mut [f64; NUM_VECTORS],
}

impl WithSimd for Distances<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        for (&p, column) in self
            .point
            .iter()
            .zip(self.vectors.as_chunks::<NUM_VECTORS>().0)
        {
            for (distance, v) in self.distances.iter_mut().zip(column) {
                *distance += (p - v) * (p - v);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_those_of_the_release() {
        assert_eq!(
            NUMBERS.len(),
            8 * (2 + 2 * NUM_FEATURES + NUM_VECTORS * (NUM_FEATURES + 1))
        );
        let model = Svr::live();
        assert_eq!((model.gamma, model.rho), (0.05, -153.591));
        assert_eq!(model.ranges[0], [0.338, 10.0]);
        assert_eq!(model.ranges[35], [0.001118, 0.370399]);
        assert_eq!(model.coefficients[..3], [-1024.0, -1024.0, 1024.0]);
        // First entries of the first two support vectors, and the last of the first.
        assert_eq!(model.vectors[..2], [-0.596978, -0.747257]);
        assert_eq!(model.vectors[35 * NUM_VECTORS], -0.191255);
        // The constraint of the dual problem.
        assert!(model.coefficients.iter().sum::<f64>().abs() < 1e-2);
    }

    #[test]
    fn far_from_all_vectors_the_score_is_minus_rho() {
        assert_eq!(Svr::live().predict(&[1e3; NUM_FEATURES]), 153.591);
    }
}
