//! AG-FAS, section 3.2: a first stage of our own, faces of 64 px to latents of 32 x 8 x 8.
//!
//! ```text
//! cargo run --release --example train_first_stage -- --faces FOLDER --out first_stage.safetensors
//! ```
//!
//! Expected: 15 minutes on one core for 800 steps and 23.7 dB on held-out faces. A stopped run goes on where it was,
//! from the checkpoint beside `--out`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use clap::Parser;
use fas_dfg::training::{
    FirstStageTrainer, FirstStageTrainingConfig, OptimisationConfig, measure_scaling_factor,
};
use fas_dfg::{AutoencoderKl, AutoencoderKlConfig, FirstStage, FirstStageConfig};
use fas_examples::{
    BonaFideView, DeviceChoice, FaceFolder, FaceSplit, bona_fide_views, cost, images_to_tensor,
    progress,
};
use fas_weights::StoredFloat;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Side of the faces.
const SIZE: u32 = 64;
/// Steps between checkpoints and lines of progress.
const REPORT_EVERY: usize = 100;

#[derive(Parser)]
#[command(about = "Trains a small first stage on bona fide faces")]
struct Arguments {
    /// Folder of face crops (with `index.csv`: its train split).
    #[arg(long)]
    faces: PathBuf,
    /// File for the trained network.
    #[arg(long, default_value = "runs/first_stage.safetensors")]
    out: PathBuf,
    /// Steps of training.
    #[arg(long, default_value_t = 1600)]
    steps: usize,
    /// Pictures a step.
    #[arg(long, default_value_t = 16)]
    batch_size: usize,
    /// Camera pictures of each face, beside its photo.
    #[arg(long, default_value_t = 2)]
    captures: usize,
    /// Use only the first faces.
    #[arg(long)]
    limit: Option<usize>,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let device = arguments.device.device()?;
    let folder = FaceFolder::open(&arguments.faces)?;
    let views = |split, limit| -> Result<Vec<BonaFideView>, String> {
        let faces = folder.load(split, None, limit)?;
        bona_fide_views(&faces, SIZE, arguments.captures, arguments.seed)
    };
    let train = views(FaceSplit::Train, arguments.limit)?;
    let held_out = views(FaceSplit::Val, Some(48))?;
    println!(
        "{} pictures, {} held out, {:.0} s",
        train.len(),
        held_out.len(),
        started.elapsed().as_secs_f64()
    );
    let net = train_network(&train, &held_out, &arguments, &device)?;
    let batches = train
        .chunks(16)
        .take(64)
        .map(|chunk| images_to_tensor(chunk.iter().map(|view| &view.image), &device));
    let factor = measure_scaling_factor(&net, batches);
    println!(
        "scaling factor {factor:.4}, held out {:.2} dB",
        psnr(&net, &held_out, &device)
    );
    let config = FirstStageConfig::Kl(AutoencoderKlConfig::small().with_scaling_factor(factor));
    let card = HashMap::from(
        [
            (
                "architecture",
                "fas-dfg AutoencoderKlConfig::small".to_owned(),
            ),
            ("pictures", train.len().to_string()),
            ("steps", arguments.steps.to_string()),
            ("batch_size", arguments.batch_size.to_string()),
            ("seed", arguments.seed.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    FirstStage::Kl(net.with_scaling_factor(factor))
        .save(&config, &arguments.out, StoredFloat::F16, &card)
        .map_err(|error| error.to_string())?;
    println!("{}\n{}", arguments.out.display(), cost(started));
    Ok(())
}

fn train_network(
    train: &[BonaFideView],
    held_out: &[BonaFideView],
    arguments: &Arguments,
    device: &Device,
) -> Result<AutoencoderKl, String> {
    device.seed(arguments.seed);
    let optimisation = OptimisationConfig::new(arguments.steps).with_learning_rate(2e-3);
    let config = FirstStageTrainingConfig::new(optimisation).with_seed(arguments.seed);
    let checkpoint = arguments.out.with_extension("checkpoint");
    if let Some(folder) = arguments.out.parent() {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    }
    let mut trainer = FirstStageTrainer::new(AutoencoderKlConfig::small().init(device), config)
        .resume(&checkpoint)
        .map_err(|error| error.to_string())?;
    let bar = progress("training the first stage", arguments.steps as u64);
    bar.set_position(trainer.steps_taken() as u64);
    let (started, first) = (Instant::now(), trainer.steps_taken());
    let (mut error, mut divergence) = (0.0, 0.0);
    while trainer.steps_taken() < arguments.steps {
        let mut random = ChaCha8Rng::seed_from_u64(arguments.seed);
        random.set_stream(trainer.steps_taken() as u64);
        let chosen = (0..arguments.batch_size).map(|_| random.random_range(0..train.len()));
        let batch = images_to_tensor(chosen.map(|index| &train[index].image), device);
        let report = trainer.step(batch).map_err(|error| error.to_string())?;
        error += report.error / REPORT_EVERY as f32;
        divergence += report.divergence / REPORT_EVERY as f32;
        bar.inc(1);
        let done = trainer.steps_taken();
        if done.is_multiple_of(REPORT_EVERY) || done == arguments.steps {
            let pace = started.elapsed().as_secs_f64() / (done - first) as f64;
            println!(
                "step {done}  {pace:.3} s a step  error {error:.4}  {divergence:.0} nats  held out {:.2} dB",
                psnr(&trainer.averaged(), held_out, device)
            );
            (error, divergence) = (0.0, 0.0);
            trainer
                .checkpoint(&checkpoint)
                .map_err(|error| error.to_string())?;
        }
    }
    bar.finish_and_clear();
    Ok(trainer.averaged().freeze())
}

/// Mean over pictures of the peak signal to noise ratio of the reconstruction, in dB.
fn psnr(net: &AutoencoderKl, views: &[BonaFideView], device: &Device) -> f64 {
    let mut sum = 0.0;
    for chunk in views.chunks(16) {
        let images = images_to_tensor(chunk.iter().map(|view| &view.image), device);
        let decoded = net.decode(net.encode(images.clone()).mean).clamp(-1.0, 1.0);
        let error: Tensor<1> = (decoded - images)
            .square()
            .mean_dims(&[1, 2, 3])
            .reshape([chunk.len()]);
        // The range of values is 2, so its square over the error.
        sum += error
            .into_data()
            .iter::<f64>()
            .map(|mse| 10.0 * (4.0 / mse).log10())
            .sum::<f64>();
    }
    sum / views.len() as f64
}
