//! Face anti-spoofing classifiers and their losses (DiffFAS, section 3.4).
//!
//! A [`Classifier`] is a backbone and a cosine head with one class a style label; its score is the
//! softmax mass of the bona fide classes, without margins: higher is more bona fide. [`loss`] has the
//! losses of DiffFAS's tables; training and experiments are behind the feature `train`.

mod backbone;
mod classifier;
mod detector;
mod error;
#[cfg(feature = "train")]
pub mod experiment;
mod head;
mod input;
pub mod loss;
mod ops;
mod pretrained;
mod ssdg_head;
#[cfg(feature = "train")]
pub mod training;

pub use backbone::{
    Backbone, BackboneConfig, FaceBackbone, MobileVit, MobileVitConfig, MobileVitStage, ResNet,
    ResNetConfig, ResNetStem,
};
pub use classifier::{Classifier, ClassifierConfig, ClassifierOutput};
pub use detector::{Detector, DetectorCard, Prediction};
pub use error::ClassifyError;
pub use head::{CosineHead, CosineHeadConfig, Head, HeadConfig};
pub use input::InputRange;
pub use pretrained::PretrainedBackbone;
pub use ssdg_head::{SsdgHead, SsdgHeadConfig, normalise_across_classes};
