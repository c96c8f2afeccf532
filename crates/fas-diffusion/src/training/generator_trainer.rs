//! Training of the generator: DiffFAS, equation 2 and section 4.2; `spec` 1.5 and 1.6.

use std::path::Path;

use burn::config::Config;
use burn::grad_clipping::GradientClippingConfig;
use burn::module::{Module, ModuleVisitor, Param};
use burn::optim::{AdamWConfig, GradientsAccumulator, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, GradientCheckpointingStrategy, Int, Tensor, TensorData};
use fas_data::{AdmittedSamples, TrainingPurpose};
use fas_weights::find_folder;
use rand::RngExt;
use serde_json::{Value, json};

use super::checkpoint;
use super::generator_training_config::{DroppedCondition, GeneratorTrainingConfig};
use super::loss_scale::LossScale;
use super::recomputation;
use crate::noise::{normal_values, seeded};
use crate::stored_config::complete;
use crate::{
    DiffusionError, DiffusionProcess, Generator, GeneratorNetworks, Precision, StyleFeatures, UNet,
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
    /// Norm of the gradient of all weights, before it is limited; not finite if the step was skipped.
    pub gradient_norm: f32,
    /// Factor of the loss in its backward pass, in `f16`.
    pub loss_scale: Option<f32>,
    /// Whether gradients overflowed `f16`: the weights are then as before, and the factor is half as large.
    pub skipped: bool,
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
    /// With `f16` alone.
    loss_scale: Option<LossScale>,
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
    /// [`DiffusionError::Data`] if the samples of `pool` were admitted for something else,
    /// [`DiffusionError::UnsupportedPrecision`] if the device does not compute in the type that `config` asks
    /// for.
    ///
    /// # Panics
    ///
    /// Panics if the loss scale is no power of two from 1 to 2^24, or its interval is 0.
    pub fn new(
        generator: Generator,
        config: GeneratorTrainingConfig,
        pool: &AdmittedSamples,
    ) -> Result<Self, DiffusionError> {
        pool.for_purpose(TrainingPurpose::Generator)?;
        config.precision.check(generator.device())?;
        if let Some(focus) = config.timestep_focus {
            focus.check(generator.process.schedule().num_timesteps())?;
        }
        let device = generator.device().clone().autodiff();
        let device = if config.gradient_checkpointing {
            device.gradient_checkpointing()
        } else {
            device
        };
        let unet = for_training(&generator, generator.networks.unet.clone(), &device)
            .with_precision(config.precision);
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
            loss_scale: LossScale::new(&config.loss_scale, config.precision),
            config,
            device,
            step: 0,
        })
    }

    /// Steps taken so far.
    pub fn steps_taken(&self) -> usize {
        self.step
    }

    /// One step. Gradients that overflow `f16` skip it: the weights stay, the loss scale is halved, and the
    /// step counts.
    ///
    /// # Errors
    ///
    /// [`DiffusionError::Diverged`] if the loss or the gradient is not finite (in `f16`: the gradient at a
    /// loss scale of 1); the weights are then unchanged.
    pub fn step(&mut self, batch: TripletBatch) -> Result<StepReport, DiffusionError> {
        let [batch_size, ..] = batch.content.dims();
        let draws = self.draw(batch.content.dims());
        if self.generator.config().unet.dropout > 0.0 {
            let mut random = seeded(self.config.seed, &format!("dropout of step {}", self.step));
            self.device.seed(random.random());
        }
        let diverged = |quantity, value| DiffusionError::Diverged {
            step: self.step,
            precision: self.config.precision,
            quantity,
            value,
            batch: match batch.ids.is_empty() {
                true => format!("{batch_size} unnamed samples"),
                false => batch.ids.join(", "),
            },
        };
        let factor = self.loss_scale.as_ref().map(LossScale::factor);
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
            let loss = match factor {
                Some(factor) => loss * factor,
                None => loss,
            };
            let of_part = GradientsParams::from_grads(loss.backward(), &self.unet);
            gradients.accumulate(&self.unet, of_part);
        }
        let mut gradients = gradients.grads();
        if let Some(scale) = &self.loss_scale {
            gradients = scale.unscaled(&self.unet, gradients);
        }
        let gradient_norm = norm(&self.unet, &gradients);
        let skipped = !gradient_norm.is_finite();
        if skipped {
            let may_shrink = self.loss_scale.as_mut().is_some_and(LossScale::overflowed);
            if !may_shrink {
                return Err(diverged("norm of the gradient", gradient_norm));
            }
        } else {
            self.update(gradients);
        }
        let report = StepReport {
            step: self.step,
            loss: losses.iter().sum::<f32>() / batch_size as f32,
            gradient_norm,
            loss_scale: factor,
            skipped,
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

    /// Moves weights and average along finite gradients.
    fn update(&mut self, gradients: GradientsParams) {
        let rate = self.config.learning_rate_at(self.step);
        self.unet = self.optimiser.step(rate, self.unet.clone(), gradients);
        self.average = self
            .config
            .ema
            .update(self.average.clone(), &self.unet, self.step);
        if let Some(scale) = &mut self.loss_scale {
            scale.succeeded();
        }
    }

    /// Timesteps, dropped conditions and noise of the next step.
    fn draw(&self, [batch_size, channels, height, width]: [usize; 4]) -> Draws {
        let mut random = seeded(self.config.seed, &format!("generator step {}", self.step));
        let num_timesteps = self.process.schedule().num_timesteps();
        Draws {
            timesteps: (0..batch_size)
                .map(|_| {
                    if let Some(focus) = self.config.timestep_focus
                        && random.random_bool(focus.rate)
                    {
                        return random.random_range(focus.from..focus.to) as i64;
                    }
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
        let style = self.config.precision.enter(style * kept);
        let features = self.generator.networks.style_encoder.features(style);
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
            unet: self.plain_unet(),
            style_encoder: self.generator.networks.style_encoder.clone(),
        };
        self.generator.clone().with_networks(networks)
    }

    /// The network as it is, without a graph and in the type of its weights.
    fn plain_unet(&self) -> UNet {
        self.unet.clone().valid().with_precision(Precision::Full)
    }

    /// What a run must have in common with its checkpoint.
    fn configuration(&self) -> Value {
        json!({
            "generator": json_of(self.generator.config()),
            "training": json_of(&self.config),
        })
    }

    /// Writes all that [`resume`](Self::resume) needs into `folder`: weights, their average, the state
    /// of the optimiser, style encoder, configuration, step and loss scale; the random state and the place in the
    /// schedule follow from the step. A kill at any moment leaves the older checkpoint or the new one.
    ///
    /// # Errors
    ///
    /// [`DiffusionError::Checkpoint`] if a file cannot be written; the older checkpoint is then
    /// untouched.
    pub fn checkpoint(&self, folder: &Path) -> Result<(), DiffusionError> {
        let run = json!({
            "step": self.step,
            "configuration": self.configuration(),
            "loss_scale": self.loss_scale.as_ref().map(LossScale::state),
        });
        checkpoint::write(folder, &run, |partial| {
            let failed = |error: burn::store::RecordError| DiffusionError::Checkpoint {
                path: partial.to_owned(),
                reason: error.to_string(),
            };
            let unet = self.plain_unet();
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

    /// Whether [`resume`](Self::resume) would find a checkpoint, style encoder included, in `folder`.
    pub fn has_checkpoint(folder: &Path) -> bool {
        find_folder(folder).is_some()
    }

    /// Goes on from a checkpoint of the same configuration, if there is one: on a CPU, the weights that
    /// follow are bit-equal to those of a run that was not stopped.
    ///
    /// # Errors
    ///
    /// [`DiffusionError::CheckpointConfiguration`] if the checkpoint is of another configuration,
    /// [`DiffusionError::Checkpoint`] if it is damaged.
    pub fn resume(mut self, folder: &Path) -> Result<Self, DiffusionError> {
        let Some(folder) = find_folder(folder) else {
            return Ok(self);
        };
        let failed = |reason: String| DiffusionError::Checkpoint {
            path: folder.clone(),
            reason,
        };
        let run = checkpoint::read_run(&folder)?;
        let mut stored = run["configuration"].clone();
        // Fields younger than the checkpoint had their defaults.
        let defaults = json!({
            "training": json_of(&GeneratorTrainingConfig::new(self.config.steps)),
            "generator": {"unet": {"live_warp": false}},
        });
        complete(&mut stored, &defaults);
        checkpoint::check_configuration(&folder, &stored, &self.configuration())?;
        if let Some(scale) = self.loss_scale.take() {
            let state = &run["loss_scale"];
            let restored = scale.restored(state);
            self.loss_scale =
                Some(restored.ok_or_else(|| failed(format!("loss scale reads {state}")))?);
        }
        let record = |error: burn::store::RecordError| failed(error.to_string());
        let plain = self.generator.networks.unet.clone();
        let unet = plain
            .try_load_file(folder.join("unet.bpk"))
            .map_err(record)?;
        self.unet =
            for_training(&self.generator, unet, &self.device).with_precision(self.config.precision);
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

/// A configuration as it stands in a checkpoint.
fn json_of(config: &impl Config) -> Value {
    serde_json::to_value(config).expect("a Config is JSON")
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
fn norm<M: Module>(module: &M, gradients: &GradientsParams) -> f32 {
    let mut squares = Squares {
        gradients,
        sums: Vec::new(),
    };
    module.visit(&mut squares);
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
mod tests;
