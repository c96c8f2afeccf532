//! DiffFAS, figure 5: what patches and attention each do for the fusion of styles.
//!
//! ```text
//! cargo run --release --example difffas_figure_5 -- --faces FOLDER \
//!     --identity-weights mobilefacenet.safetensors
//! ```
//!
//! Expected: one row a fusion, and a grid of pictures. Four generators learn the eight styles of sim-C from
//! the same triplets in the same steps; edits of people of the London Set are judged by an independent
//! style classifier, by MobileFaceNet and by BRISQUE.
//! Measured: patches help, attention does not within 500 steps (docs/results.md). Half an hour of
//! processor time.

use std::path::PathBuf;

use clap::Parser;
use fas_diffusion::{GeneratorConfig, SpreadStatistic, StatisticMatching, StyleFusionForm};
use fas_examples::{GeneratorStudyArguments, GeneratorVariant, compare_generators};

/// Larger than any map that is fused.
const WHOLE_MAP: usize = 256;

#[derive(Debug, Parser)]
#[command(about = "Fusions of style with and without patches and attention")]
struct Arguments {
    #[command(flatten)]
    study: GeneratorStudyArguments,
    /// Folder for the results.
    #[arg(long, default_value = "runs/difffas_figure_5")]
    out: PathBuf,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let variants = [
        GeneratorVariant::new("AdaIN-like", |config| whole_map(same_place(config))),
        GeneratorVariant::new("patch-wise", same_place),
        GeneratorVariant::new("STFM without patches", whole_map),
        GeneratorVariant::new("STFM", |config| config),
    ];
    let title = "Fusion of styles (DiffFAS, figure 5)";
    compare_generators(&arguments.study, title, &variants, &arguments.out)
}

/// Statistics of the style at the same place, as AdaIN takes them: means and standard deviations, no
/// attention.
fn same_place(mut config: GeneratorConfig) -> GeneratorConfig {
    let form = StyleFusionForm::paper().with_matching(StatisticMatching::SamePlace);
    config.unet = config
        .unet
        .with_fusion_form(form)
        .with_spread(SpreadStatistic::StandardDeviation);
    config
}

fn whole_map(mut config: GeneratorConfig) -> GeneratorConfig {
    config.unet = config
        .unet
        .with_mean_patch(WHOLE_MAP)
        .with_spread_patch(WHOLE_MAP);
    config
}
