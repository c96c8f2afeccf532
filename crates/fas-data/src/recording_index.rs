//! Index files: the recordings of data sets as CSV (RFC 4180), UTF-8, strict, read and written as a
//! stream.
//!
//! Columns are those of [`Recording`]; `label` and `species` as in manifests, `folds` the part of each
//! fold joined by `;`, `rotation` 0, 90, 180 or 270. Paths are relative to the root of their data set,
//! which the file does not have: `datasets.toml` does.

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use csv::StringRecord;

use crate::datasets::label_of;
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
    writer: Option<csv::Writer<BufWriter<File>>>,
    line: String,
}

impl IndexWriter {
    /// Starts an index file at `path`.
    ///
    /// # Errors
    ///
    /// [`DataError::Io`] if nothing can be written there.
    pub fn create(path: impl Into<PathBuf>) -> Result<Self, DataError> {
        let path = path.into();
        let mut name = std::ffi::OsString::from(".");
        name.push(path.file_name().unwrap_or_default());
        name.push(format!(".{}.tmp", std::process::id()));
        let temporary = path.with_file_name(name);
        let file = File::create(&temporary).map_err(|source| io_error(&path, source))?;
        let mut index = Self {
            writer: Some(csv::Writer::from_writer(BufWriter::with_capacity(
                1 << 17,
                file,
            ))),
            path,
            temporary,
            line: String::new(),
        };
        index.record(&INDEX_COLUMNS)?;
        Ok(index)
    }

    /// Adds a recording.
    ///
    /// # Errors
    ///
    /// [`DataError::Io`] if it cannot be written.
    pub fn write(&mut self, recording: &Recording) -> Result<(), DataError> {
        let folds = std::mem::take(&mut self.line);
        let fields = fields(recording, folds);
        let row = fields.row.as_deref().unwrap_or_default();
        let optional = |text: &'_ Option<String>| -> String { text.clone().unwrap_or_default() };
        let (presenter, session) = (optional(&recording.presenter), optional(&recording.session));
        let (device, environment) = (
            optional(&recording.device),
            optional(&recording.environment),
        );
        self.record(&[
            &recording.id,
            &recording.path,
            recording.media.name(),
            row,
            &recording.domain,
            recording.label.class_name(),
            recording
                .label
                .species()
                .map_or("", |species| species.name()),
            &recording.instrument,
            recording.split.map_or("", Split::name),
            &fields.folds,
            &recording.subject,
            &presenter,
            &session,
            &device,
            &environment,
            &recording.style,
            recording.rotation.name(),
        ])?;
        self.line = fields.folds;
        Ok(())
    }

    fn record(&mut self, fields: &[&str]) -> Result<(), DataError> {
        let Some(writer) = &mut self.writer else {
            return Ok(());
        };
        writer
            .write_record(fields)
            .map_err(|error| match error.into_kind() {
                csv::ErrorKind::Io(source) => io_error(&self.path, source),
                other => io_error(&self.path, io::Error::other(format!("{other:?}"))),
            })
    }

    /// Completes the file.
    ///
    /// # Errors
    ///
    /// [`DataError::Io`] if it cannot be completed; an earlier file is then left as it was.
    pub fn finish(mut self) -> Result<(), DataError> {
        let Some(writer) = self.writer.take() else {
            return Ok(());
        };
        let complete = || -> io::Result<()> {
            let file = writer.into_inner().map_err(|error| error.into_error())?;
            let mut file = file.into_inner().map_err(|error| error.into_error())?;
            file.flush()?;
            file.sync_all()?;
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
        if self.writer.take().is_some() {
            let _ = fs::remove_file(&self.temporary);
        }
    }
}

struct Fields {
    row: Option<String>,
    folds: String,
}

fn fields(recording: &Recording, mut folds: String) -> Fields {
    folds.clear();
    for (index, fold) in recording.folds.iter().enumerate() {
        if index > 0 {
            folds.push(';');
        }
        folds.push_str(fold.map_or("", Split::name));
    }
    Fields {
        row: recording.row.map(|row| row.to_string()),
        folds,
    }
}

fn io_error(path: &Path, source: io::Error) -> DataError {
    DataError::Io {
        path: path.to_owned(),
        action: "write the index",
        source,
    }
}

/// Reads an index file and hands each recording to `sink`.
///
/// # Errors
///
/// [`RecordingError::Table`] or [`RecordingError::TableField`] with the line of the first wrong row,
/// [`DataError::Io`] if the file cannot be read, and what `sink` returns.
pub fn read_index(
    path: impl AsRef<Path>,
    mut sink: impl FnMut(Recording) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let path = path.as_ref();
    let open = |source| DataError::Io {
        path: path.to_owned(),
        action: "read the index",
        source,
    };
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
        let table = |line, problem: String| RecordingError::Table {
            path: path.to_owned(),
            line,
            problem,
        };
        match reader.read_record(&mut record) {
            Ok(false) if header => return Ok(()),
            Ok(false) => return Err(table(1, "the file is empty".to_owned()).into()),
            Ok(true) => {}
            Err(error) => {
                return Err(match error.into_kind() {
                    csv::ErrorKind::Io(source) => open(source),
                    _ => RecordingError::TableField {
                        path: path.to_owned(),
                        line,
                        source: ManifestProblem::NotUtf8,
                    }
                    .into(),
                });
            }
        }
        let line = record.position().map_or(line, csv::Position::line);
        if !header {
            if record != INDEX_COLUMNS[..] {
                let known = INDEX_COLUMNS.join(",");
                return Err(table(
                    line,
                    format!("no index of recordings: its header is `{known}`"),
                )
                .into());
            }
            header = true;
            continue;
        }
        sink(parse(&record).map_err(|problem| match problem {
            RowProblem::Text(problem) => table(line, problem),
            RowProblem::Field(source) => RecordingError::TableField {
                path: path.to_owned(),
                line,
                source,
            },
        })?)?;
    }
}

enum RowProblem {
    Text(String),
    Field(ManifestProblem),
}

fn parse(record: &StringRecord) -> Result<Recording, RowProblem> {
    let text = RowProblem::Text;
    let fields: Vec<&str> = record.iter().collect();
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
