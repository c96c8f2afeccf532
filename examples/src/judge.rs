//! The independent style classifier.

use burn::tensor::Device;
use fas_data::{Sample, TrainingPurpose};
use fas_diffusion::{StyleEncoder, StyleEncoderConfig};
use fas_sim::{AttackKind, Domain, Face, Presentation};
use image::RgbImage;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::edits::capture;
use crate::{guard_of_sources, train_style_encoder, training_sample};

struct Example {
    image: RgbImage,
    class: usize,
    sample: Sample,
}

/// How the judge is trained.
#[derive(Debug, Clone, Copy)]
pub struct JudgeSettings {
    /// Steps of training.
    pub steps: usize,
    /// Side of the pictures in pixels.
    pub size: u32,
    /// Seed of captures and weights.
    pub seed: u64,
}

/// The independent classifier: other widths, other simulator seeds, bona fide captures as classes of
/// their own.
///
/// # Errors
///
/// A message of the simulator, or if the training diverges.
pub fn train_judge(
    train: &[Face],
    domains: &[Domain],
    settings: JudgeSettings,
    device: &Device,
) -> Result<StyleEncoder, String> {
    let num_styles = domains.len() * AttackKind::ALL.len();
    let pool: Vec<Example> = train
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
            let camera = (settings.size, settings.seed + 77);
            let image = capture(domain, face, presentation, camera, "judge")?;
            Ok(Example {
                image,
                class,
                sample: training_sample(domain, face, presentation, "judge"),
            })
        })
        .collect::<Result<_, String>>()?;
    let admitted = guard_of_sources(domains)?
        .admit(
            TrainingPurpose::StyleEncoder,
            pool.iter().map(|example| example.sample.clone()).collect(),
        )
        .map_err(|error| error.to_string())?;
    device.seed(settings.seed);
    let config = StyleEncoderConfig::small(num_styles + domains.len())
        .with_stem_channels(24)
        .with_widths(vec![24, 48, 64]);
    let mut random = ChaCha8Rng::seed_from_u64(settings.seed);
    train_style_encoder(
        "judge",
        config.init(device),
        settings.steps,
        &admitted,
        device,
        |_| {
            (0..32)
                .map(|_| {
                    let example = &pool[random.random_range(0..pool.len())];
                    (&example.image, example.class)
                })
                .collect()
        },
    )
}
