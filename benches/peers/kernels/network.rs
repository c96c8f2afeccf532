//! A training step of the small U-Net: forward, mean squared error, backward, clipped AdamW.

use burn::grad_clipping::GradientClippingConfig;
use burn::module::Module;
use burn::optim::{AdamWConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::{Device, Int, Tensor};
use fas_diffusion::{StyleFeatures, UNet, UNetConfig};

use crate::cases::tensor;

const SIZE: usize = 64;

/// The network, its optimiser and one batch.
pub(crate) struct Network {
    unet: UNet,
    optimiser: ModuleOptimizer,
    /// Noised image, live face and target.
    images: [Tensor<4>; 3],
    timesteps: Tensor<1, Int>,
    features: StyleFeatures,
}

impl Network {
    pub(crate) fn new(batch_size: usize) -> Self {
        let device = Device::flex().autodiff();
        let image = |seed| tensor(seed, [batch_size, 3, SIZE, SIZE], &device);
        let steps: Vec<i64> = (0..batch_size as i64).map(|i| 60 * i + 7).collect();
        let map = |seed, c, size| tensor(seed, [batch_size, c, size, size], &device);
        // Without the pixel gains, which have no peer.
        let config = UNetConfig::small().with_pixel_gains(false);
        let unet = config.init(&device).train();
        eprintln!("small U-Net: {} parameters", unet.num_params());
        Self {
            unet,
            optimiser: AdamWConfig::new()
                .with_epsilon(1e-8)
                .with_weight_decay(0.0)
                .with_grad_clipping(Some(GradientClippingConfig::Norm(1.0)))
                .init(),
            images: [image(1), image(2), image(3)],
            timesteps: Tensor::from_data(steps.as_slice(), &device),
            features: StyleFeatures(vec![map(4, 64, 16), map(5, 96, 8)]),
        }
    }

    /// One step; returns the loss before it.
    pub(crate) fn step(&mut self) -> f64 {
        let [x_t, content, target] = self.images.clone();
        let condition = self.unet.condition(&self.features);
        let steps = self.timesteps.clone();
        let output = self.unet.forward(x_t, content, steps, &condition);
        let loss = (output - target).square().mean();
        let gradients = GradientsParams::from_grads(loss.backward(), &self.unet);
        self.unet = self.optimiser.step(1e-4, self.unet.clone(), gradients);
        f64::from(loss.into_scalar::<f32>())
    }
}
