//! Errors of this crate.

use fas_weights::WeightsError;

/// What can go wrong when a classifier is loaded or trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClassifyError {
    /// A weight file could not be used.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A training set cannot be trained on.
    #[error("training set: {0}")]
    TrainingSet(TrainingSetProblem),
    /// Samples that must not be trained on.
    #[cfg(feature = "train")]
    #[error(transparent)]
    Data(#[from] fas_data::DataError),
    /// The loss is not a number.
    #[error("the loss of step {step} is {loss}: lower the learning rate or look at its batch")]
    Diverged {
        /// Training step, counted from 0.
        step: usize,
        /// The loss.
        loss: f32,
    },
}

/// Why a training set cannot be trained on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TrainingSetProblem {
    /// There is nothing to train on.
    #[error("it has no samples")]
    Empty,
    /// A class without a sample, or beyond the head.
    #[error("sample {sample} has class {class}, but the head has {classes}")]
    ClassOutOfRange {
        /// Index of the sample.
        sample: usize,
        /// Its class.
        class: usize,
        /// Classes of the head.
        classes: usize,
    },
    /// An image that is not `channels x size x size`.
    #[error("image {sample} has {values} values, expected {expected} (channels x size x size)")]
    ImageLength {
        /// Index of the sample.
        sample: usize,
        /// Values it has.
        values: usize,
        /// Values it should have.
        expected: usize,
    },
    /// Images with other planes than the network takes.
    #[error("images of {found} planes for a network that takes {expected}")]
    Channels {
        /// Planes of the images.
        found: usize,
        /// Planes the network takes.
        expected: usize,
    },
    /// The parts of the set differ in length.
    #[error("{samples} samples, {images} images, {classes} classes; give one of each")]
    Lengths {
        /// Samples.
        samples: usize,
        /// Images.
        images: usize,
        /// Class indices.
        classes: usize,
    },
}
