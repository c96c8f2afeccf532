//! Burn's modules on the functions of this crate: parameters live in the module, the arithmetic here.
//!
//! A layer computes in the type of its input: weights of another one are rounded or widened for each use. Norms
//! keep their parameters, and compute in their type. Shapes are those of the functions that are named.

use burn::nn::conv::Conv2d;
use burn::nn::{BatchNorm, GroupNorm, Linear, PaddingConfig2d};
use burn::tensor::ops::ConvOptions;
use burn::tensor::{FloatDType, Tensor};

use crate::GroupNormOptions;

/// [`Conv2d::forward`](burn::nn::conv::Conv2d::forward) by [`conv2d()`](crate::conv2d()).
///
/// # Panics
///
/// As [`conv2d()`](crate::conv2d()); if the layer may pad one side more than the other: by unequal
/// [`PaddingConfig2d::Explicit`], or by [`PaddingConfig2d::Same`] with an even kernel or a stride.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "flex")]
/// # {
/// use burn::nn::{PaddingConfig2d, conv::Conv2dConfig};
/// use burn::tensor::{Device, Tensor};
/// use fas_kernels::layers;
///
/// let device = Device::flex();
/// let layer = Conv2dConfig::new([2, 3], [3, 3])
///     .with_padding(PaddingConfig2d::Explicit(1, 1, 1, 1))
///     .init(&device);
/// assert_eq!(layers::conv2d(&layer, Tensor::ones([1, 2, 4, 4], &device)).dims(), [1, 3, 4, 4]);
/// # }
/// ```
pub fn conv2d(layer: &Conv2d, x: Tensor<4>) -> Tensor<4> {
    let weight = like(layer.weight.val(), &x);
    let bias = layer.bias.as_ref().map(|bias| like(bias.val(), &x));
    crate::conv2d(x, weight, bias, options(layer))
}

/// `norm(layer(x))`, of a convolution without bias. Without autodiff by
/// [`conv2d_batch_norm()`](crate::conv2d_batch_norm()), with the norm's running statistics. On an autodiff device as
/// Burn's norm does it: with the batch's statistics, which the running ones follow, or the running ones if the norm is
/// frozen.
///
/// # Panics
///
/// As [`conv2d`]; if the convolution has a bias.
pub fn conv2d_batch_norm(layer: &Conv2d, norm: &BatchNorm, x: Tensor<4>) -> Tensor<4> {
    assert!(
        layer.bias.is_none(),
        "conv2d_batch_norm: the norm takes a bias away"
    );
    let device = x.device();
    if device.is_autodiff() {
        let maps = conv2d(layer, x.clone());
        return like(norm.forward(like(maps, &norm.gamma.val())), &x);
    }
    let [mean, variance] =
        [&norm.running_mean, &norm.running_var].map(|running| running.value().to_device(&device));
    let norms = [norm.gamma.val(), norm.beta.val(), mean, variance];
    let weight = like(layer.weight.val(), &norms[0]);
    crate::conv2d_batch_norm(x, weight, norms, norm.epsilon, options(layer))
}

/// [`Linear::forward`](burn::nn::Linear::forward) by [`linear()`](crate::linear()).
///
/// # Panics
///
/// As [`linear()`](crate::linear()).
pub fn linear<const D: usize>(layer: &Linear, x: Tensor<D>) -> Tensor<D> {
    let weight = like(layer.weight.val(), &x);
    let bias = layer.bias.as_ref().map(|bias| like(bias.val(), &x));
    crate::linear(x, weight, bias)
}

/// [`group_norm()`](crate::group_norm()) with the parameters of `norm`.
///
/// # Shapes
///
/// - x, output: `[batch_size, channels, ...]`
/// - modulation: scale and shift, `[batch_size, channels]`, of the type of the norm's parameters
///
/// # Panics
///
/// As [`group_norm()`](crate::group_norm()); if the norm has no parameters.
pub fn group_norm<const D: usize>(
    norm: &GroupNorm,
    x: Tensor<D>,
    modulation: Option<(Tensor<2>, Tensor<2>)>,
    silu: bool,
) -> Tensor<D> {
    let [gamma, beta] = [&norm.gamma, &norm.beta].map(|parameter| {
        let parameter = parameter.as_ref();
        parameter.expect("group_norm: the norm is affine").val()
    });
    let options = GroupNormOptions::new(norm.num_groups)
        .with_epsilon(norm.epsilon)
        .with_silu(silu);
    crate::group_norm(x, gamma, beta, modulation, options)
}

fn options(layer: &Conv2d) -> ConvOptions<2> {
    let [rows, columns] = layer.kernel_size;
    let is_centred = layer.stride == [1, 1] && rows % 2 == 1 && columns % 2 == 1;
    let padding = match layer.padding {
        PaddingConfig2d::Valid => [0, 0],
        PaddingConfig2d::Same if is_centred => [rows / 2, columns / 2],
        PaddingConfig2d::Explicit(top, left, bottom, right) if (top, left) == (bottom, right) => {
            [top, left]
        }
        ref padding => panic!("conv2d: {padding:?} may pad one side more than the other"),
    };
    ConvOptions::new(layer.stride, padding, layer.dilation, layer.groups)
}

/// `tensor` in the type of `other`.
fn like<const D: usize, const E: usize>(tensor: Tensor<D>, other: &Tensor<E>) -> Tensor<D> {
    tensor.cast(FloatDType::from(other.dtype()))
}
