//! Conventions: the field's code bases find a threshold and read an EER in different ways.
//! Each is mirrored here with its quirks, so that a published number can be met; `exact` is the
//! one to report.

pub(crate) mod bob;
pub(crate) mod ssan;
pub(crate) mod ssdg;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::MetricError;
use crate::policy::ThresholdPolicy;
use crate::scores::ScoreSet;
use crate::sweep::{EqualErrorRate, Sweep};

/// Whose way of finding thresholds and reading curves is followed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum Convention {
    /// Every distinct score and `+inf` is tried; see [`Sweep`].
    #[default]
    Exact,
    /// SSDG `utils/statistic.py`: thresholds `i / 10000` and 1.1, the last of equals. Blind to
    /// scores outside `[0, 1]` and between the grid points.
    Ssdg,
    /// SSAN `utils/performance.py`: scikit-learn's `roc_curve` with collinear points dropped,
    /// the highest of equal thresholds, and the false positive rate named EER.
    Ssan,
    /// bob.measure 6.1.1: thresholds midway between scores, the last of equals.
    Bob,
}

impl Convention {
    /// The equal error rate as the convention reads it.
    pub fn eer(self, sweep: &Sweep) -> EqualErrorRate {
        match self {
            Self::Exact => sweep.eer(),
            Self::Ssdg => ssdg::eer(sweep),
            Self::Ssan => ssan::eer(sweep),
            Self::Bob => bob::eer(sweep),
        }
    }

    /// Area under the ROC curve: exact, but for `bob`, which integrates 2000 sampled points.
    ///
    /// # Errors
    ///
    /// [`MetricError::TooFewScores`] for `bob` when a class has one score only.
    pub fn auc(self, sweep: &Sweep) -> Result<f64, MetricError> {
        match self {
            Self::Bob => bob::auc(sweep),
            Self::Exact | Self::Ssdg | Self::Ssan => Ok(sweep.auc()),
        }
    }

    /// Share of samples decided rightly at `threshold`. `ssan` accepts an attack only where its
    /// score is strictly above the threshold.
    pub fn accuracy(self, sweep: &Sweep, threshold: f64) -> f64 {
        let attacks_accepted = match self {
            Self::Ssan if threshold < f64::INFINITY => {
                sweep.at(threshold.next_up()).attacks_accepted
            }
            _ => sweep.at(threshold).attacks_accepted,
        };
        let errors = attacks_accepted + sweep.at(threshold).bona_fide_rejected;
        let trials = sweep.attacks() + sweep.bona_fide();
        (trials - errors) as f64 / trials as f64
    }

    /// The threshold that `policy` picks on the scores `set`.
    ///
    /// # Errors
    ///
    /// [`MetricError::InvalidPolicy`], [`MetricError::UnsupportedPolicy`] where the mirrored code
    /// has no such rule, and [`MetricError::TooFewScores`] for `bob`.
    pub fn threshold(self, policy: ThresholdPolicy, set: &ScoreSet) -> Result<f64, MetricError> {
        policy.validate()?;
        if let Some(threshold) = self.sweep_threshold(policy, set.sweep())? {
            return Ok(threshold);
        }
        let ThresholdPolicy::DevApcer(n) = policy else {
            unreachable!("the only policy that looks at species");
        };
        self.apcer_threshold(n, set)
    }

    /// BPCER at the threshold where the APCER of every species is at most `1 / n`: BPCER10,
    /// BPCER20, BPCER100 of ISO/IEC 30107-3; `n` is at least 1. Conventions `ssdg` and `ssan` know
    /// no such rate and give the exact one.
    ///
    /// # Errors
    ///
    /// [`MetricError::TooFewScores`] for `bob` when a species has one score only.
    pub fn bpcer_at_apcer(self, n: u32, set: &ScoreSet) -> Result<f64, MetricError> {
        let convention = if self == Self::Bob {
            Self::Bob
        } else {
            Self::Exact
        };
        let threshold = convention.apcer_threshold(n, set)?;
        Ok(set.sweep().bpcer(&set.sweep().at(threshold)))
    }

