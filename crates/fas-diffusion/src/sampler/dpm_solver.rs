//! DPM-Solver++(2M): Lu et al. 2022, <https://arxiv.org/abs/2211.01095>, algorithm 2, with the
//! image-editing start of DiffFAS, section 3.3.
//!
//! DDIM solves the sampling ODE exactly for a clean image that does not change over a step. This solver
//! lets it change linearly in `lambda = ln(sqrt(abar) / sqrt(1 - abar))`, by the estimates of this step
//! and of the one before, so its error falls with the square of the step at the same price: one network
//! call a step.

use burn::config::Config;
use burn::tensor::{Int, Tensor};

use crate::NoiseSchedule;

/// Where the steps of a solver lie.
#[derive(Config, Debug, Copy, PartialEq)]
pub enum StepSpacing {
    /// At `u^power` of the way from `stop_step` to `start_step`, for evenly spaced `u`: 1 is even, 2
    /// quadratic.
    Time {
        /// The power, above 0.
        power: f64,
    },
    /// Evenly in `lambda`, half the logarithm of the signal-to-noise ratio.
    LogSignalToNoise,
}

/// Which steps are taken, and how.
#[derive(Config, Debug, PartialEq)]
pub struct DpmSolverConfig {
    /// Noise level that denoising starts from, and first step of the list.
    pub start_step: usize,
    /// Number of network calls, at least 1. Default: 10
    #[config(default = 10)]
    pub sampling_steps: usize,
    /// Last step of the list, whose clean image is the result. Default: 0
    #[config(default = 0)]
    pub stop_step: usize,
    /// Where the steps between lie. Default: quadratic in time, smaller where there is less noise
    #[config(default = "StepSpacing::Time { power: 2.0 }")]
    pub spacing: StepSpacing,
    /// Whether the implied clean image is clipped to `[-1, 1]` at each step. Default: true; false for
    /// latents
    #[config(default = true)]
    pub clip: bool,
}

impl DpmSolverConfig {
    /// The steps from `start_step` down to `stop_step`, both included, without repetition.
    ///
    /// # Panics
    ///
    /// Panics if there are no steps, or `stop_step` lies above `start_step`.
    pub fn timesteps(&self, schedule: &NoiseSchedule) -> Vec<usize> {
        let (start, stop) = (self.start_step, self.stop_step);
        assert!(self.sampling_steps > 0, "sampling needs at least one step");
        assert!(
            stop <= start,
            "stop_step {stop} lies above start_step {start}"
        );
        let last = (self.sampling_steps - 1).max(1) as f64;
        let span = (start - stop) as f64;
        let lambda = |t: usize| -schedule.sigma(t).ln();
        let mut steps: Vec<usize> = (0..self.sampling_steps)
            .map(|index| {
                let way = index as f64 / last;
                match self.spacing {
                    StepSpacing::Time { power } => {
                        stop + (span * (1.0 - way).powf(power)).round() as usize
                    }
                    StepSpacing::LogSignalToNoise => {
                        let wanted = lambda(start) + way * (lambda(stop) - lambda(start));
                        // lambda falls with the step: the first step that is not above the wanted one.
                        let above = (stop..=start).collect::<Vec<_>>();
                        let place = above.partition_point(|&t| lambda(t) > wanted);
                        let right = stop + place.min(above.len() - 1);
                        let left = right.saturating_sub(1).max(stop);
                        let distance = |t: usize| (lambda(t) - wanted).abs();
                        if distance(left) < distance(right) {
                            left
                        } else {
                            right
                        }
                    }
                }
            })
            .collect();
        steps.dedup();
        steps
    }
}

