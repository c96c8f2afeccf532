//! Norms, attention and tokens as the networks of this crate have them; their layers run by `fas_kernels::layers`.

use burn::nn::{GroupNorm, GroupNormConfig};
use burn::tensor::{Device, Tensor};

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
