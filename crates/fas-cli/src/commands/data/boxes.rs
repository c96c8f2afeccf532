//! `fas data boxes`: face boxes that come with a data set, in the form of `fas align --boxes`.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use fas_data::{Dataset, Recording, parse_celeba_box};
use rayon::prelude::*;

use super::source::{Source, recordings_of};
use crate::error::CliError;
use crate::output::{check_file, emit};
use crate::progress::Progress;

const DETAILS: &str = "\
CelebA-Spoof has a file {id}_BB.txt beside each image, measured in an image of 224 x 224; here boxes are in pixels
of the image itself, what leaves it is cut off. Images without a usable box (some files are empty, some boxes lie
outside) are left out, and `fas align` gives them the status `no_face`.

Paths are those of the frames that `fas data frames` writes, for `fas align frames/manifest.csv`; with --photos those
below the root, for `fas align ROOT`.

Examples:
  fas data boxes celeba_spoof --index celeba.csv --out boxes.csv
  fas align frames/manifest.csv --boxes boxes.csv --preset square --out crops/";

/// Write the face boxes that come with a data set, for `fas align --boxes`.
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Boxes {
    #[command(flatten)]
    source: Source,
    /// Index file; recordings of other data sets are left out.
    #[arg(long, value_name = "FILE")]
    index: PathBuf,
    /// Name the photos below the root, not their frames.
    #[arg(long)]
    photos: bool,
    /// Boxes to write (CSV).
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
}

impl Boxes {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        check_file(Some(&self.out))?;
        let source = self.source.open()?;
        if source.dataset() != Some(Dataset::CelebaSpoof) {
            return Err(CliError::Option {
                option: "DATASET",
                reason: format!(
                    "{} has no face boxes that are read here; celeba_spoof has",
                    source.name()
                ),
            });
        }
        let recordings = recordings_of(&source, &self.index)?;
        let progress = Progress::of_steps("reading boxes", recordings.len());
        let rows: Vec<Option<[String; 6]>> = recordings
            .par_iter()
            .map(|recording| {
                let row = self.row(source.root(), recording);
                progress.step();
                row
            })
            .collect();
        drop(progress);
        let mut list = csv::Writer::from_writer(Vec::new());
        let header = ["path", "left", "top", "right", "bottom", "score"];
        list.write_record(header).expect("writing to memory");
        for row in rows.iter().flatten() {
            list.write_record(row).expect("writing to memory");
        }
        let list = list.into_inner().expect("writing to memory");
        emit(Some(&self.out), &list)?;
        let without = rows.iter().filter(|row| row.is_none()).count();
        eprintln!(
            "{} boxes in {}, {without} images have none that is usable",
            rows.len() - without,
            self.out.display()
        );
        Ok(ExitCode::SUCCESS)
    }

    /// The box of one image; `None` where the file or the image cannot be read, or the box is no box.
    fn row(&self, root: &Path, recording: &Recording) -> Option<[String; 6]> {
        let photo = root.join(&recording.path);
        let stem = photo.file_stem()?.to_str()?;
        let text = fs::read_to_string(photo.with_file_name(format!("{stem}_BB.txt"))).ok()?;
        let (width, height) = size_of(&photo).ok()?;
        let face = parse_celeba_box(&text, width, height)?;
        let name = if self.photos {
            recording.path.clone()
        } else {
            super::frames::path_of(recording, 0)
        };
        let bounds = [
            face.x,
            face.y,
            face.x + face.width,
            face.y + face.height,
            face.score,
        ];
        let [left, top, right, bottom, score] = bounds.map(|number| number.to_string());
        Some([name, left, top, right, bottom, score])
    }
}

/// Width and height by the image's own header, whatever its name says.
fn size_of(photo: &Path) -> image::ImageResult<(u32, u32)> {
    image::ImageReader::open(photo)?
        .with_guessed_format()?
        .into_dimensions()
}
