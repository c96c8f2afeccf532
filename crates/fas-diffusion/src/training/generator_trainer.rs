//! Training of the generator: DiffFAS, equation 2 and section 4.2; `spec` 1.5 and 1.6.

use std::path::Path;

use burn::grad_clipping::GradientClippingConfig;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, GradientCheckpointingStrategy, Int, Tensor, TensorData};
use fas_data::{AdmittedSamples, TrainingPurpose};
use rand::RngExt;
use serde_json::{Value, json};

use super::checkpoint;
use super::generator_training_config::{DroppedCondition, GeneratorTrainingConfig};
use super::recomputation;
use crate::noise::{normal_values, seeded};
use crate::{
    DiffusionError, DiffusionProcess, Generator, GeneratorNetworks, StyleFeatures, UNet,
    variational_bits,
};

/// A batch of training triplets.
///
/// # Shapes
///
/// - all images: `[batch_size, 3, image_size, image_size]`, in `[-1, 1]`
#[derive(Debug, Clone)]
pub struct TripletBatch {
    /// Bona fide faces.
    pub content: Tensor<4>,
    /// Attacks on the same people: the ground truth.
    pub target: Tensor<4>,
    /// Other attacks of the same styles.
    pub style: Tensor<4>,
    /// Names of the targets, for messages; may be empty.
    pub ids: Vec<String>,
}

/// What a step did.
#[derive(Debug, Clone)]
pub struct StepReport {
    /// Step, counted from 0.
    pub step: usize,
    /// Loss before the step.
    pub loss: f32,
    /// Norm of the gradient of all weights, before it is limited.
    pub gradient_norm: f32,
    /// Timestep and loss of each sample.
    pub samples: Vec<(usize, f32)>,
}

/// What is drawn for a batch.
struct Draws {
    timesteps: Vec<i64>,
    /// 1 where the condition stays, 0 where it is dropped.
    kept: Vec<f32>,
    noise: Vec<f32>,
}

