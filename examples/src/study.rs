//! Studies: several ways of training a detector, several seeds, one or more test sets.

use std::sync::Arc;

use burn::tensor::Device;
use fas_classify::experiment::score_set;
use fas_classify::training::{
    ClassLayout, ClassifierTrainingConfig, StyleClasses, TrainingSet, score_pictures,
    train_classifier,
};
use fas_classify::{BackboneConfig, ClassifierConfig};
use fas_data::{LeakageGuard, Sample, TrainingPurpose};
use fas_metrics::{
    Bootstrap, Deviation, Evaluation, EvaluationConfig, ScoreSet, Spread, ThresholdPolicy, evaluate,
};
use image::RgbImage;
use rayon::prelude::*;

use crate::{Captures, progress};

/// Pictures and what is known of each.
#[derive(Debug, Clone, Default)]
pub struct LabelledImages {
    /// Samples, with BRISQUE where it could be computed.
    pub samples: Vec<Sample>,
    /// Pictures, in the order of the samples.
    pub images: Vec<RgbImage>,
}

impl LabelledImages {
    /// The pictures of `samples`, which are among `captures`.
    ///
    /// # Errors
    ///
    /// A message if one is not.
    pub fn of(captures: &Captures, samples: &[Sample]) -> Result<Self, String> {
        Ok(Self {
            images: captures.of(samples)?,
            samples: samples.to_vec(),
        })
    }

    /// These and `more`.
    #[must_use]
    pub fn with(mut self, more: &Self) -> Self {
        self.samples.extend_from_slice(&more.samples);
        self.images.extend_from_slice(&more.images);
        self
    }

    fn pictures(&self) -> Vec<Arc<RgbImage>> {
        self.images.iter().cloned().map(Arc::new).collect()
    }
}

/// A way of training a detector.
#[derive(Debug, Clone)]
pub struct Method {
    /// Name in tables.
    pub name: String,
    /// Network below the cosine head.
    pub backbone: BackboneConfig,
    /// Training; the seed is that of the run.
    pub training: ClassifierTrainingConfig,
    /// Whether generated attacks are among the training data.
    pub generated: bool,
}

/// Data of a study: every method trains on the same, and is tested on every test set.
#[derive(Debug)]
pub struct Study {
    /// Refuses to train on what is tested.
    pub guards: Vec<LeakageGuard>,
    /// Training captures of the sources.
    pub train: LabelledImages,
    /// Generated attacks.
    pub generated: Option<LabelledImages>,
    /// Development captures of the sources, for thresholds.
    pub development: LabelledImages,
    /// Named test sets.
    pub tests: Vec<(String, LabelledImages)>,
}

/// One trained detector and its scores.
#[derive(Debug)]
pub struct Run {
    /// On source development data.
    pub development: ScoreSet,
    /// On each test set.
    pub tests: Vec<ScoreSet>,
}

impl Run {
    /// Evaluates on test set `test` with the threshold that `policy` takes from development data or,
    /// for an oracle, from the test set itself. Intervals are bootstraps over people.
    ///
    /// # Errors
    ///
    /// A message of the metrics.
    pub fn evaluate(&self, test: usize, policy: ThresholdPolicy) -> Result<Evaluation, String> {
        let bootstrap = Bootstrap {
            replicates: 500,
            seed: 0,
        };
        self.evaluate_with(test, policy, Some(bootstrap))
    }

    fn evaluate_with(
        &self,
        test: usize,
        policy: ThresholdPolicy,
        bootstrap: Option<Bootstrap>,
    ) -> Result<Evaluation, String> {
        let config = EvaluationConfig {
            policy,
            bootstrap,
            allow_inverted: true,
            ..EvaluationConfig::default()
        };
        let development = policy.needs_development().then_some(&self.development);
        evaluate(&self.tests[test], development, &config).map_err(|error| error.to_string())
    }
}

/// All runs of one method, one a seed.
#[derive(Debug)]
pub struct MethodRuns {
    /// Name of the method.
    pub name: String,
    /// Runs, in the order of the seeds.
    pub runs: Vec<Run>,
}

/// Errors of one run on one test set, as the tables of the field give them.
#[derive(Debug, Clone, Copy)]
pub struct RunErrors {
    /// Half total error rate at the threshold of the policy.
    pub hter: f64,
    /// Equal error rate of the test set: an oracle, optimistic.
    pub oracle_eer: f64,
    /// Area under the ROC curve.
    pub auc: f64,
}

