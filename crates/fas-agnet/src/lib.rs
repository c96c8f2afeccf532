//! AG-FAS (arXiv 2401.09006): a face anti-spoofing network that looks at an *anomalous cue*, the
//! difference between a face and its de-spoofed version, beside the face.
//!
//! - [`AgNet`]: a vision transformer with a cross-attention to the cue's tokens after each
//!   self-attention (section 3.3). The cross-attention starts at zero, so a pretrained transformer
//!   keeps its outputs until training opens it.
//! - [`Vit`]: the transformer alone, which is the paper's "only image", and, given the cue in place of
//!   the face, its "only residual"; [`DualBranch`]: two of them side by side (Table 3).
//! - [`standardise_cue`]: the form in which the networks take a cue.
//! - [`Vit::with_pretrained`]: weights of timm and transformers, strict.
//!
//! Each network is a [`Backbone`](fas_classify::Backbone), so every loss, sampler and trainer of
//! `fas-classify` trains it; the cue is three further planes of the image, and whatever augmentation
//! moves the face moves the cue with it. Where the cue comes from this crate does not know.
//!
//! The later version of the paper calls the network OA-Net, and the cross-attention "off-real
//! attention".

mod attention;
mod block;
mod cue;
mod cue_encoder;
mod dual_branch;
mod error;
mod network;
mod pretrained;
mod vit;

pub use attention::{MultiHeadAttention, MultiHeadAttentionConfig};
pub use block::{CueAttention, TransformerBlock};
pub use cue::standardise_cue;
pub use cue_encoder::{CueEncoder, CueEncoderConfig, CueStem};
pub use dual_branch::{DualBranch, DualBranchConfig};
pub use error::AgNetError;
pub use network::{AgNet, AgNetConfig};
pub use pretrained::VitLayout;
pub use vit::{Vit, VitConfig};

/// The example of the README is compiled with the documentation tests.
#[cfg(doctest)]
#[doc = include_str!("../README.md")]
struct Readme;
