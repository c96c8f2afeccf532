//! The sigmoid linear unit and its gradient made of Burn operations.

use burn::backend::{Backend, tensor::FloatTensor};

/// `x sigmoid(x)`.
pub(crate) fn forward<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    B::float_mul(x.clone(), B::sigmoid(x))
}

/// `gradient * s (1 + x (1 - s))`, `s = sigmoid(x)`.
pub(crate) fn gradient<B: Backend>(x: FloatTensor<B>, gradient: FloatTensor<B>) -> FloatTensor<B> {
    let s = B::sigmoid(x.clone());
    // `1 + x (1 - s) = 1 + x - x s`
    let slope = B::float_add_scalar(
        B::float_sub(x.clone(), B::float_mul(x, s.clone())),
        1.0.into(),
    );
    B::float_mul(gradient, B::float_mul(s, slope))
}
