//! Weights of Burn modules: safetensors and PyTorch checkpoints, strict in, atomic out.
//!
//! Every network crate stores weights in the same way, so the way lives here once. Names are the paths
//! of the module's fields (`encoder.0.residual.conv_1.weight`). Loading lists everything that is missing,
//! unused or misshaped together, and changes nothing when it fails.
//!
//! Files of another implementation have other names and layouts. [`ForeignTensor`] says where one
//! parameter lies in such a file; a function from [`ParamSite`] to it is a key map, and the same map
//! serves [`Weights::apply_foreign`] and [`Weights::of_module`].
//!
//! # Untrusted files
//!
//! A PyTorch checkpoint is a pickle, which is a program. [`read_pytorch`] never runs it: tensors,
//! containers and plain values are built, any other object stays a name, and one among the weights is an
//! error. Sizes are checked against the file before memory is taken.

mod error;
mod folder;
mod foreign;
mod load;
mod pytorch;
mod save;

pub use error::WeightsError;
pub use folder::{find_folder, replace_folder};
pub use foreign::{ForeignTensor, ParamSite};
pub use load::{Weights, load_module, read_checkpoint, read_weights};
pub use pytorch::{PyTorchProblem, read_pytorch};
pub use save::{StoredFloat, module_bytes, save_module};
