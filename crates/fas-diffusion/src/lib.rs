//! DiffFAS (ECCV 2024): a diffusion model that turns a bona fide face into a presentation attack in the
//! style of any attack image.

#[cfg(test)]
mod awake;
mod block;
mod ema;
mod error;
mod generation;
mod generator;
mod guidance;
mod loss;
mod noise;
mod ops;
mod patch_statistics;
mod precision;
mod prediction;
mod process;
mod reference_names;
mod resample;
mod sampler;
mod schedule;
mod stored_config;
mod style_encoder;
mod style_fusion;
mod time_embedding;
#[cfg(feature = "train")]
pub mod training;
mod unet;

pub use block::{ResidualBlock, ResidualBlockConfig};
pub use ema::EmaConfig;
pub use error::DiffusionError;
pub use generation::{GenerationConfig, GuidedOutputs, PreparedStyles};
pub use generator::{Generator, GeneratorConfig, GeneratorNetworks};
pub use guidance::{guide, guide_all_channels};
pub use loss::{HybridLoss, discretised_gaussian_nll, hybrid_loss, normal_kl, variational_bits};
pub use noise::sample_noise;
pub use patch_statistics::{GlobalToken, Upsampling};
pub use precision::Precision;
pub use prediction::{Parameterisation, Prediction};
pub use process::DiffusionProcess;
pub use reference_names::{fusion_reference, style_encoder_reference, unet_reference};
pub use resample::Resample;
pub use sampler::{
    DdimConfig, DdpmConfig, DdpmVariance, DpmSolverConfig, Sampler, StartAlignment, StepSpacing,
    ddim_sample, ddpm_sample, ddpm_step, dpm_solver_sample,
};
pub use schedule::{BetaSchedule, NoiseSchedule, NoiseScheduleConfig};
pub use style_encoder::{Stem, StyleEncoder, StyleEncoderConfig, StyleFeatures};
pub use style_fusion::{
    ConditionNorm, SpreadStatistic, StatisticMatching, StyleFusion, StyleFusionConfig,
    StyleFusionForm, StyleTokens,
};
pub use time_embedding::{TimeEmbedding, TimeEmbeddingConfig};
pub use unet::{FusionPlacement, LevelChange, StyleCondition, UNet, UNetConfig};
