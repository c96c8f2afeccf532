//! Errors of this crate.

use fas_weights::WeightsError;

/// What can go wrong with weights and input faces.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DfgError {
    /// A weight file that is unreadable or does not fit the network.
    #[error(transparent)]
    Weights(#[from] WeightsError),
    /// Landmarks that do not fix a similarity transform.
    #[error("landmarks {0:?} do not describe a face: they must be finite and not all one point")]
    DegenerateLandmarks([[f32; 2]; 5]),
}
