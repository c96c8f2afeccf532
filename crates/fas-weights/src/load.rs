//! From a file to a module.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Tensor, TensorData};
use half::{bf16, f16};
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};

use crate::{ForeignTensor, ParamSite, WeightsError, pytorch};

/// The content of a weight file, widened to f32.
#[derive(Debug, Clone, Default)]
pub struct Weights {
    /// Shape and values of each tensor.
    pub tensors: BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    /// Free text of the header.
    pub metadata: HashMap<String, String>,
}

/// Reads a safetensors file.
///
/// # Errors
///
/// [`WeightsError::Io`], [`WeightsError::Format`], or [`WeightsError::DType`] for integers.
pub fn read_weights(path: &Path) -> Result<Weights, WeightsError> {
    let bytes = std::fs::read(path).map_err(|source| WeightsError::Io {
        path: path.to_owned(),
        source,
    })?;
    Weights::from_bytes(&bytes, path)
}

/// Reads a safetensors file, or a PyTorch checkpoint as [`read_pytorch`](crate::read_pytorch) does; their
/// first bytes tell them apart. `key` names the weights in a checkpoint that holds more; a safetensors file
/// holds nothing else.
///
/// # Errors
///
/// As [`read_weights`] and [`read_pytorch`](crate::read_pytorch).
pub fn read_checkpoint(path: &Path, key: Option<&str>) -> Result<Weights, WeightsError> {
    let bytes = std::fs::read(path).map_err(|source| WeightsError::Io {
        path: path.to_owned(),
        source,
    })?;
    // After the length of its header, a safetensors file has the header: a JSON object. There a zip file
    // has its compression and the magic number of a legacy checkpoint its last byte.
    match bytes.get(8) {
        Some(b'{') => Weights::from_bytes(&bytes, path),
        _ => pytorch::from_bytes(&bytes, key, path),
    }
}

impl Weights {
    /// Reads a safetensors file from memory; `path` is for messages. PyTorch's counters of batches,
    /// `num_batches_tracked`, are integers without use here and are left out.
    ///
    /// # Errors
    ///
    /// As [`read_weights`].
    pub fn from_bytes(bytes: &[u8], path: &Path) -> Result<Self, WeightsError> {
        let format = |source| WeightsError::Format {
            path: path.to_owned(),
            source,
        };
        let (_, header) = SafeTensors::read_metadata(bytes).map_err(format)?;
        let file = SafeTensors::deserialize(bytes).map_err(format)?;
        let mut tensors = BTreeMap::new();
        for (name, view) in file.tensors() {
            if is_counter(&name) {
                continue;
            }
            let values = widen(&view).ok_or_else(|| WeightsError::DType {
                path: path.to_owned(),
                tensor: name.clone(),
                dtype: format!("{:?}", view.dtype()),
            })?;
            tensors.insert(name, (view.shape().to_vec(), values));
        }
        Ok(Self {
            tensors,
            metadata: header.metadata().clone().unwrap_or_default(),
        })
    }

    /// Puts the tensors into `module`, whose parameters keep their ids and devices.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Mismatch`] with all that is missing, unused or misshaped.
    pub fn apply<M: Module>(self, module: M, path: &Path) -> Result<M, WeightsError> {
        self.apply_renamed(module, path, str::to_owned)
    }

    /// [`apply`](Self::apply) for a file with other names: `name_of` turns a parameter's path, such as
    /// `conv1.bn.gamma`, into its name in the file.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Mismatch`], with the names of the file.
    pub fn apply_renamed<M: Module>(
        self,
        module: M,
        path: &Path,
        name_of: impl Fn(&str) -> String,
    ) -> Result<M, WeightsError> {
        let tensor = |site: &ParamSite| Some(ForeignTensor::new(name_of(&site.path)));
        self.apply_foreign(module, path, tensor, |_| false)
    }

