//! Faces from a folder of photos.

use std::path::{Path, PathBuf};

use fas_data::{list_images, load_rgb};
use fas_sim::Face;
use rayon::prelude::*;
use serde::Deserialize;

/// Part of a folder of faces.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum FaceSplit {
    /// For training.
    Train,
    /// For thresholds and model selection.
    Val,
    /// For reported numbers.
    Test,
}

/// A folder of square, aligned face crops.
///
/// With an `index.csv` (columns `file`, `identity`, `subset`, `split`, and five landmarks `leye_x` …
/// `rmouth_y` in pixels; files relative to the folder of the index or its parent) the split, the person
/// and the landmarks come from there. Without one every picture is one person, all are for training,
/// and crops are taken to be aligned as `fas_sim::CANONICAL_LANDMARKS_128` says.
#[derive(Debug)]
pub struct FaceFolder {
    entries: Vec<Entry>,
}

#[derive(Debug)]
struct Entry {
    path: PathBuf,
    subject: String,
    subset: String,
    split: FaceSplit,
    landmarks: Option<[[f32; 2]; 5]>,
}

#[derive(Debug, Deserialize)]
struct Row {
    file: PathBuf,
    identity: String,
    subset: String,
    split: FaceSplit,
    leye_x: f32,
    leye_y: f32,
    reye_x: f32,
    reye_y: f32,
    nose_x: f32,
    nose_y: f32,
    lmouth_x: f32,
    lmouth_y: f32,
    rmouth_x: f32,
    rmouth_y: f32,
}

impl FaceFolder {
    /// Lists a folder; pictures are not read yet.
    ///
    /// # Errors
    ///
    /// A message that names the folder, or the index and its line.
    pub fn open(folder: &Path) -> Result<Self, String> {
        let index = ["index.csv", "faces128/index.csv"]
            .iter()
            .map(|name| folder.join(name))
            .find(|path| path.is_file());
        let Some(index) = index else {
            let paths = list_images(folder).map_err(|error| error.to_string())?;
            let entries = paths
                .into_iter()
                .map(|path| Entry {
                    subject: path
                        .strip_prefix(folder)
                        .unwrap_or(&path)
                        .display()
                        .to_string(),
                    path,
                    subset: String::new(),
                    split: FaceSplit::Train,
                    landmarks: None,
                })
                .collect();
            return Ok(Self { entries });
        };
        let failed = |error: csv::Error| format!("{}: {error}", index.display());
        let beside = index.parent().expect("a file has a folder");
        let mut reader = csv::Reader::from_path(&index).map_err(failed)?;
        let mut entries = Vec::new();
        for row in reader.deserialize() {
            let row: Row = row.map_err(failed)?;
            let path = match beside.join(&row.file) {
                path if path.is_file() => path,
                _ => beside.join("..").join(&row.file),
            };
            entries.push(Entry {
                path,
                subject: row.identity,
                subset: row.subset,
                split: row.split,
                landmarks: Some([
                    [row.leye_x, row.leye_y],
                    [row.reye_x, row.reye_y],
                    [row.nose_x, row.nose_y],
                    [row.lmouth_x, row.lmouth_y],
                    [row.rmouth_x, row.rmouth_y],
                ]),
            });
        }
        Ok(Self { entries })
    }

    /// Whether there are faces for training, for development and for test.
    pub fn has_splits(&self) -> bool {
        [FaceSplit::Train, FaceSplit::Val, FaceSplit::Test]
            .iter()
            .all(|split| self.entries.iter().any(|entry| entry.split == *split))
    }

    /// Reads the faces of a split (of one subset, if named), at most `limit` of them, in the order of
    /// the listing.
    ///
    /// # Errors
    ///
    /// A message that names the first picture that cannot be read, or says that there is none.
    pub fn load(
        &self,
        split: FaceSplit,
        subset: Option<&str>,
        limit: Option<usize>,
    ) -> Result<Vec<Face>, String> {
        let chosen: Vec<&Entry> = self
            .entries
            .iter()
            .filter(|entry| entry.split == split && subset.is_none_or(|s| entry.subset == s))
            .take(limit.unwrap_or(usize::MAX))
            .collect();
        if chosen.is_empty() {
            return Err(format!(
                "no {split:?} faces of subset {subset:?} in this folder"
            ));
        }
        chosen
            .into_par_iter()
            .map(|entry| {
                let image = load_rgb(&entry.path).map_err(|error| error.to_string())?;
                let mut face = Face::from_aligned(image, entry.subject.clone());
                if let Some(landmarks) = entry.landmarks {
                    face.landmarks = landmarks;
                }
                Ok(face)
            })
            .collect()
    }
}
