//! The face model as a safetensors file.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use half::f16;
use safetensors::tensor::{Dtype, SafeTensors, TensorView, serialize};
use sha2::{Digest, Sha256};

use super::appearance::{Appearance, HALF_LEN};
use super::detail::{Detail, KERNEL_SIZE};
use super::nuisance::{NUISANCES, Nuisance, SHAPE_LEN};
use super::{FaceModel, MODEL_SIZE};
use crate::SimError;

/// Metadata key and value that mark the layout.
const FORMAT: (&str, &str) = ("format", "fas-face-model/1");
/// Metadata key of the digest over all tensors.
const DIGEST: &str = "tensors_sha256";
/// A hostile header must not make us reserve memory for more components than this.
const MAX_COMPONENTS: usize = 4096;

impl FaceModel {
    /// Reads a model file written by [`save`](Self::save).
    ///
    /// # Errors
    ///
    /// [`SimError::FaceModelFile`] if the file cannot be read, [`SimError::FaceModelFormat`] if it
    /// is no face model or its digest does not match.
    pub fn load(path: impl AsRef<Path>) -> Result<Self, SimError> {
        let path = path.as_ref();
        let bytes = std::fs::read(path).map_err(|source| SimError::FaceModelFile {
            path: path.to_path_buf(),
            source,
        })?;
        decode(&bytes, path)
    }

    /// Writes the model, with its provenance and a digest of its tensors.
    ///
    /// # Errors
    ///
    /// [`SimError::FaceModelFile`] if the file cannot be written.
    pub fn save(&self, path: impl AsRef<Path>) -> Result<(), SimError> {
        let path = path.as_ref();
        let bytes = encode(self).map_err(|error| format_error(path, error.to_string()))?;
        std::fs::write(path, bytes).map_err(|source| SimError::FaceModelFile {
            path: path.to_path_buf(),
            source,
        })
    }
}

/// One tensor on its way into the file.
struct Entry {
    name: &'static str,
    dtype: Dtype,
    shape: Vec<usize>,
    bytes: Vec<u8>,
}

fn f32_entry(name: &'static str, shape: Vec<usize>, values: &[f32]) -> Entry {
    let bytes = values.iter().flat_map(|v| v.to_le_bytes()).collect();
    Entry {
        name,
        dtype: Dtype::F32,
        shape,
        bytes,
    }
}

fn f16_entry(name: &'static str, shape: Vec<usize>, values: &[f32]) -> Entry {
    let bytes = values
        .iter()
        .flat_map(|&v| f16::from_f32(v).to_le_bytes())
        .collect();
    Entry {
        name,
        dtype: Dtype::F16,
        shape,
        bytes,
    }
}

fn entries(model: &FaceModel) -> Vec<Entry> {
    let (appearance, nuisance, detail) = (&model.appearance, &model.nuisance, &model.detail);
    let (count, size, half) = (appearance.components(), MODEL_SIZE, MODEL_SIZE / 2);
    let by_sign = |values: &[i8]| values.iter().map(|&v| v as u8).collect();
    vec![
        f16_entry("appearance.mean", vec![3, size, half], &appearance.mean),
        Entry {
            name: "appearance.basis",
            dtype: Dtype::I8,
            shape: vec![count, 3, size, half],
            bytes: by_sign(&appearance.basis),
        },
        f32_entry("appearance.steps", vec![count], &appearance.steps),
        Entry {
            name: "appearance.odd",
            dtype: Dtype::U8,
            shape: vec![count],
            bytes: appearance.odd.iter().map(|&odd| u8::from(odd)).collect(),
        },
        f32_entry(
            "nuisance.shape_modes",
            vec![SHAPE_LEN, SHAPE_LEN],
            &nuisance.shape_modes,
        ),
        f32_entry(
            "nuisance.person_share",
            vec![NUISANCES],
            &nuisance.person_share,
        ),
        f32_entry(
            "nuisance.appearance_by_nuisance",
            vec![count, NUISANCES],
            &nuisance.appearance_by_nuisance,
        ),
        f32_entry(
            "nuisance.nuisance_by_appearance",
            vec![NUISANCES, count],
            &nuisance.nuisance_by_appearance,
        ),
        f32_entry(
            "nuisance.residual_factor",
            vec![NUISANCES, NUISANCES],
            &nuisance.residual_factor,
        ),
        f16_entry("detail.amplitude", vec![size, half], &detail.amplitude),
        f32_entry(
            "detail.kernel",
            vec![KERNEL_SIZE, KERNEL_SIZE],
            &detail.kernel,
        ),
        f32_entry("detail.colour_factor", vec![3, 3], &detail.colour_factor),
    ]
}

