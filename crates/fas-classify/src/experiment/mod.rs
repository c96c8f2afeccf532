//! Experiments (feature `train`): a protocol, a configuration and seeds give metrics with intervals.
//!
//! ```no_run
//! use burn::tensor::Device;
//! use fas_classify::experiment::{
//!     CheckpointChoice, ExperimentConfig, ExperimentProtocol, ImageSet, run_experiment,
//! };
//! use fas_classify::loss::ObjectiveConfig;
//! use fas_classify::training::{ClassifierTrainingConfig, OptimiserConfig, SamplingConfig};
//! use fas_classify::ResNetConfig;
//! use fas_data::{Manifest, Protocol};
//!
//! let manifest = Manifest::read("benchmark/manifest.csv")?;
//! let images = ImageSet::load(&manifest, 64)?; // .with_quality(…) for BRISQUE
//! let protocol = Protocol::from_name("MI->C", &["sim-O", "sim-C", "sim-I", "sim-M"])?;
//! let training = ClassifierTrainingConfig::new(ObjectiveConfig::relative_quality(), 500)
//!     .with_optimiser(OptimiserConfig::small())
//!     .with_sampling(SamplingConfig::new().with_oversampled("sim-M", 2.0));
//! let config = ExperimentConfig::new(ResNetConfig::small(12).into(), training)
//!     .with_seeds(vec![0, 1, 2])
//!     .with_checkpoint(CheckpointChoice::LastEpochsMean { epochs: 5 });
//! let protocol = ExperimentProtocol::cross_domain(protocol);
//! let device = Device::default();
//! let result = run_experiment(&protocol, &images, None, &config, &device, |_| {})?;
//! println!("HTER {} %, AUC {} %", result.hter().percent(), result.auc().percent());
//! # Ok::<(), fas_classify::ClassifyError>(())
//! ```

mod config;
mod image_set;
mod protocol;
mod result;
mod run;

pub use config::{CheckpointChoice, ExperimentConfig};
pub use image_set::ImageSet;
pub use protocol::{ExperimentProtocol, WMCA_UNSEEN};
pub use result::{EvaluatedCheckpoint, ExperimentResult, OracleEvaluation, RunResult, SeedSummary};
pub use run::{RunProgress, run_experiment, score_set};
