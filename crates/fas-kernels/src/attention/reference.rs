//! Attention and its gradients made of Burn operations.

use burn::backend::{Backend, TensorMetadata, tensor::FloatTensor};
use burn::tensor::Shape;

use crate::softmax;

/// `scale query key^T`.
fn scores<B: Backend>(query: FloatTensor<B>, key: FloatTensor<B>, scale: f64) -> FloatTensor<B> {
    let products = B::float_matmul(query, B::float_swap_dims(key, 1, 2));
    B::float_mul_scalar(products, scale.into())
}

/// See [`KernelOps::attention_forward`](crate::KernelOps::attention_forward).
pub(crate) fn forward<B: Backend>(
    query: FloatTensor<B>,
    key: FloatTensor<B>,
    value: FloatTensor<B>,
    scale: f64,
) -> (FloatTensor<B>, FloatTensor<B>) {
    let [batch_size, queries, _] = query.shape().dims();
    let scores = scores::<B>(query, key, scale);
    let largest = B::float_max_dim(B::float_detach(scores.clone()), 2);
    let e = B::float_exp(B::float_sub(scores.clone(), largest.clone()));
    let log_sums = B::float_add(B::float_log(B::float_sum_dim(e, 2)), largest);
    let weights = softmax::reference::forward::<B>(scores);
    (
        B::float_matmul(weights, value),
        B::float_reshape(log_sums, Shape::new([batch_size, queries])),
    )
}

/// See [`KernelOps::attention_gradients`](crate::KernelOps::attention_gradients).
pub(crate) fn gradients<B: Backend>(
    query: FloatTensor<B>,
    key: FloatTensor<B>,
    value: FloatTensor<B>,
    output: FloatTensor<B>,
    log_sums: FloatTensor<B>,
    gradient: FloatTensor<B>,
    scale: f64,
) -> (FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) {
    let [batch_size, queries, _] = query.shape().dims();
    let log_sums = B::float_reshape(log_sums, Shape::new([batch_size, queries, 1]));
    let scores = scores::<B>(query.clone(), key.clone(), scale);
    let weights = B::float_exp(B::float_sub(scores, log_sums));
    let transposed = |t| B::float_swap_dims(t, 1, 2);
    let d_value = B::float_matmul(transposed(weights.clone()), gradient.clone());
    // The sum over keys of weight times its gradient.
    let mean = B::float_sum_dim(B::float_mul(gradient.clone(), output), 2);
    let d_weights = B::float_sub(B::float_matmul(gradient, transposed(value)), mean);
    let d_scores = B::float_mul_scalar(B::float_mul(weights, d_weights), scale.into());
    let d_query = B::float_matmul(d_scores.clone(), key);
    let d_key = B::float_matmul(transposed(d_scores), query);
    (d_query, d_key, d_value)
}

/// `attention` of each head, where the heads lie side by side in the channels; see
/// [`KernelOps::multi_head_attention`](crate::KernelOps::multi_head_attention).
pub(crate) fn heads<B: Backend>(
    query: FloatTensor<B>,
    key: FloatTensor<B>,
    value: FloatTensor<B>,
    num_heads: usize,
    attention: impl FnOnce(FloatTensor<B>, FloatTensor<B>, FloatTensor<B>) -> FloatTensor<B>,
) -> FloatTensor<B> {
    let [batch_size, queries, _] = query.shape().dims();
    let channels_out = value.shape()[2];
    let split = |tokens: FloatTensor<B>| {
        let [_, count, channels] = tokens.shape().dims();
        let channels = channels / num_heads;
        let split = Shape::new([batch_size, count, num_heads, channels]);
        let heads = B::float_swap_dims(B::float_reshape(tokens, split), 1, 2);
        B::float_reshape(heads, Shape::new([batch_size * num_heads, count, channels]))
    };
    let attended = attention(split(query), split(key), split(value));
    let heads = Shape::new([batch_size, num_heads, queries, channels_out / num_heads]);
    let joined = B::float_swap_dims(B::float_reshape(attended, heads), 1, 2);
    B::float_reshape(joined, Shape::new([batch_size, queries, channels_out]))
}
