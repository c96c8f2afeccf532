//! Score files: CSV with the columns `score,label,species,video,subject`.
//!
//! `score` and `label` are needed. `label` is `bona_fide` or `attack`. Where there is a `species`
//! column every attack fills it; without one all attacks are of the species `unspecified`.
//! `video` and `subject` may be empty. An empty `score` is a presentation without a decision
//! (ISO/IEC 30107-3 non-response). Other columns are ignored.

use std::io::Write;
use std::path::{Path, PathBuf};

use crate::MetricError;
use crate::non_response::NonResponses;
use crate::scores::{Label, ScoreSet, ScoredSample};

/// Species of attacks in a file without a `species` column.
pub const UNSPECIFIED_SPECIES: &str = "unspecified";

/// The rows of a score file.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreFile {
    /// Rows with a score, in file order.
    pub samples: Vec<ScoredSample>,
    /// Rows without.
    pub non_responses: NonResponses,
}

impl ScoreFile {
    /// Reads the file at `path`.
    ///
    /// # Errors
    ///
    /// [`MetricError::Io`], [`MetricError::NotUtf8`], [`MetricError::Header`],
    /// [`MetricError::FieldCount`], [`MetricError::Field`] and [`MetricError::NoRows`]; each names
    /// the file and, where there is one, the line.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, MetricError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| MetricError::Io {
            path: path.to_owned(),
            action: "read the scores",
            source,
        })?;
        Self::from_bytes(&bytes, path)
    }

    /// Reads scores from the content of a file; `path` names it in errors.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read).
    pub fn from_bytes(bytes: &[u8], path: impl AsRef<Path>) -> Result<Self, MetricError> {
        let path = path.as_ref();
        let text = std::str::from_utf8(bytes).map_err(|error| MetricError::NotUtf8 {
            path: path.to_owned(),
            line: line_at(bytes, error.valid_up_to()),
        })?;
        // A byte order mark, as spreadsheets write it, is no part of the first name.
        let text = text.trim_start_matches('\u{feff}').as_bytes();
        let invalid = |source| MetricError::Csv {
            path: path.to_owned(),
            source,
        };
        // `flexible`, so that a wrong number of fields is our error, with the right line.
        let mut reader = csv::ReaderBuilder::new()
            .trim(csv::Trim::All)
            .flexible(true)
            .from_reader(text);
        let columns = Columns::find(reader.headers().map_err(invalid)?, path)?;
        let mut file = Self {
            samples: Vec::new(),
            non_responses: NonResponses::default(),
        };
        for record in reader.records() {
            let record = record.map_err(invalid)?;
            file.push(&Row {
                columns: &columns,
                record: &record,
                text,
                path,
            })?;
        }
        if file.samples.is_empty() && file.non_responses.is_empty() {
            return Err(MetricError::NoRows {
                path: path.to_owned(),
            });
        }
        Ok(file)
    }

    /// The validated set of frame scores.
    ///
    /// # Errors
    ///
    /// As [`ScoreSet::new`].
    pub fn into_set(self) -> Result<ScoreSet, MetricError> {
        Ok(ScoreSet::new(self.samples)?.with_non_responses(self.non_responses))
    }

    fn push(&mut self, row: &Row) -> Result<(), MetricError> {
        row.check_field_count()?;
        let label = row.label()?;
        let Some(score) = row.score()? else {
            match label {
                Label::BonaFide => self.non_responses.bona_fide += 1,
                Label::Attack(species) => {
                    *self.non_responses.by_species.entry(species).or_default() += 1;
                }
            }
            return Ok(());
        };
        let text =
            |index: Option<usize>| Some(row.text(index).to_owned()).filter(|t| !t.is_empty());
        let (video, subject) = (text(row.columns.video), text(row.columns.subject));
        self.samples.push(ScoredSample {
            score,
            label,
            video,
            subject,
        });
        Ok(())
    }
}

