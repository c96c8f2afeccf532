//! `crops.csv`: one row a photo, added a batch at a time, so that an interrupted run can go on.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use csv::StringRecord;
use fas_align::Face;
use fas_data::{Crop, CropMatrix, Response};

use super::make_folder;
use crate::error::CliError;
use crate::output::ResumableTable;

const COLUMNS: [&str; 31] = [
    "photo", "crop", "status", "faces", "detector", "preset", "size", "sampling", "score", "left",
    "top", "right", "bottom", "leye_x", "leye_y", "reye_x", "reye_y", "nose_x", "nose_y",
    "lmouth_x", "lmouth_y", "rmouth_x", "rmouth_y", "scale", "m00", "m01", "m02", "m10", "m11",
    "m12", "error",
];
const CROP: usize = 1;
const STATUS: usize = 2;
const DETECTOR: usize = 4;
const SCALE: usize = 23;
const MATRIX: std::ops::Range<usize> = 24..30;
/// Where the columns of [`Settings`] are.
const SETTINGS: std::ops::Range<usize> = 4..8;

/// What all rows of a table share: detector, preset, size and sampling, as in the table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Settings(pub(super) [String; 4]);

/// What became of a photo.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Outcome {
    Crop {
        /// Below the output folder.
        path: String,
        /// Rows of the matrix from pixels of the photo to pixels of the crop.
        to_crop: [[f64; 3]; 2],
        /// Crop pixels a photo pixel.
        scale: f64,
    },
    NoFace,
    Unreadable(String),
    Refused(String),
}

/// What the table says of a photo.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Row {
    /// The photo.
    pub(super) name: String,
    /// Faces in it.
    pub(super) faces: usize,
    /// The one that was taken.
    pub(super) face: Option<Face>,
    pub(super) outcome: Outcome,
}

impl Row {
    fn record(&self, settings: &Settings) -> StringRecord {
        let (status, crop, error) = match &self.outcome {
            Outcome::Crop { path, .. } => ("crop", path.as_str(), ""),
            Outcome::NoFace => ("no_face", "", ""),
            Outcome::Unreadable(error) => ("unreadable", "", error.as_str()),
            Outcome::Refused(error) => ("refused", "", error.as_str()),
        };
        let faces = self.faces.to_string();
        let mut record = StringRecord::from(vec![self.name.as_str(), crop, status, &faces]);
        record.extend(&settings.0);
        let mut numbers = [const { String::new() }; 22];
        if let Some(face) = &self.face {
            numbers[0] = face.score.to_string();
            for (text, value) in numbers[1..5].iter_mut().zip(face.bounds) {
                *text = value.to_string();
            }
            let landmarks = face.landmarks.iter().flatten().flatten();
            for (text, value) in numbers[5..15].iter_mut().zip(landmarks) {
                *text = value.to_string();
            }
        }
        if let Outcome::Crop { to_crop, scale, .. } = &self.outcome {
            numbers[15] = scale.to_string();
            for (text, value) in numbers[16..22].iter_mut().zip(to_crop.as_flattened()) {
                *text = value.to_string();
            }
        }
        record.extend(&numbers);
        record.push_field(error);
        record
    }
}

/// The table of one output folder.
pub(super) struct Table {
    folder: PathBuf,
    settings: Settings,
    file: ResumableTable,
    rows: HashMap<String, StringRecord>,
}

impl Table {
    /// The table that an earlier run left in `folder`, or an empty one. Rows whose crop is gone, or
    /// without its numbers, do not count.
    pub(super) fn open(folder: &Path, settings: Settings) -> Result<Self, CliError> {
        let mut table = Self {
            folder: folder.to_owned(),
            settings,
            file: ResumableTable::new(folder.join("crops.csv"), &COLUMNS, "fas align"),
            rows: HashMap::new(),
        };
        for record in table.file.rows()?.into_iter().flatten() {
            table.admit(record)?;
        }
        make_folder(folder)?;
        Ok(table)
    }

    fn admit(&mut self, record: StringRecord) -> Result<(), CliError> {
        let made: Vec<&str> = SETTINGS.map(|column| &record[column]).collect();
        if made != self.settings.0 {
            return Err(CliError::OtherSettings {
                path: self.file.path().to_owned(),
                made: made.join(", "),
                asked: self.settings.0.join(", "),
            });
        }
        let crop = &record[CROP];
        let is_whole = || self.folder.join(crop).is_file() && crop_of(&record).is_some();
        if crop.is_empty() || is_whole() {
            self.rows.insert(record[0].to_owned(), record);
        }
        Ok(())
    }

    /// Whether the photo is done.
    pub(super) fn has(&self, name: &str) -> bool {
        self.rows.contains_key(name)
    }

    /// The photo's crop, below the folder.
    pub(super) fn path_of(&self, name: &str) -> Option<&str> {
        let path = &self.rows.get(name)?[CROP];
        (!path.is_empty()).then_some(path)
    }

