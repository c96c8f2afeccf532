//! The embedding of SSDG (Jia et al. 2020, <https://arxiv.org/abs/2004.14043>), section 3.4 as in the
//! released code: `f / sqrt(2 |f|)`.
//!
//! It is not of length 1 but of length `sqrt(|f| / 2)`: the paper calls it feature normalisation, the
//! code divides by the root of twice the length. Losses and their margins are tuned to it.

use burn::tensor::Tensor;

/// Embeddings of feature vectors; a zero vector gives zero.
///
/// # Shapes
///
/// - features, output: `[batch_size, feature_length]`
pub fn ssdg_embedding(features: Tensor<2>) -> Tensor<2> {
    // Clamped before the root, whose slope at 0 is infinite; the length is at least 1e-12 then.
    let length = features.clone().square().sum_dim(1).clamp_min(1e-24).sqrt();
    features / (length * 2.0).sqrt()
}
