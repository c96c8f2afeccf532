//! Errors of this crate.

use std::path::PathBuf;

use crate::PyTorchProblem;

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
    /// The file is no PyTorch checkpoint, a damaged one, or asks for more than weights.
    #[error("weights {path}: not a readable PyTorch checkpoint: {problem}")]
    PyTorch {
        /// File in question.
        path: PathBuf,
        /// What is wrong; it names the opcode, entry or storage.
        problem: PyTorchProblem,
    },
    /// A checkpoint holds no tensors under the key that was asked for.
    #[error("weights {path}: no weights under {key:?}; the checkpoint has {found:?}")]
    NoWeights {
        /// File in question.
        path: PathBuf,
        /// Key asked for; empty for the whole file.
        key: String,
        /// Keys of the checkpoint's outermost dictionary.
        found: Vec<String>,
    },
    /// A dictionary of weights holds something else too.
    #[error(
        "weights {path}: {entry} is {found}, not a tensor; name the dictionary of weights among {keys:?}"
    )]
    NotATensor {
        /// File in question.
        path: PathBuf,
        /// Its place, from the outermost dictionary.
        entry: String,
        /// What it is.
        found: String,
        /// Keys of the checkpoint's outermost dictionary.
        keys: Vec<String>,
    },
    /// The tensors of a checkpoint repeat their stored numbers until they exceed the file by far.
    #[error(
        "weights {path}: the tensors take {bytes} bytes, more than a file of {file_bytes} bytes holds"
    )]
    TooLarge {
        /// File in question.
        path: PathBuf,
        /// Memory the tensors would take.
        bytes: u128,
        /// Size of the file.
        file_bytes: u64,
    },
    /// A tensor is stored in a type that holds no network weights.
    #[error(
        "weights {path}: tensor {tensor} is stored as {dtype}, expected F32, F16, BF16, F64 or whole numbers below 2^24"
    )]
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
