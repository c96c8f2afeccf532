//! What a classifier is trained on: admitted samples, their pictures and their style classes.

use std::collections::BTreeSet;
use std::sync::Arc;

use fas_data::{AdmittedSamples, TrainingPurpose, image_to_array};
use image::RgbImage;

use crate::error::TrainingSetProblem;
use crate::{Backbone, Classifier, ClassifyError};

/// Values of one sample.
#[derive(Debug, Clone)]
pub(super) enum Planes {
    /// Three planes of a picture, a byte each: a quarter of the memory.
    Picture(Arc<RgbImage>),
    /// Any planes.
    Values(Arc<[f32]>),
}

/// Samples to train on, with their images and classes.
#[derive(Debug, Clone)]
pub struct TrainingSet {
    pub(super) images: Vec<Planes>,
    pub(super) channels: usize,
    /// Width and height.
    pub(super) size: [usize; 2],
    pub(super) classes: Vec<usize>,
    pub(super) is_bona_fide: Vec<bool>,
    /// BRISQUE of each picture (lower is better), where it has one.
    pub(super) quality: Vec<Option<f64>>,
    /// Positions in `domain_names`.
    pub(super) domains: Vec<usize>,
    pub(super) is_generated: Vec<bool>,
    pub(super) domain_names: Vec<String>,
}

impl TrainingSet {
    /// A set of `samples`, whose BRISQUE scores are taken from them.
    ///
    /// # Shapes
    ///
    /// - images: one a sample, each `channels x size x size` values; the first three planes are the
    ///   face in `[-1, 1]`, further ones what the [`Backbone`] takes beside it
    /// - classes: one a sample; bona fide classes come first
    ///
    /// # Errors
    ///
    /// [`ClassifyError::Data`] if the samples were not admitted for a classifier,
    /// [`ClassifyError::TrainingSet`] if there is none or something is missing or misshaped.
    pub fn new(
        samples: &AdmittedSamples,
        images: Vec<Vec<f32>>,
        size: usize,
        classes: Vec<usize>,
    ) -> Result<Self, ClassifyError> {
        // All images have as many planes as the first, and at least the three of a face.
        let first = images.first().map_or(0, Vec::len);
        let channels = (first / (size * size).max(1)).max(3);
        let expected = channels * size * size;
        if let Some(sample) = images.iter().position(|image| image.len() != expected) {
            let problem = TrainingSetProblem::ImageLength {
                sample,
                values: images[sample].len(),
                expected,
            };
            return Err(ClassifyError::TrainingSet(problem));
        }
        let images = images.into_iter().map(|image| Planes::Values(image.into()));
        Self::of_planes(samples, images.collect(), channels, [size, size], classes)
    }

    /// A set of pictures, which it shares with its caller.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new); pictures of different sizes are one too.
    pub fn of_pictures(
        samples: &AdmittedSamples,
        pictures: Vec<Arc<RgbImage>>,
        classes: Vec<usize>,
    ) -> Result<Self, ClassifyError> {
        let expected = pictures.first().map_or((0, 0), |image| image.dimensions());
        if let Some(sample) = pictures.iter().position(|p| p.dimensions() != expected) {
            let problem = TrainingSetProblem::ImageSize {
                sample,
                size: pictures[sample].dimensions(),
                expected,
            };
            return Err(ClassifyError::TrainingSet(problem));
        }
        let size = [expected.0 as usize, expected.1 as usize];
        let images = pictures.into_iter().map(Planes::Picture).collect();
        Self::of_planes(samples, images, 3, size, classes)
    }

    fn of_planes(
        samples: &AdmittedSamples,
        images: Vec<Planes>,
        channels: usize,
        size: [usize; 2],
        classes: Vec<usize>,
    ) -> Result<Self, ClassifyError> {
        let samples = samples.for_purpose(TrainingPurpose::Classifier)?;
        if images.len() != samples.len() || classes.len() != samples.len() {
            return Err(ClassifyError::TrainingSet(TrainingSetProblem::Lengths {
                samples: samples.len(),
                images: images.len(),
                classes: classes.len(),
            }));
        }
        if samples.is_empty() {
            return Err(ClassifyError::TrainingSet(TrainingSetProblem::Empty));
        }
        let names: BTreeSet<&str> = samples.iter().map(|s| s.domain.as_str()).collect();
        let domain_names: Vec<String> = names.into_iter().map(str::to_owned).collect();
        let domain = |name: &String| domain_names.binary_search(name).expect("collected above");
        Ok(Self {
            domains: samples
                .iter()
                .map(|sample| domain(&sample.domain))
                .collect(),
            is_bona_fide: samples.iter().map(|s| s.label.is_bona_fide()).collect(),
            quality: samples.iter().map(|sample| sample.quality_score).collect(),
            is_generated: samples.iter().map(|sample| sample.synthetic).collect(),
            images,
            channels,
            size,
            classes,
            domain_names,
        })
    }

