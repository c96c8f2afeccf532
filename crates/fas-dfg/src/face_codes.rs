//! Latents and identity tokens of faces, computed once and kept on disk.
//!
//! First stage and identity encoder are fixed, so what they say of a face never changes: a file a
//! picture, named by the hash of its pixels, in a folder named by the hash of the weights.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use fas_weights::{Weights, read_weights};
use half::f16;
use image::RgbImage;
use safetensors::tensor::{Dtype, TensorView};
use sha2::{Digest, Sha256};

use crate::generator::{fingerprint, hexadecimal};
use crate::{DespoofingGenerator, DfgError, FirstStage, IdentityEncoder, LatentPosterior};

/// Pictures that are encoded together.
const BATCH: usize = 16;

/// Latents and tokens of one picture, as they are stored: 16-bit floats.
#[derive(Debug, Clone, PartialEq)]
struct FaceCode {
    mean: Vec<f16>,
    log_variance: Vec<f16>,
    tokens: Vec<f16>,
}

/// Latents and tokens of many pictures.
#[derive(Debug, Clone)]
pub struct FaceCodes {
    codes: Vec<FaceCode>,
    latent_shape: [usize; 3],
    token_channels: usize,
}

/// Codes of some pictures as tensors.
///
/// # Shapes
///
/// - posterior: `[batch_size, latent_channels, height, width]`, scaled
/// - tokens: `[batch_size, 49, token_channels]`
#[derive(Debug, Clone)]
pub struct FaceCodeBatch {
    /// Distribution of the latents.
    pub posterior: LatentPosterior,
    /// Identity tokens.
    pub tokens: Tensor<3>,
}

#[derive(Module, Debug)]
struct Encoders {
    first_stage: FirstStage,
    identity_encoder: IdentityEncoder,
}

impl FaceCodes {
    /// Codes of `count` pictures, in order; `load` gives picture `i` and is asked only for its pixels.
    /// What is not yet in the folder `cache` is computed and written there. `done` is told after each
    /// batch how many pictures are finished.
    ///
    /// # Errors
    ///
    /// What `load` says, [`DfgError::Io`] if the cache cannot be written, [`DfgError::Cache`] if a
    /// file in it is damaged.
    ///
    /// # Panics
    ///
    /// Panics if a picture is not of the generator's size.
    pub fn compute(
        generator: &DespoofingGenerator,
        count: usize,
        mut load: impl FnMut(usize) -> Result<RgbImage, DfgError>,
        cache: &Path,
        mut done: impl FnMut(usize),
    ) -> Result<Self, DfgError> {
        let config = generator.config();
        let side = config.image_size / config.first_stage.downsampling();
        let channels = config.first_stage.latent_channels();
        let networks = generator.networks();
        let encoders = Encoders {
            first_stage: networks.first_stage.clone(),
            identity_encoder: networks.identity_encoder.clone(),
        };
        let text = format!("{} {}", config.first_stage, config.identity_encoder);
        let folder = cache.join(&fingerprint(&encoders, &text)[..16]);
        let create = |path: &Path| {
            std::fs::create_dir_all(path).map_err(|source| DfgError::Io {
                path: path.to_owned(),
                source,
            })
        };
        create(&folder)?;
        let mut result = Self {
            codes: Vec::with_capacity(count),
            latent_shape: [channels, side, side],
            token_channels: config.identity_encoder.token_channels(),
        };
        for start in (0..count).step_by(BATCH) {
            let mut batch: Vec<Option<FaceCode>> = Vec::new();
            let mut missing: Vec<(usize, RgbImage, PathBuf)> = Vec::new();
            for index in start..count.min(start + BATCH) {
                let image = load(index)?;
                let size = config.image_size as u32;
                assert_eq!(
                    image.dimensions(),
                    (size, size),
                    "pictures must be {size} px wide"
                );
                let name = content_hash(&image);
                let path = folder.join(&name[..2]).join(format!("{name}.safetensors"));
                if path.exists() {
                    batch.push(Some(result.read(&path)?));
                } else {
                    missing.push((batch.len(), image, path));
                    batch.push(None);
                }
            }
            if !missing.is_empty() {
                let images = missing.iter().map(|(_, image, _)| image);
                let computed = result.encode(&encoders, images, generator.device());
                for ((place, _, path), code) in missing.iter().zip(computed) {
                    create(path.parent().expect("inside the folder"))?;
                    result.write(&code, path)?;
                    batch[*place] = Some(code);
                }
            }
            result.codes.extend(batch.into_iter().flatten());
            done(result.codes.len());
        }
        Ok(result)
    }

