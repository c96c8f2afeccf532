//! Filling a Burn module from reference weights, by name and strictly.

use std::collections::BTreeSet;
use std::ops::Range;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Bool, Int, Tensor, TensorData};

use crate::{Fixture, FixtureError};

/// A float parameter of the module that is being filled.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ParamSite {
    /// Field names from the module's root, joined with dots: `layer1.0.bn1.gamma`.
    pub path: String,
    /// Type that owns the parameter: `Linear`, `BatchNorm`, `Conv2d`, or a type of your own.
    pub owner: String,
    /// Shape the parameter has.
    pub shape: Vec<usize>,
}

impl ParamSite {
    /// The source under PyTorch's conventions, for a module whose fields are named as in the
    /// reference: `gamma` and `beta` of a norm become `weight` and `bias`, and the weight of a
    /// `Linear` is transposed from `[out, in]`.
    pub fn torch(&self) -> WeightSource {
        let (module, field) = self.path.rsplit_once('.').unwrap_or(("", &self.path));
        let field = match field {
            "gamma" => "weight",
            "beta" => "bias",
            other => other,
        };
        let name = if module.is_empty() {
            field.to_owned()
        } else {
            format!("{module}.{field}")
        };
        let source = WeightSource::new(name);
        if self.owner == "Linear" && field == "weight" {
            source.transposed()
        } else {
            source
        }
    }
}

/// Where a parameter's values come from, and how the reference tensor is edited on the way: first
/// [`rows`](Self::rows), then [`squeezed`](Self::squeezed), then [`transposed`](Self::transposed).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WeightSource {
    name: String,
    rows: Option<Range<usize>>,
    squeeze: bool,
    transpose: bool,
}

impl WeightSource {
    /// The reference tensor `name`, unchanged.
    pub fn new(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            rows: None,
            squeeze: false,
            transpose: false,
        }
    }

    /// Reference name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Changes the reference name, for example by a prefix.
    pub fn renamed(mut self, rename: impl FnOnce(&str) -> String) -> Self {
        self.name = rename(&self.name);
        self
    }

    /// Takes only these entries of the first dimension, such as the query third of a joint
    /// query-key-value projection.
    pub fn rows(mut self, rows: Range<usize>) -> Self {
        self.rows = Some(rows);
        self
    }

    /// Drops trailing dimensions of length 1, so that the weight `[out, in, 1, 1]` of a 1x1
    /// convolution becomes `[out, in]`.
    pub fn squeezed(mut self) -> Self {
        self.squeeze = true;
        self
    }

    /// Transposes a matrix: reference `[out, in]`, Burn's `Linear` `[in, out]`.
    pub fn transposed(mut self) -> Self {
        self.transpose = true;
        self
    }

    /// Applies the edits; `Err` says why they do not apply.
    fn edit(&self, data: &TensorData) -> Result<TensorData, String> {
        let mut values: Vec<f32> = data.iter::<f32>().collect();
        let mut shape = data.shape().to_vec();
        if let Some(rows) = &self.rows {
            if shape.is_empty() || rows.start > rows.end || rows.end > shape[0] {
                return Err(format!("rows {rows:?} of {shape:?}"));
            }
            let row = shape[1..].iter().product::<usize>();
            values = values[rows.start * row..rows.end * row].to_vec();
            shape[0] = rows.len();
        }
        if self.squeeze {
            while shape.len() > 1 && shape.last() == Some(&1) {
                shape.pop();
            }
        }
        if self.transpose {
            let &[rows, columns] = shape.as_slice() else {
                return Err(format!("transpose of {shape:?}"));
            };
            values = (0..columns)
                .flat_map(|c| (0..rows).map(move |r| (r, c)))
                .map(|(r, c)| values[r * columns + c])
                .collect();
            shape = vec![columns, rows];
        }
        Ok(TensorData::new(values, shape))
    }
}

