//! How the layers of this crate run: parameters live in Burn's modules, the arithmetic in
//! `fas-kernels`. A layer computes in the type of its input; norms keep their parameters in `f32`, and in a half
//! type compute in it.

use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, GroupNorm, Linear};
use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;
use fas_kernels::GroupNormOptions;

use crate::precision::{like, widened};

/// A convolution of this crate: odd kernel, stride 1 or 2, same padding.
pub(crate) fn conv2d(conv: &Conv2d, input: Tensor<4>) -> Tensor<4> {
    let weight = like(conv.weight.val(), &input);
    let bias = conv.bias.as_ref().map(|b| like(b.val(), &input));
    fas_kernels::conv2d(input, weight, bias, options(conv))
}

fn options(conv: &Conv2d) -> ConvOptions<2> {
    let padding = [conv.weight.dims()[2] / 2; 2];
    ConvOptions::new(conv.stride, padding, [1, 1], 1)
}

/// A linear layer over the last axis.
pub(crate) fn project<const D: usize>(layer: &Linear, input: Tensor<D>) -> Tensor<D> {
    let bias = layer.bias.as_ref().map(|bias| bias.val());
    fas_kernels::linear(input, layer.weight.val(), bias)
}

/// `norm(conv(input))`, of a convolution without bias.
pub(crate) fn conv2d_batch_norm(conv: &Conv2d, norm: &BatchNorm, input: Tensor<4>) -> Tensor<4> {
    let device = input.device();
    if device.is_autodiff() {
        let dtype = input.dtype();
        return norm.forward(widened(conv2d(conv, input))).cast(dtype);
    }
    let [mean, variance] =
        [&norm.running_mean, &norm.running_var].map(|running| running.value().to_device(&device));
    let norms = [norm.gamma.val(), norm.beta.val(), mean, variance];
    fas_kernels::conv2d_batch_norm(input, conv.weight.val(), norms, norm.epsilon, options(conv))
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
