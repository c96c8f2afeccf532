//! How the layers of this crate run and start: parameters live in Burn's modules, the arithmetic in
//! `fas-kernels`.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};

/// A convolution of this crate: odd kernel, stride 1 or 2, same padding.
pub(crate) fn conv2d(conv: &Conv2d, input: Tensor<4>) -> Tensor<4> {
    let padding = [conv.weight.dims()[2] / 2; 2];
    let options = ConvOptions::new(conv.stride, padding, [1, 1], conv.groups);
    fas_kernels::conv2d(
        input,
        conv.weight.val(),
        conv.bias.as_ref().map(|b| b.val()),
        options,
    )
}

/// A convolution without bias and the BatchNorm behind it, for inference: one convolution, whose weight
/// takes over the norm's scale and whose bias its shift. That spares a pass over the map.
pub(crate) fn folded(conv: &Conv2d, norm: &BatchNorm, input: Tensor<4>) -> Tensor<4> {
    let device = input.device();
    let mean = norm.running_mean.value().to_device(&device);
    let variance = norm.running_var.value().to_device(&device);
    let scale = norm.gamma.val() / (variance + norm.epsilon).sqrt();
    let bias = norm.beta.val() - mean * scale.clone();
    let channels = scale.dims()[0];
    let weight = conv.weight.val() * scale.reshape([channels, 1, 1, 1]);
    let padding = [conv.weight.dims()[2] / 2; 2];
    let options = ConvOptions::new(conv.stride, padding, [1, 1], conv.groups);
    fas_kernels::conv2d(input, weight, Some(bias), options)
}

/// A convolution without bias, by Kaiming's rule over the fan out.
pub(crate) fn convolution(
    channels: [usize; 2],
    kernel: usize,
    stride: usize,
    groups: usize,
    device: &Device,
) -> Conv2d {
    let pad = kernel / 2;
    Conv2dConfig::new(channels, [kernel, kernel])
        .with_stride([stride, stride])
        .with_padding(PaddingConfig2d::Explicit(pad, pad, pad, pad))
        .with_groups(groups)
        .with_bias(false)
        .with_initializer(Initializer::KaimingNormal {
            gain: 2f64.sqrt(),
            fan_out_only: true,
        })
        .init(device)
}

/// A linear layer with normal weights of deviation `std` and zero bias.
pub(crate) fn linear(from: usize, to: usize, std: f64, device: &Device) -> Linear {
    let mut layer = LinearConfig::new(from, to)
        .with_initializer(Initializer::Normal { mean: 0.0, std })
        .init(device);
    layer.bias = Some(Initializer::Zeros.init([to], device));
    layer
}
