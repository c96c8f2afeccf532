//! How the layers of this crate run: parameters live in Burn's modules, the arithmetic in
//! `fas-kernels`.

use burn::nn::conv::Conv2d;
use burn::tensor::Tensor;
use burn::tensor::ops::ConvOptions;

/// A convolution of this crate: odd kernel, stride 1 or 2, same padding.
pub(crate) fn conv2d(conv: &Conv2d, input: Tensor<4>) -> Tensor<4> {
    let padding = [conv.weight.dims()[2] / 2; 2];
    let options = ConvOptions::new(conv.stride, padding, [1, 1], 1);
    fas_kernels::conv2d(
        input,
        conv.weight.val(),
        conv.bias.as_ref().map(|b| b.val()),
        options,
    )
}