    /// The threshold of a policy that needs no species, `None` for one that does.
    pub(crate) fn sweep_threshold(
        self,
        policy: ThresholdPolicy,
        sweep: &Sweep,
    ) -> Result<Option<f64>, MetricError> {
        use ThresholdPolicy::*;
        let unsupported = || {
            Err(MetricError::UnsupportedPolicy {
                policy,
                convention: self,
            })
        };
        let threshold = match (policy, self) {
            (Fixed(value), _) => value,
            (Argmax, _) => 0.5,
            (SourceEer | DevEer | OracleEer, _) => self.eer(sweep).threshold,
            (DevMinHter | OracleMinHter, Self::Exact) => sweep.min_hter().threshold,
            (DevMinHter | OracleMinHter, Self::Bob) => bob::min_hter_threshold(sweep),
            (DevBpcer(target), Self::Exact) => sweep.largest_with_bpcer(target).threshold,
            (DevBpcer(target), Self::Bob) => bob::frr_threshold(&sweep.sorted_scores().0, target)?,
            (DevApcer(_), Self::Exact | Self::Bob) => return Ok(None),
            (DevMinHter | OracleMinHter | DevBpcer(_) | DevApcer(_), Self::Ssdg | Self::Ssan) => {
                return unsupported();
            }
        };
        Ok(Some(threshold))
    }

    fn apcer_threshold(self, n: u32, set: &ScoreSet) -> Result<f64, MetricError> {
        let target = 1.0 / f64::from(n);
        let mut highest = f64::NEG_INFINITY;
        for scores in set.species().values() {
            let threshold = if self == Self::Bob {
                bob::far_threshold(scores, target)?
            } else {
                // `n * accepted <= attacks` on counts, so that 1/N is met exactly.
                let allowed = scores.len() / n as usize;
                match scores
                    .len()
                    .checked_sub(allowed + 1)
                    .map(|last| scores[last])
                {
                    None => f64::NEG_INFINITY,
                    Some(rejected) => rejected.next_up(),
                }
            };
            highest = highest.max(threshold);
        }
        if self == Self::Bob {
            return Ok(highest);
        }
        // To the next score of the set, or `+inf`: the same decisions, by a threshold of the sweep.
        let points = set.sweep().points();
        let index = points.partition_point(|point| point.threshold < highest);
        Ok(points[index].threshold)
    }
}

impl fmt::Display for Convention {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Exact => "exact",
            Self::Ssdg => "ssdg",
            Self::Ssan => "ssan",
            Self::Bob => "bob",
        })
    }
}

impl FromStr for Convention {
    type Err = MetricError;

    fn from_str(text: &str) -> Result<Self, MetricError> {
        [Self::Exact, Self::Ssdg, Self::Ssan, Self::Bob]
            .into_iter()
            .find(|convention| convention.to_string() == text)
            .ok_or_else(|| MetricError::InvalidConvention(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scores::ScoredSample;

    fn set() -> ScoreSet {
        let bona_fide = (0..10).map(|i| ScoredSample::bona_fide(0.55 + f64::from(i)));
        let print = (0..10).map(|i| ScoredSample::attack(f64::from(i) - 5.0, "print"));
        let replay = (0..20).map(|i| ScoredSample::attack(f64::from(i) - 15.0, "replay"));
        ScoreSet::new(bona_fide.chain(print).chain(replay).collect()).unwrap()
    }

    #[test]
    fn apcer_of_every_species_is_met() {
        // print allows 1 of 10 above: reject up to 3.0. replay allows 2 of 20: up to 2.0.
        let threshold = |policy| Convention::Exact.threshold(policy, &set()).unwrap();
        assert_eq!(threshold(ThresholdPolicy::DevApcer(10)), 3.55);
        assert_eq!(Convention::Exact.bpcer_at_apcer(10, &set()).unwrap(), 0.3);
        // At 1/20, print allows none (up to 4.0), replay one (up to 3.0).
        assert_eq!(threshold(ThresholdPolicy::DevApcer(20)), 4.55);
        assert_eq!(threshold(ThresholdPolicy::DevApcer(1)), -15.0);
        // bob takes the lowest accepted attack as the threshold.
        let bob = Convention::Bob
            .threshold(ThresholdPolicy::DevApcer(10), &set())
            .unwrap();
        assert_eq!(bob, 4.0);
        assert_eq!(Convention::Bob.bpcer_at_apcer(10, &set()).unwrap(), 0.4);
    }

    #[test]
    fn rules_that_the_code_lacks_are_refused() {
        for convention in [Convention::Ssdg, Convention::Ssan] {
            let error = convention
                .threshold(ThresholdPolicy::DevBpcer(0.01), &set())
                .unwrap_err();
            assert!(matches!(error, MetricError::UnsupportedPolicy { .. }));
            assert_eq!(
                convention
                    .threshold(ThresholdPolicy::Argmax, &set())
                    .unwrap(),
                0.5
            );
        }
    }

    #[test]
    fn names_round_trip() {
        for name in ["exact", "ssdg", "ssan", "bob"] {
            assert_eq!(name.parse::<Convention>().unwrap().to_string(), name);
        }
        assert!(
            "sklearn"
                .parse::<Convention>()
                .unwrap_err()
                .to_string()
                .contains("`ssan`")
        );
    }
}
