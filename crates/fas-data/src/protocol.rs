//! Protocols as data: which domains are trained on, which one is tested, and what is held out.
//!
//! The cross-domain protocols of the field (`OCI->M`: train on OULU-NPU, CASIA and Idiap
//! Replay-Attack, test on MSU-MFSD) are a list of sources and a target. Thresholds and models are
//! chosen on the development split of the **sources**: nothing of the target is seen before its
//! scores are reported.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::error::ProtocolProblem;
use crate::{DataError, Dataset, Label, Manifest, PaiSpecies, Sample, Split};

/// Attacks that training never sees and that the test asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HeldOut {
    /// Nothing: all attacks are trained on and tested.
    Nothing,
    /// Every attack of one species.
    Species(PaiSpecies),
    /// Every attack of one style label, or whose style label ends in `/` and this name: `print`
    /// holds out `sim-C/print` and `sim-I/print`.
    Style(String),
}

impl HeldOut {
    /// Whether `sample` is one of the held-out attacks.
    pub fn contains(&self, sample: &Sample) -> bool {
        match self {
            Self::Nothing => false,
            Self::Species(species) => sample.label == Label::Attack(*species),
            Self::Style(name) => {
                !sample.label.is_bona_fide()
                    && (sample.style == *name
                        || sample
                            .style
                            .strip_suffix(name)
                            .is_some_and(|rest| rest.ends_with('/')))
            }
        }
    }
}

impl fmt::Display for HeldOut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Nothing => f.write_str("nothing"),
            Self::Species(species) => species.fmt(f),
            Self::Style(style) => f.write_str(style),
        }
    }
}

/// Splits of the target domain that are tested.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetSplits {
    /// The test split.
    #[default]
    Test,
    /// The training and the test split, as the leave-one-out tables of SSDG and its successors do;
    /// cross-domain protocols only.
    TrainAndTest,
    /// Every split; cross-domain protocols only.
    All,
}

impl TargetSplits {
    fn contains(self, split: Split) -> bool {
        match self {
            Self::Test => split == Split::Test,
            Self::TrainAndTest => split != Split::Development,
            Self::All => true,
        }
    }
}

/// An evaluation protocol. The constructors make valid ones; [`select`](Self::select) checks again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Protocol {
    /// Name in tables, for instance `OCI->M` or `sim-C unseen replay`.
    pub name: String,
    /// Domains that are trained on.
    pub sources: Vec<String>,
    /// Domain that is tested; the only source in an intra-domain protocol.
    pub target: String,
    /// Attacks that are left out of training and development; the test has bona fide samples and
    /// these attacks only.
    pub held_out: HeldOut,
    /// Splits of the target that are tested.
    pub target_splits: TargetSplits,
}

/// The samples of a protocol.
#[derive(Debug, Clone, PartialEq)]
pub struct ProtocolSplits {
    /// For fitting: training split of the sources.
    pub train: Vec<Sample>,
    /// For thresholds, early stopping and model selection: development split of the sources.
    pub development: Vec<Sample>,
    /// For the reported numbers.
    pub test: Vec<Sample>,
}

impl Protocol {
    /// Trains on `sources`, tests on `target`. With some of the domains only (`MI->C`) this is the
    /// limited-source protocol.
    ///
    /// # Errors
    ///
    /// [`DataError::InvalidProtocol`] if there is no source, a domain is named twice, or the target
    /// is a source.
    pub fn cross_domain(sources: &[&str], target: &str) -> Result<Self, DataError> {
        let protocol = Self {
            name: format!("{}->{}", joined_short_names(sources), short_name(target)),
            sources: sources.iter().map(|source| (*source).to_owned()).collect(),
            target: target.to_owned(),
            held_out: HeldOut::Nothing,
            target_splits: TargetSplits::default(),
        };
        protocol.check()?;
        if protocol.is_intra_domain() {
            return Err(DataError::InvalidProtocol {
                protocol: protocol.name,
                reason: ProtocolProblem::TargetIsSource(protocol.target),
            });
        }
        Ok(protocol)
    }

