//! Max-pooling.

#[cfg(feature = "_cubecl")]
pub(crate) mod cube;
#[cfg(feature = "flex")]
pub(crate) mod flex;
pub(crate) mod reference;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::compositions::dispatch;

/// The maximum of 3x3 pixels around every second pixel of every second row: a drop-in for
/// [`burn::tensor::module::max_pool2d`] with stride 2 and padding 1, the pooling of ResNet's stem. NaN passes
/// through. With gradients it is Burn's own.
///
/// # Shapes
///
/// - x: `[batch_size, channels, height, width]`
/// - output: `[batch_size, channels, ceil(height / 2), ceil(width / 2)]`
///
/// # Example
///
/// ```
/// # #[cfg(feature = "flex")]
/// # {
/// use burn::tensor::{Device, Tensor};
///
/// let x = Tensor::<4>::from_data([[[[1.0, 2.0, 3.0], [6.0, 5.0, 4.0]]]], &Device::flex());
/// let y = fas_kernels::max_pool_3x3(x).into_data().try_to_vec::<f32>().unwrap();
/// assert_eq!(y, [6.0, 5.0]);
/// # }
/// ```
pub fn max_pool_3x3(x: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(dispatch!(max_pool or reference::forward::<Dispatch>; x.into_dispatch()))
}
