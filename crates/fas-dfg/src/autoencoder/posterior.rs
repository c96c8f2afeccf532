//! The diagonal normal distribution that an encoder gives for each latent (Kingma and Welling 2014,
//! <https://arxiv.org/abs/1312.6114>).

use burn::tensor::Tensor;

/// Bounds of the logarithm of the variance, as in latent diffusion.
const LOG_VARIANCE: [f32; 2] = [-30.0, 20.0];

/// `N(mean, exp(log_variance))`, one distribution a latent; not scaled.
///
/// # Shapes
///
/// - both: `[batch_size, latent_channels, height, width]`
#[derive(Debug, Clone)]
pub struct LatentPosterior {
    /// Mean.
    pub mean: Tensor<4>,
    /// Logarithm of the variance, in `[-30, 20]`.
    pub log_variance: Tensor<4>,
}

impl LatentPosterior {
    /// From the encoder's output: means, then logarithms of variances, which are clamped.
    ///
    /// # Panics
    ///
    /// Panics if the number of channels is odd.
    pub fn from_moments(moments: Tensor<4>) -> Self {
        let channels = moments.dims()[1];
        assert!(
            channels.is_multiple_of(2),
            "moments come in pairs, not {channels} channels"
        );
        let half = channels / 2;
        let [low, high] = LOG_VARIANCE;
        Self {
            mean: moments.clone().narrow(1, 0, half),
            log_variance: moments.narrow(1, half, half).clamp(low, high),
        }
    }

    /// `mean + exp(log_variance / 2) noise`, with standard normal `noise`.
    pub fn sample(&self, noise: Tensor<4>) -> Tensor<4> {
        self.mean.clone() + (self.log_variance.clone() * 0.5).exp() * noise
    }

    /// Divergence from the standard normal distribution, in nats an image.
    ///
    /// # Shapes
    ///
    /// - output: `[batch_size]`
    pub fn divergence(&self) -> Tensor<1> {
        let batch_size = self.mean.dims()[0];
        let log = self.log_variance.clone();
        let terms = self.mean.clone().square() + log.clone().exp() - log - 1.0;
        terms.sum_dims(&[1, 2, 3]).reshape([batch_size]) * 0.5
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Tolerance};

    #[test]
    fn divergence_of_known_normals() {
        // mean 1, variance 1: 1/2; mean 0, variance e: (e - 2) / 2
        let moments =
            Tensor::<4>::from_data([[[[1.0]], [[0.0]]], [[[0.0]], [[1.0]]]], &Device::default());
        let divergence = LatentPosterior::from_moments(moments).divergence();
        divergence.into_data().assert_approx_eq::<f32>(
            &[0.5, (std::f32::consts::E - 2.0) / 2.0].into(),
            Tolerance::rel_abs(1e-6, 1e-6),
        );
    }

    #[test]
    fn variances_are_clamped() {
        let moments = Tensor::<4>::from_data([[[[0.0]], [[90.0]]]], &Device::default());
        let log: f32 = LatentPosterior::from_moments(moments)
            .log_variance
            .into_scalar();
        assert_eq!(log, 20.0);
    }
}
