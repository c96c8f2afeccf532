//! Manifest files: CSV (RFC 4180), UTF-8, one sample a row, strict.
//!
//! | column | value |
//! |---|---|
//! | `id` | unique text |
//! | `path` | image file relative to the root, `/` between folders |
//! | `label` | `bona_fide` or `attack` |
//! | `species` | name of a [`PaiSpecies`](crate::PaiSpecies); empty for bona fide |
//! | `domain`, `subject`, `style` | text |
//! | `split` | `train`, `development` or `test` |
//! | `video` | text, or empty |
//! | `synthetic` | `true` or `false` |
//! | `quality_score` | finite number, or empty |
//! | `presenter` | text, or empty; the column may be absent |
//! | `crop_detector`, `crop_scale`, `crop_matrix` | parts of a [`Crop`](crate::Crop), or all empty; the columns may be absent |
//!
//! Nothing is trimmed or guessed. A byte order mark is ignored, blank lines are skipped.
//!
//! A file whose name ends in `.parquet` has the same columns as a Parquet table (feature `parquet`):
//! `synthetic` a boolean, `quality_score` and `crop_scale` doubles, the others text; null where CSV is empty.

use std::fs::{self, File};
use std::io::{self, BufWriter};
use std::path::{Path, PathBuf};

use csv::ByteRecord;

use crate::manifest::{HEADER, ManifestRules, canonical_root, check_file};
use crate::manifest_row::{Columns, find_columns, parse_row, row};
#[cfg(feature = "parquet")]
use crate::parquet_table::{ParquetReader, ParquetWriter};
use crate::table_format::{TableFormat, temporary_beside};
use crate::{DataError, Manifest, ManifestProblem, Sample};

impl Manifest {
    /// Reads a manifest file and checks every row and image file; the root is the file's folder. A name
    /// that ends in `.parquet` means a Parquet file, any other CSV.
    ///
    /// # Errors
    ///
    /// [`DataError::ManifestLine`] with the number of the first wrong line, [`DataError::Io`] if the
    /// file cannot be read, [`RecordingError::MissingFeature`](crate::RecordingError::MissingFeature) without the feature `parquet`.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref();
        Self::read_in(path, path.parent().unwrap_or(Path::new("")))
    }

    /// Like [`read`](Self::read), for images below another folder than the file's.
    ///
    /// # Errors
    ///
    /// As [`read`](Self::read), and [`DataError::Io`] if the root cannot be read.
    pub fn read_in(path: impl AsRef<Path>, root: impl Into<PathBuf>) -> Result<Self, DataError> {
        let (path, root) = (path.as_ref(), root.into());
        let samples = match TableFormat::of(path)? {
            TableFormat::Csv => read_csv_file(path, &root)?,
            #[cfg(feature = "parquet")]
            TableFormat::Parquet => read_parquet_file(path, &root)?,
        };
        Ok(Self::from_checked(root, samples))
    }

    /// Writes the samples to `path`: first to a new file beside it, which then takes its name, so
    /// that nobody sees half a manifest. Reading it back gives equal samples.
    ///
    /// The root is not in the file: write it into the root, or pass the root to
    /// [`read_in`](Self::read_in). A name that ends in `.parquet` makes a Parquet file, any other CSV.
    ///
    /// # Errors
    ///
    /// [`DataError::Io`] if the file cannot be written; an earlier file is then left as it was.
    /// [`RecordingError::MissingFeature`](crate::RecordingError::MissingFeature) without the feature `parquet`.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), DataError> {
        let path = path.as_ref();
        let format = TableFormat::of(path)?;
        let temporary = temporary_beside(path);
        let written = self
            .write_to(&temporary, format)
            .and_then(|()| fs::rename(&temporary, path));
        written.map_err(|source| {
            // The first error is the one to report.
            let _ = fs::remove_file(&temporary);
            DataError::Io {
                path: path.to_owned(),
                action: "write the manifest",
                source,
            }
        })
    }

    fn write_to(&self, path: &Path, format: TableFormat) -> io::Result<()> {
        let file = File::create(path)?;
        let file = match format {
            TableFormat::Csv => self.write_csv(file)?,
            #[cfg(feature = "parquet")]
            TableFormat::Parquet => self.write_parquet(file)?,
        };
        file.sync_all()
    }

    /// Positions in [`HEADER`] of the columns to write: the required, and the optional that a sample has.
    fn columns_in_use(&self) -> Vec<usize> {
        let presenter = self.samples().iter().any(|s| s.presenter.is_some());
        let crop = self.samples().iter().any(|s| s.crop.is_some());
        let is_used = |column: &usize| match HEADER[*column] {
            "presenter" => presenter,
            "crop_detector" | "crop_scale" | "crop_matrix" => crop,
            _ => true,
        };
        (0..HEADER.len()).filter(is_used).collect()
    }

    fn write_csv(&self, file: File) -> io::Result<File> {
        let mut writer = csv::Writer::from_writer(BufWriter::new(file));
        let columns = self.columns_in_use();
        writer.write_record(columns.iter().map(|column| HEADER[*column]))?;
        for sample in self.samples() {
            let row = row(sample);
            writer.write_record(columns.iter().map(|column| &row[*column]))?;
        }
        let file = writer.into_inner().map_err(|error| error.into_error())?;
        file.into_inner().map_err(|error| error.into_error())
    }

    #[cfg(feature = "parquet")]
    fn write_parquet(&self, file: File) -> io::Result<File> {
        let columns = self.columns_in_use();
        let names: Vec<&str> = columns.iter().map(|column| HEADER[*column]).collect();
        let mut writer = ParquetWriter::new(file, &names)?;
        for sample in self.samples() {
            let row = row(sample);
            let texts: Vec<&str> = columns.iter().map(|column| row[*column].as_str()).collect();
            writer.write(&texts)?;
        }
        writer.finish()
    }
}

