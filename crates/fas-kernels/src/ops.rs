//! Operations this crate adds to a Burn backend.

use burn::backend::ops::{ConvOptions, ModuleOps};
use burn::backend::{Backend, backend_extension, tensor::FloatTensor};

use crate::conv2d;

/// Operations this crate adds to a backend, and their gradients.
///
/// Every default body is the reference made of Burn operations, so any backend can implement the
/// trait with an empty `impl`. Call the functions of the crate root, not these methods.
#[backend_extension(
    Flex: cfg(feature = "flex"),
    Cube: cfg(feature = "cubecl"),
    Fusion: cfg(feature = "fusion"),
    Autodiff,
)]
pub trait KernelOps: Backend {
    /// Convolution, see [`crate::conv2d()`]; a missing bias is zeros.
    #[allow(unused_variables)] // no backend feature, no caller
    #[fusion(default)]
    fn convolution(
        x: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        bias: FloatTensor<Self>,
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        <Self as ModuleOps<Self>>::conv2d(x, weight, Some(bias), options)
    }

    /// Gradient of the input, of shape `input_dims`, from the output's gradient.
    #[allow(unused_variables)]
    #[fusion(default)]
    fn convolution_input_gradient(
        gradient: FloatTensor<Self>,
        weight: FloatTensor<Self>,
        input_dims: [usize; 4],
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        conv2d::reference::input_gradient::<Self>(gradient, weight, input_dims, options)
    }

    /// Gradient of the weight, of shape `weight_dims`, from the output's gradient.
    #[allow(unused_variables)]
    #[fusion(default)]
    fn convolution_weight_gradient(
        x: FloatTensor<Self>,
        gradient: FloatTensor<Self>,
        weight_dims: [usize; 4],
        options: ConvOptions<2>,
    ) -> FloatTensor<Self> {
        conv2d::reference::weight_gradient::<Self>(x, gradient, weight_dims, options)
    }

    /// Gradient of the bias, `[channels_out]`, from the output's gradient.
    #[allow(unused_variables)]
    #[fusion(default)]
    fn convolution_bias_gradient(gradient: FloatTensor<Self>) -> FloatTensor<Self> {
        conv2d::reference::bias_gradient::<Self>(gradient)
    }
}
