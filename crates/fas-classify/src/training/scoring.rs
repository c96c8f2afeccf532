//! Scores and features of many pictures.

use std::borrow::Borrow;

use burn::tensor::{Device, Tensor, TensorData};
use fas_data::image_to_array;
use image::RgbImage;

use crate::{Backbone, Classifier};

/// A batch of pictures in `[-1, 1]`.
///
/// # Shapes
///
/// - output: `[images.len(), 3, height, width]`
///
/// # Panics
///
/// Panics if there is no picture, or if sizes differ.
pub fn picture_batch(images: &[impl Borrow<RgbImage>], device: &Device) -> Tensor<4> {
    let size = images[0].borrow().dimensions();
    let mut values = Vec::with_capacity(images.len() * 3 * (size.0 * size.1) as usize);
    for image in images {
        let image: &RgbImage = image.borrow();
        assert_eq!(
            image.dimensions(),
            size,
            "pictures of one batch differ in size"
        );
        values.extend(image_to_array(image));
    }
    let shape = [images.len(), 3, size.1 as usize, size.0 as usize];
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Scores of images of `channels x size x size` values, in order, `batch_size` at a time; higher is
/// more bona fide.
///
/// # Panics
///
/// Panics if an image does not have `channels x size x size` values, or if `batch_size` is 0.
pub fn score_images<B: Backbone>(
    classifier: &Classifier<B>,
    images: &[Vec<f32>],
    size: usize,
    batch_size: usize,
    device: &Device,
) -> Vec<f64> {
    images
        .chunks(batch_size)
        .flat_map(|batch| {
            let values: Vec<f32> = batch.iter().flatten().copied().collect();
            let data = TensorData::new(values, [batch.len(), classifier.channels(), size, size]);
            let scores = classifier.score(Tensor::<4>::from_data(data, device));
            scores.into_data().iter::<f64>().collect::<Vec<_>>()
        })
        .collect()
}

/// Scores of pictures, in order, `batch_size` at a time; higher is more bona fide.
///
/// # Panics
///
/// Panics if sizes differ within a batch, or if `batch_size` is 0.
pub fn score_pictures<B: Backbone>(
    classifier: &Classifier<B>,
    pictures: &[impl Borrow<RgbImage>],
    batch_size: usize,
    device: &Device,
) -> Vec<f64> {
    let batches = pictures.chunks(batch_size);
    batches
        .flat_map(|batch| {
            let scores = classifier.score(picture_batch(batch, device));
            scores.into_data().iter::<f64>().collect::<Vec<_>>()
        })
        .collect()
}

/// Feature vectors of pictures, in order, `batch_size` at a time: for a map of them (DiffFAS, Fig. 12).
///
/// # Panics
///
/// As [`score_pictures`].
pub fn picture_features<B: Backbone>(
    classifier: &Classifier<B>,
    pictures: &[impl Borrow<RgbImage>],
    batch_size: usize,
    device: &Device,
) -> Vec<Vec<f32>> {
    let batches = pictures.chunks(batch_size);
    batches
        .flat_map(|batch| {
            let features = classifier.features(picture_batch(batch, device));
            let length = features.dims()[1];
            let values: Vec<f32> = features.into_data().iter::<f32>().collect();
            values
                .chunks(length)
                .map(<[f32]>::to_vec)
                .collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{initial, picture, set};
    use super::*;
    use crate::{ClassifierConfig, ResNetConfig};

    #[test]
    fn neither_batches_nor_bytes_change_a_score() {
        let (set, device) = (set(), Device::default());
        let classifier = initial(&ClassifierConfig::new(ResNetConfig::small(4).into(), 2, 1));
        let pictures: Vec<RgbImage> = (0..16).map(|index| picture(index, index % 2)).collect();
        let at_once = score_pictures(&classifier, &pictures, 16, &device);
        let planes: Vec<Vec<f32>> = (0..16).map(|index| set.planes(index)).collect();
        assert_eq!(at_once, score_images(&classifier, &planes, 32, 16, &device));
        let apart = score_pictures(&classifier, &pictures, 5, &device);
        for (a, b) in at_once.iter().zip(apart) {
            assert!((a - b).abs() < 1e-6, "{a} {b}");
        }
        let features = picture_features(&classifier, &pictures, 7, &device);
        assert_eq!((features.len(), features[0].len()), (16, 32));
    }
}
