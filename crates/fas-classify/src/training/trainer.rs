//! Training of a classifier (DiffFAS, section 4.2): one step at a time, stoppable at any of them.

use std::path::Path;

use burn::config::Config;
use burn::module::Module;
use burn::optim::{GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Tensor, TensorData};
use fas_weights::{find_folder, replace_folder};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use super::{AugmentationConfig, OptimiserConfig, Sampler, SamplingConfig, TrainingSet};
use crate::loss::{Adversary, DomainDiscriminator, ObjectiveConfig, Targets, similarity_loss};
use crate::{Backbone, Classifier, ClassifyError, FaceBackbone};

/// How a classifier is trained.
#[derive(Config, Debug)]
pub struct ClassifierTrainingConfig {
    /// What is minimised.
    pub objective: ObjectiveConfig,
    /// Steps of training.
    pub steps: usize,
    /// Samples a step. Default: 32
    #[config(default = 32)]
    pub batch_size: usize,
    /// Optimiser and learning rate. Default: [`OptimiserConfig::small`]
    #[config(default = "OptimiserConfig::small()")]
    pub optimiser: OptimiserConfig,
    /// Which samples a batch has. Default: even over domains and classes
    #[config(default = "SamplingConfig::new()")]
    pub sampling: SamplingConfig,
    /// What happens to the pictures. Default: mirroring, and shifts of up to 3 pixels
    #[config(default = "AugmentationConfig::new()")]
    pub augmentation: AugmentationConfig,
    /// Rate of the dropout before the embedding of SSDG's head; other heads have none. Default: 0.5
    #[config(default = 0.5)]
    pub embedding_dropout: f64,
    /// Seed of everything random but the initial weights of the classifier. Default: 0
    #[config(default = 0)]
    pub seed: u64,
}

/// What is trained: the classifier, and the discriminator of the adversarial loss.
#[derive(Module, Debug)]
struct Networks<B: Backbone> {
    classifier: Classifier<B>,
    discriminator: Option<DomainDiscriminator>,
}

/// What a step did.
#[derive(Debug, Clone, PartialEq)]
pub struct StepReport {
    /// Step, counted from 0.
    pub step: usize,
    /// Objective before the step.
    pub loss: f32,
    /// Classification loss.
    pub classification: f32,
    /// Triplet loss, if asked for.
    pub triplet: Option<f32>,
    /// Adversarial loss, if asked for.
    pub adversarial: Option<f32>,
    /// Similarity of two views, if asked for.
    pub similarity: Option<f32>,
}

/// A classifier being trained.
pub struct ClassifierTrainer<'a, B: Backbone = FaceBackbone> {
    set: &'a TrainingSet,
    config: ClassifierTrainingConfig,
    sampler: Sampler,
    networks: Networks<B>,
    optimiser: ModuleOptimizer,
    random: ChaCha8Rng,
    device: Device,
    step: usize,
}

/// What a checkpoint holds beside weights.
#[derive(Config, Debug)]
struct TrainerState {
    step: usize,
    /// Position in the random stream; more than 64 bits.
    position: String,
    config: ClassifierTrainingConfig,
}

impl<'a, B: Backbone> ClassifierTrainer<'a, B> {
    /// Starts from `classifier` on the autodiff side of `device`.
    ///
    /// The discriminator's weights come from the seed. The classifier's come from the device's one
    /// generator, when they are first read: see
    /// [`ClassifierConfig::init_seeded`](crate::ClassifierConfig::init_seeded).
    ///
    /// # Errors
    ///
    /// [`ClassifyError::TrainingSet`] if a class is beyond the head or of the other label, if the
    /// backbone takes other planes, or if the sampling asks for something that the set does not have.
    ///
    /// # Panics
    ///
    /// Panics if a setting is outside its range.
    pub fn new(
        classifier: Classifier<B>,
        set: &'a TrainingSet,
        config: ClassifierTrainingConfig,
        device: &Device,
    ) -> Result<Self, ClassifyError> {
        assert!(config.batch_size > 0, "a batch has at least one sample");
        set.check_fits(&classifier)
            .map_err(ClassifyError::TrainingSet)?;
        let sampler = Sampler::new(set, &config.sampling).map_err(ClassifyError::TrainingSet)?;
        let discriminator = config.objective.adversarial.as_ref().map(|adversarial| {
            let length = classifier
                .embedding_length()
                .unwrap_or_else(|| classifier.feature_length());
            let domains = set.domain_names().len();
            // Another stream than that of the batches.
            let mut random = ChaCha8Rng::seed_from_u64(config.seed);
            random.set_stream(1);
            let discriminator = adversarial.init(length, domains, device);
            discriminator.redrawn(|| normal(&mut random))
        });
        let networks = Networks {
            classifier,
            discriminator,
        };
        Ok(Self {
            set,
            sampler,
            networks: networks.train(),
            optimiser: config.optimiser.init(),
            random: ChaCha8Rng::seed_from_u64(config.seed),
            config,
            device: device.clone().autodiff(),
            step: 0,
        })
    }

