//! Training of a classifier (DiffFAS, section 4.2; feature `train`).

use std::collections::BTreeMap;

use burn::config::Config;
use burn::module::Module;
use burn::optim::{
    AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig, decay::WeightDecayConfig,
    momentum::MomentumConfig,
};
use burn::tensor::{Device, Tensor, TensorData};
use fas_data::{AdmittedSamples, TrainingPurpose};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::error::TrainingSetProblem;
use crate::loss::ClassifierLoss;
use crate::{Backbone, Classifier, ClassifyError};

/// Optimiser of a classifier.
#[derive(Config, Debug)]
pub enum ClassifierOptimiser {
    /// Stochastic gradient descent with momentum 0.9 and weight decay 5e-4.
    Sgd,
    /// AdamW with weight decay 1e-2.
    AdamW,
}

/// How a classifier is trained.
#[derive(Config, Debug)]
pub struct ClassifierTrainingConfig {
    /// Loss.
    pub loss: ClassifierLoss,
    /// Steps of training.
    pub steps: usize,
    /// Samples a step. Default: 32
    #[config(default = 32)]
    pub batch_size: usize,
    /// Optimiser.
    #[config(default = "ClassifierOptimiser::AdamW")]
    pub optimiser: ClassifierOptimiser,
    /// Largest learning rate; it rises over the first tenth of the steps and falls as a cosine.
    /// Default: 2e-3
    #[config(default = 2e-3)]
    pub learning_rate: f64,
    /// Largest shift of the augmentation, in pixels; edges are repeated. Default: 3
    #[config(default = 3)]
    pub max_shift: usize,
    /// Seed of everything random but the initial weights. Default: 0
    #[config(default = 0)]
    pub seed: u64,
}

/// Samples to train on, with their images and classes.
#[derive(Debug, Clone)]
pub struct TrainingSet {
    images: Vec<Vec<f32>>,
    channels: usize,
    size: usize,
    classes: Vec<usize>,
    /// BRISQUE of each image (lower is better), where it has one.
    quality: Vec<Option<f64>>,
    /// Images of each domain and class: a batch draws these groups evenly.
    groups: Vec<Vec<usize>>,
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
        let samples = samples.for_purpose(TrainingPurpose::Classifier)?;
        let channels =
            check(samples.len(), &images, size, &classes).map_err(ClassifyError::TrainingSet)?;
        let mut groups: BTreeMap<(&str, bool), Vec<usize>> = BTreeMap::new();
        for (index, sample) in samples.iter().enumerate() {
            let key = (sample.domain.as_str(), sample.label.is_bona_fide());
            groups.entry(key).or_default().push(index);
        }
        Ok(Self {
            quality: samples.iter().map(|sample| sample.quality_score).collect(),
            groups: groups.into_values().collect(),
            images,
            channels,
            size,
            classes,
        })
    }

    /// The images.
    pub fn images(&self) -> &[Vec<f32>] {
        &self.images
    }

    fn check_fits<B: Backbone>(
        &self,
        classifier: &Classifier<B>,
    ) -> Result<(), TrainingSetProblem> {
        if self.channels != classifier.channels() {
            return Err(TrainingSetProblem::Channels {
                found: self.channels,
                expected: classifier.channels(),
            });
        }
        let num_classes = classifier.num_classes();
        match self.classes.iter().position(|&class| class >= num_classes) {
            Some(sample) => Err(TrainingSetProblem::ClassOutOfRange {
                sample,
                class: self.classes[sample],
                classes: num_classes,
            }),
            None => Ok(()),
        }
    }
}

fn check(
    samples: usize,
    images: &[Vec<f32>],
    size: usize,
    classes: &[usize],
) -> Result<usize, TrainingSetProblem> {
    if images.len() != samples || classes.len() != samples {
        return Err(TrainingSetProblem::Lengths {
            samples,
            images: images.len(),
            classes: classes.len(),
        });
    }
    if samples == 0 {
        return Err(TrainingSetProblem::Empty);
    }
    // All images have as many planes as the first, and at least the three of a face.
    let channels = (images[0].len() / (size * size).max(1)).max(3);
    let expected = channels * size * size;
    match images.iter().position(|image| image.len() != expected) {
        Some(sample) => Err(TrainingSetProblem::ImageLength {
            sample,
            values: images[sample].len(),
            expected,
        }),
        None => Ok(channels),
    }
}