    /// Trains on all `domains` but `target`, in their order: with O, C, I, M and target M,
    /// `OCI->M`.
    ///
    /// # Errors
    ///
    /// [`DataError::UnknownDomain`] if `target` is none of `domains`, and as
    /// [`cross_domain`](Self::cross_domain).
    pub fn leave_one_out(domains: &[&str], target: &str) -> Result<Self, DataError> {
        if !domains.contains(&target) {
            return Err(DataError::UnknownDomain {
                protocol: format!("->{}", short_name(target)),
                domain: target.to_owned(),
                known: domains.iter().map(|domain| (*domain).to_owned()).collect(),
            });
        }
        let sources: Vec<&str> = domains
            .iter()
            .copied()
            .filter(|domain| *domain != target)
            .collect();
        Self::cross_domain(&sources, target)
    }

    /// The leave-one-out protocol of each domain in turn.
    ///
    /// # Errors
    ///
    /// As [`leave_one_out`](Self::leave_one_out).
    pub fn leave_each_out(domains: &[&str]) -> Result<Vec<Self>, DataError> {
        domains
            .iter()
            .map(|target| Self::leave_one_out(domains, target))
            .collect()
    }

    /// Reads a name such as `OCI->M`, `MI->C`, `WMCA->PADISI` or `sim-C+sim-I->sim-M`. Letters
    /// stand for the domain among `domains` that ends in `-` and the letter, or for the public data
    /// set of that letter (`oulu_npu` is O); sources keep the order of the name.
    ///
    /// # Errors
    ///
    /// [`DataError::InvalidProtocol`] if the name has another form, [`DataError::UnknownDomain`] if
    /// a part of it fits no domain, and as [`cross_domain`](Self::cross_domain).
    pub fn from_name(name: &str, domains: &[&str]) -> Result<Self, DataError> {
        let Some((sources, target)) = name.split_once("->") else {
            return Err(DataError::InvalidProtocol {
                protocol: name.to_owned(),
                reason: ProtocolProblem::BadName,
            });
        };
        let find = |part: &str| find_domain(name, part, domains);
        let sources = if sources.contains('+') {
            sources
                .split('+')
                .map(find)
                .collect::<Result<Vec<_>, _>>()?
        } else if let Ok(single) = find(sources) {
            vec![single]
        } else {
            let letters = sources.chars().map(|letter| find(&letter.to_string()));
            letters.collect::<Result<Vec<_>, _>>()?
        };
        let mut protocol = Self::cross_domain(&sources, find(target)?)?;
        protocol.name = name.to_owned();
        Ok(protocol)
    }

    /// Trains and tests on one domain, each on its own split.
    pub fn intra(domain: &str) -> Self {
        Self {
            name: domain.to_owned(),
            sources: vec![domain.to_owned()],
            target: domain.to_owned(),
            held_out: HeldOut::Nothing,
            target_splits: TargetSplits::Test,
        }
    }

    /// Holds attacks out of training and development; the test then has bona fide samples and these
    /// attacks only. `Protocol::intra("WMCA").with_held_out(HeldOut::Species(PaiSpecies::Glasses))`
    /// is WMCA's leave-one-out protocol for glasses.
    #[must_use]
    pub fn with_held_out(mut self, held_out: HeldOut) -> Self {
        if held_out != HeldOut::Nothing {
            self.name = format!("{} unseen {held_out}", self.name);
        }
        self.held_out = held_out;
        self
    }

    /// Tests other splits of the target.
    ///
    /// # Errors
    ///
    /// [`DataError::InvalidProtocol`] in an intra-domain protocol, where they are trained on.
    pub fn with_target_splits(mut self, target_splits: TargetSplits) -> Result<Self, DataError> {
        self.target_splits = target_splits;
        self.check()?;
        Ok(self)
    }

    /// Whether the target is also trained on, by other samples.
    pub fn is_intra_domain(&self) -> bool {
        self.sources.contains(&self.target)
    }

