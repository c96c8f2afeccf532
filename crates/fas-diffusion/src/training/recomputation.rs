//! A network whose backward pass computes cheap activations again instead of keeping them.
//!
//! In Burn that is a property of every tensor, the constants of a module included, and is given to what
//! is created on a device; so the network is made anew on such a device and takes over the weights.

use std::any::Any;
use std::collections::HashMap;

use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::{Device, Tensor};

use crate::{UNet, UNetConfig};

/// `unet` on `device`, an autodiff device with gradient checkpointing, under the same parameter ids.
pub(super) fn on_device(unet: UNet, config: &UNetConfig, device: &Device) -> UNet {
    let mut weights = Weights {
        path: Vec::new(),
        tensors: HashMap::new(),
    };
    unet.visit(&mut weights);
    config.init(device).map(&mut weights)
}

/// `tensor` as a constant among those of `device`.
pub(super) fn lift<const D: usize>(tensor: Tensor<D>, device: &Device) -> Tensor<D> {
    let strategy = device
        .gradient_checkpointing_strategy()
        .expect("an autodiff device");
    Tensor::from_inner(tensor).with_gradient_checkpointing_strategy(strategy)
}

/// Parameters by their path.
struct Weights {
    path: Vec<String>,
    tensors: HashMap<String, (ParamId, Box<dyn Any>)>,
}

impl ModuleVisitor for Weights {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val().without_autodiff();
        self.tensors
            .insert(self.path.join("."), (param.id, Box::new(tensor)));
    }
}

impl ModuleMapper for Weights {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        let (id, tensor) = self
            .tensors
            .remove(&path)
            .expect("both networks are of one configuration");
        let tensor = tensor
            .downcast::<Tensor<D>>()
            .expect("both networks are of one configuration");
        let place = param.val();
        let value = lift(*tensor, &place.device());
        // Running statistics are parameters too, but do not learn.
        let value = if place.is_require_grad() {
            value.require_grad()
        } else {
            value
        };
        Param::initialized(id, value)
    }
}
