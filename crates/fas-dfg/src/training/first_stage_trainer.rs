//! Training of a small first stage: a KL-regularised autoencoder (Rombach et al. 2022,
//! <https://arxiv.org/abs/2112.10752>, appendix G).
//!
//! The perceptual and adversarial terms of latent diffusion are left out: the anomalous cue is a
//! difference of pixels, so pixels are what counts, and a perceptual network would be a third party's.

use std::path::Path;

use burn::config::Config;
use burn::tensor::Tensor;
use fas_diffusion::sample_noise;

use super::module_trainer::{ModuleTrainer, OptimisationConfig};
use crate::{AutoencoderKl, DfgError};

/// How a first stage is trained.
#[derive(Config, Debug)]
pub struct FirstStageTrainingConfig {
    /// Steps and rates.
    pub optimisation: OptimisationConfig,
    /// Weight of the divergence, in nats a value of the image, beside the mean absolute error.
    /// Default: 1e-3 (latent diffusion: 1e-6)
    #[config(default = 1e-3)]
    pub divergence_weight: f64,
    /// Seed of the posterior's noise. Default: 0
    #[config(default = 0)]
    pub seed: u64,
}

/// What a step did.
#[derive(Debug, Clone)]
pub struct FirstStageReport {
    /// Step, counted from 0.
    pub step: usize,
    /// Mean absolute error of the reconstruction, for values in `[-1, 1]`.
    pub error: f32,
    /// Divergence, in nats an image.
    pub divergence: f32,
}

/// A first stage in training.
pub struct FirstStageTrainer {
    trainer: ModuleTrainer<AutoencoderKl>,
    config: FirstStageTrainingConfig,
}

impl FirstStageTrainer {
    /// Starts from `autoencoder`.
    pub fn new(autoencoder: AutoencoderKl, config: FirstStageTrainingConfig) -> Self {
        Self {
            trainer: ModuleTrainer::new(autoencoder, config.optimisation.clone()),
            config,
        }
    }

    /// Steps taken so far.
    pub fn steps_taken(&self) -> usize {
        self.trainer.steps_taken()
    }

    /// One step.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, 3, size, size]`, in `[-1, 1]`
    ///
    /// # Errors
    ///
    /// [`DfgError::Diverged`] if the loss is not finite; the weights are then unchanged.
    pub fn step(&mut self, images: Tensor<4>) -> Result<FirstStageReport, DfgError> {
        let [batch_size, channels, height, width] = images.dims();
        let step = self.trainer.steps_taken();
        let images: Tensor<4> = Tensor::from_inner(images);
        let weight = self.config.divergence_weight / (channels * height * width) as f64;
        let (mut error, mut divergence) = (0.0, 0.0);
        self.trainer.step(|net| {
            let posterior = net.encode(images.clone());
            let [_, latent_channels, size, _] = posterior.mean.dims();
            let names: Vec<String> = (0..batch_size)
                .map(|i| format!("posterior {step}/{i}"))
                .collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            let noise = sample_noise(
                self.config.seed,
                &names,
                latent_channels,
                size,
                &images.device().inner(),
            );
            let decoded = net.decode(posterior.sample(Tensor::from_inner(noise)));
            let absolute = (decoded - images.clone()).abs().mean();
            let nats = posterior.divergence().mean();
            error = absolute.clone().into_scalar();
            divergence = nats.clone().into_scalar();
            absolute + nats * weight
        })?;
        Ok(FirstStageReport {
            step,
            error,
            divergence,
        })
    }

    /// The averaged network.
    pub fn averaged(&self) -> AutoencoderKl {
        self.trainer.average().clone()
    }

    /// Writes all that [`resume`](Self::resume) needs into `folder`, atomically.
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

/// The factor that brings the latents of `batches` to unit variance (Rombach et al. 2022, appendix
/// G): one over the root of their mean square, from the means of the posteriors.
///
/// # Panics
///
/// Panics if there is no batch.
pub fn measure_scaling_factor(
    autoencoder: &AutoencoderKl,
    batches: impl IntoIterator<Item = Tensor<4>>,
) -> f64 {
    let (mut squares, mut count) = (0.0, 0);
    for images in batches {
        let mean = autoencoder.encode(images).mean;
        count += mean.dims().iter().product::<usize>();
        squares += f64::from(mean.square().sum().into_scalar::<f32>());
    }
    assert!(count > 0, "the scale of latents needs at least one batch");
    (count as f64 / squares).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::AutoencoderKlConfig;
    use burn::tensor::{Device, Distribution};

    fn tiny() -> AutoencoderKl {
        let device = Device::default();
        device.seed(3);
        AutoencoderKlConfig::new(vec![8, 8])
            .with_num_groups(4)
            .with_layers_per_block(1)
            .init(&device)
    }

    fn images(step: u64) -> Tensor<4> {
        let names = [format!("{step}/a"), format!("{step}/b")];
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        sample_noise(9, &names, 3, 8, &Device::default()).clamp(-1.0, 1.0)
    }

    fn trainer(steps: usize) -> FirstStageTrainer {
        let optimisation = OptimisationConfig::new(steps)
            .with_warm_up_steps(1)
            .with_learning_rate(5e-3);
        FirstStageTrainer::new(tiny(), FirstStageTrainingConfig::new(optimisation))
    }

    fn bytes(net: &AutoencoderKl) -> Vec<u8> {
        fas_weights::module_bytes(net, fas_weights::StoredFloat::F32, &Default::default())
    }

    #[test]
    fn a_resumed_run_is_bit_equal_to_an_uninterrupted_one() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("checkpoint");
        let mut whole = trainer(4);
        for step in 0..4 {
            whole.step(images(step)).unwrap();
            if step == 1 {
                whole.checkpoint(&folder).unwrap();
            }
        }
        let mut resumed = trainer(4).resume(&folder).unwrap();
        assert_eq!(resumed.steps_taken(), 2);
        for step in 2..4 {
            resumed.step(images(step)).unwrap();
        }
        assert_eq!(bytes(&whole.averaged()), bytes(&resumed.averaged()));
    }

    #[test]
    fn the_error_falls() {
        let mut trainer = trainer(60);
        let batch = images(0);
        let first = trainer.step(batch.clone()).unwrap().error;
        for _ in 0..58 {
            trainer.step(batch.clone()).unwrap();
        }
        let last = trainer.step(batch).unwrap().error;
        assert!(last < 0.8 * first, "{first} {last}");
    }

    #[test]
    fn scaled_latents_have_unit_variance() {
        let net = tiny();
        let device = Device::default();
        let batch = Tensor::<4>::random([4, 3, 8, 8], Distribution::Uniform(-1.0, 1.0), &device);
        let factor = measure_scaling_factor(&net, [batch.clone()]);
        let scaled = net.encode(batch).mean * factor;
        let square: f32 = scaled.square().mean().into_scalar();
        assert!((square - 1.0).abs() < 1e-4, "{square}");
    }
}
