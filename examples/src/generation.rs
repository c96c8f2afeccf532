//! Attacks made by a generator, batch by batch.

use fas_diffusion::{GenerationConfig, Generator};
use image::RgbImage;

use crate::{images_to_tensor, tensor_to_images};

/// Pictures in one call of the network.
const BATCH: usize = 16;

/// What is edited.
pub(crate) struct Request<'a> {
    /// The person, bona fide.
    pub(crate) live: &'a RgbImage,
    /// Whose style is taken.
    pub(crate) reference: &'a RgbImage,
    /// What the noise comes from, with the seed.
    pub(crate) id: String,
}

/// The attacks that `generator` makes of `requests`; `made` hears of each batch's size.
pub(crate) fn generate(
    generator: &Generator,
    requests: &[Request<'_>],
    config: &GenerationConfig,
    seed: u64,
    mut made: impl FnMut(u64),
) -> Result<Vec<RgbImage>, String> {
    let device = generator.device();
    let mut images = Vec::with_capacity(requests.len());
    for chunk in requests.chunks(BATCH) {
        let ids: Vec<&str> = chunk.iter().map(|request| request.id.as_str()).collect();
        let live = images_to_tensor(chunk.iter().map(|request| request.live), device);
        let reference = images_to_tensor(chunk.iter().map(|request| request.reference), device);
        let batch = generator
            .generate(live, reference, &ids, seed, config)
            .map_err(|error| error.to_string())?;
        images.extend(tensor_to_images(batch));
        made(chunk.len() as u64);
    }
    Ok(images)
}
