//! Index files: the recordings of data sets as CSV (RFC 4180), UTF-8, strict, read and written as a
//! stream.
//!
//! Columns are those of [`Recording`]; `label` and `species` as in manifests, `folds` the part of each
//! fold joined by `;`, `rotation` 0, 90, 180 or 270. Paths are relative to the root of their data set,
//! which the file does not have: `datasets.toml` does.
//!
//! A file whose name ends in `.parquet` has the same columns as a Parquet table (feature `parquet`):
//! `row` and `rotation` integers, the others text; null where CSV is empty.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read};
use std::path::{Path, PathBuf};

use csv::StringRecord;

use crate::datasets::label_of;
#[cfg(feature = "parquet")]
use crate::parquet_table::{ParquetReader, ParquetWriter};
use crate::table_format::{TableFormat, temporary_beside};
use crate::{DataError, ManifestProblem, Recording, RecordingError, Split};

/// Columns of an index file, in order.
pub const INDEX_COLUMNS: [&str; 17] = [
    "id",
    "path",
    "media",
    "row",
    "domain",
    "label",
    "species",
    "instrument",
    "split",
    "folds",
    "subject",
    "presenter",
    "session",
    "device",
    "environment",
    "style",
    "rotation",
];

/// Writes an index under a temporary name; [`finish`](Self::finish) gives it its own.
pub struct IndexWriter {
    path: PathBuf,
    temporary: PathBuf,
    rows: Option<RowWriter>,
    folds: String,
}

/// Rows in the form of the file.
enum RowWriter {
    Csv(csv::Writer<BufWriter<File>>),
    #[cfg(feature = "parquet")]
    Parquet(Box<ParquetWriter>),
}

impl RowWriter {
    fn new(file: File, format: TableFormat) -> io::Result<Self> {
        match format {
            TableFormat::Csv => {
                let mut writer = csv::Writer::from_writer(BufWriter::with_capacity(1 << 17, file));
                writer.write_record(INDEX_COLUMNS)?;
                Ok(Self::Csv(writer))
            }
            #[cfg(feature = "parquet")]
            TableFormat::Parquet => {
                let writer = ParquetWriter::new(file, &INDEX_COLUMNS)?;
                Ok(Self::Parquet(Box::new(writer)))
            }
        }
    }

    fn write(&mut self, row: &[&str]) -> io::Result<()> {
        match self {
            Self::Csv(writer) => Ok(writer.write_record(row)?),
            #[cfg(feature = "parquet")]
            Self::Parquet(writer) => writer.write(row),
        }
    }

    fn finish(self) -> io::Result<File> {
        match self {
            Self::Csv(writer) => {
                let file = writer.into_inner().map_err(|error| error.into_error())?;
                file.into_inner().map_err(|error| error.into_error())
            }
            #[cfg(feature = "parquet")]
            Self::Parquet(writer) => writer.finish(),
        }
    }
}

