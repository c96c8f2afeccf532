//! The exponential function on vectors, for arguments up to zero.

use pulp::Simd;

/// Below this `exp` is taken as zero: its exponent would leave the range of normal numbers.
pub(crate) const SMALLEST: f32 = -87.33;

/// `exp(x)` for `x <= 0`, within 1.5e-7 of the value, relative, for `x >= -87.33`, and zero below.
/// NaN gives any number: callers restore it.
#[inline(always)]
fn exp_or_any<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let one = simd.splat_f32s(1.0);
    exp_of_product(simd, one, x, x)
}

/// `exp(a b)` for `a b <= 0`, with the bounds of [`exp_or_any`]; `product` is `a b` rounded.
///
/// `exp` is split as `2^n exp(r)`, `|r| <= ln 2 / 2`. The product enters `r` unrounded, through a fused
/// multiply-add: the rounding error of a large exponent would be a relative error of the result.
#[inline(always)]
pub(crate) fn exp_of_product<S: Simd>(
    simd: S,
    a: S::f32s,
    b: S::f32s,
    product: S::f32s,
) -> S::f32s {
    let splat = |value: f32| simd.splat_f32s(value);

    // Adding 1.5 * 2^23 rounds to an integer, which ends up in the low bits.
    let magic = splat(12_582_912.0);
    let shifted = simd.mul_add_e_f32s(product, splat(core::f32::consts::LOG2_E), magic);
    let n = simd.sub_f32s(shifted, magic);
    // ln 2 in two parts, the first exact in so few bits that its product with n is exact.
    let r = simd.mul_add_e_f32s(a, b, simd.mul_f32s(n, splat(-0.693_359_4)));
    let r = simd.mul_add_e_f32s(n, splat(2.121_944_4e-4), r);

    // Minimax fit of (exp(r) - 1 - r) / r^2: within 3.1e-9 of exp, relative.
    let p = splat(1.381_456e-3);
    let p = simd.mul_add_e_f32s(p, r, splat(8.368_736e-3));
    let p = simd.mul_add_e_f32s(p, r, splat(4.166_839e-2));
    let p = simd.mul_add_e_f32s(p, r, splat(1.666_652_1e-1));
    let p = simd.mul_add_e_f32s(p, r, splat(0.499_999_94));
    let p = simd.mul_add_e_f32s(simd.mul_f32s(p, r), r, simd.add_f32s(r, splat(1.0)));

    let exponent = simd.wrapping_dyn_shl_u32s(
        simd.transmute_u32s_f32s(shifted),
        simd.splat_u32s(f32::MANTISSA_DIGITS - 1),
    );
    let e = simd.transmute_f32s_u32s(simd.add_u32s(simd.transmute_u32s_f32s(p), exponent));
    // Below, all of the above is nonsense, and replaced.
    let vanished = simd.less_than_f32s(product, splat(SMALLEST));
    simd.select_f32s(vanished, splat(0.0), e)
}

/// `exp(-|x|)`, with the bounds of [`exp_or_any`].
#[inline(always)]
pub(crate) fn decay<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    exp_or_any(simd, simd.or_f32s(simd.splat_f32s(-0.0), x))
}

/// `exp(x)` for `x <= 0`, with the bounds of [`exp_or_any`]; NaN stays NaN.
#[inline(always)]
pub(crate) fn exp<S: Simd>(simd: S, x: S::f32s) -> S::f32s {
    let e = exp_or_any(simd, x);
    simd.select_f32s(simd.equal_f32s(x, x), e, x)
}

#[cfg(test)]
mod tests {
    use super::*;
    use pulp::WithSimd;

    struct Apply<'a>(&'a mut [f32]);

    impl WithSimd for Apply<'_> {
        type Output = ();
        #[inline(always)]
        fn with_simd<S: Simd>(self, simd: S) {
            for chunk in self.0.chunks_mut(S::F32_LANES) {
                let y = exp(simd, simd.partial_load_f32s(chunk));
                simd.partial_store_f32s(chunk, y);
            }
        }
    }

    fn apply(x: &[f32]) -> Vec<f32> {
        let mut y = x.to_vec();
        crate::simd::dispatch(Apply(&mut y));
        y
    }

    #[test]
    fn errors_are_bounded() {
        let x: Vec<f32> = (0..873_300).map(|i| i as f32 * -1e-4).collect();
        for (x, y) in x.iter().zip(apply(&x)) {
            let error = (f64::from(y) / f64::from(*x).exp() - 1.0).abs();
            assert!(error < 1.5e-7, "exp({x}) = {y}: relative error {error:e}");
        }
    }

    #[test]
    fn limits_are_exact() {
        let y = apply(&[0.0, -0.0, -88.0, -1e30, f32::NEG_INFINITY, f32::NAN]);
        assert_eq!(y[..5], [1.0, 1.0, 0.0, 0.0, 0.0]);
        assert!(y[5].is_nan());
    }
}
