//! GRAD-GPAD's JSON (Costa-Pazo et al. 2019): scores `{"{dataset}_{media}": score}`, **higher for attacks**, and
//! annotations with `id` (the same name), `dataset`, `media` and `categorization.coarse_grained_pai`, 0 for genuine.
//! A name comes apart into our name of the data set and the file's path in it, where the data set has an adapter
//! here, and is put together again when it is written.
//!
//! Scores become `1 - score` here and back when they are written, so both sides stay in `[0, 1]` where they
//! were.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::ExchangeRow;
use crate::{DataError, RecordingError};

/// Names of `coarse_grained_pai`, as the package's code and its entries have them; the legend inside
/// `gradgpad_annotations.json` swaps 5 and 6.
const PAIS: [(i8, &str); 6] = [
    (0, ""),
    (1, "print"),
    (2, "replay"),
    (3, "mask"),
    (5, "makeup"),
    (6, "partial"),
];

/// Our names of data sets, and theirs.
const DATASETS: [(&str, &str); 7] = [
    ("oulu_npu", "oulu-npu"),
    ("casia_fasd", "casia-fasd"),
    ("replay_attack", "replay-attack"),
    ("msu_mfsd", "msu-mfsd"),
    ("siw", "siw"),
    ("rose_youtu", "rose-youtu"),
    ("hkbu_mars", "hkbuV2"),
];
/// Folders of HKBU-MARs' archive, which their names leave out.
const HKBU_ARCHIVE: &str = "HKBU_MARs_V2/";

/// Our name of the data set and the file's path in it; the whole name where the data set is another.
fn take_apart(id: &str) -> (String, String) {
    let known = DATASETS.iter().find_map(|(ours, theirs)| {
        let media = id.strip_prefix(theirs)?.strip_prefix('_')?;
        Some(((*ours).to_owned(), media.to_owned()))
    });
    known.unwrap_or_else(|| (String::new(), id.to_owned()))
}

/// Their name of the data set and the file in it, where it is known.
fn their_parts(row: &ExchangeRow) -> Option<(&'static str, &str)> {
    let (_, theirs) = DATASETS.iter().find(|(ours, _)| *ours == row.dataset)?;
    Some((*theirs, row.name.trim_start_matches(HKBU_ARCHIVE)))
}

fn their_name(row: &ExchangeRow) -> String {
    match their_parts(row) {
        Some((dataset, media)) => format!("{dataset}_{media}"),
        None => row.name.clone(),
    }
}

#[derive(Serialize, Deserialize)]
struct Annotations {
    annotations: Vec<Annotation>,
}

#[derive(Serialize, Deserialize)]
struct Annotation {
    id: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    dataset: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    media: Option<String>,
    categorization: Categorization,
}

#[derive(Serialize, Deserialize)]
struct Categorization {
    coarse_grained_pai: i8,
}

fn read<T: DeserializeOwned>(path: &Path, expected: &'static str) -> Result<T, DataError> {
    let bytes = fs::read(path).map_err(|source| DataError::Io {
        path: path.to_owned(),
        action: "read the JSON",
        source,
    })?;
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
    serde_json::from_slice(bytes).map_err(|source| {
        RecordingError::Json {
            path: path.to_owned(),
            expected,
            source,
        }
        .into()
    })
}

/// Reads scores, turned so that higher is more bona fide. They have no labels.
///
/// # Errors
///
/// [`DataError::Io`], [`RecordingError::Json`].
pub fn read_grad_gpad_scores(path: impl AsRef<Path>) -> Result<Vec<ExchangeRow>, DataError> {
    let scores: BTreeMap<String, f64> = read(
        path.as_ref(),
        "an object of names and scores, as in GRAD-GPAD",
    )?;
    let rows = scores.into_iter().map(|(id, score)| {
        let (dataset, name) = take_apart(&id);
        ExchangeRow {
            name,
            dataset,
            score: Some(1.0 - score),
            ..ExchangeRow::default()
        }
    });
    Ok(rows.collect())
}

/// The scores of the rows that have one, turned so that higher is more of an attack.
pub fn write_grad_gpad_scores(rows: &[ExchangeRow]) -> String {
    let scores: BTreeMap<String, f64> = rows
        .iter()
        .filter_map(|row| Some((their_name(row), 1.0 - row.score?)))
        .collect();
    serde_json::to_string_pretty(&scores).expect("numbers and texts are JSON")
}

/// Reads annotations.
///
/// # Errors
///
/// [`DataError::Io`], [`RecordingError::Json`], [`RecordingError::UnknownName`] for an unknown kind of attack.
pub fn read_grad_gpad_list(path: impl AsRef<Path>) -> Result<Vec<ExchangeRow>, DataError> {
    let list: Annotations = read(
        path.as_ref(),
        "an object with `annotations`, as in GRAD-GPAD",
    )?;
    let rows = list.annotations.into_iter().map(|annotation| {
        let code = annotation.categorization.coarse_grained_pai;
        let found = PAIS.iter().find(|(known, _)| *known == code);
        let (_, kind) = found.ok_or_else(|| RecordingError::UnknownName {
            column: "coarse_grained_pai",
            found: code.to_string(),
            known: vec!["0", "1", "2", "3", "5", "6"],
        })?;
        let (dataset, name) = take_apart(&annotation.id);
        Ok(ExchangeRow {
            name,
            dataset,
            bona_fide: Some(code == 0),
            attack_type: (*kind).to_owned(),
            ..ExchangeRow::default()
        })
    });
    Ok(rows.collect::<Result<_, RecordingError>>()?)
}

/// The rows as annotations. Attack types are those of GRAD-GPAD, or species of ours, which are mapped to them.
///
/// # Errors
///
/// [`RecordingError::NoLabel`] if a row has no label, [`RecordingError::UnknownName`] for an attack type that
/// has no counterpart.
pub fn write_grad_gpad_list(rows: &[ExchangeRow]) -> Result<String, DataError> {
    let annotations = rows.iter().map(|row| {
        let bona_fide = row
            .bona_fide
            .ok_or_else(|| RecordingError::NoLabel(row.name.clone()))?;
        let kind = row.attack_type.split('/').next().unwrap_or_default();
        let kind = match kind {
            _ if bona_fide => "",
            "paper_mask" | "rigid_mask" | "flexible_mask" | "fake_head" => "mask",
            "glasses" => "partial",
            other => other,
        };
        let found = PAIS
            .iter()
            .find(|(code, name)| *name == kind && (*code == 0) == bona_fide);
        let (code, _) = found.ok_or_else(|| RecordingError::UnknownName {
            column: "attack type",
            found: row.attack_type.clone(),
            known: vec!["print", "replay", "mask", "partial", "makeup"],
        })?;
        let parts = their_parts(row);
        Ok(Annotation {
            id: their_name(row),
            dataset: parts.map(|(dataset, _)| dataset.to_owned()),
            media: parts.map(|(_, media)| media.to_owned()),
            categorization: Categorization {
                coarse_grained_pai: *code,
            },
        })
    });
    let annotations = annotations.collect::<Result<_, RecordingError>>()?;
    Ok(serde_json::to_string_pretty(&Annotations { annotations })
        .expect("numbers and texts are JSON"))
}
