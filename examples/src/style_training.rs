//! Training of a style encoder on pictures.

use burn::tensor::{Device, Int, Tensor};
use fas_data::AdmittedSamples;
use fas_diffusion::StyleEncoder;
use fas_diffusion::training::{StyleEncoderTrainer, StyleEncoderTrainingConfig};
use image::RgbImage;

use crate::{images_to_tensor, progress};

/// Trains `encoder` for `steps` on the batches that `batch` draws: pictures of `pool` and their
/// classes. Prints the running mean of its accuracy under `name`.
///
/// # Errors
///
/// A message if the pool was not admitted for a style encoder, or the loss is not finite.
pub fn train_style_encoder<'a>(
    name: &'static str,
    encoder: StyleEncoder,
    steps: usize,
    pool: &AdmittedSamples,
    device: &Device,
    mut batch: impl FnMut(usize) -> Vec<(&'a RgbImage, usize)>,
) -> Result<StyleEncoder, String> {
    let config = StyleEncoderTrainingConfig::new(steps);
    let mut trainer = StyleEncoderTrainer::new(encoder, config, device, pool)
        .map_err(|error| error.to_string())?;
    let bar = progress(name, steps as u64);
    let mut accuracy = 0.0;
    for step in 0..steps {
        let (images, classes): (Vec<_>, Vec<_>) = batch(step)
            .into_iter()
            .map(|(image, class)| (image, class as i64))
            .unzip();
        let images = images_to_tensor(images, device);
        let classes = Tensor::<1, Int>::from_data(&classes[..], device);
        let (_, correct) = trainer
            .step(images, classes)
            .map_err(|error| error.to_string())?;
        accuracy = 0.95 * accuracy + 0.05 * correct;
        bar.inc(1);
    }
    bar.finish_and_clear();
    println!("{name}: training accuracy {accuracy:.3} (running mean)");
    Ok(trainer.finish())
}
