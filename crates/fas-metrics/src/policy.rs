//! Threshold policies: which rule picks the threshold, and on whose scores.
//!
//! The same detector gets very different error rates under different policies, so that a rate
//! without its policy says little. Papers and code known to follow each are named at the variants.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::MetricError;

/// How a threshold is chosen. Written as text, for instance `source-eer` or `dev-bpcer=0.01`.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[serde(into = "String", try_from = "String")]
#[non_exhaustive]
pub enum ThresholdPolicy {
    /// `source-eer`: EER on held-out data of the source domains. The honest choice across domains,
    /// and the default.
    #[default]
    SourceEer,
    /// `dev-eer`: EER on the development set of the same data set (OULU-NPU, Replay-Attack, bob).
    DevEer,
    /// `dev-min-hter`: least HTER on the development set (bob).
    DevMinHter,
    /// `dev-bpcer=SHARE`: the largest threshold with BPCER at most this share on the development
    /// set, in `[0, 1]` (WMCA and DiffFAS Table 2 at 0.01).
    DevBpcer(f64),
    /// `dev-apcer=1/N`: the smallest threshold with the APCER of every species at most `1/N` on
    /// the development set (ISO/IEC 30107-3, PyPAD); `N` is at least 1.
    DevApcer(u32),
    /// `oracle-eer`: EER on the very scores that are evaluated (SSDG, SAFAS, FLIP). Optimistic: a
    /// deployed system has no such threshold.
    OracleEer,
    /// `oracle-min-hter`: least HTER on the very scores that are evaluated. Optimistic.
    OracleMinHter,
    /// `fixed=VALUE`: a given finite threshold (DiffFAS Table 4 and SSDG's ACER at 0.5).
    Fixed(f64),
    /// `argmax`: the more probable of two classes, so 0.5 on a softmax score.
    Argmax,
}

/// Which scores a threshold was taken from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ThresholdSource {
    /// Held-out scores of the source domains.
    SourceValidation,
    /// The development set of the evaluated data set.
    Development,
    /// The evaluated scores themselves.
    Test,
    /// No scores.
    Given,
}

impl fmt::Display for ThresholdSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::SourceValidation => "source validation",
            Self::Development => "development",
            Self::Test => "test (oracle)",
            Self::Given => "given",
        })
    }
}

impl ThresholdPolicy {
    /// The spellings, for help texts.
    pub const KNOWN: &'static str = "source-eer, dev-eer, dev-min-hter, dev-bpcer=SHARE, \
                                     dev-apcer=1/N, oracle-eer, oracle-min-hter, fixed=VALUE, argmax";

    /// Whose scores the threshold is taken from.
    pub fn source(self) -> ThresholdSource {
        match self {
            Self::SourceEer => ThresholdSource::SourceValidation,
            Self::DevEer | Self::DevMinHter | Self::DevBpcer(_) | Self::DevApcer(_) => {
                ThresholdSource::Development
            }
            Self::OracleEer | Self::OracleMinHter => ThresholdSource::Test,
            Self::Fixed(_) | Self::Argmax => ThresholdSource::Given,
        }
    }

    /// Whether it needs scores other than the evaluated ones.
    pub fn needs_development(self) -> bool {
        matches!(
            self.source(),
            ThresholdSource::SourceValidation | ThresholdSource::Development
        )
    }

    /// Checks the parameter of the variant; text and JSON are checked already.
    ///
    /// # Errors
    ///
    /// [`MetricError::InvalidPolicy`].
    pub fn validate(self) -> Result<(), MetricError> {
        let reason = match self {
            Self::DevBpcer(share) if !(0.0..=1.0).contains(&share) => "the share is outside [0, 1]",
            Self::DevApcer(0) => "N of 1/N is at least 1",
            Self::Fixed(value) if !value.is_finite() => "the threshold must be finite",
            _ => return Ok(()),
        };
        Err(MetricError::InvalidPolicy {
            text: self.to_string(),
            reason,
        })
    }
}