/// Trains `classifier` on `set`; `progress` sees step and loss.
///
/// Batches draw the groups evenly, samples within them uniformly; images are mirrored at random and
/// shifted. Two runs with equal arguments on the CPU give bit-equal weights.
///
/// # Errors
///
/// [`ClassifyError::TrainingSet`] if a class is beyond the head or the backbone takes other planes, [`ClassifyError::Diverged`] if the loss
/// is not finite.
pub fn train_classifier<B: Backbone>(
    classifier: Classifier<B>,
    set: &TrainingSet,
    config: &ClassifierTrainingConfig,
    device: &Device,
    mut progress: impl FnMut(usize, f32),
) -> Result<Classifier<B>, ClassifyError> {
    let num_bona_fide_classes = classifier.num_bona_fide_classes();
    set.check_fits(&classifier)
        .map_err(ClassifyError::TrainingSet)?;
    let device = device.clone().autodiff();
    let mut classifier = classifier.train();
    let mut optimiser = build_optimiser(&config.optimiser);
    let mut random = ChaCha8Rng::seed_from_u64(config.seed);
    for step in 0..config.steps {
        let chosen: Vec<usize> = (0..config.batch_size)
            .map(|_| {
                let group = &set.groups[random.random_range(0..set.groups.len())];
                group[random.random_range(0..group.len())]
            })
            .collect();
        let mut values = Vec::with_capacity(config.batch_size * set.channels * set.size * set.size);
        for &sample in &chosen {
            augment(
                &set.images[sample],
                set.size,
                config.max_shift,
                &mut random,
                &mut values,
            );
        }
        let shape = [config.batch_size, set.channels, set.size, set.size];
        let images = Tensor::<4>::from_data(TensorData::new(values, shape), &device);
        let classes: Vec<usize> = chosen.iter().map(|&s| set.classes[s]).collect();
        let live: Vec<bool> = classes.iter().map(|&c| c < num_bona_fide_classes).collect();
        let quality: Vec<Option<f64>> = chosen.iter().map(|&s| set.quality[s]).collect();
        let loss = config
            .loss
            .forward(classifier.cosines(images), &classes, &live, &quality);
        let value: f32 = loss.clone().into_scalar();
        if !value.is_finite() {
            return Err(ClassifyError::Diverged { step, loss: value });
        }
        progress(step, value);
        let grads = GradientsParams::from_grads(loss.backward(), &classifier);
        let rate = one_cycle(config.learning_rate, step, config.steps);
        classifier = optimiser.step(rate, classifier, grads);
    }
    Ok(classifier.valid())
}

fn build_optimiser(kind: &ClassifierOptimiser) -> ModuleOptimizer {
    match kind {
        // Burn's momentum has dampening 0.1 unless told otherwise; PyTorch's has none.
        ClassifierOptimiser::Sgd => SgdConfig::new()
            .with_momentum(Some(
                MomentumConfig::new().with_momentum(0.9).with_dampening(0.0),
            ))
            .with_weight_decay(Some(WeightDecayConfig::new(5e-4)))
            .init(),
        ClassifierOptimiser::AdamW => AdamWConfig::new()
            .with_epsilon(1e-8)
            .with_weight_decay(1e-2)
            .init(),
    }
}

fn one_cycle(largest: f64, step: usize, steps: usize) -> f64 {
    let progress = step as f64 / steps as f64;
    if progress < 0.1 {
        return largest * (progress / 0.1).max(0.04);
    }
    largest * (0.5 + 0.5 * (std::f64::consts::PI * (progress - 0.1) / 0.9).cos())
}

/// Appends a mirrored and shifted copy of an image.
fn augment(
    image: &[f32],
    size: usize,
    max_shift: usize,
    random: &mut ChaCha8Rng,
    values: &mut Vec<f32>,
) {
    let mirrored: bool = random.random();
    let span = max_shift as i64;
    let dx = random.random_range(-span..=span);
    let dy = random.random_range(-span..=span);
    let clamp = |position: i64| position.clamp(0, size as i64 - 1) as usize;
    for plane in image.chunks_exact(size * size) {
        for y in 0..size as i64 {
            let row = &plane[clamp(y + dy) * size..][..size];
            values.extend((0..size as i64).map(|x| {
                let x = if mirrored { size as i64 - 1 - x } else { x };
                row[clamp(x + dx)]
            }));
        }
    }
}

