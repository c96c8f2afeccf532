//! Convolution gradients made of Burn operations.

use burn::backend::ops::ConvOptions;
use burn::backend::{Backend, TensorMetadata, tensor::FloatTensor};
use burn::tensor::Shape;

/// Gradient of the input, of shape `input_dims`.
pub(crate) fn input_gradient<B: Backend>(
    gradient: FloatTensor<B>,
    weight: FloatTensor<B>,
    input_dims: [usize; 4],
    options: ConvOptions<2>,
) -> FloatTensor<B> {
    // Burn asks for the input, of which it reads the shape only.
    let x = B::float_empty(
        Shape::from(input_dims),
        &gradient.device(),
        gradient.dtype().into(),
    );
    B::conv2d_x_backward(x, weight, gradient, options)
}

/// Gradient of the weight, of shape `weight_dims`.
pub(crate) fn weight_gradient<B: Backend>(
    x: FloatTensor<B>,
    gradient: FloatTensor<B>,
    weight_dims: [usize; 4],
    options: ConvOptions<2>,
) -> FloatTensor<B> {
    // As above, the weight's shape only.
    let weight = B::float_empty(
        Shape::from(weight_dims),
        &gradient.device(),
        gradient.dtype().into(),
    );
    B::conv2d_weight_backward(x, weight, gradient, options)
}

/// Gradient of the bias, `[channels_out]`.
pub(crate) fn bias_gradient<B: Backend>(gradient: FloatTensor<B>) -> FloatTensor<B> {
    let channels = gradient.shape()[1];
    let sums = B::float_sum_dim(gradient, 0);
    let sums = B::float_sum_dim(sums, 2);
    let sums = B::float_sum_dim(sums, 3);
    B::float_reshape(sums, Shape::new([channels]))
}
