//! Single-side adversarial loss: SSDG (Jia et al. 2020, <https://arxiv.org/abs/2004.14043>), section
//! 3.2, equation 2.
//!
//! A discriminator tells from which domain a bona fide sample comes; a reversed gradient (Ganin and
//! Lempitsky 2015, <https://arxiv.org/abs/1409.7495>) makes the features tell nothing of it. Attacks
//! are left alone: that is the single side.

use burn::config::Config;
use burn::module::Module;
use burn::nn::Linear;
use burn::tensor::activation::relu;
use burn::tensor::{Device, Int, Tensor};

use super::cross_entropy;
use crate::ops::linear;

/// Deviations of the discriminator's initial weights in SSDG's code.
const FC1_STD: f64 = 0.01;
const FC2_STD: f64 = 0.3;

/// The tensor itself, whose gradient is multiplied by `-coefficient`.
pub fn reverse_gradient<const D: usize>(tensor: Tensor<D>, coefficient: f64) -> Tensor<D> {
    let value = tensor.clone().detach();
    // The bracket is zero, bit for bit, so the value is untouched.
    value.clone() + (value - tensor) * coefficient
}

/// Configuration of the single-side adversarial loss, and of its [`DomainDiscriminator`].
#[derive(Config, Debug)]
pub struct SingleSideAdversarialConfig {
    /// Weight beside the classification loss. Default: 0.5 (SSDG; 0.1 where OULU-NPU is the target)
    #[config(default = 0.5)]
    pub weight: f64,
    /// Units of the discriminator's hidden layer. Default: 512 (SSDG)
    #[config(default = 512)]
    pub hidden: usize,
    /// Rate of the dropout behind it. Default: 0.5 (SSDG)
    #[config(default = 0.5)]
    pub dropout: f64,
    /// Steepness of the coefficient's rise. Default: 10 (SSDG)
    #[config(default = 10.0)]
    pub alpha: f64,
    /// Steps over which the coefficient rises to nearly 1. Default: 4000 (SSDG)
    #[config(default = 4000)]
    pub rise_steps: usize,
}

impl SingleSideAdversarialConfig {
    /// Reversal coefficient of the forward pass number `step`: `2 / (1 + e^{-alpha step / rise}) - 1`.
    pub fn coefficient(&self, step: usize) -> f64 {
        2.0 / (1.0 + (-self.alpha * step as f64 / self.rise_steps as f64).exp()) - 1.0
    }

    /// Initializes the discriminator of `num_domains` domains on `device`; normal weights of deviation
    /// 0.01 and 0.3, as in SSDG's code.
    pub fn init(
        &self,
        embedding_length: usize,
        num_domains: usize,
        device: &Device,
    ) -> DomainDiscriminator {
        DomainDiscriminator {
            fc1: linear(embedding_length, self.hidden, FC1_STD, device),
            fc2: linear(self.hidden, num_domains, FC2_STD, device),
        }
    }
}

/// Two-layer perceptron from an embedding to the logits of its domain.
#[derive(Module, Debug)]
pub struct DomainDiscriminator {
    fc1: Linear,
    fc2: Linear,
}

impl DomainDiscriminator {
    /// Units of the hidden layer.
    pub fn hidden(&self) -> usize {
        self.fc1.weight.lazy_shape()[1]
    }

    /// The same discriminator with initial weights from `normal`, a source of standard normal values:
    /// those of [`init`](SingleSideAdversarialConfig::init) come from the process's one generator.
    #[cfg(feature = "train")]
    pub(crate) fn redrawn(mut self, mut normal: impl FnMut() -> f64) -> Self {
        for (layer, std) in [(&mut self.fc1, FC1_STD), (&mut self.fc2, FC2_STD)] {
            layer.weight = layer.weight.clone().map(|weight| {
                let (shape, device) = (weight.dims(), weight.device());
                let values: Vec<f64> = (0..shape[0] * shape[1]).map(|_| std * normal()).collect();
                let is_trained = weight.is_require_grad();
                Tensor::from_data(burn::tensor::TensorData::new(values, shape), &device)
                    .set_require_grad(is_trained)
            });
        }
        self
    }

