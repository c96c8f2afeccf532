//! From aligned crops to network input, and from embeddings to similarity.

use burn::tensor::{Device, Tensor, TensorData, assert_shape};
use image::RgbImage;

use super::IDENTITY_INPUT_SIZE;

/// Mean and standard deviation of the ImageNet training images, RGB in `[0, 1]`.
const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];
/// Keeps the cosine of a zero embedding finite.
const EPSILON: f32 = 1e-12;

/// Network input of aligned crops.
///
/// # Shapes
///
/// - output: `[batch_size, 3, 112, 112]`, RGB less the ImageNet mean, over the ImageNet deviation
///
/// # Panics
///
/// Panics if a crop is not 112 x 112 px, or if there is none.
pub fn identity_input(crops: &[RgbImage], device: &Device) -> Tensor<4> {
    assert!(!crops.is_empty(), "identity_input needs at least one crop");
    let side = IDENTITY_INPUT_SIZE as usize;
    let mut values = Vec::with_capacity(crops.len() * 3 * side * side);
    for crop in crops {
        let expected = (IDENTITY_INPUT_SIZE, IDENTITY_INPUT_SIZE);
        assert_eq!(
            crop.dimensions(),
            expected,
            "crops must be aligned to 112 x 112 px"
        );
        for channel in 0..3 {
            values.extend(
                crop.pixels()
                    .map(|pixel| f32::from(pixel.0[channel]) / 255.0),
            );
        }
    }
    let data = TensorData::new(values, [crops.len(), 3, side, side]);
    normalise_identity_input(Tensor::from_data(data, device))
}

/// ImageNet normalisation of RGB in `[0, 1]`; differentiable.
///
/// # Shapes
///
/// - images: `[batch_size, 3, height, width]`, values in `[0, 1]`
/// - output: the same shape
///
/// # Panics
///
/// Panics if there are not three channels.
pub fn normalise_identity_input(images: Tensor<4>) -> Tensor<4> {
    assert_shape!(images, [_, 3, _, _]);
    let device = images.device();
    let channels = |values: [f32; 3]| Tensor::<1>::from_data(values, &device).reshape([1, 3, 1, 1]);
    (images - channels(IMAGENET_MEAN)) / channels(IMAGENET_STD)
}

/// Cosine of the angle between embeddings, row by row; in `[-1, 1]`, 1 for the same direction.
///
/// # Shapes
///
/// - a, b: `[batch_size, embedding]`
/// - output: `[batch_size]`
///
/// # Panics
///
/// Panics if the shapes differ.
pub fn cosine_similarity(a: Tensor<2>, b: Tensor<2>) -> Tensor<1> {
    let [batch_size, width] = a.dims();
    assert_shape!(b, [batch_size, width]);
    let square = |t: &Tensor<2>| (t.clone() * t.clone()).sum_dim(1);
    let norms = (square(&a) * square(&b)).sqrt().clamp_min(EPSILON);
    ((a * b).sum_dim(1) / norms).squeeze_dim(1)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Tolerance;
    use image::Rgb;

    #[test]
    fn pixels_are_normalised_channel_by_channel() {
        let crop = RgbImage::from_pixel(112, 112, Rgb([255, 0, 128]));
        let input = identity_input(&[crop], &Device::default());
        assert_eq!(input.dims(), [1, 3, 112, 112]);
        let corner = input.slice([0..1, 0..3, 5..6, 7..8]).reshape([3]);
        // (1 - 0.485) / 0.229, (0 - 0.456) / 0.224, (128 / 255 - 0.406) / 0.225
        let expected = TensorData::from([2.248_908_3, -2.035_714_3, 0.426_492_4]);
        corner
            .into_data()
            .assert_approx_eq::<f32>(&expected, Tolerance::rel_abs(1e-5, 1e-5));
    }

    #[test]
    fn cosine_of_known_angles() {
        let device = Device::default();
        let a = Tensor::from_data([[3.0, 0.0], [1.0, 1.0], [2.0, 1.0], [0.0, 0.0]], &device);
        let b = Tensor::from_data([[5.0, 0.0], [1.0, 0.0], [-4.0, -2.0], [1.0, 0.0]], &device);
        let expected = TensorData::from([1.0, std::f32::consts::FRAC_1_SQRT_2, -1.0, 0.0]);
        cosine_similarity(a, b)
            .into_data()
            .assert_approx_eq::<f32>(&expected, Tolerance::rel_abs(1e-6, 1e-6));
    }

    #[test]
    #[should_panic(expected = "112 x 112")]
    fn unaligned_crops_are_rejected() {
        let _ = identity_input(&[RgbImage::new(64, 64)], &Device::default());
    }
}
