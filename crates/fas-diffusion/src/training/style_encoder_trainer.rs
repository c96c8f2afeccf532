//! Pretraining of the style encoder: cross-entropy over style labels (DiffFAS, section 3.2).

use burn::config::Config;
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor};
use fas_data::{AdmittedSamples, TrainingPurpose};

use crate::{DiffusionError, StyleEncoder};

/// How a style encoder is trained.
#[derive(Config, Debug)]
pub struct StyleEncoderTrainingConfig {
    /// Steps of training.
    pub steps: usize,
    /// Largest learning rate; it rises over the first tenth of the steps and falls as a cosine.
    /// Default: 2e-3
    #[config(default = 2e-3)]
    pub learning_rate: f64,
}

/// A style encoder being trained.
pub struct StyleEncoderTrainer {
    encoder: StyleEncoder,
    optimiser: ModuleOptimizer,
    config: StyleEncoderTrainingConfig,
    device: Device,
    step: usize,
}

impl StyleEncoderTrainer {
    /// Starts from `encoder`; training runs on the autodiff side of `device`, on images of `pool`.
    ///
    /// # Errors
    ///
    /// [`DiffusionError::Data`] if the samples of `pool` were admitted for something else.
    pub fn new(
        encoder: StyleEncoder,
        config: StyleEncoderTrainingConfig,
        device: &Device,
        pool: &AdmittedSamples,
    ) -> Result<Self, DiffusionError> {
        pool.for_purpose(TrainingPurpose::StyleEncoder)?;
        let device = device.clone().autodiff();
        Ok(Self {
            encoder: encoder.train(),
            optimiser: AdamWConfig::new()
                .with_epsilon(1e-8)
                .with_weight_decay(0.01)
                .init(),
            config,
            device,
            step: 0,
        })
    }

    fn learning_rate(&self) -> f64 {
        let progress = self.step as f64 / self.config.steps as f64;
        let warm_up = 0.1;
        let scale = if progress < warm_up {
            (progress / warm_up).max(0.04)
        } else {
            0.5 + 0.5 * (std::f64::consts::PI * (progress - warm_up) / (1.0 - warm_up)).cos()
        };
        self.config.learning_rate * scale
    }

    /// One step; gives loss and accuracy of the batch before it.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, 3, height, width]`, attacks in `[-1, 1]`
    /// - styles: `[batch_size]`, each in `0..num_styles`
    ///
    /// # Errors
    ///
    /// [`DiffusionError::Diverged`] if the loss is not finite.
    pub fn step(
        &mut self,
        images: Tensor<4>,
        styles: Tensor<1, Int>,
    ) -> Result<(f32, f32), DiffusionError> {
        let batch_size = images.dims()[0];
        let images = Tensor::from_data(images.into_data(), &self.device);
        let styles = Tensor::<1, Int>::from_data(styles.into_data(), &self.device);
        let logits = self.encoder.forward(images);
        let correct: i64 = logits
            .clone()
            .argmax(1)
            .reshape([batch_size])
            .equal(styles.clone())
            .int()
            .sum()
            .into_scalar();
        let loss = CrossEntropyLossConfig::new()
            .init(&self.device)
            .forward(logits, styles);
        let value: f32 = loss.clone().into_scalar();
        if !value.is_finite() {
            return Err(DiffusionError::Diverged {
                step: self.step,
                loss: value,
            });
        }
        let grads = GradientsParams::from_grads(loss.backward(), &self.encoder);
        self.encoder = self
            .optimiser
            .step(self.learning_rate(), self.encoder.clone(), grads);
        self.step += 1;
        Ok((value, correct as f32 / batch_size as f32))
    }

    /// The trained encoder, on the plain device.
    pub fn finish(self) -> StyleEncoder {
        self.encoder.valid()
    }
}
