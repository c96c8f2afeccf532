//! Layers of the three networks, with the names of the released weights.

use burn::module::{Module, Param};
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::activation::prelu;
use burn::tensor::module::max_pool2d;
use burn::tensor::ops::{ConvOptions, MaxPoolOptions};
use burn::tensor::{Device, Tensor};

/// Convolution of square kernel, stride 1, without padding.
pub(crate) fn conv(channels: [usize; 2], kernel: usize, device: &Device) -> Conv2d {
    Conv2dConfig::new(channels, [kernel, kernel]).init(device)
}

/// Runs a convolution of [`conv()`].
///
/// Kernels of 3 run with padding and lose their border afterwards: that form has a fast kernel, and
/// the border is small.
pub(crate) fn convolve(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    let [_, _, kernel, _] = layer.weight.dims();
    let bias = layer.bias.as_ref().map(|bias| bias.val());
    let padding = usize::from(kernel == 3);
    let options = ConvOptions::new([1, 1], [padding; 2], [1, 1], 1);
    let y = fas_kernels::conv2d(x, layer.weight.val(), bias, options);
    if padding == 0 {
        return y;
    }
    y.narrow(2, 1, height - 2).narrow(3, 1, width - 2)
}

/// Max pooling by a stride of 2 that keeps an incomplete last window.
pub(crate) fn pool(x: Tensor<4>, kernel: usize) -> Tensor<4> {
    let options = MaxPoolOptions::new([kernel; 2])
        .with_stride([2, 2])
        .with_ceil_mode(true);
    max_pool2d(x, options)
}

/// Leaky rectifier with a learned slope a channel.
#[derive(Module, Debug)]
pub(crate) struct PRelu {
    weight: Param<Tensor<1>>,
}

impl PRelu {
    pub(crate) fn new(channels: usize, device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(Tensor::full([channels], 0.25, device)),
        }
    }

    pub(crate) fn forward<const D: usize>(&self, x: Tensor<D>) -> Tensor<D> {
        prelu(x, self.weight.val())
    }
}

/// Dense layer whose weight is `[out, in]`, as in the released files.
#[derive(Module, Debug)]
pub(crate) struct Dense {
    weight: Param<Tensor<2>>,
    bias: Param<Tensor<1>>,
}

impl Dense {
    /// Zeros, to be replaced by released weights.
    pub(crate) fn new(inputs: usize, outputs: usize, device: &Device) -> Self {
        Self {
            weight: Param::from_tensor(Tensor::zeros([outputs, inputs], device)),
            bias: Param::from_tensor(Tensor::zeros([outputs], device)),
        }
    }

    pub(crate) fn forward(&self, x: Tensor<2>) -> Tensor<2> {
        x.matmul(self.weight.val().transpose()) + self.bias.val().unsqueeze()
    }
}

/// `[batch_size, channels, height, width]` as rows in the order width, height, channel, in which
/// the released dense layers take them.
pub(crate) fn flatten(x: Tensor<4>) -> Tensor<2> {
    x.permute([0, 3, 2, 1]).flatten(1, 3)
}
