//! `fas weights`: networks of other programs in, ours out.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use burn::config::Config;
use clap::{ArgGroup, Args, Subcommand, ValueEnum};
use fas_classify::Detector;
use fas_diffusion::{Generator, GeneratorConfig, GeneratorNetworks};
use fas_jobs::DeviceChoice;
use fas_weights::{StoredFloat, Weights, read_checkpoint};

use super::storage::{Storage, stored_float};
use crate::error::CliError;
use crate::output::check_file;

const IMPORT_DETAILS: &str = "\
The U-Net's file is a checkpoint of the released training script (a dictionary with `model` and `ema`), the style
encoder's the whole module that it saves; safetensors files under the same names do as well. Pickled code is
never executed. Everything that is missing, unused or of another shape is listed, and nothing is written then.

Note the domains it was trained on: without them `fas generate` cannot tell what it would leak.

Examples:
  fas weights import --unet model_010000.pt --style-encoder encoder.pt --out generator.safetensors \\
      --note training_domains=O,C,I
  fas weights import --unet unet.safetensors --style-encoder encoder.safetensors --config generator.json \\
      --out generator.safetensors";

const EXPORT_DETAILS: &str = "\
Writes safetensors files with other programs' names and layouts: of a generator those of the released DiffFAS
code, weights that take no part in anything as zeros, so that its strict `load_state_dict` takes them; of a
detector the backbone, without head, as torchvision (ResNet) or timm (MobileViT) have it. The small
generator has parts that the released code lacks, and is refused.

Examples:
  fas weights export generator.safetensors --unet unet.safetensors --style-encoder encoder.safetensors
  fas weights export detector.safetensors --backbone resnet18.safetensors";

const CONVERT_DETAILS: &str = "\
Names and numbers stay as they are. Pickled code is never executed.

Example:
  fas weights convert resnet18-f37072fd.pth --out resnet18.safetensors";

/// Read and write weights of other programs.
#[derive(Debug, Args)]
pub(crate) struct WeightFiles {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    Import(Import),
    Export(Export),
    Convert(Convert),
}

impl WeightFiles {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        match &self.action {
            Action::Import(action) => action.run(),
            Action::Export(action) => action.run(),
            Action::Convert(action) => action.run(),
        }?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Make a generator of checkpoints of the released DiffFAS code.
#[derive(Debug, Args)]
#[command(after_help = IMPORT_DETAILS, group = ArgGroup::new("architecture").args(["network", "config"]))]
struct Import {
    /// Checkpoint of the U-Net (.pt, .pth or safetensors).
    #[arg(long, value_name = "FILE")]
    unet: PathBuf,
    /// Which weights of a PyTorch checkpoint.
    #[arg(long, default_value = "ema")]
    key: String,
    /// The style encoder (.pt, .pth or safetensors).
    #[arg(long, value_name = "FILE")]
    style_encoder: PathBuf,
    /// The generator (safetensors).
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Architecture of the files.
    #[arg(long, value_enum, default_value = "released")]
    network: Architecture,
    /// Architecture as JSON: the field `generator_config` in the header of a generator.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    #[command(flatten)]
    storage: Storage,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Architecture {
    /// As the released code runs it.
    Released,
    /// As the paper's text has it.
    Paper,
}

impl Import {
    fn run(&self) -> Result<(), CliError> {
        check_file(Some(&self.out))?;
        let encoder = read_checkpoint(&self.style_encoder, None)?;
        let unet = read_checkpoint(&self.unet, Some(self.key.as_str()))?;
        let generator = self
            .architecture(&encoder)?
            .init(&DeviceChoice::Flex.device()?);
        let networks = generator.networks().clone();
        let networks = GeneratorNetworks {
            unet: networks.unet.load_reference(unet, &self.unet)?,
            style_encoder: networks
                .style_encoder
                .load_reference(encoder, &self.style_encoder)?,
        };
        let mut notes = self.storage.card([]);
        let source = format!("{}, {} of it", self.unet.display(), self.key);
        notes.insert("imported_from".to_owned(), source);
        generator
            .with_networks(networks)
            .save(&self.out, self.storage.precision(), &notes)?;
        println!("{}", self.out.display());
        Ok(())
    }

