//! The Gaussian error linear unit and its slope on vectors.

use pulp::Simd;

use super::tail::{TAIL, WIDTH};
use crate::elementwise::Unary;
use crate::exp::{decay, exp_of_product};

/// `x Phi(x)`, where `Phi` is the normal distribution.
#[derive(Clone, Copy)]
pub(super) struct Erf;

impl Erf {
    /// `exp(-x^2 / 2)` and `Phi(-|x|)`, each to a few units in the last place.
    #[inline(always)]
    fn tail<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
        let splat = |value: f32| simd.splat_f32s(value);
        let negative_half = simd.mul_f32s(x, splat(-0.5));
        let e = exp_of_product(simd, negative_half, x, simd.mul_f32s(negative_half, x));

        let width = splat(WIDTH);
        let denominator = simd.mul_add_e_f32s(simd.abs_f32s(x), width, splat(1.0));
        let t = simd.div_f32s(splat(1.0), denominator);
        let (last, rest) = TAIL.split_last().expect("not empty");
        let mut p = splat(*last);
        for coefficient in rest.iter().rev() {
            p = simd.mul_add_e_f32s(p, t, splat(*coefficient));
        }
        (e, simd.mul_f32s(simd.mul_f32s(p, t), e))
    }

    /// `Phi(x)` from `Phi(-|x|)`.
    #[inline(always)]
    fn distribution<S: Simd>(simd: S, x: S::f32s, tail: S::f32s) -> S::f32s {
        let zero = simd.splat_f32s(0.0);
        let upper = simd.sub_f32s(simd.splat_f32s(1.0), tail);
        simd.select_f32s(simd.less_than_f32s(x, zero), tail, upper)
    }
}

impl Unary for Erf {
    #[inline(always)]
    fn value<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        let (_, tail) = Self::tail(simd, x);
        simd.mul_f32s(x, Self::distribution(simd, x, tail))
    }

    #[inline(always)]
    fn slope<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        let (e, tail) = Self::tail(simd, x);
        // 1 / sqrt(2 pi)
        let density = simd.mul_f32s(e, simd.splat_f32s(0.398_942_3));
        simd.mul_add_e_f32s(x, density, Self::distribution(simd, x, tail))
    }
}

/// `x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3))`, which is the form with `tanh`.
#[derive(Clone, Copy)]
pub(super) struct Tanh;

/// `2 sqrt(2 / pi)`.
const LINEAR: f32 = 1.595_769;
/// `2 sqrt(2 / pi) 0.044715`.
const CUBIC: f32 = 0.071_354_814;

impl Unary for Tanh {
    #[inline(always)]
    fn value<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        let one = simd.splat_f32s(1.0);
        let square = simd.mul_f32s(x, x);
        let line = simd.mul_add_e_f32s(square, simd.splat_f32s(CUBIC), simd.splat_f32s(LINEAR));
        let e = decay(simd, simd.mul_f32s(x, line));
        // exp(-|y|) never overflows: both signs use it.
        let positive = simd.greater_than_or_equal_f32s(x, simd.splat_f32s(0.0));
        let numerator = simd.select_f32s(positive, one, e);
        simd.mul_f32s(x, simd.div_f32s(numerator, simd.add_f32s(one, e)))
    }

    #[inline(always)]
    fn slope<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        let splat = |value: f32| simd.splat_f32s(value);
        let one = splat(1.0);
        let square = simd.mul_f32s(x, x);
        let line = simd.mul_add_e_f32s(square, splat(CUBIC), splat(LINEAR));
        let e = decay(simd, simd.mul_f32s(x, line));
        let d = simd.div_f32s(one, simd.add_f32s(one, e));
        let ed = simd.mul_f32s(e, d);
        let positive = simd.greater_than_or_equal_f32s(x, splat(0.0));
        let s = simd.select_f32s(positive, d, ed);
        let inner = simd.mul_add_e_f32s(square, splat(3.0 * CUBIC), splat(LINEAR));
        let spread = simd.mul_f32s(simd.mul_f32s(ed, d), inner);
        simd.mul_add_e_f32s(x, spread, s)
    }
}
