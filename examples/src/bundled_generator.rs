//! Generators that a detector may be trained with, and the attacks they make for it.

use std::collections::HashMap;
use std::path::Path;

use burn::tensor::Device;
use fas_data::Sample;
use fas_diffusion::{DdimConfig, GenerationConfig, Generator};
use fas_quality::Brisque;
use image::RgbImage;

use crate::generation::{EditSampler, Request, generate};
use crate::{Captures, LabelledImages, progress};

/// A file of weights: name, bytes.
type File = (&'static str, &'static [u8]);

const WIDE: File = (
    "weights/generator_wide_sim-C_sim-I.safetensors",
    include_bytes!("../weights/generator_wide_sim-C_sim-I.safetensors"),
);
const SMALL: [File; 2] = [
    (
        "weights/generator_sim-C_sim-I.safetensors",
        include_bytes!("../weights/generator_sim-C_sim-I.safetensors"),
    ),
    (
        "weights/generator_sim-M_sim-O.safetensors",
        include_bytes!("../weights/generator_sim-M_sim-O.safetensors"),
    ),
];

/// The bundled weights, better ones first, each with those it is guided away from: trained on two domains, and used only
/// for targets outside them.
const BUNDLED: [(File, Option<File>); 3] =
    [(WIDE, Some(SMALL[0])), (SMALL[0], None), (SMALL[1], None)];

/// Which of the bundled generators may serve.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bundled {
    /// The best for the targets.
    Best,
    /// Of the small ones, which there are for every target: for tables whose rows are compared.
    Alike,
}

impl Bundled {
    fn files(self) -> &'static [(File, Option<File>)] {
        match self {
            Self::Best => &BUNDLED,
            Self::Alike => &BUNDLED[1..],
        }
    }
}

/// A generator and the domains it was trained on.
#[derive(Debug)]
pub struct BundledGenerator {
    /// The networks.
    pub generator: Generator,
    /// Domains whose captures it has seen.
    pub domains: Vec<String>,
    /// What the file says of its training.
    pub card: HashMap<String, String>,
    /// File name.
    pub name: String,
}

/// A live face and an attack image whose style it takes, as positions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pair {
    /// The live face.
    pub content: usize,
    /// The attack.
    pub style: usize,
}

/// Steps of the sampler for the small generators, and for the wide one, whose steps cost three passes.
const STEPS: [usize; 2] = [20, 10];
/// Guidance of the wide generator towards the live face, and away from the small one.
const WIDE_GUIDANCE: [f64; 2] = [1.5, 1.25];

/// What suits generators trained as briefly as the bundled ones: docs/results.md compares others.
pub fn bundled_sampler(start: usize, guidance: f64) -> GenerationConfig {
    sampler_in(STEPS[0], start, guidance)
}

fn sampler_in(sampling_steps: usize, start: usize, guidance: f64) -> GenerationConfig {
    let steps = DdimConfig::new(start)
        .with_sampling_steps(sampling_steps)
        .with_spacing_power(2.0)
        .with_stop_step(40);
    GenerationConfig::new(steps.into())
        .with_guidance_scale(guidance)
        .with_temperature(0.7)
}

