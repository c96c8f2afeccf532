//! Face alignment: from a found face to the crop a network is given. No tensor library.
//!
//! - [`Face`]: bounds, score and landmarks of a found face, from whatever detector;
//!   [`BoxesFile`] reads faces that were found elsewhere.
//! - [`Preset`]: the crops of published systems; a [`Geometry`] is one of them at a size.
//! - [`Similarity`]: least squares between point sets (Umeyama 1991), kept beside every crop.
//! - [`Warp`]: how pixels are sampled, exactly.
//!
//! Coordinates are pixels, x to the right and y down; the centre of a pixel has integer
//! coordinates. Left and right are as seen in the image.
//!
//! ```
//! use fas_align::{Face, Preset, Sampling, align};
//! use image::RgbImage;
//!
//! let photo = RgbImage::new(200, 200);
//! let face = Face {
//!     bounds: [50.0, 40.0, 150.0, 170.0],
//!     score: 0.99,
//!     landmarks: Some([[80.0, 80.0], [120.0, 80.0], [100.0, 105.0], [84.0, 130.0], [116.0, 130.0]]),
//! };
//! let crop = align(&photo, &face, &Preset::ArcFace.geometry(112), Sampling::Bilinear)?;
//! assert_eq!(crop.image.dimensions(), (112, 112));
//! assert!((crop.to_crop.scale() - 0.841).abs() < 1e-3); // crop pixels a photo pixel
//! # Ok::<(), fas_align::AlignError>(())
//! ```

mod boxes_file;
mod crop;
mod error;
mod face;
mod preset;
mod similarity;
mod warp;

pub use boxes_file::BoxesFile;
pub use crop::{AlignedCrop, align};
pub use error::{AlignError, BoxesProblem};
pub use face::{Face, Landmarks};
pub use preset::{ARCFACE_TEMPLATE, Geometry, Preset};
pub use similarity::Similarity;
pub use warp::{Sampling, Warp};
