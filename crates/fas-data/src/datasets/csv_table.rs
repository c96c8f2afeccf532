//! Any data set through a CSV table: one row a recording, files named relative to the root.
//!
//! | column | value |
//! |---|---|
//! | `path` | file relative to the root, `/` between folders; with `media` = `frames` a folder of images |
//! | `label`, `species` | as in manifests: `bona_fide`, or `attack` and a species |
//! | `subject` | person |
//! | `split` | `train`, `development`, `test`, or empty |
//! | `media` | `frames` for a folder of images, one a frame in the order of their names; else empty, or left out |
//! | `instrument`, `presenter`, `session`, `device`, `environment` | text, or empty; may be left out |
//!
//! A byte order mark is ignored. A file that no row names is listed as unfit, a row without a file as
//! missing.

use std::collections::HashMap;
use std::path::Path;

use super::adapter::{Adapter, Verdict};
use super::name::{media_of, split_path};
use super::table::{Row, Table};
use crate::manifest::check_path;
use crate::{DataError, Label, ManifestProblem, Media, PaiSpecies, Recording, RecordingError};

/// Columns of a table of recordings; the first four must be there.
pub const CSV_TABLE_COLUMNS: [&str; 11] = [
    "path",
    "label",
    "species",
    "subject",
    "split",
    "instrument",
    "presenter",
    "session",
    "device",
    "environment",
    "media",
];

/// Reads a data set by its table.
pub(crate) struct CsvTable {
    recordings: HashMap<String, Recording>,
    table: Option<String>,
}

impl CsvTable {
    pub(crate) fn read(domain: &str, root: &Path, table: &Path) -> Result<Self, DataError> {
        let rows = Table::read(table)?;
        rows.check_columns(&CSV_TABLE_COLUMNS[..4], &CSV_TABLE_COLUMNS)?;
        let mut recordings = HashMap::new();
        for row in rows.rows() {
            let recording = recording(domain, row)?;
            let path = recording.path.clone();
            if recordings.insert(path.clone(), recording).is_some() {
                return Err(row
                    .error(format!("path `{path}` is named twice; remove one row"))
                    .into());
            }
        }
        let table = table.strip_prefix(root).ok();
        Ok(Self {
            recordings,
            table: table.and_then(Path::to_str).map(str::to_owned),
        })
    }
}

fn recording(domain: &str, row: Row<'_>) -> Result<Recording, RecordingError> {
    let path = row.require("path")?.trim_end_matches('/');
    check_path(Path::new(path)).map_err(|problem| row.field_error(problem))?;
    let species = row.get("species").unwrap_or_default();
    let label = label_of(row.require("label")?, species).map_err(|e| row.field_error(e))?;
    let split = row
        .get("split")
        .map(|text| {
            text.parse()
                .map_err(|_| row.field_error(ManifestProblem::BadSplit(text.to_owned())))
        })
        .transpose()?;
    let media = media(path, row)?;
    let text = |column| row.get(column).map(str::to_owned);
    let instrument = text("instrument").unwrap_or_else(|| species.to_owned());
    let mut recording = Recording::new(domain, path, path, media, label)
        .of_subject(row.require("subject")?)
        .in_split(split)
        .with_instrument(&*instrument);
    if !label.is_bona_fide() {
        recording = recording.with_style(format_args!("{label}/{instrument}"));
    }
    recording.presenter = row
        .get("presenter")
        .map(|presenter| format!("{domain}/{presenter}"));
    recording.session = text("session");
    recording.device = text("device");
    recording.environment = text("environment");
    Ok(recording)
}

fn media(path: &str, row: Row<'_>) -> Result<Media, RecordingError> {
    match row.get("media") {
        None => media_of(split_path(path).2).ok_or_else(|| {
            row.error(format!(
                "`{path}` is no image, video, .hdf5 or .npz file; for a folder of images write `frames` in a column `media`"
            ))
        }),
        Some("frames") => Ok(Media::Frames),
        Some(other) => Err(row.error(format!(
            "media `{other}`; write `frames` for a folder of images, or leave it empty"
        ))),
    }
}

/// The label of the columns `label` and `species`.
pub(crate) fn label_of(label: &str, species: &str) -> Result<Label, ManifestProblem> {
    match (label, species) {
        ("bona_fide", "") => Ok(Label::BonaFide),
        ("bona_fide", species) => Err(ManifestProblem::SpeciesOfBonaFide(species.to_owned())),
        ("attack", species) => species
            .parse::<PaiSpecies>()
            .map(Label::Attack)
            .map_err(|_| ManifestProblem::BadSpecies {
                found: species.to_owned(),
            }),
        (other, _) => Err(ManifestProblem::BadLabel(other.to_owned())),
    }
}

impl CsvTable {
    /// The recording in whose folder of images the file is.
    fn folder_of(&self, path: &str) -> Option<&Recording> {
        path.match_indices('/')
            .filter_map(|(at, _)| self.recordings.get(&path[..at]))
            .find(|recording| recording.media == Media::Frames)
    }
}

impl Adapter for CsvTable {
    fn classify(&self, path: &str) -> Verdict {
        if let Some(recording) = self.folder_of(path) {
            return Verdict::Frame(Box::new(recording.clone()));
        }
        match self.recordings.get(path) {
            Some(recording) if recording.media == Media::Frames => {
                Verdict::unfit("the table says `frames`, and it is no folder")
            }
            Some(recording) => Verdict::recording(recording.clone(), true),
            None if self.table.as_deref() == Some(path) => Verdict::Companion,
            None => Verdict::unfit("no row of the table names it"),
        }
    }

    fn complete(&self) -> Vec<String> {
        let mut ids: Vec<String> = self
            .recordings
            .values()
            .map(|recording| recording.id.clone())
            .collect();
        ids.sort_unstable();
        ids
    }
}
