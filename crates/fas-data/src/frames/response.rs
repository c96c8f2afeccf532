//! Frames as rows, with those that gave no face: non-responses of ISO/IEC 30107-3 (attack and bona fide
//! presentation non-response rates) are counted over presentations, and so none may be dropped in
//! silence.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::Label;

/// What became of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Response {
    /// There is an image of it.
    Image,
    /// A detector found no face in it.
    NoFace,
    /// The recording could not be read.
    Unreadable,
}

impl Response {
    /// Every value.
    pub const ALL: [Self; 3] = [Self::Image, Self::NoFace, Self::Unreadable];

    /// The name in frame lists.
    pub fn name(self) -> &'static str {
        match self {
            Self::Image => "image",
            Self::NoFace => "no_face",
            Self::Unreadable => "unreadable",
        }
    }
}

/// Presentations of one class, and how many of them gave no image at all.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct NonResponseCount {
    /// Recordings.
    pub presentations: usize,
    /// Recordings all of whose frames have no image.
    pub without: usize,
}

impl NonResponseCount {
    /// The non-response rate, in `[0, 1]`; `None` without presentations.
    pub fn rate(self) -> Option<f64> {
        (self.presentations > 0).then(|| self.without as f64 / self.presentations as f64)
    }
}

/// Non-responses by bona fide and by species: BPNRR is the rate of [`Label::BonaFide`], APNRR of a species
/// that of its attacks. A presentation responds if one of its frames has an image.
pub fn count_non_responses<'a>(
    frames: impl IntoIterator<Item = (&'a str, Label, Response)>,
) -> BTreeMap<Label, NonResponseCount> {
    let mut recordings = BTreeMap::<Label, (BTreeSet<&str>, BTreeSet<&str>)>::new();
    for (recording, label, response) in frames {
        let (all, responding) = recordings.entry(label).or_default();
        all.insert(recording);
        if response == Response::Image {
            responding.insert(recording);
        }
    }
    let counts = recordings.into_iter().map(|(label, (all, responding))| {
        let count = NonResponseCount {
            presentations: all.len(),
            without: all.len() - responding.len(),
        };
        (label, count)
    });
    counts.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PaiSpecies;

    #[test]
    fn presentations_are_counted_not_frames() {
        let print = Label::Attack(PaiSpecies::Print);
        let counts = count_non_responses([
            ("a", Label::BonaFide, Response::Image),
            ("a", Label::BonaFide, Response::NoFace),
            ("b", Label::BonaFide, Response::NoFace),
            ("b", Label::BonaFide, Response::NoFace),
            ("c", print, Response::Unreadable),
            ("d", print, Response::Image),
            ("e", print, Response::Image),
            ("f", print, Response::Image),
        ]);
        assert_eq!(counts[&Label::BonaFide].rate(), Some(0.5));
        assert_eq!(counts[&print].rate(), Some(0.25));
        assert_eq!(NonResponseCount::default().rate(), None);
    }
}
