//! Softmax.

pub(crate) mod autodiff;
#[cfg(feature = "_cubecl")]
pub(crate) mod cube;
#[cfg(feature = "flex")]
pub(crate) mod flex;
pub(crate) mod reference;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::compositions::dispatch;

/// `exp(x) / sum(exp(x))` along `axis`: a drop-in for [`burn::tensor::activation::softmax`].
///
/// On Flex the kernel serves the last axis, where each value is within 2e-6 of the exact one,
/// relative, for rows of up to 4096 values; other axes are swapped with it. On CubeCL runtimes the
/// error of the GPU's `exp` comes to it. As in Burn, a row with a
/// NaN or plus infinity, or of minus infinities only, is all NaN.
///
/// # Panics
///
/// If `axis` is not one of the `D` axes.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "flex")]
/// # {
/// use burn::tensor::{Device, Tensor};
///
/// let x = Tensor::<1>::from_data([0.0, 3.0_f32.ln()], &Device::flex());
/// let y = fas_kernels::softmax(x, 0).into_data().try_to_vec::<f32>().unwrap();
/// assert!((y[0] - 0.25).abs() < 1e-6 && (y[1] - 0.75).abs() < 1e-6);
/// # }
/// ```
pub fn softmax<const D: usize>(x: Tensor<D>, axis: usize) -> Tensor<D> {
    assert!(axis < D, "softmax: axis {axis} of a tensor of {D} axes");
    let last = |x: Tensor<D>| {
        Tensor::from_dispatch(
            dispatch!(softmax_forward or reference::forward::<Dispatch>; x.into_dispatch()),
        )
    };
    if axis + 1 == D {
        last(x)
    } else {
        last(x.swap_dims(axis, D - 1)).swap_dims(axis, D - 1)
    }
}
