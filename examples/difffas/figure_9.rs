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
//! Measured: 250 steps are too few to choose by (docs/results.md). Nine minutes on one busy core.

use std::path::PathBuf;

use clap::Parser;
use fas_examples::{FusionArguments, FusionVariant, compare_fusions};

#[derive(Debug, Parser)]
#[command(about = "Patch sides of STFM")]
struct Arguments {
    #[command(flatten)]
    study: FusionArguments,
    /// Folder for the results.
    #[arg(long, default_value = "runs/difffas_figure_9")]
    out: PathBuf,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let variants = [
        FusionVariant::new("means 2, spreads 2", |unet| {
            unet.with_mean_patch(2).with_spread_patch(2)
        }),
        FusionVariant::new("means 2, spreads 6", |unet| {
            unet.with_mean_patch(2).with_spread_patch(6)
        }),
        FusionVariant::new("means 6, spreads 2", |unet| {
            unet.with_mean_patch(6).with_spread_patch(2)
        }),
        FusionVariant::new("means 6, spreads 6", |unet| {
            unet.with_mean_patch(6).with_spread_patch(6)
        }),
    ];
    let title = "Patch sides of STFM (DiffFAS, figure 9)";
    compare_fusions(&arguments.study, title, &variants, &arguments.out)
}