/// Denoises `x` along `timesteps` (descending); after the last one the clean image is given.
/// `observe` sees the state after each step.
///
/// # Shapes
///
/// - x: `[batch_size, channels, height, width]`, at the noise level of the first timestep
///
/// # Panics
///
/// Panics if `timesteps` is not strictly descending or leaves the schedule.
pub fn dpm_solver_sample(
    denoiser: impl Fn(Tensor<4>, Tensor<1, Int>) -> Tensor<4>,
    schedule: &NoiseSchedule,
    mut x: Tensor<4>,
    timesteps: &[usize],
    config: &DpmSolverConfig,
    mut observe: impl FnMut(usize, &Tensor<4>),
) -> Tensor<4> {
    assert!(
        timesteps.is_sorted_by(|a, b| a > b),
        "timesteps must descend: {timesteps:?}"
    );
    let [batch_size, ..] = x.dims();
    let lambda = |t: usize| -schedule.sigma(t).ln();
    // Clean image and length in lambda of the step before.
    let mut before: Option<(Tensor<4>, f64)> = None;
    for (index, &t) in timesteps.iter().enumerate() {
        let steps = Tensor::<1, Int>::full([batch_size], t as i64, &x.device());
        let noise = denoiser(x.clone(), steps);
        let mut x_start = (x.clone() - noise * schedule.noise_rate(t)) / schedule.signal_rate(t);
        if config.clip {
            x_start = x_start.clamp(-1.0, 1.0);
        }
        x = match timesteps.get(index + 1) {
            // The clean image itself: lambda is infinite there, and no line leads to it.
            None => x_start,
            Some(&next) => {
                let step = lambda(next) - lambda(t);
                let estimate = match before {
                    None => x_start.clone(),
                    Some((earlier, length)) => {
                        let slope = step / (2.0 * length);
                        x_start.clone() * (1.0 + slope) - earlier * slope
                    }
                };
                before = Some((x_start, step));
                x * (schedule.noise_rate(next) / schedule.noise_rate(t))
                    - estimate * (schedule.signal_rate(next) * (-step).exp_m1())
            }
        };
        observe(index, &x);
    }
    x
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DdimConfig, NoiseScheduleConfig, ddim_sample};
    use burn::tensor::{Device, Tolerance};

    /// Normal data of mean 0.3 and deviation 0.4. Its denoiser is known, and so is the solution of the
    /// sampling ODE: `x_t = sqrt(abar) 0.3 + sqrt(abar 0.4^2 + 1 - abar) z` with `z` constant.
    const MEAN: f64 = 0.3;
    const DEVIATION: f64 = 0.4;

    fn solution(schedule: &NoiseSchedule, t: usize, z: f64) -> f64 {
        let abar = schedule.alphas_cumprod[t];
        abar.sqrt() * MEAN + (abar * DEVIATION * DEVIATION + 1.0 - abar).sqrt() * z
    }

    fn noise_of(schedule: &NoiseSchedule, x: Tensor<4>, t: Tensor<1, Int>) -> Tensor<4> {
        let t: i64 = t.narrow(0, 0, 1).into_scalar();
        let abar = schedule.alphas_cumprod[t as usize];
        let variance = abar * DEVIATION * DEVIATION + 1.0 - abar;
        (x - abar.sqrt() * MEAN) * ((1.0 - abar).sqrt() / variance)
    }

    /// Error at the stop step, before the clean image is read off, of DDIM and of this solver.
    fn errors(steps: usize) -> (f64, f64) {
        let schedule = NoiseScheduleConfig::difffas().init();
        let (start, stop, z) = (900, 100, 1.3);
        let config = DpmSolverConfig::new(start)
            .with_stop_step(stop)
            .with_sampling_steps(steps + 1)
            .with_spacing(StepSpacing::LogSignalToNoise)
            .with_clip(false);
        let timesteps = config.timesteps(&schedule);
        assert_eq!(timesteps.len(), steps + 1);
        let x = Tensor::full(
            [1, 2, 1, 1],
            solution(&schedule, start, z),
            &Device::default(),
        );
        let denoiser = |x: Tensor<4>, t: Tensor<1, Int>| noise_of(&schedule, x, t);
        let read = |index: usize, x: &Tensor<4>, error: &mut f64| {
            if index + 1 == steps {
                let value: f32 = x.clone().slice([0..1, 0..1]).into_scalar();
                *error = (f64::from(value) - solution(&schedule, stop, z)).abs();
            }
        };
        let (mut first, mut second) = (f64::NAN, f64::NAN);
        let ddim = DdimConfig::new(start).with_clip(false);
        ddim_sample(
            denoiser,
            &schedule,
            x.clone(),
            &timesteps,
            &ddim,
            |_| unreachable!("eta is 0"),
            |index, x| read(index, x, &mut first),
        );
        dpm_solver_sample(denoiser, &schedule, x, &timesteps, &config, |index, x| {
            read(index, x, &mut second);
        });
        (first, second)
    }

    #[test]
    fn the_error_falls_with_the_square_of_the_step() {
        let errors: Vec<(f64, f64)> = [8, 16, 32].into_iter().map(errors).collect();
        for pair in errors.windows(2) {
            let (ddim, solver) = (pair[0].0 / pair[1].0, pair[0].1 / pair[1].1);
            assert!((1.7..2.4).contains(&ddim), "DDIM is of order 1: {errors:?}");
            assert!(
                (3.2..5.2).contains(&solver),
                "this one of order 2: {errors:?}"
            );
        }
        assert!(errors[1].1 < 0.2 * errors[1].0, "{errors:?}");
    }

    #[test]
    fn a_perfect_denoiser_gives_back_the_image_from_any_start() {
        let device = Device::default();
        let schedule = NoiseScheduleConfig::difffas().init();
        // Five channels: nothing here counts on three.
        let image =
            Tensor::<4>::from_data([[[[0.3]], [[-0.8]], [[0.1]], [[0.9]], [[0.0]]]], &device);
        for start in [100, 999] {
            let config = DpmSolverConfig::new(start).with_sampling_steps(6);
            let x = image.clone() * schedule.signal_rate(start) + schedule.noise_rate(start);
            let denoiser = |x: Tensor<4>, t: Tensor<1, Int>| {
                let t: i64 = t.into_scalar();
                (x - image.clone() * schedule.signal_rate(t as usize))
                    / schedule.noise_rate(t as usize)
            };
            let steps = config.timesteps(&schedule);
            dpm_solver_sample(denoiser, &schedule, x, &steps, &config, |_, _| {})
                .into_data()
                .assert_approx_eq(&image.to_data(), Tolerance::<f32>::rel_abs(1e-4, 1e-4));
        }
    }

    #[test]
    fn steps_are_even_in_time_or_in_the_logarithm_of_the_noise() {
        let schedule = NoiseScheduleConfig::difffas().init();
        let config = DpmSolverConfig::new(250).with_sampling_steps(6);
        let even = config
            .clone()
            .with_spacing(StepSpacing::Time { power: 1.0 });
        assert_eq!(even.timesteps(&schedule), [250, 200, 150, 100, 50, 0]);
        assert_eq!(config.timesteps(&schedule), [250, 160, 90, 40, 10, 0]);
        let logarithmic = config.with_spacing(StepSpacing::LogSignalToNoise);
        let steps = logarithmic.timesteps(&schedule);
        assert_eq!((steps[0], steps[5]), (250, 0));
        let lambda = |t: usize| -schedule.sigma(t).ln();
        let gap = |pair: &[usize]| lambda(pair[1]) - lambda(pair[0]);
        let wanted = (lambda(0) - lambda(250)) / 5.0;
        // Steps are whole, and few of them lie near 0.
        assert!(
            steps
                .windows(2)
                .all(|pair| (gap(pair) - wanted).abs() < 0.25),
            "{steps:?}"
        );
    }
}
