//! Gaussian error linear unit: D. Hendrycks, K. Gimpel, 2016, <https://arxiv.org/abs/1606.08415>.

pub(crate) mod autodiff;
#[cfg(feature = "_cubecl")]
pub(crate) mod cube;
#[cfg(feature = "flex")]
pub(crate) mod flex;
pub(crate) mod reference;
#[cfg(any(feature = "_cubecl", feature = "flex"))]
mod tail;
#[cfg(feature = "flex")]
mod vector;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::compositions::dispatch;

/// The two functions called GELU.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GeluForm {
    /// `x (1 + erf(x / sqrt(2))) / 2`, the definition; PyTorch's `approximate="none"`.
    Erf,
    /// `x (1 + tanh(sqrt(2 / pi) (x + 0.044715 x^3))) / 2`; PyTorch's `approximate="tanh"`.
    Tanh,
}

/// Gaussian error linear unit: a drop-in for [`burn::tensor::activation::gelu`] and
/// [`burn::tensor::activation::gelu_approximate`], whose gradient is that of the form asked for.
///
/// On Flex, values of the `Erf` form are within 6e-7 `|x|` of the exact ones, and for `x >= -5.5` within 6e-6
/// of the value, relative; below they are zero, where the exact ones are above -1.1e-7. Those of the `Tanh` form
/// are within 6e-7 `max(1, |x|)`. On CubeCL runtimes values of the `Erf` form are within 6e-7, relative, where the
/// exact one is at least 1e-36, and the error of the GPU's `exp` comes to either form; in the `Erf` form that of
/// `exp(-x^2 / 2)`. NaN and infinity pass through as in Burn: `gelu(-inf)` is NaN.
///
/// A relative bound further down would cost an exponential and a division, twice the time, for values that
/// vanish beside the others of a sum of usual size.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "flex")]
/// # {
/// use burn::tensor::{Device, Tensor};
/// use fas_kernels::{GeluForm, gelu};
///
/// let x = Tensor::<1>::from_data([0.0, 1.0], &Device::flex());
/// let y = gelu(x, GeluForm::Erf).into_data().try_to_vec::<f32>().unwrap();
/// assert_eq!(y[0], 0.0);
/// assert!((y[1] - 0.841_344_7).abs() < 1e-6);
/// # }
/// ```
pub fn gelu<const D: usize>(x: Tensor<D>, form: GeluForm) -> Tensor<D> {
    Tensor::from_dispatch(
        dispatch!(gelu_forward or reference::forward::<Dispatch>; x.into_dispatch(), form),
    )
}
