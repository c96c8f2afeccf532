//! One parity case: a `.safetensors` file whose metadata key `fixture` describes it.
//!
//! Tensors are `in.*` (inputs), `out.*` (expected results) and `w.*` (weights, if stored inline),
//! row-major. Weights and inputs that are not stored follow the
//! [procedural fill](crate::procedural_weight).

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Element, Int, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};
use serde::Deserialize;

use crate::{FillKind, FixtureError, procedural_values};

/// One tensor of the reference network: name, shape and fill kind.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ParamSpec {
    /// Name in the reference implementation, without `fill_prefix`.
    pub name: String,
    /// Shape in the reference implementation; empty for a scalar.
    pub shape: Vec<usize>,
    /// Fill kind, or `inline`.
    pub kind: String,
    /// Exists in the released network but never influences its output.
    #[serde(default)]
    pub dead: bool,
}

/// How far an output may be from the reference: `|actual - expected| <= atol + rtol |expected|`.
#[derive(Debug, Clone, Copy, PartialEq, Deserialize)]
pub struct Tolerance {
    /// Absolute tolerance.
    pub atol: f64,
    /// Relative tolerance; only some float64 tables have one. Default: 0
    #[serde(default)]
    pub rtol: f64,
}

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Description {
    case: String,
    component: String,
    #[serde(default)]
    config: serde_json::Value,
    weights: String,
    #[serde(default)]
    fill_prefix: String,
    #[serde(default)]
    params: Vec<ParamSpec>,
    #[serde(default)]
    procedural_inputs: Vec<ParamSpec>,
    #[serde(default)]
    tolerance: BTreeMap<String, Tolerance>,
    #[serde(default)]
    source: String,
    #[serde(default)]
    notes: String,
}

/// One parity case, with everything it needs in memory except procedural values, which are
/// computed when asked for.
#[derive(Debug, Clone)]
pub struct Fixture {
    path: PathBuf,
    description: Description,
    tensors: BTreeMap<String, TensorData>,
    /// Weights of the file that `weights` names.
    weight_file: BTreeMap<String, TensorData>,
}