/// Writes `samples` with the full header, scores in their shortest exact form.
///
/// # Errors
///
/// [`MetricError::Csv`]; `path` names the output in it.
pub fn write_scores(
    samples: &[ScoredSample],
    writer: impl Write,
    path: impl AsRef<Path>,
) -> Result<(), MetricError> {
    let invalid = |source| MetricError::Csv {
        path: path.as_ref().to_owned(),
        source,
    };
    let mut writer = csv::Writer::from_writer(writer);
    writer
        .write_record(["score", "label", "species", "video", "subject"])
        .map_err(invalid)?;
    for sample in samples {
        let (label, species) = match &sample.label {
            Label::BonaFide => ("bona_fide", ""),
            Label::Attack(species) => ("attack", species.as_str()),
        };
        let score = sample.score.to_string();
        let video = sample.video.as_deref().unwrap_or_default();
        let subject = sample.subject.as_deref().unwrap_or_default();
        writer
            .write_record([&score, label, species, video, subject])
            .map_err(invalid)?;
    }
    writer.flush().map_err(|source| invalid(source.into()))
}

/// Line of the record that starts at `offset`, counted from 1. `csv::Position::line` is the line
/// where the reader stood: before blank lines and, after CRLF, before the line feed.
fn line_at(text: &[u8], offset: usize) -> u64 {
    let is_end = |byte: &u8| matches!(byte, b'\n' | b'\r');
    let offset = offset
        + text[offset..]
            .iter()
            .take_while(|byte| is_end(byte))
            .count();
    let ends = text[..offset]
        .iter()
        .enumerate()
        .filter(|&(at, &byte)| match byte {
            b'\n' => true,
            b'\r' => text.get(at + 1) != Some(&b'\n'),
            _ => false,
        });
    1 + ends.count() as u64
}

/// Where the columns are.
struct Columns {
    count: usize,
    score: usize,
    label: usize,
    species: Option<usize>,
    video: Option<usize>,
    subject: Option<usize>,
}

impl Columns {
    fn find(header: &csv::StringRecord, path: &Path) -> Result<Self, MetricError> {
        let error = |column, problem| MetricError::Header {
            path: path.to_owned(),
            column,
            problem,
        };
        let optional = |name: &'static str| {
            let mut found = header
                .iter()
                .enumerate()
                .filter(|(_, field)| *field == name);
            match (found.next(), found.next()) {
                (first, None) => Ok(first.map(|(index, _)| index)),
                (_, Some(_)) => Err(error(name, "repeated")),
            }
        };
        let needed = |name| optional(name)?.ok_or_else(|| error(name, "missing"));
        Ok(Self {
            count: header.len(),
            score: needed("score")?,
            label: needed("label")?,
            species: optional("species")?,
            video: optional("video")?,
            subject: optional("subject")?,
        })
    }
}

/// One line below the header.
struct Row<'a> {
    columns: &'a Columns,
    record: &'a csv::StringRecord,
    text: &'a [u8],
    path: &'a Path,
}

