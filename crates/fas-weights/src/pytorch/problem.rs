//! Why a checkpoint cannot be read.

/// What is wrong with a PyTorch checkpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum PyTorchProblem {
    /// The file is neither a zip file with a pickle nor a legacy checkpoint.
    #[error("neither a zip file of PyTorch 1.6 or later nor a legacy checkpoint")]
    NoCheckpoint,
    /// The file ends before something it announces, or an offset leads out of it.
    #[error("{0} lies beyond the end of the file; it is truncated or damaged")]
    BeyondEnd(&'static str),
    /// Two statements of the file contradict each other.
    #[error("damaged: {0}")]
    Damaged(String),
    /// An opcode that no checkpoint needs, or none at all.
    #[error("opcode {opcode:#04x} at byte {at} of the pickle is none that checkpoints use")]
    Opcode {
        /// The byte.
        opcode: u8,
        /// Its place.
        at: usize,
    },
    /// A storage of a type that holds no weights.
    #[error("a storage of type {0} cannot be read")]
    StorageType(String),
    /// Something else than numbers of a plain layout.
    #[error("{0} is not supported")]
    Unsupported(String),
}
