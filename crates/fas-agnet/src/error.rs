//! Errors of this crate.

use std::path::PathBuf;

use fas_weights::WeightsError;

/// What can go wrong with the weights of a network.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgNetError {
    /// A weight file that is unreadable or does not fit the network.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A file whose names are neither timm's nor those of transformers.
    #[error(
        "weights {path}: no vision transformer of timm (patch_embed.proj.weight) or transformers \
         (embeddings.patch_embeddings.projection.weight); convert the checkpoint to one of them"
    )]
    UnknownLayout {
        /// File in question.
        path: PathBuf,
    },
}