impl Row<'_> {
    fn text(&self, index: Option<usize>) -> &str {
        index
            .and_then(|index| self.record.get(index))
            .unwrap_or_default()
    }

    fn line(&self) -> u64 {
        let offset = self.record.position().map_or(0, csv::Position::byte);
        line_at(self.text, offset as usize)
    }

    fn check_field_count(&self) -> Result<(), MetricError> {
        let (found, expected) = (self.record.len(), self.columns.count);
        if found == expected {
            return Ok(());
        }
        let path = self.path.to_owned();
        Err(MetricError::FieldCount {
            path,
            line: self.line(),
            found,
            expected,
        })
    }

    fn error(&self, column: &'static str, value: &str, problem: &'static str) -> MetricError {
        MetricError::Field {
            path: PathBuf::from(self.path),
            line: self.line(),
            column,
            value: value.to_owned(),
            problem,
        }
    }

    fn label(&self) -> Result<Label, MetricError> {
        let species = self.text(self.columns.species);
        match self.text(Some(self.columns.label)) {
            "bona_fide" if species.is_empty() => Ok(Label::BonaFide),
            "bona_fide" => Err(self.error(
                "species",
                species,
                "is given for a bona fide row; leave it empty",
            )),
            "attack" if self.columns.species.is_none() => {
                Ok(Label::Attack(UNSPECIFIED_SPECIES.to_owned()))
            }
            "attack" if species.is_empty() => Err(self.error(
                "species",
                species,
                "is empty for an attack; name its species, such as `print`",
            )),
            "attack" => Ok(Label::Attack(species.to_owned())),
            other => Err(self.error("label", other, "is no label; write `bona_fide` or `attack`")),
        }
    }

    fn score(&self) -> Result<Option<f64>, MetricError> {
        let text = self.text(Some(self.columns.score));
        if text.is_empty() {
            return Ok(None);
        }
        match text.parse::<f64>() {
            Ok(score) if score.is_finite() => Ok(Some(score)),
            Ok(_) => Err(self.error(
                "score",
                text,
                "is not finite; leave it empty where the detector gave no score",
            )),
            Err(_) => Err(self.error("score", text, "is no number")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ScoreFile, MetricError> {
        ScoreFile::from_bytes(text.as_bytes(), "scores.csv")
    }

    #[test]
    fn reads_rows_and_non_responses() {
        let text = "\u{feff}score,label,species,video,subject,note\n\
                    0.9,bona_fide,,v1,p1,x\n,bona_fide,,v2,p2,\n-1e-3,attack,print,v3,,\n,attack,print,,,\n";
        let file = read(text).unwrap();
        let expected = [
            ScoredSample::bona_fide(0.9)
                .with_video("v1")
                .with_subject("p1"),
            ScoredSample::attack(-0.001, "print").with_video("v3"),
        ];
        assert_eq!(file.samples, expected);
        assert_eq!(file.non_responses.bona_fide, 1);
        assert_eq!(file.non_responses.by_species["print"], 1);
    }

    #[test]
    fn columns_come_in_any_order_and_species_may_lack() {
        let file = read("label,score\nattack,0.25\nbona_fide,1\n").unwrap();
        assert_eq!(
            file.samples[0],
            ScoredSample::attack(0.25, UNSPECIFIED_SPECIES)
        );
        assert_eq!(file.into_set().unwrap().sweep().auc(), 1.0);
    }

    #[test]
    fn errors_name_file_line_and_remedy() {
        let cases = [
            (
                "score,label,species\n0.5,bona_fide,\n0.5,live,\n",
                "scores.csv, line 3, column `label`: `live`",
            ),
            (
                "score,label,species\nNaN,bona_fide,\n",
                "line 2, column `score`: `NaN` is not finite",
            ),
            (
                "score,label,species\n0,5,bona_fide\n",
                "line 2, column `label`: `5` is no label",
            ),
            (
                "score,label,species\nhigh,bona_fide,\n",
                "`high` is no number",
            ),
            ("score,label,species\n0.5,attack,\n", "name its species"),
            (
                "score,label,species\n0.5,bona_fide,print\n",
                "leave it empty",
            ),
            (
                "probability,label\n0.5,attack\n",
                "line 1: missing column `score`",
            ),
            (
                "score,label,score\n0.5,attack,1\n",
                "repeated column `score`",
            ),
            (
                "score,label\n0.5\n",
                "line 2: 1 fields where the header has 2",
            ),
            (
                "score,label\n0,5,attack\n",
                "line 2: 3 fields where the header has 2",
            ),
            ("score,label\n", "no score below the header"),
            ("", "missing column `score`"),
        ];
        for (text, expected) in cases {
            let message = read(text).unwrap_err().to_string();
            assert!(message.contains(expected), "{text:?}: {message}");
        }
        let error = ScoreFile::from_bytes(b"score,label\n1,attack\n1,\xff\n", "s.csv");
        let message = error.unwrap_err().to_string();
        assert!(message.contains("s.csv, line 3: not UTF-8"), "{message}");
        let message = ScoreFile::read("no/such.csv").unwrap_err().to_string();
        assert!(
            message.contains("no/such.csv: cannot read the scores"),
            "{message}"
        );
    }

    #[test]
    fn line_numbers_are_those_of_an_editor() {
        for end in ["\n", "\r\n", "\r"] {
            let lines = [
                "\u{feff}score,label,subject",
                "1,attack,a",
                "",
                "1,attack,\"b",
                "c\"",
                "1,live,d",
            ];
            let message = read(&lines.join(end)).unwrap_err().to_string();
            assert!(
                message.contains("line 6, column `label`"),
                "{end:?}: {message}"
            );
        }
    }

    #[test]
    fn written_scores_are_read_back_exactly() {
        let samples = vec![
            ScoredSample::bona_fide(0.1 + 0.2)
                .with_video("a, \"b\"")
                .with_subject("p"),
            ScoredSample::attack(f64::MIN_POSITIVE, "paper_mask"),
        ];
        let mut bytes = Vec::new();
        write_scores(&samples, &mut bytes, "out.csv").unwrap();
        assert_eq!(
            ScoreFile::from_bytes(&bytes, "out.csv").unwrap().samples,
            samples
        );
    }
}
