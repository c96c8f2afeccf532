//! Tables as Parquet files: the columns of the CSV form with types, an empty text as null.
//!
//! Rows come and go as texts, so that one parser is as strict with either form.

use std::fs::File;
use std::io;
use std::path::Path;
use std::sync::Arc;

use arrow_array::{Array, ArrayRef, RecordBatch, StringArray};
use arrow_cast::{CastOptions, cast_with_options};
use arrow_schema::{ArrowError, DataType, Field, Schema, SchemaRef};
use parquet::arrow::ArrowWriter;
use parquet::arrow::arrow_reader::{ParquetRecordBatchReader, ParquetRecordBatchReaderBuilder};
use parquet::basic::Compression;
use parquet::file::properties::WriterProperties;

/// Rows that are held in memory at a time.
const CHUNK: usize = 8192;

/// The type of a column by name; every other column is text.
fn type_of(column: &str) -> DataType {
    match column {
        "synthetic" => DataType::Boolean,
        "quality_score" | "crop_scale" => DataType::Float64,
        "row" => DataType::UInt64,
        "rotation" => DataType::UInt16,
        _ => DataType::Utf8,
    }
}

/// A value that does not fit is an error, not a null.
fn convert(column: &ArrayRef, to: &DataType) -> Result<ArrayRef, ArrowError> {
    let options = CastOptions {
        safe: false,
        ..CastOptions::default()
    };
    cast_with_options(column, to, &options)
}

/// Writes rows of texts as a table, [`CHUNK`] rows at a time.
pub(crate) struct ParquetWriter {
    writer: ArrowWriter<File>,
    schema: SchemaRef,
    columns: Vec<Vec<Option<String>>>,
}

impl ParquetWriter {
    /// A table with `columns`, in an open file.
    pub(crate) fn new(file: File, columns: &[&str]) -> io::Result<Self> {
        let fields = columns
            .iter()
            .map(|name| Field::new(*name, type_of(name), true));
        let schema = Arc::new(Schema::new(fields.collect::<Vec<_>>()));
        let properties = WriterProperties::builder()
            .set_compression(Compression::SNAPPY)
            .build();
        let writer = ArrowWriter::try_new(file, schema.clone(), Some(properties))?;
        Ok(Self {
            writer,
            columns: vec![Vec::with_capacity(CHUNK); columns.len()],
            schema,
        })
    }

    /// Adds a row, one text a column.
    pub(crate) fn write(&mut self, row: &[&str]) -> io::Result<()> {
        for (column, text) in self.columns.iter_mut().zip(row) {
            column.push((!text.is_empty()).then(|| (*text).to_owned()));
        }
        if self.columns[0].len() == CHUNK {
            self.write_chunk()?;
        }
        Ok(())
    }

    fn write_chunk(&mut self) -> io::Result<()> {
        let fields = self.schema.fields().iter();
        let arrays: Result<Vec<ArrayRef>, ArrowError> = fields
            .zip(&mut self.columns)
            .map(|(field, texts)| {
                let texts: ArrayRef = Arc::new(texts.drain(..).collect::<StringArray>());
                convert(&texts, field.data_type())
            })
            .collect();
        let batch = RecordBatch::try_new(self.schema.clone(), arrays.map_err(io::Error::other)?)
            .map_err(io::Error::other)?;
        Ok(self.writer.write(&batch)?)
    }

    /// Completes the table and hands its file back.
    pub(crate) fn finish(mut self) -> io::Result<File> {
        self.write_chunk()?;
        Ok(self.writer.into_inner()?)
    }
}

/// Reads a table as rows of texts, [`CHUNK`] rows at a time. Text columns of any encoding
/// (dictionaries, views) are taken.
pub(crate) struct ParquetReader {
    batches: ParquetRecordBatchReader,
    columns: Vec<String>,
    rows: u64,
}

impl ParquetReader {
    /// Opens the table at `path`.
    pub(crate) fn open(path: &Path) -> io::Result<Self> {
        let reader = ParquetRecordBatchReaderBuilder::try_new(File::open(path)?)?;
        let fields = reader.schema().fields().iter();
        Ok(Self {
            columns: fields.map(|field| field.name().clone()).collect(),
            batches: reader.with_batch_size(CHUNK).build()?,
            rows: 0,
        })
    }

    /// Names of the columns, in order.
    pub(crate) fn columns(&self) -> Vec<&str> {
        self.columns.iter().map(String::as_str).collect()
    }

    /// The next rows, `None` after the last.
    pub(crate) fn next_chunk(&mut self) -> io::Result<Option<ParquetChunk>> {
        let Some(batch) = self.batches.next() else {
            return Ok(None);
        };
        let batch = batch.map_err(invalid)?;
        let chunk = ParquetChunk {
            columns: batch
                .columns()
                .iter()
                .map(text_column)
                .collect::<Result<_, _>>()
                .map_err(invalid)?,
            before: self.rows,
            count: batch.num_rows(),
        };
        self.rows += chunk.count as u64;
        Ok(Some(chunk))
    }
}

/// Some consecutive rows of a table.
pub(crate) struct ParquetChunk {
    columns: Vec<StringArray>,
    before: u64,
    count: usize,
}

impl ParquetChunk {
    /// Number of each row, counted from 1, and its texts; a null is an empty text.
    pub(crate) fn rows(&self) -> impl Iterator<Item = (u64, Vec<&str>)> {
        (0..self.count).map(|index| {
            let texts = self.columns.iter().map(|column| {
                if column.is_null(index) {
                    ""
                } else {
                    column.value(index)
                }
            });
            (self.before + index as u64 + 1, texts.collect())
        })
    }
}

