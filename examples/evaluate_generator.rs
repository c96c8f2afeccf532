//! DiffFAS, sections 3.3 and 4.4: identity and style of generated attacks, over guidance scale and start
//! step (figures 6 and 7), on people the generator never saw.
//!
//! ```text
//! cargo run --release --example evaluate_generator -- --generator generator.safetensors \
//!     --faces FOLDER --identity-weights mobilefacenet.safetensors --out runs/generator
//! ```
//!
//! Two figures must be good at once: **identity**, the cosine of MobileFaceNet embeddings of live and
//! generated face, beside what the simulator's own attack on the same person keeps; and **style**, the
//! share of generated images that an independent classifier, trained on simulated attacks alone,
//! assigns to the requested style. Writes `generator.csv`, a table and a picture.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::{Device, Int, Tensor};
use clap::Parser;
use fas_dfg::{MobileFaceNet, MobileFaceNetConfig, align_face, cosine_similarity, identity_input};
use fas_diffusion::training::{StyleEncoderTrainer, StyleEncoderTrainingConfig};
use fas_diffusion::{DdimConfig, GenerationConfig, Generator, StyleEncoder, StyleEncoderConfig};
use fas_examples::{DeviceChoice, FaceFolder, FaceSplit, images_to_tensor, tensor_to_images};
use fas_quality::Brisque;
use fas_report::{Grid, GridRow};
use fas_sim::{AttackKind, Domain, Face, Presentation};
use image::RgbImage;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

const SIZE: u32 = 64;
/// Pairs in one call of the network.
const BATCH: usize = 16;

#[derive(Parser)]
#[command(about = "Measures identity and style of generated attacks on unseen people")]
struct Arguments {
    /// Generator that `train_generator` wrote.
    #[arg(long)]
    generator: PathBuf,
    /// Folder of faces with `index.csv`.
    #[arg(long)]
    faces: PathBuf,
    /// Subset of the test split whose people are edited.
    #[arg(long, default_value = "london_neutral")]
    subset: String,
    /// MobileFaceNet weights.
    #[arg(long)]
    identity_weights: PathBuf,
    /// People edited into every style.
    #[arg(long, default_value_t = 8)]
    people: usize,
    /// Training steps of the independent style classifier.
    #[arg(long, default_value_t = 600)]
    judge_steps: usize,
    /// Start steps, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "250,400,600,999")]
    start_steps: Vec<usize>,
    /// Guidance scales, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1,2,3")]
    guidance: Vec<f64>,
    /// Network calls an image.
    #[arg(long, default_value_t = 10)]
    sampling_steps: usize,
    /// Last timestep, whose clean image is the result.
    #[arg(long, default_value_t = 150)]
    stop_step: usize,
    /// Seed of noise, captures and the judge.
    #[arg(long, default_value_t = 1000)]
    seed: u64,
    /// Folder for the results.
    #[arg(long, default_value = "runs/generator")]
    out: PathBuf,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
}

/// One edit: a person into a style.
struct Edit {
    style: usize,
    person: usize,
    live: RgbImage,
    reference: RgbImage,
    simulated: RgbImage,
}

/// What was measured of one picture.
struct Measured {
    style_found: bool,
    identity: f64,
    brisque: Option<f64>,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let device = arguments.device.device()?;
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let (generator, card) = Generator::load(&arguments.generator, &device).map_err(|e| text(&e))?;
    let domains = card
        .get("training_domains")
        .ok_or("the generator's card names no training_domains")?
        .split(',')
        .map(Domain::by_name)
        .collect::<Result<Vec<_>, _>>()
        .map_err(|e| text(&e))?;
    let folder = FaceFolder::open(&arguments.faces)?;
    let test = folder.load(FaceSplit::Test, Some(&arguments.subset), None)?;
    let train = folder.load(FaceSplit::Train, None, Some(2500))?;
    let recogniser = MobileFaceNetConfig::new()
        .init(&device)
        .load_weights(&arguments.identity_weights)
        .map_err(|e| text(&e))?;

