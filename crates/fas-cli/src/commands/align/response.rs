//! `frames.csv` of the crops: a row a frame of the manifest, and the recordings that gave no frame before.

use std::collections::HashMap;
use std::path::Path;

use fas_data::{Manifest, Response};

use super::input::name_of;
use super::table::Table;
use crate::commands::frame_list::{FrameList, FrameRow, tell_non_responses};
use crate::error::CliError;

/// Writes the list into `out`, and tells the non-response rates.
pub(super) fn write(out: &Path, manifest: &Manifest, table: &Table) -> Result<(), CliError> {
    // Other folders have no such list.
    let before = FrameList::of(manifest.root()).rows().unwrap_or_default();
    let before: Vec<FrameRow> = before.into_iter().flatten().collect();
    let frames: HashMap<&str, &FrameRow> =
        before.iter().map(|row| (row.path.as_str(), row)).collect();
    let mut rows: Vec<FrameRow> = Vec::new();
    for sample in manifest.samples() {
        let name = name_of(&sample.path);
        let frame = frames.get(name.as_str());
        let recording = match frame {
            Some(row) => &row.recording,
            None => sample.video.as_ref().unwrap_or(&sample.id),
        };
        rows.push(FrameRow {
            recording: recording.clone(),
            label: sample.label,
            frame: frame.and_then(|row| row.frame),
            path: table.crop_of(&name).unwrap_or_default().to_owned(),
            response: table.response_of(&name),
            policy: frame.map_or_else(String::new, |row| row.policy.clone()),
        });
    }
    rows.extend(
        before
            .iter()
            .filter(|row| row.response != Response::Image)
            .cloned(),
    );
    FrameList::of(out).finish(&rows)?;
    tell_non_responses(&rows);
    Ok(())
}
