//! Offset or laser print: four amplitude-modulated screens at their own angles.

use std::sync::LazyLock;

use serde::{Deserialize, Serialize};

use crate::light::Light;
use crate::linear_image::LinearImage;
use crate::placement::{Canvas, PlacementConfig};
use crate::print::{InkSet, PaperConfig, PrintTone};
use crate::random::Stream;
use crate::{Interval, linear_image};

/// A printer with rotated clustered-dot screens, and its paper.
///
/// Screens are coarse (16 to 20 dots over the crop, as on a poster or a small newspaper photo),
/// so that a 64 px capture still resolves them.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HalftonePrinter {
    /// Distance of the dots of one screen in `u`.
    pub screen_period: Interval,
    /// Angles of the cyan, magenta, yellow and black screens in degrees.
    pub screen_angles: [f32; 4],
    /// Shift of the screens against the sheet, as a fraction of the period.
    pub phase: Interval,
    /// Width of the soft edge of a dot, in units of coverage: 0 is a hard edge.
    pub dot_softness: f32,
    /// Share of the light that leaves the paper far from where it entered (Yule-Nielsen): 0 is a
    /// crisp screen, 1 a continuous tone.
    pub light_scatter: Interval,
    /// Inks.
    pub inks: InkSet,
    /// Tone and gamut.
    pub tone: PrintTone,
    /// Paper.
    pub paper: PaperConfig,
    /// Pose of the sheet, which fills the view.
    pub placement: PlacementConfig,
}

const CELL: usize = 64;

/// Thresholds over one cell of a screen, uniformly distributed so that tone is preserved: the
/// cosine spot function, ranked.
static SPOT: LazyLock<Vec<f32>> = LazyLock::new(|| {
    let wave = |i: usize| (std::f32::consts::TAU * (i as f32 + 0.5) / CELL as f32).cos();
    let mut order: Vec<usize> = (0..CELL * CELL).collect();
    let spot = |i: usize| wave(i % CELL) + wave(i / CELL);
    order.sort_by(|&a, &b| spot(a).total_cmp(&spot(b)).then(a.cmp(&b)));
    let mut thresholds = vec![0.0; CELL * CELL];
    for (rank, index) in order.into_iter().enumerate() {
        thresholds[index] = (rank as f32 + 0.5) / (CELL * CELL) as f32;
    }
    thresholds
});

/// One screen on the medium.
struct Screen {
    cos: f32,
    sin: f32,
    phase: [f32; 2],
}

impl Screen {
    /// Threshold in `(0, 1)` at medium coordinates.
    fn threshold(&self, [x, y]: [f32; 2]) -> f32 {
        let cell = |v: f32| ((v - v.floor()) * CELL as f32) as usize % CELL;
        let column = cell(self.cos * x + self.sin * y + self.phase[0]);
        let row = cell(self.cos * y - self.sin * x + self.phase[1]);
        SPOT[row * CELL + column]
    }
}

impl HalftonePrinter {
    /// Radiance of the lit print.
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
        let scatter = self.light_scatter.draw(stream);
        let period = self.screen_period.draw(stream) * canvas.unit();
        let screens = self.screen_angles.map(|degrees| {
            let (sin, cos) = degrees.to_radians().sin_cos();
            let phase = [self.phase.draw(stream), self.phase.draw(stream)];
            Screen {
                cos: cos / period,
                sin: sin / period,
                phase,
            }
        });
        let edge = 1.0 / self.dot_softness.max(1e-3);
        let half = 0.5 * canvas.size as f32;
        // Ink coverage varies slowly against the canvas, so it is separated at half its resolution.
        let plates = Plates::new(face, |pixel| separation.coverage(pixel));
        let print = LinearImage::from_fn(canvas.size, canvas.size, |x, y| {
            let medium = placement.to_medium(x, y);
            let coverage = plates.sample(medium[0] + half, medium[1] + half);
            let dots: [f32; 4] = std::array::from_fn(|ink| {
                if coverage[ink] < 1e-3 {
                    return 0.0;
                }
                let distance = coverage[ink] - screens[ink].threshold(medium);
                (distance * edge + 0.5).clamp(0.0, 1.0)
            });
            let crisp = self.inks.reflectance(dots, paper.white);
            let diffuse = self.inks.reflectance(coverage, paper.white);
            let shade = paper.shade(x, y);
            linear_image::mix(crisp, diffuse, scatter).map(|v| v * shade)
        });
        light.illuminate(print)
    }
}

/// Ink coverages of the photo, sampled bilinearly.
struct Plates {
    size: usize,
    coverage: Vec<[f32; 4]>,
}

impl Plates {
    fn new(face: &LinearImage, separate: impl Fn([f32; 3]) -> [f32; 4]) -> Self {
        let size = face.width() / 2;
        let small = face.resized(size, size);
        Self {
            size,
            coverage: small
                .pixels()
                .iter()
                .map(|&pixel| separate(pixel))
                .collect(),
        }
    }

