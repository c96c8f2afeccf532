//! A protocol with the rule of its threshold: the four kinds of DiffFAS's tables.

use fas_data::{HeldOut, PaiSpecies, Protocol};
use fas_metrics::{Convention, ThresholdPolicy, Unit};
use serde::{Deserialize, Serialize};

/// The attacks that DiffFAS, Table 2, leaves out in turn, in its order.
pub const WMCA_UNSEEN: [PaiSpecies; 7] = [
    PaiSpecies::Glasses,
    PaiSpecies::RigidMask,
    PaiSpecies::FakeHead,
    PaiSpecies::FlexibleMask,
    PaiSpecies::PaperMask,
    PaiSpecies::Print,
    PaiSpecies::Replay,
];

/// Which samples, and how they are judged.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ExperimentProtocol {
    /// Which samples are trained on, chosen with and tested.
    pub protocol: Protocol,
    /// Where the threshold comes from.
    pub policy: ThresholdPolicy,
    /// Whose rules of counting are followed.
    pub convention: Convention,
    /// Frames as they are, or the mean of each video.
    pub unit: Unit,
}

impl ExperimentProtocol {
    /// `protocol`, judged by `policy`, exactly, frame by frame.
    pub fn new(protocol: Protocol, policy: ThresholdPolicy) -> Self {
        Self {
            protocol,
            policy,
            convention: Convention::default(),
            unit: Unit::Frame,
        }
    }

    /// Leave-one-out and limited sources (DiffFAS, Tables 1 and 3): the threshold of equal errors on
    /// source development samples. The papers take it from the target; those numbers stand beside as
    /// [`OracleEvaluation`](super::OracleEvaluation).
    pub fn cross_domain(protocol: Protocol) -> Self {
        Self::new(protocol, ThresholdPolicy::SourceEer)
    }

    /// All attacks of one data set, seen in training (DiffFAS, Table 2, WMCA "grandtest"): the
    /// threshold gives BPCER = 1 % on the development samples.
    pub fn seen_attacks(domain: &str) -> Self {
        Self::new(Protocol::intra(domain), ThresholdPolicy::DevBpcer(0.01))
    }

    /// One kind of attack held out (DiffFAS, Table 2, the seven unseen attacks of WMCA): the threshold
    /// gives BPCER = 1 % on the development samples, which do not have it either.
    pub fn unseen_attack(domain: &str, held_out: HeldOut) -> Self {
        let protocol = Protocol::intra(domain).with_held_out(held_out);
        Self::new(protocol, ThresholdPolicy::DevBpcer(0.01))
    }

    /// [`unseen_attack`](Self::unseen_attack) for each species in turn; WMCA's are [`WMCA_UNSEEN`].
    pub fn unseen_species(domain: &str, species: &[PaiSpecies]) -> Vec<Self> {
        let held_out = species.iter().map(|&species| HeldOut::Species(species));
        held_out
            .map(|held_out| Self::unseen_attack(domain, held_out))
            .collect()
    }

    /// One data set to another (DiffFAS, Table 4, WMCA and PADISI): the threshold is 0.5.
    pub fn cross_dataset(protocol: Protocol) -> Self {
        Self::new(protocol, ThresholdPolicy::Fixed(0.5))
    }

    /// The same protocol on video means.
    #[must_use]
    pub fn by_video(mut self) -> Self {
        self.unit = Unit::Video;
        self
    }

    /// The same protocol under other rules of counting.
    #[must_use]
    pub fn with_convention(mut self, convention: Convention) -> Self {
        self.convention = convention;
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_four_kinds_have_the_thresholds_of_their_tables() {
        let domains = ["O", "C", "I", "M"];
        let limited = Protocol::from_name("MI->C", &domains).unwrap();
        let policy = |protocol: &ExperimentProtocol| protocol.policy.to_string();
        assert_eq!(
            policy(&ExperimentProtocol::cross_domain(limited.clone())),
            "source-eer"
        );
        let seen = ExperimentProtocol::seen_attacks("WMCA");
        assert_eq!(
            (policy(&seen).as_str(), seen.protocol.name.as_str()),
            ("dev-bpcer=0.01", "WMCA")
        );
        let unseen = ExperimentProtocol::unseen_species(
            "WMCA",
            &[PaiSpecies::Glasses, PaiSpecies::PaperMask],
        );
        let names: Vec<&str> = unseen.iter().map(|p| p.protocol.name.as_str()).collect();
        assert_eq!(names, ["WMCA unseen glasses", "WMCA unseen paper_mask"]);
        assert!(unseen.iter().all(|p| policy(p) == "dev-bpcer=0.01"));
        assert_eq!(
            policy(&ExperimentProtocol::cross_dataset(limited)),
            "fixed=0.5"
        );
    }

    #[test]
    fn a_protocol_is_data() {
        let protocol = ExperimentProtocol::unseen_attack("WMCA", HeldOut::Style("print".into()));
        let text = serde_json::to_string(&protocol).unwrap();
        assert_eq!(
            serde_json::from_str::<ExperimentProtocol>(&text).unwrap(),
            protocol
        );
    }
}
