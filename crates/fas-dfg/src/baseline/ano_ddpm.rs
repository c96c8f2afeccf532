//! AnoDDPM: Wyatt et al. 2022 (CVPR workshops); released code `GaussianDiffusion.py`. An image is
//! noised part of the way and denoised by a network that has seen bona fide faces only.
//!
//! AG-FAS cites it and describes it with plain DDPM: 200 steps of Gaussian noise, 200 ancestral steps
//! back. AnoDDPM's own noise is simplex noise; both are here.

use burn::config::Config;
use burn::module::Module;
use burn::tensor::{Device, Int, Tensor, TensorData};
use fas_diffusion::{
    DdimConfig, DdpmVariance, DiffusionProcess, NoiseScheduleConfig, ddim_sample, ddpm_sample,
    sample_noise,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rand_distr::{Distribution, StandardNormal};

use super::{FaceReconstruction, PixelUnet, PixelUnetConfig, simplex_noise};

/// Noise that images are drowned in.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum AnomalyNoise {
    /// Gaussian: AG-FAS.
    Gaussian,
    /// Octaves of simplex noise: AnoDDPM.
    Simplex,
}

/// Way back to a clean image.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum AnomalySampler {
    /// Every step, with fresh noise of variance `beta`: AnoDDPM.
    Ancestral,
    /// DDIM in this many evenly spaced steps: for CPUs.
    Ddim {
        /// Steps.
        steps: usize,
    },
}

/// Configuration to create an [`AnoDdpm`] with [`init`](AnoDdpmConfig::init).
#[derive(Config, Debug)]
pub struct AnoDdpmConfig {
    /// Network.
    pub network: PixelUnetConfig,
    /// Schedule. Default: linear from 1e-4 to 2e-2 in 1000 steps
    #[config(default = "NoiseScheduleConfig::new()")]
    pub schedule: NoiseScheduleConfig,
    /// Steps of noise that an image gets, of the schedule's. Default: 200 (AG-FAS)
    #[config(default = 200)]
    pub noise_steps: usize,
    /// Kind of noise. Default: Gaussian (AG-FAS)
    #[config(default = "AnomalyNoise::Gaussian")]
    pub noise: AnomalyNoise,
    /// Way back. Default: ancestral
    #[config(default = "AnomalySampler::Ancestral")]
    pub sampler: AnomalySampler,
}

impl AnoDdpmConfig {
    /// AG-FAS's procedure with AnoDDPM's network for 256 px.
    pub fn paper() -> Self {
        Self::new(PixelUnetConfig::new())
    }

    /// For 64 px and a CPU: ten steps of DDIM.
    pub fn small() -> Self {
        Self::new(PixelUnetConfig::small()).with_sampler(AnomalySampler::Ddim { steps: 10 })
    }

    /// Initializes the network on `device`.
    ///
    /// # Panics
    ///
    /// Panics unless `noise_steps` is in `1..=num_timesteps`, and as [`PixelUnetConfig::init`].
    pub fn init(&self, device: &Device) -> AnoDdpm {
        assert!(
            (1..=self.schedule.num_timesteps).contains(&self.noise_steps),
            "{} steps of noise of {}",
            self.noise_steps,
            self.schedule.num_timesteps
        );
        AnoDdpm {
            network: self.network.init(device),
            config: self.clone(),
        }
    }
}

/// A pixel diffusion model of bona fide faces.
#[derive(Module, Debug)]
pub struct AnoDdpm {
    network: PixelUnet,
    #[module(skip)]
    config: AnoDdpmConfig,
}

