//! Training losses: DiffFAS, equation 2; Nichol and Dhariwal 2021
//! (<https://arxiv.org/abs/2102.09672>), section 3.1, for the learned variance.

use std::f64::consts::{LN_2, PI};

use burn::tensor::{Int, Tensor, s};

use crate::DiffusionProcess;

/// Parts of the hybrid loss.
#[derive(Debug, Clone)]
pub struct HybridLoss {
    /// Mean squared error of the noise, over everything.
    pub mse: Tensor<1>,
    /// Variational bound in bits a dimension, one a sample: the negative log-likelihood at step 0, the
    /// divergence from the posterior elsewhere.
    pub vb_bits: Tensor<1>,
}

impl HybridLoss {
    /// `mse + mean(vb)`. With 1000 steps this is Nichol and Dhariwal's weight `0.001 T`.
    pub fn total(&self) -> Tensor<1> {
        self.mse.clone() + self.vb_bits.clone().mean()
    }
}

/// The hybrid loss of a network with learned variance.
///
/// The variational term trains the variance logits only: the noise enters it detached, and the clean
/// image it implies is clipped to `[-1, 1]`.
///
/// # Shapes
///
/// - output: `[batch_size, 2 channels, height, width]`, noise and variance logits
/// - x_start, x_t, noise: `[batch_size, channels, height, width]`, x_start in `[-1, 1]`
/// - timesteps: `[batch_size]`
pub fn hybrid_loss(
    process: &DiffusionProcess,
    output: Tensor<4>,
    x_start: Tensor<4>,
    x_t: Tensor<4>,
    noise: Tensor<4>,
    timesteps: &Tensor<1, Int>,
) -> HybridLoss {
    let channels = x_t.dims()[1];
    let predicted = output.clone().slice(s![.., ..channels]);
    let logits = output.slice(s![.., channels..]);
    let mse = (predicted.clone() - noise).square().mean();
    let vb_bits = variational_bits(process, predicted, logits, x_start, x_t, timesteps);
    HybridLoss { mse, vb_bits }
}

/// The variational term of [`hybrid_loss`], in bits a dimension, one a sample. It trains the variance
/// logits alone: `predicted` noise enters detached, and the clean image it implies is clipped.
///
/// # Shapes
///
/// - predicted, logits, x_start, x_t: `[batch_size, channels, height, width]`
/// - timesteps: `[batch_size]`
pub fn variational_bits(
    process: &DiffusionProcess,
    predicted: Tensor<4>,
    logits: Tensor<4>,
    x_start: Tensor<4>,
    x_t: Tensor<4>,
    timesteps: &Tensor<1, Int>,
) -> Tensor<1> {
    let implied = process
        .predict_x_start(x_t.clone(), timesteps, predicted.detach())
        .clamp(-1.0, 1.0);
    let mean = process.q_posterior_mean(implied, x_t.clone(), timesteps);
    let log_variance = process.learned_log_variance(logits, timesteps);
    let true_mean = process.q_posterior_mean(x_start.clone(), x_t, timesteps);
    let true_log_variance = process.posterior_log_variance(timesteps);
    let kl = normal_kl(
        true_mean,
        true_log_variance,
        mean.clone(),
        log_variance.clone(),
    );
    let nll = discretised_gaussian_nll(x_start, mean, log_variance);
    let at_start = timesteps.clone().equal_elem(0);
    bits_per_dimension(kl).mask_where(at_start, bits_per_dimension(nll))
}

/// Mean over all but the batch, from nats to bits.
fn bits_per_dimension(nats: Tensor<4>) -> Tensor<1> {
    let batch_size = nats.dims()[0];
    nats.mean_dims(&[1, 2, 3]).reshape([batch_size]) / LN_2
}

/// Divergence of two diagonal Gaussians, in nats, element by element.
///
/// # Shapes
///
/// - mean_1, mean_2, log_variance_2: `[batch_size, channels, height, width]`
/// - log_variance_1: broadcastable to them
pub fn normal_kl(
    mean_1: Tensor<4>,
    log_variance_1: Tensor<4>,
    mean_2: Tensor<4>,
    log_variance_2: Tensor<4>,
) -> Tensor<4> {
    let ratio = log_variance_1 - log_variance_2.clone();
    let distance = (mean_1 - mean_2).square() * log_variance_2.neg().exp();
    (ratio.clone().exp() - ratio - 1.0 + distance) / 2.0
}

/// Negative log-likelihood of 8-bit pixels under a Gaussian, in nats: the mass of each pixel's bin, with
/// open bins at both ends (DDPM, equation 13).
///
/// # Shapes
///
/// - x, mean, log_variance: `[batch_size, channels, height, width]`, x in `[-1, 1]`
pub fn discretised_gaussian_nll(
    x: Tensor<4>,
    mean: Tensor<4>,
    log_variance: Tensor<4>,
) -> Tensor<4> {
    let centred = x.clone() - mean;
    let inverse_deviation = (log_variance / -2.0).exp();
    let above = approximate_normal_cdf((centred.clone() + 1.0 / 255.0) * inverse_deviation.clone());
    let below = approximate_normal_cdf((centred - 1.0 / 255.0) * inverse_deviation);
    let log = |mass: Tensor<4>| mass.clamp_min(1e-12).log();
    let inside = log(above.clone() - below.clone());
    let lowest = x.clone().lower_elem(-0.999);
    let highest = x.greater_elem(0.999);
    inside
        .mask_where(highest, log(below.neg() + 1.0))
        .mask_where(lowest, log(above))
        .neg()
}

/// The tanh approximation that guided-diffusion uses for the normal distribution function.
fn approximate_normal_cdf(x: Tensor<4>) -> Tensor<4> {
    let cubic = x.clone() * x.clone() * x.clone() * 0.044715;
    (((x + cubic) * (2.0 / PI).sqrt()).tanh() + 1.0) / 2.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn divergence_of_known_gaussians() {
        let device = Device::default();
        let tensor = |v: f32| Tensor::<4>::from_data([[[[v]]]], &device);
        // N(0, 1) against N(1, 1): half a nat
        let kl: f32 = normal_kl(tensor(0.0), tensor(0.0), tensor(1.0), tensor(0.0)).into_scalar();
        assert!((kl - 0.5).abs() < 1e-6);
    }

    #[test]
    fn a_sharp_gaussian_on_the_pixel_costs_nothing() {
        let device = Device::default();
        let tensor = |v: f32| Tensor::<4>::from_data([[[[v]]]], &device);
        for pixel in [-1.0, 0.2, 1.0] {
            let nll: f32 =
                discretised_gaussian_nll(tensor(pixel), tensor(pixel), tensor(-14.0)).into_scalar();
            assert!(nll.abs() < 1e-3, "{pixel}: {nll}");
        }
    }
}
