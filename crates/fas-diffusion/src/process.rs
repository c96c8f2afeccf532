//! The forward process and its posterior: DDPM, equations 4, 6, 7 and 15; DiffFAS, equations 1 and 2.

use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::NoiseSchedule;

/// A noise schedule on a device, for batches whose samples sit at different steps.
#[derive(Debug, Clone)]
pub struct DiffusionProcess {
    schedule: NoiseSchedule,
    signal_rates: Tensor<1>,
    noise_rates: Tensor<1>,
    sqrt_recip_alphas_cumprod: Tensor<1>,
    sqrt_recipm1_alphas_cumprod: Tensor<1>,
    posterior_mean_coef1: Tensor<1>,
    posterior_mean_coef2: Tensor<1>,
    posterior_log_variance_clipped: Tensor<1>,
    log_betas: Tensor<1>,
}

impl DiffusionProcess {
    /// Puts the tables of `schedule` on `device`, rounded once to its float type.
    pub fn new(schedule: NoiseSchedule, device: &Device) -> Self {
        let abar = schedule.alphas_cumprod.clone();
        let table =
            |values: Vec<f64>| Tensor::<1>::from_data(TensorData::from(&values[..]), device);
        let map = |f: fn(f64) -> f64| table(abar.iter().map(|&a| f(a)).collect());
        Self {
            signal_rates: map(f64::sqrt),
            noise_rates: map(|a| (1.0 - a).sqrt()),
            sqrt_recip_alphas_cumprod: map(|a| (1.0 / a).sqrt()),
            sqrt_recipm1_alphas_cumprod: map(|a| (1.0 / a - 1.0).sqrt()),
            posterior_mean_coef1: table(schedule.posterior_mean_coef1.clone()),
            posterior_mean_coef2: table(schedule.posterior_mean_coef2.clone()),
            posterior_log_variance_clipped: table(schedule.posterior_log_variance_clipped.clone()),
            log_betas: table(schedule.betas.iter().map(|b| b.ln()).collect()),
            schedule,
        }
    }

    /// The tables on the host.
    pub fn schedule(&self) -> &NoiseSchedule {
        &self.schedule
    }

    /// One value a sample, broadcastable over an image batch.
    fn gather(table: &Tensor<1>, timesteps: &Tensor<1, Int>) -> Tensor<4> {
        let batch_size = timesteps.dims()[0];
        table
            .clone()
            .select(0, timesteps.clone())
            .reshape([batch_size, 1, 1, 1])
    }

    /// Noises `x_start` to each sample's step: `sqrt(abar) x_0 + sqrt(1 - abar) noise`.
    ///
    /// # Shapes
    ///
    /// - x_start, noise, output: `[batch_size, channels, height, width]`
    /// - timesteps: `[batch_size]`, each in `0..num_timesteps`
    pub fn q_sample(
        &self,
        x_start: Tensor<4>,
        timesteps: &Tensor<1, Int>,
        noise: Tensor<4>,
    ) -> Tensor<4> {
        x_start * Self::gather(&self.signal_rates, timesteps)
            + noise * Self::gather(&self.noise_rates, timesteps)
    }

    /// The clean image that `x_t` and its noise imply.
    ///
    /// # Shapes
    ///
    /// - x_t, noise, output: `[batch_size, channels, height, width]`
    pub fn predict_x_start(
        &self,
        x_t: Tensor<4>,
        timesteps: &Tensor<1, Int>,
        noise: Tensor<4>,
    ) -> Tensor<4> {
        x_t * Self::gather(&self.sqrt_recip_alphas_cumprod, timesteps)
            - noise * Self::gather(&self.sqrt_recipm1_alphas_cumprod, timesteps)
    }

    /// The noise that `x_t` and its clean image imply: the inverse of
    /// [`predict_x_start`](Self::predict_x_start).
    pub fn predict_noise(
        &self,
        x_t: Tensor<4>,
        timesteps: &Tensor<1, Int>,
        x_start: Tensor<4>,
    ) -> Tensor<4> {
        (x_t - x_start * Self::gather(&self.signal_rates, timesteps))
            / Self::gather(&self.noise_rates, timesteps)
    }

    /// Mean of `q(x_{t-1} | x_t, x_0)`.
    pub fn q_posterior_mean(
        &self,
        x_start: Tensor<4>,
        x_t: Tensor<4>,
        timesteps: &Tensor<1, Int>,
    ) -> Tensor<4> {
        x_start * Self::gather(&self.posterior_mean_coef1, timesteps)
            + x_t * Self::gather(&self.posterior_mean_coef2, timesteps)
    }

    /// Log variance of `q(x_{t-1} | x_t, x_0)`, `[batch_size, 1, 1, 1]`.
    pub fn posterior_log_variance(&self, timesteps: &Tensor<1, Int>) -> Tensor<4> {
        Self::gather(&self.posterior_log_variance_clipped, timesteps)
    }

    /// `log(beta)`, `[batch_size, 1, 1, 1]`.
    pub fn beta_log_variance(&self, timesteps: &Tensor<1, Int>) -> Tensor<4> {
        Self::gather(&self.log_betas, timesteps)
    }

    /// Learned log variance (Nichol and Dhariwal 2021, equation 15): `variance_logits` in `[-1, 1]`
    /// interpolate between the posterior's and `beta`, in the log domain.
    pub fn learned_log_variance(
        &self,
        variance_logits: Tensor<4>,
        timesteps: &Tensor<1, Int>,
    ) -> Tensor<4> {
        let fraction = (variance_logits + 1.0) / 2.0;
        let upper = self.beta_log_variance(timesteps);
        let lower = self.posterior_log_variance(timesteps);
        fraction.clone() * upper + (fraction.neg() + 1.0) * lower
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::NoiseScheduleConfig;
    use burn::tensor::Tolerance;

    #[test]
    fn noise_and_clean_image_determine_each_other() {
        let device = Device::default();
        let process = DiffusionProcess::new(NoiseScheduleConfig::difffas().init(), &device);
        let x_start = Tensor::<4>::from_data([[[[0.5, -0.25]]], [[[1.0, 0.0]]]], &device);
        let noise = Tensor::<4>::from_data([[[[1.0, -2.0]]], [[[0.1, 0.7]]]], &device);
        let timesteps = Tensor::<1, Int>::from_data([100, 250], &device);
        let x_t = process.q_sample(x_start.clone(), &timesteps, noise.clone());
        // 0.946 x0 + 0.324 noise at t = 100 (spec 1.7)
        let first: Vec<f32> = x_t.to_data().try_to_vec().unwrap();
        assert!(
            (first[0] - (0.946119 * 0.5 + 0.323818)).abs() < 1e-5,
            "{first:?}"
        );
        let tolerance = Tolerance::<f32>::rel_abs(1e-5, 1e-5);
        process
            .predict_x_start(x_t.clone(), &timesteps, noise.clone())
            .into_data()
            .assert_approx_eq(&x_start.to_data(), tolerance);
        process
            .predict_noise(x_t, &timesteps, x_start)
            .into_data()
            .assert_approx_eq(&noise.into_data(), tolerance);
    }
}
