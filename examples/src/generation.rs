//! Attacks made by a generator, batch by batch.

use fas_diffusion::{GenerationConfig, Generator};
use fas_sim::AttackKind;
use image::RgbImage;

use crate::{images_to_tensor, tensor_to_images};

/// Pictures in one call of the network.
const BATCH: usize = 16;

/// Kinds of attack with a fine regular structure, which the noise that an edit begins with has to turn into.
const REGULAR: [AttackKind; 3] = [
    AttackKind::PrintHalftone,
    AttackKind::ReplayLcd,
    AttackKind::ReplayOled,
];

/// How edits are made.
#[derive(Debug, Clone)]
pub struct EditSampler {
    /// Of every style.
    pub config: GenerationConfig,
    /// Temperature of halftone prints and of displays, if it is another.
    pub regular_temperature: Option<f64>,
}

impl EditSampler {
    /// How edits into a style are made: `sim-C/print_halftone`, or the name of a kind alone.
    fn of(&self, style: &str) -> GenerationConfig {
        let name = style.rsplit('/').next().unwrap_or(style);
        let regular = REGULAR.iter().any(|kind| kind.name() == name);
        match self.regular_temperature.filter(|_| regular) {
            Some(temperature) => self.config.clone().with_temperature(temperature),
            None => self.config.clone(),
        }
    }
}

impl From<GenerationConfig> for EditSampler {
    fn from(config: GenerationConfig) -> Self {
        Self {
            config,
            regular_temperature: None,
        }
    }
}

/// What is edited.
pub(crate) struct Request<'a> {
    /// The person, bona fide.
    pub(crate) live: &'a RgbImage,
    /// Whose style is taken.
    pub(crate) reference: &'a RgbImage,
    /// Name of that style.
    pub(crate) style: &'a str,
    /// What the noise comes from, with the seed.
    pub(crate) id: String,
}

/// The attacks that `generator` makes of `requests`; `made` hears of each batch's size.
pub(crate) fn generate(
    generator: &Generator,
    requests: &[Request<'_>],
    sampler: &EditSampler,
    seed: u64,
    mut made: impl FnMut(u64),
) -> Result<Vec<RgbImage>, String> {
    let device = generator.device();
    let configs: Vec<GenerationConfig> = requests.iter().map(|r| sampler.of(r.style)).collect();
    let temperatures: Vec<f64> = configs.iter().map(|config| config.temperature).collect();
    let mut images = vec![RgbImage::default(); requests.len()];
    for batch in batches(&temperatures) {
        let members: Vec<&Request<'_>> = batch.iter().map(|&at| &requests[at]).collect();
        let ids: Vec<&str> = members.iter().map(|request| request.id.as_str()).collect();
        let live = images_to_tensor(members.iter().map(|request| request.live), device);
        let reference = images_to_tensor(members.iter().map(|request| request.reference), device);
        let attacks = generator
            .generate(live, reference, &ids, seed, &configs[batch[0]])
            .map_err(|error| error.to_string())?;
        for (&at, image) in batch.iter().zip(tensor_to_images(attacks)) {
            images[at] = image;
        }
        made(batch.len() as u64);
    }
    Ok(images)
}

/// Positions of `temperatures`, at most [`BATCH`] of one temperature together.
fn batches(temperatures: &[f64]) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..temperatures.len()).collect();
    order.sort_by(|&a, &b| f64::total_cmp(&temperatures[a], &temperatures[b]));
    order
        .chunk_by(|&a, &b| temperatures[a] == temperatures[b])
        .flat_map(|alike| alike.chunks(BATCH).map(<[usize]>::to_vec))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::bundled_sampler;

    #[test]
    fn regular_structures_begin_with_more_noise() {
        let plain = EditSampler::from(bundled_sampler(700, 1.0));
        let by_kind = EditSampler {
            regular_temperature: Some(1.0),
            ..plain.clone()
        };
        for (style, expected) in [("sim-C/replay_lcd", 1.0), ("sim-I/mask_resin", 0.7)] {
            assert_eq!(by_kind.of(style).temperature, expected, "{style}");
            assert_eq!(plain.of(style).temperature, 0.7, "{style}");
        }
    }

    #[test]
    fn batches_are_of_one_temperature_and_leave_nothing_out() {
        let temperatures: Vec<f64> = (0..40).map(|at| [0.7, 1.0, 0.7, 0.5][at % 4]).collect();
        let batches = batches(&temperatures);
        for batch in &batches {
            assert!((1..=BATCH).contains(&batch.len()));
            assert!(
                batch
                    .iter()
                    .all(|&at| temperatures[at] == temperatures[batch[0]])
            );
        }
        let mut all = batches.concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..40));
        // 20 of one temperature in two batches, twice 10 in one each.
        assert_eq!(batches.len(), 4);
    }
}
