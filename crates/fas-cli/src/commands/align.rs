//! `fas align`: faces found and cropped, with a table of where each crop comes from.

mod detector;
mod input;
mod response;
mod table;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use fas_align::{Face, Geometry, Preset, Sampling, align};
use fas_data::{Manifest, load_rgb};
use fas_jobs::DeviceChoice;
use image::RgbImage;
use rayon::prelude::*;

use self::detector::Detector;
use self::input::{Photo, Source};
use self::table::{Outcome, Row, Settings, Table};
use crate::error::CliError;
use crate::output::{check_parent, emit_png};
use crate::progress::Progress;

const DETAILS: &str = "\
Presets:
  ag-fas    five landmarks on AG-FAS's template, 256 px (the paper has 224: --size 224)
  ssdg      five landmarks on SSDG's template with padding 0.37, 256 px
  arcface   five landmarks on ArcFace's template, 112 px
  fairface  five landmarks where FairFace crops have them, 128 px
  square    a square around the face, 1.3 times its longer side, 256 px
  none      the photo as it is; no detector is run

The largest face of a photo is taken; the column `faces` says how many there are. OUT gets a PNG file
a photo under the photo's own name, crops.csv with one row a photo (detector, score, bounds,
landmarks, scale and matrix from photo to crop; status `no_face`, `unreadable` or `refused` where
there is no crop) and, if INPUT is a manifest, manifest.csv of the crops, with detector, scale and
matrix of each, and frames.csv with a row a frame, also of those without a face; recordings that
`fas data frames` could not read keep their rows. Non-response rates (BPNRR, APNRR of ISO/IEC 30107-3)
are told by recording. A run that was interrupted goes on where it stopped; photos that are new in
INPUT are added.

Weights of the detector: `fas fetch mtcnn --out mtcnn.safetensors`, once.
Faces that were found elsewhere: --boxes FILE, CSV with the columns path,left,top,right,bottom and, if
known, score, leye_x, leye_y, reye_x, reye_y, nose_x, nose_y, lmouth_x, lmouth_y, rmouth_x, rmouth_y;
paths as below INPUT.

The exit code is 1 if any photo has no crop.

Examples:
  fas align photos/ --out crops/ --preset ag-fas --weights mtcnn.safetensors
  fas align manifest.csv --out crops/ --preset square --size 224 --weights mtcnn.safetensors
  fas align photos/ --out crops/ --preset square --boxes boxes.csv";

