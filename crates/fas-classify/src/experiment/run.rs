//! Running an experiment: one training a seed, each evaluated on the target.

use std::sync::Arc;

use burn::tensor::Device;
use fas_data::{LeakageGuard, Manifest, ProtocolSplits, Sample, TrainingPurpose};
use fas_metrics::{
    Bootstrap, EvaluationConfig, MetricError, ScoreSet, ScoredSample, ThresholdPolicy, evaluate,
};
use image::RgbImage;
use rayon::prelude::*;

use super::{
    CheckpointChoice, EvaluatedCheckpoint, ExperimentConfig, ExperimentProtocol, ExperimentResult,
    ImageSet, OracleEvaluation, RunResult,
};
use crate::training::{ClassifierTrainer, StyleClasses, TrainingSet, score_pictures};
use crate::{Classifier, ClassifierConfig, ClassifyError};

/// Pictures that are scored at once.
const SCORING_BATCH: usize = 64;

/// What a caller sees while an experiment runs, once a step.
#[derive(Debug, Clone, PartialEq)]
pub struct RunProgress {
    /// Number of the run, from 0.
    pub run: usize,
    /// Its seed.
    pub seed: u64,
    /// Steps taken.
    pub step: usize,
    /// Steps in all.
    pub steps: usize,
    /// Loss of the last step.
    pub loss: f32,
}

/// Trains and evaluates one run a seed, in parallel.
///
/// `images` has the pictures of all samples, of which the protocol picks its own; `generated` are
/// pictures of a generator that are trained on beside the real ones, with their own quality scores, and
/// pass the leakage guard like these. `progress` is called after every step, from any thread. Equal
/// arguments give equal results on the CPU.
///
/// # Errors
///
/// [`ClassifyError::Data`] if the protocol finds no samples or something would leak from the target
/// into training, and as [`ClassifierTrainer`], [`evaluate`] and the import of pretrained weights.
///
/// # Panics
///
/// Panics if there is no seed, or if a setting is outside its range.
pub fn run_experiment(
    protocol: &ExperimentProtocol,
    images: &ImageSet,
    generated: Option<&ImageSet>,
    config: &ExperimentConfig,
    device: &Device,
    progress: impl Fn(&RunProgress) + Sync,
) -> Result<ExperimentResult, ClassifyError> {
    assert!(
        !config.seeds.is_empty(),
        "an experiment has at least one seed"
    );
    let manifest = Manifest::new("", images.samples().to_vec())?;
    let splits = protocol.protocol.select(&manifest)?;
    let guard = LeakageGuard::new(&protocol.protocol);
    guard.check_splits(&splits)?;
    let classes = StyleClasses::of(&splits.train, config.classes);
    let set = training_set(&splits, images, generated, &guard, &classes)?;
    let parts = Parts {
        development: images.images_of(&splits.development)?,
        test: images.images_of(&splits.test)?,
        splits,
        protocol,
        replicates: config.bootstrap_replicates,
        device,
    };
    let classifier = ClassifierConfig::new(
        config.backbone.clone(),
        classes.len(),
        classes.num_bona_fide(),
    )
    .with_scale(config.training.objective.classification.scale())
    .with_head(config.head.clone())
    .with_input(config.input);
    // In order and before the threads: initial weights come from the process's one generator.
    let starts = config
        .seeds
        .iter()
        .map(|&seed| {
            let start = classifier.init_seeded(seed, device);
            let start = match &config.pretrained {
                Some(pretrained) => start.with_pretrained_backbone(pretrained)?,
                None => start,
            };
            Ok((seed, start))
        })
        .collect::<Result<Vec<_>, ClassifyError>>()?;
    let runs = starts
        .into_par_iter()
        .enumerate()
        .map(|(run, (seed, start))| {
            let report = |step, loss| {
                progress(&RunProgress {
                    run,
                    seed,
                    step,
                    steps: config.training.steps,
                    loss,
                });
            };
            parts.run(seed, start, &set, config, report)
        })
        .collect::<Result<Vec<_>, ClassifyError>>()?;
    Ok(ExperimentResult {
        protocol: protocol.clone(),
        checkpoint: config.checkpoint,
        objective: config.training.objective.name(),
        runs,
    })
}

