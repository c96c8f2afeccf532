//! From a module to a file.

use std::collections::HashMap;
use std::io::Write;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use half::f16;
use safetensors::tensor::{Dtype, TensorView};

use crate::WeightsError;

/// Float type in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredFloat {
    /// 32 bits: checkpoints that training goes on from.
    F32,
    /// 16 bits: weights that are shipped.
    F16,
}

struct Collector {
    path: Vec<String>,
    stored: StoredFloat,
    tensors: Vec<(String, Vec<usize>, Vec<u8>)>,
}

impl ModuleVisitor for Collector {
    fn enter_module(&mut self, name: &str, _container_type: &str) {
        self.path.push(name.to_owned());
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.path.pop();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.transform_for_save().val();
        let shape = tensor.dims().to_vec();
        let values: Vec<f32> = tensor
            .into_data_as::<f32>()
            .try_to_vec()
            .expect("converted to f32 above");
        let bytes = match self.stored {
            StoredFloat::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
            StoredFloat::F16 => values
                .iter()
                .flat_map(|&v| f16::from_f32(v).to_le_bytes())
                .collect(),
        };
        self.tensors.push((self.path.join("."), shape, bytes));
    }
}

/// The safetensors file of a module, as bytes. `metadata` goes into its header.
pub fn module_bytes<M: Module>(
    module: &M,
    stored: StoredFloat,
    metadata: &HashMap<String, String>,
) -> Vec<u8> {
    let mut collector = Collector {
        path: Vec::new(),
        stored,
        tensors: Vec::new(),
    };
    module.visit(&mut collector);
    let dtype = match stored {
        StoredFloat::F32 => Dtype::F32,
        StoredFloat::F16 => Dtype::F16,
    };
    let views = collector.tensors.iter().map(|(name, shape, bytes)| {
        let view = TensorView::new(dtype, shape.clone(), bytes).expect("bytes match the shape");
        (name.as_str(), view)
    });
    // Header maps are hashed: sorted metadata keeps equal modules equal byte for byte.
    let metadata = if metadata.is_empty() {
        None
    } else {
        Some(metadata.clone())
    };
    safetensors::serialize(views, metadata).expect("names are unique and shapes match")
}

/// Writes the parameters of `module` (running statistics of BatchNorm included) to `path`, under a
/// temporary name first.
///
/// # Errors
///
/// [`WeightsError::Io`] if the file cannot be written; an older file of that name is then untouched.
pub fn save_module<M: Module>(
    module: &M,
    path: &Path,
    stored: StoredFloat,
    metadata: &HashMap<String, String>,
) -> Result<(), WeightsError> {
    let io = |source| WeightsError::Io {
        path: path.to_owned(),
        source,
    };
    let bytes = module_bytes(module, stored, metadata);
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(io)?;
    let mut file = builder().tempfile_in(folder).map_err(io)?;
    file.write_all(&bytes).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

/// Temporary files are private by default; weights are not.
fn builder() -> tempfile::Builder<'static, 'static> {
    #[cfg_attr(
        not(unix),
        allow(unused_mut, reason = "permissions are set on Unix alone")
    )]
    let mut builder = tempfile::Builder::new();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        builder.permissions(std::fs::Permissions::from_mode(0o644));
    }
    builder
}
