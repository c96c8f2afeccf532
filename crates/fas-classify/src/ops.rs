//! How the layers of this crate run and start: parameters live in Burn's modules, the arithmetic in
//! `fas-kernels`.

use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::nn::{BatchNorm, Initializer, Linear, LinearConfig, PaddingConfig2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{Device, Tensor};

/// A convolution of this crate: odd kernel, stride 1 or 2, same padding.
pub(crate) fn conv2d(conv: &Conv2d, input: Tensor<4>) -> Tensor<4> {
    fas_kernels::conv2d(
        input,
        conv.weight.val(),
        conv.bias.as_ref().map(|b| b.val()),
        options(conv),
    )
}

fn options(conv: &Conv2d) -> ConvOptions<2> {
    let padding = [conv.weight.dims()[2] / 2; 2];
    ConvOptions::new(conv.stride, padding, [1, 1], conv.groups)
}

/// A linear layer over the tokens of a transformer.
pub(crate) fn project(layer: &Linear, tokens: Tensor<3>) -> Tensor<3> {
    let bias = layer.bias.as_ref().map(|bias| bias.val());
    fas_kernels::linear(tokens, layer.weight.val(), bias)
}

/// `norm(conv(input))`, of a convolution without bias.
pub(crate) fn conv2d_batch_norm(conv: &Conv2d, norm: &BatchNorm, input: Tensor<4>) -> Tensor<4> {
    let device = input.device();
    if device.is_autodiff() {
        return norm.forward(conv2d(conv, input));
    }
    let [mean, variance] =
        [&norm.running_mean, &norm.running_var].map(|running| running.value().to_device(&device));
    let norms = [norm.gamma.val(), norm.beta.val(), mean, variance];
    fas_kernels::conv2d_batch_norm(input, conv.weight.val(), norms, norm.epsilon, options(conv))
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
