//! Cues of captures: computed once, kept on disk, standardised for the networks.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::io::Write as _;
use std::path::{Path, PathBuf};

use burn::tensor::{Device, Tensor, TensorData};
use fas_agnet::standardise_cue;
use fas_report::HeatMap;
use half::f16;
use image::RgbImage;
use safetensors::SafeTensors;
use safetensors::tensor::{Dtype, TensorView};
use sha2::{Digest, Sha256};

use crate::cue_source::split_batch;
use crate::{Captures, RealFaces, images_to_tensor, tensor_to_images};

/// Name of the one tensor of a cache file.
const TENSOR: &str = "residuals";

/// Largest absolute residual of the scale of heat maps.
pub const HEAT_MAP_TOP: f32 = 0.5;

/// The residuals of one source by sample, `3 x size x size` values in `[-2, 2]` each.
#[derive(Debug, Clone)]
pub struct Cues {
    /// Name in tables.
    pub name: String,
    residuals: HashMap<String, Vec<f32>>,
    size: usize,
    scale: Option<f32>,
}

impl Cues {
    /// The cues of all captures and of the real faces, from `cache` if they were computed before: a
    /// file's name is `key` and the hash of `settings`, all pictures and the number of real faces.
    ///
    /// # Errors
    ///
    /// What `make` says, or a message that names the file that cannot be used.
    pub fn compute(
        (name, key): (&str, &str),
        settings: &str,
        captures: &Captures,
        faces: &RealFaces,
        cache: &Path,
        make: impl FnOnce(&[(&str, &RgbImage)]) -> Result<Vec<Vec<f32>>, String>,
    ) -> Result<Self, String> {
        let pictures = pictures(captures, faces);
        let pictures: Vec<(&str, &RgbImage)> = pictures
            .iter()
            .map(|(id, image)| (id.as_str(), *image))
            .collect();
        let hash = hash(settings, &pictures, faces);
        let path = cache.join(format!("{key}-{hash}.safetensors"));
        let size = captures.size();
        let residuals = match read(&path, pictures.len(), size)? {
            Some(residuals) => residuals,
            None => {
                write(&path, &make(&pictures)?, size)?;
                // What a later run reads: rounded to 16 bits.
                read(&path, pictures.len(), size)?.ok_or("a cue file vanished")?
            }
        };
        let ids = pictures.iter().map(|(id, _)| (*id).to_owned());
        Ok(Self {
            name: name.to_owned(),
            residuals: ids.zip(residuals).collect(),
            size,
            scale: None,
        })
    }

    /// Cues that were made elsewhere, of pictures of `size`.
    pub fn from_residuals(
        name: &str,
        size: usize,
        residuals: impl IntoIterator<Item = (String, Vec<f32>)>,
    ) -> Self {
        Self {
            name: name.to_owned(),
            residuals: residuals.into_iter().collect(),
            size,
            scale: None,
        }
    }

    /// The same cues, multiplied by `scale` for the networks where there is one, instead of each being
    /// standardised.
    #[must_use]
    pub fn with_scale(self, scale: Option<f32>) -> Self {
        Self { scale, ..self }
    }

    /// The same cues under another name.
    #[must_use]
    pub fn renamed(&self, name: &str) -> Self {
        Self {
            name: name.to_owned(),
            ..self.clone()
        }
    }

    /// These residuals less those of `other`, under `name`: of two reconstructions, where they differ.
    ///
    /// # Errors
    ///
    /// A message if `other` lacks a sample.
    pub fn less(&self, name: &str, other: &Self) -> Result<Self, String> {
        let mut difference = self.renamed(name);
        for (id, residual) in &mut difference.residuals {
            for (value, minus) in residual.iter_mut().zip(other.residual(id)?) {
                *value -= minus;
            }
        }
        Ok(difference)
    }

    /// Residual of a sample.
    ///
    /// # Errors
    ///
    /// A message if there is none.
    pub fn residual(&self, id: &str) -> Result<&[f32], String> {
        self.residuals
            .get(id)
            .map(Vec::as_slice)
            .ok_or_else(|| format!("{}: no cue of {id}", self.name))
    }

    /// Mean absolute residual of a sample: what a cue says without any network.
    ///
    /// # Errors
    ///
    /// A message if there is none.
    pub fn energy(&self, id: &str) -> Result<f64, String> {
        let residual = self.residual(id)?;
        let sum: f64 = residual.iter().map(|value| f64::from(value.abs())).sum();
        Ok(sum / residual.len() as f64)
    }

    /// The de-spoofed face that a sample's residual was made with: `image`, the sample's own, less it.
    ///
    /// # Errors
    ///
    /// A message if there is no residual.
    pub fn despoofed(
        &self,
        id: &str,
        image: &RgbImage,
        device: &Device,
    ) -> Result<RgbImage, String> {
        let face = images_to_tensor([image], device);
        let residual = TensorData::new(self.residual(id)?.to_vec(), face.dims());
        let despoofed = tensor_to_images(face - Tensor::from_data(residual, device));
        Ok(despoofed.into_iter().next().expect("one face, one picture"))
    }

    /// Absolute residual of a sample, the mean over its planes, on a scale from 0 to
    /// [`HEAT_MAP_TOP`].
    ///
    /// # Errors
    ///
    /// A message if there is none.
    pub fn heat_map(&self, id: &str) -> Result<RgbImage, String> {
        let residual = self.residual(id)?;
        let pixels = self.size * self.size;
        let planes = residual.len() / pixels;
        let mean = |at: usize| {
            let values = residual[at..].iter().step_by(pixels);
            values.map(|value| value.abs()).sum::<f32>() / planes as f32
        };
        let map = (0..pixels).map(mean).collect();
        let side = self.size as u32;
        Ok(HeatMap::new(map, side, side).to_image(HEAT_MAP_TOP))
    }

