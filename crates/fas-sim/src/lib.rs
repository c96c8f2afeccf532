//! Simulated presentation attacks, captures and benchmark domains on any face crops.
//!
//! - What is presented: a [`Face`], as a [`Presentation`] (bona fide or an [`AttackKind`]).
//! - With what and where: a [`Domain`] is a [`StyleProfile`] (light, printers, displays, masks,
//!   glasses) and a [`QualityProfile`] (camera), and either can be swapped alone.
//! - [`Domain::capture`] gives the picture, [`Domain::present`] the scene before the camera as a
//!   [`LinearImage`]. Both depend on the arguments alone, so captures run on any threads.
//! - [`Benchmark`] simulates whole data sets with their protocols.
//!
//! Computation is in linear light on a canvas of at least four times the capture's resolution;
//! lengths of instruments are in `u`, one 64th of the crop's width, lengths of cameras in sensor
//! pixels. No effect is drawn into the captured picture: moire, for one, is what the sensor makes of
//! a display's pixel grid.

mod bayer;
mod benchmark;
mod camera;
mod domain;
mod error;
mod face;
mod face_model;
mod light;
mod linear_image;
mod mask;
mod partial;
mod placement;
mod presentation;
mod print;
mod quality;
mod random;
mod replay;
mod style;

pub use benchmark::{
    Benchmark, BenchmarkConfig, BenchmarkDomain, FacePools, FactorShifts, SplitSize,
};
pub use domain::Domain;
pub use error::SimError;
pub use face::{CANONICAL_LANDMARKS_128, Face};
pub use face_model::FaceModel;
#[cfg(feature = "fit")]
pub use face_model::FitConfig;
pub use light::{LightConfig, black_body_colour};
pub use linear_image::LinearImage;
pub use mask::{EyeOpening, PaperMask, ResinMask};
pub use partial::{FunnyEyeGlasses, GlassesShape, PaperGlasses};
pub use placement::PlacementConfig;
pub use presentation::{AttackKind, Presentation};
pub use print::{HalftonePrinter, InkSet, InkjetPrinter, PaperConfig, PrintTone};
pub use quality::{ColourSampling, QualityProfile};
pub use random::Interval;
pub use replay::{Display, GlareConfig, PixelLayout, Subpixel};
pub use style::StyleProfile;

/// The example of the README is compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
