//! Errors of this crate.

use thiserror::Error;

/// Which of the two scales of BRISQUE a message is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// The image as given.
    Full,
    /// The image at half size.
    Half,
}

impl std::fmt::Display for Scale {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Full => "full size",
            Self::Half => "half size",
        })
    }
}

/// The neighbour whose product with a pixel is fitted; `(rows, columns)` of the shift.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Neighbour {
    /// Shift `(0, 1)`: the pixel to the left.
    Horizontal,
    /// Shift `(1, 0)`: the pixel above.
    Vertical,
    /// Shift `(1, 1)`: the pixel above on the left.
    MainDiagonal,
    /// Shift `(-1, 1)`: the pixel below on the left.
    AntiDiagonal,
}

impl Neighbour {
    /// The four neighbours in the order of the features.
    pub const ALL: [Self; 4] = [
        Self::Horizontal,
        Self::Vertical,
        Self::MainDiagonal,
        Self::AntiDiagonal,
    ];
}

impl std::fmt::Display for Neighbour {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Horizontal => "horizontal",
            Self::Vertical => "vertical",
            Self::MainDiagonal => "main diagonal",
            Self::AntiDiagonal => "anti-diagonal",
        })
    }
}

/// Why an image has no quality score.
///
/// A degenerate image is an error rather than a number: other implementations score a blank image
/// 0, that is perfect, or NaN, which poisons every statistic it enters. Callers decide; the usual
/// rule is to leave the image out of batch statistics.
#[derive(Clone, Debug, PartialEq, Error)]
#[non_exhaustive]
pub enum QualityError {
    /// A side is so short that the half-size image does not hold one 7x7 window.
    #[error(
        "image of {width}x{height} pixels is too small for BRISQUE: each side needs at least \
         {minimum}; score the image before it is cropped or scaled down"
    )]
    TooSmall {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Shortest side that can be scored.
        minimum: usize,
    },
    /// A grey plane whose length is not `width * height`.
    #[error("grey plane has {found} values, but {width}x{height} needs {}", width * height)]
    PlaneLength {
        /// Width in pixels.
        width: usize,
        /// Height in pixels.
        height: usize,
        /// Number of values given.
        found: usize,
    },
    /// Every normalised coefficient is zero: the image is black, or one exact ramp.
    #[error(
        "degenerate image: no local contrast at {scale}, so BRISQUE is undefined; leave the image out"
    )]
    NoContrast {
        /// The scale without contrast.
        scale: Scale,
    },
    /// All products with one neighbour have the same sign, so one side of the asymmetric fit is
    /// empty. Blank images and one-pixel checkerboards end here.
    #[error(
        "degenerate image: the {neighbour} products at {scale} all have one sign, so BRISQUE is \
         undefined; the image is blank or a regular pattern, leave it out"
    )]
    OneSided {
        /// The scale of the failed fit.
        scale: Scale,
        /// The neighbour of the failed fit.
        neighbour: Neighbour,
    },
}
