//! Factors and offsets given on a coarse grid, drawn up to the map in the same pass that applies them: the
//! modulation of STFM (DiffFAS, equation 11).

pub(crate) mod autodiff;
#[cfg(feature = "_cubecl")]
pub(crate) mod cube;
#[cfg(feature = "flex")]
pub(crate) mod flex;
pub(crate) mod reference;

use burn::backend::Dispatch;
use burn::tensor::{Tensor, assert_shape};

use crate::compositions::dispatch;

/// `x up(scale) + up(shift)`, where `up` draws a square grid to the size of the map.
///
/// `up(grid) = axis grid axis^T`: row `i` of an axis has the weights that the places of a row or column of the
/// grid have in pixel `i`. The kernels skip zeros.
///
/// # Shapes
///
/// - x, output: `[batch_size, channels, size, size]`
/// - scale: `[batch_size, channels, scale_side^2]`, shift: `[batch_size, channels, shift_side^2]`
/// - scale_axis: `[size, scale_side]`, shift_axis: `[size, shift_side]`; constants, without a gradient
///
/// # Panics
///
/// If a shape does not fit `x`.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "flex")]
/// # {
/// use burn::tensor::{Device, Tensor};
/// use fas_kernels::modulate_by_grids;
///
/// let device = Device::flex();
/// let x = Tensor::<4>::from_data([[[[1.0, 2.0], [3.0, 4.0]]]], &device);
/// let scale = Tensor::from_data([[[10.0]]], &device);
/// let shift = Tensor::from_data([[[0.0, 1.0, 2.0, 3.0]]], &device);
/// let y = modulate_by_grids(x, scale, shift, Tensor::ones([2, 1], &device), Tensor::eye(2, &device));
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [10.0, 21.0, 32.0, 43.0]);
/// # }
/// ```
pub fn modulate_by_grids(
    x: Tensor<4>,
    scale: Tensor<3>,
    shift: Tensor<3>,
    scale_axis: Tensor<2>,
    shift_axis: Tensor<2>,
) -> Tensor<4> {
    let [batch_size, channels, size, _] = x.dims();
    let [scale_side, shift_side] = [&scale_axis, &shift_axis].map(|axis| axis.dims()[1]);
    assert_shape!(x, [batch_size, channels, size, size]);
    assert_shape!(scale, [batch_size, channels, scale_side * scale_side]);
    assert_shape!(shift, [batch_size, channels, shift_side * shift_side]);
    assert_shape!(scale_axis, [size, scale_side]);
    assert_shape!(shift_axis, [size, shift_side]);
    Tensor::from_dispatch(dispatch!(
        modulation_forward or reference::forward::<Dispatch>;
        x.into_dispatch(),
        scale.into_dispatch(),
        shift.into_dispatch(),
        scale_axis.into_dispatch(),
        shift_axis.into_dispatch(),
    ))
}
