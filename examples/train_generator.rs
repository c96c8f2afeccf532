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
use std::path::PathBuf;
use std::time::Instant;

use burn::tensor::{Device, Int, Tensor};
use clap::Parser;
use fas_data::{AdmittedSamples, LeakageGuard, Protocol, Sample, TrainingPurpose};
use fas_diffusion::training::{GeneratorTrainer, GeneratorTrainingConfig, TripletBatch};
use fas_diffusion::{Generator, GeneratorConfig, sample_noise};
use fas_examples::{
    DeviceChoice, FaceFolder, FaceSplit, cost, images_to_tensor, progress, training_sample,
};
use fas_sim::{AttackKind, Domain, Face, Presentation};
use fas_weights::StoredFloat;
use image::{RgbImage, imageops};
use indicatif::ParallelProgressIterator;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

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

/// Simulated captures, and which of them belong together.
struct Pool {
    /// Everything but the held-out triplets.
    samples: Vec<Sample>,
    guard: LeakageGuard,
    live: Vec<RgbImage>,
    attacks: Vec<Attack>,
    by_style: Vec<Vec<usize>>,
    /// Attacks of the last faces, held out of training: content, target and style image.
    validation: Vec<[RgbImage; 3]>,
    styles: Vec<String>,
}

struct Attack {
    image: RgbImage,
    live: usize,
    style: usize,
}

