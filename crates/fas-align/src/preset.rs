//! The crops of published systems.
//!
//! | preset | crop | source |
//! |---|---|---|
//! | `ag-fas` | five landmarks on a template of fractions | AG-FAS, README of the released code; 256 px there, 224 in the paper |
//! | `ssdg` | five landmarks, padded by 0.37 | SSDG (Jia et al. 2020), alignment of YYuanAnyVision's MTCNN; the padding that SSDG used is not published, 0.37 is that code's demonstration |
//! | `arcface` | five landmarks in 112 px | ArcFace (Deng et al. 2019, <https://arxiv.org/abs/1801.07698>), released code |
//! | `fairface` | five landmarks where FairFace crops have them | mean over 4,900 near-frontal FairFace crops (Karkkainen and Joo, 2021), brought to 128 px |
//! | `square` | square around the bounds, 1.3 times their longer side | RetinaFace crops of DiffFAS (its margin is not published); SSAN tests with 1.3 |
//! | `none` | the whole photo | |

use std::fmt;
use std::str::FromStr;

use crate::{AlignError, Landmarks};

/// ArcFace's template in its crop of 112 px.
pub const ARCFACE_TEMPLATE: Landmarks = [
    [38.2946, 51.6963],
    [73.5318, 51.5014],
    [56.0252, 71.7366],
    [41.5493, 92.3655],
    [70.7299, 92.2041],
];
/// AG-FAS's template, in fractions of the crop.
const AG_FAS_TEMPLATE: Landmarks = [
    [0.3489, 0.2848],
    [0.6614, 0.2848],
    [0.4996, 0.4963],
    [0.3784, 0.7222],
    [0.6215, 0.7217],
];
/// SSDG's template, in fractions of a crop without padding.
const SSDG_TEMPLATE: Landmarks = [
    [0.224_152, 0.211_946_5],
    [0.756_101, 0.211_946_5],
    [0.490_127, 0.628_106],
    [0.254_149, 0.780_233],
    [0.726_104, 0.780_233],
];
/// SSDG's padding, a fraction of the crop without it, on each side.
const SSDG_PADDING: f32 = 0.37;
/// Where FairFace crops of 128 px have their landmarks.
const FAIRFACE_TEMPLATE: Landmarks = [
    [39.1, 39.3],
    [86.3, 39.7],
    [61.9, 66.0],
    [42.5, 86.4],
    [82.3, 86.7],
];
/// Side of the square over the longer side of the bounds.
const SQUARE_EXPANSION: f32 = 1.3;

/// A published way to crop a face.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Preset {
    /// AG-FAS: five landmarks.
    AgFas,
    /// SSDG: five landmarks.
    Ssdg,
    /// ArcFace: five landmarks.
    ArcFace,
    /// FairFace's crops: five landmarks.
    FairFace,
    /// Square around the bounds.
    Square,
    /// The photo as it is.
    None,
}

/// Which part of a photo becomes the crop.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Geometry {
    /// The landmarks lie on `template`, least squares.
    Landmarks {
        /// Landmarks in pixels of the crop.
        template: Landmarks,
        /// Side of the crop, pixels.
        size: u32,
    },
    /// A square around the centre of the bounds.
    Square {
        /// Its side over the longer side of the bounds.
        expansion: f32,
        /// Side of the crop, pixels.
        size: u32,
    },
    /// The whole photo, unchanged.
    Whole,
}

impl Preset {
    /// Every preset.
    pub const ALL: [Self; 6] = [
        Self::AgFas,
        Self::Ssdg,
        Self::ArcFace,
        Self::FairFace,
        Self::Square,
        Self::None,
    ];

    /// The name on command lines and in manifests.
    pub fn name(self) -> &'static str {
        match self {
            Self::AgFas => "ag-fas",
            Self::Ssdg => "ssdg",
            Self::ArcFace => "arcface",
            Self::FairFace => "fairface",
            Self::Square => "square",
            Self::None => "none",
        }
    }

    /// Side of the crop in the source, pixels; of no effect for [`None`](Self::None).
    pub fn default_size(self) -> u32 {
        match self {
            Self::ArcFace => 112,
            Self::FairFace => 128,
            _ => 256,
        }
    }

    /// The preset for a crop of `size` x `size` pixels.
    ///
    /// Templates in fractions are multiplied by `size`, ArcFace's by `size / 112` as its released
    /// code does; FairFace's is that of the crop resized, `(p + 0.5) size / 128 - 0.5`.
    ///
    /// # Panics
    ///
    /// Panics if `size` is zero.
    pub fn geometry(self, size: u32) -> Geometry {
        assert!(size > 0, "a crop needs at least one pixel");
        let side = size as f32;
        let points = |template: Landmarks, place: &dyn Fn(f32) -> f32| Geometry::Landmarks {
            template: template.map(|point| point.map(place)),
            size,
        };
        match self {
            Self::AgFas => points(AG_FAS_TEMPLATE, &|p| p * side),
            Self::Ssdg => {
                let padded = 2.0 * SSDG_PADDING + 1.0;
                points(SSDG_TEMPLATE, &|p| (SSDG_PADDING + p) / padded * side)
            }
            Self::ArcFace => points(ARCFACE_TEMPLATE, &|p| p * (side / 112.0)),
            Self::FairFace => points(FAIRFACE_TEMPLATE, &|p| (p + 0.5) * (side / 128.0) - 0.5),
            Self::Square => Geometry::Square {
                expansion: SQUARE_EXPANSION,
                size,
            },
            Self::None => Geometry::Whole,
        }
    }
}

impl fmt::Display for Preset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Preset {
    type Err = AlignError;

    fn from_str(text: &str) -> Result<Self, AlignError> {
        Self::ALL
            .into_iter()
            .find(|preset| preset.name() == text)
            .ok_or_else(|| AlignError::UnknownPreset(text.to_owned()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn template(preset: Preset, size: u32) -> Landmarks {
        match preset.geometry(size) {
            Geometry::Landmarks { template, size: s } if s == size => template,
            other => panic!("{other:?}"),
        }
    }

    fn assert_point([x, y]: [f32; 2], expected: [f32; 2]) {
        assert!(
            (x - expected[0]).abs() < 1e-3 && (y - expected[1]).abs() < 1e-3,
            "({x}, {y}), expected {expected:?}"
        );
    }

    #[test]
    fn templates_at_their_sizes() {
        // 0.3489 * 256, 0.2848 * 256
        assert_point(template(Preset::AgFas, 256)[0], [89.3184, 72.9088]);
        // (0.37 + 0.490127) / 1.74 * 256, (0.37 + 0.628106) / 1.74 * 256
        assert_point(template(Preset::Ssdg, 256)[2], [126.547, 146.848]);
        assert_eq!(template(Preset::ArcFace, 112), ARCFACE_TEMPLATE);
        assert_point(template(Preset::ArcFace, 224)[4], [141.4598, 184.4082]);
        assert_eq!(template(Preset::FairFace, 128)[0], [39.1, 39.3]);
        assert_point(template(Preset::FairFace, 256)[0], [78.7, 79.1]);
    }

    #[test]
    fn names_parse_back() {
        for preset in Preset::ALL {
            assert_eq!(preset.to_string().parse::<Preset>().unwrap(), preset);
        }
        let error = "AG".parse::<Preset>().unwrap_err().to_string();
        assert!(error.contains("unknown preset `AG`"), "{error}");
    }
}