impl Fixture {
    /// Reads the case in `path`.
    ///
    /// # Errors
    ///
    /// If the file or the weight file it names cannot be read, is no case
    /// ([`FixtureError::NotACase`]), or its metadata and tensors contradict each other.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, FixtureError> {
        let path = path.as_ref();
        let (description, tensors) = read(path)?;
        let Some(text) = description else {
            return Err(FixtureError::NotACase { path: path.into() });
        };
        let description: Description =
            serde_json::from_str(&text).map_err(|source| FixtureError::Metadata {
                path: path.into(),
                source,
            })?;
        let weight_file = match description.weights.as_str() {
            "inline" | "procedural" | "none" => BTreeMap::new(),
            file => read(&path.with_file_name(file))?.1,
        };
        let fixture = Self {
            path: path.into(),
            description,
            tensors,
            weight_file,
        };
        fixture.validate()?;
        Ok(fixture)
    }

    /// Reads the case in `path` if it belongs to one of `components`; `None` for another component
    /// and for a safetensors file that is no case.
    pub(crate) fn open_if(path: &Path, components: &[&str]) -> Result<Option<Self>, FixtureError> {
        #[derive(Deserialize)]
        struct Component {
            component: String,
        }
        let bytes = read_bytes(path)?;
        let Some(text) = description_text(path, &bytes)? else {
            return Ok(None);
        };
        let found: Component =
            serde_json::from_str(&text).map_err(|source| FixtureError::Metadata {
                path: path.into(),
                source,
            })?;
        if components.contains(&found.component.as_str()) {
            Self::open(path).map(Some)
        } else {
            Ok(None)
        }
    }

    fn validate(&self) -> Result<(), FixtureError> {
        let d = &self.description;
        let inconsistent = |what: String| {
            Err(FixtureError::Inconsistent {
                case: d.case.clone(),
                what,
            })
        };
        if let Some(stray) = self
            .tensors
            .keys()
            .find(|name| !["in.", "out.", "w."].iter().any(|p| name.starts_with(p)))
        {
            return inconsistent(format!("tensor `{stray}` is neither in.*, out.* nor w.*"));
        }
        if let Some(name) = d
            .tolerance
            .keys()
            .find(|name| !self.tensors.contains_key(&format!("out.{name}")))
        {
            return inconsistent(format!("tolerance for `{name}`, which is no output"));
        }
        if let Some((name, t)) = d.tolerance.iter().find(|(_, t)| {
            !(t.atol >= 0.0 && t.atol.is_finite() && t.rtol >= 0.0 && t.rtol.is_finite())
        }) {
            return inconsistent(format!("tolerance of `{name}` is {t:?}"));
        }
        let mut names = BTreeSet::new();
        for spec in d.params.iter().chain(&d.procedural_inputs) {
            if !names.insert(&spec.name) {
                return inconsistent(format!("`{}` is listed twice", spec.name));
            }
            if spec.kind != "inline" {
                spec.kind.parse::<FillKind>()?;
            }
        }
        for spec in &d.params {
            let stored = match d.weights.as_str() {
                "procedural" | "none" => continue,
                "inline" => self.tensors.get(&format!("w.{}", spec.name)),
                _ => self.weight_file.get(&spec.name),
            };
            match stored {
                Some(data) if data.shape()[..] == spec.shape[..] => {}
                Some(data) => {
                    return inconsistent(format!(
                        "weight `{}` has shape {:?} but is listed as {:?}",
                        spec.name,
                        data.shape().as_slice(),
                        spec.shape
                    ));
                }
                None => return inconsistent(format!("weight `{}` is not stored", spec.name)),
            }
        }
        Ok(())
    }

    /// File this case was read from.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Case name.
    pub fn case(&self) -> &str {
        &self.description.case
    }

    /// Component the case belongs to.
    pub fn component(&self) -> &str {
        &self.description.component
    }

    /// What the numbers come from.
    pub fn source(&self) -> &str {
        &self.description.source
    }

    /// Conventions of this case, in prose.
    pub fn notes(&self) -> &str {
        &self.description.notes
    }

    /// The whole `config` object.
    pub fn config(&self) -> &serde_json::Value {
        &self.description.config
    }

    /// Configuration value `key`, as any deserializable type: `case.get::<usize>("classes")?`.
    ///
    /// # Errors
    ///
    /// [`FixtureError::Config`] if absent or of another type.
    pub fn get<T: serde::de::DeserializeOwned>(&self, key: &str) -> Result<T, FixtureError> {
        let value = self.description.config.get(key);
        value
            .and_then(|v| T::deserialize(v).ok())
            .ok_or_else(|| FixtureError::Config {
                case: self.case().to_owned(),
                key: key.to_owned(),
                found: value.map_or("absent".to_owned(), ToString::to_string),
                expected: std::any::type_name::<T>(),
            })
    }

    /// Every parameter of the reference network.
    pub fn params(&self) -> &[ParamSpec] {
        &self.description.params
    }

    /// Names of the inputs, stored or procedural, without `in.`.
    pub fn input_names(&self) -> Vec<&str> {
        let procedural = self
            .description
            .procedural_inputs
            .iter()
            .map(|s| s.name.as_str());
        self.tensors
            .keys()
            .map(String::as_str)
            .chain(procedural)
            .filter_map(|name| name.strip_prefix("in."))
            .collect()
    }

    /// Names of the expected results, without `out.`.
    pub fn output_names(&self) -> Vec<&str> {
        self.tensors
            .keys()
            .filter_map(|name| name.strip_prefix("out."))
            .collect()
    }

    /// Tolerance of the output `name` (without `out.`), if the case states one.
    pub fn tolerance(&self, name: &str) -> Option<Tolerance> {
        self.description.tolerance.get(name).copied()
    }

    /// Input `name` (without `in.`), stored or procedural.
    ///
    /// # Errors
    ///
    /// [`FixtureError::UnknownTensor`] if there is none.
    pub fn input(&self, name: &str) -> Result<TensorData, FixtureError> {
        let full = format!("in.{name}");
        if let Some(data) = self.tensors.get(&full) {
            return Ok(data.clone());
        }
        match self
            .description
            .procedural_inputs
            .iter()
            .find(|spec| spec.name == full)
        {
            Some(spec) => self.procedural(spec),
            None => Err(self.unknown(full, self.input_names().join(", "))),
        }
    }

    /// Expected result `name` (without `out.`).
    ///
    /// # Errors
    ///
    /// [`FixtureError::UnknownTensor`] if there is none.
    pub fn output(&self, name: &str) -> Result<&TensorData, FixtureError> {
        let full = format!("out.{name}");
        self.tensors
            .get(&full)
            .ok_or_else(|| self.unknown(full, self.output_names().join(", ")))
    }

    /// Weight with the reference name `name`: stored inline, computed, or from the weight file.
    ///
    /// # Errors
    ///
    /// [`FixtureError::UnknownTensor`] if there is none.
    pub fn weight(&self, name: &str) -> Result<TensorData, FixtureError> {
        let found = match self.description.weights.as_str() {
            "none" => None,
            "inline" => self.tensors.get(&format!("w.{name}")).cloned(),
            "procedural" => match self.params().iter().find(|spec| spec.name == name) {
                Some(spec) => Some(self.procedural(spec)?),
                None => None,
            },
            _ => self.weight_file.get(name).cloned(),
        };
        found.ok_or_else(|| self.unknown(name.to_owned(), self.weight_names().join(", ")))
    }

    /// Reference names of all weights: `params`, and for a case with a weight file everything in it.
    pub fn weight_names(&self) -> Vec<&str> {
        if self.weight_file.is_empty() {
            self.params()
                .iter()
                .map(|spec| spec.name.as_str())
                .collect()
        } else {
            self.weight_file.keys().map(String::as_str).collect()
        }
    }

    /// Every weight with its values, in the order of `params` (alphabetical for a weight file).
    pub fn weights(&self) -> impl Iterator<Item = Result<(&str, TensorData), FixtureError>> {
        self.weight_names()
            .into_iter()
            .map(|name| Ok((name, self.weight(name)?)))
    }

    /// Input `name` as a float tensor of rank `D` and element type f32.
    ///
    /// # Errors
    ///
    /// If there is no such input or its rank is not `D`.
    pub fn input_tensor<const D: usize>(
        &self,
        name: &str,
        device: &Device,
    ) -> Result<Tensor<D>, FixtureError> {
        let data = self.ranked::<D>(name, self.input(name)?)?;
        Ok(Tensor::from_data(cast::<f32>(&data), device))
    }

    /// Input `name` as an integer tensor of rank `D`.
    ///
    /// # Errors
    ///
    /// If there is no such input or its rank is not `D`.
    pub fn input_int_tensor<const D: usize>(
        &self,
        name: &str,
        device: &Device,
    ) -> Result<Tensor<D, Int>, FixtureError> {
        let data = self.ranked::<D>(name, self.input(name)?)?;
        Ok(Tensor::from_data(cast::<i64>(&data), device))
    }

    fn ranked<const D: usize>(
        &self,
        name: &str,
        data: TensorData,
    ) -> Result<TensorData, FixtureError> {
        if data.shape().len() == D {
            Ok(data)
        } else {
            Err(FixtureError::Shape {
                case: self.case().to_owned(),
                name: format!("in.{name}"),
                found: data.shape().to_vec(),
                expected: format!("rank {D}"),
            })
        }
    }

    fn procedural(&self, spec: &ParamSpec) -> Result<TensorData, FixtureError> {
        let kind: FillKind = spec.kind.parse()?;
        let full_name = format!("{}{}", self.description.fill_prefix, spec.name);
        let values = procedural_values(&full_name, &spec.shape, kind);
        Ok(TensorData::new(values, spec.shape.clone()))
    }

    fn unknown(&self, name: String, available: String) -> FixtureError {
        FixtureError::UnknownTensor {
            case: self.case().to_owned(),
            name,
            available,
        }
    }
}

