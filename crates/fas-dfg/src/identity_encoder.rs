//! Identity encoders: face recognition networks, and the way from a photo to their input.

mod align;
mod input;
mod mobile_face_net;

pub use align::{ARCFACE_TEMPLATE, IDENTITY_INPUT_SIZE, align_face};
pub use input::{cosine_similarity, identity_input, normalise_identity_input};
pub use mobile_face_net::{
    EMBEDDING_SIZE, InvertedResidualStage, MobileFaceNet, MobileFaceNetConfig,
};
