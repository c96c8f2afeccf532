//! Training of the De-spoofing Face Generator (AG-FAS, section 3.2 and 4.2): the noise (or velocity)
//! that was added to a bona fide face's latents is predicted from its identity tokens.

use std::path::Path;

use burn::config::Config;
use burn::tensor::{Int, Tensor, TensorData};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::bona_fide::BonaFideCodes;
use super::module_trainer::{ModuleTrainer, OptimisationConfig};
use crate::{Denoiser, DespoofingGenerator, DespoofingNetworks, DfgError};

/// How a generator is trained.
#[derive(Config, Debug)]
pub struct DespoofingTrainingConfig {
    /// Steps and rates.
    pub optimisation: OptimisationConfig,
    /// Faces a step. Default: 32 (AG-FAS)
    #[config(default = 32)]
    pub batch_size: usize,
    /// Rate at which the identity is dropped. Default: 0.1 (AG-FAS: none)
    #[config(default = 0.1)]
    pub identity_dropout: f64,
    /// Seed of everything random. Default: 0
    #[config(default = 0)]
    pub seed: u64,
}

impl DespoofingTrainingConfig {
    /// AG-FAS, section 4.2: 150,000 steps of 32 faces, learning rate 1e-5, no dropped identity.
    pub fn paper() -> Self {
        Self::new(OptimisationConfig::paper()).with_identity_dropout(0.0)
    }
}

/// What a step did.
#[derive(Debug, Clone)]
pub struct DespoofingReport {
    /// Step, counted from 0.
    pub step: usize,
    /// Mean squared error of the prediction before the step.
    pub loss: f32,
}

/// A generator in training: condition and U-Net learn, first stage and identity encoder are fixed.
pub struct DespoofingTrainer {
    generator: DespoofingGenerator,
    trainer: ModuleTrainer<Denoiser>,
    config: DespoofingTrainingConfig,
}

impl DespoofingTrainer {
    /// Starts from `generator`.
    pub fn new(generator: DespoofingGenerator, config: DespoofingTrainingConfig) -> Self {
        let denoiser = generator.networks.denoiser.clone();
        Self {
            trainer: ModuleTrainer::new(denoiser, config.optimisation.clone()),
            generator,
            config,
        }
    }

    /// Steps taken so far.
    pub fn steps_taken(&self) -> usize {
        self.trainer.steps_taken()
    }

    /// One step on faces drawn from `faces`, which must have been encoded by the same first stage and
    /// identity encoder.
    ///
    /// # Errors
    ///
    /// [`DfgError::Diverged`] if the loss is not finite; the weights are then unchanged.
    ///
    /// # Panics
    ///
    /// Panics if there are no faces.
    pub fn step(&mut self, faces: &BonaFideCodes) -> Result<DespoofingReport, DfgError> {
        let codes = faces.codes();
        assert!(!codes.is_empty(), "training needs at least one face");
        let step = self.trainer.steps_taken();
        // Everything random of a step comes from (seed, step): a resumed run repeats it.
        let mut random = ChaCha8Rng::seed_from_u64(self.config.seed);
        random.set_stream(step as u64);
        let batch_size = self.config.batch_size;
        let chosen: Vec<usize> = (0..batch_size)
            .map(|_| random.random_range(0..codes.len()))
            .collect();
        let num_timesteps = self.generator.process.schedule().num_timesteps();
        let timesteps: Vec<i64> = (0..batch_size)
            .map(|_| random.random_range(0..num_timesteps) as i64)
            .collect();
        let kept: Vec<f32> = (0..batch_size)
            .map(|_| f32::from(random.random::<f64>() >= self.config.identity_dropout))
            .collect();

        // Everything up to the network runs without a graph.
        let device = self.generator.device().clone();
        let batch = codes.batch(&chosen, &device);
        let shape = batch.posterior.mean.dims();
        let mut normal = || {
            let values: Vec<f32> = (0..shape.iter().product::<usize>())
                .map(|_| StandardNormal.sample(&mut random))
                .collect();
            Tensor::<4>::from_data(TensorData::new(values, shape), &device)
        };
        let x_start = batch.posterior.sample(normal());
        let steps = Tensor::<1, Int>::from_data(&timesteps[..], &device);
        let x_t = self
            .generator
            .process
            .q_sample(x_start.clone(), &steps, normal());
        let unused = x_t.zeros_like();
        let target = self
            .generator
            .parameterisation
            .target(x_start, x_t.clone(), unused, &steps);
        let kept = (self.config.identity_dropout > 0.0)
            .then(|| Tensor::from_inner(Tensor::<1>::from_data(&kept[..], &device)));
        let steps = Tensor::<1, Int>::from_data(&timesteps[..], &device.autodiff());
        let loss = self.trainer.step(|denoiser| {
            let output = denoiser.forward(
                Tensor::from_inner(x_t),
                steps,
                Tensor::from_inner(batch.tokens),
                kept,
            );
            (output - Tensor::from_inner(target)).square().mean()
        })?;
        Ok(DespoofingReport { step, loss })
    }

