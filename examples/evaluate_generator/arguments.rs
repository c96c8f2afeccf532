//! Command line.

use std::path::PathBuf;

use clap::Parser;
use fas_examples::{DeviceChoice, timestep_interval};

/// Side of all pictures, in pixels.
pub(crate) const SIZE: u32 = 64;

#[derive(Parser)]
#[command(about = "Measures identity and style of generated attacks on unseen people")]
pub(crate) struct Arguments {
    /// Generator that `train_generator` wrote.
    #[arg(long)]
    pub(crate) generator: PathBuf,
    /// Folder of faces with `index.csv`.
    #[arg(long)]
    pub(crate) faces: PathBuf,
    /// Subset of the test split whose people are edited.
    #[arg(long, default_value = "london_neutral")]
    pub(crate) subset: String,
    /// MobileFaceNet weights.
    #[arg(long)]
    pub(crate) identity_weights: PathBuf,
    /// People edited into every style.
    #[arg(long, default_value_t = 8)]
    pub(crate) people: usize,
    /// How many people come before those, so that settings can be chosen on other people than they are measured on.
    #[arg(long, default_value_t = 0)]
    pub(crate) skip_people: usize,
    /// Training steps of the independent style classifier.
    #[arg(long, default_value_t = 600)]
    pub(crate) judge_steps: usize,
    /// Start steps, separated by commas; of this and the other lists, the first value is kept while another list is
    /// gone through.
    #[arg(long, value_delimiter = ',', default_value = "999,700,400,250")]
    pub(crate) start_steps: Vec<usize>,
    /// Guidance scales, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1,2,3")]
    pub(crate) guidance: Vec<f64>,
    /// Lowest and highest timestep that guidance acts at, such as `100,600`; all if it is not given.
    #[arg(long, value_parser = timestep_interval)]
    pub(crate) guidance_interval: Option<[usize; 2]>,
    /// Scales of guidance towards the live face, separated by commas; 1 is none.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    pub(crate) content_guidance: Vec<f64>,
    /// Side, odd, in pixels, of the squares that this guidance blurs the face over.
    #[arg(long, default_value_t = 5)]
    pub(crate) content_blur: usize,
    /// Weaker generator of the same styles, to be guided away from.
    #[arg(long)]
    pub(crate) weaker: Option<PathBuf>,
    /// Scales of that guidance, separated by commas; 1 is none.
    #[arg(long, value_delimiter = ',', default_value = "1")]
    pub(crate) weaker_guidance: Vec<f64>,
    /// Scales of the noise that is started from, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "0.6,0.4,0.8,1")]
    pub(crate) temperature: Vec<f64>,
    /// Temperature of halftone prints and of displays, whose regular structure forms out of the noise; that of the
    /// others if it is not given.
    #[arg(long)]
    pub(crate) regular_temperature: Option<f64>,
    /// Network calls an image.
    #[arg(long, default_value_t = 20)]
    pub(crate) sampling_steps: usize,
    /// Last timestep, whose clean image is the result.
    #[arg(long, default_value_t = 40)]
    pub(crate) stop_step: usize,
    /// Power of the spacing of the steps: 1 is even, 2 finer at low noise.
    #[arg(long, default_value_t = 2.0)]
    pub(crate) spacing_power: f64,
    /// Stochasticity of the sampler, 0 (DDIM) to 1 (DDPM).
    #[arg(long, default_value_t = 0.0)]
    pub(crate) eta: f64,
    /// Seed of noise, captures and the judge.
    #[arg(long, default_value_t = 1000)]
    pub(crate) seed: u64,
    /// Folder for the results.
    #[arg(long, default_value = "runs/generator")]
    pub(crate) out: PathBuf,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    pub(crate) device: DeviceChoice,
}