/// Scores of images, in order, `batch_size` at a time; higher is more bona fide.
///
/// # Panics
///
/// Panics if an image does not have `channels x size x size` values.
pub fn score_images<B: Backbone>(
    classifier: &Classifier<B>,
    images: &[Vec<f32>],
    size: usize,
    batch_size: usize,
    device: &Device,
) -> Vec<f64> {
    images
        .chunks(batch_size)
        .flat_map(|chunk| {
            let values: Vec<f32> = chunk.iter().flatten().copied().collect();
            let data = TensorData::new(values, [chunk.len(), classifier.channels(), size, size]);
            let scores = classifier.score(Tensor::<4>::from_data(data, device));
            scores.into_data().iter::<f64>().collect::<Vec<_>>()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::loss::RelativeQualityLossConfig;
    use crate::{ClassifierConfig, ResNet, ResNetConfig};
    use fas_data::{Label, LeakageGuard, PaiSpecies, Protocol, Sample, Split};
    use fas_weights::{StoredFloat, Weights, module_bytes};
    use std::path::Path;

    /// Bona fide: dark; attack: bright stripes.
    fn set() -> TrainingSet {
        let size = 32;
        let mut samples = Vec::new();
        let (mut images, mut classes) = (Vec::new(), Vec::new());
        for index in 0..16usize {
            let attack = index % 2;
            let pixel = |at: usize| {
                let noise = ((at * 31 + index * 17) % 13) as f32 / 40.0;
                if attack == 1 && at % 4 < 2 {
                    0.6 + noise
                } else {
                    -0.4 + noise
                }
            };
            samples.push(sample(index, attack));
            images.push((0..3 * size * size).map(pixel).collect());
            classes.push(attack);
        }
        let admitted = LeakageGuard::new(&Protocol::intra("C"))
            .admit(TrainingPurpose::Classifier, samples)
            .unwrap();
        TrainingSet::new(&admitted, images, size, classes).unwrap()
    }

    fn sample(index: usize, attack: usize) -> Sample {
        let label = match attack {
            0 => Label::BonaFide,
            _ => Label::Attack(PaiSpecies::Print),
        };
        Sample {
            id: index.to_string(),
            path: format!("{index}.png").into(),
            label,
            domain: "C".to_owned(),
            split: Split::Train,
            subject: index.to_string(),
            video: None,
            style: format!("C/{attack}"),
            synthetic: false,
            quality_score: Some(20.0 + index as f64),
        }
    }

    /// A classifier whose weights do not come from the process-wide generator, which tests share.
    fn initial() -> Classifier {
        let device = Device::default();
        let classifier = ClassifierConfig::new(ResNetConfig::small(4), 2, 1).init(&device);
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
        weights.apply(classifier, path).unwrap()
    }

    fn train(initial: Classifier, loss: ClassifierLoss) -> (Classifier, Vec<f32>) {
        let device = Device::default();
        let config = ClassifierTrainingConfig::new(loss, 80).with_batch_size(8);
        let mut losses = Vec::new();
        let trained = train_classifier(initial, &set(), &config, &device, |_, loss| {
            losses.push(loss);
        })
        .unwrap();
        (trained, losses)
    }

    #[test]
    fn both_losses_learn_to_separate() {
        for loss in [
            ClassifierLoss::CrossEntropy { scale: 30.0 },
            ClassifierLoss::RelativeQuality(RelativeQualityLossConfig::new()),
        ] {
            let (trained, losses) = train(initial(), loss);
            assert!(
                losses[75..].iter().sum::<f32>() < losses[..5].iter().sum(),
                "{losses:?}"
            );
            let set = set();
            let scores = score_images(&trained, set.images(), 32, 8, &Device::default());
            for (score, class) in scores.iter().zip(set.classes) {
                assert_eq!(*score > 0.5, class == 0, "{scores:?}");
            }
        }
    }

    #[test]
    fn equal_starts_and_seeds_give_bit_equal_runs() {
        let start = initial();
        let run = || train(start.clone(), ClassifierLoss::CrossEntropy { scale: 30.0 }).1;
        assert_eq!(run(), run());
    }

    /// Looks at the planes behind the face's alone.
    #[derive(Module, Debug)]
    struct SecondInput {
        network: ResNet,
    }

    impl Backbone for SecondInput {
        fn channels(&self) -> usize {
            6
        }

        fn feature_length(&self) -> usize {
            self.network.feature_length()
        }

        fn forward(&self, images: Tensor<4>) -> Tensor<2> {
            self.network.forward(images.narrow(1, 3, 3))
        }
    }

    #[test]
    fn further_planes_are_a_second_input() {
        let device = Device::default();
        let plain = set();
        // The face is the same in both classes; what tells them apart lies in the further planes.
        let images = plain
            .images
            .iter()
            .map(|image| [vec![0.1; image.len()], image.clone()].concat())
            .collect();
        let samples = (0..16).map(|index| sample(index, index % 2)).collect();
        let admitted = LeakageGuard::new(&Protocol::intra("C"))
            .admit(TrainingPurpose::Classifier, samples)
            .unwrap();
        let wide = TrainingSet::new(&admitted, images, 32, plain.classes.clone()).unwrap();
        let loss = ClassifierLoss::CrossEntropy { scale: 30.0 };
        let config = ClassifierTrainingConfig::new(loss.clone(), 80).with_batch_size(8);

        let error = train_classifier(initial(), &wide, &config, &device, |_, _| {}).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("images of 6 planes for a network that takes 3"),
            "{message}"
        );
        let backbone = SecondInput {
            network: initial().backbone().clone(),
        };
        let classifier = Classifier::with_backbone(backbone, [2, 1], 30.0, &device);
        let trained = train_classifier(classifier, &wide, &config, &device, |_, _| {}).unwrap();
        let scores = score_images(&trained, wide.images(), 32, 8, &device);
        for (score, class) in scores.iter().zip(plain.classes) {
            assert_eq!(*score > 0.5, class == 0, "{scores:?}");
        }
    }

    #[test]
    fn an_impossible_class_is_named() {
        let mut wrong = set();
        wrong.classes[3] = 9;
        let device = Device::default();
        let classifier = ClassifierConfig::new(ResNetConfig::small(4), 2, 1).init(&device);
        let loss = ClassifierLoss::CrossEntropy { scale: 30.0 };
        let config = ClassifierTrainingConfig::new(loss, 1);
        let error = train_classifier(classifier, &wrong, &config, &device, |_, _| {}).unwrap_err();
        assert!(
            error.to_string().contains("sample 3 has class 9"),
            "{error}"
        );
    }
}