/// Fills every float parameter of `module`, running statistics included, from the weights of
/// `fixture`.
///
/// `source` says where each parameter comes from; [`ParamSite::torch`] is right for a module whose
/// fields are named as in the reference. Parameters keep their ids, devices and gradient settings.
///
/// # Errors
///
/// [`FixtureError::Weights`], with all of them listed, if a parameter has no source or a source that
/// does not exist, if shapes differ, or if a reference weight is left over. Weights of kind `counter`
/// and those marked dead may be left over. Integer and boolean parameters count as without source.
pub fn load_weights<M: Module>(
    fixture: &Fixture,
    module: M,
    source: impl FnMut(&ParamSite) -> Option<WeightSource>,
) -> Result<M, FixtureError> {
    let mut filler = Filler {
        fixture,
        source,
        path: Vec::new(),
        owners: Vec::new(),
        used: BTreeSet::new(),
        missing: Vec::new(),
        misshaped: Vec::new(),
    };
    let module = module.map(&mut filler);
    let optional = |name: &str| {
        fixture
            .params()
            .iter()
            .any(|spec| spec.name == name && (spec.dead || spec.kind == "counter"))
    };
    let unused: Vec<String> = fixture
        .weight_names()
        .into_iter()
        .filter(|name| !filler.used.contains(*name) && !optional(name))
        .map(str::to_owned)
        .collect();
    if filler.missing.is_empty() && unused.is_empty() && filler.misshaped.is_empty() {
        Ok(module)
    } else {
        Err(FixtureError::Weights {
            case: fixture.case().to_owned(),
            missing: filler.missing,
            unused,
            misshaped: filler.misshaped,
        })
    }
}

struct Filler<'a, F> {
    fixture: &'a Fixture,
    source: F,
    path: Vec<String>,
    owners: Vec<String>,
    used: BTreeSet<String>,
    missing: Vec<String>,
    misshaped: Vec<String>,
}

impl<F: FnMut(&ParamSite) -> Option<WeightSource>> Filler<'_, F> {
    /// Values for the parameter at the current path, or `None` after noting why there are none.
    fn values(&mut self, shape: &[usize]) -> Option<TensorData> {
        let owner = self.owners.last().map_or("", String::as_str);
        let site = ParamSite {
            path: self.path.join("."),
            owner: owner.strip_prefix("Struct:").unwrap_or(owner).to_owned(),
            shape: shape.to_vec(),
        };
        let Some(source) = (self.source)(&site) else {
            self.missing.push(site.path);
            return None;
        };
        let Ok(data) = self.fixture.weight(&source.name) else {
            self.missing
                .push(format!("{} <- {}", site.path, source.name));
            return None;
        };
        self.used.insert(source.name.clone());
        match source.edit(&data) {
            Ok(edited) if edited.shape()[..] == *shape => Some(edited),
            Ok(edited) => {
                self.misshaped.push(format!(
                    "{} {shape:?} <- {} {:?}",
                    site.path,
                    source.name,
                    edited.shape().as_slice()
                ));
                None
            }
            Err(why) => {
                self.misshaped
                    .push(format!("{} <- {}: {why}", site.path, source.name));
                None
            }
        }
    }
}

impl<F: FnMut(&ParamSite) -> Option<WeightSource>> ModuleMapper for Filler<'_, F> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.path.push(name.to_owned());
        self.owners.push(container_type.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
        self.owners.pop();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let Some(data) = self.values(&param.lazy_shape()) else {
            return param;
        };
        let id = param.id;
        let tensor = Tensor::from_data(data, &param.lazy_device());
        param.transform_for_load(tensor, id)
    }

    fn map_int<const D: usize>(&mut self, param: Param<Tensor<D, Int>>) -> Param<Tensor<D, Int>> {
        self.missing
            .push(format!("{} (integer)", self.path.join(".")));
        param
    }

    fn map_bool<const D: usize>(
        &mut self,
        param: Param<Tensor<D, Bool>>,
    ) -> Param<Tensor<D, Bool>> {
        self.missing
            .push(format!("{} (boolean)", self.path.join(".")));
        param
    }
}

#[cfg(test)]
mod tests {
    use burn::nn::{BatchNorm, BatchNormConfig, Linear, LinearConfig};
    use burn::tensor::Device;
    use serde_json::{Value, json};

    use super::*;
    use crate::Tree;
    use crate::test_case::write_case;

    #[derive(Module, Debug)]
    struct Net {
        fc: Linear,
        bn: BatchNorm,
    }

    fn net() -> Net {
        let device = Device::default();
        Net {
            fc: LinearConfig::new(2, 3).init(&device),
            bn: BatchNormConfig::new(1).init(&device),
        }
    }

