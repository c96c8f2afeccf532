//! Training: first stage, identity encoder, generator, and the other cue sources.

mod baseline_trainer;
mod bona_fide;
mod checkpoint;
mod first_stage_trainer;
mod generator_trainer;
mod held_out;
mod identity_distillation;
mod module_trainer;

pub use baseline_trainer::{BaselineTrainer, BaselineTrainingConfig};
pub use bona_fide::{BonaFideCodes, BonaFideSamples};
pub use first_stage_trainer::{
    FirstStageReport, FirstStageTrainer, FirstStageTrainingConfig, measure_scaling_factor,
};
pub use generator_trainer::{DespoofingReport, DespoofingTrainer, DespoofingTrainingConfig};
pub use held_out::clean_latent_error;
pub use identity_distillation::{
    DistillationConfig, DistillationReport, IdentityDistillation, TeacherBatch,
};
pub use module_trainer::OptimisationConfig;
