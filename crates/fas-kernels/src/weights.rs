//! Weights in the order in which convolutions read them.

use burn::backend::Dispatch;
use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::Tensor;

use crate::KernelOps;

/// `module` with the weights of its convolutions where the convolutions of the device look for them; no value
/// changes. On CubeCL runtimes that is channels last, and spares every call a copy of the weight; on other backends,
/// and under autodiff, the weights stay as they are. For networks that are used as they were loaded.
///
/// # Example
///
/// ```
/// # #[cfg(feature = "flex")]
/// # {
/// use burn::nn::conv::Conv2dConfig;
/// use burn::tensor::Device;
///
/// let layer = Conv2dConfig::new([3, 8], [3, 3]).init(&Device::flex());
/// let weight = layer.weight.val().into_data();
/// let layer = fas_kernels::lay_out_convolutions(layer);
/// assert_eq!(layer.weight.val().into_data(), weight);
/// # }
/// ```
pub fn lay_out_convolutions<M: Module>(module: M) -> M {
    module.map(&mut LayOut)
}

struct LayOut;

impl ModuleMapper for LayOut {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        if D != 4 {
            return param;
        }
        param.map(|weight| {
            Tensor::from_dispatch(Dispatch::convolution_weight(weight.into_dispatch()))
        })
    }
}
