//! Errors of this crate.

use std::path::PathBuf;

/// What can go wrong with weights and input faces.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DfgError {
    /// A weight file that could not be read.
    #[error("cannot read weights `{path}`: {source}")]
    ReadWeights {
        /// The weight file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },
    /// A weight file that is no safetensors file.
    #[error("`{path}` is no safetensors file: {source}")]
    WeightFormat {
        /// The weight file.
        path: PathBuf,
        /// Cause.
        source: safetensors::SafeTensorError,
    },
    /// Weights of another network.
    #[error(
        "the weights in `{path}` are not those of this network: missing {missing:?}, \
         unused {unused:?}, misshaped {misshaped:?}"
    )]
    WeightMismatch {
        /// The weight file.
        path: PathBuf,
        /// Tensors that the network needs and the file lacks.
        missing: Vec<String>,
        /// Tensors of the file that the network has no place for.
        unused: Vec<String>,
        /// Tensors of another shape or element type, with both.
        misshaped: Vec<String>,
    },
    /// Landmarks that do not fix a similarity transform.
    #[error("landmarks {0:?} do not describe a face: they must be finite and not all one point")]
    DegenerateLandmarks([[f32; 2]; 5]),
}
