//! Frames of recordings: which ones are taken, how they are read, and what becomes of them.

mod ffmpeg;
#[cfg(feature = "hdf5")]
mod hdf5;
#[cfg(feature = "npz")]
mod npy;
mod policy;
mod reader;
mod response;

pub use ffmpeg::Ffmpeg;
pub use policy::FramePolicy;
pub use reader::FrameReader;
pub use response::{NonResponseCount, Response, count_non_responses};
