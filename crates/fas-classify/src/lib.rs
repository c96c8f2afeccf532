//! Face anti-spoofing classifiers and their losses (DiffFAS, section 3.4).
//!
//! A [`Classifier`] is a backbone and a cosine head with one class a style label; its score is the
//! softmax mass of the bona fide classes, without margins: higher is more bona fide. Training is by
//! plain cross-entropy or by the Relative Quality loss, behind the feature `train`.

mod backbone;
mod classifier;
mod error;
mod head;
pub mod loss;
mod ops;
#[cfg(feature = "train")]
pub mod training;

pub use backbone::{Backbone, ResNet, ResNetConfig, ResNetStem};
pub use classifier::{Classifier, ClassifierConfig};
pub use error::ClassifyError;
pub use head::{CosineHead, CosineHeadConfig};