    /// At continuous coordinates of the full canvas.
    fn sample(&self, x: f32, y: f32) -> [f32; 4] {
        let last = (self.size - 1) as f32;
        let (x, y) = (
            (0.5 * x - 0.5).clamp(0.0, last),
            (0.5 * y - 0.5).clamp(0.0, last),
        );
        let (x0, y0) = (x as usize, y as usize);
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        let (x1, y1) = ((x0 + 1).min(self.size - 1), (y0 + 1).min(self.size - 1));
        let at = |x: usize, y: usize| &self.coverage[y * self.size + x];
        let (a, b, c, d) = (at(x0, y0), at(x1, y0), at(x0, y1), at(x1, y1));
        std::array::from_fn(|i| {
            let top = a[i] + (b[i] - a[i]) * fx;
            let bottom = c[i] + (d[i] - c[i]) * fx;
            top + (bottom - top) * fy
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::StyleProfile;

    /// A hard-edged ideal print of a flat patch, upright and unlit by anything but white light.
    fn printed(patch: [f32; 3], black_replacement: f32) -> LinearImage {
        let mut printer = StyleProfile::sim_o().halftone;
        let zero = Interval::fixed(0.0);
        let one = Interval::fixed(1.0);
        printer.screen_period = Interval::fixed(4.0);
        printer.screen_angles = [15.0, 75.0, 30.0, 45.0];
        printer.dot_softness = 0.0;
        printer.light_scatter = zero;
        printer.inks = InkSet::ideal();
        printer.tone = PrintTone {
            saturation: one,
            exponent: one,
            black_replacement,
        };
        printer.paper = PaperConfig {
            white: [1.0; 3],
            brightness: one,
            texture: 0.0,
            bend: zero,
            fold: zero,
            fold_position: zero,
        };
        printer.placement = PlacementConfig {
            rotation: zero,
            tilt: zero,
            scale: one,
            shift: zero,
        };
        let canvas = Canvas::for_capture(64);
        let face = LinearImage::from_fn(canvas.size, canvas.size, |_, _| patch);
        printer.present(
            &face,
            canvas,
            &Light::white(),
            &mut Stream::new(3, "halftone", "test"),
        )
    }

    #[test]
    fn halftone_preserves_the_mean_tone() {
        for tone in [0.05, 0.2, 0.5, 0.8, 0.95] {
            for channel in printed([tone; 3], 0.0).mean() {
                assert!((channel - tone).abs() < 0.012, "{tone}: {channel}");
            }
        }
        for channel in printed([0.3; 3], 1.0).mean() {
            assert!((channel - 0.3).abs() < 0.012, "{channel}");
        }
    }

    #[test]
    fn dots_are_binary() {
        let print = printed([1.0, 1.0, 0.4], 0.0);
        assert!(print.pixels().iter().all(|p| p[0] == 1.0));
        let soft = print
            .pixels()
            .iter()
            .filter(|p| p[2] > 0.0 && p[2] < 1.0)
            .count();
        assert!(soft < print.pixels().len() / 200, "{soft}");
    }

    #[test]
    fn screen_has_its_period_and_angle() {
        // Yellow alone: its screen at 30 degrees is all there is in the blue channel.
        let print = printed([1.0, 1.0, 0.5], 0.0);
        // Amplitude at a period of 4 u, 16 canvas px, in the given direction, under a Hann window.
        let amplitude = |period: f32, degrees: f32| {
            let (sin, cos) = degrees.to_radians().sin_cos();
            let (mut re, mut im, mut total) = (0.0, 0.0, 0.0);
            for y in 0..256 {
                for x in 0..256 {
                    let hann = |v: usize| {
                        (std::f32::consts::PI * (v as f32 + 0.5) / 256.0)
                            .sin()
                            .powi(2)
                    };
                    let weight = hann(x) * hann(y);
                    let phase = std::f32::consts::TAU * (cos * x as f32 + sin * y as f32) / period;
                    let value = print.get(x, y)[2] - 0.5;
                    re += weight * value * phase.cos();
                    im += weight * value * phase.sin();
                    total += weight;
                }
            }
            re.hypot(im) / total
        };
        let expected = amplitude(16.0, 30.0);
        assert!(expected > 0.1, "{expected}");
        assert!((amplitude(16.0, 120.0) - expected).abs() < 0.02);
        for (period, degrees) in [(16.0, 15.0), (16.0, 45.0), (16.0, 75.0), (19.0, 30.0)] {
            assert!(
                amplitude(period, degrees) < 0.1 * expected,
                "{period} {degrees}"
            );
        }
    }

    #[test]
    fn screens_of_the_inks_differ() {
        // Cyan and magenta dots of one grey do not coincide, or there would be no rosettes.
        let print = printed([0.5; 3], 0.0);
        let equal = print.pixels().iter().filter(|p| p[0] == p[1]).count();
        let share = equal as f32 / print.pixels().len() as f32;
        assert!((share - 0.5).abs() < 0.05, "{share}");
    }
}
