//! Pictures as tensors and back.

use burn::tensor::{Device, Tensor, TensorData};
use image::RgbImage;

/// Values of a picture in `[-1, 1]`, `3 x height x width`.
pub fn image_values(image: &RgbImage) -> impl Iterator<Item = f32> {
    (0..3).flat_map(|channel| {
        image
            .pixels()
            .map(move |p| f32::from(p.0[channel]) / 127.5 - 1.0)
    })
}

/// Pictures of one size as a batch in `[-1, 1]`.
///
/// # Shapes
///
/// - output: `[images.len(), 3, height, width]`
///
/// # Panics
///
/// Panics if there are no pictures, or their sizes differ.
pub fn images_to_tensor<'a>(
    images: impl IntoIterator<Item = &'a RgbImage>,
    device: &Device,
) -> Tensor<4> {
    let images: Vec<&RgbImage> = images.into_iter().collect();
    let (width, height) = images[0].dimensions();
    let mut values = Vec::with_capacity(images.len() * 3 * (width * height) as usize);
    for image in &images {
        assert_eq!(
            image.dimensions(),
            (width, height),
            "pictures of one batch differ in size"
        );
        values.extend(image_values(image));
    }
    let shape = [images.len(), 3, height as usize, width as usize];
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// A batch in `[-1, 1]` as pictures, rounded to the nearest level.
///
/// # Panics
///
/// Panics if the batch does not have 3 channels.
pub fn tensor_to_images(batch: Tensor<4>) -> Vec<RgbImage> {
    let [_, channels, height, width] = batch.dims();
    assert_eq!(channels, 3, "a picture has 3 channels");
    let values: Vec<f32> = batch
        .into_data_as::<f32>()
        .try_to_vec()
        .expect("converted to f32 above");
    values
        .chunks_exact(3 * height * width)
        .map(|planes| {
            RgbImage::from_fn(width as u32, height as u32, |x, y| {
                let at = y as usize * width + x as usize;
                image::Rgb([0, 1, 2].map(|channel| {
                    let value = planes[channel * height * width + at];
                    ((value + 1.0) * 127.5).round().clamp(0.0, 255.0) as u8
                }))
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_come_back_bit_for_bit() {
        let picture = RgbImage::from_fn(16, 16, |x, y| image::Rgb([x as u8 * 16, y as u8, 255]));
        let device = Device::default();
        let back = tensor_to_images(images_to_tensor([&picture, &picture], &device));
        assert_eq!(back, [picture.clone(), picture]);
    }
}
