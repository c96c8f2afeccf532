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

/// Width of a uniform distribution of standard deviation 1, `sqrt(12)`.
const UNIFORM_SCALE: f32 = 3.464_101_6;

/// Floyd-Steinberg error diffusion in serpentine order, channel by channel: every value becomes
/// 0 or 1 and the sum is kept up to the border.
fn error_diffused(wanted: &LinearImage, noise: f32, stream: &mut Stream) -> LinearImage {
    let (width, height) = (wanted.width(), wanted.height());
    let mut image = wanted.clone();
    let pixels = image.pixels_mut();
    for y in 0..height {
        // Alternating directions keep the error from drifting to one side.
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
            let value = pixels[y * width + x];
            let drop = value.map(|v| {
                let threshold = 0.5 + noise * UNIFORM_SCALE * (stream.uniform() - 0.5);
                f32::from(v > threshold)
            });
            pixels[y * width + x] = drop;
            let mut pass = |index: usize, share: f32| {
                for (target, (v, d)) in pixels[index].iter_mut().zip(value.iter().zip(drop)) {
                    *target += (v - d) * share;
                }
            };
            if let Some(next) = next {
                pass(y * width + next, 7.0 / 16.0);
            }
            if y + 1 < height {
                let below = (y + 1) * width;
                pass(below + x, 5.0 / 16.0);
                if let Some(behind) = behind {
                    pass(below + behind, 3.0 / 16.0);
                }
                if let Some(next) = next {
                    pass(below + next, 1.0 / 16.0);
                }
            }
        }
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StyleProfile;

    #[test]
    fn error_diffusion_is_binary_and_keeps_the_mean() {
        for noise in [0.0, 0.2] {
            let wanted = LinearImage::from_fn(96, 96, |_, _| [0.1, 0.37, 0.9]);
            let drops = error_diffused(&wanted, noise, &mut Stream::new(1, "inkjet", "test"));
            assert!(
                drops
                    .pixels()
                    .iter()
                    .flatten()
                    .all(|v| *v == 0.0 || *v == 1.0)
            );
            for (mean, expected) in drops.mean().iter().zip([0.1, 0.37, 0.9]) {
                assert!((mean - expected).abs() < 0.01, "{mean} {expected}");
            }
        }
    }

    #[test]
    fn dither_noise_is_blue() {
        // Averaged over 8 x 8 droplets, independent dots of coverage 0.5 would have a standard
        // deviation of 0.5 / 8; error diffusion stays far below.
        let wanted = LinearImage::from_fn(128, 128, |_, _| [0.47; 3]);
        let drops = error_diffused(&wanted, 0.1, &mut Stream::new(1, "inkjet", "test"));
        let (mut sum, mut count) = (0.0, 0.0);
        for block_y in 1..15 {
            for block_x in 1..15 {
                let mut mean = 0.0;
                for i in 0..64 {
                    mean += drops.get(block_x * 8 + i % 8, block_y * 8 + i / 8)[0] / 64.0;
                }
                sum += (mean - 0.47) * (mean - 0.47);
                count += 1.0;
            }
        }
        let deviation = f32::sqrt(sum / count);
        assert!(deviation < 0.025, "{deviation}");
    }

    #[test]
    fn sheet_has_a_white_border_on_its_ground() {
        let mut printer = StyleProfile::sim_c().inkjet;
        printer.paper.texture = 0.0;
        printer.paper.bend = Interval::fixed(0.0);
        printer.paper.brightness = Interval::fixed(1.0);
        printer.border = Interval::fixed(4.0);
        printer.placement = PlacementConfig {
            rotation: Interval::fixed(0.0),
            tilt: Interval::fixed(0.0),
            scale: Interval::fixed(0.75),
            shift: Interval::fixed(0.0),
        };
        let canvas = Canvas::for_capture(64);
        let face = LinearImage::from_fn(256, 256, |_, _| [0.02; 3]);
        let light = Light::white();
        let scene = printer.present(&face, canvas, &light, &mut Stream::new(1, "border", "test"));
        // The sheet spans 192 of 256 px; its border 16 * 0.75 = 12 px.
        for c in 0..3 {
            assert!((scene.get(0, 128)[c] - printer.ground[c]).abs() < 0.01);
            assert!((scene.get(38, 128)[c] - printer.paper.white[c]).abs() < 1e-4);
            assert!(scene.get(128, 128)[c] < 0.25);
        }
    }

    #[test]
    fn print_head_bands_have_their_period() {
        let mut printer = StyleProfile::sim_c().inkjet;
        printer.threshold_noise = 0.0;
        printer.inks = InkSet::ideal();
        printer.band_period = Interval::fixed(8.0);
        printer.band_depth = Interval::fixed(0.2);
        printer.border = Interval::fixed(0.0);
        printer.paper.texture = 0.0;
        let still = Interval::fixed(0.0);
        printer.placement = PlacementConfig {
            rotation: still,
            tilt: still,
            scale: Interval::fixed(1.0),
            shift: still,
        };
        printer.tone.exponent = Interval::fixed(1.0);
        let canvas = Canvas::for_capture(64);
        let face = LinearImage::from_fn(256, 256, |_, _| [0.5; 3]);
        let light = Light::white();
        let scene = printer.present(&face, canvas, &light, &mut Stream::new(1, "bands", "test"));
        // Coverage 0.5 +- 0.1 over a band of 8 u, 32 px: the fundamental of the row means.
        let (mut re, mut im) = (0.0, 0.0);
        let mut level = 0.0;
        for y in 0..256 {
            let mean = (0..256).map(|x| scene.get(x, y)[1]).sum::<f32>() / 256.0;
            let phase = std::f32::consts::TAU * (y as f32 + 0.5) / 32.0;
            re += mean * phase.cos() / 128.0;
            im += mean * phase.sin() / 128.0;
            level += mean / 256.0;
        }
        let depth = re.hypot(im) / level;
        assert!((depth - 0.2).abs() < 0.03, "{depth}");
    }
}
