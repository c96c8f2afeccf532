//! Command line of the quickstart.

use std::path::PathBuf;

use clap::Parser;
use fas_examples::DeviceChoice;

#[derive(Debug, Parser)]
#[command(about = "Faces in; generated attacks, a trained detector and a report out")]
pub(crate) struct Settings {
    /// Folder of face photos; without it synthetic identities are drawn. If it has an index with
    /// splits, people are trained on, tuned on and tested on by it.
    #[arg(long)]
    pub(crate) faces: Option<PathBuf>,
    /// Of a folder with splits, the subset whose test people are the target's.
    #[arg(long, requires = "faces")]
    pub(crate) test_subset: Option<String>,
    /// Domain that is left out of training: sim-O, sim-C, sim-I or sim-M.
    #[arg(long, default_value = "sim-O")]
    pub(crate) target: String,
    /// Seed of faces, captures, noise and training.
    #[arg(long, default_value_t = 0)]
    pub(crate) seed: u64,
    /// Folder for the report.
    #[arg(long, default_value = "runs/quickstart")]
    pub(crate) out: PathBuf,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    pub(crate) device: DeviceChoice,
    /// Generator to use instead of the bundled one.
    #[arg(long)]
    pub(crate) generator: Option<PathBuf>,
    /// Runs of each training, with different seeds.
    #[arg(long, default_value_t = 3)]
    pub(crate) runs: u64,
    /// Training steps of each detector.
    #[arg(long, default_value_t = 200)]
    pub(crate) steps: usize,
    /// Attacks that are generated for training.
    #[arg(long, default_value_t = 96)]
    pub(crate) generated: usize,
    /// Leave out AG-FAS: the de-spoofed faces and AG-Net.
    #[arg(long)]
    pub(crate) no_agfas: bool,
}

impl Settings {
    /// People of each domain for training, development and test.
    pub(crate) fn subjects_per_domain(&self) -> [usize; 3] {
        [32, 12, 24]
    }

    /// People needed for all four domains.
    pub(crate) fn subjects(&self) -> usize {
        4 * self.subjects_per_domain().iter().sum::<usize>()
    }
}
