//! `frames.csv` of the crops: a row a frame of the manifest, and the recordings that gave no frame before.

use std::collections::HashMap;
use std::path::Path;

use fas_data::{Manifest, Response};

use super::input::name_of;
use super::table::Table;
use crate::commands::frame_list::{FrameList, FrameRow, tell_non_responses};
use crate::error::CliError;

/// The list beside a manifest; empty where `fas data frames` did not write it.
pub(super) fn read(manifest: &Manifest) -> Result<Vec<FrameRow>, CliError> {
    let rows = FrameList::of(manifest.root()).rows()?;
    Ok(rows.into_iter().flatten().collect())
}

/// Writes the list into `out`, with what is new since the list `before`, and tells the non-response rates.
pub(super) fn write(
    out: &Path,
    manifest: &Manifest,
    before: &[FrameRow],
    table: &Table,
) -> Result<(), CliError> {
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
            path: table.path_of(&name).unwrap_or_default().to_owned(),
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
