//! Samplers: functions of a denoiser, a start and a list of timesteps.
//!
//! A denoiser is `Fn(x_t, timesteps) -> noise`: guidance and the form of the prediction are its own
//! affair. All randomness comes in as arguments.

mod ddim;
mod ddpm;

pub use ddim::{DdimConfig, ddim_sample};
pub use ddpm::{DdpmVariance, ddpm_sample, ddpm_step};
