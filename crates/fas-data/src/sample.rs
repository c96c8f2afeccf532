//! One image of a data set, with all that protocols, losses and metrics ask about it.

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::{Crop, DataError, Label};

/// The part of a data set that a sample belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Split {
    /// For fitting models.
    Train,
    /// For thresholds and model selection.
    Development,
    /// For the reported numbers only.
    Test,
}

impl Split {
    /// Every split, in the order in which results list them.
    pub const ALL: [Self; 3] = [Self::Train, Self::Development, Self::Test];

    /// The name used in manifests and tables, for instance `development`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Train => "train",
            Self::Development => "development",
            Self::Test => "test",
        }
    }
}

impl fmt::Display for Split {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Split {
    type Err = DataError;

    fn from_str(text: &str) -> Result<Self, DataError> {
        Self::ALL
            .into_iter()
            .find(|split| split.name() == text)
            .ok_or_else(|| DataError::UnknownSplit(text.to_owned()))
    }
}

/// One image of a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Unique name of the sample in its manifest.
    pub id: String,
    /// Image file, relative to the root of the manifest; `/` between folders, no `..`.
    pub path: PathBuf,
    /// Bona fide, or an attack and its species.
    pub label: Label,
    /// Data set or capture domain, for instance `sim-C`.
    pub domain: String,
    /// Part of the data set.
    pub split: Split,
    /// Person whose face is shown. Equal names mean the same person, in whatever domain: prefix the
    /// names of independent data sets (`casia/01`), and do not where people are shared.
    pub subject: String,
    /// Video the frame comes from; `None` for a still.
    pub video: Option<String>,
    /// Style label: what the sample shares with all samples made in the same way, for instance
    /// `sim-C/print_halftone` or `sim-C/bona_fide`.
    pub style: String,
    /// Whether a generator made the image.
    pub synthetic: bool,
    /// No-reference quality score, where one was measured. BRISQUE: lower is better.
    pub quality_score: Option<f64>,
    /// Person who wears or holds the instrument of an attack, where the data set tells; a name as in
    /// [`subject`](Self::subject).
    pub presenter: Option<String>,
    /// Where in its photo the image was, if it is a crop.
    pub crop: Option<Crop>,
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A sample of style `{domain}/{presentation}`; the presentation is `bona_fide` or a species.
    pub(crate) fn sample(domain: &str, subject: &str, split: Split, presentation: &str) -> Sample {
        Sample {
            id: format!("{domain}/{subject}_{presentation}_{split}"),
            path: format!("{domain}/{subject}_{presentation}.png").into(),
            label: presentation.parse().map_or(Label::BonaFide, Label::Attack),
            domain: domain.to_owned(),
            split,
            subject: subject.to_owned(),
            video: None,
            style: format!("{domain}/{presentation}"),
            synthetic: false,
            quality_score: None,
            presenter: None,
            crop: None,
        }
    }

    #[test]
    fn split_names_parse_back() {
        for split in Split::ALL {
            assert_eq!(split.name().parse::<Split>().unwrap(), split);
        }
        let error = "dev".parse::<Split>().unwrap_err().to_string();
        assert_eq!(
            error,
            "unknown split `dev`; write `train`, `development` or `test`"
        );
    }
}