/// A generator being trained: its U-Net learns, its style encoder is frozen.
///
/// All randomness of a step comes from the seed of the configuration and the number of the step. Dropout
/// draws from the device's generator, which every step of a network with dropout seeds anew: it is one
/// a process, so such a network is trained alone in its process if its run is to be repeated.
pub struct GeneratorTrainer {
    generator: Generator,
    unet: UNet,
    average: UNet,
    optimiser: ModuleOptimizer,
    config: GeneratorTrainingConfig,
    /// The process on the autodiff side.
    process: DiffusionProcess,
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
        let device = if config.gradient_checkpointing {
            device.gradient_checkpointing()
        } else {
            device
        };
        let unet = for_training(&generator, generator.networks.unet.clone(), &device);
        let average = generator.networks.unet.clone();
        let optimiser = AdamWConfig::new()
            .with_epsilon(1e-8)
            .with_weight_decay(0.0)
            .with_grad_clipping(Some(GradientClippingConfig::Norm(config.max_gradient_norm)))
            .init();
        Ok(Self {
            process: DiffusionProcess::new(generator.process.schedule().clone(), &device),
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
    /// [`DiffusionError::Diverged`] if the loss or the gradient is not finite; the weights are then
    /// unchanged.
    pub fn step(&mut self, batch: TripletBatch) -> Result<StepReport, DiffusionError> {
        let [batch_size, ..] = batch.content.dims();
        let draws = self.draw(batch.content.dims());
        if self.generator.config().unet.dropout > 0.0 {
            let mut random = seeded(self.config.seed, &format!("dropout of step {}", self.step));
            self.device.seed(random.random());
        }
        let diverged = |quantity, value| DiffusionError::Diverged {
            step: self.step,
            quantity,
            value,
            batch: match batch.ids.is_empty() {
                true => format!("{batch_size} unnamed samples"),
                false => batch.ids.join(", "),
            },
        };
        let parts = self.config.accumulation.clamp(1, batch_size);
        let mut gradients = GradientsAccumulator::new();
        let mut losses = Vec::with_capacity(batch_size);
        for part in 0..parts {
            let range = part * batch_size / parts..(part + 1) * batch_size / parts;
            let samples = self.losses(&batch, &draws, range.start, range.len());
            let loss = samples.clone().sum() / batch_size as f64;
            losses.extend(
                samples
                    .into_data_as::<f32>()
                    .try_to_vec::<f32>()
                    .expect("converted to f32 above"),
            );
            if let Some(&value) = losses.iter().find(|value| !value.is_finite()) {
                return Err(diverged("loss", value));
            }
            let of_part = GradientsParams::from_grads(loss.backward(), &self.unet);
            gradients.accumulate(&self.unet, of_part);
        }
        let gradients = gradients.grads();
        let gradient_norm = norm(&self.unet, &gradients);
        if !gradient_norm.is_finite() {
            return Err(diverged("norm of the gradient", gradient_norm));
        }
        let rate = self.config.learning_rate_at(self.step);
        self.unet = self.optimiser.step(rate, self.unet.clone(), gradients);
        self.average = self
            .config
            .ema
            .update(self.average.clone(), &self.unet, self.step);
        let report = StepReport {
            step: self.step,
            loss: losses.iter().sum::<f32>() / batch_size as f32,
            gradient_norm,
            samples: draws
                .timesteps
                .iter()
                .map(|&t| t as usize)
                .zip(losses)
                .collect(),
        };
        self.step += 1;
        Ok(report)
    }

    /// Timesteps, dropped conditions and noise of the next step.
    fn draw(&self, [batch_size, channels, height, width]: [usize; 4]) -> Draws {
        let mut random = seeded(self.config.seed, &format!("generator step {}", self.step));
        let num_timesteps = self.process.schedule().num_timesteps();
        Draws {
            timesteps: (0..batch_size)
                .map(|_| {
                    let u: f64 = random.random();
                    (num_timesteps as f64 * u.powf(self.config.timestep_power)) as i64
                })
                .collect(),
            kept: (0..batch_size)
                .map(|_| f32::from(random.random::<f64>() >= self.config.condition_dropout))
                .collect(),
            noise: normal_values(&mut random, batch_size * channels * height * width),
        }
    }

    /// The loss of each of `count` samples from `first`: the squared error of what the network predicts,
    /// and, where it gives variance logits, the variational bound in bits.
    fn losses(&self, batch: &TripletBatch, draws: &Draws, first: usize, count: usize) -> Tensor<1> {
        // Everything up to the network runs without a graph.
        let plain = self.generator.device();
        let part = |images: &Tensor<4>| images.clone().narrow(0, first, count);
        let [_, channels, height, width] = batch.content.dims();
        let pixels = channels * height * width;
        let noise = Tensor::<4>::from_data(
            TensorData::new(
                draws.noise[first * pixels..][..count * pixels].to_vec(),
                [count, channels, height, width],
            ),
            plain,
        );
        let timesteps = &draws.timesteps[first..][..count];
        let steps = Tensor::<1, Int>::from_data(timesteps, plain);
        let kept = Tensor::<1>::from_data(&draws.kept[first..][..count], plain);
        let kept = kept.reshape([count, 1, 1, 1]);
        let (target, style) = (part(&batch.target), part(&batch.style));
        let content = match self.config.dropped {
            DroppedCondition::Style => part(&batch.content),
            DroppedCondition::StyleAndContent => part(&batch.content) * kept.clone(),
        };
        let features = self.generator.networks.style_encoder.features(style * kept);
        let x_t = self
            .generator
            .process
            .q_sample(target.clone(), &steps, noise);
        let form = &self.generator.parameterisation;
        let wanted = form.target(target.clone(), x_t.clone(), content.clone(), &steps);

        let lift = |tensor: Tensor<4>| recomputation::lift(tensor, &self.device);
        let lifted_steps = Tensor::<1, Int>::from_data(timesteps, &self.device);
        let condition = self
            .unet
            .condition(&StyleFeatures(features.0.into_iter().map(lift).collect()));
        let output = self.unet.forward(
            lift(x_t.clone()),
            lift(content.clone()),
            lifted_steps.clone(),
            &condition,
        );
        let outputs = output.dims()[1];
        let predicted = output.clone().narrow(1, 0, channels);
        let error = (predicted.clone() - lift(wanted)).square();
        let losses: Tensor<1> = error.mean_dims(&[1, 2, 3]).reshape([count]);
        if outputs == channels {
            return losses;
        }
        let implied = form.noise(predicted.inner(), x_t.clone(), content, &steps);
        let logits = output.narrow(1, channels, outputs - channels);
        losses
            + variational_bits(
                &self.process,
                lift(implied),
                logits,
                lift(target),
                lift(x_t),
                &lifted_steps,
            )
    }

    /// The generator with the averaged weights.
    pub fn averaged(&self) -> Generator {
        let networks = GeneratorNetworks {
            unet: self.average.clone(),
            style_encoder: self.generator.networks.style_encoder.clone(),
        };
        self.generator.clone().with_networks(networks)
    }

    /// The generator with the weights as they are, which the released sampling script uses.
    pub fn current(&self) -> Generator {
        let networks = GeneratorNetworks {
            unet: self.unet.clone().valid(),
            style_encoder: self.generator.networks.style_encoder.clone(),
        };
        self.generator.clone().with_networks(networks)
    }

    /// What a run must have in common with its checkpoint.
    fn configuration(&self) -> Value {
        let value = |text: String| serde_json::from_str::<Value>(&text).expect("a Config is JSON");
        json!({
            "generator": value(self.generator.config().to_string()),
            "training": value(self.config.to_string()),
        })
    }

    /// Writes all that [`resume`](Self::resume) needs into `folder`: weights, their average, the state
    /// of the optimiser, style encoder, configuration and step; the random state and the place in the
    /// schedule follow from the step. A kill at any moment leaves the older checkpoint or the new one.
    ///
    /// # Errors
    ///
    /// [`DiffusionError::Checkpoint`] if a file cannot be written; the older checkpoint is then
    /// untouched.
    pub fn checkpoint(&self, folder: &Path) -> Result<(), DiffusionError> {
        let run = json!({"step": self.step, "configuration": self.configuration()});
        checkpoint::write(folder, &run, |partial| {
            let failed = |error: burn::store::RecordError| DiffusionError::Checkpoint {
                path: partial.to_owned(),
                reason: error.to_string(),
            };
            let unet = self.unet.clone().valid();
            unet.save_file(partial.join("unet.bpk")).map_err(failed)?;
            let average = self.average.clone();
            average
                .save_file(partial.join("average.bpk"))
                .map_err(failed)?;
            let encoder = self.generator.networks.style_encoder.clone();
            encoder
                .save_file(partial.join("style_encoder.bpk"))
                .map_err(failed)?;
            self.optimiser
                .save(partial.join("optimiser.bpk"))
                .map_err(failed)
        })
    }

    /// Goes on from a checkpoint of the same configuration, if there is one: on a CPU, the weights that
    /// follow are bit-equal to those of a run that was not stopped.
    ///
    /// # Errors
    ///
    /// [`DiffusionError::CheckpointConfiguration`] if the checkpoint is of another configuration,
    /// [`DiffusionError::Checkpoint`] if it is damaged.
    pub fn resume(mut self, folder: &Path) -> Result<Self, DiffusionError> {
        let Some(folder) = checkpoint::find(folder) else {
            return Ok(self);
        };
        let failed = |reason: String| DiffusionError::Checkpoint {
            path: folder.clone(),
            reason,
        };
        let run = checkpoint::read_run(&folder)?;
        checkpoint::check_configuration(&folder, &run["configuration"], &self.configuration())?;
        let record = |error: burn::store::RecordError| failed(error.to_string());
        let plain = self.generator.networks.unet.clone();
        let unet = plain
            .try_load_file(folder.join("unet.bpk"))
            .map_err(record)?;
        self.unet = for_training(&self.generator, unet, &self.device);
        self.average = self
            .average
            .try_load_file(folder.join("average.bpk"))
            .map_err(record)?;
        let encoder = self.generator.networks.style_encoder.clone();
        let networks = GeneratorNetworks {
            unet: self.generator.networks.unet.clone(),
            style_encoder: encoder
                .try_load_file(folder.join("style_encoder.bpk"))
                .map_err(record)?,
        };
        self.generator = self.generator.with_networks(networks);
        self.optimiser = self
            .optimiser
            .load(folder.join("optimiser.bpk"))
            .map_err(record)?;
        self.step = run["step"]
            .as_u64()
            .and_then(|step| usize::try_from(step).ok())
            .ok_or_else(|| failed(format!("step reads {}", run["step"])))?;
        Ok(self)
    }
}

/// The network on the autodiff side.
fn for_training(generator: &Generator, unet: UNet, device: &Device) -> UNet {
    match device.gradient_checkpointing_strategy() {
        Some(GradientCheckpointingStrategy::Balanced) => {
            recomputation::on_device(unet, &generator.config().unet, device)
        }
        _ => unet.train(),
    }
}

/// Norm of all gradients together.
fn norm(unet: &UNet, gradients: &GradientsParams) -> f32 {
    let mut squares = Squares {
        gradients,
        sums: Vec::new(),
    };
    unet.visit(&mut squares);
    if squares.sums.is_empty() {
        return 0.0;
    }
    Tensor::cat(squares.sums, 0).sum().sqrt().into_scalar()
}

struct Squares<'a> {
    gradients: &'a GradientsParams,
    sums: Vec<Tensor<1>>,
}

impl ModuleVisitor for Squares<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            self.sums.push(gradient.square().sum());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GeneratorConfig, Prediction, StyleEncoderConfig, UNetConfig};
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
            ids: vec![format!("a{step}"), format!("b{step}")],
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
        let text = error.to_string();
        assert!(
            text.contains("the loss of step 0 is NaN, on the batch of a0, b0"),
            "{text}"
        );
        assert_eq!(before, weights(&trainer));
        // A network already spoilt is found by its gradient or its loss, and not written on.
        let good = trainer.step(batch(0)).unwrap();
        assert!(good.gradient_norm > 0.0);
    }

    #[test]
    fn a_checkpoint_of_another_configuration_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let config = GeneratorTrainingConfig::new(4);
        trainer(tiny(), config.clone()).checkpoint(&path).unwrap();
        let refused = |generator: Generator, config: GeneratorTrainingConfig| {
            let error = trainer(generator, config).resume(&path).err().unwrap();
            assert!(
                matches!(error, DiffusionError::CheckpointConfiguration { .. }),
                "{error}"
            );
            error.to_string()
        };
        let text = refused(tiny(), config.clone().with_seed(9));
        assert!(
            text.contains("training.seed is 0 there and 9 here"),
            "{text}"
        );
        let other = tiny()
            .config()
            .clone()
            .with_prediction(Prediction::Velocity);
        let text = refused(other.init(&Device::default()), config.clone());
        assert!(text.contains("generator.prediction"), "{text}");
        // A damaged one is an error too, not a fresh start.
        std::fs::write(path.join("average.bpk"), b"short").unwrap();
        let error = trainer(tiny(), config).resume(&path).err().unwrap();
        assert!(
            matches!(error, DiffusionError::Checkpoint { .. }),
            "{error}"
        );
    }

    /// Largest difference of the averaged weights.
    fn difference(one: &GeneratorTrainer, other: &GeneratorTrainer) -> f32 {
        let values = |trainer: &GeneratorTrainer| -> Vec<f32> {
            let bytes = weights(trainer);
            let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
            bytes[8 + header..]
                .chunks_exact(4)
                .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
                .collect()
        };
        let (one, other) = (values(one), values(other));
        assert_eq!(one.len(), other.len());
        one.iter()
            .zip(&other)
            .fold(0.0, |worst, (a, b)| worst.max((a - b).abs()))
    }

    #[test]
    fn accumulated_parts_take_the_step_of_the_whole_batch() {
        let config = GeneratorTrainingConfig::new(3).with_warm_up_steps(1);
        let start = tiny();
        let mut whole = trainer(start.clone(), config.clone());
        let mut parts = trainer(start.clone(), config.clone().with_accumulation(2));
        let mut reports = Vec::new();
        for step in 0..2 {
            reports.push([
                whole.step(batch(step)).unwrap(),
                parts.step(batch(step)).unwrap(),
            ]);
        }
        for [whole, parts] in &reports {
            assert!(
                (whole.loss - parts.loss).abs() < 1e-5 * whole.loss,
                "{reports:?}"
            );
            let norms = (whole.gradient_norm - parts.gradient_norm).abs();
            assert!(norms < 1e-4 * whole.gradient_norm, "{reports:?}");
        }
        // AdamW divides by the gradient's own size: rounding of tiny ones shows, but not a missing part.
        let other = trainer(start, config);
        let (error, moved) = (difference(&whole, &parts), difference(&whole, &other));
        assert!(error < 0.05 * moved, "{error} of {moved}");
    }

    #[test]
    fn gradient_checkpointing_changes_no_bit() {
        let config = GeneratorTrainingConfig::new(3).with_warm_up_steps(1);
        let start = tiny();
        let mut kept = trainer(start.clone(), config.clone());
        let mut again = trainer(start, config.with_gradient_checkpointing(true));
        for step in 0..2 {
            kept.step(batch(step)).unwrap();
            again.step(batch(step)).unwrap();
        }
        assert!(weights(&kept) == weights(&again));
    }

    #[test]
    fn dropping_the_content_is_the_released_option() {
        let config = GeneratorTrainingConfig::new(2).with_condition_dropout(1.0);
        let start = tiny();
        let loss = |dropped: DroppedCondition, scale: f32| {
            let mut batch = batch(0);
            batch.content = batch.content * scale;
            let config = config.clone().with_dropped(dropped);
            let mut trainer = trainer(start.clone(), config);
            trainer.step(batch).unwrap().loss
        };
        use DroppedCondition::{Style, StyleAndContent};
        // With everything dropped, the released loss does not see the face; the paper's does.
        assert_eq!(loss(StyleAndContent, 1.0), loss(StyleAndContent, -0.5));
        assert_ne!(loss(Style, 1.0), loss(Style, -0.5));
    }

    #[test]
    fn learned_variance_trains_in_every_form_of_prediction() {
        for prediction in [
            Prediction::Noise,
            Prediction::Velocity,
            Prediction::LiveCentred { deviation: 0.35 },
        ] {
            let mut config = tiny().config().clone().with_prediction(prediction);
            config.unet.out_channels = 6;
            let start = config.init(&Device::default());
            let config = GeneratorTrainingConfig::new(40)
                .with_warm_up_steps(1)
                .with_learning_rate(3e-3)
                .with_timestep_power(1.0);
            let mut trainer = trainer(start, config);
            let losses: Vec<f32> = (0..40)
                .map(|_| trainer.step(batch(0)).unwrap().loss)
                .collect();
            let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
            assert!(
                mean(&losses[30..]) < mean(&losses[..10]),
                "{prediction:?}: {losses:?}"
            );
        }
    }
}
