//! Ink-jet print: error-diffused droplets, print-head bands, a white border, on a ground.

use serde::{Deserialize, Serialize};

use crate::Interval;
use crate::light::Light;
use crate::linear_image::{LinearImage, mix};
use crate::placement::{Canvas, PlacementConfig};
use crate::print::{InkSet, PaperConfig, PrintTone};
use crate::random::Stream;

/// An ink-jet printer and its paper.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct InkjetPrinter {
    /// Droplet positions across the printed crop; the dither is visible at 64 px up to about 200.
    pub raster: usize,
    /// Standard deviation of the threshold, which breaks up the worms of pure error diffusion.
    pub threshold_noise: f32,
    /// Height of a band of the print head in `u`.
    pub band_period: Interval,
    /// Relative amplitude of the ink volume over a band.
    pub band_depth: Interval,
    /// Inks; black is not used.
    pub inks: InkSet,
    /// Tone and gamut.
    pub tone: PrintTone,
    /// Paper.
    pub paper: PaperConfig,
    /// Width of the unprinted border in `u`, on the sheet.
    pub border: Interval,
    /// Reflectance of what lies behind the sheet, linear RGB.
    pub ground: [f32; 3],
    /// Pose of the sheet; a scale below 1 shows the ground around it.
    pub placement: PlacementConfig,
}

impl InkjetPrinter {
    /// Radiance of the lit print on its ground.
    pub(crate) fn present(
        &self,
        face: &LinearImage,
        canvas: Canvas,
        light: &Light,
        stream: &mut Stream,
    ) -> LinearImage {
        let placement = self.placement.draw(canvas, stream);
        let paper = self.paper.draw(canvas, light.angle, stream);
        let separation = self.tone.draw(stream);
        let period = self.band_period.draw(stream) / 64.0 * self.raster as f32;
        let depth = self.band_depth.draw(stream);
        let border = self.border.draw(stream) * canvas.unit();

        let photo = face.resized(self.raster, self.raster);
        let band =
            |y: usize| 1.0 + depth * (std::f32::consts::TAU * (y as f32 + 0.5) / period).sin();
        let wanted = LinearImage::from_fn(self.raster, self.raster, |x, y| {
            let [c, m, yellow, _] = separation.coverage(photo.get(x, y));
            [c, m, yellow].map(|a| (a * band(y)).min(1.0))
        });
        let droplets = error_diffused(&wanted, self.threshold_noise, stream);

        let half = 0.5 * canvas.size as f32;
        let picture = half - border;
        let to_raster = self.raster as f32 / (2.0 * picture);
        let print = LinearImage::from_fn(canvas.size, canvas.size, |x, y| {
            let [u, v] = placement.to_medium(x, y);
            let reach = u.abs().max(v.abs());
            let on_sheet = (half - reach + 0.5).clamp(0.0, 1.0);
            if on_sheet == 0.0 {
                // The sheet shadows the ground next to its edge.
                let shadow = 0.45 * (-(reach - half) / (1.2 * canvas.unit())).exp();
                return self.ground.map(|g| g * (1.0 - shadow));
            }
            let inked = (picture - reach + 0.5).clamp(0.0, 1.0);
            let sheet = if inked == 0.0 {
                paper.white
            } else {
                // Droplets spread: bilinear interpolation is a dot two raster steps wide.
                let [c, m, yellow] =
                    droplets.sample((u + picture) * to_raster, (v + picture) * to_raster);
                let ink = [c, m, yellow, 0.0].map(|a| a * inked);
                self.inks.reflectance(ink, paper.white)
            };
            let shade = paper.shade(x, y);
            mix(self.ground, sheet.map(|v| v * shade), on_sheet)
        });
        light.illuminate(print)
    }
}

/// Floyd-Steinberg error diffusion in serpentine order, channel by channel: every value becomes
/// 0 or 1 and the sum is kept up to the border.
fn error_diffused(wanted: &LinearImage, noise: f32, stream: &mut Stream) -> LinearImage {
    let (width, height) = (wanted.width(), wanted.height());
    let mut image = wanted.clone();
    let pixels = image.pixels_mut();
    for y in 0..height {
        let forward = y % 2 == 0;
        for step in 0..width {
            let x = if forward { step } else { width - 1 - step };
            let ahead = |steps: isize| {
                let target = x as isize + if forward { steps } else { -steps };
                (0..width as isize)
                    .contains(&target)
                    .then_some(target as usize)
            };
            let (next, behind) = (ahead(1), ahead(-1));
            for c in 0..3 {
                let value = pixels[y * width + x][c];
                let drop = f32::from(value > 0.5 + noise * (stream.uniform() - 0.5) * 3.464);
                pixels[y * width + x][c] = drop;
                let error = value - drop;
                if let Some(next) = next {
                    pixels[y * width + next][c] += error * 7.0 / 16.0;
                }
                if y + 1 < height {
                    let below = (y + 1) * width;
                    pixels[below + x][c] += error * 5.0 / 16.0;
                    if let Some(behind) = behind {
                        pixels[below + behind][c] += error * 3.0 / 16.0;
                    }
                    if let Some(next) = next {
                        pixels[below + next][c] += error / 16.0;
                    }
                }
            }
        }
    }
    image
}