    /// Steps taken so far.
    pub fn steps_taken(&self) -> usize {
        self.step
    }

    /// Whether all steps of the configuration are taken.
    pub fn is_done(&self) -> bool {
        self.step >= self.config.steps
    }

    /// The classifier as it is now, for inference.
    pub fn classifier(&self) -> Classifier<B> {
        self.networks.classifier.clone().valid()
    }

    /// One step.
    ///
    /// # Errors
    ///
    /// [`ClassifyError::Diverged`] if the loss is not finite; the weights are then unchanged.
    pub fn step(&mut self) -> Result<StepReport, ClassifyError> {
        let chosen = self.sampler.draw(self.config.batch_size, &mut self.random);
        let views = if self.config.objective.similarity_weight.is_some() {
            2
        } else {
            1
        };
        let images = self.images(&chosen, views);
        let rows = views * chosen.len();
        let over_views = |values: Vec<usize>| values.repeat(views);
        let classes = over_views(chosen.iter().map(|&s| self.set.classes[s]).collect());
        let domains = over_views(chosen.iter().map(|&s| self.set.domains[s]).collect());
        let live = chosen.iter().map(|&s| self.set.is_bona_fide[s]);
        let live = live.collect::<Vec<bool>>().repeat(views);
        let quality = chosen.iter().map(|&s| self.set.quality[s]);
        let quality = quality.collect::<Vec<Option<f64>>>().repeat(views);
        let targets = Targets {
            classes: &classes,
            is_bona_fide: &live,
            quality: &quality,
            domains: &domains,
        };

        let embedding_length = self.networks.classifier.embedding_length();
        let embedding_mask = embedding_length
            .map(|length| self.dropout_mask([rows, length], self.config.embedding_dropout));
        let adversarial = self.config.objective.adversarial.as_ref();
        let discriminator_mask = adversarial
            .map(|config| ([rows, config.hidden], config.dropout))
            .map(|(shape, rate)| self.dropout_mask(shape, rate));
        let networks = self.networks.clone();
        let output = networks.classifier.forward(images, embedding_mask);
        let features = output.features.clone();
        let adversary = networks
            .discriminator
            .as_ref()
            .map(|discriminator| Adversary {
                discriminator,
                dropout_mask: discriminator_mask,
                step: self.step,
            });
        let mut terms = self.config.objective.forward(output, targets, adversary);
        if let Some(weight) = self.config.objective.similarity_weight {
            let count = chosen.len();
            let first = features.clone().narrow(0, 0, count);
            let second = features.narrow(0, count, count);
            terms = terms.with_similarity(similarity_loss(first, second).mean(), weight);
        }
        let value = |tensor: &Tensor<1>| tensor.clone().into_scalar::<f32>();
        let report = StepReport {
            step: self.step,
            loss: value(&terms.total),
            classification: value(&terms.classification),
            triplet: terms.triplet.as_ref().map(value),
            adversarial: terms.adversarial.as_ref().map(value),
            similarity: terms.similarity.as_ref().map(value),
        };
        if !report.loss.is_finite() {
            return Err(ClassifyError::Diverged {
                step: self.step,
                loss: report.loss,
            });
        }
        let gradients = GradientsParams::from_grads(terms.total.backward(), &networks);
        let rate = self
            .config
            .optimiser
            .learning_rate_at(self.step, self.config.steps);
        let mut networks = self.optimiser.step(rate, networks, gradients);
        networks.classifier = networks.classifier.renormalised();
        self.networks = networks;
        self.step += 1;
        Ok(report)
    }

    /// Augmented images, all of the first view before those of the second.
    fn images(&mut self, chosen: &[usize], views: usize) -> Tensor<4> {
        let [width, height] = self.set.size;
        let rows = views * chosen.len();
        let mut values = Vec::with_capacity(rows * self.set.channels * width * height);
        for _ in 0..views {
            for &sample in chosen {
                self.config.augmentation.apply(
                    &self.set.images[sample],
                    self.set.channels,
                    self.set.size,
                    &mut self.random,
                    &mut values,
                );
            }
        }
        let data = TensorData::new(values, [rows, self.set.channels, height, width]);
        Tensor::from_data(data, &self.device)
    }

