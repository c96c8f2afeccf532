//! What indexing a data set finds besides its recordings: counts, odd files, what is missing.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::fmt;

use crate::{ClassCounts, ExpectedCount, Label, Media, Recording, Split};

/// Something about a file that the user should know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// File or folder, relative to the root; made readable where it is not Unicode.
    pub path: String,
    /// What is the matter.
    pub problem: Problem,
}

/// What can be the matter with a file of a data set. None of these files is in the index, except copies'
/// first and files whose content was looked at later.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Problem {
    /// A recording's file by its extension, whose name fits no rule of the data set.
    Unfit(String),
    /// A file that is neither a recording nor of the set, such as `README.txt` or `Thumbs.db`. It does no harm.
    Extra(String),
    /// The right name in another container than the publisher's.
    ReEncoded,
    /// The publisher's name, but the bytes of another container.
    OtherContainer {
        /// Extension that the content stands for.
        found: String,
    },
    /// A file of 0 bytes.
    Empty,
    /// A second file of one recording.
    SecondFile {
        /// The file in the index.
        first: String,
    },
    /// A file with the same bytes as another recording's.
    SameContent {
        /// The other file.
        first: String,
    },
    /// A name that is not Unicode.
    NotUnicode,
    /// A name with a backslash, as archives of some Windows programs leave them.
    Backslash,
    /// A link to a folder inside the root.
    LinkedFolder,
    /// A link to a place outside the root.
    LeavesRoot,
    /// A file or folder that cannot be read, or whose content is damaged.
    Unreadable(String),
}

impl Problem {
    /// Whether a copy with this is not as published; files beside the recordings are told of only.
    pub fn is_defect(&self) -> bool {
        !matches!(self, Self::Extra(_))
    }

    /// A word for tables.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Unfit(_) => "misnamed",
            Self::Extra(_) => "extra",
            Self::ReEncoded => "re-encoded",
            Self::OtherContainer { .. } => "other container",
            Self::Empty => "empty",
            Self::SecondFile { .. } => "second file",
            Self::SameContent { .. } => "same content",
            Self::NotUnicode => "not unicode",
            Self::Backslash => "backslash",
            Self::LinkedFolder => "linked folder",
            Self::LeavesRoot => "leaves root",
            Self::Unreadable(_) => "unreadable",
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unfit(reason) => write!(f, "fits no rule: {reason}"),
            Self::Extra(reason) => write!(f, "no recording: {reason}"),
            Self::ReEncoded => f.write_str(
                "not the publisher's container; if you mean to use it, set layout = \"re-encoded\" in datasets.toml, \
                 or --layout re-encoded beside --root",
            ),
            Self::OtherContainer { found } => write!(
                f,
                "the content is that of a .{found} file: a re-encoded copy under the old name",
            ),
            Self::Empty => f.write_str("0 bytes; copy or download it again"),
            Self::SecondFile { first } => write!(f, "a second file of the recording {first}; remove one"),
            Self::SameContent { first } => write!(f, "the same bytes as {first}; one of them is wrong"),
            Self::NotUnicode => f.write_str("the name is not Unicode; rename it"),
            Self::Backslash => f.write_str(
                "the name has a backslash: an archive of Windows paths; unpack it with another program",
            ),
            Self::LinkedFolder => f.write_str("a link to a folder inside the root, which is indexed at its own place"),
            Self::LeavesRoot => f.write_str("a link to a place outside the root; copy the files, or set root to that place"),
            Self::Unreadable(reason) => write!(f, "cannot be read: {reason}"),
        }
    }
}

/// A part whose number of recordings is not the published one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CountMismatch {
    /// What is published.
    pub expected: ExpectedCount,
    /// What is there.
    pub found: ClassCounts,
}

/// Counts and findings of one data set.
#[derive(Debug, Default)]
pub struct Survey {
    counts: BTreeMap<(Option<Split>, Label), usize>,
    files: HashMap<Box<str>, Box<str>>,
    sizes: Vec<(u64, Box<str>)>,
    companions: usize,
    findings: Vec<Finding>,
}

impl Survey {
    /// Takes note of a recording; `false`, and a finding, if its id is there already.
    pub(crate) fn admit(&mut self, recording: &Recording, bytes: u64) -> bool {
        if let Some(first) = self.files.get(&*recording.id) {
            let first = first.to_string();
            self.report(&recording.path, Problem::SecondFile { first });
            return false;
        }
        self.files
            .insert(recording.id.as_str().into(), recording.path.as_str().into());
        let is_file = recording.media != Media::Frames;
        if is_file && recording.row.is_none_or(|row| row == 0) {
            self.sizes.push((bytes, recording.path.as_str().into()));
        }
        *self
            .counts
            .entry((recording.split, recording.label))
            .or_default() += 1;
        true
    }

    pub(crate) fn add_companion(&mut self) {
        self.companions += 1;
    }

    pub(crate) fn report(&mut self, path: &str, problem: Problem) {
        self.findings.push(Finding {
            path: path.to_owned(),
            problem,
        });
    }

    pub(crate) fn push(&mut self, finding: Finding) {
        self.findings.push(finding);
    }

    /// Recordings in the index.
    pub fn recordings(&self) -> usize {
        self.files.len()
    }

    /// Files that belong to the set and are no recordings.
    pub fn companions(&self) -> usize {
        self.companions
    }

    /// Everything odd, in the order in which it was found.
    pub fn findings(&self) -> &[Finding] {
        &self.findings
    }

    /// Recordings by part and label.
    pub fn counts(&self) -> &BTreeMap<(Option<Split>, Label), usize> {
        &self.counts
    }

    /// File of a recording in the index, by id.
    pub fn file(&self, id: &str) -> Option<&str> {
        self.files.get(id).map(|path| &**path)
    }

    /// Size and path of every file with recordings.
    pub(crate) fn sizes(&self) -> &[(u64, Box<str>)] {
        &self.sizes
    }

    /// Bona fide recordings and attacks of a part, or of the whole.
    pub fn classes(&self, split: Option<Split>) -> ClassCounts {
        let mut found = ClassCounts::default();
        for ((part, label), count) in &self.counts {
            if split.is_some() && *part != split {
                continue;
            }
            match label {
                Label::BonaFide => found.bona_fide += count,
                Label::Attack(_) => found.attack += count,
            }
        }
        found
    }

    /// Parts whose counts are not as expected.
    pub fn mismatches(&self, expected: &[ExpectedCount]) -> Vec<CountMismatch> {
        let wrong = expected.iter().filter_map(|expected| {
            let found = self.classes(expected.split);
            let right = match expected.classes {
                Some(classes) => classes == (found.bona_fide, found.attack),
                None => expected.total == found.bona_fide + found.attack,
            };
            (!right).then_some(CountMismatch {
                expected: *expected,
                found,
            })
        });
        wrong.collect()
    }

    /// Ids of `complete` that have no file, sorted.
    pub(crate) fn missing(&self, complete: Vec<String>) -> Vec<String> {
        let there: HashSet<&str> = self.files.keys().map(|id| &**id).collect();
        let mut missing: Vec<String> = complete
            .into_iter()
            .filter(|id| !there.contains(id.as_str()))
            .collect();
        missing.sort_unstable();
        missing
    }
}