    /// Cue of a sample as the networks take it: standardised, or of a fixed scale.
    ///
    /// # Errors
    ///
    /// A message if there is none.
    pub fn for_networks(&self, id: &str, device: &Device) -> Result<Vec<f32>, String> {
        let residual = self.residual(id)?;
        Ok(match self.scale {
            Some(scale) => residual.iter().map(|value| value * scale).collect(),
            None => standardised(residual.to_vec(), self.size, device),
        })
    }
}

/// `values` of one picture, standardised.
pub(crate) fn standardised(values: Vec<f32>, size: usize, device: &Device) -> Vec<f32> {
    let data = TensorData::new(values, [1, 3, size, size]);
    split_batch(standardise_cue(Tensor::from_data(data, device))).remove(0)
}

/// The captures, and the real faces under the ids `real/0` and so on.
pub(crate) fn pictures<'a>(
    captures: &'a Captures,
    faces: &'a RealFaces,
) -> Vec<(String, &'a RgbImage)> {
    let samples = captures.manifest().samples().iter().map(|s| s.id.clone());
    let real = faces.images().iter().enumerate();
    samples
        .zip(captures.images())
        .chain(real.map(|(number, image)| (format!("real/{number}"), image)))
        .collect()
}

fn hash(settings: &str, pictures: &[(&str, &RgbImage)], faces: &RealFaces) -> String {
    let mut hash = Sha256::new();
    hash.update(settings);
    hash.update(faces.images().len().to_le_bytes());
    for (id, image) in pictures {
        hash.update(id);
        hash.update(image.as_raw());
    }
    hash.finalize()[..8]
        .iter()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn failed<E: std::fmt::Display>(path: &Path) -> impl FnOnce(E) -> String {
    let path: PathBuf = path.to_owned();
    move |error| {
        format!(
            "{}: {error}; delete it and it is computed again",
            path.display()
        )
    }
}

fn read(path: &Path, count: usize, size: usize) -> Result<Option<Vec<Vec<f32>>>, String> {
    if !path.exists() {
        return Ok(None);
    }
    let bytes = std::fs::read(path).map_err(failed(path))?;
    let file = SafeTensors::deserialize(&bytes).map_err(failed(path))?;
    let view = file.tensor(TENSOR).map_err(failed(path))?;
    if view.shape() != [count, 3, size, size] || view.dtype() != Dtype::F16 {
        let shape = view.shape();
        return Err(failed(path)(format!(
            "cues of shape {shape:?}, {:?}",
            view.dtype()
        )));
    }
    let values = |bytes: &[u8]| {
        bytes
            .chunks_exact(2)
            .map(|pair| f16::from_le_bytes([pair[0], pair[1]]).to_f32())
            .collect()
    };
    Ok(Some(
        view.data()
            .chunks_exact(2 * 3 * size * size)
            .map(values)
            .collect(),
    ))
}

/// Under a temporary name first, as 16-bit floats: steps of at most 1/1024 of the value range.
fn write(path: &Path, residuals: &[Vec<f32>], size: usize) -> Result<(), String> {
    let bytes: Vec<u8> = residuals
        .iter()
        .flatten()
        .flat_map(|&value| f16::from_f32(value).to_le_bytes())
        .collect();
    let shape = vec![residuals.len(), 3, size, size];
    let view = TensorView::new(Dtype::F16, shape, &bytes).map_err(failed(path))?;
    let file = safetensors::serialize([(TENSOR, view)], None).map_err(failed(path))?;
    let folder = path.parent().unwrap_or(Path::new("."));
    std::fs::create_dir_all(folder).map_err(failed(folder))?;
    let mut temporary = tempfile::NamedTempFile::new_in(folder).map_err(failed(folder))?;
    temporary.write_all(&file).map_err(failed(path))?;
    temporary.persist(path).map_err(failed(path))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_difference_of_cues_is_taken_sample_by_sample() {
        let cues = |values: [f32; 2]| {
            let residuals = ["a", "b"].map(str::to_owned).into_iter().zip(values);
            Cues::from_residuals("cues", 1, residuals.map(|(id, value)| (id, vec![value; 3])))
        };
        let difference = cues([0.5, -1.0]).less("difference", &cues([0.25, 1.0]));
        let difference = difference.unwrap();
        assert_eq!(difference.residual("a").unwrap(), [0.25; 3]);
        assert_eq!(difference.residual("b").unwrap(), [-2.0; 3]);
        let lacking = Cues::from_residuals("one", 1, [("a".to_owned(), vec![0.0; 3])]);
        let error = difference.less("difference", &lacking).unwrap_err();
        assert!(error.contains("one: no cue of b"), "{error}");
    }

    #[test]
    fn cues_come_back_rounded_and_damage_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cues.safetensors");
        assert!(read(&path, 2, 2).unwrap().is_none());
        let residuals = vec![vec![0.5; 12], vec![-1.333_333_3; 12]];
        write(&path, &residuals, 2).unwrap();
        let back = read(&path, 2, 2).unwrap().unwrap();
        assert_eq!(back[0], residuals[0]);
        assert!((back[1][3] + 1.333_333_3).abs() < 1e-3);
        let error = read(&path, 3, 2).unwrap_err();
        assert!(error.contains("cues of shape [2, 3, 2, 2]"), "{error}");
        std::fs::write(&path, b"x").unwrap();
        let error = read(&path, 2, 2).unwrap_err();
        assert!(error.contains("delete it"), "{error}");
    }
}
