//! `fas data frames`: recordings to images and a list of every frame, those without an image too.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use fas_data::{
    DataError, FramePolicy, FrameReader, Label, Manifest, Recording, Response, Sample, Split,
    count_non_responses, read_index,
};
use rayon::prelude::*;

use super::source::Source;
use crate::error::CliError;
use crate::output::{check_parent, emit};
use crate::progress::Progress;

const DETAILS: &str = "\
Writes the frames as PNG below --out, with manifest.csv (one row an image) and frames.csv (one row a frame:
recording, label, species, frame, path, response). A recording that cannot be read keeps a row there with the
response `unreadable`, so that the non-response rates of ISO/IEC 30107-3 can be counted; `fas align` adds
frames without a face. Clips that stand on their head or side are turned.

Policies: all; first, uniform, ssdg, ssan, random with --count; every with --count as the step.
Videos need the program ffmpeg.

Examples:
  fas data frames oulu_npu --index P1/train.csv --policy ssdg --count 1 --out frames/
  fas data frames wmca --index wmca.csv --policy uniform --count 10 --out frames/";

/// Extract frames of recordings as images, with a manifest.
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Frames {
    #[command(flatten)]
    source: Source,
    /// Index file, or a part of a protocol; recordings of other data sets are left out.
    #[arg(long, value_name = "FILE")]
    index: PathBuf,
    /// Which frames.
    #[arg(long, value_name = "POLICY", default_value = "uniform")]
    policy: Policy,
    /// Number of frames, or the step of `every`.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    count: u32,
    /// Seed of `random`.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Split of recordings whose publisher gives none.
    #[arg(long, value_name = "SPLIT", value_parser = split)]
    split: Option<Split>,
    /// Folder to write.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

fn split(text: &str) -> Result<Split, String> {
    text.parse().map_err(|error: DataError| error.to_string())
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Policy {
    All,
    First,
    Every,
    Uniform,
    Random,
    Ssdg,
    Ssan,
}

/// A frame, or a recording that gave none.
struct Row {
    recording: usize,
    frame: Option<usize>,
    path: String,
    response: Response,
}

impl Frames {
    fn policy(&self) -> FramePolicy {
        let count = self.count as usize;
        match self.policy {
            Policy::All => FramePolicy::All,
            Policy::First => FramePolicy::First { count },
            Policy::Every => FramePolicy::Every { step: count },
            Policy::Uniform => FramePolicy::Uniform { count },
            Policy::Random => FramePolicy::Random {
                count,
                seed: self.seed,
            },
            Policy::Ssdg => FramePolicy::Ssdg { count },
            Policy::Ssan => FramePolicy::Ssan { count },
        }
    }

    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        check_parent(&self.out)?;
        let source = self.source.open()?;
        let mut recordings = Vec::new();
        read_index(&self.index, |recording| {
            if recording.domain == source.name() {
                recordings.push(recording);
            }
            Ok(())
        })?;
        if let Some(recording) = recordings.iter().find(|r| r.split.or(self.split).is_none()) {
            return Err(CliError::NoSplit(recording.id.clone()));
        }
        let reader = FrameReader::new();
        let progress = Progress::of_steps("reading", recordings.len());
        let rows: Vec<Row> = recordings
            .par_iter()
            .enumerate()
            .map(|(index, recording)| {
                let rows = self.extract(&reader, source.root(), index, recording);
                progress.step();
                rows
            })
            .collect::<Result<Vec<_>, _>>()?
            .into_iter()
            .flatten()
            .collect();
        drop(progress);
        self.write(&recordings, &rows)?;
        let counted = rows.iter().map(|row| {
            let recording = &recordings[row.recording];
            (recording.id.as_str(), recording.label, row.response)
        });
        for (label, count) in count_non_responses(counted) {
            let rate = if label == Label::BonaFide {
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
        let failed = rows.iter().any(|row| row.response != Response::Image);
        Ok(if failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }

    /// Writes the frames of one recording. A recording that cannot be read is a row; a folder that cannot
    /// be written is an error.
    fn extract(
        &self,
        reader: &FrameReader,
        root: &Path,
        index: usize,
        recording: &Recording,
    ) -> Result<Vec<Row>, CliError> {
        let folder = self.out.join(&recording.id);
        let write_error = |source| CliError::Write {
            what: folder.display().to_string(),
            source,
        };
        fs::create_dir_all(&folder).map_err(write_error)?;
        let mut rows = Vec::new();
        let mut written = Ok(());
        let read = reader.read(root, recording, self.policy(), |frame, image| {
            let name = format!("{frame:05}.png");
            written = image.save(folder.join(&name)).map_err(|error| match error {
                image::ImageError::IoError(source) => write_error(source),
                other => write_error(std::io::Error::other(other)),
            });
            rows.push(Row {
                recording: index,
                frame: Some(frame),
                path: format!("{}/{name}", recording.id),
                response: Response::Image,
            });
            // Stops the reading; the error itself is told below.
            match written {
                Ok(()) => Ok(()),
                Err(_) => Err(DataError::NotAFile(folder.clone())),
            }
        });
        written?;
        if let Err(error) = read {
            if is_the_programs(&error) {
                return Err(error.into());
            }
            eprintln!("{error}");
            rows.push(Row {
                recording: index,
                frame: None,
                path: String::new(),
                response: Response::Unreadable,
            });
        }
        Ok(rows)
    }

    fn write(&self, recordings: &[Recording], rows: &[Row]) -> Result<(), CliError> {
        let mut list = csv::Writer::from_writer(Vec::new());
        let mut row_out = |fields: &[&str]| list.write_record(fields).expect("writing to memory");
        row_out(&["recording", "label", "species", "frame", "path", "response"]);
        let mut samples = Vec::new();
        for row in rows {
            let recording = &recordings[row.recording];
            let frame = row
                .frame
                .map_or_else(String::new, |frame| frame.to_string());
            row_out(&[
                &recording.id,
                recording.label.class_name(),
                recording
                    .label
                    .species()
                    .map_or("", |species| species.name()),
                &frame,
                &row.path,
                row.response.name(),
            ]);
            if row.response == Response::Image {
                samples.push(Sample {
                    id: format!("{}/{frame}", recording.id),
                    path: row.path.clone().into(),
                    label: recording.label,
                    domain: recording.domain.clone(),
                    split: recording.split.or(self.split).unwrap_or(Split::Test),
                    subject: recording.subject.clone(),
                    video: Some(recording.id.clone()),
                    style: recording.style.clone(),
                    synthetic: false,
                    quality_score: None,
                });
            }
        }
        let list = list.into_inner().expect("writing to memory");
        emit(Some(&self.out.join("frames.csv")), &list)?;
        Manifest::new(&self.out, samples)?.write(self.out.join("manifest.csv"))?;
        Ok(())
    }
}

/// Whether an error is none of the recording's: a program or a feature that is not there.
fn is_the_programs(error: &DataError) -> bool {
    use fas_data::RecordingError::{MissingFeature, NoFfmpeg};
    matches!(
        error,
        DataError::Recording(NoFfmpeg { .. } | MissingFeature { .. })
    )
}
