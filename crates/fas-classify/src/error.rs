//! Errors of this crate.

use std::path::PathBuf;

use fas_weights::WeightsError;

/// What can go wrong when a classifier is loaded or trained.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ClassifyError {
    /// A weight file could not be used.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// A weight file that is none of a detector.
    #[error("{path} is no detector: {reason}; `fas train classifier` writes one")]
    NoDetector {
        /// File in question.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// A training set cannot be trained on.
    #[error("training set: {0}")]
    TrainingSet(TrainingSetProblem),
    /// Samples that must not be trained on.
    #[cfg(feature = "train")]
    #[error(transparent)]
    Data(#[from] fas_data::DataError),
    /// Scores that cannot be evaluated.
    #[cfg(feature = "train")]
    #[error(transparent)]
    Metric(#[from] fas_metrics::MetricError),
    /// A checkpoint of a training could not be written or read.
    #[error("checkpoint {path}: {reason}")]
    Checkpoint {
        /// Folder of the checkpoint.
        path: PathBuf,
        /// Why.
        reason: String,
    },
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
    /// A class that is bona fide for the head and whose sample is an attack, or the other way round.
    #[error(
        "sample {sample} has class {class}, and the first {bona_fide} classes are the bona fide ones: \
         its label says otherwise"
    )]
    ClassOfOtherLabel {
        /// Index of the sample.
        sample: usize,
        /// Its class.
        class: usize,
        /// Bona fide classes of the head.
        bona_fide: usize,
    },
    /// A style that no class was made for.
    #[error("sample {id} has style `{style}`, which the real training samples do not have")]
    UnknownStyle {
        /// Sample.
        id: String,
        /// Its style.
        style: String,
    },
    /// A sample whose picture is not there.
    #[error("no picture of sample {id}; load the pictures of all samples of the protocol")]
    NoPicture {
        /// Sample.
        id: String,
    },
    /// The rate of a domain that the set does not have.
    #[error("sampling: no domain `{domain}` in the training set; there are: {}", known.join(", "))]
    UnknownDomain {
        /// Name that is asked for.
        domain: String,
        /// Domains of the set.
        known: Vec<String>,
    },
    /// A share of generated pictures, and none beside real ones.
    #[error("sampling: a share of generated pictures is asked for, and no domain has both kinds")]
    NothingGenerated,
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
    /// A picture of another size.
    #[error("picture {sample} has {size:?} pixels, the first has {expected:?}; resize them first")]
    ImageSize {
        /// Index of the sample.
        sample: usize,
        /// Width and height.
        size: (u32, u32),
        /// Width and height of the first.
        expected: (u32, u32),
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
