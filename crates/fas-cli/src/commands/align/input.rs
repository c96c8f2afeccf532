//! The photos to align.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use fas_data::{Manifest, list_images};

use crate::error::CliError;

/// Where photos are listed.
pub(super) enum Source {
    Folder(PathBuf),
    Manifest(Manifest),
}

/// A photo to align.
pub(super) struct Photo {
    /// Path below the input's folder, `/` between folders; names the photo in the table.
    pub(super) name: String,
    /// The file.
    pub(super) path: PathBuf,
}

impl Photo {
    /// Path of the crop below the output folder.
    pub(super) fn crop_name(&self) -> String {
        let stem = Path::new(&self.name).with_extension("png");
        stem.to_string_lossy().into_owned()
    }
}

impl Source {
    /// A folder, or the manifest in a file.
    pub(super) fn read(path: &Path) -> Result<Self, CliError> {
        if path.is_dir() {
            return Ok(Self::Folder(path.to_owned()));
        }
        let manifest = Manifest::read(path)?;
        if manifest.samples().is_empty() {
            return Err(CliError::NoSamples(path.to_owned()));
        }
        Ok(Self::Manifest(manifest))
    }

    /// All photos, once each, in order.
    pub(super) fn photos(&self) -> Result<Vec<Photo>, CliError> {
        let mut photos: Vec<Photo> = match self {
            Self::Folder(folder) => list_images(folder)?
                .into_iter()
                .map(|path| Photo {
                    name: name_of(path.strip_prefix(folder).unwrap_or(&path)),
                    path,
                })
                .collect(),
            Self::Manifest(manifest) => manifest
                .samples()
                .iter()
                .map(|sample| Photo {
                    name: name_of(&sample.path),
                    path: manifest.image_path(sample),
                })
                .collect(),
        };
        photos.sort_by(|a, b| a.name.cmp(&b.name));
        photos.dedup_by(|a, b| a.name == b.name);
        let mut crops: HashMap<String, &str> = HashMap::new();
        for photo in &photos {
            if let Some(other) = crops.insert(photo.crop_name(), &photo.name) {
                return Err(CliError::SameCrop {
                    first: other.to_owned(),
                    second: photo.name.clone(),
                    crop: photo.crop_name(),
                });
            }
        }
        Ok(photos)
    }
}

/// A path as the table has it.
pub(super) fn name_of(path: &Path) -> String {
    path.to_string_lossy().replace('\\', "/")
}
