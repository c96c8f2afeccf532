//! How the norms of this crate run: parameters live in Burn's modules, the arithmetic in `fas-kernels`.

use burn::nn::GroupNorm;
use burn::tensor::Tensor;
use fas_kernels::layers;

/// `group_norm(input)`.
pub(crate) fn group_norm(norm: &GroupNorm, input: Tensor<4>) -> Tensor<4> {
    layers::group_norm(norm, input, None, false)
}

/// `silu(group_norm(input))`.
pub(crate) fn group_norm_silu(norm: &GroupNorm, input: Tensor<4>) -> Tensor<4> {
    layers::group_norm(norm, input, None, true)
}

/// `silu((1 + scale) group_norm(input) + shift)`, with scale and shift `[batch_size, channels]`.
pub(crate) fn group_norm_modulated_silu(
    norm: &GroupNorm,
    input: Tensor<4>,
    scale: Tensor<2>,
    shift: Tensor<2>,
) -> Tensor<4> {
    layers::group_norm(norm, input, Some((scale, shift)), true)
}
