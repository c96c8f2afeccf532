//! Two-dimensional convolution.
//!
//! Fast on Flex for `f32`, no dilation, the same stride 1 or 2 on both axes, and in one group either a
//! 3x3 kernel with padding 1 or a 1x1 kernel without padding, or with each channel its own group (depthwise)
//! the former; without gradients 7x7 kernels with padding 3 too;
//! everything else runs Burn's own operation with the same result. On Flex `f16` and `bf16` are
//! widened to `f32`, and the output is rounded.

pub(crate) mod autodiff;
#[cfg(feature = "_cubecl")]
pub(crate) mod cube;
#[cfg(feature = "flex")]
mod depthwise;
#[cfg(feature = "flex")]
mod few;
#[cfg(feature = "flex")]
pub(crate) mod flex;
#[cfg(feature = "flex")]
mod gather;
#[cfg(feature = "flex")]
mod layout;
#[cfg(feature = "flex")]
mod pointwise;
pub(crate) mod reference;
#[cfg(feature = "flex")]
mod weight_gradient;
#[cfg(feature = "flex")]
mod winograd;

use burn::backend::Dispatch;
use burn::backend::ops::ModuleOps;
use burn::tensor::{Tensor, ops::ConvOptions};

use crate::compositions::dispatch;

/// Convolves `x` with `weight`: a drop-in for [`burn::tensor::module::conv2d`].
///
/// # Shapes
///
/// - x: `[batch_size, channels_in, height, width]`
/// - weight: `[channels_out, channels_in / groups, kernel_height, kernel_width]`
/// - bias: `[channels_out]`
/// - output: `[batch_size, channels_out, height_out, width_out]`
///
/// # Numbers
///
/// Where Winograd's transform does not pay, every output is one chain of fused multiply-adds over
/// input channels and taps: within `k * 2^-24 * sum |x| |w|` of the exact value for `k` products.
/// With it (3x3, stride 1, at least 16 channels both ways, and as many pixels an image as make up for
/// the weights' transform) the error is at most `(c + 32) * 2^-24 * g c max |x| max |w|`, where `c` is
/// the number of input channels and `g` is 81, or from 2048 pixels an image on 564. Where all values are
/// of one size, the mean error is some 2 or 5 times that of a chain. The weight's gradient is then made of
/// `t` tiles of 2x2 output gradients `y`, all of the batch, and within
/// `(t + 32) * 2^-24 * 64 t max |x| max |y|`. Results do not depend on the number of threads, and on Flex
/// that of an image does not depend on the batch it is in. NaN and infinity pass through; a padded zero
/// times an infinite weight is NaN.
///
/// # Panics
///
/// If the channels of `x`, `weight` and `bias` do not fit each other.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "flex")]
/// # {
/// use burn::tensor::{Device, Tensor, ops::ConvOptions};
///
/// let device = Device::flex();
/// let x = Tensor::<4>::ones([1, 2, 4, 4], &device);
/// let weight = Tensor::<4>::ones([3, 2, 3, 3], &device);
/// let options = ConvOptions::new([1, 1], [1, 1], [1, 1], 1);
/// let y = fas_kernels::conv2d(x, weight, None, options);
/// assert_eq!(y.dims(), [1, 3, 4, 4]);
/// # }
/// ```
pub fn conv2d(
    x: Tensor<4>,
    weight: Tensor<4>,
    bias: Option<Tensor<1>>,
    options: impl Into<ConvOptions<2>>,
) -> Tensor<4> {
    let options = options.into();
    let (x_dims, weight_dims) = (x.dims(), weight.dims());
    assert_eq!(
        x_dims[1],
        weight_dims[1] * options.groups,
        "conv2d: input {x_dims:?} has {} channels, weight {weight_dims:?} wants {} in {} group(s)",
        x_dims[1],
        weight_dims[1] * options.groups,
        options.groups
    );
    let bias = bias.unwrap_or_else(|| Tensor::zeros([weight_dims[0]], (&x.device(), x.dtype())));
    let [channels] = bias.dims();
    assert_eq!(
        channels, weight_dims[0],
        "conv2d: bias has {channels} channels, weight {weight_dims:?} makes {}",
        weight_dims[0]
    );
    let composition = |x, weight, bias, options| {
        <Dispatch as ModuleOps<Dispatch>>::conv2d(x, weight, Some(bias), options)
    };
    Tensor::from_dispatch(dispatch!(
        convolution or composition;
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        options,
    ))
}

/// `batch_norm(conv2d(x, weight))` with running statistics, for inference. In large maps it is one convolution,
/// whose weight takes over the norm's scale and whose bias its shift: that spares a pass over the map, and where
/// the map is smaller than the weight one over that. The norm computes in its parameters' type.
///
/// # Shapes
///
/// As [`conv2d()`]; gamma, beta, mean and variance of the norm are `[channels_out]`.
///
/// # Panics
///
/// If the channels of `x`, `weight` and the norm do not fit each other.
pub fn conv2d_batch_norm(
    x: Tensor<4>,
    weight: Tensor<4>,
    [gamma, beta, mean, variance]: [Tensor<1>; 4],
    epsilon: f64,
    options: impl Into<ConvOptions<2>>,
) -> Tensor<4> {
    let (options, dtype) = (options.into(), x.dtype());
    let [_, _, height, width] = x.dims();
    let [channels_out, depth, rows, columns] = weight.dims();
    // Of one image: it must not depend on its companions.
    let pixels = height.div_ceil(options.stride[0]) * width.div_ceil(options.stride[1]);
    if pixels < depth * rows * columns {
        let maps = conv2d(x, weight.cast(dtype), None, options).cast(gamma.dtype());
        let normed = burn::tensor::module::batch_norm(maps, gamma, beta, mean, variance, epsilon);
        return normed.cast(dtype);
    }
    let scale = gamma / (variance + epsilon).sqrt();
    let bias = beta - mean * scale.clone();
    let weight = weight * scale.reshape([channels_out, 1, 1, 1]);
    conv2d(x, weight.cast(dtype), Some(bias.cast(dtype)), options)
}
