//! Sigmoid linear unit.

pub(crate) mod autodiff;
#[cfg(feature = "_cubecl")]
pub(crate) mod cube;
#[cfg(feature = "flex")]
pub(crate) mod flex;
pub(crate) mod reference;
#[cfg(feature = "flex")]
pub(crate) mod vector;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::compositions::dispatch;

/// `x sigmoid(x)`: a drop-in for [`burn::tensor::activation::silu`].
///
/// On Flex, each value is within 4e-7 of the exact one, relative; on CubeCL runtimes the error of the
/// GPU's `exp(-|x|)` comes to it, up to `3 + 2 |x|` units in the last place in Vulkan. NaN and
/// infinity pass through as in Burn: `silu(-inf)` is NaN.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "flex")]
/// # {
/// use burn::tensor::{Device, Tensor};
///
/// let x = Tensor::<1>::from_data([0.0, 1.0], &Device::flex());
/// let y = fas_kernels::silu(x).into_data().try_to_vec::<f32>().unwrap();
/// assert_eq!(y[0], 0.0);
/// assert!((y[1] - 0.731_058_6).abs() < 1e-6);
/// # }
/// ```
pub fn silu<const D: usize>(x: Tensor<D>) -> Tensor<D> {
    Tensor::from_dispatch(
        dispatch!(silu_forward or reference::forward::<Dispatch>; x.into_dispatch()),
    )
}
