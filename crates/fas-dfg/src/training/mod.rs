//! Training.

mod baseline_trainer;

pub use baseline_trainer::{BaselineTrainer, BaselineTrainingConfig};
