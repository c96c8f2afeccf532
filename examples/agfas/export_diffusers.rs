//! AG-FAS: first stage and U-Net of a De-spoofing Face Generator, for diffusers.
//!
//! ```text
//! cargo run --release --example agfas_export_diffusers -- --generator dfg.safetensors --out exported
//! python -c "from diffusers import AutoencoderKL, UNet2DConditionModel as U; \
//!     AutoencoderKL.from_pretrained('exported/vae'); U.from_pretrained('exported/unet')"
//! ```
//!
//! Expected: the folders `vae` (of a KL autoencoder; others have no place in diffusers) and `unet`. A small
//! generator's pooled condition has no place there either: the U-Net is what it is without it.

use std::path::PathBuf;

use clap::Parser;
use fas_dfg::{DespoofingGenerator, FirstStage, FirstStageConfig};
use fas_examples::DeviceChoice;
use fas_weights::StoredFloat;

#[derive(Debug, Parser)]
#[command(about = "Writes a generator's networks for diffusers")]
struct Arguments {
    /// Generator: a file, or a folder of its parts.
    #[arg(long)]
    generator: PathBuf,
    /// Folder to write.
    #[arg(long)]
    out: PathBuf,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let device = DeviceChoice::Flex.device()?;
    let (generator, _) = DespoofingGenerator::load(&arguments.generator, &device)
        .map_err(|error| error.to_string())?;
    let (config, networks) = (generator.config(), generator.networks());
    let unet = arguments.out.join("unet");
    networks
        .denoiser
        .unet
        .save_diffusers(&config.unet, &unet, StoredFloat::F32)
        .map_err(|error| error.to_string())?;
    println!("{}", unet.display());
    if let (FirstStage::Kl(network), FirstStageConfig::Kl(config)) =
        (&networks.first_stage, &config.first_stage)
    {
        let vae = arguments.out.join("vae");
        network
            .save_diffusers(config, &vae, StoredFloat::F32)
            .map_err(|error| error.to_string())?;
        println!("{}", vae.display());
    }
    Ok(())
}
