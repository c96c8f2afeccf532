//! SSDG-style label files: one `path label` a line, or SSDG's own JSON of `photo_path` and `photo_label`.
//!
//! Public lists disagree: 1 is bona fide for SSDG, SA-FAS and FLIP, and an attack for CelebA-Spoof. What is
//! written here begins with `# polarity: 1=bona_fide`; a file without that line needs its reader to say.

use std::fs;
use std::path::Path;

use serde::{Deserialize, Serialize};

use super::ExchangeRow;
use crate::{DataError, RecordingError};

const HEADER: &str = "# polarity: ";
const FORM: &str = "an array of objects with photo_path and photo_label, as in SSDG's data_label";

/// What the label 1 means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LabelMeaning {
    /// 1 is bona fide, 0 an attack (SSDG, SA-FAS, FLIP).
    OneIsBonaFide,
    /// 1 is an attack, 0 bona fide (CelebA-Spoof, GRAD-GPAD).
    OneIsAttack,
}

impl LabelMeaning {
    fn text(self) -> &'static str {
        match self {
            Self::OneIsBonaFide => "1=bona_fide",
            Self::OneIsAttack => "1=attack",
        }
    }

    fn is_bona_fide(self, one: bool) -> bool {
        one == (self == Self::OneIsBonaFide)
    }
}

#[derive(Serialize, Deserialize)]
struct Photo {
    photo_path: String,
    photo_label: u8,
}

/// Reads `path label` lines, or SSDG's JSON if the name ends in `.json`. `meaning` may be left out where the
/// file has the line `# polarity: …`, and must agree with it.
///
/// # Errors
///
/// [`RecordingError::UnclearPolarity`] if neither says what 1 means or the two disagree;
/// [`RecordingError::Table`] for a line that is no path and 0 or 1; [`RecordingError::Json`].
pub fn read_label_text(
    path: impl AsRef<Path>,
    meaning: Option<LabelMeaning>,
) -> Result<Vec<ExchangeRow>, DataError> {
    let path = path.as_ref();
    let text = fs::read_to_string(path).map_err(|source| DataError::Io {
        path: path.to_owned(),
        action: "read the labels",
        source,
    })?;
    let text = text.trim_start_matches('\u{feff}');
    let unclear = |reason| RecordingError::UnclearPolarity {
        path: path.to_owned(),
        reason,
    };
    let bad_line = |line: usize, text: &str| RecordingError::Table {
        path: path.to_owned(),
        line: line as u64 + 1,
        problem: format!("`{text}` is no path and a label 0 or 1"),
    };
    if path
        .extension()
        .is_some_and(|extension| extension == "json")
    {
        let meaning =
            meaning.ok_or_else(|| unclear("JSON has no place to say what 1 means".to_owned()))?;
        let photos: Vec<Photo> =
            serde_json::from_str(text).map_err(|source| RecordingError::Json {
                path: path.to_owned(),
                expected: FORM,
                source,
            })?;
        let rows = photos.into_iter().map(|photo| match photo.photo_label {
            0 | 1 => Ok(row(
                &photo.photo_path,
                meaning.is_bona_fide(photo.photo_label == 1),
            )),
            other => Err(bad_line(0, &format!("{} {other}", photo.photo_path))),
        });
        return Ok(rows.collect::<Result<_, _>>()?);
    }
    let mut lines = text.lines().enumerate().peekable();
    let said = match lines.peek().and_then(|(_, line)| line.strip_prefix(HEADER)) {
        None => None,
        Some(text) => {
            lines.next();
            let known = [LabelMeaning::OneIsBonaFide, LabelMeaning::OneIsAttack];
            let known = known.into_iter().find(|known| known.text() == text.trim());
            Some(known.ok_or_else(|| {
                unclear(format!("it says `{text}`; known are 1=bona_fide, 1=attack"))
            })?)
        }
    };
    let meaning = match (said, meaning) {
        (Some(said), Some(asked)) if said != asked => {
            let reason = format!("the file says {}, its reader {}", said.text(), asked.text());
            return Err(unclear(reason).into());
        }
        (said, asked) => said.or(asked).ok_or_else(|| {
            unclear(
                "it does not say what 1 means; its first line may be `# polarity: 1=bona_fide`"
                    .to_owned(),
            )
        })?,
    };
    let mut rows = Vec::new();
    for (number, line) in lines {
        let line = line.trim_end();
        if line.is_empty() {
            continue;
        }
        let (name, label) = line.rsplit_once([' ', '\t']).unwrap_or((line, ""));
        let one = match label {
            "1" => true,
            "0" => false,
            _ => return Err(bad_line(number, line).into()),
        };
        rows.push(row(name.trim_end(), meaning.is_bona_fide(one)));
    }
    Ok(rows)
}

fn row(name: &str, bona_fide: bool) -> ExchangeRow {
    ExchangeRow {
        name: name.to_owned(),
        bona_fide: Some(bona_fide),
        ..ExchangeRow::default()
    }
}

/// The rows as `path label` lines, the first of which says what 1 means.
///
/// # Errors
///
/// [`RecordingError::NoLabel`] if a row has no label.
pub fn write_label_text(rows: &[ExchangeRow], meaning: LabelMeaning) -> Result<String, DataError> {
    let mut text = format!("{HEADER}{}\n", meaning.text());
    for row in rows {
        let bona_fide = row
            .bona_fide
            .ok_or_else(|| RecordingError::NoLabel(row.name.clone()))?;
        let one = bona_fide == meaning.is_bona_fide(true);
        text += &format!("{} {}\n", row.name, u8::from(one));
    }
    Ok(text)
}