/// Samples of the CSV file at `path`, whose images lie below `root`.
fn read_csv_file(path: &Path, root: &Path) -> Result<Vec<Sample>, DataError> {
    // The file before the root, so that a missing manifest is called that.
    let bytes = fs::read(path).map_err(|source| read_error(path, source))?;
    let root = canonical_root(root)?;
    read_samples(&bytes, |sample| check_file(&root, &sample.path))
        .map_err(|(line, problem)| line_error(path, line, problem))
}

/// Samples of the Parquet file at `path`, whose images lie below `root`.
#[cfg(feature = "parquet")]
fn read_parquet_file(path: &Path, root: &Path) -> Result<Vec<Sample>, DataError> {
    let mut table = ParquetReader::open(path).map_err(|source| read_error(path, source))?;
    let root = canonical_root(root)?;
    let columns = find_columns(&table.columns()).map_err(|problem| line_error(path, 0, problem))?;
    let mut rules = ManifestRules::default();
    let mut samples = Vec::new();
    while let Some(chunk) = table
        .next_chunk()
        .map_err(|source| read_error(path, source))?
    {
        for (number, row) in chunk.rows() {
            let sample = parse_row(&row, &columns)
                .and_then(|sample| {
                    rules.check(&sample, || format!("row {number}"))?;
                    check_file(&root, &sample.path)?;
                    Ok(sample)
                })
                .map_err(|problem| line_error(path, number, problem))?;
            samples.push(sample);
        }
    }
    Ok(samples)
}

fn read_error(path: &Path, source: io::Error) -> DataError {
    DataError::Io {
        path: path.to_owned(),
        action: "read the manifest",
        source,
    }
}

fn line_error(path: &Path, line: u64, source: ManifestProblem) -> DataError {
    DataError::ManifestLine {
        path: path.to_owned(),
        line,
        source,
    }
}

type AtLine<T> = Result<T, (u64, ManifestProblem)>;

fn read_samples(
    bytes: &[u8],
    check_file: impl Fn(&Sample) -> Result<(), ManifestProblem>,
) -> AtLine<Vec<Sample>> {
    let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(bytes);
    // `flexible`, so that a wrong number of fields is our error, with its line.
    let mut reader = csv::ReaderBuilder::new()
        .has_headers(false)
        .flexible(true)
        .from_reader(bytes);
    let mut record = ByteRecord::new();
    let mut columns: Option<Columns> = None;
    let mut rules = ManifestRules::default();
    let mut samples = Vec::new();
    let mut lines = LineCounter::new(bytes);
    // Reading bytes from memory cannot fail.
    while reader.read_byte_record(&mut record).unwrap_or(false) {
        let start = record.position().map_or(0, csv::Position::byte);
        let line = lines.line_of_record(start as usize);
        let fields = text_fields(&record).map_err(|problem| (line, problem))?;
        let Some(columns) = &columns else {
            columns = Some(find_columns(&fields).map_err(|problem| (line, problem))?);
            continue;
        };
        let sample = parse_row(&fields, columns).map_err(|problem| (line, problem))?;
        rules
            .check(&sample, || format!("line {line}"))
            .and_then(|()| check_file(&sample))
            .map_err(|problem| (line, problem))?;
        samples.push(sample);
    }
    match columns {
        Some(_) => Ok(samples),
        None => Err((1, ManifestProblem::MissingColumn(HEADER[0]))),
    }
}

/// Line numbers of records. `csv::Position::line` is the line where the reader stood, which is
/// before blank lines and, in files with CRLF, before the line feed.
pub(crate) struct LineCounter<'a> {
    bytes: &'a [u8],
    offset: usize,
    line: u64,
}

