//! Bob's CSV (bob.pad.base 6): lists with `filename,subject,attack_type`, scores with
//! `claimed_id,test_label,is_bonafide,attack_type,score`. Bona fide is an empty attack type, and a higher
//! score is more bona fide. Columns are found by name; further ones are ignored, as Bob does.

use std::path::Path;

use super::ExchangeRow;
use crate::datasets::Table;
use crate::{DataError, RecordingError};

/// Reads a list or scores.
///
/// # Errors
///
/// [`RecordingError::Table`] if there is no column for the file, `is_bonafide` contradicts `attack_type`, or a
/// score is no finite number.
pub fn read_bob(path: impl AsRef<Path>) -> Result<Vec<ExchangeRow>, DataError> {
    let path = path.as_ref();
    let table = Table::read(path)?;
    let name = if table.has("test_label") {
        "test_label"
    } else {
        "filename"
    };
    if !table.has(name) || !table.has("attack_type") {
        return Err(RecordingError::Table {
            path: path.to_owned(),
            line: 1,
            problem: "neither Bob's list (filename,subject,attack_type) nor its scores \
                      (claimed_id,test_label,is_bonafide,attack_type,score)"
                .to_owned(),
        }
        .into());
    }
    let rows = table.rows().map(|row| {
        let attack_type = row.get("attack_type").unwrap_or_default();
        // Python writes a missing attack type as an empty field or as None.
        let attack_type = if attack_type == "None" {
            ""
        } else {
            attack_type
        };
        let bona_fide = attack_type.is_empty();
        if let Some(said) = row.get("is_bonafide")
            && !said.eq_ignore_ascii_case(if bona_fide { "true" } else { "false" })
        {
            return Err(row.error(format!(
                "is_bonafide is {said}, but the attack type is `{attack_type}`"
            )));
        }
        let score = row.get("score").map(|text| {
            let score: Option<f64> = text.parse().ok();
            score
                .filter(|score| score.is_finite())
                .ok_or_else(|| row.error(format!("score `{text}` is no finite number")))
        });
        let subject = row.get("subject").or_else(|| row.get("claimed_id"));
        Ok(ExchangeRow {
            name: row.require(name)?.to_owned(),
            dataset: String::new(),
            bona_fide: Some(bona_fide),
            attack_type: attack_type.to_owned(),
            subject: subject.unwrap_or_default().to_owned(),
            score: score.transpose()?,
        })
    });
    Ok(rows.collect::<Result<_, RecordingError>>()?)
}

/// The rows as Bob's scores if every row has one, else as Bob's list.
///
/// # Errors
///
/// [`RecordingError::NoLabel`] if a row has no label: Bob would take it for bona fide.
pub fn write_bob(rows: &[ExchangeRow]) -> Result<String, DataError> {
    let scores = !rows.is_empty() && rows.iter().all(|row| row.score.is_some());
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |fields: &[&str]| writer.write_record(fields).expect("writing to memory");
    if scores {
        write(&[
            "claimed_id",
            "test_label",
            "is_bonafide",
            "attack_type",
            "score",
        ]);
    } else {
        write(&["filename", "subject", "attack_type"]);
    }
    for row in rows {
        let bona_fide = row
            .bona_fide
            .ok_or_else(|| RecordingError::NoLabel(row.name.clone()))?;
        let attack_type = match (bona_fide, row.attack_type.as_str()) {
            (true, _) => "",
            (false, "") => "attack",
            (false, name) => name,
        };
        match row.score.filter(|_| scores) {
            Some(score) => {
                let truth = if bona_fide { "True" } else { "False" };
                write(&[
                    &row.subject,
                    &row.name,
                    truth,
                    attack_type,
                    &format!("{score:?}"),
                ]);
            }
            None => write(&[&row.name, &row.subject, attack_type]),
        }
    }
    let bytes = writer.into_inner().expect("writing to memory");
    Ok(String::from_utf8(bytes).expect("texts are UTF-8"))
}
