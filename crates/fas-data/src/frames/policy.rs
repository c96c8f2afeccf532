//! Which frames of a video are taken: the conventions of published code, as data.
//!
//! | policy | frames of a video of `n` | who |
//! |---|---|---|
//! | `ssdg` | `6 + j * (n / count)` for `j < count`, modulo `n` | SSDG: 1 to train, 2 to test |
//! | `uniform` | middle of each of `count` equal stretches | AG-FAS, version 1: 10 |
//! | `ssan` | `1 + j * (n / 10)` for `j < count` | SSAN's test: 8 |
//! | `random` | `count` different ones, by a seed and the recording's id | SSAN's and SA-FAS' training: 1 |
//! | `every` | `0, step, 2 step, …` | SA-FAS' extraction: 5 |
//! | `first` | the first `count` | SiW protocol 1: 60 |
//! | `all` | all | |
//!
//! SSDG's code fails on videos of less than 7 frames; AG-FAS's takes the index modulo `n`, and so does
//! `ssdg` here. A policy never gives one frame twice: short videos give fewer frames.

use std::fmt;

use rand::SeedableRng;
use rand::seq::index::sample;
use rand_chacha::ChaCha8Rng;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// First frame that SSDG takes.
const SSDG_START: usize = 6;
/// Parts into which SSAN's test cuts a video.
const SSAN_PARTS: usize = 10;

/// Which frames of a video are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "policy", rename_all = "snake_case", deny_unknown_fields)]
pub enum FramePolicy {
    /// Every frame.
    All,
    /// The first `count`.
    First {
        /// Frames.
        count: usize,
    },
    /// Every `step`-th, from frame 0.
    Every {
        /// Distance, at least 1.
        step: usize,
    },
    /// The middle of each of `count` equal stretches of time.
    Uniform {
        /// Frames.
        count: usize,
    },
    /// `count` different frames, the same for each recording and seed.
    Random {
        /// Frames.
        count: usize,
        /// Seed.
        seed: u64,
    },
    /// SSDG's.
    Ssdg {
        /// Frames.
        count: usize,
    },
    /// SSAN's at test time.
    Ssan {
        /// Frames.
        count: usize,
    },
}

impl FramePolicy {
    /// Positions of the frames to take, ascending and without repeats, of a recording with `frames`
    /// frames. Empty only if there are none.
    ///
    /// # Panics
    ///
    /// If a step is 0.
    pub fn select(self, frames: usize, recording: &str) -> Vec<usize> {
        let mut positions: Vec<usize> = match self {
            Self::All => (0..frames).collect(),
            Self::First { count } => (0..frames.min(count)).collect(),
            Self::Every { step } => {
                assert!(step > 0, "a step of 0 frames never ends");
                (0..frames).step_by(step).collect()
            }
            Self::Uniform { count } => (0..count)
                .map(|part| (2 * part + 1) * frames / (2 * count))
                .collect(),
            Self::Random { count, seed } => {
                let mut hash = Sha256::new();
                hash.update(seed.to_le_bytes());
                hash.update(recording.as_bytes());
                let mut rng = ChaCha8Rng::from_seed(hash.finalize().into());
                sample(&mut rng, frames, count.min(frames)).into_vec()
            }
            Self::Ssdg { count } => (0..count)
                .filter(|_| frames > 0)
                .map(|part| (SSDG_START + part * (frames / count)) % frames)
                .collect(),
            Self::Ssan { count } => (0..count)
                .map(|part| 1 + part * (frames / SSAN_PARTS))
                .collect(),
        };
        for position in &mut positions {
            *position = (*position).min(frames.saturating_sub(1));
        }
        if frames == 0 {
            positions.clear();
        }
        positions.sort_unstable();
        positions.dedup();
        positions
    }
}

impl fmt::Display for FramePolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::All => f.write_str("all"),
            Self::First { count } => write!(f, "first {count}"),
            Self::Every { step } => write!(f, "every {step}"),
            Self::Uniform { count } => write!(f, "uniform {count}"),
            Self::Random { count, seed } => write!(f, "random {count} seed {seed}"),
            Self::Ssdg { count } => write!(f, "ssdg {count}"),
            Self::Ssan { count } => write!(f, "ssan {count}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn published_positions() {
        let of = |policy: FramePolicy, frames| policy.select(frames, "a");
        assert_eq!(of(FramePolicy::Ssdg { count: 1 }, 150), [6]);
        assert_eq!(of(FramePolicy::Ssdg { count: 2 }, 151), [6, 81]);
        assert_eq!(
            of(FramePolicy::Ssan { count: 8 }, 155),
            [1, 16, 31, 46, 61, 76, 91, 106]
        );
        assert_eq!(
            of(FramePolicy::Uniform { count: 10 }, 100),
            [5, 15, 25, 35, 45, 55, 65, 75, 85, 95]
        );
        assert_eq!(of(FramePolicy::Every { step: 5 }, 12), [0, 5, 10]);
        assert_eq!(of(FramePolicy::First { count: 60 }, 200).len(), 60);
        assert_eq!(of(FramePolicy::All, 3), [0, 1, 2]);
    }

    #[test]
    fn short_videos_give_fewer_frames_and_never_one_twice() {
        let policies = [
            FramePolicy::All,
            FramePolicy::First { count: 4 },
            FramePolicy::Every { step: 3 },
            FramePolicy::Uniform { count: 10 },
            FramePolicy::Random { count: 4, seed: 1 },
            FramePolicy::Ssdg { count: 2 },
            FramePolicy::Ssan { count: 8 },
        ];
        for policy in policies {
            assert!(policy.select(0, "a").is_empty(), "{policy:?}");
            for frames in 1..=30 {
                let positions = policy.select(frames, "a");
                assert!(!positions.is_empty(), "{policy:?} of {frames}");
                assert!(
                    positions.is_sorted_by(|a, b| a < b),
                    "{policy:?} of {frames}"
                );
                assert!(positions.iter().all(|position| *position < frames));
            }
        }
        // SSDG's seventh frame of a video of four is its third by the modulo of AG-FAS.
        assert_eq!(FramePolicy::Ssdg { count: 1 }.select(4, "a"), [2]);
        assert_eq!(FramePolicy::Uniform { count: 10 }.select(3, "a"), [0, 1, 2]);
    }

    #[test]
    fn random_frames_hang_on_seed_and_recording_only() {
        let of = |seed, id| FramePolicy::Random { count: 3, seed }.select(500, id);
        assert_eq!(of(1, "a"), of(1, "a"));
        assert_ne!(of(1, "a"), of(2, "a"));
        assert_ne!(of(1, "a"), of(1, "b"));
        assert_eq!(of(1, "a").len(), 3);
    }

    #[test]
    fn policies_are_data() {
        let text = "policy = \"ssdg\"\ncount = 2\n";
        let policy: FramePolicy = toml::from_str(text).unwrap();
        assert_eq!(policy, FramePolicy::Ssdg { count: 2 });
        assert_eq!(toml::to_string(&policy).unwrap(), text);
        assert_eq!(policy.to_string(), "ssdg 2");
        let random = FramePolicy::Random { count: 1, seed: 7 };
        assert_eq!(random.to_string(), "random 1 seed 7");
    }
}
