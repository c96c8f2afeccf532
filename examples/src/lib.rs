//! What the examples share: the choice of a device, folders of faces, pixels as tensors.

mod cost;
mod faces;
mod progress;
mod samples;
mod style_training;

pub use cost::{cost, peak_memory};
pub use faces::{FaceFolder, FaceSplit};
pub use fas_jobs::{DeviceChoice, image_values, images_to_tensor, tensor_to_images};
pub use progress::progress;
pub use samples::training_sample;
pub use style_training::train_style_encoder;
