//! Noise schedules: DDPM (Ho et al. 2020, <https://arxiv.org/abs/2006.11239>), and the one of latent
//! diffusion (Rombach et al. 2022, <https://arxiv.org/abs/2112.10752>).
//!
//! `alphas_cumprod_t = prod_{s <= t} (1 - beta_s)`. All tables are f64 on the host; they are rounded
//! once, where they meet a tensor.

use burn::config::Config;

/// How the variance of the added noise grows over the diffusion steps.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum BetaSchedule {
    /// `beta` linear in the step: DDPM and DiffFAS.
    Linear,
    /// `sqrt(beta)` linear in the step: latent diffusion and AG-FAS.
    ScaledLinear,
}

/// Configuration to create a [`NoiseSchedule`] with [`init`](NoiseScheduleConfig::init).
#[derive(Config, Debug, PartialEq)]
pub struct NoiseScheduleConfig {
    /// Shape of the schedule.
    #[config(default = "BetaSchedule::Linear")]
    pub kind: BetaSchedule,
    /// `beta` of the first step, in `(0, 1)`. Default: 1e-4 (DiffFAS)
    #[config(default = 1e-4)]
    pub beta_start: f64,
    /// `beta` of the last step, in `(0, 1)`. Default: 2e-2 (DiffFAS)
    #[config(default = 2e-2)]
    pub beta_end: f64,
    /// Number of diffusion steps. Default: 1000
    #[config(default = 1000)]
    pub num_timesteps: usize,
}

impl NoiseScheduleConfig {
    /// The schedule of DiffFAS: linear from 1e-4 to 2e-2 in 1000 steps.
    pub fn difffas() -> Self {
        Self::new()
    }

    /// The schedule of Stable Diffusion v1, which AG-FAS uses.
    pub fn latent_diffusion() -> Self {
        Self::new()
            .with_kind(BetaSchedule::ScaledLinear)
            .with_beta_start(0.00085)
            .with_beta_end(0.012)
    }

    /// Computes the tables.
    ///
    /// # Panics
    ///
    /// Panics if there are fewer than 2 steps, or a `beta` is outside `(0, 1)`.
    pub fn init(&self) -> NoiseSchedule {
        let steps = self.num_timesteps;
        assert!(
            steps >= 2,
            "a noise schedule needs at least 2 steps, got {steps}"
        );
        for beta in [self.beta_start, self.beta_end] {
            assert!(
                beta > 0.0 && beta < 1.0,
                "beta must be in (0, 1), got {beta}"
            );
        }
        let betas: Vec<f64> = match self.kind {
            BetaSchedule::Linear => linspace(self.beta_start, self.beta_end, steps),
            BetaSchedule::ScaledLinear => {
                linspace(self.beta_start.sqrt(), self.beta_end.sqrt(), steps)
                    .into_iter()
                    .map(|root| root * root)
                    .collect()
            }
        };
        NoiseSchedule::from_betas(betas)
    }
}

/// `count` evenly spaced values, both ends included, as numpy computes them.
fn linspace(start: f64, end: f64, count: usize) -> Vec<f64> {
    let step = (end - start) / (count - 1) as f64;
    let mut values: Vec<f64> = (0..count).map(|i| i as f64 * step + start).collect();
    values[count - 1] = end;
    values
}

/// Tables of a diffusion process, one value a step.
#[derive(Debug, Clone, PartialEq)]
pub struct NoiseSchedule {
    /// Variance added by step `t`.
    pub betas: Vec<f64>,
    /// Share of the signal's variance left after step `t`.
    pub alphas_cumprod: Vec<f64>,
    /// The same one step earlier; 1 before the first step.
    pub alphas_cumprod_prev: Vec<f64>,
    /// Variance of `q(x_{t-1} | x_t, x_0)`.
    pub posterior_variance: Vec<f64>,
    /// Its logarithm, with the first value (zero variance) replaced by the second.
    pub posterior_log_variance_clipped: Vec<f64>,
    /// Weight of `x_start` in the mean of `q(x_{t-1} | x_t, x_0)`.
    pub posterior_mean_coef1: Vec<f64>,
    /// Weight of `x_t` in that mean.
    pub posterior_mean_coef2: Vec<f64>,
}

