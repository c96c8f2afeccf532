//! Error rates at one threshold (ISO/IEC 30107-3): APCER per species, their maximum and pooled,
//! BPCER, ACER either way.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::level;
use crate::scores::ScoreSet;

/// A share kept with its counts, so that intervals stay possible.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proportion {
    /// Wrong decisions.
    pub errors: u64,
    /// Decisions; at least 1 in every proportion that this crate makes.
    pub trials: u64,
}

impl Proportion {
    /// `errors / trials`, in `[0, 1]`.
    pub fn rate(&self) -> f64 {
        self.errors as f64 / self.trials as f64
    }
}

/// Error counts of a set at one threshold.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ErrorRates {
    /// Accept when `score >= threshold`.
    #[serde(with = "level")]
    pub threshold: f64,
    /// Attacks accepted, by species.
    pub apcer_by_species: BTreeMap<String, Proportion>,
    /// Attacks accepted, over all species.
    pub apcer_pooled: Proportion,
    /// Bona fide samples rejected.
    pub bpcer: Proportion,
}

impl ErrorRates {
    /// Counts the errors of `set` at `threshold`.
    pub fn at(set: &ScoreSet, threshold: f64) -> Self {
        let apcer_by_species = set
            .species()
            .iter()
            .map(|(name, scores)| {
                let rejected = scores.partition_point(|&score| score < threshold);
                let errors = (scores.len() - rejected) as u64;
                (
                    name.clone(),
                    Proportion {
                        errors,
                        trials: scores.len() as u64,
                    },
                )
            })
            .collect();
        let sweep = set.sweep();
        let point = sweep.at(threshold);
        Self {
            threshold,
            apcer_by_species,
            apcer_pooled: Proportion {
                errors: point.attacks_accepted,
                trials: sweep.attacks(),
            },
            bpcer: Proportion {
                errors: point.bona_fide_rejected,
                trials: sweep.bona_fide(),
            },
        }
    }

    /// The species that is accepted most often (the first by name among equals) and its counts.
    pub fn worst_species(&self) -> (&str, Proportion) {
        let mut species = self.apcer_by_species.iter();
        let first = species
            .next()
            .expect("a score set holds at least one attack");
        let (name, worst) = species.fold(first, |worst, other| {
            // Cross-multiplied: exact where quotients would round.
            let (a, b) = (worst.1, other.1);
            let higher = u128::from(b.errors) * u128::from(a.trials)
                > u128::from(a.errors) * u128::from(b.trials);
            if higher { other } else { worst }
        });
        (name, *worst)
    }

    /// APCER of ISO/IEC 30107-3: the maximum over species, in `[0, 1]`.
    pub fn apcer(&self) -> f64 {
        self.worst_species().1.rate()
    }

    /// `(APCER + BPCER) / 2` with the maximum over species, as OULU-NPU does.
    pub fn acer_max(&self) -> f64 {
        (self.apcer() + self.bpcer.rate()) / 2.0
    }

    /// `(APCER + BPCER) / 2` with all attacks pooled, as SSDG does; the same number as
    /// [`hter`](Self::hter).
    pub fn acer_pooled(&self) -> f64 {
        (self.apcer_pooled.rate() + self.bpcer.rate()) / 2.0
    }

    /// Half total error rate `(FAR + FRR) / 2`, attacks pooled.
    pub fn hter(&self) -> f64 {
        self.acer_pooled()
    }

    /// Share of all samples decided rightly, in `[0, 1]`.
    pub fn accuracy(&self) -> f64 {
        let errors = self.apcer_pooled.errors + self.bpcer.errors;
        let trials = self.apcer_pooled.trials + self.bpcer.trials;
        (trials - errors) as f64 / trials as f64
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scores::ScoredSample;

    fn set() -> ScoreSet {
        let bona_fide = [0.3, 0.6, 0.7, 0.9].map(ScoredSample::bona_fide);
        let print = [0.1, 0.2, 0.65].map(|score| ScoredSample::attack(score, "print"));
        let replay = [0.5, 0.8].map(|score| ScoredSample::attack(score, "replay"));
        ScoreSet::new([&bona_fide[..], &print, &replay].concat()).unwrap()
    }

    #[test]
    fn rates_by_species() {
        let rates = ErrorRates::at(&set(), 0.5);
        assert_eq!(
            rates.apcer_by_species["print"],
            Proportion {
                errors: 1,
                trials: 3
            }
        );
        assert_eq!(
            rates.apcer_by_species["replay"],
            Proportion {
                errors: 2,
                trials: 2
            }
        );
        assert_eq!(rates.worst_species().0, "replay");
        assert_eq!(
            (rates.apcer(), rates.apcer_pooled.rate(), rates.bpcer.rate()),
            (1.0, 0.6, 0.25)
        );
        assert_eq!(
            (rates.acer_max(), rates.acer_pooled(), rates.hter()),
            (0.625, 0.425, 0.425)
        );
        assert_eq!(rates.accuracy(), 5.0 / 9.0);
    }

    #[test]
    fn an_infinite_threshold_rejects_all() {
        let rates = ErrorRates::at(&set(), f64::INFINITY);
        assert_eq!((rates.apcer(), rates.bpcer.rate()), (0.0, 1.0));
    }
}
