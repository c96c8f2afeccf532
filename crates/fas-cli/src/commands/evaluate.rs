//! `fas evaluate`: error rates of a detector from its scores.

mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use fas_metrics::{
    Bootstrap, Convention, Evaluation, EvaluationConfig, ScoreFile, ScoreSet, ThresholdPolicy,
    ThresholdSource, Unit, evaluate,
};
use serde::Serialize;

use crate::error::CliError;
use crate::output::{check_file, emit};
use crate::progress::Progress;

const DETAILS: &str = "\
Score files are CSV with the columns score,label,species,video,subject:
  score    higher is more bona fide; empty where the detector gave none
  label    bona_fide or attack
  species  of the attack instrument, such as print; empty for bona fide
  video    recording that the frame is of; optional
  subject  person shown; optional, the bootstrap draws whole subjects

Policies (where the threshold comes from):
  source-eer       EER on --dev, held-out data of the source domains (default)
  dev-eer          EER on --dev, the development set of the same data set
  dev-min-hter     least HTER on --dev
  dev-bpcer=0.01   BPCER at most 1 % on --dev
  dev-apcer=1/20   APCER of every species at most 1/20 on --dev
  oracle-eer       EER on the test scores themselves: optimistic, name it so
  oracle-min-hter  least HTER on the test scores themselves: optimistic
  fixed=0.5        this very threshold
  argmax           0.5, for the softmax of two classes

Conventions: exact (report this one); ssdg, ssan and bob mirror published code.

Examples:
  fas evaluate test.csv --dev validation.csv
  fas evaluate test.csv --dev dev.csv --policy dev-bpcer=0.01 --unit video
  fas evaluate test.csv --policy oracle-eer --convention ssdg
  fas evaluate test.csv --policy fixed=0.5 --json --out report.json";

/// Evaluate a detector from its scores: APCER, BPCER, ACER, HTER, EER, AUC, with intervals.
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Evaluate {
    /// Scores to evaluate (CSV).
    test: PathBuf,
    /// Scores that fix the threshold (CSV): source validation or development.
    #[arg(long, value_name = "FILE")]
    dev: Option<PathBuf>,
    /// Where the threshold comes from; see below.
    #[arg(long, default_value_t)]
    policy: ThresholdPolicy,
    /// Whose rules are followed: exact, ssdg, ssan or bob.
    #[arg(long, default_value_t)]
    convention: Convention,
    /// What is decided on: each row, or the mean score of each video.
    #[arg(long, value_enum, default_value_t)]
    unit: UnitChoice,
    /// Confidence of the intervals.
    #[arg(long, default_value_t = 0.95)]
    level: f64,
    /// Bootstrap replicates; 0 leaves the bootstrap out.
    #[arg(long, value_name = "B", default_value_t = 1000)]
    bootstrap: u32,
    /// Seed of the bootstrap.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Evaluate scores that look inverted all the same.
    #[arg(long)]
    allow_inverted: bool,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Write to this file instead of the standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// What is decided on.
#[derive(Debug, Clone, Copy, Default, ValueEnum)]
enum UnitChoice {
    /// Videos where every row names one, else frames.
    #[default]
    Auto,
    /// Each row.
    Frame,
    /// The mean score of each video.
    Video,
}

/// The JSON output: an evaluation and where its scores are from.
#[derive(Serialize)]
struct Report<'a> {
    program: &'static str,
    test: &'a Path,
    development: Option<&'a Path>,
    #[serde(flatten)]
    evaluation: &'a Evaluation,
}

impl Evaluate {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        check_file(self.out.as_deref())?;
        let (test, development) = {
            let _progress = Progress::of_unknown_length("reading scores");
            let development = self.dev.as_deref().map(read_set).transpose()?;
            (read_set(&self.test)?, development)
        };
        self.check_videos(&test, development.as_ref())?;
        let config = self.config(&test, development.as_ref());
        let evaluation = {
            let _progress = Progress::of_unknown_length("evaluating");
            evaluate(&test, development.as_ref(), &config)?
        };
        self.warn(&evaluation);
        let text = if self.json {
            self.json(&evaluation)
        } else {
            table::render(&self.test, &evaluation)
        };
        emit(self.out.as_deref(), text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }

    fn check_videos(
        &self,
        test: &ScoreSet,
        development: Option<&ScoreSet>,
    ) -> Result<(), CliError> {
        if !matches!(self.unit, UnitChoice::Video) {
            return Ok(());
        }
        let sets = [
            (Some(&self.test), Some(test)),
            (self.dev.as_ref(), development),
        ];
        for (path, set) in sets {
            if let (Some(path), Some(set)) = (path, set)
                && set.video_count().is_none()
            {
                return Err(CliError::NoVideos(path.clone()));
            }
        }
        Ok(())
    }

    fn config(&self, test: &ScoreSet, development: Option<&ScoreSet>) -> EvaluationConfig {
        let in_videos = |set: &ScoreSet| set.video_count().is_some();
        let unit = match self.unit {
            UnitChoice::Frame => Unit::Frame,
            UnitChoice::Video => Unit::Video,
            UnitChoice::Auto if in_videos(test) && development.is_none_or(in_videos) => Unit::Video,
            UnitChoice::Auto => Unit::Frame,
        };
        EvaluationConfig {
            policy: self.policy,
            convention: self.convention,
            unit,
            level: self.level,
            bootstrap: (self.bootstrap > 0).then_some(Bootstrap {
                replicates: self.bootstrap,
                seed: self.seed,
            }),
            allow_inverted: self.allow_inverted,
        }
    }

    fn warn(&self, evaluation: &Evaluation) {
        if evaluation.looks_inverted {
            eprintln!(
                "warning: the test scores look inverted (AUC {:.4}): attacks score higher than \
                 bona fide samples",
                evaluation.auc
            );
        }
        if evaluation.threshold.source == ThresholdSource::Test {
            eprintln!(
                "warning: policy {} takes its threshold from the evaluated scores; name it so \
                 beside the numbers",
                self.policy
            );
        }
        if self.dev_is_test() {
            eprintln!(
                "warning: --dev is the file of the test scores, so the threshold has seen them; \
                 name it an oracle's beside the numbers"
            );
        }
        if self.dev.is_some() && !self.policy.needs_development() {
            eprintln!("warning: policy {} does not use --dev", self.policy);
        }
        if evaluation.bootstrap.is_none() && self.bootstrap > 0 {
            eprintln!("warning: no bootstrap: a class has fewer than two subjects");
        }
    }

    /// Whether the threshold comes from the very file that is evaluated.
    fn dev_is_test(&self) -> bool {
        let canonical = |path: &PathBuf| path.canonicalize().ok();
        let development = self.dev.as_ref().and_then(canonical);
        self.policy.needs_development()
            && development.is_some()
            && development == canonical(&self.test)
    }

    fn json(&self, evaluation: &Evaluation) -> String {
        let report = Report {
            program: concat!("fas ", env!("CARGO_PKG_VERSION")),
            test: &self.test,
            development: self.dev.as_deref(),
            evaluation,
        };
        serde_json::to_string_pretty(&report).expect("a report is plain data") + "\n"
    }
}

fn read_set(path: impl AsRef<Path>) -> Result<ScoreSet, CliError> {
    let path = path.as_ref();
    let invalid = |source| CliError::Scores {
        path: path.to_owned(),
        source,
    };
    ScoreFile::read(path)?.into_set().map_err(invalid)
}
