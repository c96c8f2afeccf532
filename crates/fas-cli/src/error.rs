//! Errors that end a command. Those of the libraries name their file, value and remedy already.

use std::io;
use std::path::PathBuf;

use fas_align::AlignError;
use fas_classify::ClassifyError;
use fas_data::DataError;
use fas_dfg::DfgError;
use fas_diffusion::DiffusionError;
use fas_jobs::{JobError, MissingBackend};
use fas_metrics::MetricError;
use fas_mtcnn::MtcnnError;
use fas_report::ReportError;
use fas_sim::SimError;
use fas_weights::WeightsError;

use crate::interrupt::INTERRUPTED;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum CliError {
    /// Scores or their evaluation; the message names the file where there is one.
    #[error("{0}")]
    Metric(#[from] MetricError),

    /// Scores of a file that cannot be evaluated as a whole.
    #[error("{}: {source}", path.display())]
    Scores {
        /// The score file.
        path: PathBuf,
        /// Cause.
        source: MetricError,
    },

    /// Faces that were found elsewhere.
    #[error("{0}")]
    Faces(#[from] AlignError),

    /// The face detector's weights.
    #[error("{0}")]
    Mtcnn(#[from] MtcnnError),

    /// Faces are needed and nobody says where they are.
    #[error(
        "this preset needs faces: give the detector's weights by --weights FILE (`fas fetch mtcnn \
         --out mtcnn.safetensors` gets them), or faces that were found elsewhere by --boxes FILE"
    )]
    NoDetector,

    /// Two photos whose crops would have one name.
    #[error("`{first}` and `{second}` would both become `{crop}`; rename one of them")]
    SameCrop {
        /// A photo.
        first: String,
        /// Another.
        second: String,
        /// The crop.
        crop: String,
    },

    /// An output that was made with other options.
    #[error(
        "{}: made with {made}, not with {asked}; write to another folder, or remove it",
        path.display()
    )]
    OtherSettings {
        /// The table.
        path: PathBuf,
        /// Its options.
        made: String,
        /// Those of this run.
        asked: String,
    },

    /// A package that cannot be downloaded.
    #[error(
        "cannot download {package} by pip: {reason}; install it elsewhere (`pip install --no-deps \
         --target FOLDER {package}`) and name the folder by --package"
    )]
    Download {
        /// Name and version.
        package: String,
        /// What pip said.
        reason: String,
    },

    /// A file that cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: io::Error,
    },

    /// Images or manifests.
    #[error("{0}")]
    Data(#[from] DataError),

    /// A simulation.
    #[error("{0}")]
    Simulation(#[from] SimError),

    /// The backend that `--device` names.
    #[error("{0}")]
    Backend(#[from] MissingBackend),

    /// Weights of a network.
    #[error("{0}")]
    Weights(#[from] WeightsError),

    /// A classifier or its training.
    #[error("{0}")]
    Classifier(Box<ClassifyError>),

    /// A generator or its training.
    #[error("{0}")]
    Generator(Box<DiffusionError>),

    /// A generation job.
    #[error("{0}")]
    Job(#[from] JobError),

    /// An option whose value makes no sense.
    #[error("{option}: {reason}")]
    Option {
        /// The option.
        option: &'static str,
        /// Why not.
        reason: String,
    },

    /// A De-spoofing Face Generator, or its cues.
    #[error("{0}")]
    Despoofing(Box<DfgError>),

    /// A picture of results.
    #[error("{0}")]
    Report(#[from] ReportError),

    /// Nothing to work on.
    #[error("no images there; name image files, or a folder that holds some")]
    NoImages,

    /// Some face images cannot be read.
    #[error(
        "{count} of {total} images cannot be read, the first: {first}; remove them, or leave them \
         out with --skip-unreadable"
    )]
    UnreadableFaces {
        /// Unreadable images.
        count: usize,
        /// All images.
        total: usize,
        /// Error of the first.
        first: Box<DataError>,
    },

    /// It is unclear whose face an image shows, and a person in two splits spoils a benchmark.
    #[error(
        "{}: {reason}; say who is in an image: --subject-by file (each another person), folder (a \
         folder is a person) or prefix (a person up to the first `_` of the name)",
        folder.display()
    )]
    UnclearSubjects {
        /// The folder of faces.
        folder: PathBuf,
        /// Why it cannot be told.
        reason: String,
    },

    /// Too few people to fill every split of every domain.
    #[error(
        "{subjects} people cannot fill {domains} domains of three splits without anybody twice: \
         at least {needed} are needed; give more people, or name fewer --domains"
    )]
    TooFewPeople {
        /// People found.
        subjects: usize,
        /// Domains asked for.
        domains: usize,
        /// Least number of people.
        needed: usize,
    },

    /// A list that names something twice.
    #[error("{option} names `{name}` twice; name it once")]
    NamedTwice {
        /// The option.
        option: &'static str,
        /// What it names twice.
        name: String,
    },

    /// Scores without videos that are to be averaged by video.
    #[error(
        "{}: not every row names a video; fill the column `video`, or use --unit frame",
        .0.display()
    )]
    NoVideos(PathBuf),

    /// A recording whose publisher gives no split, where one is needed.
    #[error("`{0}` has no split by its publisher; say one with --split")]
    NoSplit(String),

    /// A score whose recording a list of labels does not name.
    #[error("the list of labels does not name `{0}`; give the list that the scores are of")]
    NotInLabels(String),

    /// A foreign list that is to become an index.
    #[error(
        "a foreign list says too little for an index; write a table with persons and splits, and index it with \
         `fas data index custom.NAME`"
    )]
    NoIndexOfList,

    /// An output in a place where nothing can be written.
    #[error("cannot write {}: {reason}", path.display())]
    Place {
        /// The output.
        path: PathBuf,
        /// Why nothing can be there, and the remedy.
        reason: String,
    },

    /// The system does not let the program watch for interrupts.
    #[error("cannot watch for interrupts: {0}")]
    Interrupts(io::Error),

    /// A training that someone stopped.
    #[error(
        "stopped after step {step} of {steps}; {}",
        match checkpoint {
            Some(folder) =>
                format!("the same command goes on from the checkpoint in {}", folder.display()),
            None =>
                "nothing was kept: with --checkpoint FOLDER a stopped training goes on".to_owned(),
        }
    )]
    Stopped {
        /// Steps taken.
        step: usize,
        /// Steps asked for.
        steps: usize,
        /// Folder of its checkpoint.
        checkpoint: Option<PathBuf>,
    },

    /// An output could not be written.
    #[error("cannot write {what}: {source}")]
    Write {
        /// File, or `the standard output`.
        what: String,
        /// Cause.
        source: io::Error,
    },

    /// An index without recordings of the data set asked for.
    #[error(
        "{}: no recording of `{dataset}`; it has {}. Name one of these, or give the index of `{dataset}`",
        index.display(),
        names_or_none(domains)
    )]
    NoRecordings {
        /// The index.
        index: PathBuf,
        /// Data set asked for.
        dataset: String,
        /// Data sets that it has.
        domains: Vec<String>,
    },

    /// A folder with the frames of another job.
    #[error("{}: {reason}; write to another folder, or remove it", folder.display())]
    OtherFrames {
        /// The folder.
        folder: PathBuf,
        /// What it holds.
        reason: String,
    },

    /// A data set of whose training people none can go to development.
    #[error(
        "--carve-development: `{0}` has one person in training, who cannot be in two parts; give more people, or \
         leave the option out"
    )]
    NotCarved(String),

    /// A manifest without samples.
    #[error("{}: the manifest has no sample; give one with some", .0.display())]
    NoSamples(PathBuf),
}

fn names_or_none(names: &[String]) -> String {
    if names.is_empty() {
        "none at all".to_owned()
    } else {
        names.join(", ")
    }
}

impl From<ClassifyError> for CliError {
    fn from(error: ClassifyError) -> Self {
        Self::Classifier(Box::new(error))
    }
}

impl From<DfgError> for CliError {
    fn from(error: DfgError) -> Self {
        Self::Despoofing(Box::new(error))
    }
}

impl From<DiffusionError> for CliError {
    fn from(error: DiffusionError) -> Self {
        Self::Generator(Box::new(error))
    }
}

impl CliError {
    /// 2 for arguments that make no sense, 130 for an interrupt, else 1.
    pub(crate) fn exit_code(&self) -> u8 {
        match self {
            Self::NamedTwice { .. } | Self::NoIndexOfList | Self::Option { .. } => 2,
            Self::Stopped { .. } => INTERRUPTED,
            _ => 1,
        }
    }

    /// Whether the reader of the standard output went away, which is no failure.
    pub(crate) fn is_broken_pipe(&self) -> bool {
        matches!(self, Self::Write { source, .. } if source.kind() == io::ErrorKind::BrokenPipe)
    }
}
