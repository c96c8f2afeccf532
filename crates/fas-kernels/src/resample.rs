//! Doubling and halving of maps.

pub(crate) mod autodiff;
#[cfg(feature = "_cubecl")]
pub(crate) mod cube;
#[cfg(feature = "flex")]
pub(crate) mod flex;
pub(crate) mod reference;

use burn::backend::Dispatch;
use burn::tensor::Tensor;

use crate::compositions::dispatch;

/// Every pixel as a square of 2x2: nearest-neighbour interpolation to twice the height and width.
///
/// # Shapes
///
/// - x: `[batch_size, channels, height, width]`
/// - output: `[batch_size, channels, 2 height, 2 width]`
///
/// # Example
///
/// ```
/// # #[cfg(feature = "flex")]
/// # {
/// use burn::tensor::{Device, Tensor};
///
/// let x = Tensor::<4>::from_data([[[[1.0, 2.0]]]], &Device::flex());
/// let y = fas_kernels::nearest_2x(x).into_data().try_to_vec::<f32>().unwrap();
/// assert_eq!(y, [1.0, 1.0, 2.0, 2.0, 1.0, 1.0, 2.0, 2.0]);
/// # }
/// ```
pub fn nearest_2x(x: Tensor<4>) -> Tensor<4> {
    Tensor::from_dispatch(
        dispatch!(double_size or reference::double::<Dispatch>; x.into_dispatch(), 1.0),
    )
}

/// The mean of every square of 2x2 pixels: average pooling with a stride of 2.
///
/// # Shapes
///
/// - x: `[batch_size, channels, height, width]`, even height and width
/// - output: `[batch_size, channels, height / 2, width / 2]`
///
/// # Panics
///
/// If height or width is odd.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "flex")]
/// # {
/// use burn::tensor::{Device, Tensor};
///
/// let x = Tensor::<4>::from_data([[[[1.0, 2.0], [3.0, 6.0]]]], &Device::flex());
/// let y = fas_kernels::average_2x2(x).into_data().try_to_vec::<f32>().unwrap();
/// assert_eq!(y, [3.0]);
/// # }
/// ```
pub fn average_2x2(x: Tensor<4>) -> Tensor<4> {
    let [_, _, height, width] = x.dims();
    assert!(
        height.is_multiple_of(2) && width.is_multiple_of(2),
        "average_2x2: a map of {height} x {width} has half a square; pad it to even sizes"
    );
    Tensor::from_dispatch(
        dispatch!(halve_size or reference::halve::<Dispatch>; x.into_dispatch(), 0.25),
    )
}