fn cast<E: Element>(data: &TensorData) -> TensorData {
    TensorData::new(data.iter::<E>().collect(), data.shape().clone())
}

type Tensors = BTreeMap<String, TensorData>;

fn read_bytes(path: &Path) -> Result<Vec<u8>, FixtureError> {
    std::fs::read(path).map_err(|source| FixtureError::Read {
        path: path.into(),
        source,
    })
}

/// The metadata value `fixture`, if the file has one.
fn description_text(path: &Path, bytes: &[u8]) -> Result<Option<String>, FixtureError> {
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|source| FixtureError::Safetensors {
            path: path.into(),
            source,
        })?;
    Ok(metadata
        .metadata()
        .as_ref()
        .and_then(|m| m.get("fixture").cloned()))
}

fn read(path: &Path) -> Result<(Option<String>, Tensors), FixtureError> {
    let bytes = read_bytes(path)?;
    let description = description_text(path, &bytes)?;
    let file = SafeTensors::deserialize(&bytes).map_err(|source| FixtureError::Safetensors {
        path: path.into(),
        source,
    })?;
    let mut tensors = Tensors::new();
    for (name, view) in file.tensors() {
        let shape = view.shape().to_vec();
        let bytes = view.data();
        let data = match view.dtype() {
            Dtype::F64 => TensorData::new(little_endian(bytes, f64::from_le_bytes), shape),
            Dtype::F32 => TensorData::new(little_endian(bytes, f32::from_le_bytes), shape),
            Dtype::I64 => TensorData::new(little_endian(bytes, i64::from_le_bytes), shape),
            Dtype::I32 => TensorData::new(little_endian(bytes, i32::from_le_bytes), shape),
            Dtype::U8 => TensorData::new(bytes.to_vec(), shape),
            Dtype::BOOL => TensorData::new(bytes.iter().map(|&b| b != 0).collect(), shape),
            other => {
                return Err(FixtureError::ElementType {
                    path: path.into(),
                    name,
                    dtype: format!("{other:?}"),
                });
            }
        };
        tensors.insert(name, data);
    }
    Ok((description, tensors))
}

