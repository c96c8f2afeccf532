//! What is held in front of the camera: a living face, or an attack instrument of one kind.

use std::fmt;
use std::str::FromStr;

use fas_data::{Label, PaiSpecies};
use serde::{Deserialize, Serialize};

use crate::SimError;

/// Kind of a simulated attack instrument.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum AttackKind {
    /// Printed in four colours with rotated amplitude-modulated screens.
    PrintHalftone,
    /// Printed with an ink-jet's error diffusion, with a white border.
    PrintInkjet,
    /// Shown on a liquid-crystal display with RGB stripes.
    ReplayLcd,
    /// Shown on an organic-LED telephone display.
    ReplayOled,
    /// Paper mask with the eyes cut out.
    MaskPaper,
    /// Painted resin mask.
    MaskResin,
    /// Paper glasses with the eyes printed on them.
    GlassesPaper,
    /// Opaque joke glasses with cartoon eyes.
    GlassesFunnyEye,
}

impl AttackKind {
    /// Every kind, in the order in which results list them.
    pub const ALL: [Self; 8] = [
        Self::PrintHalftone,
        Self::PrintInkjet,
        Self::ReplayLcd,
        Self::ReplayOled,
        Self::MaskPaper,
        Self::MaskResin,
        Self::GlassesPaper,
        Self::GlassesFunnyEye,
    ];

    /// The name used in style labels, for instance `print_halftone`.
    pub fn name(self) -> &'static str {
        match self {
            Self::PrintHalftone => "print_halftone",
            Self::PrintInkjet => "print_inkjet",
            Self::ReplayLcd => "replay_lcd",
            Self::ReplayOled => "replay_oled",
            Self::MaskPaper => "mask_paper",
            Self::MaskResin => "mask_resin",
            Self::GlassesPaper => "glasses_paper",
            Self::GlassesFunnyEye => "glasses_funny_eye",
        }
    }

    /// The species of attack instruments that the kind belongs to.
    pub fn species(self) -> PaiSpecies {
        match self {
            Self::PrintHalftone | Self::PrintInkjet => PaiSpecies::Print,
            Self::ReplayLcd | Self::ReplayOled => PaiSpecies::Replay,
            Self::MaskPaper => PaiSpecies::PaperMask,
            Self::MaskResin => PaiSpecies::RigidMask,
            Self::GlassesPaper | Self::GlassesFunnyEye => PaiSpecies::Glasses,
        }
    }
}

/// A living face, or an attack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Presentation {
    /// The living face itself.
    BonaFide,
    /// An attack with an instrument of the given kind.
    Attack(AttackKind),
}

impl Presentation {
    /// Bona fide, then every kind of attack.
    pub fn all() -> impl Iterator<Item = Self> {
        std::iter::once(Self::BonaFide).chain(AttackKind::ALL.map(Self::Attack))
    }

    /// `bona_fide`, or the name of the kind.
    pub fn name(self) -> &'static str {
        match self {
            Self::BonaFide => "bona_fide",
            Self::Attack(kind) => kind.name(),
        }
    }

    /// Ground truth of a sample with this presentation.
    pub fn label(self) -> Label {
        match self {
            Self::BonaFide => Label::BonaFide,
            Self::Attack(kind) => Label::Attack(kind.species()),
        }
    }
}

impl fmt::Display for AttackKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl fmt::Display for Presentation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Presentation {
    type Err = SimError;

    fn from_str(text: &str) -> Result<Self, SimError> {
        Self::all()
            .find(|presentation| presentation.name() == text)
            .ok_or_else(|| SimError::UnknownPresentation(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_parse_back_and_labels_follow_the_species() {
        for presentation in Presentation::all() {
            assert_eq!(
                presentation.name().parse::<Presentation>().unwrap(),
                presentation
            );
        }
        assert_eq!(Presentation::BonaFide.label(), Label::BonaFide);
        let mask = Presentation::Attack(AttackKind::MaskResin);
        assert_eq!(mask.label(), Label::Attack(PaiSpecies::RigidMask));
        let error = "photo".parse::<Presentation>().unwrap_err().to_string();
        assert!(
            error.contains("`photo`; known are bona_fide, print_halftone, "),
            "{error}"
        );
    }
}
