//! Errors of this crate.

use std::path::PathBuf;

/// What can be wrong with a parity fixture, or with the weights loaded from it.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FixtureError {
    /// A file or folder could not be read.
    #[error("cannot read {path}: {source}")]
    Read {
        /// File or folder that was being read.
        path: PathBuf,
        /// Underlying cause.
        source: std::io::Error,
    },
    /// The file is not a valid safetensors file.
    #[error("{path} is not a safetensors file: {source}")]
    Safetensors {
        /// File that was being read.
        path: PathBuf,
        /// Underlying cause.
        source: safetensors::SafeTensorError,
    },
    /// The metadata key `fixture` is missing or does not describe a case.
    #[error("{path}: metadata key `fixture`: {source}")]
    Metadata {
        /// File that was being read.
        path: PathBuf,
        /// Underlying cause.
        source: serde_json::Error,
    },
    /// A safetensors file without the metadata key `fixture` was opened as a case.
    #[error("{path} has no metadata key `fixture`: it is a weight file, not a parity case")]
    NotACase {
        /// File that was being read.
        path: PathBuf,
    },
    /// Metadata and tensors of a case contradict each other.
    #[error("case {case}: {what}")]
    Inconsistent {
        /// Case name.
        case: String,
        /// What contradicts what.
        what: String,
    },
    /// A tensor was asked for that the case does not have.
    #[error("case {case} has no tensor `{name}`; it has: {available}")]
    UnknownTensor {
        /// Case name.
        case: String,
        /// Name that was asked for.
        name: String,
        /// Names of the same kind that exist.
        available: String,
    },
    /// A configuration value is absent or of another type.
    #[error("case {case}: configuration value `{key}` is {found}, expected {expected}")]
    Config {
        /// Case name.
        case: String,
        /// Key in the `config` object.
        key: String,
        /// What stands there.
        found: String,
        /// What the caller asked for.
        expected: &'static str,
    },
    /// A tensor has an element type that fixtures do not use.
    #[error(
        "{path}: tensor `{name}` has element type {dtype}; fixtures hold F64, F32, I64, I32, U8 or BOOL"
    )]
    ElementType {
        /// File that was being read.
        path: PathBuf,
        /// Tensor name.
        name: String,
        /// Element type in the file.
        dtype: String,
    },
    /// A tensor does not have the rank or shape the caller asked for.
    #[error("case {case}: tensor `{name}` has shape {found:?}, expected {expected}")]
    Shape {
        /// Case name.
        case: String,
        /// Tensor name.
        name: String,
        /// Shape in the fixture.
        found: Vec<usize>,
        /// What was expected, in words.
        expected: String,
    },
    /// A fill kind outside the table of the fixture format.
    #[error("unknown fill kind `{0}`")]
    UnknownKind(String),
    /// Module parameters and reference weights do not match one to one.
    #[error(
        "case {case}: weights do not fit the module\n  no source for parameter: {missing:?}\n  reference weight unused: {unused:?}\n  wrong shape: {misshaped:?}"
    )]
    Weights {
        /// Case name.
        case: String,
        /// Module parameters that nothing filled.
        missing: Vec<String>,
        /// Reference weights that no parameter took.
        unused: Vec<String>,
        /// Parameters whose source has another shape, with both shapes.
        misshaped: Vec<String>,
    },
}
