//! Denoising Diffusion Implicit Models: Song et al. 2021, <https://arxiv.org/abs/2010.02502>,
//! equation 12; with the image-editing start of DiffFAS, section 3.3.

use burn::config::Config;
use burn::tensor::{Int, Tensor};

use crate::{NoiseSchedule, StartAlignment};

/// Which steps are taken, and how.
#[derive(Config, Debug, PartialEq)]
pub struct DdimConfig {
    /// Noise level that denoising starts from: the live face is noised to exactly this step.
    pub start_step: usize,
    /// Number of network calls, at least 1. Default: 25
    #[config(default = 25)]
    pub sampling_steps: usize,
    /// Last step of the list, whose clean image is the result. Above 0 it leaves out the steps of
    /// lowest noise. Default: 0
    #[config(default = 0)]
    pub stop_step: usize,
    /// Power `p` of the spacing: the steps lie at `u^p` of the way from `stop_step` to `start_step`, for
    /// evenly spaced `u`. 1 is even (DiffFAS), 2 the quadratic spacing of DDIM's section D.3, which
    /// takes smaller steps where there is less noise. Default: 1
    #[config(default = 1.0)]
    pub spacing_power: f64,
    /// Stochasticity, in `[0, 1]`: 0 is deterministic, 1 is DDPM's variance. Default: 0
    #[config(default = 0.0)]
    pub eta: f64,
    /// Whether the list begins with `start_step` itself. Default: it does, so that the network is told
    /// the noise that is there
    #[config(default = "StartAlignment::Exact")]
    pub alignment: StartAlignment,
    /// Whether the implied clean image is clipped to `[-1, 1]` at each step and the noise derived anew:
    /// near pure noise an error of the noise is otherwise multiplied by 157. Default: true (released:
    /// no); false for latents, which have no such range
    #[config(default = true)]
    pub clip: bool,
    /// `alphas_cumprod` that the last step ends at: 1 is no noise. Stable Diffusion's samplers end at
    /// that of step 0. Default: 1
    #[config(default = 1.0)]
    pub final_alphas_cumprod: f64,
}

impl DdimConfig {
    /// The released sampling script: 25 steps 240, 230, ..., 0 from the noise of step 250, no clipping.
    pub fn released() -> Self {
        Self::new(250)
            .with_alignment(StartAlignment::Released)
            .with_clip(false)
    }

    /// The steps from `start_step` down to `stop_step`, both included, without repetition; with the
    /// released alignment those below `start_step` that its interval divides.
    ///
    /// # Panics
    ///
    /// Panics if there are no steps, `stop_step` lies above `start_step`, or the released alignment is
    /// asked to stop early, to space by a power, or to take more steps than there are.
    pub fn timesteps(&self) -> Vec<usize> {
        if self.alignment == StartAlignment::Released {
            assert!(
                self.stop_step == 0 && self.spacing_power == 1.0,
                "the released list is even and ends at 0"
            );
            assert!(
                (1..=self.start_step).contains(&self.sampling_steps),
                "{} steps below step {}",
                self.sampling_steps,
                self.start_step
            );
            let interval = self.start_step / self.sampling_steps;
            return (0..self.start_step).step_by(interval).rev().collect();
        }
        assert!(self.sampling_steps > 0, "sampling needs at least one step");
        assert!(
            self.stop_step <= self.start_step,
            "stop_step {} lies above start_step {}",
            self.stop_step,
            self.start_step
        );
        let span = (self.start_step - self.stop_step) as f64;
        let last = (self.sampling_steps - 1).max(1) as f64;
        let mut steps: Vec<usize> = (0..self.sampling_steps)
            .map(|index| {
                let left = (1.0 - index as f64 / last).powf(self.spacing_power);
                self.start_step - (span * (1.0 - left)).round() as usize
            })
            .collect();
        steps.dedup();
        steps
    }
}

