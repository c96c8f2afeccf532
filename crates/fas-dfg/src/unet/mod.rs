//! The denoising U-Net of latent diffusion.

mod attention;
mod latent_unet;
mod spatial_transformer;

pub use latent_unet::{LatentUNet, LatentUNetConfig};
