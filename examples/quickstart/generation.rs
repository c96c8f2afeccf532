//! Attacks generated from source live faces in the styles of source domains.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::Device;
use fas_data::{ProtocolSplits, Sample};
use fas_diffusion::{DdimConfig, GenerationConfig, Generator};
use fas_examples::{images_to_tensor, progress, tensor_to_images};
use fas_quality::Brisque;
use image::RgbImage;

use crate::detector::Pictures;
use crate::settings::Settings;

/// Pairs in one call of the network.
const BATCH: usize = 16;
/// Start step and guidance of the attacks that are trained on.
const TRAINING_START: usize = 999;
const TRAINING_GUIDANCE: f64 = 1.5;
/// Settings that are shown side by side.
const SHOWN: [(usize, f64); 6] = [
    (400, 1.0),
    (400, 2.0),
    (700, 1.0),
    (700, 2.0),
    (999, 1.0),
    (999, 2.0),
];

/// The sampler that suits generators trained as briefly as the bundled ones: docs/results.md compares
/// others.
fn sampler(start: usize, guidance: f64) -> GenerationConfig {
    let steps = DdimConfig::new(start)
        .with_sampling_steps(20)
        .with_spacing_power(2.0)
        .with_stop_step(40);
    GenerationConfig::new(steps)
        .with_guidance_scale(guidance)
        .with_temperature(0.7)
}

/// The bundled weights: trained on two domains, and used only for targets outside them.
const BUNDLED: &[(&str, &[u8])] = &[
    (
        "weights/generator_sim-C_sim-I.safetensors",
        include_bytes!("../weights/generator_sim-C_sim-I.safetensors"),
    ),
    (
        "weights/generator_sim-M_sim-O.safetensors",
        include_bytes!("../weights/generator_sim-M_sim-O.safetensors"),
    ),
];

/// A generator and the domains it was trained on.
pub(crate) struct BundledGenerator {
    pub(crate) generator: Generator,
    pub(crate) domains: Vec<String>,
    pub(crate) card: HashMap<String, String>,
    pub(crate) name: String,
}

impl BundledGenerator {
    /// The generator that `--generator` names, or a bundled one that has not seen the target domain;
    /// `None` if all of them have.
    pub(crate) fn load(settings: &Settings, device: &Device) -> Result<Option<Self>, String> {
        if let Some(path) = &settings.generator {
            let loaded = Generator::load(path, device).map_err(|error| error.to_string())?;
            let chosen = Self::new(loaded, path.display().to_string())?;
            if chosen.domains.contains(&settings.target) {
                return Err(format!(
                    "{} was trained on the target domain {}: its attacks would leak it; train one \
                     on other domains with the example train_generator",
                    path.display(),
                    settings.target
                ));
            }
            return Ok(Some(chosen));
        }
        for (name, bytes) in BUNDLED {
            let loaded = Generator::from_bytes(bytes, Path::new(name), device)
                .map_err(|error| error.to_string())?;
            let candidate = Self::new(loaded, (*name).to_owned())?;
            if !candidate.domains.contains(&settings.target) {
                return Ok(Some(candidate));
            }
        }
        eprintln!(
            "every bundled generator was trained on {}, so the rows with generated attacks are left \
             out; train one on other domains with the example train_generator and name it with \
             --generator",
            settings.target
        );
        Ok(None)
    }

    fn new(
        (generator, card): (Generator, HashMap<String, String>),
        name: String,
    ) -> Result<Self, String> {
        let domains = card
            .get("training_domains")
            .ok_or_else(|| format!("{name}: the card names no training_domains"))?
            .split(',')
            .map(str::to_owned)
            .collect();
        Ok(Self {
            generator,
            domains,
            card,
            name,
        })
    }
}

/// A live face and an attack image whose style it takes.
struct Pair {
    content: usize,
    style: usize,
}

/// What the generator made.
pub(crate) struct Generated {
    /// Attacks to train on.
    pub(crate) images: Vec<RgbImage>,
    /// Their samples: person of the live face, label, style and domain of the attack whose look was
    /// taken, and their own BRISQUE.
    pub(crate) samples: Vec<Sample>,
    /// One row a shown pair: live, style, and one picture a setting.
    pub(crate) shown: Vec<(String, Vec<RgbImage>)>,
    /// Titles of the columns of `shown`.
    pub(crate) columns: Vec<String>,
}

