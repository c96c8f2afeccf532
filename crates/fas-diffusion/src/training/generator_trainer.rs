//! Training of the generator: DiffFAS, equation 2 and section 4.2; `spec` 1.5 and 1.6.

use std::path::Path;

use burn::config::Config;
use burn::grad_clipping::GradientClippingConfig;
use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor, TensorData};
use fas_data::{AdmittedSamples, TrainingPurpose};
use rand::RngExt;

use crate::noise::{normal_values, seeded};
use crate::{DiffusionError, EmaConfig, Generator, GeneratorNetworks, UNet, hybrid_loss};

/// How a generator is trained.
#[derive(Config, Debug)]
pub struct GeneratorTrainingConfig {
    /// Steps of training.
    pub steps: usize,
    /// Largest learning rate. Default: 8e-4 (small network; DiffFAS: 1e-5)
    #[config(default = 8e-4)]
    pub learning_rate: f64,
    /// Learning rate of the last step; the fall is linear. Default: 4e-5 (DiffFAS: no fall)
    #[config(default = 4e-5)]
    pub final_learning_rate: f64,
    /// Steps over which the learning rate rises from 4 %. Default: 100 (DiffFAS: 5000)
    #[config(default = 100)]
    pub warm_up_steps: usize,
    /// Rate at which the style alone is dropped. Default: 0.2 (DiffFAS)
    #[config(default = 0.2)]
    pub condition_dropout: f64,
    /// Power `p` of `t = T u^p`: 1 is uniform (DiffFAS), 2 draws a third of the steps below a tenth of
    /// `T`, where fine detail is decided. Default: 2
    #[config(default = 2.0)]
    pub timestep_power: f64,
    /// Largest norm of a parameter's gradient. Default: 1 (DiffFAS: none)
    #[config(default = 1.0)]
    pub max_gradient_norm: f32,
    /// Average of the weights. Default: decay 0.999 with warm-up (DiffFAS: 0.9999 after 5000 copies)
    #[config(default = "EmaConfig::new().with_decay(0.999).with_copy_steps(0).with_warm_up(true)")]
    pub ema: EmaConfig,
    /// Seed of everything random. Default: 0
    #[config(default = 0)]
    pub seed: u64,
}

impl GeneratorTrainingConfig {
    /// The released schedule: learning rate 1e-5 after 5000 steps of warm-up, uniform timesteps, EMA
    /// 0.9999 after 5000 copies, no clipping.
    pub fn released(steps: usize) -> Self {
        Self::new(steps)
            .with_learning_rate(1e-5)
            .with_final_learning_rate(1e-5)
            .with_warm_up_steps(5000)
            .with_timestep_power(1.0)
            .with_max_gradient_norm(f32::MAX)
            .with_ema(EmaConfig::new())
    }

    /// Learning rate of `step`.
    pub fn learning_rate_at(&self, step: usize) -> f64 {
        if step < self.warm_up_steps {
            let progress = step as f64 / self.warm_up_steps as f64;
            return self.learning_rate * (0.04 + 0.96 * progress);
        }
        let progress = (step - self.warm_up_steps) as f64
            / (self.steps.saturating_sub(self.warm_up_steps)).max(1) as f64;
        let progress = progress.min(1.0);
        self.learning_rate * (1.0 - progress) + self.final_learning_rate * progress
    }
}

/// A batch of training triplets.
///
/// # Shapes
///
/// - all: `[batch_size, 3, image_size, image_size]`, in `[-1, 1]`
#[derive(Debug, Clone)]
pub struct TripletBatch {
    /// Bona fide faces.
    pub content: Tensor<4>,
    /// Attacks on the same people: the ground truth.
    pub target: Tensor<4>,
    /// Other attacks of the same styles.
    pub style: Tensor<4>,
}

/// What a step did.
#[derive(Debug, Clone)]
pub struct StepReport {
    /// Step, counted from 0.
    pub step: usize,
    /// Loss before the step.
    pub loss: f32,
    /// Timestep and loss of each sample.
    pub samples: Vec<(usize, f32)>,
}