impl MethodRuns {
    /// Errors of every run on test set `test`.
    ///
    /// # Errors
    ///
    /// As [`Run::evaluate`].
    pub fn errors(&self, test: usize, policy: ThresholdPolicy) -> Result<Vec<RunErrors>, String> {
        self.runs
            .iter()
            .map(|run| {
                // Spread over seeds, not over people: no bootstrap.
                let evaluation = run.evaluate_with(test, policy, None)?;
                Ok(RunErrors {
                    hter: evaluation.hter,
                    oracle_eer: evaluation.eer.rate,
                    auc: evaluation.auc,
                })
            })
            .collect()
    }
}

/// Mean and sample standard deviation; one value has a deviation of zero.
pub fn mean_and_deviation(values: &[f64]) -> (f64, f64) {
    Spread::of(values, Deviation::Sample)
        .or_else(|_| Spread::of(values, Deviation::Population))
        .map_or((f64::NAN, f64::NAN), |spread| (spread.mean, spread.std))
}

impl Study {
    /// Trains every method with every seed and scores development and test sets. Equal arguments give
    /// equal scores on the CPU, whatever the number of threads.
    ///
    /// # Errors
    ///
    /// A message if a guard refuses a training sample, or a training diverges.
    pub fn run(
        &self,
        methods: &[Method],
        seeds: &[u64],
        device: &Device,
    ) -> Result<Vec<MethodRuns>, String> {
        let classes = StyleClasses::of(&self.train.samples, ClassLayout::PerStyle);
        let plain = self.training_set(&self.train, &classes)?;
        let mixed = match &self.generated {
            Some(generated) => {
                let all = self.train.clone().with(generated);
                Some(self.training_set(&all, &classes)?)
            }
            None => None,
        };
        // Initial weights come from the device's one generator, when they are first read: here, in
        // order, and not in the threads.
        let jobs: Vec<_> = methods
            .iter()
            .enumerate()
            .flat_map(|(at, method)| seeds.iter().map(move |&seed| (at, method, seed)))
            .map(|(at, method, seed)| {
                let [count, live] = [classes.len(), classes.num_bona_fide()];
                let config = ClassifierConfig::new(method.backbone.clone(), count, live)
                    .with_scale(method.training.objective.classification.scale());
                (at, method, seed, config.init_seeded(seed, device))
            })
            .collect();
        let steps: usize = jobs.iter().map(|job| job.1.training.steps).sum();
        let bar = progress("training detectors", steps as u64);
        let runs = jobs
            .into_par_iter()
            .map(|(at, method, seed, classifier)| {
                let training = method.training.clone().with_seed(seed);
                let set = match (&mixed, method.generated) {
                    (_, false) => &plain,
                    (Some(mixed), true) => mixed,
                    (None, true) => {
                        return Err(format!("{}: no generated attacks", method.name));
                    }
                };
                let trained = train_classifier(classifier, set, &training, device, |_| {
                    bar.inc(1);
                })
                .map_err(|error| format!("{}, seed {seed}: {error}", method.name))?;
                let scored = |set: &LabelledImages| {
                    let scores = score_pictures(&trained, &set.images, 64, device);
                    score_set(&set.samples, &scores).map_err(|error| error.to_string())
                };
                let run = Run {
                    development: scored(&self.development)?,
                    tests: self
                        .tests
                        .iter()
                        .map(|(_, set)| scored(set))
                        .collect::<Result<_, _>>()?,
                };
                Ok((at, run))
            })
            .collect::<Result<Vec<_>, String>>()?;
        bar.finish_and_clear();
        let mut results: Vec<MethodRuns> = methods
            .iter()
            .map(|method| MethodRuns {
                name: method.name.clone(),
                runs: Vec::new(),
            })
            .collect();
        for (at, run) in runs {
            results[at].runs.push(run);
        }
        Ok(results)
    }

    fn training_set(
        &self,
        data: &LabelledImages,
        classes: &StyleClasses,
    ) -> Result<TrainingSet, String> {
        let mut admitted = None;
        for guard in &self.guards {
            let checked = guard.admit(TrainingPurpose::Classifier, data.samples.clone());
            admitted = Some(checked.map_err(|error| error.to_string())?);
        }
        let admitted = admitted.ok_or("a study needs a leakage guard")?;
        let numbers = classes
            .numbers_of(&data.samples)
            .map_err(|error| error.to_string())?;
        TrainingSet::of_pictures(&admitted, data.pictures(), numbers)
            .map_err(|error| error.to_string())
    }
}