    /// `fc.weight [3, 2] = [[1, 2], [3, 4], [5, 6]]`, then what BatchNorm has.
    fn case(edit: impl FnOnce(&mut Value)) -> Fixture {
        let tensors: [(&str, &[usize], &[f32]); 7] = [
            ("out.y", &[1], &[0.0]),
            ("w.fc.weight", &[3, 2], &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0]),
            ("w.fc.bias", &[3], &[7.0, 8.0, 9.0]),
            ("w.bn.weight", &[1], &[1.5]),
            ("w.bn.bias", &[1], &[2.5]),
            ("w.bn.running_mean", &[1], &[3.5]),
            ("w.bn.running_var", &[1], &[4.5]),
        ];
        let tree = Tree::new([]).unwrap();
        let path = write_case(&tree, ".", "c", &tensors, |d| {
            d["weights"] = json!("inline");
            let params: Vec<Value> = tensors[1..]
                .iter()
                .map(
                    |(name, shape, _)| json!({"name": name[2..], "shape": shape, "kind": "inline"}),
                )
                .collect();
            d["params"] = json!(params);
            edit(d);
        });
        Fixture::open(path).unwrap()
    }

    #[test]
    fn torch_names_fill_every_parameter_and_statistic() {
        let net = load_weights(&case(|_| {}), net(), |site| Some(site.torch())).unwrap();
        let values = |t: Tensor<1>| t.into_data().iter::<f32>().collect::<Vec<_>>();
        // [out, in] = [[1, 2], [3, 4], [5, 6]] as [in, out]
        assert_eq!(
            values(net.fc.weight.val().flatten(0, 1)),
            [1.0, 3.0, 5.0, 2.0, 4.0, 6.0]
        );
        assert_eq!(values(net.fc.bias.unwrap().val()), [7.0, 8.0, 9.0]);
        assert_eq!(values(net.bn.gamma.val()), [1.5]);
        assert_eq!(values(net.bn.beta.val()), [2.5]);
        assert_eq!(values(net.bn.running_mean.value()), [3.5]);
        assert_eq!(values(net.bn.running_var.value()), [4.5]);
    }

    #[test]
    fn every_mismatch_is_listed() {
        let error = load_weights(&case(|_| {}), net(), |site| match site.path.as_str() {
            "fc.weight" => Some(WeightSource::new("fc.weight")),
            "bn.beta" => None,
            "bn.gamma" => Some(WeightSource::new("bn.gamma")),
            _ => Some(site.torch()),
        });
        let FixtureError::Weights {
            missing,
            unused,
            misshaped,
            ..
        } = error.unwrap_err()
        else {
            panic!("expected a weight mismatch");
        };
        assert_eq!(missing, ["bn.gamma <- bn.gamma", "bn.beta"]);
        assert_eq!(unused, ["bn.weight", "bn.bias"]);
        assert_eq!(misshaped, ["fc.weight [2, 3] <- fc.weight [3, 2]"]);
    }

    #[test]
    fn dead_weights_and_counters_may_be_left_over() {
        let case = case(|d| {
            let params = d["params"].as_array_mut().unwrap();
            params[1]["dead"] = json!(true);
        });
        let fc = LinearConfig::new(2, 3)
            .with_bias(false)
            .init(&Device::default());
        let net = Net { fc, bn: net().bn };
        assert!(load_weights(&case, net, |site| Some(site.torch())).is_ok());
    }

    #[test]
    fn edits_apply_in_order() {
        let data = TensorData::new((0..8).map(|v| v as f32).collect(), [4, 2, 1, 1]);
        let source = WeightSource::new("qkv").rows(1..3).squeezed().transposed();
        let edited = source.edit(&data).unwrap();
        assert_eq!(
            edited,
            TensorData::new(vec![2.0_f32, 4.0, 3.0, 5.0], [2, 2])
        );
        assert_eq!(
            WeightSource::new("x").rows(3..5).edit(&data).unwrap_err(),
            "rows 3..5 of [4, 2, 1, 1]"
        );
        assert_eq!(
            WeightSource::new("x").transposed().edit(&data).unwrap_err(),
            "transpose of [4, 2, 1, 1]"
        );
    }
}
