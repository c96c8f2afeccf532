//! Leakage guard: nothing of the target domain, of a non-training split or of a held-out attack
//! reaches a generator, a style pool or a classifier.
//!
//! The released DiffFAS pair list mixes all four domains of OCIM, so a generator trained on it has
//! seen the target of every leave-one-out protocol. Whatever trains here asks the guard first.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::Path;

use crate::{DataError, Protocol, ProtocolSplits, Sample, Split};

/// What samples are about to be used for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum TrainingPurpose {
    /// Fitting a generator of attacks or of bona fide faces.
    Generator,
    /// Style images that a generator takes its looks from.
    StylePool,
    /// Fitting a style encoder or style classifier.
    StyleEncoder,
    /// Fitting a detector.
    Classifier,
    /// Choosing a threshold, a checkpoint or a setting: source development samples only.
    ModelSelection,
}

impl TrainingPurpose {
    /// The split that this purpose may use.
    pub fn allowed_split(self) -> Split {
        match self {
            Self::ModelSelection => Split::Development,
            _ => Split::Train,
        }
    }

    pub(crate) fn allowed_part(self) -> &'static str {
        self.allowed_split().name()
    }
}

impl fmt::Display for TrainingPurpose {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Generator => "training a generator",
            Self::StylePool => "a style pool",
            Self::StyleEncoder => "training a style encoder",
            Self::Classifier => "training a classifier",
            Self::ModelSelection => "choosing a model or threshold",
        })
    }
}

/// Why a sample is refused.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum LeakageReason {
    /// It is of the domain that is tested.
    TargetDomain,
    /// It is of a domain that is neither source nor target.
    ForeignDomain,
    /// It is of another split than the purpose may use.
    WrongSplit {
        /// The split that the purpose may use.
        allowed: Split,
    },
    /// It is one of the attacks that the protocol keeps for the test.
    HeldOutAttack,
}

impl fmt::Display for LeakageReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TargetDomain => f.write_str("its domain is the target"),
            Self::ForeignDomain => f.write_str("its domain is not a source"),
            Self::WrongSplit { allowed } => write!(f, "only the {allowed} split may be used"),
            Self::HeldOutAttack => f.write_str("its kind of attack is held out for the test"),
        }
    }
}

/// Samples that a [`LeakageGuard`] let through for one purpose. Trainers take nothing else, so that
/// no training can forget to ask.
#[derive(Debug, Clone)]
pub struct AdmittedSamples {
    samples: Vec<Sample>,
    purpose: TrainingPurpose,
    protocol: String,
}

impl AdmittedSamples {
    /// The samples, if they were admitted for `purpose`.
    ///
    /// # Errors
    ///
    /// [`DataError::OtherPurpose`] if they were admitted for another one.
    pub fn for_purpose(&self, purpose: TrainingPurpose) -> Result<&[Sample], DataError> {
        if self.purpose == purpose {
            return Ok(&self.samples);
        }
        Err(DataError::OtherPurpose {
            admitted: self.purpose,
            asked: purpose,
            protocol: self.protocol.clone(),
        })
    }

    /// Domains of the samples, in alphabetical order.
    pub fn domains(&self) -> Vec<&str> {
        let domains: BTreeSet<&str> = self.samples.iter().map(|s| s.domain.as_str()).collect();
        domains.into_iter().collect()
    }
}

/// Refuses samples that a protocol keeps away from training.
#[derive(Debug, Clone)]
pub struct LeakageGuard {
    protocol: Protocol,
}

impl LeakageGuard {
    /// A guard for `protocol`.
    pub fn new(protocol: &Protocol) -> Self {
        Self {
            protocol: protocol.clone(),
        }
    }

    /// Admits samples that may be used for `purpose`.
    ///
    /// # Errors
    ///
    /// [`DataError::Leakage`], which names the first sample that may not be used and counts them.
    pub fn admit(
        &self,
        purpose: TrainingPurpose,
        samples: Vec<Sample>,
    ) -> Result<AdmittedSamples, DataError> {
        self.check_training(purpose, &samples)?;
        Ok(AdmittedSamples {
            samples,
            purpose,
            protocol: self.protocol.name.clone(),
        })
    }

    /// Checks that every sample may be used for `purpose`.
    ///
    /// # Errors
    ///
    /// [`DataError::Leakage`], which names the first sample that may not be used and counts them.
    pub fn check_training(
        &self,
        purpose: TrainingPurpose,
        samples: &[Sample],
    ) -> Result<(), DataError> {
        let mut refused = samples
            .iter()
            .filter_map(|sample| Some((sample, self.refuse(purpose, sample)?)));
        let Some((sample, reason)) = refused.next() else {
            return Ok(());
        };
        Err(DataError::Leakage {
            id: sample.id.clone(),
            domain: sample.domain.clone(),
            split: sample.split,
            purpose,
            protocol: self.protocol.name.clone(),
            reason,
            count: 1 + refused.count(),
        })
    }