    /// Zeros at `rate`, elsewhere what keeps the mean. Drawn here, since the device's generator has no
    /// state that a checkpoint could hold.
    fn dropout_mask(&mut self, shape: [usize; 2], rate: f64) -> Tensor<2> {
        let kept = (1.0 / (1.0 - rate)) as f32;
        let values: Vec<f32> = (0..shape[0] * shape[1])
            .map(|_| {
                if self.random.random::<f64>() < rate {
                    0.0
                } else {
                    kept
                }
            })
            .collect();
        Tensor::from_data(TensorData::new(values, shape), &self.device)
    }

    /// Writes all that [`resume`](Self::resume) needs into `folder`, under a temporary name first: a
    /// kill at any moment leaves the older checkpoint or the new one.
    ///
    /// # Errors
    ///
    /// [`ClassifyError::Checkpoint`] if a file cannot be written.
    pub fn checkpoint(&self, folder: &Path) -> Result<(), ClassifyError> {
        let failed = |reason: String| ClassifyError::Checkpoint {
            path: folder.to_owned(),
            reason,
        };
        let io = |error: std::io::Error| failed(error.to_string());
        let record = |error: burn::store::RecordError| failed(error.to_string());
        let fill = |partial: &Path| {
            let networks = self.networks.clone().valid();
            networks
                .save_file(partial.join("networks.bpk"))
                .map_err(record)?;
            self.optimiser
                .save(partial.join("optimiser.bpk"))
                .map_err(record)?;
            let position = self.random.get_word_pos().to_string();
            TrainerState::new(self.step, position, self.config.clone())
                .save(partial.join("state.json"))
                .map_err(io)
        };
        replace_folder(folder, fill, io)
    }

    /// Goes on from a checkpoint of the same configuration, if there is one: the weights that follow
    /// are bit-equal to those of a run that was not stopped.
    ///
    /// # Errors
    ///
    /// [`ClassifyError::Checkpoint`] if the checkpoint is damaged or of another configuration.
    pub fn resume(mut self, folder: &Path) -> Result<Self, ClassifyError> {
        let Some(folder) = find_folder(folder) else {
            return Ok(self);
        };
        let failed = |reason: String| ClassifyError::Checkpoint {
            path: folder.clone(),
            reason,
        };
        let record = |error: burn::store::RecordError| failed(error.to_string());
        let state = TrainerState::load(folder.join("state.json"))
            .map_err(|error| failed(error.to_string()))?;
        if state.config.to_string() != self.config.to_string() {
            return Err(failed(
                "it is of another configuration; start anew, or train with the old one".to_owned(),
            ));
        }
        let position = state.position.parse();
        let position = position.map_err(|_| failed(format!("position {:?}", state.position)))?;
        self.networks = self
            .networks
            .valid()
            .try_load_file(folder.join("networks.bpk"))
            .map_err(record)?
            .train();
        self.optimiser = self
            .optimiser
            .load(folder.join("optimiser.bpk"))
            .map_err(record)?;
        self.random.set_word_pos(position);
        self.step = state.step;
        Ok(self)
    }
}

/// A standard normal value (Box and Muller).
fn normal(random: &mut ChaCha8Rng) -> f64 {
    let radius = (-2.0 * (1.0 - random.random::<f64>()).ln()).sqrt();
    radius * (std::f64::consts::TAU * random.random::<f64>()).cos()
}

/// Trains `classifier` on `set` through all steps; `progress` sees every step.
///
/// Two runs with equal arguments on the CPU give bit-equal weights.
///
/// # Errors
///
/// As [`ClassifierTrainer::new`] and [`ClassifierTrainer::step`].
pub fn train_classifier<B: Backbone>(
    classifier: Classifier<B>,
    set: &TrainingSet,
    config: &ClassifierTrainingConfig,
    device: &Device,
    mut progress: impl FnMut(&StepReport),
) -> Result<Classifier<B>, ClassifyError> {
    let mut trainer = ClassifierTrainer::new(classifier, set, config.clone(), device)?;
    while !trainer.is_done() {
        progress(&trainer.step()?);
    }
    Ok(trainer.classifier())
}

#[cfg(test)]
mod tests;