    /// Both layers with their names in SSDG's code.
    pub fn layers(&self) -> [(&'static str, &Linear); 2] {
        [("fc1", &self.fc1), ("fc2", &self.fc2)]
    }

    /// Logits of the domains; `dropout_mask`, if any, multiplies the hidden layer.
    ///
    /// # Shapes
    ///
    /// - embeddings: `[batch_size, embedding_length]`
    /// - dropout_mask: `[batch_size, hidden]`
    /// - output: `[batch_size, num_domains]`
    pub fn forward(&self, embeddings: Tensor<2>, dropout_mask: Option<Tensor<2>>) -> Tensor<2> {
        let hidden = relu(self.fc1.forward(embeddings));
        let hidden = match dropout_mask {
            Some(mask) => hidden * mask,
            None => hidden,
        };
        self.fc2.forward(hidden)
    }

    /// The loss of the bona fide samples of a batch, `[1]`; `None` if it has none.
    ///
    /// # Shapes
    ///
    /// - embeddings: `[batch_size, embedding_length]`
    /// - dropout_mask: `[batch_size, hidden]`; rows of attacks are not used
    ///
    /// # Panics
    ///
    /// Panics if a slice is not of length `batch_size`.
    pub fn loss(
        &self,
        embeddings: Tensor<2>,
        is_bona_fide: &[bool],
        domains: &[usize],
        coefficient: f64,
        dropout_mask: Option<Tensor<2>>,
    ) -> Option<Tensor<1>> {
        let [batch_size, _] = embeddings.dims();
        assert_eq!(is_bona_fide.len(), batch_size, "one label a sample");
        assert_eq!(domains.len(), batch_size, "one domain a sample");
        let rows: Vec<usize> = (0..batch_size).filter(|&row| is_bona_fide[row]).collect();
        if rows.is_empty() {
            return None;
        }
        let domains: Vec<usize> = rows.iter().map(|&row| domains[row]).collect();
        let indices: Vec<i64> = rows.iter().map(|&row| row as i64).collect();
        let indices = Tensor::<1, Int>::from_data(&indices[..], &embeddings.device());
        let live = embeddings.select(0, indices.clone());
        let mask = dropout_mask.map(|mask| mask.select(0, indices));
        let logits = self.forward(reverse_gradient(live, coefficient), mask);
        Some(cross_entropy(logits, &domains).mean())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reversal_keeps_the_value_and_turns_the_gradient() {
        let device = Device::default().autodiff();
        let x = Tensor::<1>::from_data([0.1, -7.3, 1e-9], &device).require_grad();
        let y = reverse_gradient(x.clone(), 0.7);
        assert_eq!(y.to_data(), x.to_data());
        let weight = Tensor::<1>::from_data([1.0, 2.0, -3.0], &device);
        let gradients = (y * weight).sum().backward();
        let gradient: Vec<f32> = x
            .grad(&gradients)
            .unwrap()
            .into_data()
            .try_to_vec()
            .unwrap();
        for (found, expected) in gradient.iter().zip([-0.7, -1.4, 2.1]) {
            assert!((found - expected).abs() < 1e-6, "{gradient:?}");
        }
    }

    #[test]
    fn the_coefficient_rises_from_zero_to_one() {
        let config = SingleSideAdversarialConfig::new();
        assert_eq!(config.coefficient(0), 0.0);
        // 2 / (1 + e^-1) - 1
        assert!((config.coefficient(400) - 0.462_117_157).abs() < 1e-9);
        assert!(config.coefficient(40_000) > 0.999_999);
    }

    #[test]
    fn attacks_get_no_gradient_and_a_batch_of_attacks_no_loss() {
        let device = Device::default().autodiff();
        let config = SingleSideAdversarialConfig::new().with_hidden(4);
        let discriminator = config.init(2, 3, &device);
        let rows = Tensor::<2>::from_data([[1.0, 2.0], [3.0, -1.0], [0.5, 0.5]], &device);
        let rows = rows.require_grad();
        let live = [true, false, true];
        let loss = discriminator.loss(rows.clone(), &live, &[0, 1, 2], 1.0, None);
        let gradients = loss.unwrap().backward();
        let gradient: Vec<f32> = rows
            .grad(&gradients)
            .unwrap()
            .into_data()
            .try_to_vec()
            .unwrap();
        assert_eq!(gradient[2..4], [0.0, 0.0]);
        assert!(gradient[0] != 0.0 && gradient[5] != 0.0, "{gradient:?}");
        let none = discriminator.loss(rows, &[false; 3], &[0, 1, 2], 1.0, None);
        assert!(none.is_none());
    }
}
