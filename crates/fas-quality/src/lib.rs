//! No-reference image quality: BRISQUE.
//!
//! [`Brisque::score`] maps an 8-bit colour image to a number, **lower is better**, without a
//! reference image. Features and model are those of the LIVE release of 2011 (Mittal, Moorthy and
//! Bovik 2012), with one difference: they are defined in exact arithmetic. In a flat window the
//! normalised coefficient is exactly zero, where a floating-point `E[x^2] - mu^2` leaves rounding
//! noise whose signs the release counts. On images without flat parts both agree to 0.02.
//!
//! A degenerate image, such as a blank one, is a typed [`QualityError`], never NaN and never 0.
//!
//! The steps, each usable alone where a caller may want it: [`GrayPlane`] (luma), [`HalfPlane`]
//! (second scale), [`Brisque::features`] (36 of them), [`Brisque::predict`] (regression).

#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;

mod aggd;
mod brisque;
mod error;
mod gray;
mod half;
mod line;
mod moments;
mod mscn;
mod signs;
mod sums;
mod svr;
mod sweep;

pub use brisque::{Brisque, MIN_SIDE};
pub use error::{Neighbour, QualityError, Scale};
pub use gray::GrayPlane;
pub use half::HalfPlane;
pub use svr::NUM_FEATURES;
