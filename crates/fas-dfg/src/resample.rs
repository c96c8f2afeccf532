//! Halving and doubling of maps by convolution, as in latent diffusion (Rombach et al. 2022,
//! <https://arxiv.org/abs/2112.10752>).

use burn::config::Config;
use burn::module::Module;
use burn::nn::PaddingConfig2d;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor};
use fas_kernels::layers::conv2d;

/// Where the zeros of a halving convolution stand.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum DownsamplePadding {
    /// One on each side: the U-Net.
    Symmetric,
    /// One at the right and one at the bottom: the autoencoder.
    RightBottom,
}

/// 3x3 convolution of stride 2.
#[derive(Module, Debug)]
pub struct Downsample {
    conv: Conv2d,
    #[module(skip)]
    padding: DownsamplePadding,
}

impl Downsample {
    pub(crate) fn new(channels: usize, padding: DownsamplePadding, device: &Device) -> Self {
        Self {
            conv: conv3x3([channels, channels])
                .with_stride([2, 2])
                .init(device),
            padding,
        }
    }

    /// # Shapes
    ///
    /// - input: `[batch_size, channels, height, width]`
    /// - output: half the height and width, rounded up for symmetric padding, down for the other
    pub(crate) fn forward(&self, input: Tensor<4>) -> Tensor<4> {
        match self.padding {
            DownsamplePadding::Symmetric => conv2d(&self.conv, input),
            DownsamplePadding::RightBottom => {
                // Zeros on the other side move the symmetric convolution by one output, so that the
                // kernels' own padding serves: its first row and column are dropped.
                let [batch_size, channels, height, width] = input.dims();
                let device = input.device();
                let side = Tensor::zeros([batch_size, channels, height, 1], &device);
                let top = Tensor::zeros([batch_size, channels, 1, width + 1], &device);
                let shifted = Tensor::cat(vec![top, Tensor::cat(vec![side, input], 3)], 2);
                conv2d(&self.conv, shifted)
                    .narrow(2, 1, height / 2)
                    .narrow(3, 1, width / 2)
            }
        }
    }
}

/// Nearest neighbour, twice as large, then a 3x3 convolution.
#[derive(Module, Debug)]
pub struct Upsample {
    conv: Conv2d,
}

impl Upsample {
    pub(crate) fn new(channels: usize, device: &Device) -> Self {
        Self {
            conv: conv3x3([channels, channels]).init(device),
        }
    }

    /// # Shapes
    ///
    /// - input: `[batch_size, channels, height, width]`
    /// - output: `[batch_size, channels, size[0], size[1]]`; each `2 n`, or `2 n - 1` where a map of
    ///   odd size had been halved: the nearest neighbours are then those of `2 n` without the last
    pub(crate) fn forward(&self, input: Tensor<4>, size: [usize; 2]) -> Tensor<4> {
        let doubled = nearest_2x(input);
        let [_, _, height, width] = doubled.dims();
        let cropped = if size == [height, width] {
            doubled
        } else {
            doubled.narrow(2, 0, size[0]).narrow(3, 0, size[1])
        };
        conv2d(&self.conv, cropped)
    }
}

/// Nearest neighbour by repetition: a copy, with a sum as its gradient.
pub(crate) fn nearest_2x(input: Tensor<4>) -> Tensor<4> {
    let [batch_size, channels, height, width] = input.dims();
    input
        .reshape([batch_size, channels, height, 1, width, 1])
        .expand([batch_size, channels, height, 2, width, 2])
        .reshape([batch_size, channels, 2 * height, 2 * width])
}

/// 3x3 convolution that keeps the size.
pub(crate) fn conv3x3(channels: [usize; 2]) -> Conv2dConfig {
    Conv2dConfig::new(channels, [3, 3]).with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::module::Param;

    #[test]
    fn zeros_stand_right_and_below() {
        let device = Device::default();
        let mut down = Downsample::new(1, DownsamplePadding::RightBottom, &device);
        down.conv.weight = Param::from_tensor(Tensor::ones([1, 1, 3, 3], &device));
        down.conv.bias = None;
        let ramp = Tensor::<1>::from_data(
            (0..16).map(|v| v as f32).collect::<Vec<_>>().as_slice(),
            &device,
        )
        .reshape([1, 1, 4, 4]);
        // sums of rows 0-2 and 2-3, columns 0-2 and 2-3
        let sums: Vec<f32> = down.forward(ramp).into_data().try_to_vec().unwrap();
        assert_eq!(sums, [45.0, 39.0, 66.0, 50.0]);
    }

    #[test]
    fn odd_sizes_come_back() {
        let device = Device::default();
        let down = Downsample::new(2, DownsamplePadding::Symmetric, &device);
        let up = Upsample::new(2, &device);
        let half = down.forward(Tensor::ones([1, 2, 7, 8], &device));
        assert_eq!(half.dims(), [1, 2, 4, 4]);
        assert_eq!(up.forward(half, [7, 8]).dims(), [1, 2, 7, 8]);
    }
}