fn invalid(error: ArrowError) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, error)
}

fn text_column(column: &ArrayRef) -> Result<StringArray, ArrowError> {
    let texts = convert(column, &DataType::Utf8)?;
    let texts = texts.as_any().downcast_ref::<StringArray>();
    texts
        .cloned()
        .ok_or_else(|| ArrowError::CastError("a column that was made text is not text".to_owned()))
}

#[cfg(test)]
mod tests {
    use arrow_array::types::Int32Type;
    use arrow_array::{BooleanArray, DictionaryArray, Float64Array};

    use super::*;
    use crate::sample::tests::sample;
    use crate::{
        DataError, IndexWriter, Label, Manifest, ManifestProblem, Media, PaiSpecies, Recording,
        Rotation, Split, read_index,
    };

    fn samples(count: usize) -> Vec<crate::Sample> {
        let name = |index| format!("s{index}");
        (0..count)
            .map(|index| {
                let mut sample = sample("sim-C", &name(index), Split::Train, "print");
                sample.quality_score = (index % 3 != 0).then_some(index as f64 / 7.0);
                sample.video = (index % 2 == 0).then(|| name(index / 4));
                sample.synthetic = index % 5 == 0;
                sample
            })
            .collect()
    }

    #[test]
    fn a_manifest_of_several_chunks_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let samples = samples(2 * CHUNK + 3);
        for sample in &samples {
            let file = folder.path().join(&sample.path);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, b"").unwrap();
        }
        let manifest = Manifest::new(folder.path(), samples).unwrap();
        let path = folder.path().join("manifest.parquet");
        manifest.write(&path).unwrap();
        assert_eq!(Manifest::read(&path).unwrap(), manifest);
        let types = ParquetRecordBatchReaderBuilder::try_new(File::open(&path).unwrap()).unwrap();
        let type_of = |name| {
            types
                .schema()
                .field_with_name(name)
                .unwrap()
                .data_type()
                .clone()
        };
        assert_eq!(type_of("synthetic"), DataType::Boolean);
        assert_eq!(type_of("quality_score"), DataType::Float64);
        assert_eq!(type_of("style"), DataType::Utf8);
    }

    #[test]
    fn rows_are_checked_as_in_csv_and_named() {
        let folder = tempfile::tempdir().unwrap();
        let manifest = Manifest::new(folder.path(), samples(3)).unwrap();
        let path = folder.path().join("manifest.parquet");
        manifest.write(&path).unwrap();
        assert!(matches!(
            Manifest::read(&path).unwrap_err(),
            DataError::ManifestLine {
                line: 1,
                source: ManifestProblem::MissingFile { .. },
                ..
            }
        ));
        std::fs::write(&path, b"PAR1 and nothing more").unwrap();
        let damaged = Manifest::read(&path).unwrap_err().to_string();
        assert!(
            damaged.contains("manifest.parquet: cannot read the manifest"),
            "{damaged}"
        );
    }

    #[test]
    fn an_index_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.parquet");
        let recording = |index: usize| Recording {
            id: format!("padisi/{index}"),
            path: "faces.npy".to_owned(),
            media: Media::NpyRow,
            row: Some(index),
            domain: "padisi".to_owned(),
            label: if index == 0 {
                Label::BonaFide
            } else {
                Label::Attack(PaiSpecies::Print)
            },
            instrument: "print/1".to_owned(),
            split: None,
            folds: vec![Some(Split::Train), None],
            subject: "padisi/1".to_owned(),
            presenter: None,
            session: Some("2".to_owned()),
            device: None,
            environment: None,
            style: "padisi/x".to_owned(),
            rotation: Rotation::Clockwise,
        };
        let mut writer = IndexWriter::create(&path).unwrap();
        (0..3).for_each(|index| writer.write(&recording(index)).unwrap());
        writer.finish().unwrap();
        let mut back = Vec::new();
        read_index(&path, |recording| {
            back.push(recording);
            Ok(())
        })
        .unwrap();
        assert_eq!(back, [0, 1, 2].map(recording));
    }

    /// What pandas or polars write: dictionaries of texts, doubles, nulls.
    #[test]
    fn other_encodings_are_text_too() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("table.parquet");
        let texts: DictionaryArray<Int32Type> = [Some("a"), None, Some("a")].into_iter().collect();
        let columns: [(&str, ArrayRef); 3] = [
            ("style", Arc::new(texts)),
            (
                "quality_score",
                Arc::new(Float64Array::from(vec![Some(0.1), None, Some(-3e30)])),
            ),
            (
                "synthetic",
                Arc::new(BooleanArray::from(vec![true, false, true])),
            ),
        ];
        let batch = RecordBatch::try_from_iter(columns).unwrap();
        let mut writer =
            ArrowWriter::try_new(File::create(&path).unwrap(), batch.schema(), None).unwrap();
        writer.write(&batch).unwrap();
        writer.close().unwrap();
        let mut table = ParquetReader::open(&path).unwrap();
        assert_eq!(table.columns(), ["style", "quality_score", "synthetic"]);
        let chunk = table.next_chunk().unwrap().unwrap();
        let rows: Vec<_> = chunk.rows().collect();
        let numbers: Vec<f64> = [0, 2]
            .map(|row: usize| rows[row].1[1].parse().unwrap())
            .into();
        assert_eq!(numbers, [0.1, -3e30]);
        assert_eq!(rows[1], (2, vec!["", "", "false"]));
        assert_eq!((rows[2].1[0], rows[2].1[2]), ("a", "true"));
        assert!(table.next_chunk().unwrap().is_none());
    }
}
