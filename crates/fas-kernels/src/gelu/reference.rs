//! The Gaussian error linear unit and its gradient made of Burn operations.

use core::f64::consts::{FRAC_1_SQRT_2, FRAC_2_SQRT_PI};

use burn::backend::{Backend, tensor::FloatTensor};

use super::GeluForm;

/// `sqrt(2 / pi)`.
const SLOPE: f64 = FRAC_2_SQRT_PI * FRAC_1_SQRT_2;
const CUBIC: f64 = 0.044715;

/// The factor of `x`: `(1 + erf(x / sqrt(2))) / 2`, or `(1 + tanh(..)) / 2`.
fn factor<B: Backend>(x: FloatTensor<B>, form: GeluForm) -> FloatTensor<B> {
    let odd = match form {
        GeluForm::Erf => B::float_erf(B::float_mul_scalar(x, FRAC_1_SQRT_2.into())),
        GeluForm::Tanh => {
            // `x (SLOPE + SLOPE CUBIC x^2)`
            let square = B::float_mul(x.clone(), x.clone());
            let line = B::float_mul_scalar(square, (SLOPE * CUBIC).into());
            B::float_tanh(B::float_mul(x, B::float_add_scalar(line, SLOPE.into())))
        }
    };
    B::float_mul_scalar(B::float_add_scalar(odd, 1.0.into()), 0.5.into())
}

/// `x factor(x)`.
pub(crate) fn forward<B: Backend>(x: FloatTensor<B>, form: GeluForm) -> FloatTensor<B> {
    B::float_mul(x.clone(), factor::<B>(x, form))
}

/// `gradient * (factor(x) + x factor'(x))`.
pub(crate) fn gradient<B: Backend>(
    x: FloatTensor<B>,
    gradient: FloatTensor<B>,
    form: GeluForm,
) -> FloatTensor<B> {
    let s = factor::<B>(x.clone(), form);
    let square = B::float_mul(x.clone(), x.clone());
    let slope = match form {
        // The density of the normal distribution.
        GeluForm::Erf => {
            let e = B::float_exp(B::float_mul_scalar(square, (-0.5).into()));
            B::float_mul_scalar(e, (SLOPE / 2.0).into())
        }
        // `s (1 - s)` times the slope of twice the argument of tanh.
        GeluForm::Tanh => {
            let line = B::float_mul_scalar(square, (6.0 * SLOPE * CUBIC).into());
            let line = B::float_add_scalar(line, (2.0 * SLOPE).into());
            let spread = B::float_sub(s.clone(), B::float_mul(s.clone(), s.clone()));
            B::float_mul(spread, line)
        }
    };
    B::float_mul(gradient, B::float_add(s, B::float_mul(x, slope)))
}