    let judge = train_judge(&train, &domains, &arguments, &device)?;
    let edits = edits(&test, &domains, &arguments)?;
    let instruments = Instruments {
        judge,
        recogniser,
        brisque: Brisque::new(),
        device: &device,
    };
    let styles = style_labels(&domains);

    std::fs::create_dir_all(&arguments.out).map_err(|e| text(&e))?;
    let mut csv = String::from("setting,style,people,style_accuracy,identity,brisque\n");
    let simulated: Vec<RgbImage> = edits.iter().map(|e| e.simulated.clone()).collect();
    let base = instruments.measure(&edits, &simulated, &test)?;
    report("simulator", &styles, &edits, &base, &mut csv);
    println!(
        "different people: cosine {:.3}",
        instruments.different_people(&edits, &test)?
    );

    let mut columns: Vec<(String, Vec<RgbImage>)> = Vec::new();
    for &start in &arguments.start_steps {
        for &scale in &arguments.guidance {
            let images = generate(&generator, &edits, start, scale, &arguments, &device)?;
            let measured = instruments.measure(&edits, &images, &test)?;
            let setting = format!("t0={start} g={scale}");
            report(&setting, &styles, &edits, &measured, &mut csv);
            columns.push((setting, images));
        }
    }
    write_grid(
        &styles,
        &edits,
        &columns,
        &arguments.out.join("generator.png"),
    )?;
    let path = arguments.out.join("generator.csv");
    let partial = path.with_extension("csv.partial");
    std::fs::File::create(&partial)
        .and_then(|mut file| file.write_all(csv.as_bytes()))
        .and_then(|()| std::fs::rename(&partial, &path))
        .map_err(|error| format!("{}: {error}", path.display()))?;
    println!(
        "{} and generator.png, {:.0} s",
        path.display(),
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

fn style_labels(domains: &[Domain]) -> Vec<String> {
    domains
        .iter()
        .flat_map(|domain| {
            AttackKind::ALL
                .iter()
                .map(|&kind| domain.style_label(Presentation::Attack(kind)))
        })
        .collect()
}

fn capture(
    domain: &Domain,
    face: &Face,
    presentation: Presentation,
    seed: u64,
    what: &str,
) -> Result<RgbImage, String> {
    let id = format!(
        "{what}/{}/{}/{}",
        domain.name,
        face.subject,
        presentation.name()
    );
    domain
        .capture(face, presentation, SIZE, seed, &id)
        .map_err(|error| error.to_string())
}

/// Every person into every style; the reference shows somebody else, captured with another seed.
fn edits(test: &[Face], domains: &[Domain], arguments: &Arguments) -> Result<Vec<Edit>, String> {
    let people = arguments.people.min(test.len());
    let mut list = Vec::new();
    for (d, domain) in domains.iter().enumerate() {
        for (k, &kind) in AttackKind::ALL.iter().enumerate() {
            for person in 0..people {
                list.push((d * AttackKind::ALL.len() + k, domain, kind, person));
            }
        }
    }
    list.into_par_iter()
        .map(|(style, domain, kind, person)| {
            let (face, other) = (&test[person], &test[(person + 37 + style) % test.len()]);
            let attack = Presentation::Attack(kind);
            let seed = arguments.seed;
            Ok(Edit {
                style,
                person,
                live: capture(domain, face, Presentation::BonaFide, seed, "live")?,
                reference: capture(domain, other, attack, seed + 1, "reference")?,
                simulated: capture(domain, face, attack, seed + 2, "simulated")?,
            })
        })
        .collect()
}

/// The independent classifier: other widths, other simulator seeds, bona fide captures as classes of
/// their own.
fn train_judge(
    train: &[Face],
    domains: &[Domain],
    arguments: &Arguments,
    device: &Device,
) -> Result<StyleEncoder, String> {
    let num_styles = domains.len() * AttackKind::ALL.len();
    let pool: Vec<(RgbImage, i64)> = train
        .par_iter()
        .enumerate()
        .flat_map_iter(|(index, face)| {
            domains.iter().enumerate().flat_map(move |(d, domain)| {
                let k = (index + d) % AttackKind::ALL.len();
                [
                    (Presentation::BonaFide, num_styles + d),
                    (
                        Presentation::Attack(AttackKind::ALL[k]),
                        d * AttackKind::ALL.len() + k,
                    ),
                ]
                .map(move |(presentation, class)| (domain, face, presentation, class))
            })
        })
        .map(|(domain, face, presentation, class)| {
            let image = capture(domain, face, presentation, arguments.seed + 77, "judge")?;
            Ok((image, class as i64))
        })
        .collect::<Result<_, String>>()?;
    device.seed(arguments.seed);
    let config = StyleEncoderConfig::small(num_styles + domains.len())
        .with_stem_channels(24)
        .with_widths(vec![24, 48, 64]);
    let mut trainer = StyleEncoderTrainer::new(
        config.init(device),
        StyleEncoderTrainingConfig::new(arguments.judge_steps),
        device,
    );
    let mut random = ChaCha8Rng::seed_from_u64(arguments.seed);
    let mut accuracy = 0.0;
    for _ in 0..arguments.judge_steps {
        let chosen: Vec<&(RgbImage, i64)> = (0..32)
            .map(|_| &pool[random.random_range(0..pool.len())])
            .collect();
        let classes: Vec<i64> = chosen.iter().map(|(_, class)| *class).collect();
        let images = images_to_tensor(chosen.iter().map(|(image, _)| image), device);
        let classes = Tensor::<1, Int>::from_data(&classes[..], device);
        let (_, correct) = trainer
            .step(images, classes)
            .map_err(|error| error.to_string())?;
        accuracy = 0.95 * accuracy + 0.05 * correct;
    }
    println!("judge: training accuracy {accuracy:.3} (running mean)");
    Ok(trainer.finish())
}

fn generate(
    generator: &Generator,
    edits: &[Edit],
    start: usize,
    scale: f64,
    arguments: &Arguments,
    device: &Device,
) -> Result<Vec<RgbImage>, String> {
    let sampler = DdimConfig::new(start)
        .with_sampling_steps(arguments.sampling_steps)
        .with_stop_step(arguments.stop_step.min(start));
    let config = GenerationConfig::new(sampler).with_guidance_scale(scale);
    let mut images = Vec::new();
    for chunk in edits.chunks(BATCH) {
        let ids: Vec<String> = chunk
            .iter()
            .map(|edit| format!("{}/{}", edit.style, edit.person))
            .collect();
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        let content = images_to_tensor(chunk.iter().map(|edit| &edit.live), device);
        let style = images_to_tensor(chunk.iter().map(|edit| &edit.reference), device);
        let made = generator
            .generate(content, style, &ids, arguments.seed, &config)
            .map_err(|error| error.to_string())?;
        images.extend(tensor_to_images(made));
    }
    Ok(images)
}

struct Instruments<'a> {
    judge: StyleEncoder,
    recogniser: MobileFaceNet,
    brisque: Brisque,
    device: &'a Device,
}

impl Instruments<'_> {
    fn embed(&self, images: &[RgbImage], faces: &[&Face]) -> Result<Tensor<2>, String> {
        let crops = images
            .iter()
            .zip(faces)
            .map(|(image, face)| {
                let scale = image.width() as f32 / face.image.width() as f32;
                let landmarks = face.landmarks.map(|p| p.map(|v| (v + 0.5) * scale - 0.5));
                align_face(image, &landmarks).map_err(|error| error.to_string())
            })
            .collect::<Result<Vec<_>, String>>()?;
        let parts = crops
            .chunks(BATCH)
            .map(|crops| self.recogniser.forward(identity_input(crops, self.device)))
            .collect();
        Ok(Tensor::cat(parts, 0))
    }

