//! Errors of this crate. Each names the value, column or line at fault, and what to do.

use std::path::PathBuf;

use crate::convention::Convention;
use crate::policy::ThresholdPolicy;

/// What can go wrong with scores, thresholds, intervals and score files.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum MetricError {
    /// A score is NaN or infinite. Dropping it silently would change every rate.
    #[error(
        "score {index} is {value}; scores must be finite: fix the detector, or count the sample \
         as a non-response"
    )]
    NonFiniteScore {
        /// Position of the sample, counted from 0.
        index: usize,
        /// The score.
        value: f64,
    },

    /// A class has no sample, so that its error rate does not exist.
    #[error("no {class} sample among the {total} scores; error rates need both classes")]
    EmptyClass {
        /// `bona_fide` or `attack`.
        class: &'static str,
        /// Samples of the other class.
        total: usize,
    },

    /// Attacks score clearly higher than bona fide samples.
    #[error(
        "the {scores} scores look inverted: AUC = {auc:.4} over {bona_fide} bona fide and \
         {attacks} attack samples; a higher score must mean more bona fide. Negate the scores or \
         swap the labels, or allow inverted scores explicitly"
    )]
    InvertedPolarity {
        /// `development` or `test`.
        scores: &'static str,
        /// Area under the ROC curve.
        auc: f64,
        /// Bona fide samples.
        bona_fide: u64,
        /// Attack samples.
        attacks: u64,
    },

    /// The policy takes its threshold from development scores and there are none.
    #[error(
        "policy `{policy}` takes its threshold from development scores: give them, or choose \
         `fixed=0.5`, or `oracle-eer` (taken from the test scores, optimistic)"
    )]
    MissingDevelopment {
        /// The policy.
        policy: ThresholdPolicy,
    },

    /// The code that a convention mirrors has no such threshold rule.
    #[error(
        "convention `{convention}` has no threshold rule for policy `{policy}`; use convention \
         `exact` or `bob`"
    )]
    UnsupportedPolicy {
        /// The policy.
        policy: ThresholdPolicy,
        /// The convention.
        convention: Convention,
    },

    /// A text is no threshold policy.
    #[error("`{text}` is no threshold policy: {reason}; known are {known}", known = ThresholdPolicy::KNOWN)]
    InvalidPolicy {
        /// The text.
        text: String,
        /// What is wrong with it.
        reason: &'static str,
    },

    /// A text is no convention.
    #[error("`{0}` is no convention; known are `exact`, `ssdg`, `ssan` and `bob`")]
    InvalidConvention(String),

    /// bob.measure refuses a percentile of fewer than two scores.
    #[error("convention `bob` needs at least 2 {class} scores for this threshold, got {count}")]
    TooFewScores {
        /// `bona_fide` or `attack`.
        class: &'static str,
        /// Scores of that class.
        count: usize,
    },

    /// A confidence level outside the open interval (0, 1).
    #[error("confidence level {0} is outside (0, 1); 0.95 is usual")]
    InvalidLevel(f64),

    /// A share outside `[0, 1]`.
    #[error("{name} is {value}, outside [0, 1]")]
    InvalidShare {
        /// What the share is of.
        name: &'static str,
        /// The value.
        value: f64,
    },

    /// Too few subjects of a class for a bootstrap.
    #[error(
        "{count} {cluster} of class {class}: a clustered bootstrap needs at least 2; report the \
         Clopper-Pearson interval alone"
    )]
    TooFewClusters {
        /// `bona_fide` or `attack`.
        class: &'static str,
        /// `subject`, `video` or `sample`.
        cluster: &'static str,
        /// How many there are.
        count: usize,
    },

    /// A bootstrap of no replicate.
    #[error("a bootstrap needs at least 1 replicate; 1000 is usual")]
    NoReplicates,

    /// A sample has no video, so that frames cannot be averaged.
    #[error("sample {index} names no video; fill the video of every sample or evaluate frames")]
    MissingVideo {
        /// Position of the sample, counted from 0.
        index: usize,
    },

    /// Frames of one video differ in label or subject.
    #[error(
        "video `{video}` has frames of different {field}s (`{first}` and `{other}`); give each \
         recording its own video name"
    )]
    MixedVideo {
        /// The video.
        video: String,
        /// `label` or `subject`.
        field: &'static str,
        /// Value of its first frame.
        first: String,
        /// A differing value.
        other: String,
    },

    /// A spread over no value, or a sample deviation of one.
    #[error("the spread needs at least {needed} values, got {count}")]
    TooFewValues {
        /// Values needed.
        needed: usize,
        /// Values given.
        count: usize,
    },

    /// A score file cannot be read or written.
    #[error("{}: cannot {action}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What was tried, such as `read the scores`.
        action: &'static str,
        /// Cause.
        source: std::io::Error,
    },

    /// A score file could not be written or read as CSV.
    #[error("{}: {source}", path.display())]
    Csv {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: csv::Error,
    },

    /// A score file lacks a column, or has it twice.
    #[error(
        "{}, line 1: {problem} column `{column}`; the header is `score,label,species,video,subject`, \
         of which `score` (higher is more bona fide) and `label` are needed",
        path.display()
    )]
    Header {
        /// The file.
        path: PathBuf,
        /// The column.
        column: &'static str,
        /// `missing` or `repeated`.
        problem: &'static str,
    },

    /// A score file holds bytes that are no UTF-8.
    #[error("{}, line {line}: not UTF-8; save the file as UTF-8 text", path.display())]
    NotUtf8 {
        /// The file.
        path: PathBuf,
        /// Line in the file, counted from 1.
        line: u64,
    },

    /// A line of a score file has more or fewer fields than the header.
    #[error(
        "{}, line {line}: {found} fields where the header has {expected}; write `.` as the decimal \
         point and quote fields with commas",
        path.display()
    )]
    FieldCount {
        /// The file.
        path: PathBuf,
        /// Line in the file, counted from 1.
        line: u64,
        /// Fields on the line.
        found: usize,
        /// Fields in the header.
        expected: usize,
    },

    /// A field of a score file is wrong.
    #[error("{}, line {line}, column `{column}`: `{value}` {problem}", path.display())]
    Field {
        /// The file.
        path: PathBuf,
        /// Line in the file, counted from 1; the header is line 1.
        line: u64,
        /// The column.
        column: &'static str,
        /// The text found.
        value: String,
        /// What is wrong with it, and what to write.
        problem: &'static str,
    },

    /// A score file has a header and no row.
    #[error("{}: no score below the header", path.display())]
    NoRows {
        /// The file.
        path: PathBuf,
    },
}
