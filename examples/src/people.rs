//! The people of a benchmark.

use std::path::Path;

use fas_sim::{Face, FaceModel, FacePools};

use crate::{FaceFolder, FaceSplit};

/// Faces of a benchmark's people.
#[derive(Debug)]
pub enum People {
    /// Drawn from the bundled face model.
    Synthetic(Vec<Face>),
    /// From a folder without splits.
    Folder(Vec<Face>),
    /// From a folder whose index has splits: training, development and test people.
    Splits([Vec<Face>; 3]),
}

impl People {
    /// `count` synthetic identities of `seed`.
    ///
    /// # Errors
    ///
    /// A message if the bundled face model cannot be read.
    pub fn synthetic(count: usize, seed: u64) -> Result<Self, String> {
        let model = FaceModel::bundled().map_err(|error| error.to_string())?;
        let first = seed.wrapping_mul(1 << 20);
        let people = (0..count as u64)
            .map(|subject| model.sample(first + subject, 0))
            .collect();
        Ok(Self::Synthetic(people))
    }

    /// Real faces: by the splits of the folder's index if it has them, or the first `count` pictures.
    /// `test_subset` names the subset whose test people are taken.
    ///
    /// # Errors
    ///
    /// A message that names the folder or picture that cannot be read.
    pub fn from_folder(
        folder: &Path,
        test_subset: Option<&str>,
        count: usize,
    ) -> Result<Self, String> {
        let folder = FaceFolder::open(folder)?;
        if !folder.has_splits() {
            let faces = folder.load(FaceSplit::Train, None, Some(count))?;
            return Ok(Self::Folder(faces));
        }
        Ok(Self::Splits([
            folder.load(FaceSplit::Train, None, None)?,
            folder.load(FaceSplit::Val, None, None)?,
            folder.load(FaceSplit::Test, test_subset, None)?,
        ]))
    }

    /// [`from_folder`](Self::from_folder) if there is one, else [`synthetic`](Self::synthetic).
    ///
    /// # Errors
    ///
    /// As these.
    pub fn load(
        folder: Option<&Path>,
        test_subset: Option<&str>,
        count: usize,
        seed: u64,
    ) -> Result<Self, String> {
        match folder {
            Some(folder) => Self::from_folder(folder, test_subset, count),
            None => Self::synthetic(count, seed),
        }
    }

    /// The people as a benchmark takes them.
    pub fn pools(&self) -> FacePools<'_> {
        match self {
            Self::Synthetic(faces) | Self::Folder(faces) => FacePools::Shared(faces),
            Self::Splits([train, development, test]) => FacePools::BySplit {
                train,
                development,
                test,
            },
        }
    }

    /// One line that says who they are.
    pub fn summary(&self) -> String {
        match self {
            Self::Synthetic(faces) => format!("{} synthetic people", faces.len()),
            Self::Folder(faces) => format!("{} faces, one pool for all splits", faces.len()),
            Self::Splits([train, development, test]) => format!(
                "faces by the splits of their index: {} training, {} development, {} test",
                train.len(),
                development.len(),
                test.len()
            ),
        }
    }
}