/// A generator being trained: its U-Net learns, its style encoder is frozen.
pub struct GeneratorTrainer {
    generator: Generator,
    unet: UNet,
    average: UNet,
    optimiser: ModuleOptimizer,
    config: GeneratorTrainingConfig,
    device: Device,
    step: usize,
}

impl GeneratorTrainer {
    /// Starts from `generator`, on the autodiff side of its device; the triplets of all steps are of
    /// the samples in `pool`.
    ///
    /// # Errors
    ///
    /// [`DiffusionError::Data`] if the samples of `pool` were admitted for something else.
    pub fn new(
        generator: Generator,
        config: GeneratorTrainingConfig,
        pool: &AdmittedSamples,
    ) -> Result<Self, DiffusionError> {
        pool.for_purpose(TrainingPurpose::Generator)?;
        let device = generator.device().clone().autodiff();
        let unet = generator.networks.unet.clone().train();
        let average = generator.networks.unet.clone();
        let optimiser = AdamWConfig::new()
            .with_epsilon(1e-8)
            .with_weight_decay(0.0)
            .with_grad_clipping(Some(GradientClippingConfig::Norm(config.max_gradient_norm)))
            .init();
        Ok(Self {
            generator,
            unet,
            average,
            optimiser,
            config,
            device,
            step: 0,
        })
    }

    /// Steps taken so far.
    pub fn steps_taken(&self) -> usize {
        self.step
    }

    /// One step.
    ///
    /// # Errors
    ///
    /// [`DiffusionError::Diverged`] if the loss is not finite; the weights are then unchanged.
    pub fn step(&mut self, batch: TripletBatch) -> Result<StepReport, DiffusionError> {
        let [batch_size, channels, height, width] = batch.content.dims();
        let mut random = seeded(self.config.seed, &format!("generator step {}", self.step));
        let num_timesteps = self.generator.process.schedule().num_timesteps();
        let timesteps: Vec<i64> = (0..batch_size)
            .map(|_| {
                let u: f64 = random.random();
                (num_timesteps as f64 * u.powf(self.config.timestep_power)) as i64
            })
            .collect();
        let kept: Vec<f32> = (0..batch_size)
            .map(|_| f32::from(random.random::<f64>() >= self.config.condition_dropout))
            .collect();
        let noise = normal_values(&mut random, batch_size * channels * height * width);

        // Everything up to the network runs without a graph.
        let plain = self.generator.device();
        let noise = Tensor::<4>::from_data(
            TensorData::new(noise, [batch_size, channels, height, width]),
            plain,
        );
        let steps = Tensor::<1, Int>::from_data(&timesteps[..], plain);
        let kept = Tensor::<1>::from_data(&kept[..], plain).reshape([batch_size, 1, 1, 1]);
        let features = self
            .generator
            .networks
            .style_encoder
            .features(batch.style * kept);
        let x_t = self
            .generator
            .process
            .q_sample(batch.target.clone(), &steps, noise.clone());
        let target = self.generator.parameterisation.target(
            batch.target.clone(),
            x_t.clone(),
            batch.content.clone(),
            &steps,
        );
        let lift = |tensor: Tensor<4>| Tensor::from_inner(tensor);
        let condition = self.unet.condition(&crate::StyleFeatures(
            features.0.into_iter().map(lift).collect(),
        ));
        let output = self.unet.forward(
            lift(x_t.clone()),
            lift(batch.content),
            Tensor::<1, Int>::from_data(&timesteps[..], &self.device),
            &condition,
        );
        let (loss, per_sample) = if output.dims()[1] == channels {
            let error = (output - lift(target)).square();
            let per_sample: Tensor<1> = error.mean_dims(&[1, 2, 3]).reshape([batch_size]);
            (per_sample.clone().mean(), per_sample)
        } else {
            let steps = Tensor::<1, Int>::from_data(&timesteps[..], &self.device);
            let process = crate::DiffusionProcess::new(
                self.generator.process.schedule().clone(),
                &self.device,
            );
            let loss = hybrid_loss(
                &process,
                output,
                lift(batch.target),
                lift(x_t),
                lift(noise),
                &steps,
            );
            (loss.total(), loss.vb_bits)
        };
        let value: f32 = loss.clone().into_scalar();
        if !value.is_finite() {
            return Err(DiffusionError::Diverged {
                step: self.step,
                loss: value,
            });
        }
        let losses: Vec<f32> = per_sample
            .into_data_as::<f32>()
            .try_to_vec()
            .expect("converted to f32 above");
        let grads = GradientsParams::from_grads(loss.backward(), &self.unet);
        let rate = self.config.learning_rate_at(self.step);
        self.unet = self.optimiser.step(rate, self.unet.clone(), grads);
        self.average = self
            .config
            .ema
            .update(self.average.clone(), &self.unet, self.step);
        let report = StepReport {
            step: self.step,
            loss: value,
            samples: timesteps.iter().map(|&t| t as usize).zip(losses).collect(),
        };
        self.step += 1;
        Ok(report)
    }

