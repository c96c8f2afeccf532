//! How the layers of this crate run: parameters live in Burn's modules, the arithmetic in
//! `fas-kernels`.

use burn::nn::GroupNorm;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn::tensor::activation::silu;

/// A convolution of this crate: 3x3 or 1x1, stride 1 or 2, same padding.
pub(crate) fn conv2d(conv: &Conv2d, input: Tensor<4>) -> Tensor<4> {
    conv.forward(input)
}

/// `silu(group_norm(input))`.
pub(crate) fn group_norm_silu(norm: &GroupNorm, input: Tensor<4>) -> Tensor<4> {
    silu(norm.forward(input))
}

/// `silu(group_norm(input) (1 + scale) + shift)`, with scale and shift `[batch_size, channels]`.
pub(crate) fn group_norm_modulated_silu(
    norm: &GroupNorm,
    input: Tensor<4>,
    scale: Tensor<2>,
    shift: Tensor<2>,
) -> Tensor<4> {
    let [batch_size, channels] = scale.dims();
    let scale = scale.reshape([batch_size, channels, 1, 1]);
    let shift = shift.reshape([batch_size, channels, 1, 1]);
    silu(norm.forward(input) * (scale + 1.0) + shift)
}
