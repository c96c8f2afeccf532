//! Pretraining of the style encoder: cross-entropy over style labels (DiffFAS, section 3.2).

use burn::config::Config;
use burn::module::Module;
use burn::nn::loss::CrossEntropyLossConfig;
use burn::optim::decay::WeightDecayConfig;
use burn::optim::momentum::MomentumConfig;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Int, Tensor};
use fas_data::{AdmittedSamples, TrainingPurpose};

use crate::{DiffusionError, Precision, StyleEncoder};

/// Optimiser and schedule of the style encoder.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum StyleEncoderOptimiser {
    /// AdamW with weight decay 0.01; the learning rate rises over the first tenth of the steps and falls
    /// as a cosine.
    AdamWCosine,
    /// SGD with momentum 0.9 and weight decay 5e-3 at a constant rate, as in the released code.
    SgdConstant,
}

/// How a style encoder is trained.
#[derive(Config, Debug)]
pub struct StyleEncoderTrainingConfig {
    /// Steps of training.
    pub steps: usize,
    /// Largest learning rate. Default: 2e-3
    #[config(default = 2e-3)]
    pub learning_rate: f64,
    /// Optimiser and schedule. Default: AdamW, which needs hundreds of steps where the released setting
    /// has 200 epochs; the paper says "until convergence"
    #[config(default = "StyleEncoderOptimiser::AdamWCosine")]
    pub optimiser: StyleEncoderOptimiser,
}

impl StyleEncoderTrainingConfig {
    /// The released setting; batches of 256 images there.
    pub fn released(steps: usize) -> Self {
        Self::new(steps).with_optimiser(StyleEncoderOptimiser::SgdConstant)
    }
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
            optimiser: match config.optimiser {
                StyleEncoderOptimiser::AdamWCosine => AdamWConfig::new()
                    .with_epsilon(1e-8)
                    .with_weight_decay(0.01)
                    .init(),
                // Burn's momentum is damped by default, torch's is not.
                StyleEncoderOptimiser::SgdConstant => SgdConfig::new()
                    .with_momentum(Some(
                        MomentumConfig::new().with_momentum(0.9).with_dampening(0.0),
                    ))
                    .with_weight_decay(Some(WeightDecayConfig::new(5e-3)))
                    .init(),
            },
            config,
            device,
            step: 0,
        })
    }

    fn learning_rate(&self) -> f64 {
        if self.config.optimiser == StyleEncoderOptimiser::SgdConstant {
            return self.config.learning_rate;
        }
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
    /// [`DiffusionError::UnknownStyle`] if a label has no output, [`DiffusionError::Diverged`] if the
    /// loss is not finite; the weights are then unchanged.
    pub fn step(
        &mut self,
        images: Tensor<4>,
        styles: Tensor<1, Int>,
    ) -> Result<(f32, f32), DiffusionError> {
        let batch_size = images.dims()[0];
        let images = Tensor::from_data(images.into_data(), &self.device);
        let styles = Tensor::<1, Int>::from_data(styles.into_data(), &self.device);
        let num_styles = self.encoder.num_styles();
        let unknown = |label: &i64| usize::try_from(*label).map_or(true, |l| l >= num_styles);
        if let Some(label) = styles.to_data().iter::<i64>().find(unknown) {
            return Err(DiffusionError::UnknownStyle { label, num_styles });
        }
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
                precision: Precision::Full,
                quantity: "loss",
                value,
                batch: format!("{batch_size} images of style"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StyleEncoderConfig;
    use fas_data::{LeakageGuard, Protocol};

    fn trainer(config: StyleEncoderTrainingConfig) -> StyleEncoderTrainer {
        let device = Device::default();
        device.seed(5);
        let pool = LeakageGuard::new(&Protocol::intra("C"))
            .admit(TrainingPurpose::StyleEncoder, Vec::new())
            .unwrap();
        let encoder = StyleEncoderConfig::small(2)
            .with_stem_channels(8)
            .with_widths(vec![8, 16, 16])
            .init(&device);
        StyleEncoderTrainer::new(encoder, config, &device, &pool).unwrap()
    }

    /// Dark and bright images.
    fn batch(labels: [i64; 4]) -> (Tensor<4>, Tensor<1, Int>) {
        let device = Device::default();
        let shade = Tensor::<1>::from_data(labels.map(|l| l as f32 - 0.5), &device);
        let images = shade.reshape([4, 1, 1, 1]).expand([4, 3, 32, 32]);
        (images, Tensor::from_data(labels, &device))
    }

    #[test]
    fn both_settings_learn_to_tell_two_styles() {
        for config in [
            StyleEncoderTrainingConfig::new(30),
            StyleEncoderTrainingConfig::released(30).with_learning_rate(2e-2),
        ] {
            let mut trainer = trainer(config);
            let steps: Vec<(f32, f32)> = (0..30)
                .map(|_| {
                    let (images, styles) = batch([0, 1, 1, 0]);
                    trainer.step(images, styles).unwrap()
                })
                .collect();
            let (loss, accuracy) = steps[29];
            assert!(loss < 0.5 && accuracy == 1.0, "{steps:?}");
        }
    }

    #[test]
    fn an_unknown_label_is_an_error() {
        let (images, styles) = batch([0, 1, 2, 0]);
        let error = trainer(StyleEncoderTrainingConfig::new(1)).step(images, styles);
        let text = error.unwrap_err().to_string();
        assert!(
            text.contains("style label 2, but the style encoder knows 2"),
            "{text}"
        );
    }
}
