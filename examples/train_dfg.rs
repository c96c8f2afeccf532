//! AG-FAS, section 3.2: training of a small De-spoofing Face Generator on bona fide faces only.
//!
//! ```text
//! cargo run --release --example train_first_stage -- --faces FOLDER --out first_stage.safetensors
//! cargo run --release --example distil_identity -- --faces FOLDER \
//!     --teacher mobilefacenet_foamliu.safetensors --out identity_encoder.safetensors
//! cargo run --release --example train_dfg -- --faces FOLDER --first-stage first_stage.safetensors \
//!     --identity-encoder identity_encoder.safetensors --out dfg.safetensors
//! ```
//!
//! Expected: an hour on one core. The error of the clean latents on held-out people, printed at five
//! noise levels, falls to the end; beside `--out` a picture shows held-out faces: input, first stage,
//! de-spoofed from steps 100, 300, 500, 700 and from pure noise. A stopped run goes on where it was,
//! from the checkpoint beside `--out`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::{Device, Int, Tensor};
use clap::Parser;
use fas_data::{LeakageGuard, Protocol, Sample, TrainingPurpose};
use fas_dfg::training::{
    BonaFideCodes, BonaFideSamples, DespoofingTrainer, DespoofingTrainingConfig, OptimisationConfig,
};
use fas_dfg::{
    DespoofingConfig, DespoofingGenerator, DespoofingGeneratorConfig, DespoofingNetworks,
    DespoofingStart, FaceCodes, FirstStage, IdentityEncoder,
};
use fas_diffusion::sample_noise;
use fas_examples::{
    BonaFideView, DeviceChoice, FaceFolder, FaceSplit, GENERIC_FACES, bona_fide_views, cost,
    images_to_tensor, progress, tensor_to_images,
};
use fas_weights::StoredFloat;
use image::{RgbImage, imageops};

/// Side of the faces.
const SIZE: u32 = 64;
/// Steps between checkpoints and lines of progress.
const REPORT_EVERY: usize = 250;
/// Noise levels at which held-out faces are judged.
const LEVELS: [i64; 5] = [100, 300, 500, 700, 900];

