//! The people of the benchmark.

use fas_examples::{FaceFolder, FaceSplit};
use fas_sim::{Face, FaceModel, FacePools};

use crate::settings::Settings;

/// Faces of the benchmark's people.
pub(crate) enum People {
    /// Drawn from the bundled face model.
    Synthetic(Vec<Face>),
    /// From a folder without splits.
    Folder(Vec<Face>),
    /// From a folder whose index has splits: training, development and test people.
    Splits([Vec<Face>; 3]),
}

impl People {
    /// Real faces from `--faces`, by the splits of its index if it has them, or synthetic identities.
    pub(crate) fn load(settings: &Settings) -> Result<Self, String> {
        let Some(folder) = &settings.faces else {
            let model = FaceModel::bundled().map_err(|error| error.to_string())?;
            let first = settings.seed.wrapping_mul(1 << 20);
            let people = (0..settings.subjects() as u64)
                .map(|subject| model.sample(first + subject, 0))
                .collect();
            return Ok(Self::Synthetic(people));
        };
        let folder = FaceFolder::open(folder)?;
        if !folder.has_splits() {
            let faces = folder.load(FaceSplit::Train, None, Some(settings.subjects()))?;
            return Ok(Self::Folder(faces));
        }
        let subset = settings.test_subset.as_deref();
        Ok(Self::Splits([
            folder.load(FaceSplit::Train, None, None)?,
            folder.load(FaceSplit::Val, None, None)?,
            folder.load(FaceSplit::Test, subset, None)?,
        ]))
    }

    pub(crate) fn pools(&self) -> FacePools<'_> {
        match self {
            Self::Synthetic(faces) | Self::Folder(faces) => FacePools::Shared(faces),
            Self::Splits([train, development, test]) => FacePools::BySplit {
                train,
                development,
                test,
            },
        }
    }

    pub(crate) fn summary(&self) -> String {
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
