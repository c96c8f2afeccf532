//! PADISI-Face (Rostami et al. 2021, USC): samples named `ID_{transaction}_{trial}_{trial name}`.
//!
//! `face_partitions/…_ground_truth.csv` says what each sample is, `…_3folds_part{0,1,2}.csv` where it is
//! in three participant-disjoint folds. Colour images come as one joblib pickle, which is code that
//! runs when it is read: `tools/export_padisi.py` turns it into a NumPy array and a table. The
//! multi-spectral `.npz` files are read as they are. Images named by their sample are understood too.

use std::collections::HashMap;
use std::fs;
use std::path::{Path, PathBuf};

use super::adapter::{Adapter, Verdict};
use super::card::{DatasetCard, ExpectedCount, Layout};
use super::name::{media_of, split_path};
use super::table::{Row, Table};
use crate::{DataError, Label, Media, PaiSpecies, Recording, RecordingError, Split};

pub(super) const CARD: DatasetCard = DatasetCard {
    name: "padisi",
    title: "PADISI-Face",
    letter: None,
    layouts: &[Layout::Original],
    licence: "data transfer agreement, academic and non-commercial",
    apply: "University of Southern California, Information Sciences Institute",
    expected: &[ExpectedCount::classes(None, 1105, 924)],
    marker: "face_partitions",
    experimental: false,
};

const FOLDS: usize = 3;
const TABLE_FOLDERS: [&str; 3] = ["", "face_partitions", "data/face_partitions"];
const GROUND_TRUTH: &str = "_ground_truth.csv";

/// Reads PADISI by its tables.
pub(super) struct Padisi {
    samples: HashMap<String, Recording>,
    /// Samples by row of each exported array, by path of the array.
    arrays: HashMap<String, Vec<String>>,
}

impl Padisi {
    pub(super) fn read(root: &Path) -> Result<Self, DataError> {
        let Some(truth) = find(root, GROUND_TRUTH)? else {
            return Err(RecordingError::MissingTable {
                dataset: CARD.name.to_owned(),
                path: root.join("face_partitions").join(format!("…{GROUND_TRUTH}")),
                remedy: "it says what each sample is; it comes with the data set's code, in data/face_partitions",
            }
            .into());
        };
        let mut samples = HashMap::new();
        for row in Table::read(&truth)?.rows() {
            let (name, recording) = sample(row)?;
            samples.insert(name, recording);
        }
        for fold in 0..FOLDS {
            if let Some(path) = find(root, &format!("_3folds_part{fold}.csv"))? {
                read_fold(&path, fold, &mut samples)?;
            }
        }
        let mut arrays = HashMap::new();
        for path in exported_tables(root)? {
            let name = path
                .strip_prefix(root)
                .unwrap_or(&path)
                .with_extension("npy");
            if let Some(name) = name.to_str() {
                arrays.insert(name.replace('\\', "/"), read_array_table(&path, &samples)?);
            }
        }
        Ok(Self { samples, arrays })
    }
}

/// The file whose name ends in `suffix`, in one of the folders for tables.
fn find(root: &Path, suffix: &str) -> Result<Option<PathBuf>, DataError> {
    for folder in TABLE_FOLDERS {
        let found = files_in(&root.join(folder))?.into_iter().find(|path| {
            path.file_name()
                .and_then(|name| name.to_str())
                .is_some_and(|name| name.ends_with(suffix))
        });
        if found.is_some() {
            return Ok(found);
        }
    }
    Ok(None)
}

/// Files of a folder in order; none if there is no such folder.
fn files_in(folder: &Path) -> Result<Vec<PathBuf>, DataError> {
    if !folder.is_dir() {
        return Ok(Vec::new());
    }
    let read = || -> std::io::Result<Vec<PathBuf>> {
        fs::read_dir(folder)?
            .map(|entry| Ok(entry?.path()))
            .collect()
    };
    let mut files = read().map_err(|source| DataError::Io {
        path: folder.to_owned(),
        action: "list the folder",
        source,
    })?;
    files.sort_unstable();
    Ok(files)
}

/// Tables of exported arrays: `x.csv` beside `x.npy` in the root or one folder below.
fn exported_tables(root: &Path) -> Result<Vec<PathBuf>, DataError> {
    let mut tables = Vec::new();
    for path in files_in(root)? {
        let inside = if path.is_dir() {
            files_in(&path)?
        } else {
            vec![path]
        };
        tables.extend(inside.into_iter().filter(|path| {
            path.extension().is_some_and(|extension| extension == "csv")
                && path.with_extension("npy").is_file()
        }));
    }
    Ok(tables)
}

fn sample_name(row: Row<'_>) -> Result<String, RecordingError> {
    Ok(format!(
        "ID_{}_{}_{}",
        row.require("transaction_id")?,
        row.require("trial_id")?,
        row.require("trial_name")?
    ))
}

