//! Training of the other cue sources (AG-FAS, Table 4), on bona fide faces only.

use burn::config::Config;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::Tensor;
use fas_diffusion::EmaConfig;
use rand::SeedableRng;
use rand_chacha::ChaCha8Rng;

use super::BonaFideSamples;
use crate::DfgError;
use crate::baseline::FaceReconstruction;

/// How a reconstruction network is trained.
#[derive(Config, Debug)]
pub struct BaselineTrainingConfig {
    /// Steps of training.
    pub steps: usize,
    /// Largest learning rate; it falls to a fiftieth as a cosine. Default: 1e-3 (small networks; the
    /// released codes of all three: 1e-4)
    #[config(default = 1e-3)]
    pub learning_rate: f64,
    /// Average of the weights, running statistics included. Default: none (AnoDDPM has one of decay
    /// 0.9999)
    #[config(default = "None")]
    pub ema: Option<EmaConfig>,
    /// Seed of everything random. Default: 0
    #[config(default = 0)]
    pub seed: u64,
}

impl BaselineTrainingConfig {
    /// Learning rate of `step`.
    fn learning_rate_at(&self, step: usize) -> f64 {
        let progress = (step as f64 / self.steps.max(1) as f64).min(1.0);
        let fall = 0.5 * (1.0 + (std::f64::consts::PI * progress).cos());
        self.learning_rate * (0.02 + 0.98 * fall)
    }
}

/// A reconstruction network in training.
pub struct BaselineTrainer<B: FaceReconstruction> {
    network: B,
    average: B,
    optimiser: ModuleOptimizer,
    config: BaselineTrainingConfig,
    random: ChaCha8Rng,
    step: usize,
}

impl<B: FaceReconstruction> BaselineTrainer<B> {
    /// Starts from `network`. The images of all steps are of `samples`, which can be bona fide only.
    pub fn new(network: B, config: BaselineTrainingConfig, _samples: &BonaFideSamples) -> Self {
        let optimiser = AdamWConfig::new()
            .with_epsilon(1e-8)
            .with_weight_decay(0.0)
            .init();
        Self {
            average: network.clone(),
            network: network.train(),
            optimiser,
            random: ChaCha8Rng::seed_from_u64(config.seed),
            config,
            step: 0,
        }
    }

    /// Steps taken so far.
    pub fn steps_taken(&self) -> usize {
        self.step
    }

    /// One step; gives the loss before it.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, 3, size, size]`, in `[-1, 1]`
    ///
    /// # Errors
    ///
    /// [`DfgError::Diverged`] if the loss is not finite; the weights are then unchanged.
    pub fn step(&mut self, images: Tensor<4>) -> Result<f32, DfgError> {
        let images = if images.device().is_autodiff() {
            images
        } else {
            Tensor::from_inner(images)
        };
        let loss = self.network.loss(images, &mut self.random);
        let value: f32 = loss.clone().into_scalar();
        if !value.is_finite() {
            return Err(DfgError::Diverged {
                step: self.step,
                loss: value,
            });
        }
        let gradients = GradientsParams::from_grads(loss.backward(), &self.network);
        let rate = self.config.learning_rate_at(self.step);
        self.network = self.optimiser.step(rate, self.network.clone(), gradients);
        if let Some(ema) = &self.config.ema {
            self.average = ema.update(self.average.clone(), &self.network, self.step);
        }
        self.step += 1;
        Ok(value)
    }

    /// The trained network, averaged if asked for, without gradients.
    pub fn finish(self) -> B {
        match self.config.ema {
            Some(_) => self.average,
            None => self.network.valid(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::baseline::{
        AnoDdpmConfig, AnomalyNoise, AnomalySampler, DeepSvddConfig, MemAeConfig, PixelUnetConfig,
    };
    use burn::tensor::{Device, TensorData};
    use fas_data::{Label, LeakageGuard, Protocol, Sample, Split, TrainingPurpose};

    const SIZE: usize = 16;

    fn faces() -> BonaFideSamples {
        let sample = Sample {
            id: "a".to_owned(),
            path: "a.png".into(),
            label: Label::BonaFide,
            domain: "C".to_owned(),
            split: Split::Train,
            subject: "a".to_owned(),
            video: None,
            style: "C/a".to_owned(),
            synthetic: false,
            quality_score: None,
            presenter: None,
            crop: None,
        };
        let admitted = LeakageGuard::new(&Protocol::intra("C"))
            .admit(TrainingPurpose::Generator, vec![sample])
            .unwrap();
        BonaFideSamples::new(&admitted).unwrap()
    }

    /// Eight smooth images.
    fn images() -> Tensor<4> {
        let values: Vec<f32> = (0..8 * 3 * SIZE * SIZE)
            .map(|at| {
                let (image, pixel) = (at / (3 * SIZE * SIZE), at % (SIZE * SIZE));
                let (x, y) = ((pixel % SIZE) as f32, (pixel / SIZE) as f32);
                0.7 * ((0.2 + 0.03 * image as f32) * x).sin() * (0.25 * y).cos()
            })
            .collect();
        Tensor::from_data(
            TensorData::new(values, [8, 3, SIZE, SIZE]),
            &Device::default(),
        )
    }

    /// Mean absolute residual before and after training.
    fn residuals<B: FaceReconstruction>(network: B, steps: usize) -> (f32, f32) {
        let ids = ["a", "b", "c", "d", "e", "f", "g", "h"];
        let residual = |network: &B| -> f32 {
            (images() - network.reconstruct(images(), &ids, 0))
                .abs()
                .mean()
                .into_scalar()
        };
        let before = residual(&network);
        let config = BaselineTrainingConfig::new(steps).with_learning_rate(3e-3);
        let mut trainer = BaselineTrainer::new(network, config, &faces());
        for _ in 0..steps {
            trainer.step(images()).unwrap();
        }
        (before, residual(&trainer.finish()))
    }

    #[test]
    fn every_baseline_learns_to_reconstruct() {
        let device = Device::default();
        device.seed(5);
        let memory = MemAeConfig::small()
            .with_widths(vec![16, 32])
            .with_slots(50)
            .with_shrink(0.002);
        let (before, after) = residuals(memory.init(&device), 150);
        assert!(after < 0.6 * before, "MemAE: {before} {after}");
        let svdd = DeepSvddConfig::new()
            .with_image_size(SIZE)
            .with_widths(vec![8, 16]);
        let (before, after) = residuals(svdd.init(&device), 150);
        assert!(after < 0.6 * before, "Deep SVDD: {before} {after}");
        for noise in [AnomalyNoise::Gaussian, AnomalyNoise::Simplex] {
            let network = PixelUnetConfig::small()
                .with_image_size(SIZE)
                .with_model_channels(16)
                .with_channel_mult(vec![1, 2]);
            let diffusion = AnoDdpmConfig::new(network)
                .with_sampler(AnomalySampler::Ddim { steps: 10 })
                .with_noise(noise);
            let (before, after) = residuals(diffusion.init(&device), 80);
            assert!(after < 0.8 * before, "AnoDDPM: {before} {after}");
        }
    }
}
