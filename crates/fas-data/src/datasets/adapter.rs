//! What every adapter does: say what one file is, by its path.

use crate::Recording;

/// What a file of a data set is.
#[derive(Debug)]
pub(crate) enum Verdict {
    /// A recording in the publisher's container.
    Recording(Box<Recording>),
    /// A recording by its name, in another container than the publisher's.
    ReEncoded(Box<Recording>),
    /// One file of many recordings.
    Recordings(Vec<Recording>),
    /// A file in the folder of images of a recording.
    Frame(Box<Recording>),
    /// A file that belongs to the set and is no recording, such as face boxes.
    Companion,
    /// A file that fits no rule, and why.
    Unfit(String),
}

impl Verdict {
    /// A file that fits no rule.
    pub(crate) fn unfit(reason: impl Into<String>) -> Self {
        Self::Unfit(reason.into())
    }

    /// A recording whose container is the publisher's or not.
    pub(crate) fn recording(recording: Recording, original: bool) -> Self {
        let recording = Box::new(recording);
        if original {
            Self::Recording(recording)
        } else {
            Self::ReEncoded(recording)
        }
    }
}

/// Reads the names of one data set.
pub(crate) trait Adapter: Send + Sync {
    /// What the file at `path` is; `path` is relative to the root, with `/`.
    fn classify(&self, path: &str) -> Verdict;

    /// Ids of a complete copy, where names follow a rule or a table lists them. Empty where neither
    /// is so.
    fn complete(&self) -> Vec<String> {
        Vec::new()
    }
}
