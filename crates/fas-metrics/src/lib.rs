//! Presentation attack detection metrics (ISO/IEC 30107-3 and the field's own): APCER, BPCER,
//! ACER, HTER, EER, AUC, thresholds with their policies, intervals and curves.
//!
//! A score is any finite number, **higher is more bona fide**, and a sample is accepted when
//! `score >= threshold`. All rates are fractions in `[0, 1]`, computed from integer counts.
//!
//! - [`ScoreSet`]: validated scores of both classes; [`ScoreFile`] reads them from CSV.
//! - [`Sweep`]: error counts at every threshold; exact [`eer`](Sweep::eer), [`auc`](Sweep::auc),
//!   [`roc`](Sweep::roc), [`det`](Sweep::det) and [`epc`](Sweep::epc).
//! - [`ErrorRates`]: the rates at one threshold, by species, maximum and pooled.
//! - [`ThresholdPolicy`] and [`Threshold`]: how a threshold was chosen, kept beside its value.
//! - [`Convention`]: exact, or as SSDG, SSAN and bob.measure do it.
//! - [`Interval`] and [`Bootstrap`]: Clopper-Pearson, and percentiles over resampled subjects.
//! - [`evaluate`]: all of it in one serialisable [`Evaluation`].

mod bootstrap;
mod convention;
mod curve;
mod error;
mod interval;
mod level;
mod non_response;
mod policy;
mod rates;
mod report;
mod score_file;
mod scores;
mod spread;
mod sweep;
mod threshold;
mod video;

pub use bootstrap::{Bootstrap, BootstrapIntervals, Cluster};
pub use convention::Convention;
pub use curve::{DetPoint, EpcPoint, RocPoint, probit};
pub use error::MetricError;
pub use interval::Interval;
pub use non_response::{CorrectedRates, NonResponses};
pub use policy::{ThresholdPolicy, ThresholdSource};
pub use rates::{ErrorRates, Proportion};
pub use report::{
    CountedRate, Counts, Evaluation, EvaluationConfig, NonResponseRates, PerFrame, TprAtFpr,
    evaluate,
};
pub use score_file::{ScoreFile, UNSPECIFIED_SPECIES, write_scores};
pub use scores::{Label, ScoreSet, ScoredSample, Unit};
pub use spread::{Deviation, Spread};
pub use sweep::{EqualErrorRate, OperatingPoint, Sweep};
pub use threshold::{AchievedRates, Threshold};

/// Compiles and runs the example of the README.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