/// Find faces and crop them as published systems do.
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Align {
    /// A folder of photos, or a manifest.
    #[arg(value_name = "INPUT")]
    input: PathBuf,
    /// Folder to write to.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// How to crop.
    #[arg(long, value_parser = parse_preset)]
    preset: Preset,
    /// Side of the crops in pixels, 16 to 2048; that of the preset's source unless given.
    #[arg(long, value_name = "PIXELS", value_parser = clap::value_parser!(u32).range(16..=2048))]
    size: Option<u32>,
    /// How pixels are read: `averaged` skips none when a photo is reduced, `bilinear` is what the
    /// released codes do.
    #[arg(long, value_enum, default_value = "averaged")]
    sampling: SamplingChoice,
    /// Weights of the detector, from `fas fetch mtcnn`.
    #[arg(long, value_name = "FILE", conflicts_with = "boxes")]
    weights: Option<PathBuf>,
    /// Faces that were found elsewhere.
    #[arg(long, value_name = "FILE")]
    boxes: Option<PathBuf>,
    /// Side of the smallest face to find, pixels.
    #[arg(long, value_name = "PIXELS", default_value_t = 20, value_parser = clap::value_parser!(u32).range(12..))]
    min_face: u32,
    /// Photos that are detected together.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=256))]
    batch: u32,
    /// Where the detector runs.
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum SamplingChoice {
    Averaged,
    Bilinear,
}

fn parse_preset(name: &str) -> Result<Preset, String> {
    name.parse()
        .map_err(|error: fas_align::AlignError| error.to_string())
}

impl Align {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        check_parent(&self.out)?;
        let source = Source::read(&self.input)?;
        let photos = source.photos()?;
        let frames = match &source {
            Source::Manifest(manifest) => response::read(manifest)?,
            Source::Folder(_) => Vec::new(),
        };
        let detector = Detector::new(self)?;
        let size = self.size.unwrap_or(self.preset.default_size());
        let sampling = match self.sampling() {
            Sampling::Averaged => "averaged",
            Sampling::Bilinear => "bilinear",
        };
        let settings = Settings([
            detector.name(),
            self.preset.to_string(),
            size.to_string(),
            sampling.to_owned(),
        ]);
        let mut table = Table::open(&self.out, settings)?;
        let missing: Vec<&Photo> = photos.iter().filter(|p| !table.has(&p.name)).collect();
        let found = photos.len() - missing.len();
        if found > 0 {
            eprintln!("{found} of {} photos are done already", photos.len());
        }

        let geometry = self.preset.geometry(size);
        let progress = Progress::of_steps("aligning", missing.len());
        for batch in missing.chunks(self.batch as usize) {
            let rows = self.align_batch(batch, &detector, &geometry)?;
            table.append(rows)?;
            batch.iter().for_each(|_| progress.step());
        }
        drop(progress);

        let names: Vec<&str> = photos.iter().map(|photo| photo.name.as_str()).collect();
        let failed = table.finish(&names)?;
        if let Source::Manifest(manifest) = &source {
            self.write_manifest(manifest, &table)?;
            response::write(&self.out, manifest, &frames, &table)?;
        }
        if failed == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        eprintln!(
            "{failed} of {} photos have no crop; crops.csv says why",
            photos.len()
        );
        Ok(ExitCode::FAILURE)
    }

    fn sampling(&self) -> Sampling {
        match self.sampling {
            SamplingChoice::Averaged => Sampling::Averaged,
            SamplingChoice::Bilinear => Sampling::Bilinear,
        }
    }

    /// Rows of some photos, whose crops are written.
    fn align_batch(
        &self,
        batch: &[&Photo],
        detector: &Detector,
        geometry: &Geometry,
    ) -> Result<Vec<Row>, CliError> {
        let loaded: Vec<Result<RgbImage, String>> = batch
            .par_iter()
            .map(|photo| load_rgb(&photo.path).map_err(|error| error.to_string()))
            .collect();
        let mut images: Vec<RgbImage> = Vec::new();
        let mut names: Vec<&str> = Vec::new();
        for (image, photo) in loaded.iter().zip(batch) {
            if let Ok(image) = image {
                images.push(image.clone());
                names.push(&photo.name);
            }
        }
        let mut faces = detector.detect(&names, &images).into_iter();
        let tasks: Vec<_> = batch
            .iter()
            .zip(loaded)
            .map(|(photo, image)| {
                let faces = if image.is_ok() { faces.next() } else { None };
                (*photo, image, faces.unwrap_or_default())
            })
            .collect();
        tasks
            .into_par_iter()
            .map(|(photo, image, faces)| self.crop(photo, image, &faces, geometry))
            .collect()
    }

    fn crop(
        &self,
        photo: &Photo,
        image: Result<RgbImage, String>,
        faces: &[Face],
        geometry: &Geometry,
    ) -> Result<Row, CliError> {
        let row = |face: Option<Face>, outcome: Outcome| Row {
            name: photo.name.clone(),
            faces: faces.len(),
            face,
            outcome,
        };
        let image = match image {
            Ok(image) => image,
            Err(error) => return Ok(row(None, Outcome::Unreadable(error))),
        };
        let Some(face) = Face::largest(faces).copied() else {
            return Ok(row(None, Outcome::NoFace));
        };
        let crop = match align(&image, &face, geometry, self.sampling()) {
            Ok(crop) => crop,
            Err(error) => return Ok(row(Some(face), Outcome::Refused(error.to_string()))),
        };
        emit_png(&self.out.join(photo.crop_name()), &crop.image)?;
        let outcome = Outcome::Crop {
            path: photo.crop_name(),
            to_crop: crop.to_crop.matrix(),
            scale: crop.to_crop.scale(),
        };
        Ok(row(Some(face), outcome))
    }

    /// The samples that have a crop, with the crop as their image.
    fn write_manifest(&self, manifest: &Manifest, table: &Table) -> Result<(), CliError> {
        let samples = manifest
            .samples()
            .iter()
            .filter_map(|sample| {
                let name = input::name_of(&sample.path);
                let mut sample = sample.clone();
                sample.path = PathBuf::from(table.path_of(&name)?);
                sample.crop = table.crop_of(&name);
                Some(sample)
            })
            .collect();
        Ok(Manifest::new(&self.out, samples)?.write(self.out.join("manifest.csv"))?)
    }
}

fn make_folder(folder: &Path) -> Result<(), CliError> {
    std::fs::create_dir_all(folder).map_err(|source| CliError::Write {
        what: folder.display().to_string(),
        source,
    })
}