    fn measure(
        &self,
        edits: &[Edit],
        images: &[RgbImage],
        test: &[Face],
    ) -> Result<Vec<Measured>, String> {
        let faces: Vec<&Face> = edits.iter().map(|edit| &test[edit.person]).collect();
        let lives: Vec<RgbImage> = edits.iter().map(|edit| edit.live.clone()).collect();
        let cosine = cosine_similarity(self.embed(&lives, &faces)?, self.embed(images, &faces)?);
        let cosine: Vec<f32> = cosine
            .into_data_as::<f32>()
            .try_to_vec()
            .expect("f32 above");
        let mut found: Vec<i64> = Vec::new();
        for chunk in images.chunks(BATCH) {
            let logits = self.judge.forward(images_to_tensor(chunk, self.device));
            let classes = logits
                .argmax(1)
                .into_data()
                .iter::<i64>()
                .collect::<Vec<_>>();
            found.extend(classes);
        }
        let brisque = self.brisque.score_many(images);
        Ok(edits
            .iter()
            .zip(cosine)
            .zip(found)
            .zip(brisque)
            .map(|(((edit, cosine), found), brisque)| Measured {
                style_found: found == edit.style as i64,
                identity: f64::from(cosine),
                brisque: brisque.ok(),
            })
            .collect())
    }