impl BundledGenerator {
    /// The generator of the file `chosen`, or one of `bundled` that has seen none of `targets`; `None`
    /// if each of them has.
    ///
    /// # Errors
    ///
    /// A message if the file cannot be read or was trained on a target.
    pub fn for_targets(
        chosen: Option<&Path>,
        bundled: Bundled,
        targets: &[&str],
        device: &Device,
    ) -> Result<Option<Self>, String> {
        let seen = |generator: &Self| {
            targets
                .iter()
                .copied()
                .find(|target| generator.domains.iter().any(|domain| domain == target))
        };
        if let Some(path) = chosen {
            let loaded = Generator::load(path, device).map_err(|error| error.to_string())?;
            let chosen = Self::new(loaded, path.display().to_string())?;
            return match seen(&chosen) {
                Some(target) => Err(format!(
                    "{} was trained on the target domain {target}: its attacks would leak it; train \
                     one on other domains with the example train_generator",
                    path.display(),
                )),
                None => Ok(Some(chosen)),
            };
        }
        let read = |(name, bytes): &File| {
            let loaded = Generator::from_bytes(bytes, Path::new(name), device)
                .map_err(|error| error.to_string())?;
            Self::new(loaded, (*name).to_owned())
        };
        for (file, weaker) in bundled.files() {
            let candidate = read(file)?;
            if seen(&candidate).is_some() {
                continue;
            }
            return match weaker {
                Some(weaker) => candidate.with_weaker(read(weaker)?).map(Some),
                None => Ok(Some(candidate)),
            };
        }
        eprintln!(
            "every bundled generator was trained on one of {}, so the rows with generated attacks \
             are left out; train one on other domains with the example train_generator and name it \
             with --generator",
            targets.join(", ")
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

    /// The same generator, guided away from a weaker one of the same domains.
    fn with_weaker(self, weaker: Self) -> Result<Self, String> {
        assert_eq!(self.domains, weaker.domains, "it would know other styles");
        let generator = self.generator.with_weaker(weaker.generator);
        Ok(Self {
            generator: generator.map_err(|error| error.to_string())?,
            ..self
        })
    }

    /// The sampler that suits it. The small network makes no lattice of a halftone and no stripes of an LCD,
    /// whatever it begins with: there, more noise would be grain alone, and guidance has nothing to strengthen.
    pub fn sampler(&self, start: usize, guidance: f64) -> EditSampler {
        let architecture = self.card.get("architecture");
        if !architecture.is_some_and(|name| name.ends_with("GeneratorConfig::wide")) {
            return bundled_sampler(start, guidance).into();
        }
        let [content, weaker] = WIDE_GUIDANCE;
        let config = sampler_in(STEPS[1], start, guidance).with_content_guidance(content);
        EditSampler {
            config: match self.generator.weaker() {
                Some(_) => config.with_weaker_guidance(weaker),
                None => config,
            },
            regular_temperature: Some(1.0),
        }
    }

    /// Pairs of source live faces with attacks in the styles that the generator knows, styles in turn
    /// (section 4.2: every identity of one source in the styles of the others).
    ///
    /// # Errors
    ///
    /// A message if it knows none of the domains of `train`.
    pub fn pairs(
        &self,
        captures: &Captures,
        train: &[Sample],
        count: usize,
    ) -> Result<Vec<Pair>, String> {
        let index = |sample: &Sample| captures.position(&sample.id);
        let live: Vec<usize> = train
            .iter()
            .filter(|sample| sample.label.is_bona_fide())
            .map(index)
            .collect::<Result<_, _>>()?;
        let mut by_style: Vec<(&str, Vec<usize>)> = Vec::new();
        for sample in train {
            if sample.label.is_bona_fide() || !self.domains.contains(&sample.domain) {
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
                self.domains.join(", ")
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

    /// Pictures of `pairs`; `made` hears of each batch's size.
    ///
    /// # Errors
    ///
    /// A message if the pictures do not fit the generator.
    pub fn pictures(
        &self,
        captures: &Captures,
        pairs: &[Pair],
        seed: u64,
        sampler: &EditSampler,
        made: impl FnMut(u64),
    ) -> Result<Vec<RgbImage>, String> {
        let requests: Vec<Request<'_>> = pairs
            .iter()
            .map(|pair| {
                let id = |at| &captures.sample(at).id;
                Request {
                    live: captures.image(pair.content),
                    reference: captures.image(pair.style),
                    style: &captures.sample(pair.style).style,
                    id: format!("{} as {}", id(pair.content), id(pair.style)),
                }
            })
            .collect();
        generate(&self.generator, &requests, sampler, seed, made)
    }

    /// Attacks to train on: person of the live face; label, style and domain of the attack whose look
    /// was taken; their own BRISQUE.
    ///
    /// # Errors
    ///
    /// As [`pairs`](Self::pairs) and [`pictures`](Self::pictures).
    pub fn training_attacks(
        &self,
        captures: &Captures,
        train: &[Sample],
        count: usize,
        seed: u64,
        sampler: &EditSampler,
    ) -> Result<LabelledImages, String> {
        let pairs = self.pairs(captures, train, count)?;
        let bar = progress("generating attacks", pairs.len() as u64);
        let images = self.pictures(captures, &pairs, seed, sampler, |made| bar.inc(made))?;
        bar.finish_and_clear();
        let samples = pairs
            .iter()
            .enumerate()
            .zip(Brisque::new().score_many(&images))
            .map(|((number, pair), quality)| Sample {
                id: format!("generated/{number}"),
                path: format!("generated/{number}.png").into(),
                subject: captures.sample(pair.content).subject.clone(),
                synthetic: true,
                quality_score: quality.ok(),
                ..captures.sample(pair.style).clone()
            })
            .collect();
        Ok(LabelledImages { samples, images })
    }
}
