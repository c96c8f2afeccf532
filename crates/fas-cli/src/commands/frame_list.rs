//! `frames.csv`: one row a frame of a recording, those without an image too, so that the non-response rates of
//! ISO/IEC 30107-3 can be counted.

use std::path::Path;

use csv::StringRecord;
use fas_data::{Label, Response, count_non_responses};

use crate::error::CliError;
use crate::output::ResumableTable;

const COLUMNS: [&str; 7] = [
    "recording",
    "label",
    "species",
    "frame",
    "path",
    "response",
    "policy",
];

/// A frame, or a recording that gave none.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct FrameRow {
    pub(crate) recording: String,
    pub(crate) label: Label,
    /// Its number in the recording.
    pub(crate) frame: Option<usize>,
    /// The image, below the folder of the list; empty where there is none.
    pub(crate) path: String,
    pub(crate) response: Response,
    /// How frames of the recording are chosen, as [`FramePolicy`](fas_data::FramePolicy) says it.
    pub(crate) policy: String,
}

impl FrameRow {
    fn record(&self) -> StringRecord {
        let species = self.label.species().map_or("", |species| species.name());
        let frame = self.frame.map_or_else(String::new, |n| n.to_string());
        StringRecord::from(
            [
                self.recording.as_str(),
                self.label.class_name(),
                species,
                &frame,
                &self.path,
                self.response.name(),
                &self.policy,
            ]
            .as_slice(),
        )
    }

    fn parse(record: &StringRecord) -> Option<Self> {
        let label = match &record[1] {
            "bona_fide" => Label::BonaFide,
            _ => Label::Attack(record[2].parse().ok()?),
        };
        let frame = match &record[3] {
            "" => None,
            number => Some(number.parse().ok()?),
        };
        Some(Self {
            recording: record[0].to_owned(),
            label,
            frame,
            path: record[4].to_owned(),
            response: Response::ALL
                .into_iter()
                .find(|response| response.name() == &record[5])?,
            policy: record[6].to_owned(),
        })
    }
}

/// The list of one folder.
pub(crate) struct FrameList {
    table: ResumableTable,
}

impl FrameList {
    /// The list of `folder`, which may not be there yet.
    pub(crate) fn of(folder: &Path) -> Self {
        let path = folder.join("frames.csv");
        Self {
            table: ResumableTable::new(path, &COLUMNS, "fas data frames"),
        }
    }

    /// Rows that earlier runs left: of a whole list, and of a run that was interrupted.
    pub(crate) fn rows(&self) -> Result<[Vec<FrameRow>; 2], CliError> {
        let parse = |records: Vec<StringRecord>| {
            let rows = records.iter().map(|record| {
                FrameRow::parse(record).ok_or_else(|| CliError::Read {
                    path: self.table.path().to_owned(),
                    source: std::io::Error::other(format!(
                        "the row of `{}` is none of `fas data frames`; move the file, or write elsewhere",
                        &record[0]
                    )),
                })
            });
            rows.collect::<Result<Vec<_>, _>>()
        };
        let [whole, partial] = self.table.rows()?;
        Ok([parse(whole)?, parse(partial)?])
    }

    /// Adds rows; they are on disk when this returns.
    pub(crate) fn append(&self, rows: &[FrameRow]) -> Result<(), CliError> {
        self.table.append(&records(rows))
    }

    /// Puts these rows in the place of those of an interrupted run.
    pub(crate) fn restart(&self, rows: &[FrameRow]) -> Result<(), CliError> {
        self.table.restart(&records(rows))
    }

    /// Writes the whole list.
    pub(crate) fn finish(&self, rows: &[FrameRow]) -> Result<(), CliError> {
        self.table.finish(&records(rows))
    }
}

fn records(rows: &[FrameRow]) -> Vec<StringRecord> {
    rows.iter().map(FrameRow::record).collect()
}

/// Says how many recordings gave no image: BPNRR of bona fide, APNRR of a species.
pub(crate) fn tell_non_responses(rows: &[FrameRow]) {
    let counted = rows
        .iter()
        .map(|row| (row.recording.as_str(), row.label, row.response));
    for (label, count) in count_non_responses(counted) {
        let rate = if label.is_bona_fide() {
            "BPNRR"
        } else {
            "APNRR"
        };
        eprintln!(
            "{label}: {} recordings, {} without an image ({rate} {:.4})",
            count.presentations,
            count.without,
            count.rate().unwrap_or(0.0)
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fas_data::PaiSpecies;

    #[test]
    fn rows_come_back() {
        let rows = [
            FrameRow {
                recording: "x/a, b".to_owned(),
                label: Label::BonaFide,
                frame: Some(7),
                path: "x/a, b/00007.png".to_owned(),
                response: Response::Image,
                policy: "ssdg 1".to_owned(),
            },
            FrameRow {
                recording: "x/c".to_owned(),
                label: Label::Attack(PaiSpecies::PaperMask),
                frame: None,
                path: String::new(),
                response: Response::Unreadable,
                policy: "all".to_owned(),
            },
        ];
        let folder = tempfile::tempdir().unwrap();
        let list = FrameList::of(folder.path());
        list.append(&rows[..1]).unwrap();
        assert_eq!(list.rows().unwrap()[1], rows[..1]);
        list.restart(&rows[1..]).unwrap();
        assert_eq!(list.rows().unwrap()[1], rows[1..]);
        list.finish(&rows).unwrap();
        assert_eq!(list.rows().unwrap(), [rows.to_vec(), vec![]]);
    }
}
