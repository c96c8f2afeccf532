//! What `fas despoof` and `fas cue` share: images, generator and how it is used.

use std::collections::HashSet;
use std::path::{Path, PathBuf};

use clap::Args;
use fas_data::{center_square, list_images, load_rgb, resize};
use fas_dfg::{
    DespoofingConfig, DespoofingGenerator, DespoofingGrid, DespoofingSolver, DespoofingStart,
};
use fas_jobs::DeviceChoice;
use image::{ImageFormat, RgbImage};

use super::generate::Solver;
use crate::error::CliError;
use crate::output::emit;

/// Images and the generator that de-spoofs them.
#[derive(Debug, Args)]
pub(super) struct Despoofing {
    /// Face images, or folders of them; the middle square of each is taken.
    #[arg(required = true, value_name = "IMAGES")]
    paths: Vec<PathBuf>,
    /// Weights of a De-spoofing Face Generator.
    #[arg(long, value_name = "FILE")]
    generator: PathBuf,
    /// Noise level that the input is noised to, of the 1000 of its training.
    #[arg(long, value_name = "STEP", default_value_t = 300)]
    start: usize,
    /// Start from pure noise, as the paper does: identity alone is kept.
    #[arg(long, conflicts_with = "start")]
    pure_noise: bool,
    /// Steps of the sampler.
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u64).range(1..=1000))]
    steps: u64,
    /// Solver.
    #[arg(long, value_enum, default_value = "ddim")]
    sampler: Solver,
    /// Seed of the noise; a face's own noise comes from it and from its pixels.
    #[arg(long, default_value_t = 0)]
    pub(super) seed: u64,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
}

/// Faces of the generator's size, under names that do not repeat.
pub(super) struct NamedFaces {
    pub(super) names: Vec<String>,
    pub(super) faces: Vec<RgbImage>,
}

impl Despoofing {
    /// The generator.
    pub(super) fn generator(&self) -> Result<DespoofingGenerator, CliError> {
        let device = self.device.device()?;
        let (generator, _) = DespoofingGenerator::load(&self.generator, &device)?;
        let levels = generator.config().schedule.num_timesteps;
        if self.start >= levels {
            return Err(CliError::Option {
                option: "--start",
                reason: format!(
                    "{} leaves the generator's {levels} noise levels; give 0 to {}",
                    self.start,
                    levels - 1
                ),
            });
        }
        Ok(generator)
    }

    /// How it is used: even steps to no noise, from the mean of the latents.
    pub(super) fn config(&self) -> DespoofingConfig {
        let (solver, grid) = match self.sampler {
            Solver::Ddim => (DespoofingSolver::Ddim, DespoofingGrid::Even),
            Solver::DpmSolver => (
                DespoofingSolver::DpmSolver,
                DespoofingGrid::LogSignalToNoise,
            ),
        };
        let config = DespoofingConfig::small(self.start, self.steps as usize)
            .with_solver(solver)
            .with_grid(grid);
        if self.pure_noise {
            config.with_start(DespoofingStart::PureNoise)
        } else {
            config
        }
    }

    /// The images, brought to `size` pixels.
    pub(super) fn faces(&self, size: usize) -> Result<NamedFaces, CliError> {
        let mut files = Vec::new();
        for path in &self.paths {
            if path.is_dir() {
                files.extend(list_images(path)?);
            } else {
                files.push(path.clone());
            }
        }
        let mut result = NamedFaces {
            names: Vec::new(),
            faces: Vec::new(),
        };
        let mut seen = HashSet::new();
        for file in files {
            let name = file
                .file_stem()
                .map(|stem| stem.to_string_lossy().into_owned())
                .unwrap_or_default();
            if !seen.insert(name.clone()) {
                return Err(CliError::NamedTwice {
                    option: "IMAGES",
                    name,
                });
            }
            let image = center_square(&load_rgb(&file)?);
            result.faces.push(resize(&image, size as u32, size as u32));
            result.names.push(name);
        }
        if result.names.is_empty() {
            return Err(CliError::NoImages);
        }
        Ok(result)
    }
}

/// Makes the folder for results, with its parents.
pub(super) fn make_folder(folder: &Path) -> Result<(), CliError> {
    std::fs::create_dir_all(folder).map_err(|source| CliError::Write {
        what: folder.display().to_string(),
        source,
    })
}

/// Writes a picture as PNG, whole or not at all.
pub(super) fn write_png(image: &RgbImage, path: &Path) -> Result<(), CliError> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, ImageFormat::Png)
        .map_err(|error| CliError::Write {
            what: path.display().to_string(),
            source: std::io::Error::other(error),
        })?;
    emit(Some(path), bytes.get_ref())
}
