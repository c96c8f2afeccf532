//! Sums and concatenations of maps, where paths of a network meet.

pub(crate) mod autodiff;
#[cfg(feature = "_cubecl")]
pub(crate) mod cube;
#[cfg(feature = "flex")]
pub(crate) mod flex;

use burn::backend::Dispatch;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::Tensor;

use crate::compositions::dispatch;

/// `a + b`: a drop-in for the operator where both have one shape. On Flex all threads add, in place where a
/// tensor is not held by anybody else; elsewhere it is Burn's sum.
///
/// # Panics
///
/// If the shapes differ.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "flex")]
/// # {
/// use burn::tensor::{Device, Tensor};
///
/// let x = Tensor::<1>::from_data([1.0, 2.0], &Device::flex());
/// let y = fas_kernels::add(x.clone(), x).into_data().try_to_vec::<f32>().unwrap();
/// assert_eq!(y, [2.0, 4.0]);
/// # }
/// ```
pub fn add<const D: usize>(a: Tensor<D>, b: Tensor<D>) -> Tensor<D> {
    assert_eq!(a.dims(), b.dims(), "add: two tensors of one shape");
    Tensor::from_dispatch(
        dispatch!(add_maps or Dispatch::float_add; a.into_dispatch(), b.into_dispatch()),
    )
}

/// The channels of `a`, then those of `b`: a drop-in for `Tensor::cat(vec![a, b], 1)`. On Flex all threads
/// copy; on CubeCL runtimes one kernel does, which keeps channels-last maps as convolutions return them.
///
/// # Shapes
///
/// - a: `[batch_size, channels_a, height, width]`
/// - b: `[batch_size, channels_b, height, width]`
/// - output: `[batch_size, channels_a + channels_b, height, width]`
///
/// # Panics
///
/// If batch size, height or width differ.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "flex")]
/// # {
/// use burn::tensor::{Device, Tensor};
///
/// let a = Tensor::<4>::ones([2, 3, 4, 4], &Device::flex());
/// let b = Tensor::<4>::zeros([2, 1, 4, 4], &Device::flex());
/// assert_eq!(fas_kernels::concat_channels(a, b).dims(), [2, 4, 4, 4]);
/// # }
/// ```
pub fn concat_channels(a: Tensor<4>, b: Tensor<4>) -> Tensor<4> {
    let ([n, _, height, width], other) = (a.dims(), b.dims());
    assert_eq!(
        [n, height, width],
        [other[0], other[2], other[3]],
        "concat_channels: only the channels may differ"
    );
    Tensor::from_dispatch(dispatch!(
        concat_maps or |a, b| Dispatch::float_cat(vec![a, b], 1);
        a.into_dispatch(), b.into_dispatch()
    ))
}
