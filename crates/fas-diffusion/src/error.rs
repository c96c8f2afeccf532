//! Errors of this crate.

use std::path::PathBuf;

use fas_weights::WeightsError;

/// What can go wrong when a generator is loaded, trained or run.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DiffusionError {
    /// A weight file could not be used.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A weight file says nothing, or nothing readable, of its configuration.
    #[error("{path}: no generator configuration in the header; was it written by this crate?")]
    Configuration {
        /// File in question.
        path: PathBuf,
    },
    /// Samples that must not be trained on.
    #[cfg(feature = "train")]
    #[error(transparent)]
    Data(#[from] fas_data::DataError),
    /// A checkpoint could not be written or read.
    #[error("checkpoint {path}: {reason}")]
    Checkpoint {
        /// Folder or file in question.
        path: PathBuf,
        /// What the file system or the record reader said.
        reason: String,
    },
    /// The loss is not a number.
    #[error(
        "the loss of step {step} is {loss}; the last good checkpoint is untouched: lower the \
         learning rate or look at that step's batch"
    )]
    Diverged {
        /// Training step, counted from 0.
        step: usize,
        /// The loss.
        loss: f32,
    },
    /// Content, style and noise batches differ in size.
    #[error(
        "{content} content images, {style} style images and {ids} sample ids; give one of each"
    )]
    BatchSizes {
        /// Content images.
        content: usize,
        /// Style images.
        style: usize,
        /// Sample ids.
        ids: usize,
    },
}