/// Denoises `x_start_step` along `timesteps` (descending); after the last one the clean image is given.
///
/// `noise` is asked for once a step if `eta` is above 0. `observe` sees the state after each step.
///
/// # Shapes
///
/// - x: `[batch_size, channels, height, width]`, at the noise level of the first timestep
///
/// # Panics
///
/// Panics if `timesteps` is not strictly descending or leaves the schedule.
pub fn ddim_sample(
    denoiser: impl Fn(Tensor<4>, Tensor<1, Int>) -> Tensor<4>,
    schedule: &NoiseSchedule,
    mut x: Tensor<4>,
    timesteps: &[usize],
    config: &DdimConfig,
    mut noise: impl FnMut(usize) -> Tensor<4>,
    mut observe: impl FnMut(usize, &Tensor<4>),
) -> Tensor<4> {
    assert!(
        timesteps.is_sorted_by(|a, b| a > b),
        "timesteps must descend: {timesteps:?}"
    );
    let [batch_size, ..] = x.dims();
    for (index, &t) in timesteps.iter().enumerate() {
        let abar = schedule.alphas_cumprod[t];
        let abar_next = timesteps
            .get(index + 1)
            .map_or(config.final_alphas_cumprod, |&next| {
                schedule.alphas_cumprod[next]
            });
        let steps = Tensor::<1, Int>::full([batch_size], t as i64, &x.device());
        let mut predicted = denoiser(x.clone(), steps);
        let mut x_start = (x.clone() - predicted.clone() * (1.0 - abar).sqrt()) / abar.sqrt();
        if config.clip {
            x_start = x_start.clamp(-1.0, 1.0);
            predicted = (x - x_start.clone() * abar.sqrt()) / (1.0 - abar).sqrt();
        }
        // Equation 16: eta scales between the deterministic process and DDPM's.
        let deviation = config.eta
            * ((1.0 - abar_next) / (1.0 - abar)).sqrt()
            * (1.0 - abar / abar_next).sqrt();
        let direction = (1.0 - abar_next - deviation * deviation).max(0.0).sqrt();
        x = x_start * abar_next.sqrt() + predicted * direction;
        if deviation > 0.0 {
            x = x + noise(t) * deviation;
        }
        observe(index, &x);
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoiseScheduleConfig;
    use burn::tensor::{Device, Tolerance};

    #[test]
    fn the_list_starts_at_the_noise_level_and_ends_at_the_stop() {
        let config = DdimConfig::new(250).with_sampling_steps(26);
        let steps = config.timesteps();
        assert_eq!(
            (steps[0], steps[1], steps[25], steps.len()),
            (250, 240, 0, 26)
        );
        let early = DdimConfig::new(999)
            .with_sampling_steps(8)
            .with_stop_step(150)
            .timesteps();
        assert_eq!((early[0], early[7]), (999, 150));
        assert_eq!(
            DdimConfig::new(3).with_sampling_steps(25).timesteps(),
            [3, 2, 1, 0]
        );
    }

    #[test]
    fn the_released_list_starts_below_its_noise() {
        let steps = DdimConfig::released().timesteps();
        assert_eq!(
            (steps[0], steps[1], steps[24], steps.len()),
            (240, 230, 0, 25)
        );
    }

    #[test]
    fn quadratic_spacing_is_finer_at_low_noise() {
        let steps = DdimConfig::new(900)
            .with_sampling_steps(4)
            .with_spacing_power(2.0)
            .timesteps();
        assert_eq!(steps, [900, 400, 100, 0]);
        let stopped = DdimConfig::new(940)
            .with_stop_step(40)
            .with_sampling_steps(4)
            .with_spacing_power(2.0)
            .timesteps();
        assert_eq!(stopped, [940, 440, 140, 40]);
    }

    #[test]
    fn a_perfect_denoiser_gives_back_the_image_from_any_start() {
        let device = Device::default();
        let schedule = NoiseScheduleConfig::difffas().init();
        let image = Tensor::<4>::from_data([[[[0.3, -0.8]]]], &device);
        let noise = Tensor::<4>::from_data([[[[1.2, -0.4]]]], &device);
        for (start, eta) in [(100, 0.0), (999, 0.0), (600, 1.0)] {
            let config = DdimConfig::new(start).with_eta(eta).with_sampling_steps(10);
            let x = image.clone() * schedule.signal_rate(start)
                + noise.clone() * schedule.noise_rate(start);
            let denoiser = |x: Tensor<4>, t: Tensor<1, Int>| {
                let t: i64 = t.into_scalar();
                (x - image.clone() * schedule.signal_rate(t as usize))
                    / schedule.noise_rate(t as usize)
            };
            let result = ddim_sample(
                denoiser,
                &schedule,
                x,
                &config.timesteps(),
                &config,
                |_| noise.clone(),
                |_, _| {},
            );
            result
                .into_data()
                .assert_approx_eq(&image.to_data(), Tolerance::<f32>::rel_abs(1e-4, 1e-4));
        }
    }
}
