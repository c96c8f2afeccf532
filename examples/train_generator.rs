//! DiffFAS, section 3.2: training of the style encoder and of the generator, on simulated attacks.
//!
//! ```text
//! cargo run --release --example train_generator -- --faces FOLDER --domains sim-C,sim-I \
//!     --out generator.safetensors
//! ```
//!
//! Expected: the loss of the middle timesteps (120 to 500) falls below 0.3 after some 2,000 steps. A
//! stopped run goes on where it was, from the checkpoint beside `--out`.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::Device;
use clap::{Parser, ValueEnum};
use fas_data::TrainingPurpose;
use fas_diffusion::training::{GeneratorTrainer, GeneratorTrainingConfig, TimestepFocus};
use fas_diffusion::{Generator, GeneratorConfig};
use fas_examples::{
    DeviceChoice, FaceFolder, FaceSplit, PrecisionChoice, TripletPool, TripletSettings, cost,
    domains_by_name, progress,
};
use fas_weights::StoredFloat;

/// Side of the faces.
const SIZE: u32 = 64;
/// Steps between checkpoints and lines of progress.
const REPORT_EVERY: usize = 250;

#[derive(Parser)]
#[command(about = "Trains a small DiffFAS generator on simulated attacks")]
struct Arguments {
    /// Folder of face crops (with `index.csv`: its train split).
    #[arg(long)]
    faces: PathBuf,
    /// Domains whose styles are learned, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "sim-C,sim-I")]
    domains: Vec<String>,
    /// File for the trained generator.
    #[arg(long, default_value = "runs/generator.safetensors")]
    out: PathBuf,
    /// Steps of the generator.
    #[arg(long, default_value_t = 8000)]
    steps: usize,
    /// Steps of the style encoder.
    #[arg(long, default_value_t = 400)]
    encoder_steps: usize,
    /// Triplets a step.
    #[arg(long, default_value_t = 8)]
    batch_size: usize,
    /// Attacks simulated of each face in each domain, of as many different kinds.
    #[arg(long, default_value_t = 3)]
    attacks_per_face: usize,
    /// Generator whose weights are trained further; its style encoder stays.
    #[arg(long)]
    from: Option<PathBuf>,
    /// Kinds of attack, or whole styles such as sim-C/replay_oled, that a part of the triplets is drawn from alone,
    /// separated by commas.
    #[arg(long, value_delimiter = ',')]
    focus: Vec<String>,
    /// That part, 0 to 1.
    #[arg(long, default_value_t = 0.5)]
    focus_rate: f64,
    /// Timesteps that a part of the samples is drawn from alone: first, one after the last and that part, such
    /// as `60,500,0.7`.
    #[arg(long, value_parser = timestep_focus)]
    timesteps: Option<TimestepFocus>,
    /// Largest learning rate; the last step's is a twentieth.
    #[arg(long, default_value_t = 8e-4)]
    learning_rate: f64,
    /// Use only the first faces.
    #[arg(long)]
    limit: Option<usize>,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// U-Net: of 32 or of 64 channels before the first halving.
    #[arg(long, value_enum, default_value = "small")]
    network: Network,
    /// Let the network move the live face to where the attack shows it, as the wide one does; a generator of
    /// `--from` that does not yet learns it.
    #[arg(long)]
    live_warp: bool,
    /// What the U-Net is trained in; weights are 32 bits in each case.
    #[arg(long, value_enum, default_value = "full")]
    precision: PrecisionChoice,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
}

#[derive(Clone, Copy, ValueEnum)]
enum Network {
    Small,
    Wide,
}

impl Network {
    fn config(self, num_styles: usize) -> GeneratorConfig {
        match self {
            Self::Small => GeneratorConfig::small(num_styles),
            Self::Wide => GeneratorConfig::wide(num_styles),
        }
    }