fn training_set(
    splits: &ProtocolSplits,
    images: &ImageSet,
    generated: Option<&ImageSet>,
    guard: &LeakageGuard,
    classes: &StyleClasses,
) -> Result<TrainingSet, ClassifyError> {
    let mut samples = splits.train.clone();
    let mut pictures = images.images_of(&samples)?;
    if let Some(generated) = generated {
        samples.extend_from_slice(generated.samples());
        pictures.extend(generated.images().iter().cloned());
    }
    let numbers = classes.numbers_of(&samples);
    // A leak is the graver mistake, so it is told first: a style of the target has no class either.
    let admitted = guard.admit(TrainingPurpose::Classifier, samples)?;
    TrainingSet::of_pictures(&admitted, pictures, numbers?)
}

/// What all runs share.
struct Parts<'a> {
    splits: ProtocolSplits,
    development: Vec<Arc<RgbImage>>,
    test: Vec<Arc<RgbImage>>,
    protocol: &'a ExperimentProtocol,
    replicates: u32,
    device: &'a Device,
}

impl Parts<'_> {
    fn run(
        &self,
        seed: u64,
        start: Classifier,
        set: &TrainingSet,
        config: &ExperimentConfig,
        report: impl Fn(usize, f32),
    ) -> Result<RunResult, ClassifyError> {
        let training = config.training.clone().with_seed(seed);
        let looks = config
            .checkpoint
            .looks(training.steps, set.steps_per_epoch(training.batch_size));
        let mut trainer = ClassifierTrainer::new(start, set, training, self.device)?;
        let mut losses = Vec::new();
        let mut kept: Vec<EvaluatedCheckpoint> = Vec::new();
        while !trainer.is_done() {
            let loss = trainer.step()?.loss;
            losses.push(loss);
            report(trainer.steps_taken(), loss);
            if looks.binary_search(&trainer.steps_taken()).is_err() {
                continue;
            }
            let found = self.evaluate(trainer.classifier(), trainer.steps_taken(), seed)?;
            match kept.first() {
                _ if matches!(config.checkpoint, CheckpointChoice::LastEpochsMean { .. }) => {
                    kept.push(found);
                }
                Some(best) if !is_better(config.checkpoint, &found, best) => {}
                _ => kept = vec![found],
            }
        }
        Ok(RunResult {
            seed,
            losses,
            checkpoints: kept,
        })
    }

    fn evaluate(
        &self,
        classifier: Classifier,
        steps: usize,
        seed: u64,
    ) -> Result<EvaluatedCheckpoint, ClassifyError> {
        let scores = |samples: &[Sample], images: &[Arc<RgbImage>]| {
            let scores = score_pictures(&classifier, images, SCORING_BATCH, self.device);
            score_set(samples, &scores)
        };
        let development = scores(&self.splits.development, &self.development)?;
        let test = scores(&self.splits.test, &self.test)?;
        let by = |policy: ThresholdPolicy| {
            let config = EvaluationConfig {
                policy,
                convention: self.protocol.convention,
                unit: self.protocol.unit,
                bootstrap: (self.replicates > 0).then_some(Bootstrap {
                    replicates: self.replicates,
                    seed,
                }),
                // A detector worse than chance on an unknown domain is a result.
                allow_inverted: true,
                ..EvaluationConfig::default()
            };
            evaluate(&test, Some(&development), &config)
        };
        Ok(EvaluatedCheckpoint {
            steps,
            development_eer: development.sweep().eer().rate,
            evaluation: by(self.protocol.policy)?,
            oracle: OracleEvaluation(by(ThresholdPolicy::OracleEer)?),
            scores: test,
            classifier,
        })
    }
}

/// Whether `found`, which is later, takes the place of `best`.
fn is_better(
    choice: CheckpointChoice,
    found: &EvaluatedCheckpoint,
    best: &EvaluatedCheckpoint,
) -> bool {
    match choice {
        CheckpointChoice::Last | CheckpointChoice::LastEpochsMean { .. } => true,
        CheckpointChoice::SourceValidation { .. } => found.development_eer <= best.development_eer,
        CheckpointChoice::OracleTarget { .. } => {
            let key = |checkpoint: &EvaluatedCheckpoint| {
                let evaluation = &checkpoint.oracle.0;
                (evaluation.eer.rate, -evaluation.auc)
            };
            key(found) < key(best)
        }
    }
}