    /// Number of pictures.
    pub fn len(&self) -> usize {
        self.codes.len()
    }

    /// Whether there is no picture.
    pub fn is_empty(&self) -> bool {
        self.codes.is_empty()
    }

    /// The codes of pictures `indices`, on `device`.
    ///
    /// # Panics
    ///
    /// Panics if an index is out of range.
    pub fn batch(&self, indices: &[usize], device: &Device) -> FaceCodeBatch {
        let gather = |part: fn(&FaceCode) -> &[f16]| -> Vec<f32> {
            let values = indices.iter().flat_map(|&index| part(&self.codes[index]));
            values.map(|value| value.to_f32()).collect()
        };
        let [channels, height, width] = self.latent_shape;
        let latents = [indices.len(), channels, height, width];
        let map = |values| Tensor::from_data(TensorData::new(values, latents), device);
        let tokens = gather(|code| &code.tokens);
        let count = tokens.len() / (indices.len() * self.token_channels);
        let shape = [indices.len(), count, self.token_channels];
        FaceCodeBatch {
            posterior: LatentPosterior {
                mean: map(gather(|code| &code.mean)),
                log_variance: map(gather(|code| &code.log_variance)),
            },
            tokens: Tensor::from_data(TensorData::new(tokens, shape), device),
        }
    }

    fn encode<'a>(
        &self,
        encoders: &Encoders,
        images: impl Iterator<Item = &'a RgbImage>,
        device: &Device,
    ) -> Vec<FaceCode> {
        let faces = pictures_to_tensor(images, device);
        let count = faces.dims()[0];
        let posterior = encoders.first_stage.encode(faces.clone());
        let tokens = encoders.identity_encoder.tokens(faces);
        let halves = |data: TensorData| -> Vec<Vec<f16>> {
            let values: Vec<f16> = data.iter::<f32>().map(f16::from_f32).collect();
            let width = values.len() / count;
            values.chunks_exact(width).map(<[f16]>::to_vec).collect()
        };
        let means = halves(posterior.mean.into_data());
        let log_variances = halves(posterior.log_variance.into_data());
        let tokens = halves(tokens.into_data());
        means
            .into_iter()
            .zip(log_variances)
            .zip(tokens)
            .map(|((mean, log_variance), tokens)| FaceCode {
                mean,
                log_variance,
                tokens,
            })
            .collect()
    }

    fn write(&self, code: &FaceCode, path: &Path) -> Result<(), DfgError> {
        let bytes = |values: &[f16]| -> Vec<u8> {
            values
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect()
        };
        let tokens = code.tokens.len() / self.token_channels;
        let parts = [
            ("mean", self.latent_shape.to_vec(), bytes(&code.mean)),
            (
                "log_variance",
                self.latent_shape.to_vec(),
                bytes(&code.log_variance),
            ),
            (
                "tokens",
                vec![tokens, self.token_channels],
                bytes(&code.tokens),
            ),
        ];
        let views = parts.iter().map(|(name, shape, bytes)| {
            let view = TensorView::new(Dtype::F16, shape.clone(), bytes).expect("shapes match");
            (*name, view)
        });
        let file = safetensors::serialize(views, None::<HashMap<String, String>>)
            .expect("three tensors of their own names");
        write_atomically(path, &file)
    }

    fn read(&self, path: &Path) -> Result<FaceCode, DfgError> {
        let mut file: Weights = read_weights(path)?;
        let mut part = |name: &str, shape: &[usize]| {
            let found = file.tensors.remove(name);
            match found {
                Some((found, values)) if found == shape => {
                    Ok(values.into_iter().map(f16::from_f32).collect())
                }
                Some((found, _)) => Err(DfgError::Cache {
                    path: path.to_owned(),
                    problem: format!("{name} is {found:?}, not {shape:?}"),
                }),
                None => Err(DfgError::Cache {
                    path: path.to_owned(),
                    problem: format!("there is no {name}"),
                }),
            }
        };
        Ok(FaceCode {
            mean: part("mean", &self.latent_shape)?,
            log_variance: part("log_variance", &self.latent_shape)?,
            tokens: part("tokens", &[crate::IDENTITY_TOKENS, self.token_channels])?,
        })
    }
}

/// SHA-256 of a picture's size and pixels, in hexadecimal: the same picture in another file format has
/// the same hash.
pub fn content_hash(image: &RgbImage) -> String {
    let mut hash = Sha256::new();
    hash.update(image.width().to_le_bytes());
    hash.update(image.height().to_le_bytes());
    hash.update(image.as_raw());
    hexadecimal(&hash.finalize())
}

