//! BatchNorm without scale and shift, which Deep SVDD needs: with a shift the hypersphere's centre is
//! reached by a constant (Ruff et al. 2018, proposition 3).

use burn::module::{Flag, Module, Param, RunningState};
use burn::tensor::{Device, Tensor};

/// Epsilon of the released code.
const EPSILON: f64 = 1e-4;
const MOMENTUM: f64 = 0.1;

/// Batch statistics in training, running ones otherwise; nothing learned.
#[derive(Module, Debug)]
pub(super) struct PlainBatchNorm {
    running_mean: RunningState<Tensor<1>>,
    running_var: RunningState<Tensor<1>>,
    training: Param<Flag>,
    channels: usize,
}

impl PlainBatchNorm {
    pub(super) fn new(channels: usize, device: &Device) -> Self {
        Self {
            running_mean: RunningState::new(Tensor::zeros([channels], device)),
            running_var: RunningState::new(Tensor::ones([channels], device)),
            training: Param::from_bool(true),
            channels,
        }
    }

    /// # Shapes
    ///
    /// - input, output: `[batch_size, channels, ...]`
    pub(super) fn forward<const D: usize>(&self, input: Tensor<D>) -> Tensor<D> {
        let device = input.device();
        let gamma = Tensor::ones([self.channels], &device);
        let beta = Tensor::zeros([self.channels], &device);
        if !(device.is_autodiff() && self.training.is_enabled()) {
            let mean = self.running_mean.value().to_device(&device);
            let variance = self.running_var.value().to_device(&device);
            return burn::tensor::module::batch_norm(input, gamma, beta, mean, variance, EPSILON);
        }
        let result = burn::tensor::module::batch_norm_train(input, gamma, beta, EPSILON);
        for (state, batch) in [
            (&self.running_mean, result.mean),
            (&self.running_var, result.variance),
        ] {
            let running = state.value_sync().to_device(&device);
            let moved = running * (1.0 - MOMENTUM) + batch.detach() * MOMENTUM;
            state.update(moved.detach());
        }
        result.output
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn trains_by_the_batch_and_runs_by_the_running_statistics() {
        let device = Device::default().autodiff();
        let norm = PlainBatchNorm::new(1, &device);
        let batch = Tensor::<2>::from_data([[1.0], [3.0]], &device);
        let values = |tensor: Tensor<2>| -> Vec<f32> { tensor.into_data().try_to_vec().unwrap() };
        let trained = values(norm.forward(batch.clone()));
        let expected = 1.0 / (1.0f32 + 1e-4).sqrt();
        assert!((trained[1] - expected).abs() < 1e-6, "{trained:?}");
        // Mean 0.9 * 0 + 0.1 * 2, variance 0.9 + 0.1 of the batch's
        let run = values(norm.valid().forward(batch.inner()));
        let mean = 0.2;
        let ratio = (3.0 - mean) / (1.0 - mean);
        assert!((run[1] / run[0] - ratio).abs() < 1e-4, "{run:?}");
    }
}
