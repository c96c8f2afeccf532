//! The independent style classifier.

use burn::tensor::{Device, Int, Tensor};
use fas_data::{LeakageGuard, Protocol, Sample, TrainingPurpose};
use fas_diffusion::training::{StyleEncoderTrainer, StyleEncoderTrainingConfig};
use fas_diffusion::{StyleEncoder, StyleEncoderConfig};
use fas_examples::{images_to_tensor, progress, training_sample};
use fas_sim::{AttackKind, Domain, Face, Presentation};
use image::RgbImage;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;

use crate::arguments::Arguments;
use crate::edits::capture;

struct Example {
    image: RgbImage,
    class: i64,
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
                class: class as i64,
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
    let mut trainer = StyleEncoderTrainer::new(
        config.init(device),
        StyleEncoderTrainingConfig::new(arguments.judge_steps),
        device,
        &admitted,
    )
    .map_err(|error| error.to_string())?;
    let bar = progress("training the judge", arguments.judge_steps as u64);
    let mut random = ChaCha8Rng::seed_from_u64(arguments.seed);
    let mut accuracy = 0.0;
    for _ in 0..arguments.judge_steps {
        let chosen: Vec<&Example> = (0..32)
            .map(|_| &pool[random.random_range(0..pool.len())])
            .collect();
        let classes: Vec<i64> = chosen.iter().map(|example| example.class).collect();
        let images = images_to_tensor(chosen.iter().map(|example| &example.image), device);
        let classes = Tensor::<1, Int>::from_data(&classes[..], device);
        let (_, correct) = trainer
            .step(images, classes)
            .map_err(|error| error.to_string())?;
        accuracy = 0.95 * accuracy + 0.05 * correct;
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!("judge: training accuracy {accuracy:.3} (running mean)");
    Ok(trainer.finish())
}
