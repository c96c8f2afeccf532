//! Ancestral sampling: DDPM, algorithm 2; with learned variance (Nichol and Dhariwal 2021).

use burn::config::Config;
use burn::tensor::{Int, Tensor, s};

use crate::{DiffusionProcess, StartAlignment};

/// Variance of an ancestral step.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum DdpmVariance {
    /// Interpolated by the network's variance logits, channels after the noise.
    Learned,
    /// The posterior's.
    Posterior,
    /// `beta`, the upper bound (DDPM's "fixed large"); AnoDDPM.
    Beta,
}

/// How ancestral sampling starts and steps.
#[derive(Config, Debug, PartialEq, Eq)]
pub struct DdpmConfig {
    /// Noise level that denoising starts from. Every step below it is taken.
    pub start_step: usize,
    /// Variance of the steps. Default: learned (released); a network of 3 output channels has the
    /// posterior's only
    #[config(default = "DdpmVariance::Learned")]
    pub variance: DdpmVariance,
    /// Whether the first step is `start_step` itself. Default: it is, so that the network is told the
    /// noise that is there
    #[config(default = "StartAlignment::Exact")]
    pub alignment: StartAlignment,
}

impl DdpmConfig {
    /// The steps taken: `start_step` (with the released alignment `start_step - 1`) down to 0.
    pub fn timesteps(&self) -> Vec<usize> {
        let first = match self.alignment {
            StartAlignment::Exact => self.start_step,
            StartAlignment::Released => self.start_step.saturating_sub(1),
        };
        (0..=first).rev().collect()
    }
}

/// One step from `x_t` to `x_{t-1}`. The implied clean image is clipped to `[-1, 1]`; no noise is added
/// at step 0.
///
/// # Shapes
///
/// - output: `[batch_size, channels or 2 channels, height, width]`, noise and, where learned, variance
///   logits
/// - x_t, noise, result: `[batch_size, channels, height, width]`
/// - timesteps: `[batch_size]`
///
/// # Panics
///
/// Panics if the variance is learned and `output` has no logits.
pub fn ddpm_step(
    process: &DiffusionProcess,
    output: Tensor<4>,
    x_t: Tensor<4>,
    timesteps: &Tensor<1, Int>,
    variance: DdpmVariance,
    noise: Tensor<4>,
) -> Tensor<4> {
    let channels = x_t.dims()[1];
    let predicted = output.clone().slice(s![.., ..channels]);
    let x_start = process
        .predict_x_start(x_t.clone(), timesteps, predicted)
        .clamp(-1.0, 1.0);
    let mean = process.q_posterior_mean(x_start, x_t, timesteps);
    let log_variance = match variance {
        DdpmVariance::Learned => {
            assert_eq!(
                output.dims()[1],
                2 * channels,
                "learned variance needs as many logits as noise channels"
            );
            process.learned_log_variance(output.slice(s![.., channels..]), timesteps)
        }
        DdpmVariance::Posterior => process.posterior_log_variance(timesteps),
        DdpmVariance::Beta => process.beta_log_variance(timesteps),
    };
    let batch_size = timesteps.dims()[0];
    let not_last: Tensor<4> = timesteps
        .clone()
        .greater_elem(0)
        .float()
        .reshape([batch_size, 1, 1, 1]);
    mean + (log_variance * 0.5).exp() * noise * not_last
}

/// Denoises `x`, one step at a time from `first_step` down to 0.
///
/// `network` gives noise and variance logits; `noise(t)` is drawn once a step.
pub fn ddpm_sample(
    network: impl Fn(Tensor<4>, Tensor<1, Int>) -> Tensor<4>,
    process: &DiffusionProcess,
    mut x: Tensor<4>,
    first_step: usize,
    variance: DdpmVariance,
    mut noise: impl FnMut(usize) -> Tensor<4>,
) -> Tensor<4> {
    let [batch_size, ..] = x.dims();
    for t in (0..=first_step).rev() {
        let steps = Tensor::<1, Int>::full([batch_size], t as i64, &x.device());
        let output = network(x.clone(), steps.clone());
        x = ddpm_step(process, output, x, &steps, variance, noise(t));
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoiseScheduleConfig;
    use burn::tensor::{Device, Tolerance};

    #[test]
    fn every_step_is_taken_and_the_released_code_skips_the_first() {
        let config = DdpmConfig::new(3);
        assert_eq!(config.timesteps(), [3, 2, 1, 0]);
        let released = config.with_alignment(StartAlignment::Released);
        assert_eq!(released.timesteps(), [2, 1, 0]);
    }

    #[test]
    fn a_perfect_denoiser_ends_on_the_image() {
        let device = Device::default();
        let process = DiffusionProcess::new(NoiseScheduleConfig::difffas().init(), &device);
        let image = Tensor::<4>::full([1, 3, 1, 2], 0.4, &device);
        let noise = Tensor::<4>::from_data([[[[0.9, -1.1]], [[0.2, 0.3]], [[-0.5, 1.0]]]], &device);
        let steps = Tensor::<1, Int>::from_data([300], &device);
        let x = process.q_sample(image.clone(), &steps, noise.clone());
        let result = ddpm_sample(
            |x, t| process.predict_noise(x, &t, image.clone()),
            &process,
            x,
            300,
            DdpmVariance::Posterior,
            |_| noise.clone(),
        );
        result
            .into_data()
            .assert_approx_eq(&image.into_data(), Tolerance::<f32>::rel_abs(1e-3, 1e-3));
    }
}
