//! What the network predicts, and how the samplers read it as noise and clean image.
//!
//! The paper predicts the noise (DiffFAS, equation 2). Two more forms are offered because, at the scale
//! a CPU can train, they learn the style where noise prediction does not: velocity (Salimans and Ho
//! 2022, <https://arxiv.org/abs/2202.00512>), and the preconditioning of Karras et al. 2022
//! (<https://arxiv.org/abs/2206.00364>) centred on the live face instead of on zero.

use burn::config::Config;
use burn::tensor::{Device, Int, Tensor, TensorData};

use crate::NoiseSchedule;

/// The quantity a network is trained to give.
#[derive(Config, Debug, Copy, PartialEq)]
pub enum Prediction {
    /// The noise: the paper's form.
    Noise,
    /// `sqrt(abar) noise - sqrt(1 - abar) x_0`.
    Velocity,
    /// The residual of a denoiser that starts from the live face:
    /// `x_0 = live + c_skip (x_t / sqrt(abar) - live) + c_out F`, with `sigma^2 = (1 - abar) / abar`,
    /// `c_skip = s^2 / (sigma^2 + s^2)`, `c_out = sigma s / sqrt(sigma^2 + s^2)`.
    LiveCentred {
        /// `s`: root mean square of attack minus live face, in pixels of `[-1, 1]`.
        deviation: f64,
    },
}

/// `x_start = x_t_rate x_t + content_rate content + output_rate F`, one row of rates a step.
#[derive(Debug, Clone)]
pub struct Parameterisation {
    rates: Tensor<2>,
    noise: Tensor<2>,
}

impl Prediction {
    /// [`LiveCentred`](Self::LiveCentred) at the deviation of simulated attacks, 0.2.
    pub fn live_centred() -> Self {
        Self::LiveCentred { deviation: 0.2 }
    }

    /// The rates of every step of `schedule`, on `device`.
    pub fn init(&self, schedule: &NoiseSchedule, device: &Device) -> Parameterisation {
        let steps = schedule.num_timesteps();
        let mut rates = Vec::with_capacity(3 * steps);
        let mut noise = Vec::with_capacity(2 * steps);
        for t in 0..steps {
            let (signal, sigma_noise) = (schedule.signal_rate(t), schedule.noise_rate(t));
            let row = match *self {
                Self::Noise => [1.0 / signal, 0.0, -sigma_noise / signal],
                Self::Velocity => [signal, 0.0, -sigma_noise],
                Self::LiveCentred { deviation } => {
                    let sigma = schedule.sigma(t);
                    let total = sigma * sigma + deviation * deviation;
                    let skip = deviation * deviation / total;
                    [skip / signal, 1.0 - skip, sigma * deviation / total.sqrt()]
                }
            };
            rates.extend(row.map(|rate| rate as f32));
            noise.extend([signal as f32, sigma_noise as f32]);
        }
        Parameterisation {
            rates: Tensor::from_data(TensorData::new(rates, [steps, 3]), device),
            noise: Tensor::from_data(TensorData::new(noise, [steps, 2]), device),
        }
    }
}

impl Parameterisation {
    fn columns<const N: usize>(table: &Tensor<2>, timesteps: &Tensor<1, Int>) -> [Tensor<4>; N] {
        let batch_size = timesteps.dims()[0];
        let rows = table.clone().select(0, timesteps.clone());
        std::array::from_fn(|column| {
            rows.clone()
                .narrow(1, column, 1)
                .reshape([batch_size, 1, 1, 1])
        })
    }

    /// The clean image that the network's `output` stands for.
    ///
    /// # Shapes
    ///
    /// - output, x_t, content: `[batch_size, 3, height, width]`
    /// - timesteps: `[batch_size]`
    pub fn x_start(
        &self,
        output: Tensor<4>,
        x_t: Tensor<4>,
        content: Tensor<4>,
        timesteps: &Tensor<1, Int>,
    ) -> Tensor<4> {
        let [x_rate, content_rate, output_rate] = Self::columns(&self.rates, timesteps);
        x_t * x_rate + content * content_rate + output * output_rate
    }

    /// The noise that the network's `output` stands for: what samplers and guidance work with.
    pub fn noise(
        &self,
        output: Tensor<4>,
        x_t: Tensor<4>,
        content: Tensor<4>,
        timesteps: &Tensor<1, Int>,
    ) -> Tensor<4> {
        let [signal, noise] = Self::columns(&self.noise, timesteps);
        let x_start = self.x_start(output, x_t.clone(), content, timesteps);
        (x_t - x_start * signal) / noise
    }

    /// What the network should give for a clean image `x_start` noised to `x_t`: the regression target
    /// of training, of about unit variance in every form.
    pub fn target(
        &self,
        x_start: Tensor<4>,
        x_t: Tensor<4>,
        content: Tensor<4>,
        timesteps: &Tensor<1, Int>,
    ) -> Tensor<4> {
        let [x_rate, content_rate, output_rate] = Self::columns(&self.rates, timesteps);
        (x_start - x_t * x_rate - content * content_rate) / output_rate
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DiffusionProcess, NoiseScheduleConfig};
    use burn::tensor::{Distribution, Tolerance};

    fn batch() -> (DiffusionProcess, Tensor<1, Int>, [Tensor<4>; 4]) {
        let device = Device::default();
        let process = DiffusionProcess::new(NoiseScheduleConfig::difffas().init(), &device);
        let random = |low, high| {
            Tensor::<4>::random([3, 3, 4, 4], Distribution::Uniform(low, high), &device)
        };
        let (x_start, content, noise) = (random(-1.0, 1.0), random(-1.0, 1.0), random(-1.7, 1.7));
        let timesteps = Tensor::<1, Int>::from_data([20, 250, 600], &device);
        let x_t = process.q_sample(x_start.clone(), &timesteps, noise.clone());
        (process, timesteps, [x_start, content, noise, x_t])
    }

    #[test]
    fn target_and_reading_agree_in_every_form() {
        let (process, timesteps, [x_start, content, noise, x_t]) = batch();
        for prediction in [
            Prediction::Noise,
            Prediction::Velocity,
            Prediction::LiveCentred { deviation: 0.35 },
        ] {
            let form = prediction.init(process.schedule(), &Device::default());
            let output = form.target(x_start.clone(), x_t.clone(), content.clone(), &timesteps);
            let tolerance = Tolerance::<f32>::rel_abs(1e-4, 1e-4);
            form.x_start(output.clone(), x_t.clone(), content.clone(), &timesteps)
                .into_data()
                .assert_approx_eq(&x_start.to_data(), tolerance);
            form.noise(output, x_t.clone(), content.clone(), &timesteps)
                .into_data()
                .assert_approx_eq(&noise.to_data(), tolerance);
        }
    }

    #[test]
    fn noise_form_is_the_paper_s() {
        let (process, timesteps, [x_start, content, noise, x_t]) = batch();
        let form = Prediction::Noise.init(process.schedule(), &Device::default());
        form.target(x_start, x_t, content, &timesteps)
            .into_data()
            .assert_approx_eq(&noise.into_data(), Tolerance::<f32>::rel_abs(1e-4, 1e-4));
    }
}
