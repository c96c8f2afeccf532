//! Support of tests: networks whose every part does something.

use burn::module::{ModuleMapper, Param};
use burn::tensor::{Distribution, Tensor};

/// Small changes of every weight: what starts at zero would hide all that is before it.
pub(crate) struct Awake;

impl ModuleMapper for Awake {
    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        param.map(|tensor| {
            let change = tensor.random_like(Distribution::Normal(0.0, 0.02));
            tensor + change
        })
    }
}
