//! Errors of this crate.

/// What can go wrong with samples, manifests and protocols.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DataError {
    /// A name that is no PAI species.
    #[error("unknown PAI species `{0}`; known are the names of `PaiSpecies::ALL`, such as `print`")]
    UnknownSpecies(String),
}
