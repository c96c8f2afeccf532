//! Whose faces are simulated: those of a folder of images, or of synthetic people.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use clap::{ArgGroup, Args, ValueEnum};
use fas_data::{DataError, center_square, list_images, load_rgb};
use fas_sim::{Face, FaceModel};
use rayon::prelude::*;

use crate::error::CliError;
use crate::progress::Progress;

/// Each seed has this many synthetic people of its own.
const PEOPLE_A_SEED: u64 = 1 << 20;

/// A folder of images, or a number of synthetic people.
#[derive(Debug, Args)]
#[command(group = ArgGroup::new("people").required(true).args(["faces", "synthetic"]))]
pub(super) struct FaceSource {
    /// Folder of face images; folders below it are searched too.
    faces: Option<PathBuf>,
    /// Draw this many synthetic people instead of reading faces.
    #[arg(
        long,
        value_name = "N",
        value_parser = clap::value_parser!(u64).range(1..=PEOPLE_A_SEED),
        conflicts_with_all = ["subject_by", "skip_unreadable"]
    )]
    synthetic: Option<u64>,
    /// Who is in an image; needed when folders or names leave it open.
    #[arg(long, value_enum)]
    subject_by: Option<SubjectBy>,
    /// Leave images out that cannot be read, with a warning each.
    #[arg(long)]
    skip_unreadable: bool,
}

/// Who is in an image.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum SubjectBy {
    /// Each image shows another person.
    File,
    /// The images of one folder show one person.
    Folder,
    /// Images whose names are the same up to the first `_` show one person.
    Prefix,
}

impl FaceSource {
    /// Side of a synthetic face in pixels.
    pub(super) const SYNTHETIC_SIZE: u32 = 64;

    pub(super) fn is_synthetic(&self) -> bool {
        self.synthetic.is_some()
    }

    /// The faces; of a synthetic person as many as there are `captures` with each presentation.
    pub(super) fn load(&self, captures: u32, seed: u64) -> Result<Vec<Face>, CliError> {
        match (self.synthetic, &self.faces) {
            (Some(people), _) => draw_people(people, captures, seed),
            (None, Some(folder)) => self.load_folder(folder),
            (None, None) => unreachable!("the arguments need one of the two"),
        }
    }

    fn load_folder(&self, folder: &Path) -> Result<Vec<Face>, CliError> {
        let paths = {
            let _progress = Progress::of_unknown_length("looking for faces");
            list_images(folder)?
        };
        let subject_by = match self.subject_by {
            Some(subject_by) => subject_by,
            None => guess_subject_by(folder, &paths)?,
        };
        let progress = Progress::of_steps("reading faces", paths.len());
        let loaded: Vec<Result<Face, DataError>> = paths
            .par_iter()
            .map(|path| {
                let face = load_rgb(path).map(|image| {
                    let subject = subject_of(folder, path, subject_by);
                    Face::from_aligned(center_square(&image), subject)
                });
                progress.step();
                face
            })
            .collect();
        drop(progress);
        self.readable(loaded)
    }

    fn readable(&self, loaded: Vec<Result<Face, DataError>>) -> Result<Vec<Face>, CliError> {
        let total = loaded.len();
        let (mut faces, mut errors) = (Vec::new(), Vec::new());
        for face in loaded {
            match face {
                Ok(face) => faces.push(face),
                Err(error) => errors.push(error),
            }
        }
        if self.skip_unreadable {
            for error in errors.drain(..) {
                eprintln!("warning: left out: {error}");
            }
        }
        let count = errors.len();
        match errors.into_iter().next() {
            None => Ok(faces),
            Some(first) => Err(CliError::UnreadableFaces {
                count,
                total,
                first: Box::new(first),
            }),
        }
    }
}

/// Synthetic people. Those of another seed are other people, under other names.
fn draw_people(people: u64, captures: u32, seed: u64) -> Result<Vec<Face>, CliError> {
    let model = FaceModel::bundled()?;
    let first = seed.wrapping_mul(PEOPLE_A_SEED);
    let progress = Progress::of_steps("drawing people", people as usize);
    Ok((0..people)
        .into_par_iter()
        .flat_map_iter(|person| {
            progress.step();
            let subject_seed = first.wrapping_add(person);
            (0..captures).map(move |capture| model.sample(subject_seed, capture.into()))
        })
        .collect())
}

/// By file, unless a person may be in several: images in folders below, or names that begin
/// alike, as `007_neutral` and `007_smiling` do.
fn guess_subject_by(folder: &Path, paths: &[PathBuf]) -> Result<SubjectBy, CliError> {
    let unclear = |reason| {
        Err(CliError::UnclearSubjects {
            folder: folder.to_owned(),
            reason,
        })
    };
    if paths.iter().any(|path| path.parent() != Some(folder)) {
        return unclear("images lie in folders below".to_owned());
    }
    let mut seen = BTreeMap::new();
    for path in paths {
        let prefix = subject_of(folder, path, SubjectBy::Prefix);
        if let Some(other) = seen.insert(prefix, path) {
            return unclear(format!(
                "`{}` and `{}` may show one person",
                other.display(),
                path.display()
            ));
        }
    }
    Ok(SubjectBy::File)
}

/// Name of the person: path of the image below the folder of faces without its extension, of its
/// folder, or of the image up to the first `_` of its name.
fn subject_of(root: &Path, image: &Path, subject_by: SubjectBy) -> String {
    let below = image.strip_prefix(root).unwrap_or(image);
    let named = match subject_by {
        SubjectBy::File => below.with_extension(""),
        SubjectBy::Folder => below.parent().unwrap_or(below).to_owned(),
        SubjectBy::Prefix => {
            let stem = below.file_stem().unwrap_or_default().to_string_lossy();
            let prefix = stem.split('_').next().unwrap_or_default();
            below.with_file_name(prefix)
        }
    };
    named.to_string_lossy().replace('\\', "/")
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn subjects_are_named_by_file_folder_or_prefix() {
        let (root, image) = (Path::new("faces"), Path::new("faces/ann/1.png"));
        assert_eq!(subject_of(root, image, SubjectBy::File), "ann/1");
        assert_eq!(subject_of(root, image, SubjectBy::Folder), "ann");
        let image = Path::new("faces/london/007_smiling_2.jpg");
        assert_eq!(subject_of(root, image, SubjectBy::Prefix), "london/007");
    }

    #[test]
    fn synthetic_people_have_their_captures_and_seeds_their_people() {
        let subjects = |faces: &[Face]| -> BTreeSet<String> {
            faces.iter().map(|face| face.subject.clone()).collect()
        };
        let faces = draw_people(3, 2, 5).unwrap();
        assert_eq!(faces.len(), 6);
        let model = FaceModel::bundled().unwrap();
        assert_eq!(faces[3], model.sample((5 << 20) + 1, 1));
        assert_eq!(faces[0].image.width(), FaceSource::SYNTHETIC_SIZE);
        let others = draw_people(3, 2, 6).unwrap();
        assert_eq!(subjects(&faces).len(), 3);
        assert!(subjects(&faces).is_disjoint(&subjects(&others)));
        assert_eq!(draw_people(2, 1, u64::MAX).unwrap().len(), 2);
    }
}