    /// Number of samples.
    pub fn len(&self) -> usize {
        self.images.len()
    }

    /// Whether there is none: never, for a set that [`new`](Self::new) made.
    pub fn is_empty(&self) -> bool {
        self.images.is_empty()
    }

    /// Values of a sample, `channels x height x width`, as they are.
    ///
    /// # Panics
    ///
    /// Panics if there is no such sample.
    pub fn planes(&self, sample: usize) -> Vec<f32> {
        match &self.images[sample] {
            Planes::Picture(picture) => image_to_array(picture).into_iter().collect(),
            Planes::Values(values) => values.to_vec(),
        }
    }

    /// Style class of each sample.
    pub fn classes(&self) -> &[usize] {
        &self.classes
    }

    /// Domains of the samples, in alphabetical order.
    pub fn domain_names(&self) -> &[String] {
        &self.domain_names
    }

    /// Steps of `batch_size` that see as many pictures as there are samples.
    ///
    /// # Panics
    ///
    /// Panics if `batch_size` is 0.
    pub fn steps_per_epoch(&self, batch_size: usize) -> usize {
        self.len().div_ceil(batch_size)
    }

    /// Checks planes and classes against a classifier.
    pub(super) fn check_fits<B: Backbone>(
        &self,
        classifier: &Classifier<B>,
    ) -> Result<(), TrainingSetProblem> {
        if self.channels != classifier.channels() {
            return Err(TrainingSetProblem::Channels {
                found: self.channels,
                expected: classifier.channels(),
            });
        }
        let (classes, bona_fide) = (classifier.num_classes(), classifier.num_bona_fide_classes());
        for (sample, (&class, &live)) in self.classes.iter().zip(&self.is_bona_fide).enumerate() {
            if class >= classes {
                return Err(TrainingSetProblem::ClassOutOfRange {
                    sample,
                    class,
                    classes,
                });
            }
            if live != (class < bona_fide) {
                return Err(TrainingSetProblem::ClassOfOtherLabel {
                    sample,
                    class,
                    bona_fide,
                });
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{admit, sample};
    use super::*;

    fn problem(result: Result<TrainingSet, ClassifyError>) -> String {
        result.unwrap_err().to_string()
    }

    #[test]
    fn what_does_not_fit_is_named() {
        let samples = || admit((0..3).map(|i| sample(i, "C", i % 2, false)).collect());
        let picture = |side: u32| Arc::new(RgbImage::new(side, side));
        let of = |pictures, classes| TrainingSet::of_pictures(&samples(), pictures, classes);
        let text = problem(of(vec![picture(4), picture(4), picture(5)], vec![0, 1, 0]));
        assert!(text.contains("picture 2 has (5, 5) pixels"), "{text}");
        let text = problem(of(vec![picture(4); 2], vec![0, 1, 0]));
        assert!(text.contains("3 samples, 2 images, 3 classes"), "{text}");
        let images = vec![vec![0.0; 48], vec![0.0; 48], vec![0.0; 47]];
        let text = problem(TrainingSet::new(&samples(), images, 4, vec![0, 1, 0]));
        assert!(
            text.contains("image 2 has 47 values, expected 48"),
            "{text}"
        );
        let text = problem(TrainingSet::of_pictures(
            &admit(Vec::new()),
            Vec::new(),
            Vec::new(),
        ));
        assert!(text.contains("no samples"), "{text}");
    }

    #[test]
    fn pictures_are_planes_in_bytes() {
        let mut image = RgbImage::new(2, 1);
        image.put_pixel(1, 0, image::Rgb([255, 0, 51]));
        let samples = admit(vec![sample(0, "C", 0, false)]);
        let set = TrainingSet::of_pictures(&samples, vec![Arc::new(image)], vec![0]).unwrap();
        let planes = set.planes(0);
        assert_eq!(planes[..5], [-1.0, 1.0, -1.0, -1.0, -1.0]);
        assert!((planes[5] + 0.6).abs() < 1e-6);
        assert_eq!(set.steps_per_epoch(32), 1);
    }
}
