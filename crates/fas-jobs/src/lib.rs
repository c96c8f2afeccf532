//! What the program `fas` and the examples both run.
//!
//! - [`DeviceChoice`]: the argument `--device`.
//! - [`PrecisionChoice`]: the argument `--precision` of a generator's training.
//! - [`timestep_interval`]: the argument `--guidance-interval`.
//! - [`images_to_tensor`], [`tensor_to_images`]: pictures as tensors and back.
//! - [`GenerationJob`]: attacks of many faces in many styles, resumable, in parts, with provenance.
//!
//! The features `flex`, `wgpu`, `vulkan` and `cuda` compile the backend of that name in; a program that
//! runs a model crate of its own forwards them there too.

mod device;
mod generation;
mod interval;
mod pixels;
mod precision;

pub use device::{DeviceChoice, MissingBackend};
pub use generation::{
    Checkpoint, GenerationJob, GenerationJobConfig, IdentityFilter, JobError, JobSummary, Pair,
    Pairing, Record, Shard, Sources, Storage, Verdict,
};
pub use interval::timestep_interval;
pub use pixels::{image_values, images_to_tensor, tensor_to_images};
pub use precision::PrecisionChoice;