/// Pictures of one size in `[-1, 1]`, `[count, 3, height, width]`.
pub(crate) fn pictures_to_tensor<'a>(
    images: impl Iterator<Item = &'a RgbImage>,
    device: &Device,
) -> Tensor<4> {
    let (mut values, mut count, mut size) = (Vec::new(), 0, (0, 0));
    for image in images {
        size = image.dimensions();
        count += 1;
        for channel in 0..3 {
            let plane = image.pixels().map(|pixel| f32::from(pixel.0[channel]));
            values.extend(plane.map(|value| value / 127.5 - 1.0));
        }
    }
    let shape = [count, 3, size.1 as usize, size.0 as usize];
    Tensor::from_data(TensorData::new(values, shape), device)
}

/// Writes `bytes` under a temporary name, then renames.
pub(crate) fn write_atomically(path: &Path, bytes: &[u8]) -> Result<(), DfgError> {
    use std::io::Write;
    let io = |source| DfgError::Io {
        path: path.to_owned(),
        source,
    };
    let folder = path.parent().filter(|p| !p.as_os_str().is_empty());
    let mut file = tempfile::NamedTempFile::new_in(folder.unwrap_or(Path::new("."))).map_err(io)?;
    file.write_all(bytes).map_err(io)?;
    file.persist(path).map_err(|error| io(error.error))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::generator::tests::tiny;
    use image::Rgb;

    fn picture(index: usize) -> RgbImage {
        RgbImage::from_fn(16, 16, |x, y| {
            Rgb([(x * 9) as u8, (y * 7) as u8, 40 * index as u8])
        })
    }

    #[test]
    fn codes_are_computed_once_and_read_back_equal() {
        let place = tempfile::tempdir().unwrap();
        let generator = tiny();
        let mut counts = Vec::new();
        let compute = |counts: &mut Vec<usize>| {
            let load = |index| Ok(picture(index));
            FaceCodes::compute(&generator, 3, load, place.path(), |n| counts.push(n)).unwrap()
        };
        let first = compute(&mut counts);
        let files = || -> Vec<(PathBuf, std::time::SystemTime)> {
            let folder = std::fs::read_dir(place.path())
                .unwrap()
                .next()
                .unwrap()
                .unwrap();
            let mut files: Vec<_> = std::fs::read_dir(folder.path())
                .unwrap()
                .flat_map(|entry| std::fs::read_dir(entry.unwrap().path()).unwrap())
                .map(|entry| {
                    let entry = entry.unwrap();
                    (entry.path(), entry.metadata().unwrap().modified().unwrap())
                })
                .collect();
            files.sort();
            files
        };
        let written = files();
        assert_eq!((written.len(), counts.as_slice()), (3, &[3][..]));
        let second = compute(&mut counts);
        assert_eq!(first.codes, second.codes);
        assert_eq!(files(), written);
        // 16-bit floats of what the networks say
        let device = generator.device();
        let batch = first.batch(&[2], device);
        let faces = pictures_to_tensor([&picture(2)].into_iter(), device);
        let exact = generator.networks().first_stage.encode(faces).mean;
        let gap: f32 = (batch.posterior.mean - exact).abs().max().into_scalar();
        assert!(gap < 2e-3, "{gap}");
    }

    #[test]
    fn a_damaged_file_is_named() {
        let place = tempfile::tempdir().unwrap();
        let generator = tiny();
        let load = |index| Ok(picture(index));
        let codes = FaceCodes::compute(&generator, 1, load, place.path(), |_| {}).unwrap();
        let path = place.path().join("other.safetensors");
        let code = FaceCode {
            mean: codes.codes[0].mean[..4].to_vec(),
            ..codes.codes[0].clone()
        };
        let short = FaceCodes {
            latent_shape: [1, 2, 2],
            codes: Vec::new(),
            token_channels: codes.token_channels,
        };
        let code = FaceCode {
            log_variance: code.log_variance[..4].to_vec(),
            ..code
        };
        short.write(&code, &path).unwrap();
        let error = codes.read(&path).unwrap_err().to_string();
        assert!(
            error.contains("mean is [1, 2, 2]") && error.contains("other"),
            "{error}"
        );
    }

    #[test]
    fn the_hash_is_of_the_pixels() {
        assert_eq!(content_hash(&picture(1)), content_hash(&picture(1)));
        assert_ne!(content_hash(&picture(1)), content_hash(&picture(2)));
        let (wide, high) = (RgbImage::new(4, 2), RgbImage::new(2, 4));
        assert_ne!(content_hash(&wide), content_hash(&high));
    }
}
