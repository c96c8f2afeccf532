//! Test support of the `fas-*` crates; a dev-dependency only.
//!
//! - [`Fixture`]: one parity case, a `.safetensors` file holding a reference network's inputs,
//!   weights and outputs, with the tolerance of every output.
//! - [`Parity`]: finds the cases of a component in a crate's `tests/parity/` and in every folder of
//!   the colon-separated environment variable `FAS_FIXTURES`, runs a closure on each, prints one line
//!   an output and fails on any disagreement and on any output nobody looked at.
//! - [`load_weights`]: fills a Burn module from the reference's weight names, strictly.
//! - [`procedural_weight`]: the deterministic fill that stands in for large weights.
//! - [`Tree`]: directory trees that are true to a data set's file names.
//!
//! # Example
//!
//! ```no_run
//! use fas_testkit::Parity;
//!
//! Parity::discover(env!("CARGO_MANIFEST_DIR"), &["my_component"]).run(|case| {
//!     let x = case.input("x")?;
//!     let doubled = x.iter::<f32>().map(|v| 2.0 * v).collect::<Vec<_>>();
//!     case.check("y", &burn::tensor::TensorData::new(doubled, x.shape().clone()));
//!     Ok(())
//! });
//! ```

mod error;
mod fixture;
mod module_weights;
mod parity;
mod procedural_weight;
#[cfg(test)]
mod test_case;
mod tree;

pub use error::FixtureError;
pub use fixture::{Fixture, ParamSpec, Tolerance};
pub use module_weights::{ParamSite, WeightSource, load_weights};
pub use parity::{Case, Parity, checkpoint};
pub use procedural_weight::{FillKind, fnv1a64, procedural_values, procedural_weight, unit};
pub use tree::Tree;