/// Scores with truth, species, person and video.
///
/// # Errors
///
/// As [`ScoreSet::new`].
///
/// # Panics
///
/// Panics unless there is one score a sample.
pub fn score_set(samples: &[Sample], scores: &[f64]) -> Result<ScoreSet, MetricError> {
    assert_eq!(samples.len(), scores.len(), "one score a sample");
    let scored = samples
        .iter()
        .zip(scores)
        .map(|(sample, &score)| {
            let scored = match sample.label.species() {
                None => ScoredSample::bona_fide(score),
                Some(species) => ScoredSample::attack(score, species.name()),
            };
            let scored = scored.with_subject(sample.subject.clone());
            match &sample.video {
                Some(video) => scored.with_video(video.clone()),
                None => scored,
            }
        })
        .collect();
    ScoreSet::new(scored)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ResNetConfig;
    use crate::loss::ObjectiveConfig;
    use crate::training::tests::{picture, sample};
    use crate::training::{ClassifierTrainingConfig, SamplingConfig};
    use fas_data::{Protocol, Split};

    /// Domains C, D and E with four people a split, one bona fide picture and one attack each.
    fn images() -> ImageSet {
        let mut samples = Vec::new();
        let mut images = Vec::new();
        for domain in ["C", "D", "E"] {
            for split in Split::ALL {
                for index in 0..8 {
                    let mut sample = sample(index, domain, index % 2, false);
                    sample.id = format!("{domain}/{split}/{index}");
                    sample.path = format!("{domain}/{split}/{index}.png").into();
                    sample.subject = format!("{domain}/{split}/{}", index / 2);
                    sample.split = split;
                    sample.quality_score = None;
                    samples.push(sample);
                    images.push(picture(index + domain.len(), index % 2));
                }
            }
        }
        ImageSet::new(samples, images).unwrap()
    }

    fn config(checkpoint: CheckpointChoice) -> ExperimentConfig {
        let training = ClassifierTrainingConfig::new(ObjectiveConfig::relative_quality(), 60)
            .with_batch_size(8);
        ExperimentConfig::new(ResNetConfig::small(4).into(), training)
            .with_seeds(vec![3, 4])
            .with_checkpoint(checkpoint)
            .with_bootstrap_replicates(20)
    }

    fn protocol() -> ExperimentProtocol {
        ExperimentProtocol::cross_domain(Protocol::from_name("CD->E", &["C", "D", "E"]).unwrap())
    }

    fn run(
        config: &ExperimentConfig,
        generated: Option<&ImageSet>,
    ) -> Result<ExperimentResult, ClassifyError> {
        let images = images().with_quality(|image| Some(f64::from(image.get_pixel(0, 0)[0])));
        run_experiment(
            &protocol(),
            &images,
            generated,
            config,
            &Device::default(),
            |_| {},
        )
    }

    #[test]
    fn an_easy_target_is_learnt_by_every_choice() {
        for (choice, count) in [
            (CheckpointChoice::Last, 1),
            (CheckpointChoice::LastEpochsMean { epochs: 3 }, 3),
            (CheckpointChoice::SourceValidation { every: 20 }, 1),
            (CheckpointChoice::OracleTarget { every: 20 }, 1),
        ] {
            let result = run(&config(choice), None).unwrap();
            assert_eq!(result.runs.len(), 2);
            for run in &result.runs {
                assert_eq!((run.losses.len(), run.checkpoints.len()), (60, count));
                assert_eq!(run.last().scores.samples().len(), 8);
            }
            assert_eq!(result.hter().values.len(), 2);
            if count == 1 {
                assert_eq!(result.oracle_hter().mean, 0.0, "{choice:?}");
                assert_eq!(result.auc().mean, 1.0, "{choice:?}");
            }
        }
    }

    #[test]
    fn generated_pictures_are_trained_on_and_guarded() {
        let generated = |domain: &str| {
            let mut sample = sample(90, domain, 1, true);
            sample.id = format!("generated/{domain}");
            sample.subject = format!("{domain}/train/0");
            ImageSet::new(vec![sample], vec![picture(1, 1)]).unwrap()
        };
        let mut config = config(CheckpointChoice::Last).with_seeds(vec![1]);
        config.training.steps = 2;
        config.training.sampling = SamplingConfig::new().with_generated_share(Some(0.5));
        run(&config, Some(&generated("C"))).unwrap();
        let error = run(&config, None).unwrap_err().to_string();
        assert!(error.contains("no domain has both kinds"), "{error}");
        let error = run(&config, Some(&generated("E"))).unwrap_err().to_string();
        assert!(error.contains("its domain is the target"), "{error}");
        let mut other = generated("C");
        let mut samples = other.samples().to_vec();
        samples[0].style = "C/unknown".to_owned();
        other = ImageSet::new(samples, vec![picture(1, 1)]).unwrap();
        let error = run(&config, Some(&other)).unwrap_err().to_string();
        assert!(error.contains("C/unknown"), "{error}");
    }
}
