//! Asymmetric margin softmax: PatchNet (Wang et al. 2022, <https://arxiv.org/abs/2203.14325>), section
//! 3.3, equation 3; a row of DiffFAS, Table 5.
//!
//! Additive-margin softmax over fine-grained classes, with a larger margin for bona fide samples:
//! `L = -ln( e^{s (cos_y - m_y)} / (e^{s (cos_y - m_y)} + sum_{j != y} e^{s cos_j}) )`.

use burn::config::Config;
use burn::tensor::Tensor;

use super::cross_entropy;
use super::margin::additive_logits;

/// Configuration to create an [`AsymmetricSoftmaxLoss`] with [`init`](AsymmetricSoftmaxLossConfig::init).
#[derive(Config, Debug)]
pub struct AsymmetricSoftmaxLossConfig {
    /// Margin of bona fide samples. Default: 0.4 (PatchNet)
    #[config(default = 0.4)]
    pub margin_bona_fide: f64,
    /// Margin of attacks. Default: 0.1 (PatchNet)
    #[config(default = 0.1)]
    pub margin_attack: f64,
    /// Scale of the cosines. Default: 30 (PatchNet)
    #[config(default = 30.0)]
    pub scale: f64,
}

impl AsymmetricSoftmaxLossConfig {
    /// The loss of this configuration.
    pub fn init(&self) -> AsymmetricSoftmaxLoss {
        AsymmetricSoftmaxLoss {
            config: self.clone(),
        }
    }
}

/// Asymmetric margin softmax.
#[derive(Debug, Clone)]
pub struct AsymmetricSoftmaxLoss {
    config: AsymmetricSoftmaxLossConfig,
}

impl AsymmetricSoftmaxLoss {
    /// Loss of each sample.
    ///
    /// # Shapes
    ///
    /// - cosines: `[batch_size, num_classes]`
    /// - output: `[batch_size]`
    ///
    /// # Panics
    ///
    /// Panics if a slice is not of length `batch_size`.
    pub fn forward(
        &self,
        cosines: Tensor<2>,
        classes: &[usize],
        is_bona_fide: &[bool],
    ) -> Tensor<1> {
        assert_eq!(classes.len(), is_bona_fide.len(), "one label a sample");
        let margins = is_bona_fide.iter().map(|&live| {
            if live {
                self.config.margin_bona_fide
            } else {
                self.config.margin_attack
            }
        });
        let logits = additive_logits(cosines, classes, margins.collect(), self.config.scale);
        cross_entropy(logits, classes)
    }
}

#[cfg(test)]
mod tests {
    use super::super::reference::{COSINES, assert_matches, log_softmax_of};
    use super::*;

    #[test]
    fn value_and_gradient_are_those_of_the_equation() {
        let loss = AsymmetricSoftmaxLossConfig::new().with_scale(5.0).init();
        assert_matches(
            |cosines| loss.forward(cosines, &COSINES.classes(), &COSINES.is_bona_fide()),
            |row, class, _| {
                let margin = if class < 2 { 0.4 } else { 0.1 };
                let mut row = row.to_vec();
                row[class] -= margin;
                -log_softmax_of(row.iter().map(|c| 5.0 * c), class)
            },
            1e-5,
        );
    }

    #[test]
    fn an_example_by_hand() {
        // bona fide: 30 (0.5 - 0.4) = 3 against 30 * 0.1 = 3: ln 2; attack: 30 (0.5 - 0.1) - 3 = 9
        let device = burn::tensor::Device::default();
        let cosines = Tensor::<2>::from_data([[0.5, 0.1], [0.1, 0.5]], &device);
        let loss = AsymmetricSoftmaxLossConfig::new().init();
        let values: Vec<f32> = loss
            .forward(cosines, &[0, 1], &[true, false])
            .into_data()
            .try_to_vec()
            .unwrap();
        assert!(
            (values[0] - std::f32::consts::LN_2).abs() < 1e-5,
            "{values:?}"
        );
        assert!((values[1] - 1.234_02e-4).abs() < 1e-6, "{values:?}");
    }
}
