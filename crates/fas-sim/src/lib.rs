//! Simulated presentation attacks, captures and benchmark domains on any folder of faces.

mod bayer;
mod benchmark;
mod camera;
mod domain;
mod error;
mod face;
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
