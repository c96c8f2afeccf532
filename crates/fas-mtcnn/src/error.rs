//! Errors of this crate.

use std::path::PathBuf;

use fas_weights::WeightsError;

/// Why the detector's weights cannot be had.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MtcnnError {
    /// A safetensors file that is unreadable or does not fit the networks.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// The Python package that carries the weights is not where it was said to be.
    #[error(
        "{}: {source}; get the package by `pip install --no-deps --target FOLDER \
         facenet-pytorch==2.6.0` and name the folder",
        path.display()
    )]
    Package {
        /// The file that is missing.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// Other weights than the released ones.
    #[error(
        "{}: {member} has SHA-256 {found}, expected {expected}; only facenet-pytorch 2.6.0 is known: \
         `pip install --no-deps --target FOLDER facenet-pytorch==2.6.0`",
        path.display()
    )]
    WrongHash {
        /// Folder of the package.
        path: PathBuf,
        /// File in the package.
        member: &'static str,
        /// Hash of what was read, in hexadecimal.
        found: String,
        /// Hash of the released file.
        expected: &'static str,
    },
}
