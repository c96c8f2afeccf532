//! DiffFAS, figure 9: patch sides of STFM's means and spreads.
//!
//! ```text
//! cargo run --release --example difffas_figure_9 -- --faces FOLDER \
//!     --identity-weights mobilefacenet.safetensors
//! ```
//!
//! Expected: one row a pair of patch sides, and a grid of pictures, judged as in figure 5. The small
//! network fuses maps of 16 and 8 px, the paper's of 32, 16 and 8: patches of 6 px make a grid of 2 x 2 on the
//! larger one here, of 5 x 5 there.
//! Measured: 500 steps are too few to choose by (docs/results.md). 27 minutes of processor time.

use std::path::PathBuf;

use clap::Parser;
use fas_diffusion::GeneratorConfig;
use fas_examples::{GeneratorStudyArguments, GeneratorVariant, compare_generators};

#[derive(Debug, Parser)]
#[command(about = "Patch sides of STFM")]
struct Arguments {
    #[command(flatten)]
    study: GeneratorStudyArguments,
    /// Folder for the results.
    #[arg(long, default_value = "runs/difffas_figure_9")]
    out: PathBuf,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let variants = [
        GeneratorVariant::new("means 2, spreads 2", |config| with_patches(config, 2, 2)),
        GeneratorVariant::new("means 2, spreads 6", |config| with_patches(config, 2, 6)),
        GeneratorVariant::new("means 6, spreads 2", |config| with_patches(config, 6, 2)),
        GeneratorVariant::new("means 6, spreads 6", |config| with_patches(config, 6, 6)),
    ];
    let title = "Patch sides of STFM (DiffFAS, figure 9)";
    compare_generators(&arguments.study, title, &variants, &arguments.out)
}

fn with_patches(mut config: GeneratorConfig, mean: usize, spread: usize) -> GeneratorConfig {
    config.unet = config.unet.with_mean_patch(mean).with_spread_patch(spread);
    config
}