    /// How the photo's crop was made; `None` without one.
    pub(super) fn crop_of(&self, name: &str) -> Option<Crop> {
        self.path_of(name)?;
        crop_of(self.rows.get(name)?)
    }

    /// What became of the photo. A face that cannot be cropped is no usable face.
    pub(super) fn response_of(&self, name: &str) -> Response {
        match self.rows.get(name).map(|row| &row[STATUS]) {
            Some("crop") => Response::Image,
            Some("no_face" | "refused") => Response::NoFace,
            _ => Response::Unreadable,
        }
    }

    /// Adds rows; they are on disk when this returns.
    pub(super) fn append(&mut self, rows: Vec<Row>) -> Result<(), CliError> {
        let records: Vec<_> = rows.iter().map(|row| row.record(&self.settings)).collect();
        self.file.append(&records)?;
        for record in records {
            self.rows.insert(record[0].to_owned(), record);
        }
        Ok(())
    }

    /// Writes the table of these photos, in their order; returns how many have no crop.
    pub(super) fn finish(&self, names: &[&str]) -> Result<usize, CliError> {
        let rows: Vec<&StringRecord> = names.iter().filter_map(|n| self.rows.get(*n)).collect();
        self.file.finish(rows.iter().copied())?;
        Ok(rows.iter().filter(|row| &row[STATUS] != "crop").count())
    }
}

fn crop_of(record: &StringRecord) -> Option<Crop> {
    let number = |column: usize| record[column].parse::<f64>().ok();
    let mut to_crop = [[0.0; 3]; 2];
    for (value, column) in to_crop.as_flattened_mut().iter_mut().zip(MATRIX) {
        *value = number(column)?;
    }
    Some(Crop {
        detector: record[DETECTOR].to_owned(),
        scale: number(SCALE)?,
        to_crop: CropMatrix(to_crop),
    })
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn settings(size: &str) -> Settings {
        Settings(["mtcnn", "square", size, "averaged"].map(str::to_owned))
    }

    fn no_face(name: &str) -> Row {
        Row {
            name: name.to_owned(),
            faces: 0,
            face: None,
            outcome: Outcome::NoFace,
        }
    }

    #[test]
    fn an_interrupted_table_goes_on_and_half_a_row_is_dropped() {
        let folder = tempfile::tempdir().unwrap();
        let mut table = Table::open(folder.path(), settings("64")).unwrap();
        table
            .append(vec![no_face("a.jpg"), no_face("b,1.jpg")])
            .unwrap();
        let partial = folder.path().join("crops.csv.partial");
        let bytes = fs::read(&partial).unwrap();
        fs::write(&partial, &bytes[..bytes.len() - 4]).unwrap();

        let table = Table::open(folder.path(), settings("64")).unwrap();
        assert!(table.has("a.jpg") && !table.has("b,1.jpg"));
        assert_eq!(table.finish(&["a.jpg"]).unwrap(), 1);
        assert!(!partial.exists());
        let table = Table::open(folder.path(), settings("64")).unwrap();
        assert!(table.has("a.jpg"));
        let error = Table::open(folder.path(), settings("128"))
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains("mtcnn, square, 64, averaged"), "{error}");
    }

    #[test]
    fn numbers_stand_in_their_columns() {
        let row = Row {
            name: "a.jpg".to_owned(),
            faces: 2,
            face: Some(Face {
                bounds: [1.0, 2.0, 3.5, 4.0],
                score: 0.75,
                landmarks: Some([[1.0, 2.0], [3.0, 4.0], [5.0, 6.0], [7.0, 8.0], [9.0, 10.0]]),
            }),
            outcome: Outcome::Crop {
                path: "a.png".to_owned(),
                to_crop: [[0.5, 0.0, -3.0], [0.0, 0.5, 7.25]],
                scale: 0.5,
            },
        };
        let record = row.record(&settings("64"));
        assert_eq!(record.len(), COLUMNS.len());
        let of = |column: &str| &record[COLUMNS.iter().position(|c| *c == column).unwrap()];
        let expected = [
            ("photo", "a.jpg"),
            ("crop", "a.png"),
            ("status", "crop"),
            ("faces", "2"),
            ("detector", "mtcnn"),
            ("sampling", "averaged"),
            ("score", "0.75"),
            ("right", "3.5"),
            ("leye_x", "1"),
            ("rmouth_y", "10"),
            ("scale", "0.5"),
            ("m02", "-3"),
            ("m12", "7.25"),
            ("error", ""),
        ];
        for (column, value) in expected {
            assert_eq!(of(column), value, "{column}");
        }
        let crop = Crop {
            detector: "mtcnn".to_owned(),
            scale: 0.5,
            to_crop: CropMatrix([[0.5, 0.0, -3.0], [0.0, 0.5, 7.25]]),
        };
        assert_eq!(crop_of(&record), Some(crop));
    }
}
