//! Settings of the generator's training, and its learning rate: DiffFAS, section 4.2; `spec` 1.5 and 1.6.

use burn::config::Config;

use super::LossScaleConfig;
use crate::{DiffusionError, EmaConfig, Precision};

/// What is left out where the condition is dropped.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum DroppedCondition {
    /// The style image, as the paper's equation 12 needs it: the unconditional half of guidance keeps
    /// the live face.
    Style,
    /// The live face too, as in the released code, whose sampler then asks for a combination that was
    /// never trained: no style, but a face.
    StyleAndContent,
}

/// A range of timesteps that is trained more than others.
#[derive(Config, Debug, Copy, PartialEq)]
pub struct TimestepFocus {
    /// First timestep.
    pub from: usize,
    /// The one after the last.
    pub to: usize,
    /// Part of the samples that are drawn from the range, uniformly.
    pub rate: f64,
}

impl TimestepFocus {
    pub(super) fn check(&self, num_timesteps: usize) -> Result<(), DiffusionError> {
        let Self { from, to, rate } = *self;
        if from < to && to <= num_timesteps && (0.0..=1.0).contains(&rate) {
            return Ok(());
        }
        Err(DiffusionError::TimestepFocus {
            from,
            to,
            rate,
            num_timesteps,
        })
    }
}

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
    /// Rate at which the condition is dropped. Default: 0.2 (DiffFAS)
    #[config(default = 0.2)]
    pub condition_dropout: f64,
    /// What is dropped. Default: the style alone (paper)
    #[config(default = "DroppedCondition::Style")]
    pub dropped: DroppedCondition,
    /// Power `p` of `t = T u^p`: 1 is uniform (DiffFAS), 2 draws a third of the steps below a tenth of
    /// `T`, where fine detail is decided. Default: 2
    #[config(default = 2.0)]
    pub timestep_power: f64,
    /// Timesteps that a part of the samples is drawn from instead, for what is decided there. Default:
    /// none (DiffFAS)
    #[config(default = "None")]
    pub timestep_focus: Option<TimestepFocus>,
    /// Largest norm of a parameter's gradient. Default: 1 (DiffFAS: none)
    #[config(default = 1.0)]
    pub max_gradient_norm: f32,
    /// Average of the weights. Default: decay 0.999 with warm-up (DiffFAS: 0.9999 after 5000 copies)
    #[config(default = "EmaConfig::new().with_decay(0.999).with_copy_steps(0).with_warm_up(true)")]
    pub ema: EmaConfig,
    /// Parts that a batch is split into: their gradients are added, for a step with the memory of one
    /// part. Default: 1
    #[config(default = 1)]
    pub accumulation: usize,
    /// Whether activations that are cheap to compute are computed again in the backward pass instead of
    /// being kept: the same bits, less memory. Default: false
    #[config(default = false)]
    pub gradient_checkpointing: bool,
    /// What the networks compute in, forward and backward; weights, their average, the optimiser's moments,
    /// loss and schedule are `f32` in each case. Default: full
    #[config(default = "Precision::Full")]
    pub precision: Precision,
    /// Factor of the loss, with [`Precision::F16`] alone. Default: 65536, doubled after 2000 good steps
    #[config(default = "LossScaleConfig::new()")]
    pub loss_scale: LossScaleConfig,
    /// Seed of everything random. Default: 0
    #[config(default = 0)]
    pub seed: u64,
}

impl GeneratorTrainingConfig {
    /// The released schedule: learning rate 1e-5 after 5000 steps of warm-up, uniform timesteps, EMA
    /// 0.9999 after 5000 copies, no clipping, live face dropped together with the style. (AdamW without
    /// weight decay in every case.)
    pub fn released(steps: usize) -> Self {
        Self::new(steps)
            .with_learning_rate(1e-5)
            .with_final_learning_rate(1e-5)
            .with_warm_up_steps(5000)
            .with_timestep_power(1.0)
            .with_max_gradient_norm(f32::MAX)
            .with_ema(EmaConfig::new())
            .with_dropped(DroppedCondition::StyleAndContent)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_released_rate_rises_from_four_percent_and_stays() {
        let config = GeneratorTrainingConfig::released(20_000);
        for (step, expected) in [(0, 4e-7), (2500, 5.2e-6), (5000, 1e-5), (19_999, 1e-5)] {
            let rate = config.learning_rate_at(step);
            assert!((rate - expected).abs() < 1e-12, "{step}: {rate}");
        }
    }
}
