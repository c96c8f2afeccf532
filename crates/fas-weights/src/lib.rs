//! Weights of Burn modules as safetensors: strict in, atomic out, f32 or f16.
//!
//! Every network crate stores weights in the same way, so the way lives here once. Names are the paths
//! of the module's fields (`encoder.0.residual.conv_1.weight`). Loading lists everything that is missing,
//! unused or misshaped together, and changes nothing when it fails.

mod error;
mod load;
mod save;

pub use error::WeightsError;
pub use load::{Weights, load_module, read_weights};
pub use save::{StoredFloat, module_bytes, save_module};
