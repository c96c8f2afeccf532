//! Training of style encoder and generator (DiffFAS, sections 3.2 and 4.2; feature `train`).
//!
//! All randomness of a step comes from (seed, step), so a run that was stopped and resumed is the run
//! that was not stopped.

mod checkpoint;
mod generator_trainer;
mod generator_training_config;
mod held_out;
mod loss_scale;
mod recomputation;
mod style_encoder_trainer;

pub use generator_trainer::{GeneratorTrainer, StepReport, TripletBatch};
pub use generator_training_config::{DroppedCondition, GeneratorTrainingConfig, TimestepFocus};
pub use held_out::clean_image_error;
pub use loss_scale::LossScaleConfig;
pub use style_encoder_trainer::{
    StyleEncoderOptimiser, StyleEncoderTrainer, StyleEncoderTrainingConfig,
};
