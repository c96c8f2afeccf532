//! Samples, manifests, protocols and batches for face anti-spoofing.

mod error;
mod label;
mod sample;

pub use error::DataError;
pub use label::{Label, PaiSpecies};
pub use sample::{Sample, Split};
