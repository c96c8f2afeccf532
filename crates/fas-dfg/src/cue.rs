//! The anomalous cue: input face minus de-spoofed face (AG-FAS, section 3.3, equation 5), and its store.
//!
//! Both faces are in `[-1, 1]` after decoding, so the cue is in `[-2, 2]`. It is stored as it is: a
//! network that takes it standardises it (`fas-agnet`). Face and cue are mirrored together or not at
//! all: the released code draws their flips apart, which misaligns half of its training cues.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::config::Config;
use burn::tensor::{Tensor, TensorData};
use fas_weights::{StoredFloat, read_weights};
use half::f16;
use image::RgbImage;
use safetensors::tensor::{Dtype, TensorView};
use sha2::{Digest, Sha256};

use crate::face_codes::{pictures_to_tensor, write_atomically};
use crate::generator::hexadecimal;
use crate::{DespoofingConfig, DespoofingGenerator, DfgError, content_hash};

/// Faces that are de-spoofed together.
const BATCH: usize = 16;

/// Input minus de-spoofed face, both in one range.
///
/// # Shapes
///
/// - faces, despoofed, output: `[batch_size, 3, height, width]`; in `[-1, 1]`, the output in `[-2, 2]`
///
/// # Panics
///
/// Panics if the shapes differ.
pub fn anomalous_cue(faces: Tensor<4>, despoofed: Tensor<4>) -> Tensor<4> {
    assert_eq!(
        faces.dims(),
        despoofed.dims(),
        "a cue needs a de-spoofed face of the same shape"
    );
    faces - despoofed
}

/// Configuration to create a [`CueStore`] with [`init`](CueStoreConfig::init).
#[derive(Config, Debug)]
pub struct CueStoreConfig {
    /// How faces are de-spoofed.
    pub despoofing: DespoofingConfig,
    /// Seed of the noise; a face's own noise comes from it and from the hash of its pixels. Default: 0
    #[config(default = 0)]
    pub seed: u64,
    /// Whether cues are stored with 16 bits (an error of 5e-4 of the value) or 32. Default: 16
    #[config(default = true)]
    pub half: bool,
}

impl CueStoreConfig {
    /// A store below `folder` for the cues of `generator`.
    pub fn init(&self, generator: DespoofingGenerator, folder: &Path) -> CueStore {
        let mut hash = Sha256::new();
        hash.update(generator.fingerprint());
        hash.update(self.to_string());
        let key = hexadecimal(&hash.finalize());
        CueStore {
            folder: folder.join(&key[..16]),
            key,
            generator,
            config: self.clone(),
        }
    }
}

/// Cues on disk: a file a picture, named by the hash of its pixels, in a folder named by the hash of
/// the generator, of how it is used and of the seed. A changed generator finds nothing of the old one.
#[derive(Debug)]
pub struct CueStore {
    folder: PathBuf,
    key: String,
    generator: DespoofingGenerator,
    config: CueStoreConfig,
}

impl CueStore {
    /// Where its files are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The generator whose cues these are.
    pub fn generator(&self) -> &DespoofingGenerator {
        &self.generator
    }

    /// The cues of `pictures`, in order; what is not stored yet is computed and stored.
    ///
    /// # Shapes
    ///
    /// - output: `[pictures.len(), 3, image_size, image_size]`, in `[-2, 2]`
    ///
    /// # Errors
    ///
    /// [`DfgError::Io`] if the store cannot be written, [`DfgError::Cache`] if a file in it is damaged.
    ///
    /// # Panics
    ///
    /// Panics if there is no picture, or one is not of the generator's size.
    pub fn cues(&self, pictures: &[RgbImage]) -> Result<Tensor<4>, DfgError> {
        let size = self.generator.config().image_size as u32;
        assert!(!pictures.is_empty(), "cues of no pictures");
        for picture in pictures {
            assert_eq!(
                picture.dimensions(),
                (size, size),
                "pictures must be {size} px wide"
            );
        }
        let names: Vec<String> = pictures.iter().map(content_hash).collect();
        let paths: Vec<PathBuf> = names
            .iter()
            .map(|name| {
                self.folder
                    .join(&name[..2])
                    .join(format!("{name}.safetensors"))
            })
            .collect();
        let mut missing: Vec<usize> = (0..names.len()).filter(|&i| !paths[i].exists()).collect();
        missing.dedup_by_key(|index| names[*index].clone());
        for chunk in missing.chunks(BATCH) {
            let device = self.generator.device();
            let faces = pictures_to_tensor(chunk.iter().map(|&index| &pictures[index]), device);
            let ids: Vec<&str> = chunk.iter().map(|&index| names[index].as_str()).collect();
            let despoofing = &self.config.despoofing;
            let despoofed =
                self.generator
                    .despoof(faces.clone(), &ids, self.config.seed, despoofing);
            let cues = anomalous_cue(faces, despoofed).into_data();
            let values: Vec<f32> = cues.iter::<f32>().collect();
            for (planes, &index) in values.chunks_exact(values.len() / chunk.len()).zip(chunk) {
                self.write(&paths[index], &names[index], planes)?;
            }
        }
        let mut values = Vec::new();
        for path in &paths {
            values.extend(self.read(path)?);
        }
        let shape = [pictures.len(), 3, size as usize, size as usize];
        Ok(Tensor::from_data(
            TensorData::new(values, shape),
            self.generator.device(),
        ))
    }

