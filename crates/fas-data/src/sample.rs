//! One image of a data set, with all that protocols, losses and metrics ask about it.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Label;

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

/// One image of a data set.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Unique name of the sample in its manifest.
    pub id: String,
    /// Image file, relative to the root of the manifest.
    pub path: PathBuf,
    /// Bona fide, or an attack and its species.
    pub label: Label,
    /// Data set or capture domain, for instance `sim-C`.
    pub domain: String,
    /// Part of the data set.
    pub split: Split,
    /// Person whose face is shown.
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
}
