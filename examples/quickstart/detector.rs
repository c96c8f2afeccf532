//! Detectors: four ways of training, several seeds, evaluated on the target domain.

use std::collections::{BTreeMap, HashMap};

use burn::module::Module;
use burn::tensor::Device;
use fas_classify::loss::{ClassifierLoss, RelativeQualityLossConfig};
use fas_classify::training::{
    ClassifierTrainingConfig, TrainingSet, score_images, train_classifier,
};
use fas_classify::{Classifier, ClassifierConfig, ResNetConfig};
use fas_data::{LeakageGuard, ProtocolSplits, Sample, TrainingPurpose};
use fas_metrics::{
    Bootstrap, Deviation, Evaluation, EvaluationConfig, ScoreSet, ScoredSample, Spread,
    ThresholdPolicy, evaluate,
};
use fas_sim::Benchmark;
use image::RgbImage;
use rayon::prelude::*;

use crate::generation::Generated;
use crate::settings::{SIZE, Settings};
use fas_examples::{image_values, progress};

/// Channels of the first stage of the detectors' ResNet-18.
const BASE_WIDTH: usize = 12;

/// All captures, with their quality.
pub(crate) struct Pictures<'a> {
    benchmark: &'a Benchmark,
    quality: &'a [Option<f64>],
    positions: HashMap<&'a str, usize>,
}

impl<'a> Pictures<'a> {
    pub(crate) fn new(benchmark: &'a Benchmark, quality: &'a [Option<f64>]) -> Self {
        let samples = benchmark.samples().iter().enumerate();
        let positions = samples
            .map(|(at, sample)| (sample.id.as_str(), at))
            .collect();
        Self {
            benchmark,
            quality,
            positions,
        }
    }

    pub(crate) fn position(&self, id: &str) -> Result<usize, String> {
        self.positions
            .get(id)
            .copied()
            .ok_or_else(|| format!("no sample {id}"))
    }

    pub(crate) fn image(&self, position: usize) -> &RgbImage {
        &self.benchmark.images()[position]
    }

    pub(crate) fn sample(&self, position: usize) -> &Sample {
        &self.benchmark.samples()[position]
    }

    pub(crate) fn id(&self, position: usize) -> &str {
        &self.sample(position).id
    }

    /// BRISQUE of a sample; lower is better.
    pub(crate) fn quality(&self, position: usize) -> Option<f64> {
        self.quality[position]
    }

    /// Positions of all samples.
    pub(crate) fn all(&self) -> std::ops::Range<usize> {
        0..self.quality.len()
    }
}

/// A way of training.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Recipe {
    relative_quality: bool,
    generated: bool,
}

impl Recipe {
    const ALL: [Self; 4] = [
        Self {
            relative_quality: false,
            generated: false,
        },
        Self {
            relative_quality: true,
            generated: false,
        },
        Self {
            relative_quality: false,
            generated: true,
        },
        Self {
            relative_quality: true,
            generated: true,
        },
    ];

    pub(crate) fn name(self) -> &'static str {
        match (self.relative_quality, self.generated) {
            (false, false) => "cross-entropy",
            (true, false) => "+ RQ",
            (false, true) => "+ generated",
            (true, true) => "+ RQ + generated",
        }
    }
}

/// One trained detector on the target domain.
pub(crate) struct Run {
    /// Threshold from source development data.
    pub(crate) evaluation: Evaluation,
    /// Threshold from the target itself: named as such wherever it shows.
    pub(crate) oracle: Evaluation,
    /// Scores on the target.
    pub(crate) scores: ScoreSet,
}

/// All runs of one way of training.
pub(crate) struct RecipeResult {
    pub(crate) recipe: Recipe,
    pub(crate) runs: Vec<Run>,
}

impl RecipeResult {
    /// Mean and sample standard deviation over the runs.
    pub(crate) fn spread(&self, value: impl Fn(&Run) -> f64) -> (f64, f64) {
        let values: Vec<f64> = self.runs.iter().map(value).collect();
        // One run has no sample deviation; it is shown as zero.
        Spread::of(&values, Deviation::Sample)
            .or_else(|_| Spread::of(&values, Deviation::Population))
            .map_or((f64::NAN, f64::NAN), |spread| (spread.mean, spread.std))
    }

    pub(crate) fn summary(&self) -> String {
        let percent =
            |(mean, spread): (f64, f64)| format!("{:5.1} ± {:4.1} %", 100.0 * mean, 100.0 * spread);
        format!(
            "{:18} HTER {}   oracle EER {}   AUC {}",
            self.recipe.name(),
            percent(self.spread(|run| run.evaluation.hter)),
            percent(self.spread(|run| run.oracle.eer.rate)),
            percent(self.spread(|run| run.evaluation.auc)),
        )
    }
}

/// Classes: bona fide styles first, then attack styles, each in alphabetical order.
fn classes(samples: &[Sample]) -> (BTreeMap<String, usize>, usize) {
    let styles = |bona_fide: bool| {
        let mut styles: Vec<String> = samples
            .iter()
            .filter(|sample| sample.label.is_bona_fide() == bona_fide)
            .map(|sample| sample.style.clone())
            .collect();
        styles.sort();
        styles.dedup();
        styles
    };
    let (live, attacks) = (styles(true), styles(false));
    let count = live.len();
    (
        live.into_iter()
            .chain(attacks)
            .enumerate()
            .map(|(at, style)| (style, at))
            .collect(),
        count,
    )
}

