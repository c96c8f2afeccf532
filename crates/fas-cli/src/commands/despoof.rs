//! `fas despoof`: the bona fide version of each face.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use fas_dfg::content_hash;
use fas_jobs::{images_to_tensor, tensor_to_images};

use super::despoofing::{Despoofing, make_folder, write_png};
use crate::error::CliError;
use crate::output::check_parent;
use crate::progress::Progress;

const DETAILS: &str = "\
Examples:
  fas despoof faces/ --generator dfg.safetensors --out despoofed/
  fas despoof face.png --generator dfg.safetensors --out despoofed/ --start 500 --steps 20
  fas despoof face.png --generator dfg.safetensors --out despoofed/ --pure-noise";

/// Turn faces into bona fide faces of the same people, by a De-spoofing Face Generator (AG-FAS).
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Despoof {
    #[command(flatten)]
    despoofing: Despoofing,
    /// Folder for the results: a PNG an image, under the image's name.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
}

impl Despoof {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        check_parent(&self.out)?;
        let generator = self.despoofing.generator()?;
        let input = self.despoofing.faces(generator.config().image_size)?;
        make_folder(&self.out)?;
        let config = self.despoofing.config();
        let progress = Progress::of_steps("de-spoofing", input.faces.len());
        for (names, faces) in input.names.chunks(16).zip(input.faces.chunks(16)) {
            let ids: Vec<String> = faces.iter().map(content_hash).collect();
            let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
            let batch = images_to_tensor(faces, generator.device());
            let despoofed = generator.despoof(batch, &ids, self.despoofing.seed, &config);
            for (name, image) in names.iter().zip(tensor_to_images(despoofed)) {
                write_png(&image, &self.out.join(format!("{name}.png")))?;
                progress.step();
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}
