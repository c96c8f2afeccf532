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

use burn::module::Module;
use burn::tensor::Device;
use clap::Parser;
use fas_data::{LeakageGuard, Protocol, Sample, TrainingPurpose};
use fas_dfg::training::{
    BonaFideCodes, BonaFideSamples, DespoofingTrainer, DespoofingTrainingConfig,
    OptimisationConfig, clean_latent_error,
};
use fas_dfg::{
    DespoofingConfig, DespoofingGenerator, DespoofingGeneratorConfig, DespoofingStart, FaceCodes,
    FirstStage, FirstStageConfig, IdentityEncoder, IdentityEncoderConfig, MobileFaceNetConfig,
    PART_FILES, Taef2,
};
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
const LEVELS: [usize; 5] = [100, 300, 500, 700, 900];

#[derive(Parser)]
#[command(about = "Trains a small De-spoofing Face Generator on bona fide faces")]
struct Arguments {
    /// Folder of face crops (with `index.csv`: its train split).
    #[arg(long)]
    faces: PathBuf,
    /// First stage, from `train_first_stage`.
    #[arg(long, required_unless_present = "taef2")]
    first_stage: Option<PathBuf>,
    /// Identity encoder, from `distil_identity`.
    #[arg(long, required_unless_present = "mobile_face_net")]
    identity_encoder: Option<PathBuf>,
    /// Folder of TAEF2's released `taef2_encoder.safetensors` and `taef2_decoder.safetensors`, instead of
    /// a first stage of our own: better pictures, third-party weights.
    #[arg(long, conflicts_with = "first_stage")]
    taef2: Option<PathBuf>,
    /// MobileFaceNet's released weights, instead of an identity encoder of our own.
    #[arg(long, conflicts_with = "identity_encoder")]
    mobile_face_net: Option<PathBuf>,
    /// Channels of the U-Net's two levels.
    #[arg(long, value_delimiter = ',', num_args = 1, default_value = "96,96")]
    channels: Vec<usize>,
    /// File for the trained generator.
    #[arg(long, default_value = "runs/dfg.safetensors")]
    out: PathBuf,
    /// Folder for the generator in three files: copies of first stage and identity encoder of our own,
    /// and the denoiser.
    #[arg(long, requires_all = ["first_stage", "identity_encoder"])]
    parts: Option<PathBuf>,
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
    if let Some(folder) = &arguments.parts {
        save_parts(&generator, folder, &card, &arguments)?;
    }
    println!("{}\n{}", arguments.out.display(), cost(started));
    Ok(())
}

fn save_parts(
    generator: &DespoofingGenerator,
    folder: &Path,
    card: &HashMap<String, String>,
    arguments: &Arguments,
) -> Result<(), String> {
    std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    let [first_stage, identity_encoder, denoiser] = PART_FILES;
    for (file, name) in [
        (&arguments.first_stage, first_stage),
        (&arguments.identity_encoder, identity_encoder),
    ] {
        if let Some(file) = file {
            std::fs::copy(file, folder.join(name))
                .map_err(|error| format!("{}: {error}", file.display()))?;
        }
    }
    generator
        .save_denoiser(&folder.join(denoiser), StoredFloat::F16, card)
        .map_err(|error| error.to_string())
}

/// A generator whose fixed networks are read and whose denoiser is random.
fn fresh_generator(arguments: &Arguments, device: &Device) -> Result<DespoofingGenerator, String> {
    let (first_stage, first_stage_config) = first_stage(arguments, device)?;
    let (identity_encoder, identity_config) = identity_encoder(arguments, device)?;
    device.seed(arguments.seed);
    let mut config = DespoofingGeneratorConfig::small(first_stage_config, identity_config);
    if arguments.channels.len() != config.unet.block_out_channels.len() {
        return Err(format!(
            "--channels needs two numbers, got {:?}",
            arguments.channels
        ));
    }
    config.unet.block_out_channels = arguments.channels.clone();
    Ok(config.init_around(first_stage, identity_encoder, device))
}

fn first_stage(
    arguments: &Arguments,
    device: &Device,
) -> Result<(FirstStage, FirstStageConfig), String> {
    let loaded = match (&arguments.taef2, &arguments.first_stage) {
        (Some(folder), _) => Taef2::new(device)
            .load_weights(
                folder.join("taef2_encoder.safetensors"),
                folder.join("taef2_decoder.safetensors"),
            )
            .map(|net| (FirstStage::Taef2(net.freeze()), FirstStageConfig::Taef2)),
        (None, Some(path)) => {
            FirstStage::load(path, device).map(|(network, config, _)| (network, config))
        }
        (None, None) => return Err("give --first-stage or --taef2".to_owned()),
    };
    loaded.map_err(|error| error.to_string())
}

fn identity_encoder(
    arguments: &Arguments,
    device: &Device,
) -> Result<(IdentityEncoder, IdentityEncoderConfig), String> {
    let loaded = match (&arguments.mobile_face_net, &arguments.identity_encoder) {
        (Some(path), _) => {
            let config = MobileFaceNetConfig::new();
            let network = config.init(device).load_weights(path);
            network.map(|network| {
                let config = IdentityEncoderConfig::MobileFaceNet(config);
                (IdentityEncoder::MobileFaceNet(network.freeze()), config)
            })
        }
        (None, Some(path)) => {
            IdentityEncoder::load(path, device).map(|(network, config, _)| (network, config))
        }
        (None, None) => return Err("give --identity-encoder or --mobile-face-net".to_owned()),
    };
    loaded.map_err(|error| error.to_string())
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
            println!("  held out: {}", held_out_errors(&averaged, held_out_codes));
            preview(&averaged, held_out, &arguments.out.with_extension("png"))?;
        }
    }
    bar.finish_and_clear();
    Ok(trainer.averaged())
}

/// Error on held-out pictures, noised to five levels.
fn held_out_errors(generator: &DespoofingGenerator, codes: &FaceCodes) -> String {
    LEVELS
        .map(|level| {
            let error = clean_latent_error(generator, codes, level);
            format!("t {level} {error:.4}")
        })
        .join("  ")
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
