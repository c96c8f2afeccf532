//! Tables of publishers and users: CSV with a header, read whole, lines as an editor shows them.

use std::fs;
use std::path::{Path, PathBuf};

use csv::StringRecord;

use crate::manifest_file::LineCounter;
use crate::{DataError, ManifestProblem, RecordingError};

/// A CSV file with a header. A byte order mark is ignored; rows may lack fields at their end.
#[derive(Debug)]
pub(crate) struct Table {
    path: PathBuf,
    header: Vec<String>,
    rows: Vec<(u64, StringRecord)>,
}

/// One row of a [`Table`].
#[derive(Debug, Clone, Copy)]
pub(crate) struct Row<'a> {
    table: &'a Table,
    line: u64,
    record: &'a StringRecord,
}

impl Table {
    /// Reads a file.
    pub(crate) fn read(path: &Path) -> Result<Self, DataError> {
        let bytes = fs::read(path).map_err(|source| DataError::Io {
            path: path.to_owned(),
            action: "read the table",
            source,
        })?;
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
        let mut reader = csv::ReaderBuilder::new()
            .has_headers(false)
            .flexible(true)
            .from_reader(bytes);
        let mut lines = LineCounter::new(bytes);
        let (mut header, mut rows) = (None, Vec::new());
        let mut record = csv::ByteRecord::new();
        // Reading bytes from memory cannot fail.
        while reader.read_byte_record(&mut record).unwrap_or(false) {
            let start = record.position().map_or(0, csv::Position::byte);
            let line = lines.line_of_record(start as usize);
            let text = StringRecord::from_byte_record(record.clone()).map_err(|_| {
                RecordingError::TableField {
                    path: path.to_owned(),
                    line,
                    source: ManifestProblem::NotUtf8,
                }
            })?;
            if header.is_none() {
                header = Some(text.iter().map(|name| name.trim().to_owned()).collect());
            } else {
                rows.push((line, text));
            }
        }
        Ok(Self {
            path: path.to_owned(),
            header: header.unwrap_or_default(),
            rows,
        })
    }

    /// Refuses a header with a column outside `known` or without one of `required`.
    pub(crate) fn check_columns(
        &self,
        required: &[&'static str],
        known: &[&'static str],
    ) -> Result<(), DataError> {
        let error = |problem| RecordingError::Table {
            path: self.path.clone(),
            line: 1,
            problem,
        };
        for (index, name) in self.header.iter().enumerate() {
            if !known.contains(&name.as_str()) {
                let known = known.join(", ");
                return Err(error(format!("unknown column `{name}`; columns are {known}")).into());
            }
            if self.header[..index].contains(name) {
                return Err(error(format!("column `{name}` appears twice; remove one")).into());
            }
        }
        match required.iter().find(|name| !self.has(name)) {
            Some(name) => Err(error(format!("column `{name}` is missing")).into()),
            None => Ok(()),
        }
    }

    /// Whether there is a column of that name.
    pub(crate) fn has(&self, name: &str) -> bool {
        self.header.iter().any(|column| column == name)
    }

    /// The rows in order.
    pub(crate) fn rows(&self) -> impl Iterator<Item = Row<'_>> {
        self.rows.iter().map(|(line, record)| Row {
            table: self,
            line: *line,
            record,
        })
    }
}

impl<'a> Row<'a> {
    /// The text of a column; `None` if it is empty or there is no such column.
    pub(crate) fn get(self, column: &str) -> Option<&'a str> {
        let index = self.table.header.iter().position(|name| name == column)?;
        self.record.get(index).filter(|text| !text.is_empty())
    }

    /// The text of a column that must have one.
    pub(crate) fn require(self, column: &'static str) -> Result<&'a str, RecordingError> {
        self.get(column)
            .ok_or_else(|| self.error(format!("`{column}` is empty; give it a value")))
    }

    /// An error of this row.
    pub(crate) fn error(self, problem: String) -> RecordingError {
        RecordingError::Table {
            path: self.table.path.clone(),
            line: self.line,
            problem,
        }
    }

    /// An error of this row by a rule of manifests.
    pub(crate) fn field_error(self, source: ManifestProblem) -> RecordingError {
        RecordingError::TableField {
            path: self.table.path.clone(),
            line: self.line,
            source,
        }
    }
}
