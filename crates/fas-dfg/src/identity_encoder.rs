//! Identity encoders: face recognition networks, and the way from a photo to their input.

mod align;
mod encoder;
mod input;
mod iresnet;
mod mobile_face_net;

pub use align::{IDENTITY_INPUT_SIZE, align_face};
pub use encoder::{IdentityEncoder, IdentityEncoderConfig};
pub use input::{cosine_similarity, identity_input, normalise_identity_input};
pub use iresnet::{IDENTITY_MAP_SIZE, IResNet, IResNetConfig};
pub use mobile_face_net::{
    EMBEDDING_SIZE, InvertedResidualStage, MobileFaceNet, MobileFaceNetConfig,
};
