//! MTCNN: K. Zhang et al., "Joint Face Detection and Alignment using Multi-task Cascaded
//! Convolutional Networks", 2016, <https://arxiv.org/abs/1604.02878>, with the semantics and the
//! released weights of `facenet-pytorch` 2.6.0 (MIT).
//!
//! [`MtcnnConfig`] holds thresholds and the image pyramid; [`Mtcnn::detect`] finds the faces of a
//! batch of photos, largest first, each with five landmarks. Weights come from the Python package
//! `facenet-pytorch` ([`read_released`]) or from a safetensors file made of it
//! ([`Mtcnn::load_weights`]).
//!
//! ```no_run
//! use fas_mtcnn::MtcnnConfig;
//! # fn main() -> Result<(), fas_mtcnn::MtcnnError> {
//! # let (device, photo) = (burn::tensor::Device::default(), image::RgbImage::new(64, 64));
//! let mtcnn = MtcnnConfig::new().init(&device).load_weights("mtcnn.safetensors")?;
//! let faces = mtcnn.detect(&[photo]);
//! println!("{} faces, the largest at {:?}", faces[0].len(), faces[0][0].bounds);
//! # Ok(())
//! # }
//! ```

mod area;
mod boxes;
mod detector;
mod error;
mod layers;
mod networks;
mod released;

pub use detector::{Mtcnn, MtcnnConfig, Stages};
pub use error::MtcnnError;
pub use networks::{ONet, PNet, RNet};
pub use released::{RELEASED_PACKAGE, read_released, save_released};
