//! Errors of this crate.

use std::path::PathBuf;

use crate::Landmarks;

/// Why a face cannot be aligned, or faces cannot be read.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AlignError {
    /// Landmarks that do not fix a similarity transform.
    #[error("landmarks {0:?} do not describe a face: they must be finite and not all one point")]
    DegenerateLandmarks(Landmarks),

    /// A preset that needs landmarks, and a face without.
    #[error(
        "the face has no landmarks; use a detector that finds them, or a preset that works from \
         the bounds: square, none"
    )]
    NoLandmarks,

    /// Bounds without extent.
    #[error("the bounds {0:?} (left, top, right, bottom) enclose no pixels")]
    EmptyBounds([f32; 4]),

    /// A preset of an unknown name.
    #[error("unknown preset `{0}`; write one of ag-fas, ssdg, arcface, fairface, square, none")]
    UnknownPreset(String),

    /// A file of boxes that cannot be read.
    #[error("boxes {}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// Cause.
        source: std::io::Error,
    },

    /// A file of boxes with a mistake.
    #[error("boxes {}, line {line}: {problem}", path.display())]
    Boxes {
        /// The file.
        path: PathBuf,
        /// Line, counted from 1.
        line: u64,
        /// The mistake.
        problem: BoxesProblem,
    },
}

/// A mistake in a file of boxes.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum BoxesProblem {
    /// A column that must be there is not.
    #[error("no column `{0}`; path, left, top, right and bottom are needed")]
    MissingColumn(&'static str),
    /// A column of an unknown or repeated name.
    #[error(
        "unknown or repeated column `{0}`; beside path, left, top, right, bottom there may be score, \
         and all ten of leye_x, leye_y, reye_x, reye_y, nose_x, nose_y, lmouth_x, lmouth_y, \
         rmouth_x, rmouth_y"
    )]
    UnknownColumn(String),
    /// The columns of landmarks are there in part.
    #[error("there are columns of landmarks, but not `{0}`; give all ten or none")]
    PartialLandmarks(&'static str),
    /// A value that is no finite number.
    #[error("{column} `{value}` is no finite number")]
    NotANumber {
        /// The column.
        column: &'static str,
        /// What stands there.
        value: String,
    },
    /// Right of left, or below the bottom.
    #[error("right and bottom must be greater than left and top")]
    EmptyBounds,
    /// A row that is no CSV, or has a wrong number of fields.
    #[error("{0}")]
    Malformed(String),
}
