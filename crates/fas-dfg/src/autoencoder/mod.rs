//! First stages: networks that turn faces into latents and back.

mod attention;
mod first_stage;
mod kl;
mod posterior;
mod taef2;

pub use first_stage::{FirstStage, FirstStageConfig};
pub use kl::{AutoencoderKl, AutoencoderKlConfig};
pub use posterior::LatentPosterior;
pub use taef2::Taef2;
