//! AG-FAS: the De-spoofing Face Generator, which turns any face into the bona fide face of the same
//! person (first version of the paper; the later one calls it De-fake Face Generator).
//!
//! - [`FirstStage`]: faces to latents and back. [`AutoencoderKl`] is Stable Diffusion's KL-f8 or a small
//!   one that trains on a CPU, [`Taef2`] a third party's.
//! - [`IdentityEncoder`]: faces to 49 identity tokens. [`IResNet`] is ArcFace's network or a small one,
//!   [`MobileFaceNet`] a third party's, which also tells whether two pictures show one person
//!   ([`align_face`], [`identity_input`], [`cosine_similarity`]).
//! - [`LatentUNet`], [`IdentityCondition`]: Stable Diffusion's denoising network by Config, and how the
//!   tokens enter it.
//! - [`DespoofingGenerator`]: all of them and the diffusion process, by
//!   [`DespoofingGeneratorConfig`]; [`DespoofingConfig`] says what denoising starts from.
//! - [`anomalous_cue`], [`CueStore`]: input minus de-spoofed face, and where it is kept.
//! - [`FaceCodes`]: latents and tokens, computed once and kept on disk.
//! - [`baseline`]: other sources of a cue. `training` (feature `train`): bona fide faces only, by type.
//!
//! The networks take a [`Device`](burn::tensor::Device) and build without a backend feature.

mod autoencoder;
pub mod baseline;
mod condition;
mod cue;
mod denoiser;
mod error;
mod face_codes;
mod generation;
mod generator;
mod half_weights;
mod identity_encoder;
mod ops;
mod parts;
mod pretrained;
mod resample;
mod resnet_block;
mod stored;
#[cfg(feature = "train")]
pub mod training;
mod unet;

pub use autoencoder::{
    AutoencoderKl, AutoencoderKlConfig, FirstStage, FirstStageConfig, LatentPosterior, Taef2,
};
pub use condition::{
    IDENTITY_TOKENS, IdentityCondition, IdentityConditionConfig, TokenForm, UNetCondition,
};
pub use cue::{CueStore, CueStoreConfig, anomalous_cue};
pub use denoiser::Denoiser;
pub use error::DfgError;
pub use face_codes::{FaceCodeBatch, FaceCodes, content_hash};
pub use generation::{
    DespoofingConfig, DespoofingGrid, DespoofingSolver, DespoofingStart, FinalLevel,
};
pub use generator::{DespoofingGenerator, DespoofingGeneratorConfig, DespoofingNetworks};
pub use identity_encoder::{
    EMBEDDING_SIZE, IDENTITY_INPUT_SIZE, IDENTITY_MAP_SIZE, IResNet, IResNetConfig,
    IdentityEncoder, IdentityEncoderConfig, InvertedResidualStage, MobileFaceNet,
    MobileFaceNetConfig, align_face, cosine_similarity, identity_input, normalise_identity_input,
};
pub use parts::PART_FILES;
pub use resample::{Downsample, DownsamplePadding, Upsample};
pub use resnet_block::{ResnetBlock, ResnetBlockConfig};
pub use unet::{LatentUNet, LatentUNetConfig};

/// The example of the README is compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
