//! Errors of recordings, data sets, official protocols, frames and exchange files.

use std::path::PathBuf;

use crate::{ManifestProblem, Split};

/// What can go wrong with recordings of public data sets.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum RecordingError {
    /// A name that is none of those allowed.
    #[error("{column} `{found}`; write one of {}", known.join(", "))]
    UnknownName {
        /// What is named.
        column: &'static str,
        /// The unknown name.
        found: String,
        /// The known names.
        known: Vec<&'static str>,
    },

    /// A data set that is not known here.
    #[error("unknown data set `{found}`; known are {}", known.join(", "))]
    UnknownDataset {
        /// The unknown name.
        found: String,
        /// Names of the data sets.
        known: Vec<String>,
    },

    /// The folder of a copy is not there or cannot be read.
    #[error(
        "{}: cannot read the folder of the data set: {source}; correct `root` in datasets.toml, or --root",
        path.display()
    )]
    NoRoot {
        /// The folder.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },

    /// There is no `datasets.toml`.
    #[error(
        "{} is not there: {source}; copy datasets.toml of the repository and set the roots in it, name another file \
         by --datasets, or the folder of the copy by --root",
        path.display()
    )]
    NoDatasetsFile {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },

    /// A layout in which this data set is not known.
    #[error("{dataset}: no rule for the layout `{layout}`; its layouts are {}", known.join(", "))]
    UnsupportedLayout {
        /// Data set.
        dataset: String,
        /// Layout asked for.
        layout: String,
        /// Layouts with rules.
        known: Vec<&'static str>,
    },

    /// A table or list of the publisher, or of the user, that is needed and not there.
    #[error("{dataset}: {} is missing: {remedy}", path.display())]
    MissingTable {
        /// Data set.
        dataset: String,
        /// The file.
        path: PathBuf,
        /// What it is for, and where it comes from.
        remedy: &'static str,
    },

    /// A line of a table that cannot be understood.
    #[error("{}, line {line}: {problem}", path.display())]
    Table {
        /// The file.
        path: PathBuf,
        /// Line in the file, counted from 1.
        line: u64,
        /// What is wrong.
        problem: String,
    },

    /// A line of a table that breaks a rule of manifests too.
    #[error("{}, line {line}: {source}", path.display())]
    TableField {
        /// The file.
        path: PathBuf,
        /// Line in the file, counted from 1.
        line: u64,
        /// What is wrong.
        source: ManifestProblem,
    },

    /// A file that is no JSON, or another JSON than expected.
    #[error("{}: {source}; expected is {expected}", path.display())]
    Json {
        /// The file.
        path: PathBuf,
        /// The form expected.
        expected: &'static str,
        /// What the parser says.
        source: serde_json::Error,
    },

    /// A recording that is given twice.
    #[error(
        "recording `{id}` is listed twice, in {first} and in {second}; give each recording once"
    )]
    DuplicateRecording {
        /// The id.
        id: String,
        /// First list or file.
        first: String,
        /// Second list or file.
        second: String,
    },

    /// ffmpeg or ffprobe is not there or does not run.
    #[error(
        "videos need the programs ffmpeg and ffprobe, and `{program}` does not run: {source}. Install them (Debian, \
         Ubuntu: `apt-get install ffmpeg`; macOS: `brew install ffmpeg`; Windows: `winget install ffmpeg`)"
    )]
    NoFfmpeg {
        /// The program.
        program: String,
        /// What the system says.
        source: std::io::Error,
    },

    /// A video that ffmpeg cannot read.
    #[error("{}: ffmpeg cannot decode the video: {reason}; copy it again", path.display())]
    Video {
        /// The video.
        path: PathBuf,
        /// What ffmpeg says.
        reason: String,
    },

    /// A file of arrays that is not as its data set has them.
    #[error("{}: {reason}", path.display())]
    Array {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },

    /// A kind of file that this build does not know.
    #[error("{}: this build has no code for such files; build with the feature `{feature}` of fas-data", path.display())]
    MissingFeature {
        /// The file.
        path: PathBuf,
        /// Cargo feature that is needed.
        feature: &'static str,
    },

    /// Scores that are higher for attacks than for bona fide.
    #[error(
        "the scores stand on their head: AUC {auc:.3}, higher for attacks; negate them, or correct what the labels mean"
    )]
    InvertedScores {
        /// Area under the ROC curve with bona fide on the high side.
        auc: f64,
    },

    /// A label file that does not say, or contradicts, what 1 means.
    #[error("{}: polarity unclear: {reason}", path.display())]
    UnclearPolarity {
        /// The file.
        path: PathBuf,
        /// What is unclear.
        reason: String,
    },

    /// A row without a label where the form needs one.
    #[error("`{0}` has no label; join the scores with a list that has labels first")]
    NoLabel(String),

    /// A protocol that is not known here.
    #[error("unknown protocol `{name}`; {}", similar_names(similar))]
    UnknownProtocol {
        /// The unknown name.
        name: String,
        /// Known names that start alike.
        similar: Vec<String>,
    },

    /// A part of a protocol without recordings of a class.
    #[error(
        "protocol {protocol}: no {class} in its {part} part; index {} and give every index file",
        domains.join(", ")
    )]
    EmptyPart {
        /// Name of the protocol.
        protocol: String,
        /// The part.
        part: Split,
        /// What is lacking.
        class: &'static str,
        /// Data sets that the protocol needs.
        domains: Vec<String>,
    },
}

impl RecordingError {
    /// Whether the recording is not to blame: a program or a feature of this build is not there.
    pub fn is_of_the_program(&self) -> bool {
        matches!(self, Self::NoFfmpeg { .. } | Self::MissingFeature { .. })
    }
}

fn similar_names(similar: &[String]) -> String {
    if similar.is_empty() {
        "`fas data protocol --list` has all".to_owned()
    } else {
        format!("similar are {}", similar.join(", "))
    }
}