    /// The number of styles is that of the encoder's classes.
    fn architecture(&self, encoder: &Weights) -> Result<GeneratorConfig, CliError> {
        if let Some(path) = &self.config {
            return GeneratorConfig::load(path).map_err(|error| CliError::Place {
                path: path.clone(),
                reason: format!("it is no generator's configuration: {error}"),
            });
        }
        let classes = encoder.tensors.get("fc.weight").map(|(shape, _)| shape[0]);
        let classes = classes.ok_or_else(|| CliError::Option {
            option: "--style-encoder",
            reason: format!(
                "{} has no `fc.weight`, so it is no style encoder of the released code",
                self.style_encoder.display()
            ),
        })?;
        Ok(match self.network {
            Architecture::Released => GeneratorConfig::released(classes),
            Architecture::Paper => GeneratorConfig::paper(classes),
        })
    }
}

/// Write a generator or a detector's backbone under the names of other programs.
#[derive(Debug, Args)]
#[command(after_help = EXPORT_DETAILS, group = ArgGroup::new("what").args(["unet", "backbone"]).required(true))]
struct Export {
    /// A generator, or a detector.
    model: PathBuf,
    /// File for the generator's U-Net (safetensors).
    #[arg(long, value_name = "FILE", requires = "style_encoder")]
    unet: Option<PathBuf>,
    /// File for the generator's style encoder (safetensors).
    #[arg(long, value_name = "FILE", requires = "unet")]
    style_encoder: Option<PathBuf>,
    /// File for the detector's backbone (safetensors).
    #[arg(long, value_name = "FILE")]
    backbone: Option<PathBuf>,
}

impl Export {
    fn run(&self) -> Result<(), CliError> {
        for file in [&self.unet, &self.style_encoder, &self.backbone] {
            check_file(file.as_deref())?;
        }
        if let (Some(unet_file), Some(encoder_file)) = (&self.unet, &self.style_encoder) {
            let (generator, _) = Generator::load(&self.model, &DeviceChoice::Flex.device()?)?;
            let unet = generator.networks().unet.reference_weights()?;
            let encoder = generator.networks().style_encoder.reference_weights()?;
            save(&unet, unet_file)?;
            save(&encoder, encoder_file)?;
        }
        if let Some(file) = &self.backbone {
            let detector = Detector::load(&self.model, &DeviceChoice::Flex.device()?)?;
            save(&detector.classifier().backbone().reference_weights(), file)?;
        }
        Ok(())
    }
}

/// Write the tensors of a PyTorch checkpoint as safetensors.
#[derive(Debug, Args)]
#[command(after_help = CONVERT_DETAILS)]
struct Convert {
    /// The checkpoint (.pt, .pth).
    checkpoint: PathBuf,
    /// Which entry of it holds the weights; the whole if not given.
    #[arg(long)]
    key: Option<String>,
    /// The tensors (safetensors).
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Store them in 16 bits.
    #[arg(long)]
    half: bool,
}

impl Convert {
    fn run(&self) -> Result<(), CliError> {
        check_file(Some(&self.out))?;
        let weights = read_checkpoint(&self.checkpoint, self.key.as_deref())?;
        weights.save(&self.out, stored_float(self.half))?;
        println!("{}: {} tensors", self.out.display(), weights.tensors.len());
        Ok(())
    }
}

fn save(weights: &Weights, path: &Path) -> Result<(), CliError> {
    weights.save(path, StoredFloat::F32)?;
    println!("{}: {} tensors", path.display(), weights.tensors.len());
    Ok(())
}
