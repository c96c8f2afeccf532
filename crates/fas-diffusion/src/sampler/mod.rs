//! Samplers: functions of a denoiser, a start and a list of timesteps.
//!
//! A denoiser is `Fn(x_t, timesteps) -> noise`: guidance, the form of the prediction and the number of
//! channels are its own affair, and pixels and latents are sampled alike. All randomness comes in as
//! arguments.

mod ddim;
mod ddpm;
mod dpm_solver;

use burn::config::Config;

pub use ddim::{DdimConfig, ddim_sample};
pub use ddpm::{DdpmConfig, DdpmVariance, ddpm_sample, ddpm_step};
pub use dpm_solver::{DpmSolverConfig, StepSpacing, dpm_solver_sample};

use crate::NoiseSchedule;

/// The first step that a sampler names to the network, against the noise that it starts from.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum StartAlignment {
    /// The step of the noise.
    Exact,
    /// As in the released code: one step less in ancestral sampling, one interval less in DDIM's (noise
    /// of step 250, first call at 240). The network then takes part of the noise for detail.
    Released,
}

/// A sampler and its steps.
#[derive(Config, Debug, PartialEq)]
pub enum Sampler {
    /// DDIM: what the released sampling script runs.
    Ddim(DdimConfig),
    /// Ancestral sampling, with every step from the start.
    Ddpm(DdpmConfig),
    /// DPM-Solver++(2M): of second order, for few steps.
    DpmSolver(DpmSolverConfig),
}

impl Sampler {
    /// Step whose noise the live face is given at the start.
    pub fn start_step(&self) -> usize {
        match self {
            Self::Ddim(config) => config.start_step,
            Self::Ddpm(config) => config.start_step,
            Self::DpmSolver(config) => config.start_step,
        }
    }

    /// The steps at which the network is called, descending.
    pub fn timesteps(&self, schedule: &NoiseSchedule) -> Vec<usize> {
        match self {
            Self::Ddim(config) => config.timesteps(),
            Self::Ddpm(config) => config.timesteps(),
            Self::DpmSolver(config) => config.timesteps(schedule),
        }
    }
}

impl From<DdimConfig> for Sampler {
    fn from(config: DdimConfig) -> Self {
        Self::Ddim(config)
    }
}

impl From<DdpmConfig> for Sampler {
    fn from(config: DdpmConfig) -> Self {
        Self::Ddpm(config)
    }
}

impl From<DpmSolverConfig> for Sampler {
    fn from(config: DpmSolverConfig) -> Self {
        Self::DpmSolver(config)
    }
}
