//! Scaled dot-product attention that never stores the matrix of scores.
//!
//! Tiles and running sums: T. Dao et al., "FlashAttention", 2022, <https://arxiv.org/abs/2205.14135>,
//! algorithms 1 and 4.

pub(crate) mod autodiff;
#[cfg(feature = "_cubecl")]
pub(crate) mod cube;
#[cfg(feature = "flex")]
pub(crate) mod flex;
#[cfg(feature = "flex")]
mod gradient;
#[cfg(feature = "flex")]
mod pack;
pub(crate) mod reference;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::compositions::dispatch;

/// `softmax(scale query key^T) value`, a usual scale being `1 / sqrt(channels)`.
///
/// Scores live in tiles. Memory beyond inputs and output is a few copies of them on Flex, and one or
/// two values a query on CubeCL runtimes. The backward pass computes scores again from the saved
/// logarithms of the rows' sums. Results do not depend on the number of threads. As with softmax, a
/// query with a NaN or plus infinity among its scores, or with minus infinities only, gives NaN.
///
/// # Shapes
///
/// - query: `[..., queries, channels]`
/// - key: `[..., keys, channels]`
/// - value: `[..., keys, channels_out]`
/// - output: `[..., queries, channels_out]`
///
/// The leading axes, batch and heads, are the same in all three.
///
/// # Panics
///
/// If `D < 2` or the shapes do not fit each other.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "flex")]
/// # {
/// use burn::tensor::{Device, Tensor};
///
/// let device = Device::flex();
/// let query = Tensor::<3>::zeros([1, 1, 4], &device);
/// let key = Tensor::<3>::ones([1, 2, 4], &device);
/// let value = Tensor::<3>::from_data([[[1.0], [3.0]]], &device);
/// let y = fas_kernels::attention(query, key, value, 0.5);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [2.0]);
/// # }
/// ```
pub fn attention<const D: usize>(
    query: Tensor<D>,
    key: Tensor<D>,
    value: Tensor<D>,
    scale: f64,
) -> Tensor<D> {
    assert!(D >= 2, "attention: tensors of {D} axes have no tokens");
    let [q, k, v] = [query.dims(), key.dims(), value.dims()];
    assert!(
        q[..D - 2] == k[..D - 2]
            && q[..D - 2] == v[..D - 2]
            && q[D - 1] == k[D - 1]
            && k[D - 2] == v[D - 2],
        "attention: query {q:?}, key {k:?} and value {v:?} do not fit each other"
    );
    let batch_size = q[..D - 2].iter().product();
    let flat = |t: Tensor<D>| {
        let [.., tokens, channels] = t.dims()[..] else {
            unreachable!("checked above")
        };
        let t: Tensor<3> = t.reshape([batch_size, tokens, channels]);
        t.into_dispatch()
    };
    let composition =
        |query, key, value, scale| reference::forward::<Dispatch>(query, key, value, scale).0;
    let output = dispatch!(
        attention_output or composition;
        flat(query), flat(key), flat(value), scale
    );
    let mut dims = q;
    dims[D - 1] = v[D - 1];
    Tensor::<3>::from_dispatch(output).reshape(dims)
}

/// [`attention`] of `num_heads` heads that lie side by side in the channels, as the linear layers of a transformer make
/// and take them. On Flex, without gradients, heads are read where they lie.
///
/// # Shapes
///
/// - query: `[batch_size, queries, num_heads channels]`
/// - key: `[batch_size, keys, num_heads channels]`
/// - value: `[batch_size, keys, num_heads channels_out]`
/// - output: `[batch_size, queries, num_heads channels_out]`
///
/// # Panics
///
/// If the shapes do not fit each other or `num_heads` does not divide the channels.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "flex")]
/// # {
/// use burn::tensor::{Device, Tensor};
///
/// let device = Device::flex();
/// let tokens = Tensor::<3>::zeros([1, 1, 2], &device);
/// let value = Tensor::<3>::from_data([[[1.0, 2.0]]], &device);
/// let y = fas_kernels::multi_head_attention(tokens.clone(), tokens, value, 2, 1.0);
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [1.0, 2.0]);
/// # }
/// ```
pub fn multi_head_attention(
    query: Tensor<3>,
    key: Tensor<3>,
    value: Tensor<3>,
    num_heads: usize,
    scale: f64,
) -> Tensor<3> {
    let [q, k, v] = [query.dims(), key.dims(), value.dims()];
    assert!(
        q[0] == k[0] && q[0] == v[0] && q[2] == k[2] && k[1] == v[1],
        "multi_head_attention: query {q:?}, key {k:?} and value {v:?} do not fit each other"
    );
    assert!(
        num_heads > 0 && q[2].is_multiple_of(num_heads) && v[2].is_multiple_of(num_heads),
        "multi_head_attention: {num_heads} heads do not divide the channels of query {q:?} and value {v:?}"
    );
    let composition = |query, key, value, num_heads, scale| {
        reference::heads::<Dispatch>(query, key, value, num_heads, |query, key, value| {
            reference::forward::<Dispatch>(query, key, value, scale).0
        })
    };
    Tensor::from_dispatch(dispatch!(
        multi_head_attention or composition;
        query.into_dispatch(), key.into_dispatch(), value.into_dispatch(), num_heads, scale
    ))
}
