//! The sigmoid linear unit and its slope on vectors.

use pulp::Simd;

use crate::exp::decay;

/// `x / (1 + exp(-x))`, within 4e-7 of the value, relative, for `|x| <= 87.33`.
///
/// Below -87.33 the result is zero, an error under 1.1e-36; minus infinity gives NaN, as
/// `x sigmoid(x)` does.
#[inline(always)]
pub(crate) fn silu<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let e = decay(simd, x);
    // exp(-|x|) never overflows: both signs use it.
    let positive = simd.greater_than_or_equal_f32s(x, simd.splat_f32s(0.0));
    let numerator = simd.select_f32s(positive, one, e);
    simd.mul_f32s(x, simd.div_f32s(numerator, simd.add_f32s(one, e)))
}

/// Derivative of [`silu`], within 6e-7 of the value.
///
/// With `s = sigmoid(x)` it is `s + x s (1 - s)`, and `s (1 - s) = e / (1 + e)^2` without
/// cancellation.
#[inline(always)]
pub(crate) fn silu_slope<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    let e = decay(simd, x);
    let d = simd.div_f32s(one, simd.add_f32s(one, e));
    let ed = simd.mul_f32s(e, d);
    let positive = simd.greater_than_or_equal_f32s(x, simd.splat_f32s(0.0));
    let s = simd.select_f32s(positive, d, ed);
    simd.mul_add_e_f32s(x, simd.mul_f32s(ed, d), s)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::WithSimd;

    /// Replaces values by SiLU or its slope.
    struct Apply<'a>(&'a mut [f32], bool);

    impl WithSimd for Apply<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            for chunk in self.0.chunks_mut(S::F32_LANES) {
                let x = simd.partial_load_f32s(chunk);
                let y = if self.1 {
                    silu_slope(simd, x)
                } else {
                    silu(simd, x)
                };
                simd.partial_store_f32s(chunk, y);
            }
        }
    }

    fn apply(x: &[f32], slope: bool) -> Vec<f32> {
        let mut y = x.to_vec();
        crate::simd::dispatch(Apply(&mut y, slope));
        y
    }

    /// Every 509th of the floats from 2^-30 to 87.33 and a fine grid, with both signs.
    fn arguments() -> Vec<f32> {
        let bits = 2.0_f32.powi(-30).to_bits()..87.33_f32.to_bits();
        let mut x: Vec<f32> = bits.step_by(509).map(f32::from_bits).collect();
        x.extend((0..87_330).map(|i| i as f32 * 1e-3));
        x.extend(x.clone().iter().map(|v| -v));
        x
    }

    fn assert_all(x: &[f32], y: &[f32], bound: f64, error: impl Fn(f64, f64) -> f64) {
        for (x, y) in x.iter().zip(y) {
            let error = error(f64::from(*x), f64::from(*y));
            assert!(error < bound, "at {x}: {y}, error {error:e}");
        }
    }

    fn sigmoid(x: f64) -> f64 {
        1.0 / (1.0 + (-x).exp())
    }

    #[test]
    fn errors_are_bounded() {
        let x = arguments();
        assert_all(&x, &apply(&x, false), 4e-7, |x, y| {
            if x == 0.0 {
                y.abs()
            } else {
                (y / (x * sigmoid(x)) - 1.0).abs()
            }
        });
        assert_all(&x, &apply(&x, true), 6e-7, |x, y| {
            let s = sigmoid(x);
            (y - s * (1.0 + x * (1.0 - s))).abs()
        });
    }

    #[test]
    fn limits_are_exact() {
        let x = [0.0, -0.0, 88.0, 1e30, f32::INFINITY, -88.0, -1e30];
        let y = [0.0, 0.0, 88.0, 1e30, f32::INFINITY, 0.0, 0.0];
        assert_eq!(apply(&x, false), y);
        assert_eq!(apply(&x[..4], true), [0.5, 0.5, 1.0, 1.0]);
        assert_eq!(apply(&x[5..], true), [0.0, 0.0]);
        for y in apply(&[f32::NAN, f32::NEG_INFINITY], false) {
            assert!(y.is_nan());
        }
    }
}