    /// [`apply`](Self::apply) for a file of another implementation: `tensor` is its key map, and gives
    /// nothing for a parameter that it does not have; tensors that are `spare` may be left over.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Mismatch`], with the names of the file, or ours where it has none.
    pub fn apply_foreign<M: Module>(
        self,
        module: M,
        path: &Path,
        tensor: impl Fn(&ParamSite) -> Option<ForeignTensor>,
        spare: impl Fn(&str) -> bool,
    ) -> Result<M, WeightsError> {
        let mut applier = Applier {
            place: Place::default(),
            key_map: tensor,
            tensors: &self.tensors,
            used: BTreeSet::new(),
            missing: Vec::new(),
            misshaped: Vec::new(),
        };
        let module = module.map(&mut applier);
        let unused: Vec<String> = self
            .tensors
            .keys()
            .filter(|name| !applier.used.contains(*name) && !spare(name))
            .cloned()
            .collect();
        if applier.missing.is_empty() && unused.is_empty() && applier.misshaped.is_empty() {
            return Ok(module);
        }
        Err(WeightsError::Mismatch {
            path: path.to_owned(),
            missing: applier.missing,
            unused,
            misshaped: applier.misshaped,
        })
    }
}

/// How many batches a BatchNorm of PyTorch has seen.
fn is_counter(name: &str) -> bool {
    name.rsplit('.').next() == Some("num_batches_tracked")
}

fn widen(view: &TensorView<'_>) -> Option<Vec<f32>> {
    fn values<const N: usize>(bytes: &[u8], read: impl Fn([u8; N]) -> f32) -> Vec<f32> {
        bytes
            .chunks_exact(N)
            .map(|b| read(b.try_into().expect("chunks of N")))
            .collect()
    }
    let bytes = view.data();
    match view.dtype() {
        Dtype::F32 => Some(values(bytes, f32::from_le_bytes)),
        Dtype::F64 => Some(values(bytes, |b| f64::from_le_bytes(b) as f32)),
        Dtype::F16 => Some(values(bytes, |b| f16::from_le_bytes(b).to_f32())),
        Dtype::BF16 => Some(values(bytes, |b| bf16::from_le_bytes(b).to_f32())),
        _ => None,
    }
}

/// Where a walk through a module is.
#[derive(Default)]
pub(crate) struct Place {
    path: Vec<String>,
    owners: Vec<String>,
}

impl Place {
    pub(crate) fn enter(&mut self, name: &str, container_type: &str) {
        self.path.push(name.to_owned());
        let owner = container_type.trim_start_matches("Struct:");
        self.owners.push(owner.to_owned());
    }

    pub(crate) fn exit(&mut self) {
        self.path.pop();
        self.owners.pop();
    }

    pub(crate) fn site(&self, shape: Vec<usize>) -> ParamSite {
        ParamSite {
            path: self.path.join("."),
            owner: self.owners.last().cloned().unwrap_or_default(),
            shape,
        }
    }
}

struct Applier<'a, F> {
    place: Place,
    key_map: F,
    tensors: &'a BTreeMap<String, (Vec<usize>, Vec<f32>)>,
    used: BTreeSet<String>,
    missing: Vec<String>,
    misshaped: Vec<String>,
}

impl<F: Fn(&ParamSite) -> Option<ForeignTensor>> ModuleMapper for Applier<'_, F> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.place.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.place.exit();
    }

    fn map_float<const D: usize>(&mut self, param: Param<Tensor<D>>) -> Param<Tensor<D>> {
        let saved_shape = param.transform_for_save().val().dims();
        let site = self.place.site(saved_shape.to_vec());
        let Some(foreign) = (self.key_map)(&site) else {
            self.missing.push(site.path);
            return param;
        };
        let Some((shape, values)) = self.tensors.get(foreign.name()) else {
            // A joint tensor has several parts.
            if self.missing.last().map(String::as_str) != Some(foreign.name()) {
                self.missing.push(foreign.name().to_owned());
            }
            return param;
        };
        self.used.insert(foreign.name().to_owned());
        let ours = match foreign.to_ours(shape, values) {
            Ok((ours, values)) if ours == saved_shape => TensorData::new(values, ours),
            Ok((ours, _)) => {
                let (name, theirs) = (foreign.name(), shape);
                self.misshaped.push(if ours == *theirs {
                    format!("{name}: expected {saved_shape:?}, found {theirs:?}")
                } else {
                    format!("{name}: expected {saved_shape:?}, found {ours:?} in {theirs:?}")
                });
                return param;
            }
            Err(reason) => {
                let name = foreign.name();
                self.misshaped.push(format!("{name}: {reason}"));
                return param;
            }
        };
        let device = param.val().device();
        let id = param.id;
        param.transform_for_load(Tensor::from_data(ours, &device), id)
    }
}

