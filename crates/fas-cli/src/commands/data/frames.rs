//! `fas data frames`: recordings to images and a list of every frame, those without an image too.

mod job;

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use fas_data::{DataError, FramePolicy, FrameReader, Manifest, Recording, Response, Sample, Split};
use rayon::prelude::*;

use self::job::{Job, Task};
use super::source::Copies;
use crate::commands::frame_list::{FrameList, FrameRow, tell_non_responses};
use crate::error::CliError;
use crate::output::{check_parent, emit_png};
use crate::progress::Progress;

const DETAILS: &str = "\
Writes the frames as PNG below --out, with manifest.csv (one row an image) and frames.csv (one row a frame:
recording, label, species, frame, path, response, policy). A recording that cannot be read keeps a row there with
the response `unreadable`, so that the non-response rates of ISO/IEC 30107-3 can be counted. Clips that stand on
their head or side are turned. A run that was interrupted goes on where it stopped.

With --protocol every part becomes rows of one manifest, whose split is the part, and frames are those that the
protocol says (all where it says nothing). Every data set that it needs has its root in datasets.toml.

A data set without a development part gets one by --carve-development, or `fas train` has nothing to choose a
threshold on.

Policies: all; first, uniform, ssdg, ssan, random with --count; every with --count as the step.
Videos need the program ffmpeg.

Examples:
  fas data frames --protocol ocim/ --datasets my.toml --carve-development 0.2 --out frames/
  fas data frames oulu_npu --index P1/train.csv --policy ssdg --count 1 --out frames/
  fas data frames wmca --index wmca.csv --policy uniform --count 10 --out frames/";

/// Extract frames of recordings as images, with a manifest.
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Frames {
    /// Data set: `oulu_npu` and so on (`fas data list`), or `custom.NAME` of datasets.toml.
    #[arg(
        value_name = "DATASET",
        required_unless_present = "protocol",
        requires = "index"
    )]
    name: Option<String>,
    #[command(flatten)]
    copies: Copies,
    /// Index file, or a part of a protocol; recordings of other data sets are left out.
    #[arg(long, value_name = "FILE", requires = "name")]
    index: Option<PathBuf>,
    /// Folder of `fas data protocol`: every part, and every data set that it needs.
    #[arg(long, value_name = "FOLDER", conflicts_with_all = ["name", "index", "split", "root"])]
    protocol: Option<PathBuf>,
    /// Which frames: `uniform` unless given, with --protocol those that it says.
    #[arg(long, value_name = "POLICY")]
    policy: Option<Policy>,
    /// Number of frames, or the step of `every`: 1 unless given.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    count: Option<u32>,
    /// Seed of `random` and of --carve-development.
    #[arg(long, value_name = "N", default_value_t = 0)]
    seed: u64,
    /// Split of every recording, in place of the publisher's.
    #[arg(long, value_name = "SPLIT", value_parser = split)]
    split: Option<Split>,
    /// Share of the training people of each data set who go to development, with all that shows them.
    #[arg(long, value_name = "SHARE", value_parser = share)]
    carve_development: Option<f64>,
    /// Folder to write.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

fn split(text: &str) -> Result<Split, String> {
    text.parse().map_err(|error: DataError| error.to_string())
}