fn encode(model: &FaceModel) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let entries = entries(model);
    let tensors = entries
        .iter()
        .map(|e| Ok((e.name, TensorView::new(e.dtype, e.shape.clone(), &e.bytes)?)))
        .collect::<Result<Vec<_>, safetensors::SafeTensorError>>()?;
    let digest = digest(entries.iter().map(|e| (e.name, e.bytes.as_slice())));
    let mut metadata: HashMap<String, String> = model.provenance.clone().into_iter().collect();
    metadata.insert(FORMAT.0.into(), FORMAT.1.into());
    metadata.insert(DIGEST.into(), digest);
    sort_metadata(serialize(tensors, Some(metadata))?)
}

/// Rewrites the header with sorted metadata, so that the same model gives the same file.
fn sort_metadata(file: Vec<u8>) -> Result<Vec<u8>, safetensors::SafeTensorError> {
    let (length, _) = SafeTensors::read_metadata(&file)?;
    // `serde_json::Value` keeps objects sorted by key.
    let header: serde_json::Value = serde_json::from_slice(&file[8..8 + length])
        .map_err(safetensors::SafeTensorError::InvalidHeaderDeserialization)?;
    let mut text = header.to_string();
    while !text.len().is_multiple_of(8) {
        text.push(' ');
    }
    let mut sorted = (text.len() as u64).to_le_bytes().to_vec();
    sorted.extend_from_slice(text.as_bytes());
    sorted.extend_from_slice(&file[8 + length..]);
    Ok(sorted)
}

/// SHA-256 over name and bytes of every tensor, in order of name.
fn digest<'a>(tensors: impl Iterator<Item = (&'a str, &'a [u8])>) -> String {
    let sorted: BTreeMap<&str, &[u8]> = tensors.collect();
    let mut hasher = Sha256::new();
    for (name, bytes) in sorted {
        hasher.update(name.as_bytes());
        hasher.update(bytes);
    }
    hasher
        .finalize()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

/// Reads a model from the bytes of a file; `path` is for error messages.
pub(super) fn decode(bytes: &[u8], path: &Path) -> Result<FaceModel, SimError> {
    let fail = |reason: String| format_error(path, reason);
    let (_, metadata) =
        SafeTensors::read_metadata(bytes).map_err(|error| fail(error.to_string()))?;
    let file = SafeTensors::deserialize(bytes).map_err(|error| fail(error.to_string()))?;
    let mut provenance: BTreeMap<String, String> = metadata
        .metadata()
        .clone()
        .unwrap_or_default()
        .into_iter()
        .collect();
    if provenance.remove(FORMAT.0).as_deref() != Some(FORMAT.1) {
        return Err(fail(format!(
            "metadata lacks `{}` = `{}`",
            FORMAT.0, FORMAT.1
        )));
    }
    let tensors = file.tensors();
    let found = digest(
        tensors
            .iter()
            .map(|(name, view)| (name.as_str(), view.data())),
    );
    let stated = provenance.remove(DIGEST).unwrap_or_default();
    if found != stated {
        return Err(fail(format!(
            "its tensors have the digest {found}, not the stated {stated}"
        )));
    }
    Reader { file: &file, path }.model(provenance)
}

fn format_error(path: &Path, reason: String) -> SimError {
    SimError::FaceModelFormat {
        path: path.to_path_buf(),
        reason,
    }
}

/// Typed access to the tensors of a file.
struct Reader<'a> {
    file: &'a SafeTensors<'a>,
    path: &'a Path,
}

