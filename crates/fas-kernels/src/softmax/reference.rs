//! Softmax along the last axis and its gradient made of Burn operations.

use burn::backend::{Backend, TensorMetadata, tensor::FloatTensor};

/// `exp(x - max) / sum(exp(x - max))`.
pub(crate) fn forward<B: Backend>(x: FloatTensor<B>) -> FloatTensor<B> {
    let axis = x.shape().num_dims() - 1;
    let shifted = B::float_sub(x.clone(), B::float_max_dim(B::float_detach(x), axis));
    let e = B::float_exp(shifted);
    B::float_div(e.clone(), B::float_sum_dim(e, axis))
}

/// `y (gradient - sum(gradient y))`, where `y` is the output.
pub(crate) fn gradient<B: Backend>(y: FloatTensor<B>, gradient: FloatTensor<B>) -> FloatTensor<B> {
    let axis = y.shape().num_dims() - 1;
    let sum = B::float_sum_dim(B::float_mul(y.clone(), gradient.clone()), axis);
    B::float_mul(y, B::float_sub(gradient, sum))
}