    fn write(&self, path: &Path, name: &str, planes: &[f32]) -> Result<(), DfgError> {
        let size = self.generator.config().image_size;
        let (dtype, bytes): (Dtype, Vec<u8>) = match self.stored() {
            StoredFloat::F16 => (
                Dtype::F16,
                planes
                    .iter()
                    .flat_map(|&value| f16::from_f32(value).to_le_bytes())
                    .collect(),
            ),
            _ => (
                Dtype::F32,
                planes.iter().flat_map(|v| v.to_le_bytes()).collect(),
            ),
        };
        let view =
            TensorView::new(dtype, vec![3, size, size], &bytes).expect("shape and bytes fit");
        let card = HashMap::from(
            [
                ("picture", name.to_owned()),
                ("store", self.key.clone()),
                ("store_config", self.config.to_string()),
            ]
            .map(|(key, value)| (key.to_owned(), value)),
        );
        let file = safetensors::serialize([("cue", view)], Some(card)).expect("one tensor");
        let parent = path.parent().expect("inside the folder");
        std::fs::create_dir_all(parent).map_err(|source| DfgError::Io {
            path: parent.to_owned(),
            source,
        })?;
        write_atomically(path, &file)
    }

    fn read(&self, path: &Path) -> Result<Vec<f32>, DfgError> {
        let size = self.generator.config().image_size;
        let mut file = read_weights(path)?;
        match file.tensors.remove("cue") {
            Some((shape, values)) if shape == [3, size, size] => Ok(values),
            Some((shape, _)) => Err(DfgError::Cache {
                path: path.to_owned(),
                problem: format!("its cue is {shape:?}, not {:?}", [3, size, size]),
            }),
            None => Err(DfgError::Cache {
                path: path.to_owned(),
                problem: "it holds no cue".to_owned(),
            }),
        }
    }

    fn stored(&self) -> StoredFloat {
        if self.config.half {
            StoredFloat::F16
        } else {
            StoredFloat::F32
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::tests::tiny;
    use image::Rgb;

    fn picture(shade: u8) -> RgbImage {
        RgbImage::from_fn(16, 16, |x, y| Rgb([(x * 15) as u8, (y * 15) as u8, shade]))
    }

    fn files(folder: &Path) -> usize {
        let inner = |path: PathBuf| std::fs::read_dir(path).unwrap().count();
        let folders = std::fs::read_dir(folder).unwrap();
        folders.map(|entry| inner(entry.unwrap().path())).sum()
    }

    #[test]
    fn a_cue_is_the_difference_and_mirrors_with_its_face() {
        let generator = tiny();
        let device = generator.device();
        let a = pictures_to_tensor([&picture(10)].into_iter(), device);
        let b = pictures_to_tensor([&picture(200)].into_iter(), device);
        let cue = anomalous_cue(a.clone(), b.clone());
        // (10 - 200) / 127.5 in the third plane, nothing in the others
        let value: f32 = cue.clone().slice([0..1, 2..3, 5..6, 5..6]).into_scalar();
        assert!((value + 190.0 / 127.5).abs() < 1e-6, "{value}");
        let largest: f32 = cue.clone().narrow(1, 0, 2).abs().max().into_scalar();
        assert_eq!(largest, 0.0);
        let flipped = anomalous_cue(a.flip([3]), b.flip([3]));
        assert_eq!(flipped.into_data(), cue.flip([3]).into_data());
    }

    #[test]
    fn stored_cues_are_those_of_the_generator() {
        let place = tempfile::tempdir().unwrap();
        let despoofing = DespoofingConfig::small(300, 2);
        let pictures = [picture(10), picture(200), picture(10)];
        let exact = {
            let generator = tiny();
            let faces = pictures_to_tensor(pictures.iter().take(2), generator.device());
            let names: Vec<String> = pictures.iter().take(2).map(content_hash).collect();
            let ids: Vec<&str> = names.iter().map(String::as_str).collect();
            let despoofed = generator.despoof(faces.clone(), &ids, 7, &despoofing);
            anomalous_cue(faces, despoofed)
        };
        for (half, tolerance) in [(true, 1e-3), (false, 1e-6)] {
            let config = CueStoreConfig::new(despoofing.clone())
                .with_seed(7)
                .with_half(half);
            let store = config.init(tiny(), place.path());
            let first = store.cues(&pictures).unwrap();
            assert_eq!(first.dims(), [3, 3, 16, 16]);
            assert_eq!(files(store.folder()), 2);
            let gap: f32 = (first.clone().narrow(0, 0, 2) - exact.clone())
                .abs()
                .max()
                .into_scalar();
            assert!(gap < tolerance, "{gap}");
            assert_eq!(
                store.cues(&pictures).unwrap().into_data(),
                first.into_data()
            );
        }
    }

    #[test]
    fn another_seed_is_another_store() {
        let place = tempfile::tempdir().unwrap();
        let config = CueStoreConfig::new(DespoofingConfig::small(300, 2));
        let (a, b) = (
            config.clone().init(tiny(), place.path()),
            config.with_seed(1).init(tiny(), place.path()),
        );
        assert_ne!(a.folder(), b.folder());
    }

    #[test]
    fn a_damaged_file_is_named() {
        let place = tempfile::tempdir().unwrap();
        let store = CueStoreConfig::new(DespoofingConfig::small(300, 2)).init(tiny(), place.path());
        store.cues(&[picture(1)]).unwrap();
        let name = content_hash(&picture(1));
        let path = store
            .folder()
            .join(&name[..2])
            .join(format!("{name}.safetensors"));
        std::fs::write(&path, b"spoiled").unwrap();
        let error = store.cues(&[picture(1)]).unwrap_err().to_string();
        assert!(error.contains(&name), "{error}");
    }
}