impl<'a> LineCounter<'a> {
    /// Counts in a CSV text without its byte order mark.
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self {
            bytes,
            offset: 0,
            line: 1,
        }
    }

    /// Line on which the record that starts at `start` stands; records are asked for in order.
    pub(crate) fn line_of_record(&mut self, start: usize) -> u64 {
        while let Some(byte) = self.bytes.get(self.offset) {
            let ends_line = match byte {
                b'\n' => true,
                b'\r' => self.bytes.get(self.offset + 1) != Some(&b'\n'),
                _ => false,
            };
            if self.offset >= start && !matches!(byte, b'\n' | b'\r') {
                break;
            }
            self.line += u64::from(ends_line);
            self.offset += 1;
        }
        self.line
    }
}

fn text_fields(record: &ByteRecord) -> Result<Vec<&str>, ManifestProblem> {
    record
        .iter()
        .map(|field| std::str::from_utf8(field).map_err(|_| ManifestProblem::NotUtf8))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Crop, CropMatrix, Label, PaiSpecies, Split};
    use proptest::prelude::*;

    const HEAD: &str =
        "id,path,label,species,domain,split,subject,video,style,synthetic,quality_score";
    const GOOD: &str = "a,a.png,attack,print,C,train,s1,,C/print,false,12.5";

    fn parse(text: &str) -> AtLine<Vec<Sample>> {
        read_samples(text.as_bytes(), |_| Ok(()))
    }

    #[test]
    fn reads_every_column() {
        let samples = parse(&format!("{HEAD}\n{GOOD}\n")).unwrap();
        let expected = Sample {
            id: "a".into(),
            path: "a.png".into(),
            label: Label::Attack(PaiSpecies::Print),
            domain: "C".into(),
            split: Split::Train,
            subject: "s1".into(),
            video: None,
            style: "C/print".into(),
            synthetic: false,
            quality_score: Some(12.5),
            presenter: None,
            crop: None,
        };
        assert_eq!(samples, std::slice::from_ref(&expected));
        let reordered = "\u{feff}quality_score,synthetic,style,video,subject,split,domain,species,\
                         label,path,id\r\n12.5,false,C/print,,s1,train,C,print,attack,a.png,a\r\n";
        assert_eq!(parse(reordered).unwrap(), [expected]);
        assert_eq!(parse(HEAD).unwrap(), []);
    }

    #[test]
    fn every_error_has_its_line() {
        let cases = [
            (
                "b,b.png,real,,C,train,s1,,C/live,false,",
                "label `real`; write `bona_fide` or",
            ),
            (
                "b,b.png,bona_fide,print,C,train,s1,,l,false,",
                "a bona fide sample has no species",
            ),
            (
                "b,b.png,attack,photo,C,train,s1,,C/p,false,",
                "species `photo`; write one of print",
            ),
            ("b,b.png,attack,,C,train,s1,,C/p,false,", "species ``"),
            ("b,b.png,attack,print,C,dev,s1,,C/p,false,", "split `dev`"),
            ("b,b.png,attack,print,C,train,s1,,C/p,no,", "synthetic `no`"),
            (
                "b,b.png,attack,print,C,train,s1,,C/p,false,inf",
                "quality_score `inf`",
            ),
            (
                "b,b.png,attack,print,C,train,s1,,C/p,false, 1",
                "quality_score ` 1`",
            ),
            (
                "b,b.png,attack,print,C,train,s1,,C/p,false",
                "10 fields, the header has 11",
            ),
            ("b,b.png,attack,print,C,train,s1,,C/p,false,1,", "12 fields"),
            ("b,,attack,print,C,train,s1,,C/p,false,", "`path` is empty"),
            (
                ",b.png,attack,print,C,train,s1,,C/p,false,",
                "`id` is empty",
            ),
            (
                "b,../b.png,attack,print,C,train,s1,,C/p,false,",
                "path `../b.png` has `..`",
            ),
            (
                "b,/b.png,attack,print,C,train,s1,,C/p,false,",
                "path `/b.png` is absolute",
            ),
            (
                "a,b.png,attack,print,C,train,s1,,C/p,false,",
                "id `a` is already used by line 2",
            ),
            (
                "b,b.png,attack,replay,C,train,s1,,C/print,false,",
                "stands for print at line 2, here for replay",
            ),
        ];
        for end in ["\n", "\r\n", "\r"] {
            for (row, message) in cases {
                // A blank line and a field of two lines stand before the row: it is on line 6.
                let two_lines = GOOD.replacen('a', "a2", 1).replace("s1", "\"s\n1\"");
                let text = format!("{HEAD}{end}{GOOD}{end}{end}{two_lines}{end}{row}{end}");
                let (line, problem) = parse(&text).unwrap_err();
                assert!(problem.to_string().contains(message), "{row}: {problem}");
                assert_eq!(line, 6, "{row}");
            }
        }
    }

    #[test]
    fn presenter_and_crop_may_be_absent_but_not_half() {
        let head = format!("{HEAD},presenter,crop_detector,crop_scale,crop_matrix");
        let text = format!("{head}\n{GOOD},s9,mtcnn,0.5,0.5 0 -3 0 0.5 7");
        let sample = parse(&text).unwrap().remove(0);
        assert_eq!(sample.presenter.as_deref(), Some("s9"));
        let crop = Crop {
            detector: "mtcnn".to_owned(),
            scale: 0.5,
            to_crop: CropMatrix([[0.5, 0.0, -3.0], [0.0, 0.5, 7.0]]),
        };
        assert_eq!(sample.crop, Some(crop));
        let without = parse(&format!("{head}\n{GOOD},,,,")).unwrap().remove(0);
        assert_eq!((without.presenter, without.crop), (None, None));
        for (fields, message) in [
            (",mtcnn,,", "write all three, or none"),
            (",mtcnn,0,1 0 0 0 1 0", "crop_scale `0`"),
            (",mtcnn,half,1 0 0 0 1 0", "crop_scale `half`"),
            (",mtcnn,1,1 0 0 0 1", "crop_matrix `1 0 0 0 1`"),
        ] {
            let text = format!("{head}\n{GOOD},{fields}");
            let (line, problem) = parse(&text).unwrap_err();
            assert!(problem.to_string().contains(message), "{problem}");
            assert_eq!(line, 2);
        }
    }

    #[test]
    fn the_header_is_strict() {
        let (line, problem) = parse(&HEAD.replace(",video", "")).unwrap_err();
        assert_eq!(
            (line, problem),
            (1, ManifestProblem::MissingColumn("video"))
        );
        let (_, problem) = parse(&HEAD.replace("video", "clip")).unwrap_err();
        assert_eq!(problem, ManifestProblem::UnknownColumn("clip".into()));
        let (_, problem) = parse(&format!("{HEAD},id")).unwrap_err();
        assert_eq!(problem, ManifestProblem::DuplicateColumn("id".into()));
        let (line, problem) = parse("").unwrap_err();
        assert_eq!((line, problem), (1, ManifestProblem::MissingColumn("id")));
        let text = [HEAD.as_bytes(), b"\n\xff,a.png"].concat();
        assert_eq!(
            read_samples(&text, |_| Ok(())).unwrap_err(),
            (2, ManifestProblem::NotUtf8)
        );
    }

    fn samples() -> impl Strategy<Value = Vec<Sample>> {
        let text = "[a-z ,\"\r\n\u{e9}\u{feff}#']{1,6}";
        let one = (
            [text; 4],
            proptest::option::of(text),
            proptest::option::of(proptest::num::f64::NORMAL | proptest::num::f64::ZERO),
            0..10_usize,
            0..3_usize,
            any::<bool>(),
        );
        let one = one.prop_map(
            |([path, domain, subject, style], video, score, kind, split, synthetic)| {
                let species = PaiSpecies::ALL.get(kind).copied();
                Sample {
                    id: path.clone(),
                    path: format!("{path}/face.png").into(),
                    label: species.map_or(Label::BonaFide, Label::Attack),
                    domain,
                    split: Split::ALL[split],
                    subject,
                    video,
                    style: format!("{style}{kind}"),
                    synthetic,
                    quality_score: score,
                    presenter: species.map(|species| format!("presenter of {species}")),
                    crop: score.map(|score| Crop {
                        detector: "mtcnn, 2".to_owned(),
                        scale: f64::MIN_POSITIVE.max(score.abs()),
                        to_crop: CropMatrix([[score, 0.1, -3.0], [1e-9, 0.5, kind as f64]]),
                    }),
                }
            },
        );
        proptest::collection::vec(one, 0..8).prop_map(|mut samples| {
            for (index, sample) in samples.iter_mut().enumerate() {
                sample.id += &index.to_string();
            }
            samples
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(samples in samples()) {
            let folder = tempfile::tempdir().unwrap();
            let manifest = Manifest::new(folder.path(), samples).unwrap();
            let path = folder.path().join("manifest.csv");
            manifest.write(&path).unwrap();
            let bytes = fs::read(&path).unwrap();
            let back = read_samples(&bytes, |_| Ok(())).unwrap();
            prop_assert_eq!(&back[..], manifest.samples());
            for (read, written) in back.iter().zip(manifest.samples()) {
                prop_assert_eq!(
                    read.quality_score.map(f64::to_bits),
                    written.quality_score.map(f64::to_bits)
                );
            }
            prop_assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
        }
    }
}