impl Pool {
    fn admitted(&self, purpose: TrainingPurpose) -> Result<AdmittedSamples, String> {
        self.guard
            .admit(purpose, self.samples.clone())
            .map_err(|error| error.to_string())
    }
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let device = arguments.device.device()?;
    let faces =
        FaceFolder::open(&arguments.faces)?.load(FaceSplit::Train, None, arguments.limit)?;
    let domains = arguments
        .domains
        .iter()
        .map(|name| Domain::by_name(name))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|error| error.to_string())?;
    let pool = simulate(&faces, &domains, &arguments)?;
    println!(
        "{} faces, {} bona fide captures, {} attacks of {} styles, {:.0} s",
        faces.len(),
        pool.live.len(),
        pool.attacks.len(),
        pool.styles.len(),
        started.elapsed().as_secs_f64()
    );
    let generator = train(&pool, &arguments, &device)?;
    let card = HashMap::from(
        [
            (
                "architecture",
                "fas-diffusion GeneratorConfig::small".to_owned(),
            ),
            ("training_domains", arguments.domains.join(",")),
            ("styles", pool.styles.join(",")),
            ("faces", faces.len().to_string()),
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

/// Simulates the training captures.
fn simulate(faces: &[Face], domains: &[Domain], arguments: &Arguments) -> Result<Pool, String> {
    let kinds: Vec<AttackKind> = AttackKind::ALL.to_vec();
    let jobs: Vec<(usize, usize)> = (0..domains.len())
        .flat_map(|d| (0..faces.len()).map(move |f| (d, f)))
        .collect();
    let sources: Vec<&str> = arguments.domains.iter().map(String::as_str).collect();
    let protocol =
        Protocol::cross_domain(&sources, "any other domain").map_err(|error| error.to_string())?;
    let captured = jobs
        .par_iter()
        .progress_with(progress("simulating captures", jobs.len() as u64))
        .map(|&(domain, face)| -> Result<_, String> {
            let (place, person) = (&domains[domain], &faces[face]);
            let chosen = (0..arguments.attacks_per_face).map(|k| {
                // A stride coprime to the number of kinds: every kind equally often.
                Presentation::Attack(kinds[(face + 3 * k + domain) % kinds.len()])
            });
            std::iter::once(Presentation::BonaFide)
                .chain(chosen)
                .map(|presentation| {
                    let id = format!("{}/{}/{}", place.name, person.subject, presentation.name());
                    let sample = training_sample(place, person, presentation, "generator");
                    let image = place
                        .capture(person, presentation, SIZE, arguments.seed, &id)
                        .map_err(|error| error.to_string())?;
                    Ok((presentation, image, sample))
                })
                .collect::<Result<Vec<_>, String>>()
        })
        .collect::<Result<Vec<_>, String>>()?;

    let mut pool = Pool {
        samples: Vec::new(),
        guard: LeakageGuard::new(&protocol),
        live: Vec::new(),
        attacks: Vec::new(),
        by_style: vec![Vec::new(); domains.len() * kinds.len()],
        validation: Vec::new(),
        styles: domains
            .iter()
            .flat_map(|domain| {
                kinds
                    .iter()
                    .map(|&kind| domain.style_label(Presentation::Attack(kind)))
            })
            .collect(),
    };
    let held_out = faces.len() - (faces.len() / 16).clamp(1, 16);
    for ((domain, face), captures) in jobs.into_iter().zip(captured) {
        for (presentation, image, sample) in captures {
            match presentation {
                Presentation::BonaFide => {
                    pool.live.push(image);
                    pool.samples.push(sample);
                }
                Presentation::Attack(kind) => {
                    let position = kinds.iter().position(|&k| k == kind).expect("one of ALL");
                    let style = domain * kinds.len() + position;
                    if face >= held_out {
                        let live = pool.live.last().expect("a bona fide capture comes first");
                        let reference = &pool.attacks[pool.by_style[style][0]].image;
                        let row = [live.clone(), image, reference.clone()];
                        pool.validation.push(row);
                        continue;
                    }
                    pool.samples.push(sample);
                    pool.by_style[style].push(pool.attacks.len());
                    pool.attacks.push(Attack {
                        image,
                        live: pool.live.len() - 1,
                        style,
                    });
                }
            }
        }
    }
    Ok(pool)
}

fn train(pool: &Pool, arguments: &Arguments, device: &Device) -> Result<Generator, String> {
    device.seed(arguments.seed);
    let mut generator = GeneratorConfig::small(pool.styles.len()).init(device);
    let config = GeneratorTrainingConfig::new(arguments.steps).with_seed(arguments.seed);
    let checkpoint = arguments.out.with_extension("checkpoint");
    let has_checkpoint = checkpoint.exists() || checkpoint.with_extension("old").exists();
    if !has_checkpoint {
        generator = train_style_encoder(generator, pool, arguments, device)?;
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
        let batch = triplets(pool, arguments, trainer.steps_taken(), device);
        let report = trainer.step(batch).map_err(|error| error.to_string())?;
        bins.add(&report.samples);
        bar.inc(1);
        let done = trainer.steps_taken();
        if done.is_multiple_of(REPORT_EVERY) || done == arguments.steps {
            let pace = started.elapsed().as_secs_f64() / (done - first) as f64;
            println!("step {done}  {pace:.3} s a step  {}", bins.take());
            if done.is_multiple_of(4 * REPORT_EVERY) || done == arguments.steps {
                println!(
                    "  {}",
                    clean_error(&trainer.averaged(), &pool.validation, device)
                );
            }
            trainer
                .checkpoint(&checkpoint)
                .map_err(|error| error.to_string())?;
        }
    }
    bar.finish_and_clear();
    Ok(trainer.averaged())
}

/// Root mean square error of the clean image on the held-out triplets, noised to five levels.
fn clean_error(generator: &Generator, triplets: &[[RgbImage; 3]], device: &Device) -> String {
    let parts: Vec<String> = [30, 60, 120, 250, 500, 900]
        .iter()
        .map(|&t| {
            let mut sum = 0.0;
            for (index, chunk) in triplets.chunks(16).enumerate() {
                let column = |k: usize| images_to_tensor(chunk.iter().map(|row| &row[k]), device);
                let ids: Vec<String> = (0..chunk.len()).map(|k| format!("{index}/{k}")).collect();
                let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
                let noise = sample_noise(t as u64, &ids, 3, SIZE as usize, device);
                let steps = Tensor::<1, Int>::full([chunk.len()], t, device);
                let clean = generator.denoise(column(1), noise, column(0), column(2), &steps);
                let error: f32 = (clean - column(1)).square().mean().into_scalar();
                sum += f64::from(error) * chunk.len() as f64;
            }
            format!("t {t} {:.4}", (sum / triplets.len() as f64).sqrt())
        })
        .collect();
    format!("held-out error of the clean image: {}", parts.join("  "))
}

fn train_style_encoder(
    generator: Generator,
    pool: &Pool,
    arguments: &Arguments,
    device: &Device,
) -> Result<Generator, String> {
    let mut networks = generator.networks().clone();
    networks.style_encoder = fas_examples::train_style_encoder(
        "style encoder",
        networks.style_encoder,
        arguments.encoder_steps,
        &pool.admitted(TrainingPurpose::StyleEncoder)?,
        device,
        |step| {
            let mut random = seeded(arguments.seed, "style encoder", step);
            (0..32)
                .map(|_| {
                    let attack = &pool.attacks[random.random_range(0..pool.attacks.len())];
                    (&attack.image, attack.style)
                })
                .collect()
        },
    )?;
    Ok(generator.with_networks(networks))
}

/// The triplets of a step: styles uniformly, the style image another attack of the same label, content
/// and target mirrored together.
fn triplets(pool: &Pool, arguments: &Arguments, step: usize, device: &Device) -> TripletBatch {
    let mut random = seeded(arguments.seed, "triplets", step);
    let mut columns: [Vec<RgbImage>; 3] = Default::default();
    let mut ids = Vec::with_capacity(arguments.batch_size);
    for _ in 0..arguments.batch_size {
        let of_style = &pool.by_style[random.random_range(0..pool.styles.len())];
        let target = random.random_range(0..of_style.len());
        // A style with one image is its own guide, as any image may be in the released code.
        let other = match of_style.len() {
            1 => target,
            count => (target + random.random_range(1..count)) % count,
        };
        let attack = &pool.attacks[of_style[target]];
        let style = &pool.attacks[of_style[other]].image;
        let mirrored: bool = random.random();
        let mirror = |image: &RgbImage| {
            if mirrored {
                imageops::flip_horizontal(image)
            } else {
                image.clone()
            }
        };
        columns[0].push(mirror(&pool.live[attack.live]));
        columns[1].push(mirror(&attack.image));
        columns[2].push(style.clone());
        ids.push(format!(
            "attack {} of style {}",
            of_style[target], pool.styles[attack.style]
        ));
    }
    let [content, target, style] = columns.map(|images| images_to_tensor(&images, device));
    TripletBatch {
        content,
        target,
        style,
        ids,
    }
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

fn seeded(seed: u64, what: &str, step: usize) -> ChaCha8Rng {
    let mut key = [0u8; 32];
    key[..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&(step as u64).to_le_bytes());
    for (slot, byte) in key[16..].iter_mut().zip(what.bytes()) {
        *slot = byte;
    }
    ChaCha8Rng::from_seed(key)
}
