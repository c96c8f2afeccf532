//! Strict loading of third-party weights: every parameter is filled and every tensor is used.

use std::collections::BTreeSet;
use std::path::Path;

use burn::module::{Module, ModuleMapper, Param};
use burn::tensor::{Bool, Int, Tensor, TensorData};
use safetensors::{Dtype, SafeTensors};

use crate::DfgError;

/// Fills every float parameter of `module`, running statistics included, from a safetensors file.
///
/// `name_of` turns a parameter's path, such as `conv1.bn.gamma`, into its name in the file.
/// Parameters keep their ids, devices and gradient settings.
///
/// # Errors
///
/// [`DfgError::WeightMismatch`] lists together everything that is missing, unused or misshaped.
pub(crate) fn load<M: Module>(
    module: M,
    path: &Path,
    name_of: impl Fn(&str) -> String,
) -> Result<M, DfgError> {
    let bytes = std::fs::read(path).map_err(|source| DfgError::ReadWeights {
        path: path.to_path_buf(),
        source,
    })?;
    let file = SafeTensors::deserialize(&bytes).map_err(|source| DfgError::WeightFormat {
        path: path.to_path_buf(),
        source,
    })?;
    let mut filler = Filler {
        file: &file,
        name_of,
        path: Vec::new(),
        used: BTreeSet::new(),
        missing: Vec::new(),
        misshaped: Vec::new(),
    };
    let module = module.map(&mut filler);
    let Filler {
        used,
        missing,
        misshaped,
        ..
    } = filler;
    let mut unused: Vec<String> = file
        .names()
        .into_iter()
        .filter(|name| !used.contains(*name))
        .map(str::to_owned)
        .collect();
    unused.sort();
    if missing.is_empty() && unused.is_empty() && misshaped.is_empty() {
        return Ok(module);
    }
    Err(DfgError::WeightMismatch {
        path: path.to_path_buf(),
        missing,
        unused,
        misshaped,
    })
}

struct Filler<'a, F> {
    file: &'a SafeTensors<'a>,
    name_of: F,
    path: Vec<String>,
    used: BTreeSet<String>,
    missing: Vec<String>,
    misshaped: Vec<String>,
}

impl<F: Fn(&str) -> String> Filler<'_, F> {
    /// Values for the parameter at the current path, or `None` after noting why there are none.
    fn values(&mut self, shape: &[usize]) -> Option<TensorData> {
        let name = (self.name_of)(&self.path.join("."));
        let Ok(tensor) = self.file.tensor(&name) else {
            self.missing.push(name);
            return None;
        };
        if tensor.dtype() != Dtype::F32 || tensor.shape() != shape {
            let (dtype, found) = (tensor.dtype(), tensor.shape());
            self.misshaped
                .push(format!("{name} is {dtype:?} {found:?}, not F32 {shape:?}"));
            self.used.insert(name);
            return None;
        }
        let (quads, _) = tensor.data().as_chunks::<4>();
        let values: Vec<f32> = quads.iter().map(|&quad| f32::from_le_bytes(quad)).collect();
        self.used.insert(name);
        Some(TensorData::new(values, shape.to_vec()))
    }
}

impl<F: Fn(&str) -> String> ModuleMapper for Filler<'_, F> {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
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
    use super::*;
    use burn::nn::{BatchNorm, BatchNormConfig};
    use burn::tensor::Device;
    use safetensors::tensor::{TensorView, serialize_to_file};

    /// Writes one-value tensors of the given names and lengths and loads a BatchNorm of width 1.
    fn load_norm(tensors: &[(&str, usize)]) -> Result<BatchNorm, DfgError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("norm.safetensors");
        let data: Vec<Vec<u8>> = tensors
            .iter()
            .enumerate()
            .map(|(i, &(_, length))| (i as f32).to_le_bytes().repeat(length))
            .collect();
        let views = tensors.iter().zip(&data).map(|(&(name, length), bytes)| {
            (
                name,
                TensorView::new(Dtype::F32, vec![length], bytes).unwrap(),
            )
        });
        serialize_to_file(views, None, &path).unwrap();
        load(
            BatchNormConfig::new(1).init(&Device::default()),
            &path,
            str::to_owned,
        )
    }

    #[test]
    fn values_and_running_statistics_are_filled() {
        let norm = load_norm(&[
            ("gamma", 1),
            ("beta", 1),
            ("running_mean", 1),
            ("running_var", 1),
        ])
        .unwrap();
        let value = |tensor: Tensor<1>| tensor.into_scalar::<f32>();
        assert_eq!(value(norm.gamma.val()), 0.0);
        assert_eq!(value(norm.beta.val()), 1.0);
        assert_eq!(value(norm.running_mean.value()), 2.0);
        assert_eq!(value(norm.running_var.value()), 3.0);
    }

    #[test]
    fn every_mismatch_is_listed_together() {
        let error = load_norm(&[("gamma", 1), ("beta", 2), ("running_mean", 1), ("extra", 1)]);
        let Err(DfgError::WeightMismatch {
            missing,
            unused,
            misshaped,
            ..
        }) = error
        else {
            panic!("accepted wrong weights");
        };
        assert_eq!(missing, ["running_var"]);
        assert_eq!(unused, ["extra"]);
        assert_eq!(misshaped, ["beta is F32 [2], not F32 [1]"]);
    }

    #[test]
    fn unreadable_files_are_typed_errors() {
        let norm = || BatchNormConfig::new(1).init(&Device::default());
        let error = load(norm(), Path::new("no/such/file"), str::to_owned).unwrap_err();
        assert!(matches!(error, DfgError::ReadWeights { .. }));
        let manifest = concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml");
        let error = load(norm(), Path::new(manifest), str::to_owned).unwrap_err();
        assert!(matches!(error, DfgError::WeightFormat { .. }));
    }
}