fn share(text: &str) -> Result<f64, String> {
    text.parse::<f64>()
        .ok()
        .filter(|share| *share > 0.0 && *share < 1.0)
        .ok_or_else(|| "write a number between 0 and 1, such as 0.2".to_owned())
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

impl Frames {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        check_parent(&self.out)?;
        let job = self.job()?;
        let list = FrameList::of(&self.out);
        let mut done = self.done(&list, &job)?;
        self.extract_missing(&list, &job, &mut done)?;
        let rows: Vec<FrameRow> = job
            .tasks
            .iter()
            .filter_map(|task| done.remove(&task.recording.id))
            .flatten()
            .collect();
        self.manifest(&job, &rows)?
            .write(self.out.join("manifest.csv"))?;
        list.finish(&rows)?;
        tell_non_responses(&rows);
        let failed = rows.iter().any(|row| row.response != Response::Image);
        Ok(if failed {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }

    fn job(&self) -> Result<Job, CliError> {
        if let Some(folder) = &self.protocol {
            if self.policy.is_none() && self.count.is_some() {
                return Err(CliError::Option {
                    option: "--count",
                    reason:
                        "the protocol says which frames; name a --policy too, or leave both out"
                            .to_owned(),
                });
            }
            let policy = self.policy.map(|policy| self.frames_by(policy));
            return Job::of_protocol(folder, &self.copies, policy);
        }
        let (Some(name), Some(index)) = (&self.name, &self.index) else {
            unreachable!("clap asks for a data set and its index, or for a protocol");
        };
        let policy = self.frames_by(self.policy.unwrap_or(Policy::Uniform));
        Job::of_index(self.copies.open(name)?, index, self.split, policy)
    }

    fn frames_by(&self, policy: Policy) -> FramePolicy {
        let count = self.count.unwrap_or(1) as usize;
        match policy {
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

    /// Rows, by recording, that an earlier run of this job left and whose images are there. Another job's are
    /// refused, not replaced.
    fn done(
        &self,
        list: &FrameList,
        job: &Job,
    ) -> Result<HashMap<String, Vec<FrameRow>>, CliError> {
        let refuse = |reason: String| CliError::OtherFrames {
            folder: self.out.clone(),
            reason,
        };
        if self.out.join("crops.csv").exists() {
            return Err(refuse("it holds crops of `fas align`".to_owned()));
        }
        let [whole, mut partial] = list.rows()?;
        if whole.is_empty() && partial.is_empty() && self.out.join("manifest.csv").exists() {
            return Err(refuse("it holds a manifest of something else".to_owned()));
        }
        let tasks: HashMap<&str, &Task> = job
            .tasks
            .iter()
            .map(|task| (task.recording.id.as_str(), task))
            .collect();
        for row in whole.iter().chain(&partial) {
            let Some(task) = tasks.get(row.recording.as_str()) else {
                return Err(refuse(format!(
                    "it holds frames of `{}`, which is not asked for",
                    row.recording
                )));
            };
            let policy = task.policy.to_string();
            if row.policy != policy {
                return Err(refuse(format!(
                    "frames of `{}` were chosen by `{}`, not by `{policy}`",
                    row.recording, row.policy
                )));
            }
        }
        // The last recording of an interrupted run may lack rows.
        let last = partial.last().map(|row| row.recording.clone());
        partial.retain(|row| Some(&row.recording) != last.as_ref());
        let mut done = by_recording(partial);
        for (recording, rows) in by_recording(whole) {
            done.entry(recording).or_insert(rows);
        }
        done.retain(|_, rows| {
            rows.iter()
                .all(|row| row.response == Response::Image && self.out.join(&row.path).is_file())
        });
        if !done.is_empty() {
            eprintln!(
                "{} of {} recordings are done already",
                done.len(),
                job.tasks.len()
            );
        }
        Ok(done)
    }

    /// Reads what is not `done`, and adds it there.
    fn extract_missing(
        &self,
        list: &FrameList,
        job: &Job,
        done: &mut HashMap<String, Vec<FrameRow>>,
    ) -> Result<(), CliError> {
        let known: Vec<FrameRow> = done.values().flatten().cloned().collect();
        list.restart(&known)?;
        let reader = FrameReader::new();
        let progress = Progress::of_steps("reading", job.tasks.len());
        (0..done.len()).for_each(|_| progress.step());
        let appending = std::sync::Mutex::new(());
        let read = job
            .tasks
            .par_iter()
            .filter(|task| !done.contains_key(&task.recording.id))
            .map(|task| {
                let rows = self.extract(&reader, job, task)?;
                let guard = appending.lock().expect("no thread panics with it");
                list.append(&rows)?;
                drop(guard);
                progress.step();
                Ok((task.recording.id.clone(), rows))
            })
            .collect::<Result<Vec<_>, CliError>>()?;
        done.extend(read);
        Ok(())
    }

    /// Writes the frames of one recording. A recording that cannot be read is a row; a folder that cannot
    /// be written is an error.
    fn extract(
        &self,
        reader: &FrameReader,
        job: &Job,
        task: &Task,
    ) -> Result<Vec<FrameRow>, CliError> {
        let recording = &task.recording;
        let row = |frame, path, response| FrameRow {
            recording: recording.id.clone(),
            label: recording.label,
            frame,
            path,
            response,
            policy: task.policy.to_string(),
        };
        let mut rows = Vec::new();
        let mut written = Ok(());
        let read = reader.read(
            job.root_of(recording),
            recording,
            task.policy,
            |frame, image| {
                let path = path_of(recording, frame);
                written = emit_png(&self.out.join(&path), &image);
                // Stops the reading; the error itself is told below.
                if written.is_err() {
                    return Err(DataError::NotAFile(self.out.join(path)));
                }
                rows.push(row(Some(frame), path, Response::Image));
                Ok(())
            },
        );
        written?;
        if let Err(error) = read {
            if matches!(&error, DataError::Recording(error) if error.is_of_the_program()) {
                return Err(error.into());
            }
            eprintln!("{error}");
            rows.push(row(None, String::new(), Response::Unreadable));
        }
        Ok(rows)
    }

    fn manifest(&self, job: &Job, rows: &[FrameRow]) -> Result<Manifest, CliError> {
        let tasks: HashMap<&str, &Task> = job
            .tasks
            .iter()
            .map(|task| (task.recording.id.as_str(), task))
            .collect();
        let images = rows.iter().filter(|row| row.response == Response::Image);
        let samples = images.map(|row| {
            let Task {
                recording, split, ..
            } = tasks[row.recording.as_str()];
            let frame = row.frame.map_or_else(String::new, |n| n.to_string());
            Sample {
                id: format!("{}/{frame}", recording.id),
                path: row.path.clone().into(),
                label: recording.label,
                domain: recording.domain.clone(),
                split: *split,
                subject: recording.subject.clone(),
                video: Some(recording.id.clone()),
                style: recording.style.clone(),
                synthetic: false,
                quality_score: None,
                presenter: recording.presenter.clone(),
                crop: None,
            }
        });
        let manifest = Manifest::new(&self.out, samples.collect())?;
        match self.carve_development {
            None => Ok(manifest),
            Some(share) => carve(manifest, share, self.seed),
        }
    }
}

/// The image of a frame, below --out.
pub(super) fn path_of(recording: &Recording, frame: usize) -> String {
    format!("{}/{frame:05}.png", recording.id)
}

fn by_recording(rows: Vec<FrameRow>) -> HashMap<String, Vec<FrameRow>> {
    let mut recordings = HashMap::<String, Vec<FrameRow>>::new();
    for row in rows {
        recordings
            .entry(row.recording.clone())
            .or_default()
            .push(row);
    }
    recordings
}

/// Moves a share of the training people to development, and says how many.
fn carve(manifest: Manifest, share: f64, seed: u64) -> Result<Manifest, CliError> {
    let people = |manifest: &Manifest, split: Split| {
        let mut people = BTreeMap::<String, BTreeSet<String>>::new();
        for sample in manifest.samples().iter().filter(|s| s.split == split) {
            let subjects = people.entry(sample.domain.clone()).or_default();
            subjects.insert(sample.subject.clone());
        }
        people
    };
    let before = people(&manifest, Split::Train);
    let manifest = manifest.carve_development(share, seed);
    let moved = people(&manifest, Split::Development);
    for (domain, people) in before {
        let Some(moved) = moved.get(&domain) else {
            return Err(CliError::NotCarved(domain));
        };
        eprintln!(
            "{domain}: {} in development, of {} people in training",
            moved.len(),
            people.len()
        );
    }
    Ok(manifest)
}