impl NoiseSchedule {
    /// Computes every table from the step variances.
    fn from_betas(betas: Vec<f64>) -> Self {
        let mut product = 1.0;
        let alphas_cumprod: Vec<f64> = betas
            .iter()
            .map(|beta| {
                product *= 1.0 - beta;
                product
            })
            .collect();
        let alphas_cumprod_prev: Vec<f64> = std::iter::once(1.0)
            .chain(alphas_cumprod[..betas.len() - 1].iter().copied())
            .collect();
        let table =
            |value: &dyn Fn(usize) -> f64| (0..betas.len()).map(value).collect::<Vec<f64>>();
        let posterior_variance =
            table(&|t| betas[t] * (1.0 - alphas_cumprod_prev[t]) / (1.0 - alphas_cumprod[t]));
        let posterior_log_variance_clipped = table(&|t| posterior_variance[t.max(1)].ln());
        let posterior_mean_coef1 =
            table(&|t| betas[t] * alphas_cumprod_prev[t].sqrt() / (1.0 - alphas_cumprod[t]));
        let posterior_mean_coef2 = table(&|t| {
            (1.0 - alphas_cumprod_prev[t]) * (1.0 - betas[t]).sqrt() / (1.0 - alphas_cumprod[t])
        });
        Self {
            betas,
            alphas_cumprod,
            alphas_cumprod_prev,
            posterior_variance,
            posterior_log_variance_clipped,
            posterior_mean_coef1,
            posterior_mean_coef2,
        }
    }

    /// Number of diffusion steps.
    pub fn num_timesteps(&self) -> usize {
        self.betas.len()
    }

    /// `sqrt(alphas_cumprod_t)`: what is left of the signal.
    pub fn signal_rate(&self, t: usize) -> f64 {
        self.alphas_cumprod[t].sqrt()
    }

    /// `sqrt(1 - alphas_cumprod_t)`: standard deviation of the noise.
    pub fn noise_rate(&self, t: usize) -> f64 {
        (1.0 - self.alphas_cumprod[t]).sqrt()
    }

    /// `sqrt((1 - alphas_cumprod_t) / alphas_cumprod_t)`: noise relative to the signal.
    pub fn sigma(&self, t: usize) -> f64 {
        ((1.0 - self.alphas_cumprod[t]) / self.alphas_cumprod[t]).sqrt()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn difffas_schedule_has_the_published_signal_rates() {
        let schedule = NoiseScheduleConfig::difffas().init();
        // spec: abar at t, six decimals
        for (t, expected) in [
            (100, 0.895142),
            (199, 0.659039),
            (200, 0.656347),
            (249, 0.524085),
            (250, 0.521423),
            (300, 0.394011),
            (500, 0.077797),
            (700, 0.006868),
            (900, 0.000270),
        ] {
            assert!(
                (schedule.alphas_cumprod[t] - expected).abs() < 5e-7,
                "t = {t}"
            );
        }
    }

    #[test]
    fn latent_diffusion_keeps_signal_at_the_last_step() {
        let schedule = NoiseScheduleConfig::latent_diffusion().init();
        for (t, expected) in [
            (1, 0.998296),
            (801, 0.036547),
            (981, 0.005776),
            (999, 0.004660),
        ] {
            assert!(
                (schedule.alphas_cumprod[t] - expected).abs() < 5e-7,
                "t = {t}"
            );
        }
    }

    #[test]
    #[should_panic(expected = "beta must be in (0, 1)")]
    fn impossible_variance_is_rejected() {
        NoiseScheduleConfig::new().with_beta_end(1.5).init();
    }
}
