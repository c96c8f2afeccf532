//! `fas cue`: the anomalous cue of each face, and a picture of it (AG-FAS, figure 3).

use std::path::PathBuf;
use std::process::ExitCode;

use burn::tensor::Tensor;
use clap::Args;
use fas_dfg::CueStoreConfig;
use fas_jobs::{images_to_tensor, tensor_to_images};
use fas_report::{Grid, GridRow, HeatMap, colour_bar};
use image::RgbImage;

use super::despoofing::{Despoofing, NamedFaces, make_folder, write_png};
use crate::error::CliError;
use crate::output::{check_file, check_parent, emit};
use crate::progress::Progress;

const DETAILS: &str = "\
A cue is the face minus the de-spoofed face, both in [-1, 1]. It is stored as safetensors with 16-bit
floats, in a folder named by the hash of the generator, the options and the seed, under the hash of the
picture: a second run computes nothing again.

Examples:
  fas cue faces/ --generator dfg.safetensors --out cues/
  fas cue faces/ --generator dfg.safetensors --out cues/ --heatmap cues.png > energies.csv";

/// Compute the anomalous cue of faces: what a De-spoofing Face Generator changes in them (AG-FAS).
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Cue {
    #[command(flatten)]
    despoofing: Despoofing,
    /// Folder for the cues.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// PNG with input, de-spoofed face and residual of every image, on one scale.
    #[arg(long, value_name = "FILE")]
    heatmap: Option<PathBuf>,
    /// Store 32-bit floats.
    #[arg(long)]
    full: bool,
}

impl Cue {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        check_parent(&self.out)?;
        check_file(self.heatmap.as_deref())?;
        let generator = self.despoofing.generator()?;
        let input = self.despoofing.faces(generator.config().image_size)?;
        make_folder(&self.out)?;
        let store = CueStoreConfig::new(self.despoofing.config())
            .with_seed(self.despoofing.seed)
            .with_half(!self.full)
            .init(generator, &self.out);
        let progress = Progress::of_steps("computing cues", input.faces.len());
        let mut rows = String::from("image,mean_absolute_cue\n");
        let mut shown = Vec::new();
        for (names, faces) in input.names.chunks(16).zip(input.faces.chunks(16)) {
            let cues = store.cues(faces)?;
            let residuals = residual_maps(cues.clone());
            for (name, map) in names.iter().zip(&residuals) {
                rows += &format!("{},{:.6}\n", quoted(name), map.mean());
                progress.step();
            }
            if self.heatmap.is_some() {
                let batch = images_to_tensor(faces, store.generator().device());
                shown.extend(tensor_to_images(batch - cues).into_iter().zip(residuals));
            }
        }
        if let Some(path) = &self.heatmap {
            write_png(&figure(&input, shown)?, path)?;
        }
        emit(None, rows.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// A CSV field.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// Absolute cue of one face, the mean over its planes.
fn residual_maps(cues: Tensor<4>) -> Vec<HeatMap> {
    let [_, _, height, width] = cues.dims();
    let values: Vec<f32> = cues.abs().mean_dim(1).into_data().iter::<f32>().collect();
    values
        .chunks_exact(height * width)
        .map(|map| HeatMap::new(map.to_vec(), width as u32, height as u32))
        .collect()
}

/// Input, de-spoofed face and residual, a row an image, and the bar of the one scale.
fn figure(input: &NamedFaces, shown: Vec<(RgbImage, HeatMap)>) -> Result<RgbImage, CliError> {
    let top = shown
        .iter()
        .map(|(_, map)| map.largest())
        .fold(0.0, f32::max);
    let mut rows: Vec<GridRow> = input
        .names
        .iter()
        .zip(&input.faces)
        .zip(shown)
        .map(|((name, face), (despoofed, map))| {
            GridRow::new(name, vec![face.clone(), despoofed, map.to_image(top)])
        })
        .collect();
    let paper = RgbImage::from_pixel(160, 24, image::Rgb([255; 3]));
    let bar = vec![paper.clone(), paper, colour_bar(160, 24)];
    let captions = vec![String::new(), String::new(), format!("0 to {top:.2}")];
    rows.push(GridRow::new("scale", bar).with_captions(captions));
    let columns = ["input", "de-spoofed", "residual"];
    Ok(Grid::new(rows).with_columns(columns).to_image()?)
}
