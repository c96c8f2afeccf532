//! Presentations that got no decision, ISO/IEC 30107-3: APNRR and BPNRR; and the failure-to-acquire
//! correction of bob.pad.base.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::MetricError;

/// Counts of presentations without a score, such as a face that was not found.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NonResponses {
    /// Bona fide presentations.
    pub bona_fide: u64,
    /// Attack presentations by species.
    pub by_species: BTreeMap<String, u64>,
}

impl NonResponses {
    /// Whether every presentation got a score.
    pub fn is_empty(&self) -> bool {
        self.total() == 0
    }

    /// All presentations without a score.
    pub fn total(&self) -> u64 {
        self.bona_fide + self.by_species.values().sum::<u64>()
    }
}

/// Error rates corrected for failures to acquire, as bob.pad.base does: a presentation without a
/// score counts as rejected.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CorrectedRates {
    /// `apcer_pooled * (1 - failure_rate)`, in `[0, 1]`.
    pub apcer_pooled: f64,
    /// `failure_rate + bpcer * (1 - failure_rate)`, in `[0, 1]`.
    pub bpcer: f64,
    /// Mean of the two.
    pub hter: f64,
}

impl CorrectedRates {
    /// Corrects the rates over scored presentations for the share `failure_rate` without a score.
    ///
    /// # Errors
    ///
    /// [`MetricError::InvalidShare`] for a value outside `[0, 1]`.
    pub fn new(apcer_pooled: f64, bpcer: f64, failure_rate: f64) -> Result<Self, MetricError> {
        let named = [
            ("pooled APCER", apcer_pooled),
            ("BPCER", bpcer),
            ("failure rate", failure_rate),
        ];
        for (name, value) in named {
            if !(0.0..=1.0).contains(&value) {
                return Err(MetricError::InvalidShare { name, value });
            }
        }
        let apcer_pooled = apcer_pooled * (1.0 - failure_rate);
        let bpcer = failure_rate + bpcer * (1.0 - failure_rate);
        Ok(Self {
            apcer_pooled,
            bpcer,
            hter: (apcer_pooled + bpcer) / 2.0,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_count_as_rejections() {
        let rates = CorrectedRates::new(0.2, 0.1, 0.25).unwrap();
        assert!((rates.apcer_pooled - 0.15).abs() < 1e-15);
        assert!((rates.bpcer - 0.325).abs() < 1e-15);
        assert!((rates.hter - 0.2375).abs() < 1e-15);
        assert!(CorrectedRates::new(0.2, 0.1, 1.5).is_err());
        assert!(CorrectedRates::new(0.2, f64::NAN, 0.1).is_err());
    }
}
