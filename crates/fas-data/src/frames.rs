//! Frames of recordings: which ones are taken.

mod policy;

pub use policy::FramePolicy;
