//! Linear layer.

pub(crate) mod autodiff;
#[cfg(feature = "flex")]
pub(crate) mod flex;

use burn::backend::Dispatch;
use burn::backend::ops::ModuleOps;
use burn::tensor::Tensor;

use crate::compositions::dispatch;

/// `x weight + bias`, a linear layer of many rows such as those of a transformer: a drop-in for
/// [`burn::tensor::module::linear`]. On Flex all threads multiply, the bias is added to sums that are still in the
/// cache, and a row's bits do not depend on the others.
///
/// # Shapes
///
/// - x: `[..., d_input]`
/// - weight: `[d_input, d_output]`
/// - bias: `[d_output]`
/// - output: `[..., d_output]`
///
/// # Panics
///
/// If the shapes do not fit each other.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "flex")]
/// # {
/// use burn::tensor::{Device, Tensor};
///
/// let device = Device::flex();
/// let x = Tensor::<2>::from_data([[1.0, 2.0]], &device);
/// let weight = Tensor::<2>::from_data([[1.0], [10.0]], &device);
/// let bias = Tensor::<1>::from_data([100.0], &device);
/// let y = fas_kernels::linear(x, weight, Some(bias));
/// assert_eq!(y.into_data().try_to_vec::<f32>().unwrap(), [121.0]);
/// # }
/// ```
pub fn linear<const D: usize>(
    x: Tensor<D>,
    weight: Tensor<2>,
    bias: Option<Tensor<1>>,
) -> Tensor<D> {
    let (mut dims, [from, to]) = (x.dims(), weight.dims());
    let fits = bias.as_ref().is_none_or(|bias| bias.dims() == [to]);
    assert!(
        dims[D - 1] == from && fits,
        "linear: input {dims:?}, weight [{from}, {to}] and bias {:?} do not fit each other",
        bias.map(|bias| bias.dims())
    );
    let bias = bias.unwrap_or_else(|| Tensor::zeros([to], (&weight.device(), weight.dtype())));
    let rows = dims[..D - 1].iter().product();
    let x: Tensor<2> = x.reshape([rows, from]);
    let composition =
        |x, weight, bias| <Dispatch as ModuleOps<Dispatch>>::linear(x, weight, Some(bias));
    let output = dispatch!(
        linear_layer or composition;
        x.into_dispatch(),
        weight.into_dispatch(),
        bias.into_dispatch(),
    );
    dims[D - 1] = to;
    Tensor::<2>::from_dispatch(output).reshape(dims)
}