    /// Checks that no person is in both lists. `first_part` and `second_part` name them in the error.
    ///
    /// # Errors
    ///
    /// [`DataError::SubjectOverlap`] with the first shared subject in alphabetical order.
    pub fn check_subjects(
        &self,
        (first_part, first): (Split, &[Sample]),
        (second_part, second): (Split, &[Sample]),
    ) -> Result<(), DataError> {
        let people = first_sample_by(first, |sample| sample.subject.as_str());
        let others = first_sample_by(second, |sample| sample.subject.as_str());
        let mut shared = people
            .iter()
            .filter(|(subject, _)| others.contains_key(*subject));
        let Some((subject, sample)) = shared.next() else {
            return Ok(());
        };
        Err(DataError::SubjectOverlap {
            subject: (*subject).to_owned(),
            first_part,
            first_id: sample.id.clone(),
            second_part,
            second_id: others[subject].id.clone(),
            count: 1 + shared.count(),
        })
    }

    /// Checks all parts of the protocol: training and development samples may be used as such, no
    /// image file is in two parts, and nobody in training or development is tested.
    ///
    /// People shared by training and development are let pass: some data sets have it so, and it
    /// touches no reported number.
    ///
    /// # Errors
    ///
    /// [`DataError::Leakage`], [`DataError::FileOverlap`] or [`DataError::SubjectOverlap`].
    pub fn check_splits(&self, splits: &ProtocolSplits) -> Result<(), DataError> {
        let train = (Split::Train, splits.train.as_slice());
        let development = (Split::Development, splits.development.as_slice());
        let test = (Split::Test, splits.test.as_slice());
        self.check_training(TrainingPurpose::Classifier, train.1)?;
        self.check_training(TrainingPurpose::ModelSelection, development.1)?;
        check_files(train, development)?;
        check_files(train, test)?;
        check_files(development, test)?;
        self.check_subjects(train, test)?;
        self.check_subjects(development, test)
    }

    fn refuse(&self, purpose: TrainingPurpose, sample: &Sample) -> Option<LeakageReason> {
        let allowed = purpose.allowed_split();
        if !self.protocol.sources.contains(&sample.domain) {
            return Some(if sample.domain == self.protocol.target {
                LeakageReason::TargetDomain
            } else {
                LeakageReason::ForeignDomain
            });
        }
        if sample.split != allowed {
            return Some(LeakageReason::WrongSplit { allowed });
        }
        self.protocol
            .held_out
            .contains(sample)
            .then_some(LeakageReason::HeldOutAttack)
    }
}

fn check_files(
    (first_part, first): (Split, &[Sample]),
    (second_part, second): (Split, &[Sample]),
) -> Result<(), DataError> {
    let files = first_sample_by(first, |sample| sample.path.as_path());
    let clash = second.iter().find_map(|sample| {
        files
            .get(sample.path.as_path() as &Path)
            .map(|other| (*other, sample))
    });
    match clash {
        None => Ok(()),
        Some((other, sample)) => Err(DataError::FileOverlap {
            path: sample.path.clone(),
            first_part,
            first_id: other.id.clone(),
            second_part,
            second_id: sample.id.clone(),
        }),
    }
}

