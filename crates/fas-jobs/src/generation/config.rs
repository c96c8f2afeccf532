//! What a generation job does.

use std::fmt;
use std::str::FromStr;

use burn::config::Config;
use clap::ValueEnum;
use fas_diffusion::GenerationConfig;
use serde::{Deserialize, Serialize};

/// Which live faces meet which styles.
#[derive(Config, Debug, Copy, PartialEq, Eq, ValueEnum)]
pub enum Pairing {
    /// Every person of a domain in every style of the other domains: the training sets of
    /// leave-one-out protocols.
    CrossDomain,
    /// Every live face in every style of its own domain: attacks that a person was not seen with.
    CrossAttack,
}

/// How pictures are kept.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum Storage {
    /// One PNG file a picture.
    Images,
    /// Tar files of PNG pictures, as WebDataset reads them.
    Tar {
        /// Pairs whose pictures go into one file.
        pairs: usize,
    },
}

/// One of several parts of a job, `k/n` with `k` from 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shard {
    /// Which one, from 1.
    pub number: usize,
    /// Of how many.
    pub of: usize,
}

impl Shard {
    /// The whole job.
    pub const WHOLE: Self = Self { number: 1, of: 1 };

    /// Whether pair `index` of the whole job is in this part.
    pub fn has(self, index: usize) -> bool {
        index % self.of == self.number - 1
    }
}

impl fmt::Display for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.number, self.of)
    }
}

impl FromStr for Shard {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no part; write k/n with k from 1 to n, such as 1/8");
        let (number, of) = text.split_once('/').ok_or_else(wrong)?;
        let number = number.parse().map_err(|_| wrong())?;
        let of = of.parse().map_err(|_| wrong())?;
        if (1..=of).contains(&number) {
            Ok(Self { number, of })
        } else {
            Err(wrong())
        }
    }
}

/// Configuration of a [`GenerationJob`](crate::GenerationJob).
#[derive(Config, Debug)]
pub struct GenerationJobConfig {
    /// Start, steps and guidance of the sampler.
    pub generation: GenerationConfig,
    /// Which faces meet which styles. Default: cross-domain
    #[config(default = "Pairing::CrossDomain")]
    pub pairing: Pairing,
    /// Pictures a face and style, each with another style image where there is one. Default: 1
    #[config(default = 1)]
    pub variants: usize,
    /// Seed of noise and of the choice of style images. Default: 0
    #[config(default = 0)]
    pub seed: u64,
    /// The domain that no detector trained on the pictures may have seen. Default: none
    #[config(default = "None")]
    pub target: Option<String>,
    /// Pairs in one call of the network. Default: 16
    #[config(default = 16)]
    pub batch_size: usize,
    /// How pictures are kept. Default: images
    #[config(default = "Storage::Images")]
    pub storage: Storage,
    /// Part of the job. Default: all of it
    #[config(default = "Shard::WHOLE")]
    pub shard: Shard,
    /// Largest BRISQUE that is kept; lower is better. Default: any
    #[config(default = "None")]
    pub max_brisque: Option<f64>,
    /// Least cosine similarity to the live face, in `[-1, 1]`, that is kept. Default: any
    #[config(default = "None")]
    pub min_identity: Option<f64>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_are_written_from_one_and_cover_the_job() {
        assert_eq!("2/3".parse(), Ok(Shard { number: 2, of: 3 }));
        for wrong in ["0/3", "4/3", "1", "1/0", "a/b", "-1/3"] {
            let error = wrong.parse::<Shard>().unwrap_err();
            assert!(error.contains("write k/n"), "{error}");
        }
        for index in 0..20 {
            let shards = (1..=3).filter(|&number| Shard { number, of: 3 }.has(index));
            assert_eq!(shards.count(), 1);
        }
        assert!(Shard::WHOLE.has(7));
    }
}
