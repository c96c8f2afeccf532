//! Choice of what a training computes in.

use clap::ValueEnum;
use fas_diffusion::Precision;

/// What a generator's training computes in, as the argument `--precision`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum PrecisionChoice {
    /// 32 bits.
    Full,
    /// 16 bits, with a loss scale that follows the gradients: most GPUs.
    F16,
    /// 16 bits with the range of 32: NVIDIA GPUs since Ampere.
    Bf16,
}

impl From<PrecisionChoice> for Precision {
    fn from(choice: PrecisionChoice) -> Self {
        match choice {
            PrecisionChoice::Full => Self::Full,
            PrecisionChoice::F16 => Self::F16,
            PrecisionChoice::Bf16 => Self::Bf16,
        }
    }
}