    /// The generator with the averaged weights.
    pub fn averaged(&self) -> Generator {
        let networks = GeneratorNetworks {
            unet: self.average.clone(),
            style_encoder: self.generator.networks.style_encoder.clone(),
        };
        self.generator.clone().with_networks(networks)
    }

    /// Writes all that [`resume`](Self::resume) needs into `folder`, under a temporary name first: a
    /// kill at any moment leaves the older checkpoint or the new one.
    ///
    /// # Errors
    ///
    /// [`DiffusionError::Checkpoint`] if a file cannot be written.
    pub fn checkpoint(&self, folder: &Path) -> Result<(), DiffusionError> {
        let failed = |reason: String| DiffusionError::Checkpoint {
            path: folder.to_owned(),
            reason,
        };
        let io = |error: std::io::Error| failed(error.to_string());
        let partial = folder.with_extension("partial");
        let _ = std::fs::remove_dir_all(&partial);
        std::fs::create_dir_all(&partial).map_err(io)?;
        let record = |error: burn::store::RecordError| failed(error.to_string());
        let unet = self.unet.clone().valid();
        unet.save_file(partial.join("unet.bpk")).map_err(record)?;
        self.average
            .clone()
            .save_file(partial.join("average.bpk"))
            .map_err(record)?;
        let encoder = self.generator.networks.style_encoder.clone();
        encoder
            .save_file(partial.join("style_encoder.bpk"))
            .map_err(record)?;
        self.optimiser
            .save(partial.join("optimiser.bpk"))
            .map_err(record)?;
        std::fs::write(partial.join("step"), self.step.to_string()).map_err(io)?;
        let old = folder.with_extension("old");
        let _ = std::fs::remove_dir_all(&old);
        if folder.exists() {
            std::fs::rename(folder, &old).map_err(io)?;
        }
        std::fs::rename(&partial, folder).map_err(io)?;
        let _ = std::fs::remove_dir_all(&old);
        Ok(())
    }

    /// Goes on from a checkpoint of the same configuration, if there is one: the weights that follow
    /// are bit-equal to those of a run that was not stopped.
    ///
    /// # Errors
    ///
    /// [`DiffusionError::Checkpoint`] if the checkpoint is damaged or of another configuration.
    pub fn resume(mut self, folder: &Path) -> Result<Self, DiffusionError> {
        // A kill between the two renames leaves only the older one.
        let old = folder.with_extension("old");
        let folder = if folder.exists() || !old.exists() {
            folder.to_owned()
        } else {
            old
        };
        if !folder.exists() {
            return Ok(self);
        }
        let failed = |reason: String| DiffusionError::Checkpoint {
            path: folder.clone(),
            reason,
        };
        let record = |error: burn::store::RecordError| failed(error.to_string());
        let plain = self.generator.networks.unet.clone();
        self.unet = plain
            .try_load_file(folder.join("unet.bpk"))
            .map_err(record)?
            .train();
        self.average = self
            .average
            .try_load_file(folder.join("average.bpk"))
            .map_err(record)?;
        let encoder = self.generator.networks.style_encoder.clone();
        self.generator.networks.style_encoder = encoder
            .try_load_file(folder.join("style_encoder.bpk"))
            .map_err(record)?;
        self.optimiser = self
            .optimiser
            .load(folder.join("optimiser.bpk"))
            .map_err(record)?;
        let step =
            std::fs::read_to_string(folder.join("step")).map_err(|e| failed(e.to_string()))?;
        self.step = step
            .trim()
            .parse()
            .map_err(|_| failed(format!("step reads {step:?}")))?;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GeneratorConfig, StyleEncoderConfig, UNetConfig};
    use fas_data::{LeakageGuard, Protocol};