impl fmt::Display for ThresholdPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::SourceEer => f.write_str("source-eer"),
            Self::DevEer => f.write_str("dev-eer"),
            Self::DevMinHter => f.write_str("dev-min-hter"),
            Self::DevBpcer(share) => write!(f, "dev-bpcer={share}"),
            Self::DevApcer(n) => write!(f, "dev-apcer=1/{n}"),
            Self::OracleEer => f.write_str("oracle-eer"),
            Self::OracleMinHter => f.write_str("oracle-min-hter"),
            Self::Fixed(value) => write!(f, "fixed={value}"),
            Self::Argmax => f.write_str("argmax"),
        }
    }
}

impl FromStr for ThresholdPolicy {
    type Err = MetricError;

    fn from_str(text: &str) -> Result<Self, MetricError> {
        let invalid = |reason| MetricError::InvalidPolicy {
            text: text.to_owned(),
            reason,
        };
        let number = |value: &str| {
            value
                .parse()
                .map_err(|_| invalid("it needs a number after `=`"))
        };
        let policy = match text.split_once('=') {
            None => match text {
                "source-eer" => Self::SourceEer,
                "dev-eer" => Self::DevEer,
                "dev-min-hter" => Self::DevMinHter,
                "oracle-eer" => Self::OracleEer,
                "oracle-min-hter" => Self::OracleMinHter,
                "argmax" => Self::Argmax,
                "dev-bpcer" | "dev-apcer" | "fixed" => return Err(invalid("its value is missing")),
                _ => return Err(invalid("unknown name")),
            },
            Some(("dev-bpcer", value)) => Self::DevBpcer(number(value)?),
            Some(("fixed", value)) => Self::Fixed(number(value)?),
            Some(("dev-apcer", value)) => {
                let n = value.strip_prefix("1/").and_then(|n| n.parse().ok());
                Self::DevApcer(n.ok_or_else(|| invalid("write `dev-apcer=1/20`"))?)
            }
            Some(_) => return Err(invalid("unknown name")),
        };
        policy.validate().map_err(|error| match error {
            MetricError::InvalidPolicy { reason, .. } => invalid(reason),
            other => other,
        })?;
        Ok(policy)
    }
}

impl From<ThresholdPolicy> for String {
    fn from(policy: ThresholdPolicy) -> Self {
        policy.to_string()
    }
}

impl TryFrom<String> for ThresholdPolicy {
    type Error = MetricError;

    fn try_from(text: String) -> Result<Self, MetricError> {
        text.parse()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_json_round_trip() {
        let policies = [
            "source-eer",
            "dev-eer",
            "dev-min-hter",
            "dev-bpcer=0.01",
            "dev-apcer=1/20",
            "oracle-eer",
            "oracle-min-hter",
            "fixed=-2.5",
            "argmax",
        ];
        for text in policies {
            let policy: ThresholdPolicy = text.parse().unwrap();
            assert_eq!(policy.to_string(), text);
            let json = serde_json::to_string(&policy).unwrap();
            assert_eq!(json, format!("\"{text}\""));
            assert_eq!(
                serde_json::from_str::<ThresholdPolicy>(&json).unwrap(),
                policy
            );
        }
    }

    #[test]
    fn bad_text_is_explained() {
        let cases = [
            ("eer", "unknown name"),
            ("dev-bpcer", "missing"),
            ("dev-bpcer=1.5", "outside [0, 1]"),
            ("dev-bpcer=NaN", "outside [0, 1]"),
            ("dev-apcer=20", "1/20"),
            ("dev-apcer=1/0", "at least 1"),
            ("fixed=inf", "finite"),
            ("fixed=x", "number"),
        ];
        for (text, expected) in cases {
            let message = text.parse::<ThresholdPolicy>().unwrap_err().to_string();
            assert!(
                message.contains(expected) && message.contains(text),
                "{message}"
            );
            assert!(
                message.contains("oracle-min-hter"),
                "lists the known ones: {message}"
            );
        }
    }

    #[test]
    fn the_default_is_the_honest_one() {
        let policy = ThresholdPolicy::default();
        assert_eq!(policy.source(), ThresholdSource::SourceValidation);
        assert!(policy.needs_development());
        assert!(!ThresholdPolicy::OracleEer.needs_development());
    }
}
