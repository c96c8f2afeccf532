//! Inks on white paper: tone preparation, separation, and the reflectance of overprints.

use serde::{Deserialize, Serialize};

use crate::Interval;
use crate::linear_image::{saturate, times};
use crate::random::Stream;

/// Transmittance of a full layer of each ink, linear RGB (light passes twice, so this is the
/// reflectance on ideal white paper).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InkSet {
    /// Cyan.
    pub cyan: [f32; 3],
    /// Magenta.
    pub magenta: [f32; 3],
    /// Yellow.
    pub yellow: [f32; 3],
    /// Black.
    pub black: [f32; 3],
}

impl InkSet {
    /// Block dyes: every ink stops its own third of the spectrum and nothing else.
    pub fn ideal() -> Self {
        Self {
            cyan: [0.0, 1.0, 1.0],
            magenta: [1.0, 0.0, 1.0],
            yellow: [1.0, 1.0, 0.0],
            black: [0.0; 3],
        }
    }

    /// Offset process inks with their unwanted absorptions (cyan takes green, magenta blue).
    pub fn process() -> Self {
        Self {
            cyan: [0.07, 0.80, 0.93],
            magenta: [0.90, 0.10, 0.72],
            yellow: [0.98, 0.93, 0.13],
            black: [0.04, 0.04, 0.045],
        }
    }

    /// Reflectance of paper with the given ink coverages (Demichel and Neugebauer: dots of the
    /// four inks overlap independently).
    pub(crate) fn reflectance(&self, coverage: [f32; 4], paper: [f32; 3]) -> [f32; 3] {
        let layer = |ink: &[f32; 3], a: f32| ink.map(|t| 1.0 - a * (1.0 - t));
        let [c, m, y, k] = coverage;
        let colour = times(layer(&self.cyan, c), layer(&self.magenta, m));
        let inked = times(colour, times(layer(&self.yellow, y), layer(&self.black, k)));
        times(paper, inked)
    }
}

/// What the printer driver does to the photo before separation: the gamut of the print.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PrintTone {
    /// Colourfulness kept: 1 all, 0 a grey print.
    pub saturation: Interval,
    /// Exponent on the linear reflectance; above 1 prints darker.
    pub exponent: Interval,
    /// Share of the common part of cyan, magenta and yellow that black ink replaces.
    pub black_replacement: f32,
}

/// Tone of one sample.
#[derive(Debug, Clone)]
pub(crate) struct Separation {
    saturation: f32,
    exponent: f32,
    black_replacement: f32,
}

impl PrintTone {
    pub(crate) fn draw(&self, stream: &mut Stream) -> Separation {
        Separation {
            saturation: self.saturation.draw(stream),
            exponent: self.exponent.draw(stream),
            black_replacement: self.black_replacement,
        }
    }
}

impl Separation {
    /// Coverages of cyan, magenta, yellow and black, each in `[0, 1]`, that would give the wanted
    /// reflectance with ideal inks (Murray-Davies).
    pub(crate) fn coverage(&self, reflectance: [f32; 3]) -> [f32; 4] {
        let target = saturate(reflectance, self.saturation)
            .map(|v| v.clamp(0.0, 1.0))
            .map(|v| {
                if self.exponent == 1.0 {
                    v
                } else {
                    v.powf(self.exponent)
                }
            });
        let [c, m, y] = target.map(|v| 1.0 - v);
        let k = self.black_replacement * c.min(m).min(y);
        let rest = 1.0 / (1.0 - k).max(1e-4);
        [(c - k) * rest, (m - k) * rest, (y - k) * rest, k]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn separation_and_ideal_inks_are_inverse() {
        for black_replacement in [0.0, 0.5, 1.0] {
            let separation = Separation {
                saturation: 1.0,
                exponent: 1.0,
                black_replacement,
            };
            let wanted = [0.6, 0.3, 0.2];
            let printed = InkSet::ideal().reflectance(separation.coverage(wanted), [1.0; 3]);
            for c in 0..3 {
                assert!((printed[c] - wanted[c]).abs() < 1e-5, "{printed:?}");
            }
        }
    }

    #[test]
    fn full_black_replacement_leaves_at_most_two_coloured_inks() {
        let separation = Separation {
            saturation: 1.0,
            exponent: 1.0,
            black_replacement: 1.0,
        };
        let [c, m, y, k] = separation.coverage([0.6, 0.3, 0.2]);
        assert!((k - 0.4).abs() < 1e-6 && c.abs() < 1e-6 && m > 0.0 && y > 0.0);
    }
}
