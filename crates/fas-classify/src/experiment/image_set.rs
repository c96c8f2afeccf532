//! Samples with their pictures in memory: what an experiment draws all its parts from.

use std::collections::HashMap;
use std::sync::Arc;

use fas_data::{DataError, Manifest, Sample, center_square, load_rgb, resize};
use image::RgbImage;
use rayon::prelude::*;

use crate::ClassifyError;
use crate::error::TrainingSetProblem;

/// Samples and their pictures, all of one size.
#[derive(Debug, Clone)]
pub struct ImageSet {
    samples: Vec<Sample>,
    images: Vec<Arc<RgbImage>>,
    positions: HashMap<String, usize>,
}

impl ImageSet {
    /// A set of pictures in memory, one a sample.
    ///
    /// # Errors
    ///
    /// [`ClassifyError::TrainingSet`] if the numbers or the sizes differ.
    pub fn new(samples: Vec<Sample>, images: Vec<RgbImage>) -> Result<Self, ClassifyError> {
        if samples.len() != images.len() {
            let problem = TrainingSetProblem::Lengths {
                samples: samples.len(),
                images: images.len(),
                classes: samples.len(),
            };
            return Err(ClassifyError::TrainingSet(problem));
        }
        if let Some(first) = images.first() {
            let expected = first.dimensions();
            if let Some(sample) = images.iter().position(|i| i.dimensions() != expected) {
                let size = images[sample].dimensions();
                let problem = TrainingSetProblem::ImageSize {
                    sample,
                    size,
                    expected,
                };
                return Err(ClassifyError::TrainingSet(problem));
            }
        }
        let names = samples.iter().map(|sample| sample.id.clone());
        Ok(Self {
            positions: names.zip(0..).collect(),
            images: images.into_iter().map(Arc::new).collect(),
            samples,
        })
    }

    /// Reads the pictures of a manifest, in parallel: the largest square in the middle, scaled to
    /// `size` pixels.
    ///
    /// # Errors
    ///
    /// [`ClassifyError::Data`] for the first file that cannot be read.
    ///
    /// # Panics
    ///
    /// Panics if `size` is 0.
    pub fn load(manifest: &Manifest, size: u32) -> Result<Self, ClassifyError> {
        let samples = manifest.samples().to_vec();
        let images = samples
            .par_iter()
            .map(|sample| {
                let image = load_rgb(manifest.root().join(&sample.path))?;
                Ok(resize(&center_square(&image), size, size))
            })
            .collect::<Result<Vec<_>, DataError>>()?;
        Self::new(samples, images)
    }

    /// The same set, with the quality score that `score` gives each picture that has none; BRISQUE,
    /// lower is better. In parallel.
    #[must_use]
    pub fn with_quality(mut self, score: impl Fn(&RgbImage) -> Option<f64> + Sync) -> Self {
        self.samples
            .par_iter_mut()
            .zip(&self.images)
            .filter(|(sample, _)| sample.quality_score.is_none())
            .for_each(|(sample, image)| sample.quality_score = score(image));
        self
    }

    /// The samples.
    pub fn samples(&self) -> &[Sample] {
        &self.samples
    }

    /// The pictures, in the order of the samples.
    pub fn images(&self) -> &[Arc<RgbImage>] {
        &self.images
    }

    /// Pictures of `samples`.
    ///
    /// # Errors
    ///
    /// [`ClassifyError::TrainingSet`] for the first sample that is not in the set.
    pub fn images_of(&self, samples: &[Sample]) -> Result<Vec<Arc<RgbImage>>, ClassifyError> {
        samples
            .iter()
            .map(|sample| match self.positions.get(&sample.id) {
                Some(&at) => Ok(Arc::clone(&self.images[at])),
                None => Err(ClassifyError::TrainingSet(TrainingSetProblem::NoPicture {
                    id: sample.id.clone(),
                })),
            })
            .collect()
    }
}