impl IndexWriter {
    /// Starts an index file at `path`. A name that ends in `.parquet` makes a Parquet file, any other
    /// CSV.
    ///
    /// # Errors
    ///
    /// [`DataError::Io`] if nothing can be written there, [`RecordingError::MissingFeature`] without
    /// the feature `parquet`.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, DataError> {
        let path = path.into();
        let format = TableFormat::of(&path)?;
        let temporary = temporary_beside(&path);
        let rows = File::create(&temporary).and_then(|file| RowWriter::new(file, format));
        Ok(Self {
            rows: Some(rows.map_err(|source| io_error(&path, source))?),
            path,
            temporary,
            folds: String::new(),
        })
    }

    /// Adds a recording.
    ///
    /// # Errors
    ///
    /// [`DataError::Io`] if it cannot be written.
    pub fn write(&mut self, recording: &Recording) -> Result<(), DataError> {
        let Some(rows) = &mut self.rows else {
            return Ok(());
        };
        join_folds(recording, &mut self.folds);
        let row = recording.row.map(|row| row.to_string());
        let species = recording.label.species();
        let fields: [&str; INDEX_COLUMNS.len()] = [
            &recording.id,
            &recording.path,
            recording.media.name(),
            row.as_deref().unwrap_or_default(),
            &recording.domain,
            recording.label.class_name(),
            species.map_or("", |species| species.name()),
            &recording.instrument,
            recording.split.map_or("", Split::name),
            &self.folds,
            &recording.subject,
            recording.presenter.as_deref().unwrap_or_default(),
            recording.session.as_deref().unwrap_or_default(),
            recording.device.as_deref().unwrap_or_default(),
            recording.environment.as_deref().unwrap_or_default(),
            &recording.style,
            recording.rotation.name(),
        ];
        rows.write(&fields)
            .map_err(|source| io_error(&self.path, source))
    }

    /// Completes the file.
    ///
    /// # Errors
    ///
    /// [`DataError::Io`] if it cannot be completed; an earlier file is then left as it was.
    pub fn finish(mut self) -> Result<(), DataError> {
        let Some(rows) = self.rows.take() else {
            return Ok(());
        };
        let complete = || -> io::Result<()> {
            rows.finish()?.sync_all()?;
            fs::rename(&self.temporary, &self.path)
        };
        complete().map_err(|source| {
            // The first error is the one to report.
            let _ = fs::remove_file(&self.temporary);
            io_error(&self.path, source)
        })
    }
}