    /// Picks the samples of the protocol.
    ///
    /// # Errors
    ///
    /// [`DataError::UnknownDomain`] if a domain has no sample, [`DataError::EmptyPart`] if a part
    /// lacks bona fide samples or attacks, [`DataError::InvalidProtocol`] if fields contradict each
    /// other.
    pub fn select(&self, manifest: &Manifest) -> Result<ProtocolSplits, DataError> {
        self.check()?;
        let known = manifest.domains();
        for domain in self.sources.iter().chain([&self.target]) {
            if !known.contains(domain) {
                return Err(DataError::UnknownDomain {
                    protocol: self.name.clone(),
                    domain: domain.clone(),
                    known,
                });
            }
        }
        let pick = |keep: &dyn Fn(&Sample) -> bool| -> Vec<Sample> {
            manifest
                .samples()
                .iter()
                .filter(|sample| keep(sample))
                .cloned()
                .collect()
        };
        let of_sources = |sample: &Sample, split| {
            sample.split == split
                && self.sources.contains(&sample.domain)
                && !self.held_out.contains(sample)
        };
        let splits = ProtocolSplits {
            train: pick(&|sample| of_sources(sample, Split::Train)),
            development: pick(&|sample| of_sources(sample, Split::Development)),
            test: pick(&|sample| {
                sample.domain == self.target
                    && self.target_splits.contains(sample.split)
                    && (self.held_out == HeldOut::Nothing
                        || sample.label.is_bona_fide()
                        || self.held_out.contains(sample))
            }),
        };
        self.check_classes(&splits.train, Split::Train)?;
        self.check_classes(&splits.development, Split::Development)?;
        self.check_classes(&splits.test, Split::Test)?;
        Ok(splits)
    }

    fn check_classes(&self, samples: &[Sample], split: Split) -> Result<(), DataError> {
        for (class, bona_fide) in [("bona_fide", true), ("attack", false)] {
            if !samples
                .iter()
                .any(|sample| sample.label.is_bona_fide() == bona_fide)
            {
                return Err(DataError::EmptyPart {
                    protocol: self.name.clone(),
                    split,
                    class,
                });
            }
        }
        Ok(())
    }

    fn check(&self) -> Result<(), DataError> {
        let mut seen = BTreeSet::new();
        let twice = self.sources.iter().find(|source| !seen.insert(*source));
        let intra = self.is_intra_domain();
        let reason = if self.sources.is_empty() {
            ProtocolProblem::NoSource
        } else if let Some(twice) = twice {
            ProtocolProblem::DomainTwice(twice.clone())
        } else if intra && self.sources.len() > 1 {
            ProtocolProblem::TargetIsSource(self.target.clone())
        } else if intra && self.target_splits != TargetSplits::Test {
            ProtocolProblem::IntraNeedsTestSplit
        } else {
            return Ok(());
        };
        Err(DataError::InvalidProtocol {
            protocol: self.name.clone(),
            reason,
        })
    }
}

/// The letter of a domain such as `oulu_npu`, `sim-C` or `C`; other names stand for themselves.
fn short_name(domain: &str) -> String {
    let card_letter = domain
        .parse::<Dataset>()
        .ok()
        .and_then(|dataset| dataset.card().letter);
    if let Some(letter) = card_letter {
        return letter.to_string();
    }
    let short = match domain.rsplit_once('-') {
        Some((_, letter)) if letter.chars().count() == 1 => letter,
        _ => domain,
    };
    short.to_owned()
}

fn joined_short_names(domains: &[&str]) -> String {
    let names: Vec<String> = domains.iter().map(|domain| short_name(domain)).collect();
    let letters_only = names.iter().all(|name| name.chars().count() == 1);
    names.join(if letters_only { "" } else { "+" })
}

