//! How the layers of this crate run: parameters live in Burn's modules, the arithmetic in
//! `fas-kernels`.

use burn::nn::GroupNorm;
use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;
use fas_kernels::GroupNormOptions;

/// A convolution of this crate: odd kernel, stride 1 or 2, same padding.
pub(crate) fn conv2d(conv: &Conv2d, input: Tensor<4>) -> Tensor<4> {
    let padding = [conv.weight.dims()[2] / 2; 2];
    let options = ConvOptions::new(conv.stride, padding, [1, 1], 1);
    fas_kernels::conv2d(
        input,
        conv.weight.val(),
        conv.bias.as_ref().map(|b| b.val()),
        options,
    )
}

/// `group_norm(input)`.
pub(crate) fn group_norm(norm: &GroupNorm, input: Tensor<4>) -> Tensor<4> {
    run(norm, input, None, false)
}

/// `silu(group_norm(input))`.
pub(crate) fn group_norm_silu(norm: &GroupNorm, input: Tensor<4>) -> Tensor<4> {
    run(norm, input, None, true)
}

/// `silu((1 + scale) group_norm(input) + shift)`, with scale and shift `[batch_size, channels]`.
pub(crate) fn group_norm_modulated_silu(
    norm: &GroupNorm,
    input: Tensor<4>,
    scale: Tensor<2>,
    shift: Tensor<2>,
) -> Tensor<4> {
    run(norm, input, Some((scale, shift)), true)
}

fn run(
    norm: &GroupNorm,
    input: Tensor<4>,
    modulation: Option<(Tensor<2>, Tensor<2>)>,
    silu: bool,
) -> Tensor<4> {
    let gamma = norm
        .gamma
        .as_ref()
        .expect("every norm of this crate is affine")
        .val();
    let beta = norm
        .beta
        .as_ref()
        .expect("every norm of this crate is affine")
        .val();
    let options = GroupNormOptions::new(norm.num_groups)
        .with_epsilon(norm.epsilon)
        .with_silu(silu);
    fas_kernels::group_norm(input, gamma, beta, modulation, options)
}
