//! Weights that stay 16-bit floats in memory.

use burn::module::{ModuleMapper, Param};
use burn::tensor::{FloatDType, Tensor};

use crate::{DespoofingGenerator, DespoofingNetworks};

/// Rounds matrices and kernels; biases and norms stay as they are.
pub(crate) struct ToHalf;

impl ModuleMapper for ToHalf {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if D < 2 {
            return param;
        }
        param.map(|weight| weight.cast(FloatDType::F16))
    }
}

impl DespoofingGenerator {
    /// The same generator with [half weights](crate::LatentUNet::with_half_weights) in its U-Net.
    pub fn with_half_weights(self) -> Self {
        let mut networks: DespoofingNetworks = self.networks().clone();
        networks.denoiser.unet = networks.denoiser.unet.with_half_weights();
        self.with_networks(networks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::LatentUNetConfig;
    use burn::module::Module;
    use burn::tensor::{Device, Distribution, Int};

    /// Rounds to 16 bits, and back.
    struct Rounded;

    impl ModuleMapper for Rounded {
        fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
            // What starts at zero must count too.
            param.map(|weight| {
                let weight = weight.random_like(Distribution::Normal(0.0, 0.2));
                weight.cast(FloatDType::F16).cast(FloatDType::F32)
            })
        }
    }

    #[test]
    fn half_weights_give_the_bits_of_a_half_file() {
        let device = Device::default();
        let rounded = LatentUNetConfig::new(vec![8, 8], vec![true, false])
            .with_layers_per_block(1)
            .with_context_channels(8)
            .with_heads(2)
            .with_num_groups(4)
            .init(&device)
            .map(&mut Rounded);
        let half = rounded.clone().with_half_weights();
        let latents = Tensor::<4>::random([1, 4, 4, 4], Distribution::Default, &device);
        let context = Tensor::<3>::random([1, 49, 8], Distribution::Default, &device);
        let steps = || Tensor::<1, Int>::full([1], 300, &device);
        let wanted = rounded.forward(latents.clone(), steps(), context.clone());
        let largest: f32 = wanted.clone().abs().max().into_scalar();
        assert!(largest > 1e-3, "an output of nothing: {largest}");
        let found = half.forward(latents, steps(), context);
        assert_eq!(found.into_data(), wanted.into_data());
    }
}