impl<'a> Reader<'a> {
    fn model(&self, provenance: BTreeMap<String, String>) -> Result<FaceModel, SimError> {
        let count = self.component_count()?;
        let (size, half) = (MODEL_SIZE, MODEL_SIZE / 2);
        Ok(FaceModel {
            appearance: Appearance {
                mean: self.floats("appearance.mean", &[3, size, half])?,
                basis: self
                    .bytes("appearance.basis", Dtype::I8, &[count, 3, size, half])?
                    .iter()
                    .map(|&byte| byte as i8)
                    .collect(),
                steps: self.floats("appearance.steps", &[count])?,
                odd: self
                    .bytes("appearance.odd", Dtype::U8, &[count])?
                    .iter()
                    .map(|&byte| byte != 0)
                    .collect(),
            },
            nuisance: Nuisance {
                shape_modes: self.floats("nuisance.shape_modes", &[SHAPE_LEN, SHAPE_LEN])?,
                person_share: self.floats("nuisance.person_share", &[NUISANCES])?,
                appearance_by_nuisance: self
                    .floats("nuisance.appearance_by_nuisance", &[count, NUISANCES])?,
                nuisance_by_appearance: self
                    .floats("nuisance.nuisance_by_appearance", &[NUISANCES, count])?,
                residual_factor: self
                    .floats("nuisance.residual_factor", &[NUISANCES, NUISANCES])?,
            },
            detail: Detail {
                amplitude: self.floats("detail.amplitude", &[size, half])?,
                kernel: self.floats("detail.kernel", &[KERNEL_SIZE, KERNEL_SIZE])?,
                colour_factor: self.floats("detail.colour_factor", &[3, 3])?,
            },
            provenance,
        })
    }

    fn component_count(&self) -> Result<usize, SimError> {
        let basis = self.tensor("appearance.basis")?;
        match basis.shape().first() {
            Some(&count) if (1..=MAX_COMPONENTS).contains(&count) => Ok(count),
            other => Err(format_error(
                self.path,
                format!("appearance.basis has {other:?} components, not 1 to {MAX_COMPONENTS}"),
            )),
        }
    }

    fn tensor(&self, name: &str) -> Result<TensorView<'a>, SimError> {
        self.file
            .tensor(name)
            .map_err(|error| format_error(self.path, error.to_string()))
    }

    fn bytes(&self, name: &str, dtype: Dtype, shape: &[usize]) -> Result<&'a [u8], SimError> {
        let tensor = self.tensor(name)?;
        if tensor.dtype() != dtype || tensor.shape() != shape {
            let (found, dims) = (tensor.dtype(), tensor.shape());
            let reason = format!("{name} is {found:?} {dims:?}, not {dtype:?} {shape:?}");
            return Err(format_error(self.path, reason));
        }
        Ok(tensor.data())
    }

    /// Finite values of an `F16` or `F32` tensor.
    fn floats(&self, name: &str, shape: &[usize]) -> Result<Vec<f32>, SimError> {
        let values: Vec<f32> = if self.tensor(name)?.dtype() == Dtype::F16 {
            let (pairs, _) = self.bytes(name, Dtype::F16, shape)?.as_chunks::<2>();
            pairs
                .iter()
                .map(|&pair| f16::from_le_bytes(pair).to_f32())
                .collect()
        } else {
            let (quads, _) = self.bytes(name, Dtype::F32, shape)?.as_chunks::<4>();
            quads.iter().map(|&quad| f32::from_le_bytes(quad)).collect()
        };
        match values.iter().position(|value| !value.is_finite()) {
            None => Ok(values),
            Some(index) => Err(format_error(
                self.path,
                format!("{name} is not finite at value {index}"),
            )),
        }
    }
}

// The array length is what makes the basis one half image a component.
const _: () = assert!(HALF_LEN == 3 * MODEL_SIZE * (MODEL_SIZE / 2));

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn saved_model_is_read_back_to_the_bit() {
        let model = FaceModel::bundled().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("model.safetensors");
        model.save(&path).unwrap();
        assert_eq!(&FaceModel::load(&path).unwrap(), model);
        assert_eq!(std::fs::read(&path).unwrap(), super::super::BUNDLED);
    }

    #[test]
    fn altered_file_is_refused() {
        let mut bytes = super::super::BUNDLED.to_vec();
        let last = bytes.len() - 1;
        bytes[last] ^= 1;
        let error = decode(&bytes, "altered.safetensors".as_ref()).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("altered.safetensors") && text.contains("digest"),
            "{text}"
        );
    }

    #[test]
    fn garbage_and_missing_files_are_typed_errors() {
        let error = decode(b"no tensors here", "x".as_ref()).unwrap_err();
        assert!(matches!(error, SimError::FaceModelFormat { .. }));
        let error = FaceModel::load("no/such/file").unwrap_err();
        assert!(matches!(error, SimError::FaceModelFile { .. }));
    }
}
