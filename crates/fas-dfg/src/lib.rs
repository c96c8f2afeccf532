//! Parts of the AG-FAS De-spoofing Face Generator; for now its identity encoders.
//!
//! - [`MobileFaceNet`]: small face recognition network. Tells whether two pictures show one person,
//!   which is how a generated attack is checked for the identity it should have kept.
//! - [`align_face`], [`identity_input`], [`cosine_similarity`]: from a photo and its five landmarks
//!   to the network's input, and from its embeddings to a number.
//!
//! The networks take a [`Device`](burn::tensor::Device) and build without a backend feature.

pub mod baseline;
mod error;
mod identity_encoder;
mod ops;
#[cfg(feature = "train")]
pub mod training;

pub use error::DfgError;
pub use identity_encoder::{
    ARCFACE_TEMPLATE, EMBEDDING_SIZE, IDENTITY_INPUT_SIZE, InvertedResidualStage, MobileFaceNet,
    MobileFaceNetConfig, align_face, cosine_similarity, identity_input, normalise_identity_input,
};

/// The example of the README is compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