#[derive(Parser)]
#[command(about = "Trains a small De-spoofing Face Generator on bona fide faces")]
struct Arguments {
    /// Folder of face crops (with `index.csv`: its train split).
    #[arg(long)]
    faces: PathBuf,
    /// First stage, from `train_first_stage`.
    #[arg(long)]
    first_stage: PathBuf,
    /// Identity encoder, from `distil_identity`.
    #[arg(long)]
    identity_encoder: PathBuf,
    /// File for the trained generator.
    #[arg(long, default_value = "runs/dfg.safetensors")]
    out: PathBuf,
    /// Folder for latents and tokens.
    #[arg(long, default_value = "runs/face_codes")]
    cache: PathBuf,
    /// Steps of training.
    #[arg(long, default_value_t = 8000)]
    steps: usize,
    /// Faces a step.
    #[arg(long, default_value_t = 32)]
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
    if let Some(folder) = arguments.out.parent() {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    }
    let generator = fresh_generator(&arguments, &device)?;
    let folder = FaceFolder::open(&arguments.faces)?;
    let views = |split, limit| -> Result<Vec<BonaFideView>, String> {
        let faces = folder.load(split, None, limit)?;
        bona_fide_views(&faces, SIZE, arguments.captures, arguments.seed)
    };
    let train = encode_training(
        &generator,
        &views(FaceSplit::Train, arguments.limit)?,
        &arguments,
    )?;
    let held_out = views(FaceSplit::Val, Some(48))?;
    let load = |index: usize| Ok(held_out[index].image.clone());
    let held_out_codes =
        FaceCodes::compute(&generator, held_out.len(), load, &arguments.cache, |_| {})
            .map_err(|error| error.to_string())?;
    println!(
        "{} pictures, {} held out, {:.0} s",
        train.codes().len(),
        held_out.len(),
        started.elapsed().as_secs_f64()
    );
    let generator = train_generator(generator, &train, (&held_out, &held_out_codes), &arguments)?;
    let card = HashMap::from(
        [
            (
                "architecture",
                "fas-dfg DespoofingGeneratorConfig::small".to_owned(),
            ),
            ("training_data", "bona fide faces only".to_owned()),
            ("pictures", train.codes().len().to_string()),
            ("steps", arguments.steps.to_string()),
            ("batch_size", arguments.batch_size.to_string()),
            ("seed", arguments.seed.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    generator
        .save(&arguments.out, StoredFloat::F16, &card)
        .map_err(|error| error.to_string())?;
    println!("{}\n{}", arguments.out.display(), cost(started));
    Ok(())
}

/// A generator whose fixed networks are read and whose denoiser is random.
fn fresh_generator(arguments: &Arguments, device: &Device) -> Result<DespoofingGenerator, String> {
    let (first_stage, first_stage_config, _) =
        FirstStage::load(&arguments.first_stage, device).map_err(|error| error.to_string())?;
    let (identity_encoder, identity_config, _) =
        IdentityEncoder::load(&arguments.identity_encoder, device)
            .map_err(|error| error.to_string())?;
    device.seed(arguments.seed);
    let generator =
        DespoofingGeneratorConfig::small(first_stage_config, identity_config).init(device);
    let networks = DespoofingNetworks {
        first_stage,
        identity_encoder: identity_encoder.truncated(),
        denoiser: generator.networks().denoiser.clone(),
    };
    Ok(generator.with_networks(networks))
}

/// Latents and tokens of the training pictures, from the cache where they are there.
fn encode_training(
    generator: &DespoofingGenerator,
    views: &[BonaFideView],
    arguments: &Arguments,
) -> Result<BonaFideCodes, String> {
    let samples: Vec<Sample> = views.iter().map(|view| view.sample.clone()).collect();
    let pictures: HashMap<&str, &RgbImage> = views
        .iter()
        .map(|view| (view.sample.id.as_str(), &view.image))
        .collect();
    let admitted = LeakageGuard::new(&Protocol::intra(GENERIC_FACES))
        .admit(TrainingPurpose::Generator, samples)
        .map_err(|error| error.to_string())?;
    let samples = BonaFideSamples::new(&admitted).map_err(|error| error.to_string())?;
    let bar = progress("encoding faces", views.len() as u64);
    let load = |sample: &Sample| Ok(pictures[sample.id.as_str()].clone());
    let done = |count: usize| bar.set_position(count as u64);
    let codes = BonaFideCodes::compute(generator, &samples, load, &arguments.cache, done)
        .map_err(|error| error.to_string())?;
    bar.finish_and_clear();
    Ok(codes)
}

fn train_generator(
    generator: DespoofingGenerator,
    train: &BonaFideCodes,
    (held_out, held_out_codes): (&[BonaFideView], &FaceCodes),
    arguments: &Arguments,
) -> Result<DespoofingGenerator, String> {
    let optimisation = OptimisationConfig::new(arguments.steps);
    let config = DespoofingTrainingConfig::new(optimisation)
        .with_batch_size(arguments.batch_size)
        .with_seed(arguments.seed);
    let checkpoint = arguments.out.with_extension("checkpoint");
    let mut trainer = DespoofingTrainer::new(generator, config)
        .resume(&checkpoint)
        .map_err(|error| error.to_string())?;
    let bar = progress("training the generator", arguments.steps as u64);
    bar.set_position(trainer.steps_taken() as u64);
    let (started, first) = (Instant::now(), trainer.steps_taken());
    let (mut loss, mut count) = (0.0, 0);
    while trainer.steps_taken() < arguments.steps {
        let report = trainer.step(train).map_err(|error| error.to_string())?;
        loss += report.loss;
        count += 1;
        bar.inc(1);
        let done = trainer.steps_taken();
        if !done.is_multiple_of(REPORT_EVERY) && done != arguments.steps {
            continue;
        }
        let pace = started.elapsed().as_secs_f64() / (done - first) as f64;
        println!(
            "step {done}  {pace:.3} s a step  loss {:.4}",
            loss / count as f32
        );
        (loss, count) = (0.0, 0);
        trainer
            .checkpoint(&checkpoint)
            .map_err(|error| error.to_string())?;
        if done.is_multiple_of(4 * REPORT_EVERY) || done == arguments.steps {
            let averaged = trainer.averaged();
            println!("  held out: {}", clean_error(&averaged, held_out_codes));
            preview(&averaged, held_out, &arguments.out.with_extension("png"))?;
        }
    }
    bar.finish_and_clear();
    Ok(trainer.averaged())
}

/// Mean squared error of the clean latents of held-out pictures, noised to five levels.
fn clean_error(generator: &DespoofingGenerator, codes: &FaceCodes) -> String {
    let device = generator.device();
    let all: Vec<usize> = (0..codes.len()).collect();
    let parts: Vec<String> = LEVELS
        .iter()
        .map(|&level| {
            let mut sum = 0.0;
            for chunk in all.chunks(48) {
                let batch = codes.batch(chunk, device);
                let latents = batch.posterior.mean;
                let [count, channels, side, _] = latents.dims();
                let ids: Vec<String> = chunk.iter().map(usize::to_string).collect();
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                let noise = sample_noise(level as u64, &ids, channels, side, device);
                let steps = Tensor::<1, Int>::full([count], level, device);
                let clean = generator.denoise(latents.clone(), noise, &steps, batch.tokens);
                let error: f32 = (clean - latents).square().mean().into_scalar();
                sum += f64::from(error) * count as f64;
            }
            format!("t {level} {:.4}", sum / codes.len() as f64)
        })
        .collect();
    parts.join("  ")
}

/// A picture of held-out faces: input, first stage, de-spoofed from growing steps and pure noise.
fn preview(
    generator: &DespoofingGenerator,
    views: &[BonaFideView],
    path: &Path,
) -> Result<(), String> {
    let shown: Vec<&BonaFideView> = views.iter().step_by(7).take(10).collect();
    let faces = images_to_tensor(shown.iter().map(|view| &view.image), generator.device());
    let ids: Vec<&str> = shown.iter().map(|view| view.sample.id.as_str()).collect();
    let mut columns = vec![
        tensor_to_images(faces.clone()),
        tensor_to_images(generator.reconstruct(faces.clone())),
    ];
    let noised = [100, 300, 500, 700].map(|start| DespoofingConfig::small(start, 10));
    let pure = DespoofingConfig::small(0, 20).with_start(DespoofingStart::PureNoise);
    for config in noised.iter().chain([&pure]) {
        columns.push(tensor_to_images(generator.despoof(
            faces.clone(),
            &ids,
            0,
            config,
        )));
    }
    let mut sheet = RgbImage::new(columns.len() as u32 * SIZE, shown.len() as u32 * SIZE);
    for (x, column) in columns.iter().enumerate() {
        for (y, image) in column.iter().enumerate() {
            let place = (x as i64 * i64::from(SIZE), y as i64 * i64::from(SIZE));
            imageops::replace(&mut sheet, image, place.0, place.1);
        }
    }
    sheet
        .save(path)
        .map_err(|error| format!("{}: {error}", path.display()))
}
