//! Errors of this crate.

use std::path::PathBuf;

use fas_weights::WeightsError;

/// What can go wrong with weights, input faces, training and cues.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DfgError {
    /// A weight file that is unreadable or does not fit the network.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Landmarks that do not fix a similarity transform.
    #[error("landmarks {0:?} do not describe a face: they must be finite and not all one point")]
    DegenerateLandmarks([[f32; 2]; 5]),
    /// A weight file says nothing, or nothing readable, of its configuration.
    #[error("{path}: no {what} configuration in the header; was it written by this crate?")]
    Configuration {
        /// File in question.
        path: PathBuf,
        /// What should be configured there.
        what: &'static str,
    },
    /// Parts of a generator that do not belong together.
    #[error(
        "{path}: the denoiser beside it was trained on another {what}; take the files of one training"
    )]
    Parts {
        /// The file that does not fit.
        path: PathBuf,
        /// What it holds.
        what: &'static str,
    },
    /// A file other than weights could not be read or written.
    #[error("{path}: {source}")]
    Io {
        /// File or folder in question.
        path: PathBuf,
        /// Underlying cause.
        source: std::io::Error,
    },
    /// A cached tensor file is damaged or holds something else.
    #[error("{path}: {problem}; delete it and it is computed again")]
    Cache {
        /// File in question.
        path: PathBuf,
        /// What is wrong with it.
        problem: String,
    },
    /// An attack among the samples of a generator that must know bona fide faces only.
    #[error(
        "sample {id} is an attack ({species}), {count} of them in all: the De-spoofing Face Generator \
         is trained on bona fide faces only; leave attacks out of its list"
    )]
    AttackInTraining {
        /// The first such sample.
        id: String,
        /// Its species.
        species: String,
        /// How many there are.
        count: usize,
    },
    /// Samples that must not be trained on.
    #[cfg(feature = "train")]
    #[error(transparent)]
    Data(Box<fas_data::DataError>),
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
}

#[cfg(feature = "train")]
impl From<fas_data::DataError> for DfgError {
    fn from(error: fas_data::DataError) -> Self {
        Self::Data(Box::new(error))
    }
}
