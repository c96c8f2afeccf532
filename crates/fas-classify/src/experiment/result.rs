//! What came out of an experiment: metrics of every run, and their mean with its interval over seeds.

use fas_metrics::{Deviation, Evaluation, Interval, ScoreSet, Spread};

use super::{CheckpointChoice, ExperimentProtocol};
use crate::Classifier;

/// An evaluation whose threshold is that of equal errors on the very scores that are evaluated: the
/// papers' way (SSDG, SSAN, AG-FAS). Optimistic; its HTER is close to the EER of the target.
#[derive(Debug, Clone, PartialEq)]
pub struct OracleEvaluation(pub Evaluation);

/// One state of the weights, evaluated on the target.
#[derive(Debug, Clone)]
pub struct EvaluatedCheckpoint {
    /// Steps that were taken.
    pub steps: usize,
    /// EER on source development samples: what source validation chooses by.
    pub development_eer: f64,
    /// At the threshold of the protocol's policy.
    pub evaluation: Evaluation,
    /// At the target's own threshold.
    pub oracle: OracleEvaluation,
    /// Scores of the test samples.
    pub scores: ScoreSet,
    /// The detector.
    pub classifier: Classifier,
}

/// One training with one seed.
#[derive(Debug, Clone)]
pub struct RunResult {
    /// Seed of the weights and of everything drawn in training.
    pub seed: u64,
    /// Loss of every step.
    pub losses: Vec<f32>,
    /// Evaluated states: one, or the ends of the last epochs. The last is the latest.
    pub checkpoints: Vec<EvaluatedCheckpoint>,
}

impl RunResult {
    /// Mean of a metric over the evaluated states.
    pub fn metric(&self, metric: impl Fn(&EvaluatedCheckpoint) -> f64) -> f64 {
        let sum: f64 = self.checkpoints.iter().map(metric).sum();
        sum / self.checkpoints.len() as f64
    }

    /// The latest evaluated state.
    pub fn last(&self) -> &EvaluatedCheckpoint {
        self.checkpoints.last().expect("a run has a checkpoint")
    }
}

/// A metric over the seeds.
#[derive(Debug, Clone, PartialEq)]
pub struct SeedSummary {
    /// One value a seed.
    pub values: Vec<f64>,
    /// Mean.
    pub mean: f64,
    /// 95 % interval of the mean by Student's distribution: what another draw of seeds would give. It
    /// says nothing of other faces or domains. `None` for one seed.
    pub interval: Option<Interval>,
}

impl SeedSummary {
    fn of(values: Vec<f64>) -> Self {
        let interval = Spread::of(&values, Deviation::Sample)
            .and_then(|spread| spread.mean_interval(0.95))
            .ok();
        Self {
            mean: values.iter().sum::<f64>() / values.len() as f64,
            values,
            interval,
        }
    }

    /// `12.3 [10.1, 14.5]`, in percent.
    pub fn percent(&self) -> String {
        let mean = 100.0 * self.mean;
        match self.interval {
            Some(Interval { lower, upper, .. }) => {
                format!("{mean:.1} [{:.1}, {:.1}]", 100.0 * lower, 100.0 * upper)
            }
            None => format!("{mean:.1}"),
        }
    }
}

/// All runs of an experiment.
#[derive(Debug, Clone)]
pub struct ExperimentResult {
    /// What was evaluated, and by which threshold.
    pub protocol: ExperimentProtocol,
    /// Which weights were evaluated.
    pub checkpoint: CheckpointChoice,
    /// Name of the objective.
    pub objective: String,
    /// One run a seed.
    pub runs: Vec<RunResult>,
}

impl ExperimentResult {
    /// Any metric over the seeds.
    pub fn summary(&self, metric: impl Fn(&EvaluatedCheckpoint) -> f64) -> SeedSummary {
        SeedSummary::of(self.runs.iter().map(|run| run.metric(&metric)).collect())
    }

    /// HTER at the protocol's threshold, in `[0, 1]`.
    pub fn hter(&self) -> SeedSummary {
        self.summary(|checkpoint| checkpoint.evaluation.hter)
    }

    /// AUC, in `[0, 1]`.
    pub fn auc(&self) -> SeedSummary {
        self.summary(|checkpoint| checkpoint.evaluation.auc)
    }

    /// ACER with all attacks pooled, in `[0, 1]`.
    pub fn acer_pooled(&self) -> SeedSummary {
        self.summary(|checkpoint| checkpoint.evaluation.acer_pooled)
    }

    /// ACER with the worst species, in `[0, 1]`.
    pub fn acer_max(&self) -> SeedSummary {
        self.summary(|checkpoint| checkpoint.evaluation.acer_max)
    }

    /// HTER at the target's own threshold, in `[0, 1]`: the papers' number, an oracle.
    pub fn oracle_hter(&self) -> SeedSummary {
        self.summary(|checkpoint| checkpoint.oracle.0.hter)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_interval_is_student_s() {
        // mean 0.2, deviation 0.1; t(0.975, 2) = 4.302653: 4.302653 * 0.1 / sqrt(3) = 0.248414
        let summary = SeedSummary::of(vec![0.1, 0.2, 0.3]);
        let interval = summary.interval.unwrap();
        assert!((summary.mean - 0.2).abs() < 1e-12);
        assert!((interval.upper - 0.448_414).abs() < 1e-6, "{interval:?}");
        assert!((interval.lower + 0.048_414).abs() < 1e-6, "{interval:?}");
        assert_eq!(summary.percent(), "20.0 [-4.8, 44.8]");
        assert_eq!(SeedSummary::of(vec![0.25]).percent(), "25.0");
    }
}
