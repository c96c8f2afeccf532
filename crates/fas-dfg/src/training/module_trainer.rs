//! What every training of this crate shares: AdamW with a cosine schedule, the average of the weights,
//! and checkpoints that are resumed exactly.

use std::path::Path;

use burn::config::Config;
use burn::grad_clipping::GradientClippingConfig;
use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use fas_diffusion::EmaConfig;

use super::checkpoint::{find_checkpoint, write_checkpoint};
use crate::DfgError;

/// How the weights of a network are moved.
#[derive(Config, Debug)]
pub struct OptimisationConfig {
    /// Steps of training.
    pub steps: usize,
    /// Largest learning rate. Default: 1e-3 (small networks; AG-FAS: 1e-5)
    #[config(default = 1e-3)]
    pub learning_rate: f64,
    /// Learning rate of the last step over the largest; the fall is a cosine. Default: 0.02 (AG-FAS: 1,
    /// no fall)
    #[config(default = 0.02)]
    pub final_fraction: f64,
    /// Steps over which the learning rate rises from zero. Default: 100
    #[config(default = 100)]
    pub warm_up_steps: usize,
    /// Decoupled weight decay. Default: 0.01 (AG-FAS)
    #[config(default = 0.01)]
    pub weight_decay: f32,
    /// Largest norm of a parameter's gradient. Default: 1 (AG-FAS: none stated)
    #[config(default = 1.0)]
    pub max_gradient_norm: f32,
    /// Average of the weights. Default: decay 0.999 with warm-up (AG-FAS: 0.9999 with the same warm-up)
    #[config(default = "EmaConfig::new().with_decay(0.999).with_copy_steps(0).with_warm_up(true)")]
    pub ema: EmaConfig,
}

impl OptimisationConfig {
    /// AG-FAS, section 4.2: 150,000 steps at a constant rate of 1e-5; the average is that of the
    /// released checkpoint.
    pub fn paper() -> Self {
        Self::new(150_000)
            .with_learning_rate(1e-5)
            .with_final_fraction(1.0)
            .with_warm_up_steps(0)
            .with_max_gradient_norm(f32::MAX)
            .with_ema(EmaConfig::new().with_copy_steps(0).with_warm_up(true))
    }

    /// Learning rate of `step`.
    pub fn learning_rate_at(&self, step: usize) -> f64 {
        if step < self.warm_up_steps {
            return self.learning_rate * (step + 1) as f64 / self.warm_up_steps as f64;
        }
        let length = self.steps.saturating_sub(self.warm_up_steps).max(1) as f64;
        let progress = ((step - self.warm_up_steps) as f64 / length).min(1.0);
        let fall = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        self.learning_rate * (self.final_fraction + (1.0 - self.final_fraction) * fall)
    }
}

/// A network in training, its average and its optimiser.
pub(crate) struct ModuleTrainer<M: Module> {
    model: M,
    average: M,
    optimiser: ModuleOptimizer,
    config: OptimisationConfig,
    step: usize,
}

impl<M: Module> ModuleTrainer<M> {
    /// Starts from `model`, which is moved to the autodiff side of its device.
    pub(crate) fn new(model: M, config: OptimisationConfig) -> Self {
        let optimiser = AdamWConfig::new()
            .with_epsilon(1e-8)
            .with_weight_decay(config.weight_decay)
            .with_grad_clipping(Some(GradientClippingConfig::Norm(config.max_gradient_norm)))
            .init();
        Self {
            average: model.clone(),
            model: model.train(),
            optimiser,
            config,
            step: 0,
        }
    }

    /// Steps taken so far.
    pub(crate) fn steps_taken(&self) -> usize {
        self.step
    }

    /// The averaged network, without gradients.
    pub(crate) fn average(&self) -> &M {
        &self.average
    }

    /// One step on the loss that `loss` computes with the network; gives its value.
    pub(crate) fn step(&mut self, loss: impl FnOnce(&M) -> Tensor<1>) -> Result<f32, DfgError> {
        let loss = loss(&self.model);
        let value: f32 = loss.clone().into_scalar();
        if !value.is_finite() {
            return Err(DfgError::Diverged {
                step: self.step,
                loss: value,
            });
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &self.model);
        let rate = self.config.learning_rate_at(self.step);
        self.model = self.optimiser.step(rate, self.model.clone(), gradients);
        self.average = self
            .config
            .ema
            .update(self.average.clone(), &self.model, self.step);
        self.step += 1;
        Ok(value)
    }

    /// Writes all that [`resume`](Self::resume) needs.
    pub(crate) fn checkpoint(&self, folder: &Path) -> Result<(), DfgError> {
        write_checkpoint(folder, self.step, |folder| {
            let text = |error: burn::store::RecordError| error.to_string();
            let model = self.model.clone().valid();
            model.save_file(folder.join("model.bpk")).map_err(text)?;
            let average = self.average.clone();
            average
                .save_file(folder.join("average.bpk"))
                .map_err(text)?;
            self.optimiser
                .save(folder.join("optimiser.bpk"))
                .map_err(text)
        })
    }

    /// Goes on from a checkpoint of the same configuration, if there is one: the weights that follow
    /// are bit-equal to those of a run that was not stopped.
    pub(crate) fn resume(mut self, folder: &Path) -> Result<Self, DfgError> {
        let Some((folder, step)) = find_checkpoint(folder)? else {
            return Ok(self);
        };
        let failed = |error: burn::store::RecordError| DfgError::Checkpoint {
            path: folder.clone(),
            reason: error.to_string(),
        };
        let plain = self.average.clone();
        self.model = plain
            .try_load_file(folder.join("model.bpk"))
            .map_err(failed)?
            .train();
        self.average = self
            .average
            .try_load_file(folder.join("average.bpk"))
            .map_err(failed)?;
        self.optimiser = self
            .optimiser
            .load(folder.join("optimiser.bpk"))
            .map_err(failed)?;
        self.step = step;
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_rises_and_falls_as_a_cosine() {
        let config = OptimisationConfig::new(300).with_learning_rate(1.0);
        assert_eq!(config.learning_rate_at(49), 0.5);
        assert_eq!(config.learning_rate_at(100), 1.0);
        // half way down: 0.02 + 0.98 / 2
        assert!((config.learning_rate_at(200) - 0.51).abs() < 1e-12);
        assert!((config.learning_rate_at(300) - 0.02).abs() < 1e-12);
        assert_eq!(OptimisationConfig::paper().learning_rate_at(149_999), 1e-5);
    }
}
