//! The Gaussian error linear unit and its slope on vectors.

use pulp::Simd;

use super::tail::{TAIL, WIDTH};
use crate::elementwise::Unary;
use crate::exp::{decay, exp_of_product};

/// From here down `Phi` is taken as zero.
const FARTHEST: f32 = 5.5;
/// Coefficients of the eighth root of `Phi(-|x|)` in powers of `|x| - FARTHEST / 2`, lowest first: a minimax
/// fit for `|x| <= FARTHEST`, whose eighth power is within 9.3e-8, relative.
const ROOT: [f32; 11] = [
    0.483_362_23,
    -0.184_389,
    7.347_706_2e-3,
    5.771_992_7e-3,
    -5.991_708e-4,
    -1.162_465_3e-4,
    2.096_13e-5,
    7.825_444e-7,
    -3.375_256e-7,
    5.951_902e-9,
    2.077_498e-9,
];

/// `x Phi(x)`, where `Phi` is the normal distribution.
#[derive(Clone, Copy)]
pub(super) struct Erf;

impl Erf {
    /// `Phi(-|x|)` without exponential and division, for the value alone: each relative error of the root
    /// counts eight times.
    #[inline(always)]
    fn short_tail<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
        let splat = |value: f32| simd.splat_f32s(value);
        let distance = simd.abs_f32s(x);
        let t = simd.sub_f32s(distance, splat(FARTHEST / 2.0));
        let root = polynomial(simd, &ROOT, t);
        let square = simd.mul_f32s(root, root);
        let fourth = simd.mul_f32s(square, square);
        let tail = simd.mul_f32s(fourth, fourth);
        let vanished = simd.less_than_f32s(splat(FARTHEST), distance);
        simd.select_f32s(vanished, splat(0.0), tail)
    }

    /// `exp(-x^2 / 2)` and `Phi(-|x|)`, each to a few units in the last place.
    #[inline(always)]
    fn tail<S: Simd>(simd: S, x: S::f32s) -> (S::f32s, S::f32s) {
        let splat = |value: f32| simd.splat_f32s(value);
        let negative_half = simd.mul_f32s(x, splat(-0.5));
        let e = exp_of_product(simd, negative_half, x, simd.mul_f32s(negative_half, x));

        let width = splat(WIDTH);
        let denominator = simd.mul_add_e_f32s(simd.abs_f32s(x), width, splat(1.0));
        let t = simd.div_f32s(splat(1.0), denominator);
        let p = polynomial(simd, &TAIL, t);
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
        let tail = Self::short_tail(simd, x);
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

/// The polynomial in `t` of these coefficients, lowest first.
#[inline(always)]
fn polynomial<S: Simd, const N: usize>(simd: S, coefficients: &[f32; N], t: S::f32s) -> S::f32s {
    let (last, rest) = coefficients.split_last().expect("not empty");
    let mut p = simd.splat_f32s(*last);
    for coefficient in rest.iter().rev() {
        p = simd.mul_add_e_f32s(p, t, simd.splat_f32s(*coefficient));
    }
    p
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
