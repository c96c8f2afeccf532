//! Fast tensor operations for face anti-spoofing networks, on every Burn backend.
//!
//! Each function is a drop-in for a composition of Burn operations and is dispatched by the
//! device of its tensors:
//!
//! - on Flex (feature `flex`) a vectorised kernel that uses all cores runs, for `f32`;
//! - on CubeCL runtimes (features `cuda`, `vulkan`, `wgpu`, `cpu`) kernels of one source run, for
//!   `f32`; the convolution, its gradients of input and weight, the linear layer and `add` are Burn's own there;
//! - for other types and on other backends, the composition of Burn operations; but group normalisation, and
//!   on Flex the convolution, serve `f16` and `bf16` by the kernels for `f32`: values are widened, the
//!   result is rounded once;
//! - on an autodiff device a hand-written backward pass runs, through the kernels of the backend
//!   below.
//!
//! A backend enabled in `burn` must be enabled here too: `burn/flex` alone does not compile the
//! kernels in, and a call then panics. With a CubeCL runtime and `burn/fusion`, enable `fusion`.
//!
//! Results do not depend on the number of threads. Threads are those of rayon's current pool.
//!
//! [`with_compositions`] runs the compositions instead, wherever the tensors are. [`layers`] runs Burn's modules
//! (`Conv2d`, `Linear`, norms) on these functions.

mod attention;
mod backends;
#[cfg(feature = "flex")]
mod buffer;
mod compositions;
mod conv2d;
#[cfg(feature = "_cubecl")]
mod cube;
#[cfg(feature = "flex")]
mod elementwise;
#[cfg(feature = "flex")]
mod exp;
mod gelu;
mod group_norm;
#[cfg(any(feature = "_cubecl", feature = "flex"))]
mod half;
mod join;
pub mod layers;
mod linear;
mod modulation;
mod ops;
mod patch_moments;
mod pool;
#[cfg(feature = "flex")]
mod product;
mod recompute;
mod resample;
#[cfg(feature = "flex")]
mod scratch;
mod silu;
#[cfg(feature = "flex")]
mod simd;
mod softmax;
mod weights;

pub use attention::{attention, multi_head_attention};
pub use compositions::with_compositions;
pub use conv2d::{conv2d, conv2d_batch_norm};
pub use gelu::{GeluForm, gelu};
pub use group_norm::{GroupNormOptions, group_norm};
pub use join::{add, concat_channels};
pub use linear::linear;
pub use modulation::modulate_by_grids;
pub use ops::KernelOps;
pub use patch_moments::{PatchMoments, PatchOptions, patch_moments};
pub use pool::max_pool_3x3;
pub use resample::{average_2x2, nearest_2x};
pub use silu::silu;
pub use softmax::softmax;
pub use weights::lay_out_convolutions;
