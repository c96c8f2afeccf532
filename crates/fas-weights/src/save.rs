//! From a module to a file.

use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::path::Path;

use burn::module::{Module, ModuleVisitor, Param};
use burn::tensor::Tensor;
use half::f16;
use safetensors::tensor::{Dtype, TensorView};

use crate::load::Place;
use crate::{ForeignTensor, ParamSite, Weights, WeightsError};

/// Float type in the file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoredFloat {
    /// 32 bits: checkpoints that training goes on from.
    F32,
    /// 16 bits: weights that are shipped.
    F16,
}

struct Collector<F> {
    place: Place,
    key_map: F,
    /// By their name: the first row of each part, its shape and values.
    parts: Vec<(String, usize, Vec<usize>, Vec<f32>)>,
    unnamed: Vec<String>,
}

impl<F: Fn(&ParamSite) -> Option<ForeignTensor>> ModuleVisitor for Collector<F> {
    fn enter_module(&mut self, name: &str, container_type: &str) {
        self.place.enter(name, container_type);
    }

    fn exit_module(&mut self, _name: &str, _container_type: &str) {
        self.place.exit();
    }

    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        let tensor = param.transform_for_save().val();
        let shape = tensor.dims().to_vec();
        let site = self.place.site(shape.clone());
        let Some(foreign) = (self.key_map)(&site) else {
            self.unnamed.push(site.path);
            return;
        };
        let values: Vec<f32> = tensor
            .into_data_as::<f32>()
            .try_to_vec()
            .expect("converted to f32 above");
        let (shape, values) = foreign.to_theirs(&shape, &values);
        let first = foreign.own_rows().map_or(0, |rows| rows.start);
        self.parts
            .push((foreign.name().to_owned(), first, shape, values));
    }
}

impl Weights {
    /// The parameters of `module` (running statistics of BatchNorm included) under the names and in the
    /// layout of a key map; `|site| Some(ForeignTensor::new(&site.path))` is our own.
    ///
    /// # Errors
    ///
    /// The paths of the parameters for which the map has no tensor.
    ///
    /// # Panics
    ///
    /// Panics if the parts of a joint tensor do not follow each other without a gap.
    pub fn of_module<M: Module>(
        module: &M,
        tensor: impl Fn(&ParamSite) -> Option<ForeignTensor>,
    ) -> Result<Self, Vec<String>> {
        let mut collector = Collector {
            place: Place::default(),
            key_map: tensor,
            parts: Vec::new(),
            unnamed: Vec::new(),
        };
        module.visit(&mut collector);
        if !collector.unnamed.is_empty() {
            return Err(collector.unnamed);
        }
        let mut parts = collector.parts;
        parts.sort_by(|a, b| (&a.0, a.1).cmp(&(&b.0, b.1)));
        let mut tensors = BTreeMap::<String, (Vec<usize>, Vec<f32>)>::new();
        for (name, first, shape, values) in parts {
            let Some((joint, all)) = tensors.get_mut(&name) else {
                assert_eq!(first, 0, "{name} begins at its first row");
                tensors.insert(name, (shape, values));
                continue;
            };
            assert_eq!(first, joint[0], "the parts of {name} follow each other");
            joint[0] += shape[0];
            all.extend(values);
        }
        Ok(Self {
            tensors,
            ..Self::default()
        })
    }

    /// A safetensors file, as bytes; the metadata goes into its header.
    pub fn to_bytes(&self, stored: StoredFloat) -> Vec<u8> {
        let stored_tensors: Vec<(&String, &[usize], Vec<u8>)> = self
            .tensors
            .iter()
            .map(|(name, (shape, values))| {
                let bytes = match stored {
                    StoredFloat::F32 => values.iter().flat_map(|v| v.to_le_bytes()).collect(),
                    StoredFloat::F16 => values
                        .iter()
                        .flat_map(|&v| f16::from_f32(v).to_le_bytes())
                        .collect(),
                };
                (name, &shape[..], bytes)
            })
            .collect();
        let dtype = match stored {
            StoredFloat::F32 => Dtype::F32,
            StoredFloat::F16 => Dtype::F16,
        };
        let views = stored_tensors.iter().map(|(name, shape, bytes)| {
            let view =
                TensorView::new(dtype, shape.to_vec(), bytes).expect("bytes match the shape");
            (name.as_str(), view)
        });
        // Header maps are hashed: sorted metadata keeps equal modules equal byte for byte.
        let metadata = (!self.metadata.is_empty()).then(|| self.metadata.clone());
        safetensors::serialize(views, metadata).expect("names are unique and shapes match")
    }

    /// Writes a safetensors file, under a temporary name first.
    ///
    /// # Errors
    ///
    /// [`WeightsError::Io`] if the file cannot be written; an older file of that name is then untouched.
    pub fn save(&self, path: &Path, stored: StoredFloat) -> Result<(), WeightsError> {
        write_whole(path, &self.to_bytes(stored))
    }
}

/// The safetensors file of a module, as bytes. `metadata` goes into its header.
pub fn module_bytes<M: Module>(
    module: &M,
    stored: StoredFloat,
    metadata: &HashMap<String, String>,
) -> Vec<u8> {
    let named = |site: &ParamSite| Some(ForeignTensor::new(site.path.as_str()));
    let weights = Weights::of_module(module, named).expect("every parameter has a name");
    Weights {
        metadata: metadata.clone(),
        ..weights
    }
    .to_bytes(stored)
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
    write_whole(path, &module_bytes(module, stored, metadata))
}

fn write_whole(path: &Path, bytes: &[u8]) -> Result<(), WeightsError> {
    let io = |source| WeightsError::Io {
        path: path.to_owned(),
        source,
    };
    let folder = path
        .parent()
        .filter(|p| !p.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(io)?;
    let mut file = builder().tempfile_in(folder).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
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