fn sample(row: Row<'_>) -> Result<(String, Recording), RecordingError> {
    let name = sample_name(row)?;
    let code = row.require("ground_truth")?;
    let label = label_of(code).ok_or_else(|| {
        row.error(format!(
            "ground_truth `{code}` is neither m00000 nor m501… to m509…"
        ))
    })?;
    let recording = Recording::new(CARD.name, &name, "", Media::Image, label)
        .of_subject(row.require("participant_id")?)
        .with_instrument(code)
        .with_style(code);
    Ok((name, recording))
}

/// Label of a code: `m00000`, or `m5`, two digits of a category, and the instrument.
pub(super) fn label_of(code: &str) -> Option<Label> {
    if code == "m00000" {
        return Some(Label::BonaFide);
    }
    let category = code.strip_prefix("m5")?.get(..2)?;
    Some(Label::Attack(match category {
        "01" | "08" => PaiSpecies::Glasses,
        // Prints and replays share a category of 56 samples; their codes are not documented.
        "02" => PaiSpecies::Print,
        "03" => PaiSpecies::FakeHead,
        "04" | "05" => PaiSpecies::RigidMask,
        "06" => PaiSpecies::Makeup,
        "07" => PaiSpecies::FlexibleMask,
        "09" => PaiSpecies::Partial,
        _ => return None,
    }))
}

fn read_fold(
    path: &Path,
    fold: usize,
    samples: &mut HashMap<String, Recording>,
) -> Result<(), DataError> {
    for row in Table::read(path)?.rows() {
        let name = sample_name(row)?;
        let split = match row.require("partition_name")? {
            "train" => Split::Train,
            "valid" => Split::Development,
            "test" => Split::Test,
            other => {
                return Err(row
                    .error(format!(
                        "partition_name `{other}`; known are train, valid, test"
                    ))
                    .into());
            }
        };
        let recording = samples
            .get_mut(&name)
            .ok_or_else(|| row.error(format!("`{name}` is not in the ground truth")))?;
        recording.folds.resize(FOLDS, None);
        recording.folds[fold] = Some(split);
    }
    Ok(())
}

fn read_array_table(
    path: &Path,
    samples: &HashMap<String, Recording>,
) -> Result<Vec<String>, DataError> {
    let table = Table::read(path)?;
    table.check_columns(
        &["row", "identifier", "bona_fide"],
        &["row", "identifier", "bona_fide", "pai_code"],
    )?;
    let mut names = Vec::new();
    for row in table.rows() {
        let name = row.require("identifier")?;
        let sample = samples
            .get(name)
            .ok_or_else(|| row.error(format!("`{name}` is not in the ground truth")))?;
        if row.require("row")? != names.len().to_string() {
            return Err(row
                .error("rows are counted from 0 without a gap".to_owned())
                .into());
        }
        let bona_fide = row.require("bona_fide")?;
        if bona_fide != sample.label.is_bona_fide().to_string() {
            return Err(row
                .error(format!(
                    "bona_fide is {bona_fide}, the ground truth of `{name}` {}",
                    sample.label
                ))
                .into());
        }
        names.push(name.to_owned());
    }
    Ok(names)
}

impl Padisi {
    fn at(&self, name: &str, path: &str, media: Media, row: Option<usize>) -> Option<Recording> {
        let mut recording = self.samples.get(name)?.clone();
        recording.path = path.to_owned();
        recording.media = media;
        recording.row = row;
        Some(recording)
    }
}

impl Adapter for Padisi {
    fn classify(&self, path: &str) -> Verdict {
        let (_, stem, extension) = split_path(path);
        if let Some(names) = self.arrays.get(path) {
            let rows = names.iter().enumerate();
            let rows = rows.filter_map(|(row, name)| self.at(name, path, Media::NpyRow, Some(row)));
            return Verdict::Recordings(rows.collect());
        }
        match (extension, media_of(extension)) {
            ("csv" | "md" | "txt", _) => Verdict::Companion,
            ("npy", _) => Verdict::unfit("no table of the same name beside the array"),
            ("bz2" | "pkl", _) => {
                Verdict::unfit("a Python pickle; turn it into an array with tools/export_padisi.py")
            }
            (_, Some(media @ (Media::Image | Media::Npz))) => {
                match self.at(stem, path, media, None) {
                    Some(recording) => Verdict::recording(recording, true),
                    None => Verdict::unfit("the ground truth does not name it"),
                }
            }
            _ => Verdict::unfit("neither an array, an .npz file, an image nor a table"),
        }
    }

    fn complete(&self) -> Vec<String> {
        let mut ids: Vec<String> = self
            .samples
            .values()
            .map(|sample| sample.id.clone())
            .collect();
        ids.sort_unstable();
        ids
    }
}
