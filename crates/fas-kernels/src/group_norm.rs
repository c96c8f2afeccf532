//! Group normalisation with optional modulation and SiLU, in one pass.
//!
//! Y. Wu, K. He, "Group Normalization", 2018, <https://arxiv.org/abs/1803.08494>, equation 1; the
//! modulation is that of P. Dhariwal, A. Nichol, "Diffusion Models Beat GANs on Image Synthesis",
//! 2021, <https://arxiv.org/abs/2105.05233>, equation 3 (AdaGN), with `1 + scale` for their scale.

pub(crate) mod autodiff;
#[cfg(feature = "_cubecl")]
pub(crate) mod cube;
#[cfg(feature = "flex")]
pub(crate) mod flex;
#[cfg(any(feature = "_cubecl", feature = "flex"))]
mod half;
pub(crate) mod reference;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::compositions::dispatch;

/// What [`group_norm`] computes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct GroupNormOptions {
    /// Groups the channels are split into, in order; divides their number.
    pub num_groups: usize,
    /// Added to the variance; positive.
    pub epsilon: f64,
    /// Whether the sigmoid linear unit follows.
    pub silu: bool,
}

impl GroupNormOptions {
    /// Plain normalisation in `num_groups` groups, with epsilon 1e-5.
    pub fn new(num_groups: usize) -> Self {
        Self {
            num_groups,
            epsilon: 1e-5,
            silu: false,
        }
    }

    /// Sets [`epsilon`](Self::epsilon).
    pub fn with_epsilon(mut self, epsilon: f64) -> Self {
        self.epsilon = epsilon;
        self
    }

    /// Sets [`silu`](Self::silu).
    pub fn with_silu(mut self, silu: bool) -> Self {
        self.silu = silu;
        self
    }
}

/// `act((1 + scale) (weight x_hat + bias) + shift)`, where `x_hat = (x - mean) / sqrt(var + epsilon)`
/// over each image's group of channels, and `act` is the identity or SiLU.
///
/// `modulation` is the pair `(scale, shift)`; without it, this is
/// [`burn::nn::GroupNorm`](https://docs.rs/burn/0.22.1/burn/nn/struct.GroupNorm.html). The variance
/// is the biased one.
///
/// `weight`, `bias`, `scale` and `shift` are of one type: that of `x`, or `f32` with `x` in a half type. All
/// is computed in `f32` for a half type, and the output is rounded to it.
///
/// # Shapes
///
/// - x, output: `[batch_size, channels, ...]`
/// - weight, bias: `[channels]`
/// - scale, shift: `[batch_size, channels]`
///
/// # Panics
///
/// If `num_groups` does not divide the channels, `D < 2`, or a shape does not fit `x`.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "flex")]
/// # {
/// use burn::tensor::{Device, Tensor};
/// use fas_kernels::{GroupNormOptions, group_norm};
///
/// let device = Device::flex();
/// let x = Tensor::<3>::from_data([[[1.0, 3.0], [5.0, 5.0]]], &device);
/// let (weight, bias) = (Tensor::ones([2], &device), Tensor::zeros([2], &device));
/// let y = group_norm(x, weight, bias, None, GroupNormOptions::new(2).with_epsilon(1e-12));
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [-1.0, 1.0, 0.0, 0.0]);
/// # }
/// ```
pub fn group_norm<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<1>,
    bias: Tensor<1>,
    modulation: Option<(Tensor<2>, Tensor<2>)>,
    options: GroupNormOptions,
) -> Tensor<D> {
    let dims = x.dims();
    assert!(D >= 2, "group_norm: input {dims:?} has no channel axis");
    let (batch_size, channels) = (dims[0], dims[1]);
    assert!(
        options.num_groups > 0 && channels.is_multiple_of(options.num_groups),
        "group_norm: {} groups do not divide the {channels} channels of {dims:?}",
        options.num_groups
    );
    for (name, tensor) in [("weight", &weight), ("bias", &bias)] {
        let [len] = tensor.dims();
        assert_eq!(
            len, channels,
            "group_norm: {name} has {len} values, input {dims:?}"
        );
    }
    let (scale, shift) = modulation.unwrap_or_else(|| {
        let zeros = Tensor::zeros([batch_size, channels], (&x.device(), weight.dtype()));
        (zeros.clone(), zeros)
    });
    for (name, tensor) in [("scale", &scale), ("shift", &shift)] {
        let found = tensor.dims();
        assert_eq!(
            found,
            [batch_size, channels],
            "group_norm: {name} is {found:?}, input {dims:?}"
        );
    }
    Tensor::from_dispatch(dispatch!(
        group_norm_forward or reference::forward::<Dispatch>;
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
        scale.into_dispatch(),
        shift.into_dispatch(),
        options,
    ))
}