/// Reads `path` into `module`; gives the metadata of the file too.
///
/// # Errors
///
/// As [`read_weights`] and [`Weights::apply`].
pub fn load_module<M: Module>(
    module: M,
    path: &Path,
) -> Result<(M, HashMap<String, String>), WeightsError> {
    let weights = read_weights(path)?;
    let metadata = weights.metadata.clone();
    Ok((weights.apply(module, path)?, metadata))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{StoredFloat, save_module};
    use burn::nn::{Linear, LinearConfig};
    use burn::tensor::Device;

    fn linear(from: usize, to: usize) -> Linear {
        LinearConfig::new(from, to).init(&Device::default())
    }

    fn values(linear: &Linear) -> Vec<f32> {
        linear.weight.val().into_data().try_to_vec().unwrap()
    }

    #[test]
    fn f32_comes_back_bit_for_bit_and_f16_rounded() {
        let folder = tempfile::tempdir().unwrap();
        let source = linear(5, 3);
        let note = HashMap::from([("seed".to_owned(), "7".to_owned())]);
        for (stored, tolerance) in [(StoredFloat::F32, 0.0), (StoredFloat::F16, 3e-4)] {
            let path = folder.path().join("weights.safetensors");
            save_module(&source, &path, stored, &note).unwrap();
            let (loaded, metadata) = load_module(linear(5, 3), &path).unwrap();
            assert_eq!(metadata, note);
            for (a, b) in values(&source).iter().zip(values(&loaded)) {
                assert!((a - b).abs() <= tolerance, "{a} {b}");
            }
        }
    }

    #[test]
    fn names_of_another_layout_are_translated() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let source = linear(2, 2);
        save_module(&source, &path, StoredFloat::F32, &HashMap::new()).unwrap();
        let read = read_weights(&path).unwrap();
        let theirs = Weights {
            tensors: read
                .tensors
                .into_iter()
                .map(|(name, tensor)| (format!("model.{name}"), tensor))
                .collect(),
            ..Weights::default()
        };
        let loaded = theirs
            .clone()
            .apply_renamed(linear(2, 2), &path, |name| format!("model.{name}"))
            .unwrap();
        assert_eq!(values(&loaded), values(&source));
        let error = theirs.apply(linear(2, 2), &path).unwrap_err().to_string();
        assert!(error.contains("unused: [\"model.bias\""), "{error}");
    }

    #[test]
    fn misfits_are_listed_together() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let no_bias = LinearConfig::new(4, 3)
            .with_bias(false)
            .init(&Device::default());
        save_module(&no_bias, &path, StoredFloat::F32, &HashMap::new()).unwrap();
        let error = load_module(linear(5, 3), &path).unwrap_err().to_string();
        assert!(error.contains("missing: [\"bias\"]"), "{error}");
        assert!(
            error.contains("weight: expected [5, 3], found [4, 3]"),
            "{error}"
        );
    }

    #[test]
    fn a_truncated_file_is_an_error_that_names_it() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        save_module(&linear(4, 4), &path, StoredFloat::F32, &HashMap::new()).unwrap();
        let bytes = std::fs::read(&path).unwrap();
        std::fs::write(&path, &bytes[..bytes.len() - 3]).unwrap();
        let error = load_module(linear(4, 4), &path).unwrap_err();
        assert!(matches!(error, WeightsError::Format { .. }), "{error}");
        assert!(error.to_string().contains("weights.safetensors"));
    }
}