fn first_sample_by<'a, K: Ord>(
    samples: &'a [Sample],
    key: impl Fn(&'a Sample) -> K,
) -> BTreeMap<K, &'a Sample> {
    let mut firsts = BTreeMap::new();
    for sample in samples {
        firsts.entry(key(sample)).or_insert(sample);
    }
    firsts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::tests::sample;
    use crate::{HeldOut, PaiSpecies};

    fn guard() -> LeakageGuard {
        let protocol = Protocol::from_name("OCI->M", &["O", "C", "I", "M"]).unwrap();
        LeakageGuard::new(&protocol.with_held_out(HeldOut::Species(PaiSpecies::Replay)))
    }

    #[test]
    fn source_training_samples_pass() {
        let samples = [
            sample("O", "anna", Split::Train, "bona_fide"),
            sample("I", "bert", Split::Train, "print"),
        ];
        for purpose in [
            TrainingPurpose::Generator,
            TrainingPurpose::StylePool,
            TrainingPurpose::StyleEncoder,
            TrainingPurpose::Classifier,
        ] {
            guard().check_training(purpose, &samples).unwrap();
        }
        let development = [sample("C", "cleo", Split::Development, "print")];
        guard()
            .check_training(TrainingPurpose::ModelSelection, &development)
            .unwrap();
    }

    #[test]
    fn each_forbidden_sample_is_named() {
        let good = sample("O", "anna", Split::Train, "bona_fide");
        let target = sample("M", "bert", Split::Train, "print");
        let error = guard()
            .check_training(
                TrainingPurpose::Generator,
                &[good.clone(), target.clone(), target],
            )
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "leakage: sample `M/bert_print_train` (domain M, train split) must not be used for \
             training a generator in protocol OCI->M unseen replay: its domain is the target. 2 such \
             sample(s) in all; pass only `ProtocolSplits::train`"
        );
        let cases = [
            (
                TrainingPurpose::StylePool,
                sample("O", "a", Split::Test, "print"),
                "only the train",
            ),
            (
                TrainingPurpose::Classifier,
                sample("O", "a", Split::Development, "print"),
                "only",
            ),
            (
                TrainingPurpose::Classifier,
                sample("SiW", "a", Split::Train, "print"),
                "not a source",
            ),
            (
                TrainingPurpose::StylePool,
                sample("O", "a", Split::Train, "replay"),
                "held out",
            ),
            (
                TrainingPurpose::ModelSelection,
                sample("O", "a", Split::Train, "print"),
                "only the dev",
            ),
            (
                TrainingPurpose::ModelSelection,
                sample("M", "a", Split::Development, "print"),
                "target",
            ),
        ];
        for (purpose, bad, why) in cases {
            let error = guard().check_training(purpose, &[good.clone(), bad.clone()]);
            let first = if purpose == TrainingPurpose::ModelSelection {
                &good.id
            } else {
                &bad.id
            };
            let alone = guard()
                .check_training(purpose, std::slice::from_ref(&bad))
                .unwrap_err()
                .to_string();
            assert!(alone.contains(why), "{alone}");
            assert!(error.unwrap_err().to_string().contains(first.as_str()));
        }
    }

    #[test]
    fn samples_are_admitted_for_one_purpose() {
        let samples = vec![
            sample("O", "anna", Split::Train, "bona_fide"),
            sample("I", "bert", Split::Train, "print"),
        ];
        let admitted = guard()
            .admit(TrainingPurpose::Generator, samples.clone())
            .unwrap();
        assert_eq!(admitted.domains(), ["I", "O"]);
        let kept = admitted.for_purpose(TrainingPurpose::Generator).unwrap();
        assert_eq!(kept, samples);
        let error = admitted
            .for_purpose(TrainingPurpose::Classifier)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("training a generator, not for training a classifier"),
            "{error}"
        );
        let target = vec![sample("M", "cleo", Split::Train, "print")];
        let refused = guard().admit(TrainingPurpose::Generator, target);
        assert!(matches!(refused, Err(DataError::Leakage { .. })));
    }

    #[test]
    fn shared_people_and_files_are_named() {
        let protocol = Protocol::intra("C");
        let guard = LeakageGuard::new(&protocol);
        let clean = ProtocolSplits {
            train: vec![sample("C", "anna", Split::Train, "print")],
            development: vec![sample("C", "bert", Split::Development, "print")],
            test: vec![sample("C", "cleo", Split::Test, "print")],
        };
        guard.check_splits(&clean).unwrap();

        let mut person = clean.clone();
        person
            .test
            .push(sample("C", "anna", Split::Test, "bona_fide"));
        assert_eq!(
            guard.check_splits(&person).unwrap_err().to_string(),
            "leakage: subject `anna` is both in train (sample `C/anna_print_train`) and in test \
             (sample `C/anna_bona_fide_test`); 1 shared subject(s) in all. Move each person to one \
             part, or, where two people share a name, prefix the names with the domain"
        );
        let mut person = clean.clone();
        person
            .test
            .push(sample("C", "bert", Split::Test, "bona_fide"));
        let error = guard.check_splits(&person).unwrap_err().to_string();
        assert!(error.contains("`bert` is both in development"), "{error}");

        let mut file = clean.clone();
        file.test[0].path = file.development[0].path.clone();
        let error = guard.check_splits(&file).unwrap_err();
        assert!(matches!(error, DataError::FileOverlap { .. }), "{error}");

        let mut part = clean;
        part.development
            .push(sample("C", "dora", Split::Test, "print"));
        let error = guard.check_splits(&part).unwrap_err().to_string();
        assert!(error.contains("only the development split"), "{error}");
    }
}
