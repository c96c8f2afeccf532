//! How well a generator in training knows attacks it has not seen.

use burn::tensor::{Int, Tensor};

use super::TripletBatch;
use crate::{Generator, sample_noise};

/// Mean squared error of the clean images that `generator` sees in the targets of `batch`, noised to step
/// `level` with noise of (`level`, id): equal calls give equal numbers. Pixels in `[-1, 1]`.
///
/// # Panics
///
/// Panics if a target has no id, or `level` leaves the schedule.
pub fn clean_image_error(generator: &Generator, batch: &TripletBatch, level: usize) -> f64 {
    let device = generator.device();
    let [count, channels, size, _] = batch.target.dims();
    let ids: Vec<&str> = batch.ids.iter().map(String::as_str).collect();
    assert_eq!(ids.len(), count, "an id a target");
    let noise = sample_noise(level as u64, &ids, channels, size, device);
    let steps = Tensor::<1, Int>::full([count], level as i64, device);
    let (content, style) = (batch.content.clone(), batch.style.clone());
    let clean = generator.denoise(batch.target.clone(), noise, content, style, &steps);
    let error: f32 = (clean - batch.target.clone()).square().mean().into_scalar();
    f64::from(error)
}
