//! Direction of halving and doubling, as in guided-diffusion; pixels as channels; repetition of a batch.

use burn::config::Config;
use burn::tensor::Tensor;
use fas_kernels::{average_2x2, nearest_2x};

/// Direction of a change of resolution.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum Resample {
    /// 2x2 average.
    Down,
    /// Nearest neighbour, twice as large.
    Up,
}

impl Resample {
    /// # Shapes
    ///
    /// - input: `[batch_size, channels, height, width]`, even height and width for `Down`
    /// - output: half or double the height and width
    pub(crate) fn forward(self, input: Tensor<4>) -> Tensor<4> {
        match self {
            Self::Down => average_2x2(input),
            Self::Up => nearest_2x(input),
        }
    }
}

/// The batch over and over until it has `batch_size` entries, a multiple of what it has.
pub(crate) fn repeat_to<const D: usize>(tensor: Tensor<D>, batch_size: usize) -> Tensor<D> {
    let present = tensor.dims()[0];
    if present == batch_size {
        return tensor;
    }
    tensor.repeat_dim(0, batch_size / present)
}

/// Moves each `patch x patch` square of pixels into channels (pixel unshuffle).
///
/// # Shapes
///
/// - input: `[batch_size, channels, height, width]`, multiples of `patch`
/// - output: `[batch_size, channels patch^2, height / patch, width / patch]`
pub(crate) fn patches_to_channels(input: Tensor<4>, patch: usize) -> Tensor<4> {
    if patch == 1 {
        return input;
    }
    let [batch_size, channels, height, width] = input.dims();
    input
        .reshape([
            batch_size,
            channels,
            height / patch,
            patch,
            width / patch,
            patch,
        ])
        .permute([0, 1, 3, 5, 2, 4])
        .reshape([
            batch_size,
            channels * patch * patch,
            height / patch,
            width / patch,
        ])
}

/// The inverse of [`patches_to_channels`] (pixel shuffle).
pub(crate) fn channels_to_patches(input: Tensor<4>, patch: usize) -> Tensor<4> {
    if patch == 1 {
        return input;
    }
    let [batch_size, channels, height, width] = input.dims();
    let channels = channels / (patch * patch);
    input
        .reshape([batch_size, channels, patch, patch, height, width])
        .permute([0, 1, 4, 2, 5, 3])
        .reshape([batch_size, channels, height * patch, width * patch])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::{Device, Int, Tensor};

    fn ramp(shape: [usize; 4]) -> Tensor<4> {
        let count = shape.iter().product::<usize>() as i64;
        Tensor::<1, Int>::arange(0..count, &Device::default())
            .float()
            .reshape(shape)
    }

    #[test]
    fn resampling_has_known_values() {
        let down: Vec<f32> = Resample::Down
            .forward(ramp([1, 1, 2, 4]))
            .into_data()
            .try_to_vec()
            .unwrap();
        assert_eq!(down, [2.5, 4.5]);
        let up: Vec<f32> = Resample::Up
            .forward(ramp([1, 1, 1, 2]))
            .into_data()
            .try_to_vec()
            .unwrap();
        assert_eq!(up, [0.0, 0.0, 1.0, 1.0, 0.0, 0.0, 1.0, 1.0]);
    }

    #[test]
    fn patches_follow_pixel_unshuffle_and_come_back() {
        let image = ramp([1, 2, 4, 4]);
        let patched = patches_to_channels(image.clone(), 2);
        assert_eq!(patched.dims(), [1, 8, 2, 2]);
        // torch.nn.functional.pixel_unshuffle: channel 1 holds the pixels right of those of channel 0
        let values: Vec<f32> = patched.to_data().try_to_vec().unwrap();
        assert_eq!(values[..8], [0.0, 2.0, 8.0, 10.0, 1.0, 3.0, 9.0, 11.0]);
        assert_eq!(
            channels_to_patches(patched, 2).into_data(),
            image.into_data()
        );
    }
}