    /// Mean cosine of live captures of neighbouring people.
    fn different_people(&self, edits: &[Edit], test: &[Face]) -> Result<f64, String> {
        let people = edits.iter().map(|edit| edit.person).max().unwrap_or(0) + 1;
        let lives: Vec<RgbImage> = edits[..people]
            .iter()
            .map(|edit| edit.live.clone())
            .collect();
        let faces: Vec<&Face> = edits[..people]
            .iter()
            .map(|edit| &test[edit.person])
            .collect();
        let embedded = self.embed(&lives, &faces)?;
        let mut rolled: Vec<Tensor<2>> = vec![embedded.clone().narrow(0, 1, people - 1)];
        rolled.push(embedded.clone().narrow(0, 0, 1));
        let cosine = cosine_similarity(embedded, Tensor::cat(rolled, 0));
        Ok(f64::from(cosine.mean().into_scalar::<f32>()))
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count.max(1))
}

fn report(
    setting: &str,
    styles: &[String],
    edits: &[Edit],
    measured: &[Measured],
    csv: &mut String,
) {
    for (index, style) in styles.iter().enumerate() {
        let rows: Vec<&Measured> = edits
            .iter()
            .zip(measured)
            .filter(|(edit, _)| edit.style == index)
            .map(|(_, measured)| measured)
            .collect();
        let accuracy = mean(rows.iter().map(|m| f64::from(u8::from(m.style_found))));
        let identity = mean(rows.iter().map(|m| m.identity));
        let brisque = mean(rows.iter().filter_map(|m| m.brisque));
        csv.push_str(&format!(
            "{setting},{style},{},{accuracy:.3},{identity:.3},{brisque:.1}\n",
            rows.len()
        ));
    }
    let accuracy = mean(measured.iter().map(|m| f64::from(u8::from(m.style_found))));
    let identity = mean(measured.iter().map(|m| m.identity));
    let brisque = mean(measured.iter().filter_map(|m| m.brisque));
    println!("{setting:14} style {accuracy:.3}  identity {identity:.3}  BRISQUE {brisque:.1}");
}

fn write_grid(
    styles: &[String],
    edits: &[Edit],
    columns: &[(String, Vec<RgbImage>)],
    path: &Path,
) -> Result<(), String> {
    let rows = styles
        .iter()
        .enumerate()
        .filter_map(|(style, label)| {
            let at = edits.iter().position(|edit| edit.style == style)?;
            let at = at + style % (edits.len() / styles.len());
            let mut images = vec![edits[at].live.clone(), edits[at].reference.clone()];
            images.extend(columns.iter().map(|(_, made)| made[at].clone()));
            images.push(edits[at].simulated.clone());
            Some(GridRow::new(label, images))
        })
        .collect();
    let titles = ["live".to_owned(), "style".to_owned()]
        .into_iter()
        .chain(columns.iter().map(|(setting, _)| setting.clone()))
        .chain(["simulator".to_owned()]);
    Grid::new(rows)
        .with_columns(titles)
        .write_png(path)
        .map_err(|error| error.to_string())
}