    /// For the model card.
    fn name(self) -> &'static str {
        match self {
            Self::Small => "fas-diffusion GeneratorConfig::small",
            Self::Wide => "fas-diffusion GeneratorConfig::wide",
        }
    }
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let device = arguments.device.device()?;
    let faces =
        FaceFolder::open(&arguments.faces)?.load(FaceSplit::Train, None, arguments.limit)?;
    let domains = domains_by_name(&arguments.domains)?;
    let settings = TripletSettings {
        attacks_per_face: arguments.attacks_per_face,
        size: SIZE,
        seed: arguments.seed,
    };
    let pool = TripletPool::simulate(&faces, &domains, settings)?
        .with_focus(&arguments.focus, arguments.focus_rate)?;
    println!(
        "{} faces, {} bona fide captures, {} attacks of {} styles, {:.0} s",
        faces.len(),
        pool.live_count(),
        pool.attack_count(),
        pool.styles().len(),
        started.elapsed().as_secs_f64()
    );
    let generator = train(&pool, &arguments, &device)?;
    let architecture = arguments.network.name().to_owned();
    let card: HashMap<String, String> = [
        ("architecture", architecture),
        ("training_domains", arguments.domains.join(",")),
        ("styles", pool.styles().join(",")),
        ("faces", faces.len().to_string()),
        ("steps", arguments.steps.to_string()),
        ("batch_size", arguments.batch_size.to_string()),
        ("learning_rate", arguments.learning_rate.to_string()),
        ("seed", arguments.seed.to_string()),
    ]
    .into_iter()
    .chain(arguments.changes())
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    generator
        .save(&arguments.out, StoredFloat::F16, &card)
        .map_err(|error| error.to_string())?;
    println!("{}\n{}", arguments.out.display(), cost(started));
    Ok(())
}

impl Arguments {
    /// What the card says of a training that is not the plain one.
    fn changes(&self) -> Vec<(&'static str, String)> {
        let mut changes = Vec::new();
        if let Some(path) = &self.from {
            let name = path.file_name().unwrap_or(path.as_os_str());
            changes.push(("from", name.display().to_string()));
        }
        if !self.focus.is_empty() {
            let kinds = self.focus.join(",");
            changes.push(("focus", format!("{kinds}: {}", self.focus_rate)));
        }
        if self.live_warp {
            changes.push(("live_warp", "true".to_owned()));
        }
        if let Some(TimestepFocus { from, to, rate }) = self.timesteps {
            changes.push(("timesteps", format!("{from} to {to}: {rate}")));
        }
        changes
    }
}

fn train(pool: &TripletPool, arguments: &Arguments, device: &Device) -> Result<Generator, String> {
    device.seed(arguments.seed);
    let mut generator = match &arguments.from {
        Some(path) => continued(path, pool, device)?,
        None => arguments.network.config(pool.styles().len()).init(device),
    };
    if arguments.live_warp {
        generator = generator.with_live_warp();
    }
    let config = GeneratorTrainingConfig::new(arguments.steps)
        .with_learning_rate(arguments.learning_rate)
        .with_final_learning_rate(arguments.learning_rate / 20.0)
        .with_timestep_focus(arguments.timesteps)
        .with_seed(arguments.seed)
        .with_precision(arguments.precision.into());
    let checkpoint = arguments.out.with_extension("checkpoint");
    if arguments.from.is_none() && !GeneratorTrainer::has_checkpoint(&checkpoint) {
        generator = pool.train_style_encoder(generator, arguments.encoder_steps, device)?;
    }
    let admitted = pool.admitted(TrainingPurpose::Generator)?;
    let mut trainer = GeneratorTrainer::new(generator, config, &admitted)
        .map_err(|error| error.to_string())?
        .resume(&checkpoint)
        .map_err(|error| error.to_string())?;
    if let Some(folder) = arguments.out.parent() {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    }
    let bar = progress("training the generator", arguments.steps as u64);
    bar.set_position(trainer.steps_taken() as u64);
    let mut bins = LossBins::default();
    let started = Instant::now();
    let first = trainer.steps_taken();
    while trainer.steps_taken() < arguments.steps {
        let batch = pool.batch(arguments.batch_size, trainer.steps_taken(), device);
        let report = trainer.step(batch).map_err(|error| error.to_string())?;
        bins.add(&report.samples);
        bar.inc(1);
        let done = trainer.steps_taken();
        if done.is_multiple_of(REPORT_EVERY) || done == arguments.steps {
            let pace = started.elapsed().as_secs_f64() / (done - first) as f64;
            println!("step {done}  {pace:.3} s a step  {}", bins.take());
            if done.is_multiple_of(4 * REPORT_EVERY) || done == arguments.steps {
                println!("  {}", clean_errors(&trainer.averaged(), pool, device));
            }
            trainer
                .checkpoint(&checkpoint)
                .map_err(|error| error.to_string())?;
        }
    }
    bar.finish_and_clear();
    Ok(trainer.averaged())
}

