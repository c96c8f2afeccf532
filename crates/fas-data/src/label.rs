//! The two labels of presentation attack detection, and the species of attack instruments
//! (ISO/IEC 30107-3: presentation attack instrument species, PAIS).

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::DataError;

/// Class of presentation attack instruments.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum PaiSpecies {
    /// A face printed on paper.
    Print,
    /// A face shown on a display.
    Replay,
    /// A paper mask or a printed face with cut-outs, worn on the face.
    PaperMask,
    /// A rigid mask of plastic or resin.
    RigidMask,
    /// A flexible mask, such as silicone.
    FlexibleMask,
    /// A mannequin or fake head.
    FakeHead,
    /// Glasses that hide or fake the eyes.
    Glasses,
    /// Make-up that changes identity.
    Makeup,
    /// Any other attack that covers a part of the face.
    Partial,
}

impl PaiSpecies {
    /// Every species, in the order in which results list them.
    pub const ALL: [Self; 9] = [
        Self::Print,
        Self::Replay,
        Self::PaperMask,
        Self::RigidMask,
        Self::FlexibleMask,
        Self::FakeHead,
        Self::Glasses,
        Self::Makeup,
        Self::Partial,
    ];

    /// The name used in manifests and tables, for instance `paper_mask`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Print => "print",
            Self::Replay => "replay",
            Self::PaperMask => "paper_mask",
            Self::RigidMask => "rigid_mask",
            Self::FlexibleMask => "flexible_mask",
            Self::FakeHead => "fake_head",
            Self::Glasses => "glasses",
            Self::Makeup => "makeup",
            Self::Partial => "partial",
        }
    }
}

impl fmt::Display for PaiSpecies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for PaiSpecies {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        Self::ALL
            .into_iter()
            .find(|species| species.name() == text)
            .ok_or_else(|| DataError::UnknownSpecies(text.to_owned()))
    }
}

/// Ground truth of a sample.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// A living person in front of the camera.
    BonaFide,
    /// A presentation attack with an instrument of the given species.
    Attack(PaiSpecies),
}

impl Label {
    /// Whether this is a bona fide presentation.
    pub fn is_bona_fide(self) -> bool {
        self == Self::BonaFide
    }

    /// The class without the species: `bona_fide` or `attack`.
    pub fn class_name(self) -> &'static str {
        if self.is_bona_fide() {
            "bona_fide"
        } else {
            "attack"
        }
    }

    /// The species of an attack, `None` for bona fide.
    pub fn species(self) -> Option<PaiSpecies> {
        match self {
            Self::BonaFide => None,
            Self::Attack(species) => Some(species),
        }
    }
}

impl fmt::Display for Label {
    /// `bona_fide`, or the name of the species.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BonaFide => f.write_str("bona_fide"),
            Self::Attack(species) => species.fmt(f),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn species_names_parse_back() {
        for species in PaiSpecies::ALL {
            assert_eq!(species.name().parse::<PaiSpecies>().unwrap(), species);
        }
        let error = "photo".parse::<PaiSpecies>().unwrap_err().to_string();
        assert!(error.contains("photo"), "{error}");
    }

    #[test]
    fn label_knows_its_species() {
        assert_eq!(Label::BonaFide.species(), None);
        assert_eq!(
            Label::Attack(PaiSpecies::Print).species(),
            Some(PaiSpecies::Print)
        );
        assert!(!Label::Attack(PaiSpecies::Print).is_bona_fide());
        assert_eq!(Label::Attack(PaiSpecies::Print).class_name(), "attack");
        assert_eq!(
            Label::Attack(PaiSpecies::PaperMask).to_string(),
            "paper_mask"
        );
        assert_eq!(Label::BonaFide.to_string(), "bona_fide");
    }
}
