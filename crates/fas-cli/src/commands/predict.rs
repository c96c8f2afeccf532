//! `fas predict`: bona fide or attack, picture by picture.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burn::tensor::Device;
use clap::Args;
use fas_classify::training::picture_batch;
use fas_classify::{Detector, Prediction};
use fas_data::{DataError, center_square, list_images, load_rgb, resize};
use fas_jobs::DeviceChoice;
use fas_quality::Brisque;
use rayon::prelude::*;
use serde::Serialize;

use crate::error::CliError;
use crate::output::{check_file, emit};
use crate::progress::Progress;

/// The detector that looks where none is named; its model card is beside it.
const BUNDLED: &[u8] = include_bytes!("../../weights/detector.safetensors");
const BUNDLED_NAME: &str = "the bundled detector";

const DETAILS: &str = "\
Without --model the detector in the program looks. It was trained on simulated attacks alone, so it is for
trying things out; train one on your captures with `fas train classifier`.

Pictures are of one face each, cut as the detector's training pictures were; the square in the middle
is scaled to its size. Every file is processed whatever happens to the others; the exit code is 1 if
any has no score.

The decision is `bona_fide` if the score is at least the threshold. The threshold and where it comes
from (its policy, see `fas evaluate --help`) are stored in the model; --threshold gives another one.

Examples:
  fas predict face.png
  fas predict faces/ --model detector.safetensors --json > predictions.json";

/// Tell bona fide pictures from attacks.
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Predict {
    /// Images, or folders of images.
    #[arg(required = true, value_name = "IMAGES")]
    paths: Vec<PathBuf>,
    /// Detector that `fas train classifier` wrote; the one in the program if not given.
    #[arg(long, value_name = "FILE")]
    model: Option<PathBuf>,
    /// Decide by this threshold instead of the model's.
    #[arg(long)]
    threshold: Option<f64>,
    /// Print JSON instead of a table.
    #[arg(long)]
    json: bool,
    /// Write to this file instead of the standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
}

/// All that is said, as JSON.
#[derive(Debug, Serialize)]
struct Report<'a> {
    model: String,
    threshold: f64,
    threshold_policy: &'a str,
    predictions: Vec<Row<'a>>,
}

/// One picture.
#[derive(Debug, Serialize)]
struct Row<'a> {
    path: PathBuf,
    /// Higher is more bona fide.
    score: Option<f64>,
    decision: Option<&'static str>,
    /// BRISQUE, lower is better; none for a blank picture.
    quality: Option<f64>,
    class_mass: Option<Vec<ClassMass<'a>>>,
    error: Option<String>,
}

/// Softmax mass of one class.
#[derive(Debug, Serialize)]
struct ClassMass<'a> {
    class: &'a str,
    mass: f64,
}

impl Predict {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        check_file(self.out.as_deref())?;
        let device = self.device.device()?;
        let detector = self.detector(&device)?;
        let (threshold, policy) = match self.threshold {
            Some(threshold) => (threshold, "given"),
            None => {
                let card = detector.card();
                (card.threshold, card.threshold_policy.as_str())
            }
        };
        let paths = self.files()?;
        let progress = Progress::of_steps("looking", paths.len());
        let predictions: Vec<Row<'_>> = paths
            .into_par_iter()
            .map(|path| {
                let row = look(&detector, path, threshold, &device);
                progress.step();
                row
            })
            .collect();
        drop(progress);
        let failed = predictions.iter().filter(|row| row.error.is_some()).count();
        let report = Report {
            model: self.model_name(),
            threshold,
            threshold_policy: policy,
            predictions,
        };
        let text = if self.json {
            let mut text = serde_json::to_vec_pretty(&report).expect("numbers and text");
            text.push(b'\n');
            text
        } else {
            table(&report).into_bytes()
        };
        emit(self.out.as_deref(), &text)?;
        if failed == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        eprintln!("{failed} of {} have no score", report.predictions.len());
        Ok(ExitCode::FAILURE)
    }

    fn detector(&self, device: &Device) -> Result<Detector, CliError> {
        let Some(path) = &self.model else {
            eprintln!("{BUNDLED_NAME} knows simulated attacks alone; --model names another");
            let name = Path::new(BUNDLED_NAME);
            return Ok(Detector::from_bytes(BUNDLED, name, device)?);
        };
        Ok(Detector::load(path, device)?)
    }

    fn model_name(&self) -> String {
        match &self.model {
            Some(path) => path.display().to_string(),
            None => BUNDLED_NAME.to_owned(),
        }
    }

    fn files(&self) -> Result<Vec<PathBuf>, DataError> {
        let mut files = Vec::new();
        for path in &self.paths {
            if path.is_dir() {
                files.extend(list_images(path)?);
            } else {
                files.push(path.clone());
            }
        }
        Ok(files)
    }
}

fn look<'a>(detector: &'a Detector, path: PathBuf, threshold: f64, device: &Device) -> Row<'a> {
    let image = match load_rgb(&path) {
        Ok(image) => image,
        Err(error) => {
            return Row {
                path,
                score: None,
                decision: None,
                quality: None,
                class_mass: None,
                error: Some(error.to_string()),
            };
        }
    };
    let side = detector.card().image_size as u32;
    let face = resize(&center_square(&image), side, side);
    let Prediction { score, class_mass } = detector
        .predict(picture_batch(&[face], device))
        .swap_remove(0);
    let names = detector.card().class_names.iter();
    Row {
        path,
        score: Some(score),
        decision: Some(if score >= threshold {
            "bona_fide"
        } else {
            "attack"
        }),
        quality: Brisque::new().score(&image).ok(),
        class_mass: Some(
            names
                .zip(class_mass)
                .map(|(class, mass)| ClassMass { class, mass })
                .collect(),
        ),
        error: None,
    }
}

fn table(report: &Report<'_>) -> String {
    let mut text = format!(
        "threshold {:.6} ({}), model {}\n   score  decision   quality  path\n",
        report.threshold, report.threshold_policy, report.model
    );
    for row in &report.predictions {
        match (&row.error, row.score, row.decision) {
            (None, Some(score), Some(decision)) => {
                let quality = row.quality.map_or("-".to_owned(), |b| format!("{b:.1}"));
                let path = row.path.display();
                writeln!(text, "{score:8.6}  {decision:9}  {quality:>7}  {path}")
            }
            (error, ..) => writeln!(text, "       -  {}", error.as_deref().unwrap_or_default()),
        }
        .expect("writing to a string");
    }
    text
}