/// A trained generator, if it knows the styles of `pool`.
fn continued(path: &Path, pool: &TripletPool, device: &Device) -> Result<Generator, String> {
    let (generator, card) = Generator::load(path, device).map_err(|error| error.to_string())?;
    let styles = pool.styles().join(",");
    match card.get("styles") {
        Some(known) if *known == styles => Ok(generator),
        known => Err(format!(
            "{} was trained on the styles {}, these are {styles}; name its domains with --domains",
            path.display(),
            known.map_or("that its card does not tell", String::as_str)
        )),
    }
}

fn timestep_focus(text: &str) -> Result<TimestepFocus, String> {
    let parts: Vec<&str> = text.split(',').collect();
    let parsed = match parts[..] {
        [from, to, rate] => (from.parse(), to.parse(), rate.parse()),
        _ => return Err("give three numbers, such as 60,500,0.7".to_owned()),
    };
    match parsed {
        (Ok(from), Ok(to), Ok(rate)) => Ok(TimestepFocus { from, to, rate }),
        _ => Err("give two timesteps and a part, such as 60,500,0.7".to_owned()),
    }
}

/// Errors of the clean image on the held-out triplets at six levels of noise.
fn clean_errors(generator: &Generator, pool: &TripletPool, device: &Device) -> String {
    const STEPS: [usize; 6] = [30, 60, 120, 250, 500, 900];
    let errors = pool.clean_image_errors(generator, STEPS, device);
    let parts: Vec<String> = STEPS
        .iter()
        .zip(errors)
        .map(|(t, error)| format!("t {t} {error:.4}"))
        .collect();
    format!("held-out error of the clean image: {}", parts.join("  "))
}

/// Mean loss by timestep, as the recipes list it.
#[derive(Default)]
struct LossBins {
    sums: [(f32, usize); 6],
}

impl LossBins {
    const EDGES: [usize; 7] = [0, 20, 60, 120, 250, 500, 1000];

    fn add(&mut self, samples: &[(usize, f32)]) {
        for &(t, loss) in samples {
            let bin = Self::EDGES.partition_point(|&edge| edge <= t) - 1;
            self.sums[bin].0 += loss;
            self.sums[bin].1 += 1;
        }
    }

    fn take(&mut self) -> String {
        let sums = std::mem::take(&mut self.sums);
        let all: (f32, usize) = sums.iter().fold((0.0, 0), |a, b| (a.0 + b.0, a.1 + b.1));
        let mean = |(sum, count): (f32, usize)| sum / count.max(1) as f32;
        let parts: Vec<String> = sums
            .iter()
            .zip(Self::EDGES.windows(2))
            .map(|(&sum, edges)| format!("t {}-{} {:.3}", edges[0], edges[1], mean(sum)))
            .collect();
        format!("loss {:.4}  {}", mean(all), parts.join("  "))
    }
}