    /// The generator with the averaged weights.
    pub fn averaged(&self) -> DespoofingGenerator {
        let networks = DespoofingNetworks {
            denoiser: self.trainer.average().clone(),
            ..self.generator.networks.clone()
        };
        self.generator.clone().with_networks(networks)
    }

    /// Writes all that [`resume`](Self::resume) needs into `folder`, atomically. First stage and
    /// identity encoder do not change and are not written.
    ///
    /// # Errors
    ///
    /// [`DfgError::Checkpoint`] if a file cannot be written.
    pub fn checkpoint(&self, folder: &Path) -> Result<(), DfgError> {
        self.trainer.checkpoint(folder)
    }

    /// Goes on from a checkpoint of the same configuration, if there is one, bit for bit.
    ///
    /// # Errors
    ///
    /// [`DfgError::Checkpoint`] if the checkpoint is damaged or of another configuration.
    pub fn resume(self, folder: &Path) -> Result<Self, DfgError> {
        Ok(Self {
            trainer: self.trainer.resume(folder)?,
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::tests::tiny;
    use crate::training::BonaFideSamples;
    use fas_data::{Label, LeakageGuard, Protocol, Sample, Split, TrainingPurpose};
    use image::{Rgb, RgbImage};

    fn codes(generator: &DespoofingGenerator, cache: &Path) -> BonaFideCodes {
        let samples = (0..4)
            .map(|index| Sample {
                id: index.to_string(),
                path: format!("{index}.png").into(),
                label: Label::BonaFide,
                domain: "C".to_owned(),
                split: Split::Train,
                subject: index.to_string(),
                video: None,
                style: String::new(),
                synthetic: false,
                quality_score: None,
                presenter: None,
                crop: None,
            })
            .collect();
        let pool = LeakageGuard::new(&Protocol::intra("C"))
            .admit(TrainingPurpose::Generator, samples)
            .unwrap();
        let samples = BonaFideSamples::new(&pool).unwrap();
        let load = |sample: &Sample| {
            let shade: u8 = sample.id.parse().unwrap();
            Ok(RgbImage::from_fn(16, 16, |x, y| {
                Rgb([(x * 15) as u8, (y * 15) as u8, 60 * shade])
            }))
        };
        BonaFideCodes::compute(generator, &samples, load, cache, |_| {}).unwrap()
    }

    fn trainer(steps: usize) -> DespoofingTrainer {
        let optimisation = OptimisationConfig::new(steps)
            .with_warm_up_steps(1)
            .with_learning_rate(5e-3);
        let config = DespoofingTrainingConfig::new(optimisation).with_batch_size(4);
        DespoofingTrainer::new(tiny(), config)
    }

    #[test]
    fn a_resumed_run_is_bit_equal_to_an_uninterrupted_one() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("checkpoint");
        let mut whole = trainer(4);
        let faces = codes(&whole.averaged(), &place.path().join("cache"));
        for step in 0..4 {
            whole.step(&faces).unwrap();
            if step == 1 {
                whole.checkpoint(&folder).unwrap();
            }
        }
        let mut resumed = trainer(4).resume(&folder).unwrap();
        assert_eq!(resumed.steps_taken(), 2);
        for _ in 2..4 {
            resumed.step(&faces).unwrap();
        }
        assert_eq!(
            whole.averaged().fingerprint(),
            resumed.averaged().fingerprint()
        );
    }

    #[test]
    fn the_loss_falls_and_the_fixed_networks_stay() {
        let place = tempfile::tempdir().unwrap();
        let mut trainer = trainer(120);
        let before = trainer.averaged();
        let faces = codes(&before, place.path());
        let mut losses = Vec::new();
        for _ in 0..120 {
            losses.push(trainer.step(&faces).unwrap().loss);
        }
        let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
        let (first, last) = (mean(&losses[..20]), mean(&losses[100..]));
        assert!(last < 0.8 * first, "{first} {last}");
        let after = trainer.averaged();
        let bytes = |generator: &DespoofingGenerator| {
            let fixed = &generator.networks().first_stage;
            fas_weights::module_bytes(fixed, fas_weights::StoredFloat::F32, &Default::default())
        };
        assert_eq!(bytes(&before), bytes(&after));
    }
}
