//! What an experiment does on a protocol.

use burn::config::Config;

use crate::training::{ClassLayout, ClassifierTrainingConfig};
use crate::{BackboneConfig, HeadConfig, InputRange, PretrainedBackbone};

/// Which weights of a training are evaluated.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum CheckpointChoice {
    /// Those after the last step.
    Last,
    /// Those at the ends of the last epochs; every metric is the mean over them.
    LastEpochsMean {
        /// Epochs, at least 1.
        epochs: usize,
    },
    /// Those with the lowest EER on source development samples; of equal ones the last.
    SourceValidation {
        /// Steps from one look to the next.
        every: usize,
    },
    /// **Oracle**: those with the lowest EER on the target's test samples, as SSDG, SSAN and AG-FAS
    /// choose; of equal ones those with the highest AUC. No deployed system can choose so.
    OracleTarget {
        /// Steps from one look to the next.
        every: usize,
    },
}

impl CheckpointChoice {
    /// Name in tables; an oracle says that it is one.
    pub fn name(self) -> String {
        match self {
            Self::Last => "last step".to_owned(),
            Self::LastEpochsMean { epochs } => format!("mean of the last {epochs} epochs"),
            Self::SourceValidation { .. } => "source validation".to_owned(),
            Self::OracleTarget { .. } => "oracle (chosen on the target)".to_owned(),
        }
    }

    /// Whether the target's test samples take part in the choice.
    pub fn is_oracle(self) -> bool {
        matches!(self, Self::OracleTarget { .. })
    }

    /// Steps after which the weights are looked at, ascending; the last is always one.
    ///
    /// # Panics
    ///
    /// Panics if there are no steps, or for a choice of 0 epochs or steps.
    pub(super) fn looks(self, steps: usize, steps_per_epoch: usize) -> Vec<usize> {
        assert!(steps > 0, "an experiment trains for at least one step");
        let mut looks: Vec<usize> = match self {
            Self::Last => Vec::new(),
            Self::LastEpochsMean { epochs } => {
                assert!(epochs > 0, "a mean over no epoch");
                (0..epochs)
                    .filter_map(|back| steps.checked_sub(back * steps_per_epoch))
                    .filter(|&step| step > 0)
                    .rev()
                    .collect()
            }
            Self::SourceValidation { every } | Self::OracleTarget { every } => {
                assert!(every > 0, "a look every 0 steps");
                (1..=steps / every).map(|look| look * every).collect()
            }
        };
        if looks.last() != Some(&steps) {
            looks.push(steps);
        }
        looks
    }
}

/// One experiment but for its protocol.
#[derive(Config, Debug)]
pub struct ExperimentConfig {
    /// Backbone.
    pub backbone: BackboneConfig,
    /// Training: objective, steps, sampling, augmentation and optimiser. Its seed is replaced by those
    /// of the runs.
    pub training: ClassifierTrainingConfig,
    /// Head. Default: cosines
    #[config(default = "HeadConfig::Cosine")]
    pub head: HeadConfig,
    /// What the backbone wants its input to be. Default: `[-1, 1]`
    #[config(default = "InputRange::Symmetric")]
    pub input: InputRange,
    /// Weights that the backbone starts from. Default: random ones
    #[config(default = "None")]
    pub pretrained: Option<PretrainedBackbone>,
    /// Style labels as classes. Default: one class a style
    #[config(default = "ClassLayout::PerStyle")]
    pub classes: ClassLayout,
    /// Seeds, one run each. Default: 0, 1, 2
    #[config(default = "vec![0, 1, 2]")]
    pub seeds: Vec<u64>,
    /// Which weights are evaluated. Default: the last
    #[config(default = "CheckpointChoice::Last")]
    pub checkpoint: CheckpointChoice,
    /// Replicates of the bootstrap over subjects within a run, 0 for none. Default: 1000
    #[config(default = 1000)]
    pub bootstrap_replicates: u32,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn looks_are_where_the_choice_wants_them() {
        assert_eq!(CheckpointChoice::Last.looks(90, 20), [90]);
        let mean = |epochs| CheckpointChoice::LastEpochsMean { epochs }.looks(90, 20);
        assert_eq!(mean(3), [50, 70, 90]);
        assert_eq!(mean(9), [10, 30, 50, 70, 90]);
        let every = |every| CheckpointChoice::SourceValidation { every }.looks(90, 20);
        assert_eq!(every(40), [40, 80, 90]);
        assert_eq!(every(45), [45, 90]);
        assert_eq!(every(100), [90]);
    }

    #[test]
    fn an_oracle_is_called_one() {
        let oracle = CheckpointChoice::OracleTarget { every: 10 };
        assert!(oracle.is_oracle() && oracle.name().contains("oracle"));
        assert!(!CheckpointChoice::SourceValidation { every: 10 }.is_oracle());
    }
}
