//! A threshold that remembers where it comes from.

use serde::{Deserialize, Serialize};

use crate::MetricError;
use crate::convention::Convention;
use crate::level;
use crate::policy::{ThresholdPolicy, ThresholdSource};
use crate::rates::{ErrorRates, Proportion};
use crate::scores::{ScoreSet, Unit};

/// Error rates reached on the scores that a threshold was taken from. With 108 bona fide files a
/// target of 1 % is one file, 0.93 %: the target alone does not tell.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct AchievedRates {
    /// APCER, the maximum over species, in `[0, 1]`.
    pub apcer: f64,
    /// Attacks accepted, over all species.
    pub apcer_pooled: Proportion,
    /// Bona fide samples rejected.
    pub bpcer: Proportion,
}

/// A threshold with its policy, its unit, and the rates it reached where it was chosen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Threshold {
    /// Accept when `score >= value`; may be `+inf`, which rejects all.
    #[serde(with = "level")]
    pub value: f64,
    /// How it was chosen.
    pub policy: ThresholdPolicy,
    /// Whose rule was followed.
    pub convention: Convention,
    /// Whose scores it was taken from.
    pub source: ThresholdSource,
    /// What one of those scores stands for.
    pub unit: Unit,
    /// Rates on the scores it was taken from; `None` for a given threshold.
    pub achieved: Option<AchievedRates>,
}

impl Threshold {
    /// Chooses a threshold by `policy` under `convention`: from `development` where the policy
    /// asks for it (source validation scores for `source-eer`), from `test` for an oracle policy.
    ///
    /// # Errors
    ///
    /// [`MetricError::MissingDevelopment`], and those of [`Convention::threshold`].
    pub fn choose(
        policy: ThresholdPolicy,
        convention: Convention,
        development: Option<&ScoreSet>,
        test: &ScoreSet,
    ) -> Result<Self, MetricError> {
        let source = policy.source();
        let set = match source {
            ThresholdSource::SourceValidation | ThresholdSource::Development => {
                development.ok_or(MetricError::MissingDevelopment { policy })?
            }
            ThresholdSource::Test | ThresholdSource::Given => test,
        };
        let value = convention.threshold(policy, set)?;
        let achieved = (source != ThresholdSource::Given).then(|| {
            let rates = ErrorRates::at(set, value);
            AchievedRates {
                apcer: rates.apcer(),
                apcer_pooled: rates.apcer_pooled,
                bpcer: rates.bpcer,
            }
        });
        Ok(Self {
            value,
            policy,
            convention,
            source,
            unit: set.unit(),
            achieved,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scores::ScoredSample;

    fn set(bona_fide: usize) -> ScoreSet {
        let bona_fide = (0..bona_fide).map(|i| ScoredSample::bona_fide(i as f64));
        let attacks = (0..4).map(|i| ScoredSample::attack(f64::from(i) - 3.5, "print"));
        ScoreSet::new(bona_fide.chain(attacks).collect()).unwrap()
    }

    #[test]
    fn keeps_the_achieved_rate_beside_the_target() {
        // The WMCA development set: 108 bona fide files.
        let (dev, test) = (set(108), set(50));
        let policy = ThresholdPolicy::DevBpcer(0.01);
        let threshold = Threshold::choose(policy, Convention::Exact, Some(&dev), &test).unwrap();
        assert_eq!(threshold.value, 1.0);
        let achieved = threshold.achieved.unwrap();
        assert_eq!(
            achieved.bpcer,
            Proportion {
                errors: 1,
                trials: 108
            }
        );
        assert_eq!(achieved.apcer, 0.0);
        assert_eq!(threshold.unit, Unit::Frame);
    }

    #[test]
    fn asks_for_development_scores() {
        let test = set(10);
        let choose =
            |policy: ThresholdPolicy| Threshold::choose(policy, Convention::Exact, None, &test);
        let message = choose(ThresholdPolicy::SourceEer).unwrap_err().to_string();
        assert!(
            message.contains("source-eer") && message.contains("oracle-eer"),
            "{message}"
        );
        assert_eq!(choose(ThresholdPolicy::Fixed(0.5)).unwrap().achieved, None);
        let oracle = choose(ThresholdPolicy::OracleEer).unwrap();
        assert_eq!(oracle.source, ThresholdSource::Test);
        assert_eq!(oracle.value, 0.0);
    }

    #[test]
    fn survives_json() {
        let test = set(10);
        let policy = ThresholdPolicy::OracleMinHter;
        let threshold = Threshold::choose(policy, Convention::Bob, None, &test).unwrap();
        let text = serde_json::to_string(&threshold).unwrap();
        assert!(text.contains(r#""policy":"oracle-min-hter","convention":"bob","source":"test""#));
        assert_eq!(serde_json::from_str::<Threshold>(&text).unwrap(), threshold);
    }
}