impl AnoDdpm {
    /// Clean images from images noised with `start_noise` to step `noise_steps - 1`.
    ///
    /// `network` predicts noise; `noise(t)` is drawn once an ancestral step. A function of its own, so
    /// that the loop is tested without a network.
    ///
    /// # Shapes
    ///
    /// - images, start_noise, output: `[batch_size, 3, height, width]`
    pub fn repair(
        config: &AnoDdpmConfig,
        images: Tensor<4>,
        start_noise: Tensor<4>,
        network: impl Fn(Tensor<4>, Tensor<1, Int>) -> Tensor<4>,
        noise: impl FnMut(usize) -> Tensor<4>,
    ) -> Tensor<4> {
        let process = DiffusionProcess::new(config.schedule.init(), &images.device());
        let start = config.noise_steps - 1;
        let [batch_size, ..] = images.dims();
        let steps = Tensor::<1, Int>::full([batch_size], start as i64, &images.device());
        let x_t = process.q_sample(images, &steps, start_noise);
        match config.sampler {
            AnomalySampler::Ancestral => {
                ddpm_sample(network, &process, x_t, start, DdpmVariance::Beta, noise)
            }
            AnomalySampler::Ddim { steps } => {
                let ddim = DdimConfig::new(start).with_sampling_steps(steps);
                ddim_sample(
                    network,
                    process.schedule(),
                    x_t,
                    &ddim.timesteps(),
                    &ddim,
                    noise,
                    |_, _| {},
                )
            }
        }
    }

    /// Noise of the configured kind for each image, drawn from the seed and its id.
    fn noise(&self, ids: &[&str], seed: u64, size: usize, device: &Device) -> Tensor<4> {
        match self.config.noise {
            AnomalyNoise::Gaussian => sample_noise(seed, ids, 3, size, device),
            AnomalyNoise::Simplex => {
                // The first value of an image's own Gaussian noise picks its field.
                let picks: Vec<f32> = sample_noise(seed, ids, 1, 1, device)
                    .into_data()
                    .iter::<f32>()
                    .collect();
                let planes = picks.into_iter().flat_map(|pick| {
                    let mut random = ChaCha8Rng::seed_from_u64(u64::from(pick.to_bits()));
                    (0..3)
                        .flat_map(|_| simplex_noise(size, &mut random))
                        .collect::<Vec<f32>>()
                });
                let data = TensorData::new(planes.collect(), [ids.len(), 3, size, size]);
                Tensor::from_data(data, device)
            }
        }
    }
}

impl FaceReconstruction for AnoDdpm {
    /// Mean square error of the predicted noise at uniform steps.
    fn loss(&self, images: Tensor<4>, random: &mut ChaCha8Rng) -> Tensor<1> {
        let [batch_size, channels, size, _] = images.dims();
        let device = images.device();
        let num_timesteps = self.config.schedule.num_timesteps;
        let steps: Vec<i64> = (0..batch_size)
            .map(|_| random.random_range(0..num_timesteps) as i64)
            .collect();
        let values: Vec<f32> = match self.config.noise {
            AnomalyNoise::Gaussian => (0..batch_size * channels * size * size)
                .map(|_| StandardNormal.sample(random))
                .collect(),
            AnomalyNoise::Simplex => (0..batch_size * channels)
                .flat_map(|_| simplex_noise(size, random))
                .collect(),
        };
        let shape = [batch_size, channels, size, size];
        let noise = Tensor::<4>::from_data(TensorData::new(values, shape), &device);
        let steps = Tensor::<1, Int>::from_data(&steps[..], &device);
        let process = DiffusionProcess::new(self.config.schedule.init(), &device);
        let x_t = process.q_sample(images, &steps, noise.clone());
        (self.network.forward(x_t, steps) - noise).square().mean()
    }

    fn reconstruct(&self, images: Tensor<4>, ids: &[&str], seed: u64) -> Tensor<4> {
        let [_, _, size, _] = images.dims();
        let device = images.device();
        let start = self.noise(ids, seed, size, &device);
        let network = |x, t| self.network.forward(x, t);
        let fresh = |step: usize| {
            let step_seed = seed.wrapping_add(1 + step as u64);
            self.noise(ids, step_seed, size, &device)
        };
        Self::repair(&self.config, images, start, network, fresh).clamp(-1.0, 1.0)
    }
}
