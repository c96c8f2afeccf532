//! Doubling and halving made of Burn operations.

use burn::backend::{Backend, TensorMetadata, tensor::FloatTensor};
use burn::tensor::Shape;

/// `factor` times each pixel as a square of 2x2.
pub(crate) fn double<B: Backend>(x: FloatTensor<B>, factor: f64) -> FloatTensor<B> {
    let [batch_size, channels, height, width] = x.shape().dims();
    let pixels = Shape::new([batch_size, channels, height, 1, width, 1]);
    let squares = Shape::new([batch_size, channels, height, 2, width, 2]);
    let doubled = Shape::new([batch_size, channels, 2 * height, 2 * width]);
    let x = B::float_mul_scalar(x, factor.into());
    let x = B::float_expand(B::float_reshape(x, pixels), squares);
    B::float_reshape(x, doubled)
}

/// `factor` times the sum of each square of 2x2.
pub(crate) fn halve<B: Backend>(x: FloatTensor<B>, factor: f64) -> FloatTensor<B> {
    let [batch_size, channels, height, width] = x.shape().dims();
    let rows = Shape::new([batch_size * channels * height / 2, 2, width]);
    let pairs = Shape::new([batch_size * channels * height / 2, width / 2, 2]);
    let halved = Shape::new([batch_size, channels, height / 2, width / 2]);
    let x = B::float_sum_dim(B::float_reshape(x, rows), 1);
    let x = B::float_sum_dim(B::float_reshape(x, pairs), 2);
    B::float_mul_scalar(B::float_reshape(x, halved), factor.into())
}
