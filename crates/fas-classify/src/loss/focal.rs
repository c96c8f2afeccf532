//! Focal loss: Lin et al. 2017, <https://arxiv.org/abs/1708.02002>, equation 4, over the softmax of all
//! style classes; a row of DiffFAS, Table 5.
//!
//! `FL = -(1 - p)^gamma ln p`, where `p` is the softmax value of the right class.

use burn::config::Config;
use burn::tensor::Tensor;

use super::cross_entropy;

/// Configuration to create a [`FocalLoss`] with [`init`](FocalLossConfig::init).
#[derive(Config, Debug)]
pub struct FocalLossConfig {
    /// Focusing parameter; 0 is cross-entropy. Default: 2 (Lin et al.)
    #[config(default = 2.0)]
    pub gamma: f64,
    /// Scale of the cosines. Default: 30 (PatchNet)
    #[config(default = 30.0)]
    pub scale: f64,
}

impl FocalLossConfig {
    /// The loss of this configuration.
    ///
    /// # Panics
    ///
    /// Panics if `gamma` is negative.
    pub fn init(&self) -> FocalLoss {
        assert!(self.gamma >= 0.0, "gamma is {}", self.gamma);
        FocalLoss {
            config: self.clone(),
        }
    }
}

/// Focal loss.
#[derive(Debug, Clone)]
pub struct FocalLoss {
    config: FocalLossConfig,
}

impl FocalLoss {
    /// Loss of each sample.
    ///
    /// # Shapes
    ///
    /// - cosines: `[batch_size, num_classes]`
    /// - output: `[batch_size]`
    ///
    /// # Panics
    ///
    /// Panics unless there is one class a sample.
    pub fn forward(&self, cosines: Tensor<2>, classes: &[usize]) -> Tensor<1> {
        let loss = cross_entropy(cosines * self.config.scale, classes);
        if self.config.gamma == 0.0 {
            return loss;
        }
        // 1 - p, kept from 0, where the slope of a power below 1 is infinite.
        let missing = (loss.clone().neg().exp().neg() + 1.0).clamp_min(1e-12);
        missing.powf_scalar(self.config.gamma) * loss
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference::{COSINES, assert_matches, log_softmax_of};
    use super::*;

    #[test]
    fn value_and_gradient_are_those_of_equation_4() {
        for gamma in [0.0, 0.5, 2.0, 5.0] {
            let config = FocalLossConfig::new().with_gamma(gamma).with_scale(3.0);
            let reference = |row: &[f64], class: usize, _: usize| {
                let log_p = log_softmax_of(row.iter().map(|c| 3.0 * c), class);
                -(1.0 - log_p.exp()).powf(gamma) * log_p
            };
            let loss = config.init();
            assert_matches(
                |cosines| loss.forward(cosines, &COSINES.classes()),
                reference,
                1e-5,
            );
        }
    }

    #[test]
    fn an_example_by_hand() {
        // p = 0.9: (0.1)^2 * 0.105361 = 0.00105361
        let odds = 9f64.ln();
        let device = burn::tensor::Device::default();
        let cosines = Tensor::<2>::from_data([[odds, 0.0]], &device);
        let loss = FocalLossConfig::new().with_scale(1.0).init();
        let value: f32 = loss.forward(cosines, &[0]).into_scalar();
        assert!((value - 1.05361e-3).abs() < 1e-7, "{value}");
    }
}
