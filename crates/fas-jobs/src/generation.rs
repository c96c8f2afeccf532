//! Generation of attacks as a job: DiffFAS, section 3.4.
//!
//! A job pairs live faces with attack images whose style they take, generates one picture a pair and
//! records where each came from. It can be killed at any moment and run again: no picture is lost or
//! made twice, and the result has the bytes of an unbroken run. Parts of it ([`Shard`]) run anywhere
//! and know nothing of each other.

mod config;
mod error;
mod filter;
mod folder;
mod job;
mod journal;
mod pairs;
mod picture;

pub use config::{GenerationJobConfig, Pairing, Shard, Storage};
pub use error::JobError;
pub use filter::{IdentityFilter, Verdict};
pub use job::{Checkpoint, GenerationJob, JobSummary};
pub use journal::Record;
pub use pairs::{Pair, Sources};
