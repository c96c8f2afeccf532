//! The independent style classifier.

use burn::tensor::Device;
use fas_data::{LeakageGuard, Protocol, Sample, TrainingPurpose};
use fas_diffusion::{StyleEncoder, StyleEncoderConfig};
use fas_examples::{train_style_encoder, training_sample};
use fas_sim::{AttackKind, Domain, Face, Presentation};
use image::RgbImage;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::arguments::Arguments;
use crate::edits::capture;

struct Example {
    image: RgbImage,
    class: usize,
    sample: Sample,
}

/// The independent classifier: other widths, other simulator seeds, bona fide captures as classes of
/// their own.
pub(crate) fn train_judge(
    train: &[Face],
    domains: &[Domain],
    arguments: &Arguments,
    device: &Device,
) -> Result<StyleEncoder, String> {
    let num_styles = domains.len() * AttackKind::ALL.len();
    let sources: Vec<&str> = domains.iter().map(|domain| domain.name.as_str()).collect();
    let protocol =
        Protocol::cross_domain(&sources, "any other domain").map_err(|error| error.to_string())?;
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
            let image = capture(domain, face, presentation, arguments.seed + 77, "judge")?;
            Ok(Example {
                image,
                class,
                sample: training_sample(domain, face, presentation, "judge"),
            })
        })
        .collect::<Result<_, String>>()?;
    let admitted = LeakageGuard::new(&protocol)
        .admit(
            TrainingPurpose::StyleEncoder,
            pool.iter().map(|example| example.sample.clone()).collect(),
        )
        .map_err(|error| error.to_string())?;
    device.seed(arguments.seed);
    let config = StyleEncoderConfig::small(num_styles + domains.len())
        .with_stem_channels(24)
        .with_widths(vec![24, 48, 64]);
    let mut random = ChaCha8Rng::seed_from_u64(arguments.seed);
    train_style_encoder(
        "judge",
        config.init(device),
        arguments.judge_steps,
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