fn find_domain<'a>(protocol: &str, part: &str, domains: &[&'a str]) -> Result<&'a str, DataError> {
    if let Some(exact) = domains.iter().find(|domain| **domain == part) {
        return Ok(exact);
    }
    let mut fitting = domains.iter().filter(|domain| short_name(domain) == part);
    match (fitting.next(), fitting.next()) {
        (Some(domain), None) => Ok(domain),
        (Some(_), Some(_)) => Err(DataError::InvalidProtocol {
            protocol: protocol.to_owned(),
            reason: ProtocolProblem::AmbiguousDomain(part.to_owned()),
        }),
        (None, _) => Err(DataError::UnknownDomain {
            protocol: protocol.to_owned(),
            domain: part.to_owned(),
            known: domains.iter().map(|domain| (*domain).to_owned()).collect(),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::tests::sample;

    const OCIM: [&str; 4] = ["sim-O", "sim-C", "sim-I", "sim-M"];

    fn manifest() -> Manifest {
        let mut samples = Vec::new();
        for domain in OCIM {
            for split in Split::ALL {
                for presentation in ["bona_fide", "print", "replay"] {
                    samples.push(sample(domain, split.name(), split, presentation));
                }
            }
        }
        Manifest::new("", samples).unwrap()
    }

    fn ids(samples: &[Sample]) -> Vec<&str> {
        samples.iter().map(|sample| sample.id.as_str()).collect()
    }

    #[test]
    fn names_are_those_of_the_field() {
        let names: Vec<String> = Protocol::leave_each_out(&OCIM)
            .unwrap()
            .into_iter()
            .map(|protocol| protocol.name)
            .collect();
        assert_eq!(names, ["CIM->O", "OIM->C", "OCM->I", "OCI->M"]);
        let named = Protocol::from_name("ICM->O", &OCIM).unwrap();
        assert_eq!(named.sources, ["sim-I", "sim-C", "sim-M"]);
        assert_eq!(named.target, "sim-O");
        assert_eq!(named.name, "ICM->O");
        assert_eq!(
            Protocol::cross_domain(&["sim-M", "sim-I"], "sim-C")
                .unwrap()
                .name,
            "MI->C"
        );
        let other = Protocol::from_name("WMCA->PADISI", &["PADISI", "WMCA"]).unwrap();
        assert_eq!(
            (other.sources, other.target),
            (vec!["WMCA".into()], "PADISI".into())
        );
        let long = Protocol::cross_domain(&["WMCA", "sim-C"], "PADISI").unwrap();
        assert_eq!(long.name, "WMCA+C->PADISI");
        let real = ["casia_fasd", "msu_mfsd", "oulu_npu", "replay_attack", "siw"];
        let ocim = Protocol::from_name("OCI->M", &real).unwrap();
        assert_eq!(ocim.sources, ["oulu_npu", "casia_fasd", "replay_attack"]);
        assert_eq!(
            (ocim.target.as_str(), ocim.name.as_str()),
            ("msu_mfsd", "OCI->M")
        );
        let limited = Protocol::cross_domain(&["msu_mfsd", "replay_attack"], "casia_fasd").unwrap();
        assert_eq!(limited.name, "MI->C");
        // Two domains of one letter are told apart by their names.
        let error = Protocol::from_name("O->M", &["oulu_npu", "sim-O", "msu_mfsd"]).unwrap_err();
        assert!(
            error.to_string().contains("more than one domain"),
            "{error}"
        );
        assert_eq!(
            Protocol::from_name("WMCA+C->PADISI", &["WMCA", "sim-C", "PADISI"]).unwrap(),
            long
        );
    }

    #[test]
    fn bad_names_say_what_is_wrong() {
        let text = |name: &str, domains: &[&str]| {
            Protocol::from_name(name, domains).unwrap_err().to_string()
        };
        assert!(text("OCIM", &OCIM).contains("not of the form `OCI->M`"));
        assert_eq!(
            text("OX->M", &OCIM),
            "protocol OX->M: no domain `X`; there are: sim-O, sim-C, sim-I, sim-M. Correct the \
             name, or add the domain's samples"
        );
        assert!(text("OC->C", &OCIM).contains("the target `sim-C` is also a source"));
        assert!(text("C->C", &OCIM).contains("the target `sim-C` is also a source"));
        assert!(text("OO->C", &OCIM).contains("`sim-O` is named twice"));
        assert!(text("->C", &OCIM).contains("no source domain"));
        assert!(text("A->B", &["x-A", "y-A", "B"]).contains("more than one domain"));
        let error = Protocol::leave_one_out(&OCIM, "sim-X")
            .unwrap_err()
            .to_string();
        assert!(error.contains("no domain `sim-X`"), "{error}");
    }

    #[test]
    fn development_is_of_the_sources_only() {
        let protocol = Protocol::from_name("MI->C", &OCIM).unwrap();
        let splits = protocol.select(&manifest()).unwrap();
        assert_eq!(
            ids(&splits.train),
            [
                "sim-I/train_bona_fide_train",
                "sim-I/train_print_train",
                "sim-I/train_replay_train",
                "sim-M/train_bona_fide_train",
                "sim-M/train_print_train",
                "sim-M/train_replay_train",
            ]
        );
        assert_eq!(splits.development.len(), 6);
        assert!(
            splits
                .development
                .iter()
                .all(|sample| sample.domain != "sim-C")
        );
        assert!(
            splits
                .development
                .iter()
                .all(|sample| sample.split == Split::Development)
        );
        assert_eq!(
            ids(&splits.test),
            [
                "sim-C/test_bona_fide_test",
                "sim-C/test_print_test",
                "sim-C/test_replay_test"
            ]
        );
        let all = protocol
            .clone()
            .with_target_splits(TargetSplits::All)
            .unwrap();
        assert_eq!(all.select(&manifest()).unwrap().test.len(), 9);
        let ssdg = protocol
            .with_target_splits(TargetSplits::TrainAndTest)
            .unwrap();
        let test = ssdg.select(&manifest()).unwrap().test;
        assert_eq!(test.len(), 6);
        assert!(test.iter().all(|sample| sample.split != Split::Development));
    }

    #[test]
    fn held_out_attacks_are_tested_and_not_trained() {
        for held_out in [
            HeldOut::Species(PaiSpecies::Print),
            HeldOut::Style("print".into()),
        ] {
            let protocol = Protocol::intra("sim-C").with_held_out(held_out);
            assert_eq!(protocol.name, "sim-C unseen print");
            let splits = protocol.select(&manifest()).unwrap();
            assert_eq!(
                ids(&splits.train),
                ["sim-C/train_bona_fide_train", "sim-C/train_replay_train"]
            );
            assert_eq!(
                ids(&splits.test),
                ["sim-C/test_bona_fide_test", "sim-C/test_print_test"]
            );
        }
        let exact = HeldOut::Style("sim-C/print".into());
        assert!(exact.contains(&sample("sim-C", "s", Split::Test, "print")));
        assert!(!exact.contains(&sample("sim-I", "s", Split::Test, "print")));
        assert!(!HeldOut::Style("rint".into()).contains(&sample("C", "s", Split::Test, "print")));
    }

    #[test]
    fn empty_parts_and_contradictions_are_errors() {
        let protocol = Protocol::from_name("OCI->M", &OCIM).unwrap();
        let error = |manifest: Manifest| protocol.select(&manifest).unwrap_err().to_string();
        let no_development = manifest().filter(|sample| sample.split != Split::Development);
        let message = error(no_development);
        assert!(
            message.contains("its development part has no bona_fide sample"),
            "{message}"
        );
        assert!(message.contains("Manifest::carve_development"), "{message}");
        let no_attack =
            manifest().filter(|sample| sample.split != Split::Test || sample.label.is_bona_fide());
        assert!(error(no_attack).contains("its test part has no attack sample"));
        let no_target = manifest().filter(|sample| sample.domain != "sim-M");
        assert!(error(no_target).contains("no domain `sim-M`; there are: sim-C, sim-I, sim-O"));
        let intra = Protocol::intra("sim-C").with_target_splits(TargetSplits::All);
        assert!(
            intra
                .unwrap_err()
                .to_string()
                .contains("TargetSplits::Test")
        );
        let by_hand = Protocol {
            sources: vec!["sim-C".into(), "sim-M".into()],
            ..protocol.clone()
        };
        let message = by_hand.select(&manifest()).unwrap_err().to_string();
        assert!(
            message.contains("the target `sim-M` is also a source"),
            "{message}"
        );
    }
}
