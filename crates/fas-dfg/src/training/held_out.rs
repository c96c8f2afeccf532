//! How well a generator in training knows faces it has not seen.

use burn::tensor::{Int, Tensor};
use fas_diffusion::sample_noise;

use crate::{DespoofingGenerator, FaceCodes};

/// Faces that go through the network at once.
const BATCH: usize = 48;

/// Mean squared error of the clean latents that `generator` sees in the faces of `codes`, noised to
/// step `level` with noise of (`level`, place in the list): equal calls give equal numbers, and a
/// generator that knows nothing is at the variance of the latents, about 1.
///
/// # Panics
///
/// Panics if there are no faces, or `level` leaves the schedule.
pub fn clean_latent_error(generator: &DespoofingGenerator, codes: &FaceCodes, level: usize) -> f64 {
    assert!(!codes.is_empty(), "an error over no faces");
    let levels = generator.config().schedule.num_timesteps;
    assert!(level < levels, "level {level} of {levels}");
    let device = generator.device();
    let all: Vec<usize> = (0..codes.len()).collect();
    let sum: f64 = all
        .chunks(BATCH)
        .map(|chunk| {
            let batch = codes.batch(chunk, device);
            let latents = batch.posterior.mean;
            let [count, channels, side, _] = latents.dims();
            let ids: Vec<String> = chunk.iter().map(usize::to_string).collect();
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let noise = sample_noise(level as u64, &ids, channels, side, device);
            let steps = Tensor::<1, Int>::full([count], level as i64, device);
            let clean = generator.denoise(latents.clone(), noise, &steps, batch.tokens);
            let error: f32 = (clean - latents).square().mean().into_scalar();
            f64::from(error) * count as f64
        })
        .sum();
    sum / codes.len() as f64
}
