//! Paper: white point, fibre texture, bend and fold.

use serde::{Deserialize, Serialize};

use crate::Interval;
use crate::placement::Canvas;
use crate::random::Stream;

/// Ranges of a sheet of paper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PaperConfig {
    /// Reflectance of the unprinted sheet, linear RGB.
    pub white: [f32; 3],
    /// Factor on `white` that varies from sheet to sheet.
    pub brightness: Interval,
    /// Relative standard deviation of the reflectance by clumps of fibre 1 `u` wide.
    pub texture: f32,
    /// Angle by which the sheet's normal turns from its middle to its edge, in radians (a
    /// cylinder with a vertical axis).
    pub bend: Interval,
    /// Relative loss of light in the crease of a vertical fold; 0 is unfolded.
    pub fold: Interval,
    /// Distance of the fold from the middle in `u`.
    pub fold_position: Interval,
}

/// Width of a crease (half, at 1/e) in `u`.
const CREASE: f32 = 0.9;

/// One sheet.
#[derive(Debug, Clone)]
pub(crate) struct Paper {
    pub(crate) white: [f32; 3],
    texture: Vec<f32>,
    cells: usize,
    shading: Vec<f32>,
}

impl PaperConfig {
    /// `light_angle` in radians from the sheet's middle normal, positive from the right.
    pub(crate) fn draw(&self, canvas: Canvas, light_angle: f32, stream: &mut Stream) -> Paper {
        let brightness = self.brightness.draw(stream);
        let bend = self.bend.draw(stream);
        let fold = self.fold.draw(stream);
        let fold_position = self.fold_position.draw(stream);
        let cells = 64;
        let texture = (0..cells * cells)
            .map(|_| 1.0 + self.texture * stream.normal())
            .collect();
        let shading = (0..canvas.size)
            .map(|x| {
                let u = (x as f32 + 0.5) / canvas.unit() - 32.0;
                let lambert = (bend * u / 32.0 - light_angle).cos() / light_angle.cos();
                let crease = (-((u - fold_position) / CREASE).powi(2)).exp();
                // The two halves of a folded sheet face the light differently.
                let half = 0.25 * (u - fold_position).signum() * light_angle.signum();
                lambert.max(0.0) * (1.0 - fold * (crease - half))
            })
            .collect();
        Paper {
            white: self.white.map(|v| v * brightness),
            texture,
            cells,
            shading,
        }
    }
}

impl Paper {
    /// Relative irradiance times texture at a canvas pixel.
    pub(crate) fn shade(&self, x: usize, y: usize) -> f32 {
        let size = self.shading.len();
        let cell = (y * self.cells / size) * self.cells + x * self.cells / size;
        self.shading[x] * self.texture[cell]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat() -> PaperConfig {
        PaperConfig {
            white: [0.9, 0.8, 0.7],
            brightness: Interval::fixed(0.5),
            texture: 0.0,
            bend: Interval::fixed(0.0),
            fold: Interval::fixed(0.0),
            fold_position: Interval::fixed(0.0),
        }
    }

    #[test]
    fn flat_paper_is_its_white() {
        let canvas = Canvas::for_capture(64);
        let paper = flat().draw(canvas, 0.6, &mut Stream::new(0, "paper", "test"));
        assert_eq!(paper.white, [0.45, 0.4, 0.35]);
        assert!((0..256).all(|x| (paper.shade(x, 9) - 1.0).abs() < 1e-6));
    }

    #[test]
    fn bend_follows_the_cosine_law_and_the_fold_is_dark() {
        let canvas = Canvas::for_capture(64);
        let mut config = flat();
        config.bend = Interval::fixed(0.5);
        let paper = config.draw(canvas, 0.5, &mut Stream::new(0, "paper", "test"));
        // At the right edge the sheet faces the light: 1 / cos(0.5).
        assert!((paper.shade(255, 0) - 1.0 / 0.5f32.cos()).abs() < 1e-3);
        assert!((paper.shade(0, 0) - 1.0f32.cos() / 0.5f32.cos()).abs() < 5e-3);
        config = flat();
        config.fold = Interval::fixed(0.2);
        let paper = config.draw(canvas, 0.5, &mut Stream::new(0, "paper", "test"));
        let step = paper.shade(250, 0) - paper.shade(5, 0);
        assert!((step - 0.1).abs() < 1e-3, "{step}");
        assert!((paper.shade(128, 0) + paper.shade(127, 0) - 2.0 * 0.8).abs() < 0.02);
    }

    #[test]
    fn texture_has_its_standard_deviation() {
        let mut config = flat();
        config.texture = 0.05;
        let canvas = Canvas::for_capture(64);
        let paper = config.draw(canvas, 0.0, &mut Stream::new(0, "paper", "test"));
        let values: Vec<f32> = (0..64 * 64)
            .map(|i| paper.shade(i % 64 * 4, i / 64 * 4) - 1.0)
            .collect();
        let variance = values.iter().map(|v| v * v).sum::<f32>() / values.len() as f32;
        assert!(
            (variance.sqrt() - 0.05).abs() < 0.003,
            "{}",
            variance.sqrt()
        );
    }
}
