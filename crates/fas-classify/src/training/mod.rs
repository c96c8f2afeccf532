//! Training of a classifier (DiffFAS, section 4.2; feature `train`).
//!
//! A [`TrainingSet`] of admitted samples, a [`ClassifierTrainingConfig`] with the objective, sampling,
//! augmentation and optimiser, and [`train_classifier`], or a [`ClassifierTrainer`] for those who
//! want to stop and go on.

mod augmentation;
mod optimiser;
mod sampling;
mod scoring;
mod style_classes;
mod trainer;
mod training_set;

pub use augmentation::AugmentationConfig;
pub use optimiser::{LearningRateSchedule, OptimiserConfig, OptimiserKind};
pub use sampling::{DomainRate, Sampler, SamplingBalance, SamplingConfig};
pub use scoring::{picture_batch, picture_features, score_images, score_pictures};
pub use style_classes::{ClassLayout, StyleClasses};
pub use trainer::{ClassifierTrainer, ClassifierTrainingConfig, StepReport, train_classifier};
pub use training_set::TrainingSet;

#[cfg(test)]
pub(crate) mod tests {
    //! What the tests of training share: a set of two domains that is easy to learn.

    use std::collections::BTreeSet;
    use std::path::Path;
    use std::sync::Arc;

    use burn::tensor::Device;
    use fas_data::{
        AdmittedSamples, Label, LeakageGuard, PaiSpecies, Protocol, Sample, Split, TrainingPurpose,
    };
    use fas_weights::{StoredFloat, Weights, module_bytes};
    use image::RgbImage;
    use rand::{RngExt, SeedableRng};
    use rand_chacha::ChaCha8Rng;

    use super::*;
    use crate::{Classifier, ClassifierConfig};

    /// Sample `index` of a domain, bona fide for `attack == 0`.
    pub(crate) fn sample(index: usize, domain: &str, attack: usize, generated: bool) -> Sample {
        let label = match attack {
            0 => Label::BonaFide,
            _ => Label::Attack(PaiSpecies::Print),
        };
        Sample {
            id: format!("{domain}/{index}"),
            path: format!("{domain}/{index}.png").into(),
            label,
            domain: domain.to_owned(),
            split: Split::Train,
            subject: index.to_string(),
            video: None,
            style: format!("{domain}/{attack}"),
            synthetic: generated,
            quality_score: Some(20.0 + index as f64),
            presenter: None,
            crop: None,
        }
    }

    /// Bona fide: dark; attack: bright stripes.
    pub(crate) fn picture(index: usize, attack: usize) -> RgbImage {
        RgbImage::from_fn(32, 32, |x, y| {
            let noise = ((x * 31 + y * 7) as usize + index * 17) % 13 * 3;
            let base = if attack == 1 && x % 4 < 2 { 200 } else { 70 };
            image::Rgb([(base + noise) as u8; 3])
        })
    }

    /// Sixteen samples of the domains C and D, half of them attacks; class 0 is bona fide.
    pub(crate) fn set() -> TrainingSet {
        let images = (0..16).map(|index| Arc::new(picture(index, index % 2)));
        let classes = (0..16).map(|i| i % 2).collect();
        TrainingSet::of_pictures(&admit(samples()), images.collect(), classes).unwrap()
    }

    /// The samples of [`set`] with other planes.
    pub(crate) fn wide_set(planes: impl Fn(usize) -> Vec<f32>) -> TrainingSet {
        let images = (0..16).map(planes).collect();
        let classes = (0..16).map(|i| i % 2).collect();
        TrainingSet::new(&admit(samples()), images, 32, classes).unwrap()
    }

    fn samples() -> Vec<Sample> {
        (0..16)
            .map(|index| sample(index, ["C", "D"][index / 2 % 2], index % 2, false))
            .collect()
    }

    pub(crate) fn admit(samples: Vec<Sample>) -> AdmittedSamples {
        let domains: BTreeSet<String> = samples.iter().map(|s| s.domain.clone()).collect();
        let mut domains: Vec<&str> = domains.iter().map(String::as_str).collect();
        if domains.is_empty() {
            domains.push("C");
        }
        let protocol = Protocol::cross_domain(&domains, "target").unwrap();
        LeakageGuard::new(&protocol)
            .admit(TrainingPurpose::Classifier, samples)
            .unwrap()
    }

    /// What the tests of sampling say of a sample.
    #[derive(Debug, Clone, Copy)]
    pub(crate) struct SampleSpec {
        pub(crate) domain: &'static str,
        pub(crate) attack: bool,
        pub(crate) generated: bool,
        pub(crate) quality: Option<f64>,
    }

    pub(crate) fn set_of(specs: &[SampleSpec]) -> TrainingSet {
        let samples = specs.iter().enumerate().map(|(index, spec)| Sample {
            quality_score: spec.quality,
            ..sample(index, spec.domain, usize::from(spec.attack), spec.generated)
        });
        let images = specs.iter().map(|_| Arc::new(RgbImage::new(2, 2)));
        let classes = specs.iter().map(|spec| usize::from(spec.attack)).collect();
        TrainingSet::of_pictures(&admit(samples.collect()), images.collect(), classes).unwrap()
    }

    /// A classifier whose weights do not come from the process-wide generator, which tests share.
    pub(crate) fn initial(config: &ClassifierConfig) -> Classifier {
        let classifier = config.init(&Device::default());
        let bytes = module_bytes(&classifier, StoredFloat::F32, &Default::default());
        let path = Path::new("initial weights");
        let mut weights = Weights::from_bytes(&bytes, path).unwrap();
        let mut random = ChaCha8Rng::seed_from_u64(7);
        for (shape, values) in weights
            .tensors
            .values_mut()
            .filter(|(shape, _)| shape.len() > 1)
        {
            let fan_in: usize = shape[1..].iter().product();
            let bound = (6.0 / fan_in as f32).sqrt();
            values
                .iter_mut()
                .for_each(|value| *value = random.random_range(-bound..bound));
        }
        weights.apply(classifier, path).unwrap().renormalised()
    }

    pub(crate) fn score(classifier: &Classifier, set: &TrainingSet) -> Vec<f64> {
        let images: Vec<Vec<f32>> = (0..set.len()).map(|sample| set.planes(sample)).collect();
        score_images(classifier, &images, 32, 8, &Device::default())
    }
}
