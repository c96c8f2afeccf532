//! Protocols that publishers and papers define over recordings, as data.
//!
//! An [`OfficialProtocol`] says for each part which recordings of which data set belong to it, by
//! split, session, device and instrument, which frames are taken, and how many recordings there must
//! be. It is a plain structure that can be written to and read from TOML; those of the field are in
//! [`official_protocols`] and nowhere else.

mod intra;
mod names;
mod ocim;

use std::collections::BTreeSet;
use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{ClassCounts, DataError, FramePolicy, Label, Recording, RecordingError, Split};

pub use names::{official_protocol, official_protocols};

/// Recordings of one data set that belong to a part. An absent list admits everything.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Selection {
    /// Data set.
    pub domain: String,
    /// Parts of the publisher; where there are folds, of the fold.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub splits: Option<Vec<Split>>,
    /// Fold whose parts `splits` are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fold: Option<usize>,
    /// Sessions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sessions: Option<Vec<String>>,
    /// Devices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub devices: Option<Vec<String>>,
    /// Instruments of attacks, `print/1`, or `print` for all that start so. Bona fide recordings are
    /// in whatever it says.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub attacks: Option<Vec<String>>,
    /// Instruments that are left out.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub without: Vec<String>,
}

impl Selection {
    /// Every recording of a data set.
    pub fn of(domain: &str) -> Self {
        Self {
            domain: domain.to_owned(),
            ..Self::default()
        }
    }

    /// Some of the publisher's parts.
    #[must_use]
    pub fn splits(mut self, splits: &[Split]) -> Self {
        self.splits = Some(splits.to_vec());
        self
    }

    /// Whether the recording belongs here.
    pub fn contains(&self, recording: &Recording) -> bool {
        let split = match self.fold {
            None => recording.split,
            Some(fold) => recording.folds.get(fold).copied().flatten(),
        };
        let within = |list: &Option<Vec<String>>, value: &Option<String>| match list {
            None => true,
            Some(list) => value.as_ref().is_some_and(|value| list.contains(value)),
        };
        recording.domain == self.domain
            && self
                .splits
                .as_ref()
                .is_none_or(|splits| split.is_some_and(|split| splits.contains(&split)))
            && within(&self.sessions, &recording.session)
            && within(&self.devices, &recording.device)
            && (recording.label == Label::BonaFide || self.admits_attack(&recording.instrument))
    }

    fn admits_attack(&self, instrument: &str) -> bool {
        let is = |name: &String| {
            instrument
                .strip_prefix(name.as_str())
                .is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
        };
        self.attacks
            .as_ref()
            .is_none_or(|attacks| attacks.iter().any(is))
            && !self.without.iter().any(is)
    }
}

/// One part of a protocol.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct ProtocolPart {
    /// Recordings, data set by data set.
    pub from: Vec<Selection>,
    /// Frames taken of each; all if absent, where the authors say nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frames: Option<FramePolicy>,
    /// Published number of bona fide recordings and attacks; absent where it is not published.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub expected: Option<(usize, usize)>,
}

impl ProtocolPart {
    fn contains(&self, recording: &Recording) -> bool {
        self.from
            .iter()
            .any(|selection| selection.contains(recording))
    }
}

/// A protocol over recordings.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OfficialProtocol {
    /// Name, for instance `oulu_npu/P3_2`, `OCI->M@ssdg`.
    pub name: String,
    /// What it measures, and how its authors report it.
    pub about: String,
    /// What a reader of its numbers should know, such as a threshold chosen on the test part.
    #[serde(default)]
    pub caveats: Vec<String>,
    /// For fitting.
    pub train: ProtocolPart,
    /// For thresholds; empty where the authors use none.
    #[serde(default)]
    pub development: ProtocolPart,
    /// For the reported numbers.
    pub test: ProtocolPart,
}

/// Recordings of a protocol.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Partition {
    /// For fitting.
    pub train: Vec<Recording>,
    /// For thresholds.
    pub development: Vec<Recording>,
    /// For the reported numbers.
    pub test: Vec<Recording>,
}

/// A part of a protocol whose counts are not the published ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PartMismatch {
    /// The part.
    pub part: Split,
    /// Published bona fide recordings and attacks.
    pub expected: (usize, usize),
    /// What is there.
    pub found: ClassCounts,
}