    fn tiny() -> Generator {
        let device = Device::default();
        let mut unet = UNetConfig::small()
            .with_model_channels(8)
            .with_num_groups(4)
            .with_embed_channels(16);
        unet.image_size = 32;
        unet.fusion_sizes = vec![8, 4];
        let encoder = StyleEncoderConfig::small(2)
            .with_stem_channels(8)
            .with_widths(vec![8, 16, 24]);
        device.seed(11);
        GeneratorConfig::new(unet, encoder)
            .with_prediction(crate::Prediction::LiveCentred { deviation: 0.35 })
            .init(&device)
    }

    fn trainer(generator: Generator, config: GeneratorTrainingConfig) -> GeneratorTrainer {
        let pool = LeakageGuard::new(&Protocol::intra("C"))
            .admit(TrainingPurpose::Generator, Vec::new())
            .unwrap();
        GeneratorTrainer::new(generator, config, &pool).unwrap()
    }

    fn batch(step: usize) -> TripletBatch {
        let device = Device::default();
        let mut random = seeded(step as u64, "batch");
        let mut image = || {
            let values = normal_values(&mut random, 2 * 3 * 32 * 32);
            Tensor::<4>::from_data(TensorData::new(values, [2, 3, 32, 32]), &device)
                .clamp(-1.0, 1.0)
        };
        TripletBatch {
            content: image(),
            target: image(),
            style: image(),
        }
    }

    fn weights(trainer: &GeneratorTrainer) -> Vec<u8> {
        let networks = trainer.averaged();
        fas_weights::module_bytes(
            networks.networks(),
            fas_weights::StoredFloat::F32,
            &Default::default(),
        )
    }

    #[test]
    fn a_resumed_run_is_bit_equal_to_an_uninterrupted_one() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let config = GeneratorTrainingConfig::new(4).with_warm_up_steps(1);
        let start = tiny();
        let mut whole = trainer(start.clone(), config.clone());
        for step in 0..4 {
            whole.step(batch(step)).unwrap();
            if step == 1 {
                whole.checkpoint(&path).unwrap();
            }
        }
        let mut resumed = trainer(tiny(), config).resume(&path).unwrap();
        assert_eq!(resumed.steps_taken(), 2);
        for step in 2..4 {
            resumed.step(batch(step)).unwrap();
        }
        assert_eq!(weights(&whole), weights(&resumed));
    }

    #[test]
    fn the_loss_falls_on_a_repeated_batch() {
        let config = GeneratorTrainingConfig::new(60)
            .with_warm_up_steps(1)
            .with_learning_rate(3e-3)
            .with_timestep_power(1.0);
        let mut trainer = trainer(tiny(), config);
        let losses: Vec<f32> = (0..60)
            .map(|_| trainer.step(batch(0)).unwrap().loss)
            .collect();
        let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
        assert!(
            mean(&losses[50..]) < 0.8 * mean(&losses[..10]),
            "{losses:?}"
        );
    }

    #[test]
    fn divergence_stops_training_and_keeps_the_weights() {
        let mut trainer = trainer(tiny(), GeneratorTrainingConfig::new(4));
        let before = weights(&trainer);
        let mut poisoned = batch(0);
        poisoned.target = poisoned.target * f32::NAN;
        let error = trainer.step(poisoned).unwrap_err();
        assert!(
            matches!(error, DiffusionError::Diverged { step: 0, .. }),
            "{error}"
        );
        assert_eq!(before, weights(&trainer));
    }
}
