//! Other sources of a cue: AG-FAS, Table 4. Networks that learn to reconstruct bona fide faces and are
//! meant to fail on what an attack adds; the residual of that failure is the cue.
//!
//! The paper names three and gives no architecture at face size. Each stands here in the form of its
//! own released code, generalised in depth and size, with a `paper()` and a small configuration.

mod ano_ddpm;
mod deep_svdd;
mod mem_ae;
mod memory;
mod pixel_unet;
mod plain_batch_norm;
mod simplex;

pub use ano_ddpm::{AnoDdpm, AnoDdpmConfig, AnomalyNoise, AnomalySampler};
pub use deep_svdd::{DeepSvdd, DeepSvddConfig};
pub use mem_ae::{MemAe, MemAeConfig};
pub use memory::{Addressing, MemorySimilarity, address_memory, addressing_entropy};
pub use pixel_unet::{PixelUnet, PixelUnetConfig};
pub use simplex::simplex_noise;

use burn::module::{Module, ModuleDisplay};
use burn::tensor::Tensor;
use rand_chacha::ChaCha8Rng;

/// A network that reconstructs bona fide faces.
pub trait FaceReconstruction: Module + ModuleDisplay {
    /// What training minimises; `random` draws whatever it needs beside the images.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, 3, size, size]`, in `[-1, 1]`
    /// - output: `[1]`
    fn loss(&self, images: Tensor<4>, random: &mut ChaCha8Rng) -> Tensor<1>;

    /// The face as this network would have it. What is drawn for an image depends on `seed` and the
    /// image's id alone. The cue is `images - reconstruct(images)`, in `[-2, 2]`.
    ///
    /// # Shapes
    ///
    /// - images, output: `[ids.len(), 3, size, size]`, in `[-1, 1]`
    fn reconstruct(&self, images: Tensor<4>, ids: &[&str], seed: u64) -> Tensor<4>;
}