impl Partition {
    /// The parts with their names.
    pub fn parts(&self) -> [(Split, &[Recording]); 3] {
        [
            (Split::Train, &self.train),
            (Split::Development, &self.development),
            (Split::Test, &self.test),
        ]
    }
}

impl OfficialProtocol {
    /// Data sets that it needs, sorted.
    pub fn domains(&self) -> Vec<&str> {
        let parts = [&self.train, &self.development, &self.test];
        let domains: BTreeSet<&str> = parts
            .iter()
            .flat_map(|part| &part.from)
            .map(|selection| selection.domain.as_str())
            .collect();
        domains.into_iter().collect()
    }

    /// Adds a recording to each part that it belongs to.
    pub fn place(&self, recording: Recording, partition: &mut Partition) {
        let parts = [
            (&self.train, &mut partition.train),
            (&self.development, &mut partition.development),
            (&self.test, &mut partition.test),
        ];
        for (part, recordings) in parts {
            if part.contains(&recording) {
                recordings.push(recording.clone());
            }
        }
    }

    /// Picks the recordings of every part.
    ///
    /// # Errors
    ///
    /// [`RecordingError::EmptyPart`] if the training or the test part lacks bona fide recordings or
    /// attacks, or the development part, where the protocol has one.
    pub fn select(
        &self,
        recordings: impl IntoIterator<Item = Recording>,
    ) -> Result<Partition, DataError> {
        let mut partition = Partition::default();
        for recording in recordings {
            self.place(recording, &mut partition);
        }
        self.check_classes(&partition)?;
        Ok(partition)
    }

    /// Refuses a part without bona fide recordings or without attacks.
    ///
    /// # Errors
    ///
    /// [`RecordingError::EmptyPart`].
    pub fn check_classes(&self, partition: &Partition) -> Result<(), DataError> {
        for (part, recordings) in partition.parts() {
            if part == Split::Development && self.development.from.is_empty() {
                continue;
            }
            for (class, bona_fide) in [("bona fide recording", true), ("attack", false)] {
                let any = |recording: &Recording| recording.label.is_bona_fide() == bona_fide;
                if !recordings.iter().any(any) {
                    return Err(RecordingError::EmptyPart {
                        protocol: self.name.clone(),
                        part,
                        class,
                        domains: self.domains().into_iter().map(str::to_owned).collect(),
                    }
                    .into());
                }
            }
        }
        Ok(())
    }

    /// Parts that have recordings, and no published count to compare with.
    pub fn uncounted(&self) -> Vec<Split> {
        let parts = [
            (Split::Train, &self.train),
            (Split::Development, &self.development),
            (Split::Test, &self.test),
        ];
        let uncounted = parts
            .into_iter()
            .filter(|(_, part)| !part.from.is_empty() && part.expected.is_none());
        uncounted.map(|(split, _)| split).collect()
    }

    /// Parts whose counts are not the published ones.
    pub fn mismatches(&self, partition: &Partition) -> Vec<PartMismatch> {
        let parts = [&self.train, &self.development, &self.test];
        let wrong =
            parts
                .into_iter()
                .zip(partition.parts())
                .filter_map(|(rule, (part, recordings))| {
                    let expected = rule.expected?;
                    let bona_fide = recordings.iter().filter(|r| r.label.is_bona_fide()).count();
                    let found = ClassCounts {
                        bona_fide,
                        attack: recordings.len() - bona_fide,
                    };
                    (expected != (found.bona_fide, found.attack)).then_some(PartMismatch {
                        part,
                        expected,
                        found,
                    })
                });
        wrong.collect()
    }

    /// Reads a protocol from TOML; `path` is named in errors.
    ///
    /// # Errors
    ///
    /// [`DataError::DatasetsFile`] with line and column of what is wrong.
    pub fn from_toml(text: &str, path: &Path) -> Result<Self, DataError> {
        toml::from_str(text).map_err(|source| DataError::DatasetsFile {
            path: path.to_owned(),
            source,
        })
    }

    /// The protocol as TOML.
    pub fn to_toml(&self) -> String {
        toml::to_string_pretty(self).expect("a protocol has nothing that TOML lacks")
    }
}