fn training_set(
    pictures: &Pictures<'_>,
    splits: &ProtocolSplits,
    guard: &LeakageGuard,
    generated: Option<&Generated>,
    classes: &BTreeMap<String, usize>,
) -> Result<TrainingSet, String> {
    let mut samples = Vec::new();
    let mut images = Vec::new();
    for sample in &splits.train {
        let position = pictures.position(&sample.id)?;
        images.push(image_values(pictures.image(position)).collect());
        samples.push(Sample {
            quality_score: pictures.quality(position),
            ..sample.clone()
        });
    }
    if let Some(generated) = generated {
        images.extend(
            generated
                .images
                .iter()
                .map(|image| image_values(image).collect::<Vec<f32>>()),
        );
        samples.extend_from_slice(&generated.samples);
    }
    let classes = samples
        .iter()
        .map(|sample| classes[&sample.style])
        .collect();
    let admitted = guard
        .admit(TrainingPurpose::Classifier, samples)
        .map_err(|error| error.to_string())?;
    TrainingSet::new(&admitted, images, SIZE, classes).map_err(|error| error.to_string())
}

fn score_set(
    samples: &[Sample],
    pictures: &Pictures<'_>,
    score: impl Fn(&[Vec<f32>]) -> Vec<f64>,
) -> Result<ScoreSet, String> {
    let images = samples
        .iter()
        .map(|sample| Ok(image_values(pictures.image(pictures.position(&sample.id)?)).collect()))
        .collect::<Result<Vec<_>, String>>()?;
    let scored = samples
        .iter()
        .zip(score(&images))
        .map(|(sample, score)| {
            let scored = match sample.label.species() {
                None => ScoredSample::bona_fide(score),
                Some(species) => ScoredSample::attack(score, species.name()),
            };
            scored.with_subject(sample.subject.clone())
        })
        .collect();
    ScoreSet::new(scored).map_err(|error| error.to_string())
}

/// The same classifier with all its weights drawn.
fn materialised(classifier: Classifier) -> Classifier {
    let record = classifier.clone().into_record();
    classifier.load_record(record)
}

/// Trains every recipe with every seed and evaluates on the target.
pub(crate) fn train_and_evaluate(
    pictures: &Pictures<'_>,
    splits: &ProtocolSplits,
    guard: &LeakageGuard,
    generated: Option<&Generated>,
    settings: &Settings,
    device: &Device,
) -> Result<Vec<RecipeResult>, String> {
    let (classes, live) = classes(&splits.train);
    let plain = training_set(pictures, splits, guard, None, &classes)?;
    let mixed = match generated {
        Some(_) => Some(training_set(pictures, splits, guard, generated, &classes)?),
        None => None,
    };
    let recipes: Vec<Recipe> = Recipe::ALL
        .into_iter()
        .filter(|recipe| mixed.is_some() || !recipe.generated)
        .collect();
    let config = ClassifierConfig::new(ResNetConfig::small(BASE_WIDTH), classes.len(), live);
    // Initial weights come from the device's one generator, when they are first read: here, in order,
    // and not in the threads.
    let jobs: Vec<_> = recipes
        .iter()
        .flat_map(|&recipe| (0..settings.runs).map(move |run| (recipe, run)))
        .map(|(recipe, run)| {
            device.seed(settings.seed.wrapping_mul(1000) + run);
            (recipe, run, materialised(config.init(device)))
        })
        .collect();
    let bar = progress("training detectors", (jobs.len() * settings.steps) as u64);
    let runs = jobs
        .into_par_iter()
        .map(|(recipe, run, classifier)| {
            let loss = if recipe.relative_quality {
                ClassifierLoss::RelativeQuality(RelativeQualityLossConfig::new())
            } else {
                ClassifierLoss::CrossEntropy { scale: 30.0 }
            };
            let training =
                ClassifierTrainingConfig::new(loss, settings.steps).with_seed(settings.seed + run);
            let set = if recipe.generated {
                mixed.as_ref().unwrap_or(&plain)
            } else {
                &plain
            };
            let trained = train_classifier(classifier, set, &training, device, |_, _| {
                bar.inc(1);
            })
            .map_err(|error| error.to_string())?;
            let score = |images: &[Vec<f32>]| score_images(&trained, images, SIZE, 64, device);
            let development = score_set(&splits.development, pictures, score)?;
            let target = score_set(&splits.test, pictures, score)?;
            let bootstrap = Some(Bootstrap {
                replicates: 500,
                seed: settings.seed,
            });
            let evaluated = |policy: ThresholdPolicy, development: Option<&ScoreSet>| {
                let config = EvaluationConfig {
                    policy,
                    bootstrap,
                    allow_inverted: true,
                    ..EvaluationConfig::default()
                };
                evaluate(&target, development, &config).map_err(|error| error.to_string())
            };
            let evaluation = evaluated(ThresholdPolicy::SourceEer, Some(&development))?;
            let oracle = evaluated(ThresholdPolicy::OracleEer, None)?;
            Ok((
                recipe,
                Run {
                    evaluation,
                    oracle,
                    scores: target,
                },
            ))
        })
        .collect::<Result<Vec<_>, String>>()?;
    bar.finish_and_clear();
    let mut results: Vec<RecipeResult> = recipes
        .iter()
        .map(|&recipe| RecipeResult {
            recipe,
            runs: Vec::new(),
        })
        .collect();
    for (recipe, run) in runs {
        let at = recipes
            .iter()
            .position(|&r| r == recipe)
            .expect("one of the recipes");
        results[at].runs.push(run);
    }
    Ok(results)
}
