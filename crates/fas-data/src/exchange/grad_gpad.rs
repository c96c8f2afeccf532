//! GRAD-GPAD's JSON (Costa-Pazo et al. 2019): scores `{"{dataset}_{media}": score}`, **higher for attacks**, and
//! annotations whose `categorization.coarse_grained_pai` is 0 for genuine.
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

#[derive(Serialize, Deserialize)]
struct Annotations {
    annotations: Vec<Annotation>,
}

#[derive(Serialize, Deserialize)]
struct Annotation {
    id: String,
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
    let rows = scores.into_iter().map(|(name, score)| ExchangeRow {
        name,
        score: Some(1.0 - score),
        ..ExchangeRow::default()
    });
    Ok(rows.collect())
}

/// The scores of the rows that have one, turned so that higher is more of an attack.
pub fn write_grad_gpad_scores(rows: &[ExchangeRow]) -> String {
    let scores: BTreeMap<&str, f64> = rows
        .iter()
        .filter_map(|row| Some((row.name.as_str(), 1.0 - row.score?)))
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
        let (_, name) = found.ok_or_else(|| RecordingError::UnknownName {
            column: "coarse_grained_pai",
            found: code.to_string(),
            known: vec!["0", "1", "2", "3", "5", "6"],
        })?;
        Ok(ExchangeRow {
            name: annotation.id,
            bona_fide: Some(code == 0),
            attack_type: (*name).to_owned(),
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
        Ok(Annotation {
            id: row.name.clone(),
            categorization: Categorization {
                coarse_grained_pai: *code,
            },
        })
    });
    let annotations = annotations.collect::<Result<_, RecordingError>>()?;
    Ok(serde_json::to_string_pretty(&Annotations { annotations })
        .expect("numbers and texts are JSON"))
}
