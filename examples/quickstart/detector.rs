//! Detectors: four ways of training, several seeds.

use fas_classify::ResNetConfig;
use fas_classify::loss::ObjectiveConfig;
use fas_classify::training::ClassifierTrainingConfig;
use fas_examples::{Method, MethodRuns, mean_and_deviation};
use fas_metrics::{Evaluation, ThresholdPolicy};

use crate::settings::Settings;

/// Channels of the first stage of the detectors' ResNet-18.
const BASE_WIDTH: usize = 12;

/// Cross-entropy, + RQ, + generated, + both; without a generator the first two.
pub(crate) fn methods(settings: &Settings, with_generated: bool) -> Vec<Method> {
    let relative_quality = ObjectiveConfig::relative_quality;
    let cross_entropy = ObjectiveConfig::cross_entropy;
    let recipes = [
        ("cross-entropy", cross_entropy(), false),
        ("+ RQ", relative_quality(), false),
        ("+ generated", cross_entropy(), true),
        ("+ RQ + generated", relative_quality(), true),
    ];
    recipes
        .into_iter()
        .filter(|(_, _, generated)| with_generated || !generated)
        .map(|(name, objective, generated)| Method {
            name: name.to_owned(),
            backbone: ResNetConfig::small(BASE_WIDTH).into(),
            training: ClassifierTrainingConfig::new(objective, settings.steps),
            generated,
        })
        .collect()
}

/// All runs of one way of training on the target domain.
pub(crate) struct MethodResult {
    pub(crate) runs: MethodRuns,
    /// Threshold from source development data, a run each.
    pub(crate) evaluations: Vec<Evaluation>,
    /// Threshold from the target itself: named as such wherever it shows.
    pub(crate) oracles: Vec<Evaluation>,
}

impl MethodResult {
    pub(crate) fn new(runs: MethodRuns) -> Result<Self, String> {
        let evaluate = |policy| -> Result<Vec<Evaluation>, String> {
            let runs = runs.runs.iter();
            runs.map(|run| run.evaluate(0, policy)).collect()
        };
        Ok(Self {
            evaluations: evaluate(ThresholdPolicy::SourceEer)?,
            oracles: evaluate(ThresholdPolicy::OracleEer)?,
            runs,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.runs.name
    }

    pub(crate) fn summary(&self) -> String {
        let percent = |values: &[Evaluation], value: fn(&Evaluation) -> f64| {
            let (mean, spread) = spread(values, value);
            format!("{:5.1} ± {:4.1} %", 100.0 * mean, 100.0 * spread)
        };
        format!(
            "{:18} HTER {}   oracle EER {}   AUC {}",
            self.name(),
            percent(&self.evaluations, |evaluation| evaluation.hter),
            percent(&self.oracles, |evaluation| evaluation.eer.rate),
            percent(&self.evaluations, |evaluation| evaluation.auc),
        )
    }
}

/// Mean and sample standard deviation over the runs.
pub(crate) fn spread(values: &[Evaluation], value: fn(&Evaluation) -> f64) -> (f64, f64) {
    let values: Vec<f64> = values.iter().map(value).collect();
    mean_and_deviation(&values)
}
