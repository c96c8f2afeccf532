//! The list of protocols, by name.

use super::{OfficialProtocol, intra, ocim};
use crate::{DataError, RecordingError};

/// Every protocol of the field that is known here.
pub fn official_protocols() -> Vec<OfficialProtocol> {
    let mut protocols = intra::all();
    protocols.extend(ocim::all());
    protocols
}

/// The protocol of a name, for instance `oulu_npu/P1` or `OCI->M@ssdg`.
///
/// # Errors
///
/// [`RecordingError::UnknownProtocol`], which names similar ones.
pub fn official_protocol(name: &str) -> Result<OfficialProtocol, DataError> {
    let mut protocols = official_protocols();
    if let Some(index) = protocols.iter().position(|protocol| protocol.name == name) {
        return Ok(protocols.swap_remove(index));
    }
    let start = name
        .split(['/', '@', '-'])
        .next()
        .unwrap_or_default()
        .to_lowercase();
    let similar: Vec<String> = protocols
        .into_iter()
        .map(|protocol| protocol.name)
        .filter(|known| !start.is_empty() && known.to_lowercase().starts_with(&start))
        .collect();
    Err(RecordingError::UnknownProtocol {
        name: name.to_owned(),
        similar,
    }
    .into())
}
