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
    groups: Vec<Group>,
}

/// Support vectors that stand side by side in a group.
const GROUP: usize = 16;

/// A few support vectors, feature by feature, so that their distances grow side by side in vector
/// registers; they start at a cache line. The last group is filled up with coefficients of zero.
#[repr(align(64))]
struct Group {
    vectors: [[f64; GROUP]; NUM_FEATURES],
    coefficients: [f64; GROUP],
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
        let empty = || Group {
            vectors: [[0.0; GROUP]; NUM_FEATURES],
            coefficients: [0.0; GROUP],
        };
        let mut groups: Vec<_> = std::iter::repeat_with(empty)
            .take(NUM_VECTORS.div_ceil(GROUP))
            .collect();
        for i in 0..NUM_VECTORS {
            groups[i / GROUP].coefficients[i % GROUP] = next();
        }
        for k in 0..NUM_FEATURES {
            for i in 0..NUM_VECTORS {
                groups[i / GROUP].vectors[k][i % GROUP] = next();
            }
        }
        Self {
            gamma,
            rho,
            ranges,
            groups,
        }
    }

    /// Score of 36 features; lower is better, not clamped.
    pub(crate) fn predict(&self, features: &[f64; NUM_FEATURES]) -> f64 {
        let point = self.scale(features);
        Arch::new().dispatch(KernelSum {
            model: self,
            point: &point,
        }) - self.rho
    }

    /// To `[-1, 1]` over the training data, without clamping.
    fn scale(&self, features: &[f64; NUM_FEATURES]) -> [f64; NUM_FEATURES] {
        std::array::from_fn(|k| {
            let [low, high] = self.ranges[k];
            2.0 * (features[k] - low) / (high - low) - 1.0
        })
    }
}

/// `sum_i c_i exp(-gamma |p - v_i|^2)`, compiled for each instruction set.
struct KernelSum<'a> {
    model: &'a Svr,
    point: &'a [f64; NUM_FEATURES],
}

impl WithSimd for KernelSum<'_> {
    type Output = f64;

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) -> f64 {
        let Self { model, point } = self;
        let mut sum = 0.0;
        for group in &model.groups {
            let mut terms = [0.0; GROUP];
            for (&p, column) in point.iter().zip(&group.vectors) {
                for (distance, v) in terms.iter_mut().zip(column) {
                    *distance += (p - v) * (p - v);
                }
            }
            for (term, c) in terms.iter_mut().zip(&group.coefficients) {
                *term = c * exp_negative(model.gamma * *term);
            }
            // One after the other, while the next group is on its way from the cache.
            for term in terms {
                sum += term;
            }
        }
        sum
    }
}

/// `1 / n!`.
const INVERSE_FACTORIALS: [f64; 14] = {
    let mut table = [1.0; 14];
    let mut n = 1;
    let mut factorial = 1.0;
    while n < table.len() {
        factorial *= n as f64;
        table[n] = 1.0 / factorial;
        n += 1;
    }
    table
};

/// `exp(-x)` for `x >= 0` within two units in the last place; below `1e-304` it may give that.
///
/// Free of branches and calls, so that it becomes vector code: the library's exponential would take
/// as long as all distances.
#[inline(always)]
fn exp_negative(x: f64) -> f64 {
    /// Adding and subtracting `1.5 * 2^52` rounds to a whole number.
    const MAGIC: f64 = 6_755_399_441_055_744.0;
    const LN_2_HIGH: f64 = 6.931_471_803_691_238e-1;
    const LN_2_LOW: f64 = 1.908_214_929_270_587_7e-10;
    let x = -x.min(700.0);
    let shifted = x * std::f64::consts::LOG2_E + MAGIC;
    let power = shifted - MAGIC;
    let r = (x - power * LN_2_HIGH) - power * LN_2_LOW;
    // Taylor series; |r| <= ln(2) / 2, so the first term left out is below 5e-18. Pairs of terms,
    // written out: a loop over the degree would keep the one over the vectors scalar.
    let (r2, pair) = (r * r, |n: usize| {
        INVERSE_FACTORIALS[n] + INVERSE_FACTORIALS[n + 1] * r
    });
    let high = pair(8) + r2 * (pair(10) + r2 * pair(12));
    let sum = pair(0) + r2 * (pair(2) + r2 * (pair(4) + r2 * (pair(6) + r2 * high)));
    let exponent = shifted
        .to_bits()
        .wrapping_sub(MAGIC.to_bits())
        .wrapping_add(1023);
    sum * f64::from_bits(exponent << 52)
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
        let first = &model.groups[0];
        assert_eq!(first.coefficients[..3], [-1024.0, -1024.0, 1024.0]);
        // First entries of the first two support vectors, and the last of the first.
        assert_eq!(first.vectors[0][..2], [-0.596978, -0.747257]);
        assert_eq!(first.vectors[35][0], -0.191255);
        // The constraint of the dual problem.
        let coefficients = model.groups.iter().flat_map(|group| group.coefficients);
        assert!(coefficients.sum::<f64>().abs() < 1e-2);
    }

    #[test]
    fn exponential_agrees_with_the_library() {
        for i in 0..70_000 {
            let x = f64::from(i) * 0.01;
            let (found, expected) = (exp_negative(x), (-x).exp());
            assert!(
                (found / expected - 1.0).abs() < 5e-16,
                "exp(-{x}): {found} {expected}"
            );
        }
        assert_eq!(exp_negative(0.0), 1.0);
        assert!(exp_negative(1e6) < 1e-303);
    }

    #[test]
    fn far_from_all_vectors_the_score_is_minus_rho() {
        assert_eq!(Svr::live().predict(&[1e3; NUM_FEATURES]), 153.591);
    }
}
