//! How the layers of this crate run: parameters live in Burn's modules, the arithmetic in
//! `fas-kernels`.

use burn::nn::conv::Conv2d;
use burn::nn::{GroupNorm, GroupNormConfig, Linear};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, FloatDType, Tensor};
use fas_kernels::GroupNormOptions;

/// A convolution of odd kernel, stride 1 or 2 and same padding.
pub(crate) fn conv2d(conv: &Conv2d, input: Tensor<4>) -> Tensor<4> {
    let padding = [conv.weight.dims()[2] / 2; 2];
    let options = ConvOptions::new(conv.stride, padding, [1, 1], 1);
    let weight = widened(conv.weight.val(), &input);
    fas_kernels::conv2d(input, weight, conv.bias.as_ref().map(|b| b.val()), options)
}

/// `group_norm(input)`, then SiLU if asked.
pub(crate) fn group_norm<const D: usize>(
    norm: &GroupNorm,
    input: Tensor<D>,
    silu: bool,
) -> Tensor<D> {
    let affine = "every norm of this crate is affine";
    let gamma = norm.gamma.as_ref().expect(affine).val();
    let beta = norm.beta.as_ref().expect(affine).val();
    let options = GroupNormOptions::new(norm.num_groups)
        .with_epsilon(norm.epsilon)
        .with_silu(silu);
    fas_kernels::group_norm(input, gamma, beta, None, options)
}

/// An affine GroupNorm.
pub(crate) fn group_norm_layer(
    num_groups: usize,
    channels: usize,
    epsilon: f64,
    device: &Device,
) -> GroupNorm {
    GroupNormConfig::new(num_groups, channels)
        .with_epsilon(epsilon)
        .init(device)
}

/// A linear layer over the last axis.
pub(crate) fn linear<const D: usize>(layer: &Linear, input: Tensor<D>) -> Tensor<D> {
    let weight = widened(layer.weight.val(), &input);
    let bias = layer.bias.as_ref().map(|bias| bias.val());
    fas_kernels::linear(input, weight, bias)
}

/// `weight` in the type of `like`: weights may be kept in 16 bits.
fn widened<const D: usize, const E: usize>(weight: Tensor<D>, like: &Tensor<E>) -> Tensor<D> {
    if weight.dtype() == like.dtype() {
        return weight;
    }
    weight.cast(FloatDType::from(like.dtype()))
}

/// Multi-head attention of projected tokens, scale `head_width^-1/2`.
///
/// # Shapes
///
/// - query: `[batch_size, queries, channels]`; key, value: `[batch_size, keys, channels]`
/// - output: as `query`
pub(crate) fn multi_head_attention(
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    heads: usize,
) -> Tensor<3> {
    let width = query.dims()[2] / heads;
    fas_kernels::multi_head_attention(query, key, value, heads, (width as f64).powf(-0.5))
}

/// `[batch_size, channels, height, width]` to `[batch_size, height width, channels]`, row by row.
pub(crate) fn map_to_tokens(map: Tensor<4>) -> Tensor<3> {
    let [batch_size, channels, height, width] = map.dims();
    map.reshape([batch_size, channels, height * width])
        .swap_dims(1, 2)
}

/// The inverse of [`map_to_tokens`].
pub(crate) fn tokens_to_map(tokens: Tensor<3>, height: usize, width: usize) -> Tensor<4> {
    let [batch_size, _, channels] = tokens.dims();
    tokens
        .swap_dims(1, 2)
        .reshape([batch_size, channels, height, width])
}
