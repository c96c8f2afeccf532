//! A recording: one presentation as a data set delivers it, a video, an image, or a row of an array.
//!
//! Protocols of the field speak of recordings, by person, session, device and instrument; networks
//! and losses speak of images ([`Sample`](crate::Sample)). Frames turn the first into the second.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Label, RecordingError, Split};

/// What kind of file holds a recording.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Media {
    /// A video file.
    Video,
    /// A still image.
    Image,
    /// A folder of images, one a frame.
    Frames,
    /// An HDF5 file with one group a frame (WMCA).
    Hdf5,
    /// A NumPy archive with one array (PADISI, multi-spectral).
    Npz,
    /// One row of a NumPy array of many recordings (PADISI, colour, exported).
    NpyRow,
}

/// Quarter turns, clockwise, that bring a recording upright.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Rotation {
    /// It is upright.
    #[default]
    #[serde(rename = "0")]
    None,
    /// 90 degrees clockwise.
    #[serde(rename = "90")]
    Clockwise,
    /// 180 degrees.
    #[serde(rename = "180")]
    Half,
    /// 90 degrees counter-clockwise.
    #[serde(rename = "270")]
    CounterClockwise,
}

macro_rules! names {
    ($type:ident, $column:literal, $($variant:ident = $name:literal),+) => {
        impl $type {
            /// Every value, in the order of the names.
            pub const ALL: &[Self] = &[$(Self::$variant),+];

            /// The name used in index files.
            pub fn name(self) -> &'static str {
                match self { $(Self::$variant => $name),+ }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.name())
            }
        }

        impl FromStr for $type {
            type Err = RecordingError;

            fn from_str(text: &str) -> Result<Self, RecordingError> {
                Self::ALL.iter().copied().find(|value| value.name() == text).ok_or_else(|| {
                    RecordingError::UnknownName {
                        column: $column,
                        found: text.to_owned(),
                        known: Self::ALL.iter().map(|value| value.name()).collect(),
                    }
                })
            }
        }
    };
}

names!(
    Media,
    "media",
    Video = "video",
    Image = "image",
    Frames = "frames",
    Hdf5 = "hdf5",
    Npz = "npz",
    NpyRow = "npy_row"
);
names!(
    Rotation,
    "rotation",
    None = "0",
    Clockwise = "90",
    Half = "180",
    CounterClockwise = "270"
);

/// One presentation of a data set.
#[derive(Debug, Clone, PartialEq)]
pub struct Recording {
    /// Unique name, the data set first: `oulu_npu/1_1_01_1`. Two files of one id are two copies.
    pub id: String,
    /// File relative to the root of the data set, `/` between folders.
    pub path: String,
    /// Kind of the file.
    pub media: Media,
    /// Row of an array that holds many recordings, counted from 0.
    pub row: Option<usize>,
    /// Name of the data set, for instance `oulu_npu`.
    pub domain: String,
    /// Bona fide, or an attack and its species.
    pub label: Label,
    /// Attack instrument as the data set names it, for instance `print/1`; empty for bona fide.
    pub instrument: String,
    /// Part of the data set by its publisher, where there is one.
    pub split: Option<Split>,
    /// Part in each official fold, where there are folds (PADISI).
    pub folds: Vec<Option<Split>>,
    /// Person whose face is shown, the data set first.
    pub subject: String,
    /// Person who wears or holds the instrument, where the data set tells (WMCA).
    pub presenter: Option<String>,
    /// Session, as the data set numbers it.
    pub session: Option<String>,
    /// Camera, as the data set names it.
    pub device: Option<String>,
    /// Light or place, as the data set names it.
    pub environment: Option<String>,
    /// What all recordings made in the same way share; one style has one label.
    pub style: String,
    /// Turn that brings the recording upright.
    pub rotation: Rotation,
}

impl Recording {
    /// A recording of data set `domain` with the name `name` in it, and nothing more known.
    pub fn new(domain: &str, name: &str, path: &str, media: Media, label: Label) -> Self {
        Self {
            id: format!("{domain}/{name}"),
            path: path.to_owned(),
            media,
            row: None,
            domain: domain.to_owned(),
            label,
            instrument: String::new(),
            split: None,
            folds: Vec::new(),
            subject: String::new(),
            presenter: None,
            session: None,
            device: None,
            environment: None,
            style: format!("{domain}/{label}"),
            rotation: Rotation::None,
        }
    }

    /// Sets the person, who gets the data set's name as a prefix.
    #[must_use]
    pub fn of_subject(mut self, subject: impl fmt::Display) -> Self {
        self.subject = format!("{}/{subject}", self.domain);
        self
    }

    /// Sets the part of the data set.
    #[must_use]
    pub fn in_split(mut self, split: Option<Split>) -> Self {
        self.split = split;
        self
    }

    /// Sets the instrument of an attack. It leaves bona fide recordings as they are.
    #[must_use]
    pub fn with_instrument(mut self, instrument: impl Into<String>) -> Self {
        if !self.label.is_bona_fide() {
            self.instrument = instrument.into();
        }
        self
    }

    /// Sets the style, which gets the data set's name as a prefix.
    #[must_use]
    pub fn with_style(mut self, style: impl fmt::Display) -> Self {
        self.style = format!("{}/{style}", self.domain);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::PaiSpecies;

    #[test]
    fn names_parse_back() {
        for media in Media::ALL {
            assert_eq!(media.name().parse::<Media>().unwrap(), *media);
        }
        for rotation in Rotation::ALL {
            assert_eq!(rotation.name().parse::<Rotation>().unwrap(), *rotation);
        }
        let error = "45".parse::<Rotation>().unwrap_err().to_string();
        assert_eq!(error, "rotation `45`; write one of 0, 90, 180, 270");
    }

    #[test]
    fn names_get_the_data_set_in_front() {
        let recording = Recording::new(
            "siw",
            "003-1-2-1-1",
            "a.mov",
            Media::Video,
            Label::Attack(PaiSpecies::Print),
        )
        .of_subject("003")
        .with_instrument("print/1");
        assert_eq!(recording.id, "siw/003-1-2-1-1");
        assert_eq!(recording.subject, "siw/003");
        assert_eq!(recording.style, "siw/print");
        let live =
            Recording::new("siw", "a", "a.mov", Media::Video, Label::BonaFide).with_instrument("x");
        assert_eq!(live.instrument, "");
    }
}
