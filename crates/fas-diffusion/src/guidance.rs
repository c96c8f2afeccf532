//! Classifier-free guidance: Ho and Salimans 2022, <https://arxiv.org/abs/2207.12598>; DiffFAS, equation 12.

use burn::tensor::{Tensor, s};

/// `unconditional + guidance_scale (conditional - unconditional)` on the noise channels; a scale of 1
/// is the conditional prediction.
///
/// Variance logits, where the network predicts them, are taken from the conditional branch: the
/// released code extrapolates them too, which moves log variances out of their range.
///
/// # Shapes
///
/// - conditional, unconditional, output: `[batch_size, channels, height, width]`, the first
///   `noise_channels` of them noise
///
/// # Panics
///
/// Panics if there are fewer than `noise_channels` channels.
pub fn guide(
    conditional: Tensor<4>,
    unconditional: Tensor<4>,
    guidance_scale: f64,
    noise_channels: usize,
) -> Tensor<4> {
    let channels = conditional.dims()[1];
    assert!(
        channels >= noise_channels,
        "{noise_channels} noise channels of {channels}"
    );
    if guidance_scale == 1.0 {
        return conditional;
    }
    if channels == noise_channels {
        return extrapolate(conditional, unconditional, guidance_scale);
    }
    let noise = extrapolate(
        conditional.clone().slice(s![.., ..noise_channels]),
        unconditional.slice(s![.., ..noise_channels]),
        guidance_scale,
    );
    Tensor::cat(vec![noise, conditional.slice(s![.., noise_channels..])], 1)
}

/// What the released code does: guidance on every channel, variance logits included.
///
/// # Shapes
///
/// - conditional, unconditional, output: `[batch_size, channels, height, width]`
pub fn guide_all_channels(
    conditional: Tensor<4>,
    unconditional: Tensor<4>,
    guidance_scale: f64,
) -> Tensor<4> {
    extrapolate(conditional, unconditional, guidance_scale)
}

fn extrapolate(conditional: Tensor<4>, unconditional: Tensor<4>, scale: f64) -> Tensor<4> {
    unconditional.clone() + (conditional - unconditional) * scale
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn variance_logits_stay_out_of_guidance() {
        let device = Device::default();
        let conditional = Tensor::<4>::from_data([[[[1.0]], [[5.0]]]], &device);
        let unconditional = Tensor::<4>::from_data([[[[0.5]], [[7.0]]]], &device);
        let guided: Vec<f32> = guide(conditional, unconditional, 3.0, 1)
            .into_data()
            .try_to_vec()
            .unwrap();
        assert_eq!(guided, [2.0, 5.0]);
    }
}
