//! Errors of this crate.

use std::path::PathBuf;

/// What can go wrong with a weight file.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum WeightsError {
    /// The file could not be read or written.
    #[error("weights {path}: {source}")]
    Io {
        /// File in question.
        path: PathBuf,
        /// Underlying cause.
        source: std::io::Error,
    },
    /// The file is no safetensors file, or a damaged one.
    #[error("weights {path}: not a readable safetensors file: {source}")]
    Format {
        /// File in question.
        path: PathBuf,
        /// Underlying cause.
        source: safetensors::SafeTensorError,
    },
    /// A tensor is stored in a type that holds no network weights.
    #[error("weights {path}: tensor {tensor} is stored as {dtype}, expected F32, F16, BF16 or F64")]
    DType {
        /// File in question.
        path: PathBuf,
        /// Name of the tensor.
        tensor: String,
        /// Type found.
        dtype: String,
    },
    /// The tensors of the file are not those of the module.
    #[error(
        "weights {path} do not fit this configuration; missing: {missing:?}; unused: {unused:?}; \
         misshaped: {misshaped:?}"
    )]
    Mismatch {
        /// File in question.
        path: PathBuf,
        /// Parameters of the module that the file lacks.
        missing: Vec<String>,
        /// Tensors of the file that the module does not have.
        unused: Vec<String>,
        /// Tensors of another shape, with both shapes.
        misshaped: Vec<String>,
    },
}