/// Generates the training attacks and the pictures that are shown.
pub(crate) fn generate(
    bundled: &BundledGenerator,
    pictures: &Pictures<'_>,
    splits: &ProtocolSplits,
    settings: &Settings,
) -> Result<Generated, String> {
    let pairs = pairs(bundled, pictures, splits, settings.generated)?;
    let bar = progress("generating attacks", (pairs.len() + 8 * SHOWN.len()) as u64);
    let run = |pairs: &[Pair], start: usize, scale: f64| -> Result<Vec<RgbImage>, String> {
        let config = sampler(start, scale);
        let device = bundled.generator.device();
        let mut images = Vec::new();
        for chunk in pairs.chunks(BATCH) {
            let ids: Vec<String> = chunk
                .iter()
                .map(|pair| {
                    format!(
                        "{} as {}",
                        pictures.id(pair.content),
                        pictures.id(pair.style)
                    )
                })
                .collect();
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let content = images_to_tensor(chunk.iter().map(|p| pictures.image(p.content)), device);
            let style = images_to_tensor(chunk.iter().map(|p| pictures.image(p.style)), device);
            let made = bundled
                .generator
                .generate(content, style, &ids, settings.seed, &config)
                .map_err(|error| error.to_string())?;
            images.extend(tensor_to_images(made));
            bar.inc(chunk.len() as u64);
        }
        Ok(images)
    };
    let images = run(&pairs, TRAINING_START, TRAINING_GUIDANCE)?;
    let samples = pairs
        .iter()
        .enumerate()
        .zip(Brisque::new().score_many(&images))
        .map(|((number, pair), quality)| Sample {
            id: format!("generated/{number}"),
            path: format!("generated/{number}.png").into(),
            subject: pictures.sample(pair.content).subject.clone(),
            synthetic: true,
            quality_score: quality.ok(),
            ..pictures.sample(pair.style).clone()
        })
        .collect();

    let mut shown_pairs: Vec<Pair> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for pair in &pairs {
        let style = pictures.sample(pair.style).style.as_str();
        if !seen.contains(&style) && shown_pairs.len() < 8 {
            seen.push(style);
            shown_pairs.push(Pair {
                content: pair.content,
                style: pair.style,
            });
        }
    }
    let mut columns = vec!["live".to_owned(), "style".to_owned()];
    let mut shown: Vec<(String, Vec<RgbImage>)> = shown_pairs
        .iter()
        .map(|pair| {
            let images = vec![
                pictures.image(pair.content).clone(),
                pictures.image(pair.style).clone(),
            ];
            (pictures.sample(pair.style).style.clone(), images)
        })
        .collect();
    for (start, scale) in SHOWN {
        columns.push(format!("start {start}, guidance {scale}"));
        for (row, image) in shown.iter_mut().zip(run(&shown_pairs, start, scale)?) {
            row.1.push(image);
        }
    }
    bar.finish_and_clear();
    Ok(Generated {
        images,
        samples,
        shown,
        columns,
    })
}

/// Cross-domain pairs: source live faces in the styles of the generator's domains, styles in turn.
fn pairs(
    bundled: &BundledGenerator,
    pictures: &Pictures<'_>,
    splits: &ProtocolSplits,
    count: usize,
) -> Result<Vec<Pair>, String> {
    let index = |sample: &Sample| pictures.position(&sample.id);
    let live: Vec<usize> = splits
        .train
        .iter()
        .filter(|sample| sample.label.is_bona_fide())
        .map(index)
        .collect::<Result<_, _>>()?;
    let mut by_style: Vec<(&str, Vec<usize>)> = Vec::new();
    for sample in &splits.train {
        if sample.label.is_bona_fide() || !bundled.domains.contains(&sample.domain) {
            continue;
        }
        let position = index(sample)?;
        match by_style
            .iter_mut()
            .find(|(style, _)| *style == sample.style)
        {
            Some((_, members)) => members.push(position),
            None => by_style.push((&sample.style, vec![position])),
        }
    }
    if by_style.is_empty() {
        return Err(format!(
            "the generator knows {}, and none of them is a source",
            bundled.domains.join(", ")
        ));
    }
    Ok((0..count)
        .map(|turn| {
            let (_, members) = &by_style[turn % by_style.len()];
            let round = turn / by_style.len();
            Pair {
                content: live[(turn * 7 + round) % live.len()],
                style: members[(round * 5 + turn) % members.len()],
            }
        })
        .collect())
}
