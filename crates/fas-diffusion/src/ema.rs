//! Exponential moving average of a module's parameters.

use burn::config::Config;
use burn::module::{Module, ModuleMapper, ModuleVisitor, Param, ParamId};
use burn::tensor::Tensor;
use std::any::Any;
use std::collections::HashMap;

/// When and how slowly the average follows.
#[derive(Config, Debug, PartialEq)]
pub struct EmaConfig {
    /// Largest decay, in `[0, 1)`. Default: 0.9999 (DiffFAS)
    #[config(default = 0.9999)]
    pub decay: f64,
    /// Steps during which the average is a plain copy. Default: 5000 (DiffFAS)
    #[config(default = 5000)]
    pub copy_steps: usize,
    /// Whether the decay rises as `(1 + n) / (10 + n)` with the `n` steps after the copy, as in
    /// diffusers. Default: false
    #[config(default = false)]
    pub warm_up: bool,
}

impl EmaConfig {
    /// The decay after `step` updates, 0 for a copy.
    pub fn decay_at(&self, step: usize) -> f64 {
        if step < self.copy_steps {
            return 0.0;
        }
        let n = (step - self.copy_steps) as f64;
        if self.warm_up {
            self.decay.min((1.0 + n) / (10.0 + n))
        } else {
            self.decay
        }
    }

    /// Moves `average` towards `model`: `decay average + (1 - decay) model`, parameter by parameter.
    /// Running statistics of BatchNorm are parameters here, so they are averaged too.
    ///
    /// # Panics
    ///
    /// Panics if the two modules do not have the same parameters.
    pub fn update<M: Module>(&self, average: M, model: &M, step: usize) -> M {
        let decay = self.decay_at(step);
        let mut source = Source {
            path: Vec::new(),
            tensors: HashMap::new(),
        };
        model.visit(&mut source);
        average.map(&mut Average {
            path: Vec::new(),
            source: source.tensors,
            decay,
        })
    }
}

/// The parameters of the followed module by their path: the ids of two copies may differ.
struct Source {
    path: Vec<String>,
    tensors: HashMap<String, Box<dyn Any>>,
}

impl ModuleVisitor for Source {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.val();
        let tensor = if tensor.device().is_autodiff() {
            tensor.inner()
        } else {
            tensor
        };
        self.tensors.insert(self.path.join("."), Box::new(tensor));
    }
}

struct Average {
    path: Vec<String>,
    source: HashMap<String, Box<dyn Any>>,
    decay: f64,
}

impl ModuleMapper for Average {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let path = self.path.join(".");
        let model = self
            .source
            .remove(&path)
            .and_then(|tensor| tensor.downcast::<Tensor<D>>().ok())
            .unwrap_or_else(|| panic!("the averaged module has no parameter {path}"));
        let decay = self.decay;
        let id: ParamId = param.id;
        let average = param.val();
        let value = if decay == 0.0 {
            *model
        } else {
            average * decay + *model * (1.0 - decay)
        };
        Param::initialized(id, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::nn::LinearConfig;
    use burn::tensor::Device;

    fn constant(value: f32, device: &Device) -> burn::nn::Linear {
        let mut linear = LinearConfig::new(1, 1).with_bias(false).init(device);
        linear.weight = Param::from_data([[value]], device);
        linear
    }

    #[test]
    fn copies_then_averages() {
        let device = Device::default();
        let config = EmaConfig::new().with_decay(0.75).with_copy_steps(1);
        let average = config.update(constant(0.0, &device), &constant(4.0, &device), 0);
        let value: f32 = average.weight.val().into_scalar();
        assert_eq!(value, 4.0);
        let average = config.update(average, &constant(8.0, &device), 1);
        let value: f32 = average.weight.val().into_scalar();
        assert_eq!(value, 5.0);
    }

    #[test]
    fn warm_up_follows_diffusers() {
        let config = EmaConfig::new()
            .with_decay(0.999)
            .with_copy_steps(0)
            .with_warm_up(true);
        assert_eq!(config.decay_at(0), 0.1);
        assert_eq!(config.decay_at(90), 0.91);
        assert_eq!(config.decay_at(1_000_000), 0.999);
    }
}