fn little_endian<const N: usize, T>(bytes: &[u8], convert: fn([u8; N]) -> T) -> Vec<T> {
    bytes
        .as_chunks::<N>()
        .0
        .iter()
        .map(|&chunk| convert(chunk))
        .collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Tree;
    use crate::test_case::write_case;

    const X: (&str, &[usize], &[f32]) = ("in.x", &[2], &[1.0, 2.0]);
    const Y: (&str, &[usize], &[f32]) = ("out.y", &[2], &[2.0, 4.0]);

    #[test]
    fn reads_what_the_file_says() {
        let tree = Tree::new([]).unwrap();
        let w: (&str, &[usize], &[f32]) = ("w.a.weight", &[1, 2], &[5.0, 6.0]);
        let path = write_case(&tree, ".", "c", &[X, Y, w], |d| {
            d["weights"] = json!("inline");
            d["params"] = json!([{"name": "a.weight", "shape": [1, 2], "kind": "inline"}]);
        });
        let case = Fixture::open(path).unwrap();
        assert_eq!((case.case(), case.component()), ("c", "demo"));
        assert_eq!(case.get::<usize>("classes").unwrap(), 3);
        assert_eq!(case.get::<String>("mode").unwrap(), "var");
        assert_eq!(case.input_names(), ["x"]);
        assert_eq!(case.output_names(), ["y"]);
        assert_eq!(
            case.tolerance("y"),
            Some(Tolerance {
                atol: 0.01,
                rtol: 0.0
            })
        );
        assert_eq!(
            case.output("y").unwrap().as_slice::<f32>().unwrap(),
            [2.0, 4.0]
        );
        assert_eq!(
            case.weight("a.weight").unwrap(),
            TensorData::new(vec![5.0_f32, 6.0], [1, 2])
        );
        let x = case.input_tensor::<1>("x", &Device::default()).unwrap();
        assert_eq!(x.into_data(), TensorData::new(vec![1.0_f32, 2.0], [2]));

        let error = case.get::<usize>("mode").unwrap_err().to_string();
        assert_eq!(
            error,
            "case c: configuration value `mode` is \"var\", expected usize"
        );
        let error = case
            .input_tensor::<2>("x", &Device::default())
            .unwrap_err()
            .to_string();
        assert_eq!(
            error,
            "case c: tensor `in.x` has shape [2], expected rank 2"
        );
        let error = case.output("z").unwrap_err().to_string();
        assert_eq!(error, "case c has no tensor `out.z`; it has: y");
    }

    #[test]
    fn procedural_values_use_the_prefix() {
        let tree = Tree::new([]).unwrap();
        let path = write_case(&tree, ".", "c", &[Y], |d| {
            d["weights"] = json!("procedural");
            d["fill_prefix"] = json!("p1/");
            d["params"] = json!([{"name": "encoder.conv_in.bias", "shape": [32], "kind": "bias"}]);
            d["procedural_inputs"] = json!([{"name": "in.x_t", "shape": [1, 3], "kind": "input"}]);
        });
        let case = Fixture::open(path).unwrap();
        // the worked example `p1/encoder.conv_in.bias` of the fixture format
        let bias = case.weight("encoder.conv_in.bias").unwrap();
        assert_eq!(bias.as_slice::<f32>().unwrap()[31].to_bits(), 0x3da5_dbe6);
        let input = case.input("x_t").unwrap();
        let expected = procedural_values("p1/in.x_t", &[1, 3], FillKind::Input);
        assert_eq!(input, TensorData::new(expected, [1, 3]));
        assert_eq!(case.weights().count(), 1);
    }

    #[test]
    fn weights_come_from_the_named_file() {
        let tree = Tree::new([]).unwrap();
        write_case(&tree, ".", "weights", &[("w.k", &[1], &[9.0])], |_| {});
        let path = write_case(&tree, ".", "c", &[Y], |d| {
            d["weights"] = json!("weights.safetensors");
        });
        let case = Fixture::open(path).unwrap();
        assert_eq!(case.weight_names(), ["w.k"]);
        assert_eq!(
            case.weight("w.k").unwrap(),
            TensorData::new(vec![9.0_f32], [1])
        );
    }

    #[test]
    fn contradictions_are_refused() {
        let refuse = |tensors: &[(&str, &[usize], &[f32])], key: &str, value: Value| {
            let tree = Tree::new([]).unwrap();
            let path = write_case(&tree, ".", "c", tensors, |d| d[key] = value);
            Fixture::open(path).unwrap_err().to_string()
        };
        use serde_json::Value;
        assert_eq!(
            refuse(&[Y, ("extra", &[1], &[0.0])], "notes", json!("")),
            "case c: tensor `extra` is neither in.*, out.* nor w.*"
        );
        assert_eq!(
            refuse(&[Y], "tolerance", json!({"z": {"atol": 1.0}})),
            "case c: tolerance for `z`, which is no output"
        );
        let params = json!([{"name": "a", "shape": [1], "kind": "wieght"}]);
        assert_eq!(refuse(&[Y], "params", params), "unknown fill kind `wieght`");
        assert!(refuse(&[Y], "typo", json!(1)).contains("unknown field `typo`"));
    }

    #[test]
    fn files_that_are_no_case_are_refused() {
        let tree = Tree::with_contents(["junk.safetensors"], |_| b"junk".to_vec()).unwrap();
        let error = Fixture::open(tree.join("junk.safetensors")).unwrap_err();
        assert!(matches!(error, FixtureError::Safetensors { .. }), "{error}");
        let error = Fixture::open(tree.join("absent.safetensors")).unwrap_err();
        assert!(matches!(error, FixtureError::Read { .. }), "{error}");
    }
}