impl Drop for IndexWriter {
    fn drop(&mut self) {
        // Given up half-way: nothing stays behind.
        if self.rows.take().is_some() {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

fn join_folds(recording: &Recording, text: &mut String) {
    text.clear();
    for (index, fold) in recording.folds.iter().enumerate() {
        if index > 0 {
            text.push(';');
        }
        text.push_str(fold.map_or("", Split::name));
    }
}

fn io_error(path: &Path, source: io::Error) -> DataError {
    DataError::Io {
        path: path.to_owned(),
        action: "write the index",
        source,
    }
}

/// Reads an index file and hands each recording to `sink`. A name that ends in `.parquet` means a
/// Parquet file, any other CSV.
///
/// # Errors
///
/// [`RecordingError::Table`] or [`RecordingError::TableField`] with the line of the first wrong row,
/// [`DataError::Io`] if the file cannot be read, [`RecordingError::MissingFeature`] without the feature
/// `parquet`, and what `sink` returns.
pub fn read_index(
    path: impl AsRef<Path>,
    sink: impl FnMut(Recording) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let path = path.as_ref();
    match TableFormat::of(path)? {
        TableFormat::Csv => read_csv(path, sink),
        #[cfg(feature = "parquet")]
        TableFormat::Parquet => read_parquet(path, sink),
    }
}

fn read_csv(
    path: &Path,
    mut sink: impl FnMut(Recording) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let open = |source| read_error(path, source);
    let mut file = BufReader::with_capacity(1 << 17, File::open(path).map_err(open)?);
    let mut start = [0; 3];
    let read = file.read(&mut start).map_err(open)?;
    let start: &[u8] = if start[..read] == *b"\xEF\xBB\xBF" {
        &[]
    } else {
        &start[..read]
    };
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(io::Cursor::new(start.to_vec()).chain(file));
    let mut record = StringRecord::new();
    let mut header = false;
    loop {
        let line = reader.position().line();
        match reader.read_record(&mut record) {
            Ok(false) if header => return Ok(()),
            Ok(false) => {
                let empty = RowProblem::Text("the file is empty".to_owned());
                return Err(empty.at(path, 1));
            }
            Ok(true) => {}
            Err(error) => {
                return Err(match error.into_kind() {
                    csv::ErrorKind::Io(source) => open(source),
                    _ => RowProblem::Field(ManifestProblem::NotUtf8).at(path, line),
                });
            }
        }
        let line = record.position().map_or(line, csv::Position::line);
        let fields: Vec<&str> = record.iter().collect();
        if header {
            sink(parse(fields).map_err(|problem| problem.at(path, line))?)?;
        } else {
            check_header(&fields).map_err(|problem| problem.at(path, line))?;
            header = true;
        }
    }
}

#[cfg(feature = "parquet")]
fn read_parquet(
    path: &Path,
    mut sink: impl FnMut(Recording) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let open = |source| read_error(path, source);
    let mut table = ParquetReader::open(path).map_err(open)?;
    check_header(&table.columns()).map_err(|problem| problem.at(path, 0))?;
    while let Some(chunk) = table.next_chunk().map_err(open)? {
        for (number, row) in chunk.rows() {
            sink(parse(row).map_err(|problem| problem.at(path, number))?)?;
        }
    }
    Ok(())
}

fn read_error(path: &Path, source: io::Error) -> DataError {
    DataError::Io {
        path: path.to_owned(),
        action: "read the index",
        source,
    }
}

fn check_header(names: &[&str]) -> Result<(), RowProblem> {
    if names == INDEX_COLUMNS {
        return Ok(());
    }
    Err(RowProblem::Text(format!(
        "no index of recordings: its header is `{}`",
        INDEX_COLUMNS.join(",")
    )))
}

enum RowProblem {
    Text(String),
    Field(ManifestProblem),
}

impl RowProblem {
    fn at(self, path: &Path, line: u64) -> DataError {
        let path = path.to_owned();
        match self {
            Self::Text(problem) => RecordingError::Table {
                path,
                line,
                problem,
            },
            Self::Field(source) => RecordingError::TableField { path, line, source },
        }
        .into()
    }
}

fn parse(fields: Vec<&str>) -> Result<Recording, RowProblem> {
    let text = RowProblem::Text;
    let fields: [&str; INDEX_COLUMNS.len()] = fields.try_into().map_err(|fields: Vec<_>| {
        RowProblem::Field(ManifestProblem::FieldCount {
            found: fields.len(),
            expected: INDEX_COLUMNS.len(),
        })
    })?;
    let [
        id,
        path,
        media,
        row,
        domain,
        label,
        species,
        instrument,
        split,
        folds,
        subject,
        presenter,
        session,
        device,
        environment,
        style,
        rotation,
    ] = fields;
    let required = [
        ("id", id),
        ("domain", domain),
        ("subject", subject),
        ("style", style),
    ];
    if let Some((name, _)) = required.into_iter().find(|(_, value)| value.is_empty()) {
        return Err(RowProblem::Field(ManifestProblem::EmptyField(name)));
    }
    crate::manifest::check_path(Path::new(path)).map_err(RowProblem::Field)?;
    let split_of = |name: &str| {
        let split = (!name.is_empty())
            .then(|| name.parse::<Split>())
            .transpose();
        split.map_err(|_| RowProblem::Field(ManifestProblem::BadSplit(name.to_owned())))
    };
    let optional = |value: &str| (!value.is_empty()).then(|| value.to_owned());
    let row = (!row.is_empty()).then(|| row.parse::<usize>()).transpose();
    let folds = (!folds.is_empty()).then(|| folds.split(';').map(split_of).collect());
    Ok(Recording {
        id: id.to_owned(),
        path: path.to_owned(),
        media: media
            .parse()
            .map_err(|error: RecordingError| text(error.to_string()))?,
        row: row.map_err(|_| text("`row` is no number".to_owned()))?,
        domain: domain.to_owned(),
        label: label_of(label, species).map_err(RowProblem::Field)?,
        instrument: instrument.to_owned(),
        split: split_of(split)?,
        folds: folds.transpose()?.unwrap_or_default(),
        subject: subject.to_owned(),
        presenter: optional(presenter),
        session: optional(session),
        device: optional(device),
        environment: optional(environment),
        style: style.to_owned(),
        rotation: rotation
            .parse()
            .map_err(|error: RecordingError| text(error.to_string()))?,
    })
}
