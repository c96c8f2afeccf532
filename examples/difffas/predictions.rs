//! DiffFAS, section 3.2: what the network predicts, noise (the paper), velocity or the residual to a denoiser
//! that starts from the live face.
//!
//! ```text
//! cargo run --release --example difffas_predictions -- --faces FOLDER \
//!     --identity-weights mobilefacenet.safetensors --start 999,500
//! ```
//!
//! Expected: one row a form and a start step, and a grid of pictures, judged as in figure 5. The errors of
//! the clean image, by timestep, are of the same thing in each form; the losses are not.
//! Measured: the live-centred form is ahead from step 250 up (docs/results.md). 47 minutes on one shared core.

use std::path::PathBuf;

use clap::Parser;
use fas_diffusion::Prediction;
use fas_examples::{GeneratorStudyArguments, GeneratorVariant, compare_generators};

#[derive(Debug, Parser)]
#[command(about = "Prediction of noise, of velocity and of a residual centred on the live face")]
struct Arguments {
    #[command(flatten)]
    study: GeneratorStudyArguments,
    /// Folder for the results.
    #[arg(long, default_value = "runs/difffas_predictions")]
    out: PathBuf,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let variants = [
        GeneratorVariant::new("noise", |config| config.with_prediction(Prediction::Noise)),
        GeneratorVariant::new("velocity", |config| {
            config.with_prediction(Prediction::Velocity)
        }),
        GeneratorVariant::new("live-centred", |config| {
            config.with_prediction(Prediction::live_centred())
        }),
    ];
    let title = "What the network predicts (DiffFAS, section 3.2)";
    compare_generators(&arguments.study, title, &variants, &arguments.out)
}
