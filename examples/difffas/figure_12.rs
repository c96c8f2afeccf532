//! DiffFAS, Fig. 12: features during training, coloured by BRISQUE.
//!
//! ```text
//! cargo run --release --example difffas_figure_12
//! ```
//!
//! Expected: `runs/figure_12/report.html` with t-SNE maps of the development captures' features at four
//! stages of a training with cross-entropy and of one with the Relative Quality loss, and beside them how
//! strongly the length of a feature goes with quality, in about a minute on two cores.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Instant;

use bhtsne::tSNE;
use clap::Parser;
use fas_classify::ClassifierConfig;
use fas_classify::loss::ObjectiveConfig;
use fas_classify::training::{
    ClassLayout, ClassifierTrainer, StyleClasses, TrainingSet, picture_features,
};
use fas_data::TrainingPurpose;
use fas_examples::{Comparison, Entry, StudyArguments};
use fas_report::{ScatterPlot, ScatterPoint};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Shares of the training after which features are drawn.
const STAGES: [f64; 4] = [0.1, 0.25, 0.5, 1.0];
/// Points of a map.
const SHOWN: usize = 300;
const PERPLEXITY: f32 = 30.0;

#[derive(Debug, Parser)]
#[command(about = "DiffFAS, Fig. 12: features during training, coloured by BRISQUE")]
struct Arguments {
    #[command(flatten)]
    study: StudyArguments,
}

fn main() -> Result<(), String> {
    let mut arguments = Arguments::parse().study;
    let started = Instant::now();
    let out = arguments
        .out
        .get_or_insert_with(|| PathBuf::from("runs/figure_12"))
        .clone();
    let device = arguments.device.device().map_err(|e| e.to_string())?;
    let captures = arguments.captures()?;
    let study = arguments.study(&captures, "OCI->M", false, &device)?;
    let classes = StyleClasses::of(&study.train.samples, ClassLayout::PerStyle);
    let numbers = classes
        .numbers_of(&study.train.samples)
        .map_err(|error| error.to_string())?;
    let guard = study.guards.first().ok_or("a study has a guard")?;
    let admitted = guard
        .admit(TrainingPurpose::Classifier, study.train.samples.clone())
        .map_err(|error| error.to_string())?;
    let pictures = study.train.images.iter().cloned().map(Arc::new).collect();
    let set = TrainingSet::of_pictures(&admitted, pictures, numbers)
        .map_err(|error| error.to_string())?;

    let shown: Vec<usize> = (0..study.development.samples.len())
        .filter(|&at| study.development.samples[at].quality_score.is_some())
        .take(SHOWN)
        .collect();
    let images: Vec<_> = shown
        .iter()
        .map(|&at| study.development.images[at].clone())
        .collect();
    let stages = STAGES.map(|share| ((share * arguments.steps as f64) as usize).max(1));
    let columns = stages.map(|stage| format!("step {stage}"));
    let columns: Vec<&str> = columns.iter().map(String::as_str).collect();
    let mut page = Comparison::new("DiffFAS, Fig. 12: length of features and quality", &columns);
    for objective in [
        ObjectiveConfig::cross_entropy(),
        ObjectiveConfig::relative_quality(),
    ] {
        let name = objective.name();
        let scale = objective.classification.scale();
        let classifier = ClassifierConfig::new(
            arguments.resnet().into(),
            classes.len(),
            classes.num_bona_fide(),
        )
        .with_scale(scale)
        .init_seeded(arguments.seed, &device);
        let training = arguments.training(objective).with_seed(arguments.seed);
        let mut trainer = ClassifierTrainer::new(classifier, &set, training, &device)
            .map_err(|error| error.to_string())?;
        let mut correlations = Vec::new();
        for stage in stages {
            while trainer.steps_taken() < stage {
                trainer.step().map_err(|error| error.to_string())?;
            }
            let features = picture_features(&trainer.classifier(), &images, 64, &device);
            let qualities: Vec<f64> = shown
                .iter()
                .filter_map(|&at| study.development.samples[at].quality_score)
                .collect();
            let lengths: Vec<f64> = features
                .iter()
                .map(|row| {
                    row.iter()
                        .map(|v| f64::from(*v).powi(2))
                        .sum::<f64>()
                        .sqrt()
                })
                .collect();
            correlations.push(Entry::Text(format!(
                "{:+.2}",
                rank_correlation(&lengths, &qualities)
            )));
            let points = map(&features, arguments.seed)
                .into_iter()
                .zip(&shown)
                .zip(&qualities)
                .map(|(([x, y], &at), &value)| ScatterPoint {
                    x,
                    y,
                    value,
                    class: usize::from(!study.development.samples[at].label.is_bona_fide()),
                });
            let plot = ScatterPlot::new(
                &format!("{name}, step {stage}"),
                "BRISQUE",
                ["bona fide", "attack"],
            )
            .with_points(points);
            page.figure(plot.figure().map_err(|error| error.to_string())?);
        }
        page.ours(&format!("{name}: rank correlation"), correlations);
    }
    page.note(
        "t-SNE of the features of development captures of the sources, perplexity 30. Numbers: Spearman's \
         rank correlation of a feature vector's length and its picture's BRISQUE (lower is better), so \
         negative where good pictures have long features.",
    );
    let configuration = format!("{arguments:#?}");
    page.finish(Some(&out), &[arguments.seed], &configuration, started)
}

/// Positions in the plane by exact t-SNE of directions, from a seeded start.
fn map(features: &[Vec<f32>], seed: u64) -> Vec<[f64; 2]> {
    let directions: Vec<Vec<f32>> = features
        .iter()
        .map(|row| {
            let length = row.iter().map(|v| v * v).sum::<f32>().sqrt().max(1e-12);
            row.iter().map(|v| v / length).collect()
        })
        .collect();
    let rows: Vec<&[f32]> = directions.iter().map(Vec::as_slice).collect();
    let mut random = ChaCha8Rng::seed_from_u64(seed);
    let start: Vec<f32> = (0..2 * rows.len())
        .map(|_| random.random_range(-1e-2..1e-2))
        .collect();
    let perplexity = PERPLEXITY.min((rows.len() as f32 - 1.0) / 3.0);
    let embedding = tSNE::<f32, &[f32], 2>::new(&rows)
        .perplexity(perplexity)
        .initial_embedding(start)
        .exact(|a, b| {
            let squares = a.iter().zip(b.iter()).map(|(x, y)| (x - y).powi(2));
            squares.sum::<f32>()
        })
        .embedding();
    embedding
        .chunks_exact(2)
        .map(|pair| [f64::from(pair[0]), f64::from(pair[1])])
        .collect()
}

/// Spearman's rank correlation; equal values share their mean rank.
fn rank_correlation(a: &[f64], b: &[f64]) -> f64 {
    let (a, b) = (ranks(a), ranks(b));
    let mean = (a.len() as f64 - 1.0) / 2.0;
    let product = |x: &[f64], y: &[f64]| -> f64 {
        x.iter().zip(y).map(|(x, y)| (x - mean) * (y - mean)).sum()
    };
    product(&a, &b) / (product(&a, &a) * product(&b, &b)).sqrt()
}

fn ranks(values: &[f64]) -> Vec<f64> {
    values
        .iter()
        .map(|value| {
            let below = values.iter().filter(|other| *other < value).count();
            let equal = values.iter().filter(|other| *other == value).count();
            below as f64 + (equal as f64 - 1.0) / 2.0
        })
        .collect()
}
