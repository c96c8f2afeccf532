//! Replay attacks: the photo shown on a display, whose pixel grid beats with the camera's.
//!
//! A grid of pitch `p` (in sensor pixels) rotated by `a` has its fundamental at
//! `(cos a, sin a) / p` cycles a sensor pixel. Above the Nyquist frequency the sensor folds it to
//! `(cos a / p - 1, sin a / p)`: that is the moire. A pitch of 1.16 gives bands of 7 px. The red,
//! green and blue sub-pixels are a third of a pitch apart, so their bands are a third of a period
//! apart too, which makes them coloured.

use std::f32::consts::{PI, TAU};

use serde::{Deserialize, Serialize};

use crate::Interval;
use crate::light::Light;
use crate::linear_image::{LinearImage, ToneCurve, mix, srgb_encode};
use crate::placement::{Canvas, PlacementConfig};
use crate::random::Stream;

/// Lit part of one colour's sub-pixel, as fractions of the pixel pitch.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Subpixel {
    /// Middle of the lit part along the row.
    pub x: f32,
    /// Width of the lit part.
    pub width: f32,
    /// Middle of the lit part along the column.
    pub y: f32,
    /// Height of the lit part.
    pub height: f32,
}

/// Sub-pixels of red, green and blue in one pixel.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PixelLayout(pub [Subpixel; 3]);

impl PixelLayout {
    /// Vertical RGB stripes of a liquid-crystal display. `width` is the lit part of a third of
    /// the pitch, `height` the lit part of a row (the rest is the gap between scan lines).
    pub fn rgb_stripe(width: f32, height: f32) -> Self {
        let stripe = |i: f32| Subpixel {
            x: (i + 0.5) / 3.0,
            width: width / 3.0,
            y: 0.5,
            height,
        };
        Self([stripe(0.0), stripe(1.0), stripe(2.0)])
    }

    /// Organic-LED telephone display with red above green beside a blue bar (S-Stripe).
    pub fn s_stripe() -> Self {
        Self([
            Subpixel {
                x: 0.28,
                width: 0.38,
                y: 0.25,
                height: 0.36,
            },
            Subpixel {
                x: 0.28,
                width: 0.38,
                y: 0.75,
                height: 0.36,
            },
            Subpixel {
                x: 0.78,
                width: 0.30,
                y: 0.50,
                height: 0.80,
            },
        ])
    }
}

/// Reflection of a lamp on the glass.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct GlareConfig {
    /// Radiance at the middle of the reflection, relative to lit diffuse white.
    pub strength: Interval,
    /// Middle, in `u` from the left and the top of the picture.
    pub centre: [Interval; 2],
    /// Half axes at 1/e in `u`.
    pub radii: [Interval; 2],
    /// Direction of the first axis in radians.
    pub angle: Interval,
    /// Uniform reflectance of the glass.
    pub veil: f32,
}

/// A display, and how it is held.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Display {
    /// Sub-pixels.
    pub layout: PixelLayout,
    /// Pixel pitch in sensor pixels: the distance is such that the grids nearly agree.
    pub pixel_pitch: Interval,
    /// Shift of the pixel grid as a fraction of the pitch.
    pub phase: Interval,
    /// Display gamma: radiance is `code ^ gamma`.
    pub gamma: Interval,
    /// Radiance of full white, linear RGB relative to diffuse white in the room.
    pub white: [f32; 3],
    /// Factor on `white` that varies between samples.
    pub brightness: Interval,
    /// Radiance of black relative to white (backlight leakage).
    pub black_level: Interval,
    /// Width of the dark bezel in view at the left, top, right and bottom, in `u`.
    pub bezel: [f32; 4],
    /// Reflectance of the bezel, linear RGB.
    pub bezel_colour: [f32; 3],
    /// Reflections.
    pub glare: GlareConfig,
    /// Pose of the display.
    pub placement: PlacementConfig,
}

/// Radiance over one pixel, separable and of mean one, for one colour.
struct Grating {
    column: Vec<f32>,
    row: Vec<f32>,
}

/// Steps of the tabulated gratings.
const STEPS: usize = 256;

impl Grating {
    /// Square waves of the lit part, as seen by canvas pixels: harmonics that the canvas cannot
    /// carry are left out and the others integrated over a canvas pixel, so nothing aliases
    /// before the sensor does. `pitch` is in canvas pixels.
    fn new(lit: Subpixel, pitch: f32) -> Self {
        let sinc = |v: f32| {
            if v == 0.0 {
                1.0
            } else {
                (PI * v).sin() / (PI * v)
            }
        };
        let harmonics = (0.5 * pitch).floor() as usize;
        let wave = |centre: f32, duty: f32| {
            let at = |phase: f32| {
                let terms = (1..=harmonics).map(|k| {
                    let k = k as f32;
                    2.0 * sinc(k * duty) * sinc(k / pitch) * (TAU * k * (phase - centre)).cos()
                });
                1.0 + terms.sum::<f32>()
            };
            (0..STEPS)
                .map(|i| at((i as f32 + 0.5) / STEPS as f32))
                .collect()
        };
        Self {
            column: wave(lit.x, lit.width),
            row: wave(lit.y, lit.height),
        }
    }
}

fn phase_index(phase: f32) -> usize {
    ((phase - phase.floor()) * STEPS as f32) as usize % STEPS
}

impl Display {
    /// Radiance of the display in the lit room.
    pub(crate) fn present(
        &self,
        face: &LinearImage,
        canvas: Canvas,
        light: &Light,
        stream: &mut Stream,
    ) -> LinearImage {
        let placement = self.placement.draw(canvas, stream);
        let pitch = self.pixel_pitch.draw(stream) * canvas.per_pixel as f32;
        let phase = [self.phase.draw(stream), self.phase.draw(stream)];
        let gamma = self.gamma.draw(stream);
        let curve = ToneCurve::new(|linear| srgb_encode(linear).powf(gamma));
        let brightness = self.brightness.draw(stream);
        let black = self.black_level.draw(stream);
        let glare = self.glare.draw(canvas, light, stream);
        let gratings = self.layout.0.map(|lit| Grating::new(lit, pitch));

        let half = 0.5 * canvas.size as f32;
        let [left, top, right, bottom] = self.bezel.map(|width| half - width * canvas.unit());
        LinearImage::from_fn(canvas.size, canvas.size, |x, y| {
            let [u, v] = placement.to_medium(x, y);
            let column = phase_index(u / pitch + phase[0]);
            let row = phase_index(v / pitch + phase[1]);
            let content = face.sample(u + half, v + half);
            let emitted: [f32; 3] = std::array::from_fn(|c| {
                let level = black + (1.0 - black) * curve.at(content[c]);
                let grid = gratings[c].column[column] * gratings[c].row[row];
                self.white[c] * brightness * level * grid
            });
            let inside = [left + u, right - u, top + v, bottom - v]
                .into_iter()
                .fold(f32::INFINITY, f32::min);
            let bezel: [f32; 3] = std::array::from_fn(|c| self.bezel_colour[c] * light.colour[c]);
            let surface = mix(bezel, emitted, (inside + 0.5).clamp(0.0, 1.0));
            let reflected = glare.at(x, y);
            std::array::from_fn(|c| surface[c] + reflected * light.colour[c])
        })
    }
}

/// Reflection of one sample.
struct Glare {
    strength: f32,
    centre: [f32; 2],
    along: [f32; 2],
    across: [f32; 2],
    veil: f32,
}

impl GlareConfig {
    fn draw(&self, canvas: Canvas, light: &Light, stream: &mut Stream) -> Glare {
        let strength = self.strength.draw(stream);
        let [mut x, y] = self.centre.map(|range| range.draw(stream) * canvas.unit());
        // The reflection is on the side of the light.
        if light.angle < 0.0 {
            x = canvas.size as f32 - x;
        }
        let [a, b] = self.radii.map(|range| range.draw(stream) * canvas.unit());
        let (sin, cos) = self.angle.draw(stream).sin_cos();
        Glare {
            strength,
            centre: [x, y],
            along: [cos / a, sin / a],
            across: [-sin / b, cos / b],
            veil: self.veil,
        }
    }
}

impl Glare {
    fn at(&self, x: usize, y: usize) -> f32 {
        let (dx, dy) = (
            x as f32 + 0.5 - self.centre[0],
            y as f32 + 0.5 - self.centre[1],
        );
        let along = self.along[0] * dx + self.along[1] * dy;
        let across = self.across[0] * dx + self.across[1] * dy;
        let exponent = along * along + across * across;
        if exponent > 12.0 {
            self.veil
        } else {
            self.veil + self.strength * (-exponent).exp()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{QualityProfile, StyleProfile};

    /// A display that stands still, upright and without reflections.
    fn plain(pitch: f32) -> Display {
        let mut display = StyleProfile::sim_o().lcd;
        let zero = Interval::fixed(0.0);
        display.layout = PixelLayout::rgb_stripe(1.0, 1.0);
        display.pixel_pitch = Interval::fixed(pitch);
        display.phase = zero;
        display.gamma = Interval::fixed(2.2);
        display.white = [1.0; 3];
        display.brightness = Interval::fixed(1.0);
        display.black_level = zero;
        display.bezel = [0.0; 4];
        display.glare.strength = zero;
        display.glare.veil = 0.0;
        display.placement = PlacementConfig {
            rotation: zero,
            tilt: zero,
            scale: Interval::fixed(1.0),
            shift: zero,
        };
        display
    }

    fn shown(display: &Display, level: f32) -> LinearImage {
        let canvas = Canvas::for_capture(64);
        let face = LinearImage::from_fn(256, 256, |_, _| [level; 3]);
        display.present(
            &face,
            canvas,
            &Light::white(),
            &mut Stream::new(1, "display", "test"),
        )
    }

    /// Complex amplitude of a horizontal wave in one channel, relative to the mean.
    fn wave(image: &LinearImage, channel: usize, period: f32) -> (f32, f32) {
        let (mut re, mut im, mut level) = (0.0, 0.0, 0.0);
        for y in 0..image.height() {
            for x in 0..image.width() {
                let hann = (PI * (x as f32 + 0.5) / image.width() as f32).sin().powi(2);
                let value = image.get(x, y)[channel] * hann;
                let phase = TAU * (x as f32 + 0.5) / period;
                re += 2.0 * value * phase.cos();
                im += 2.0 * value * phase.sin();
                level += value;
            }
        }
        (re.hypot(im) / level, im.atan2(re))
    }

    #[test]
    fn mean_radiance_follows_the_display_gamma() {
        let mut display = plain(1.16);
        display.white = [0.8, 1.0, 1.3];
        display.black_level = Interval::fixed(0.02);
        // Linear 0.2140 is code 0.5.
        let mean = shown(&display, 0.214_041).mean();
        for (value, white) in mean.iter().zip(display.white) {
            let expected = white * (0.02 + 0.98 * 0.5f32.powf(2.2));
            assert!((value / expected - 1.0).abs() < 0.01, "{value} {expected}");
        }
    }

    #[test]
    fn stripes_have_the_depth_of_a_third() {
        // Fundamental of a square wave of duty 1/3: 2 sinc(1/3) = 1.654, less what a canvas pixel
        // (a quarter of a sensor pixel) averages out of a period of 1.16: sinc(0.2155) = 0.925.
        let (depth, _) = wave(&shown(&plain(1.16), 1.0), 1, 1.16 * 4.0);
        assert!((depth - 1.654 * 0.925).abs() < 0.02, "{depth}");
    }

    #[test]
    fn the_sensor_folds_the_stripes_into_coloured_bands() {
        let canvas = Canvas::for_capture(64);
        let mut camera = QualityProfile::sim_o();
        camera.lens_blur = Interval::fixed(0.2);
        let sensor = camera.exposed(&shown(&plain(1.16), 1.0), canvas, 0.2);
        // 1 / (1 - 1 / 1.16) = 7.25 px.
        let phases: Vec<f32> = (0..3)
            .map(|c| {
                let (depth, phase) = wave(&sensor, c, 7.25);
                // Aperture sinc(0.65 / 1.16) and lens exp(-2 (pi 0.2 / 1.16)^2) on 1.654.
                let aperture = (PI * 0.65 / 1.16).sin() / (PI * 0.65 / 1.16);
                let lens = (-2.0 * (PI * 0.2 / 1.16).powi(2)).exp();
                let expected = 1.654 * aperture * lens * 0.925;
                assert!((depth - expected).abs() < 0.04, "{depth} {expected}");
                assert!(wave(&sensor, c, 4.0).0 < 0.1 * expected);
                phase
            })
            .collect();
        for (a, b) in [(0, 1), (1, 2), (2, 0)] {
            let step = (phases[a] - phases[b]).rem_euclid(TAU);
            let third = TAU / 3.0;
            let off = (step - third).abs().min((step - 2.0 * third).abs());
            assert!(off < 0.1, "{phases:?}");
        }
    }

    #[test]
    fn gratings_keep_the_mean_and_the_lit_place() {
        for lit in PixelLayout::s_stripe().0 {
            let grating = Grating::new(lit, 9.0);
            for (wave, centre) in [(&grating.column, lit.x), (&grating.row, lit.y)] {
                let mean = wave.iter().sum::<f32>() / STEPS as f32;
                assert!((mean - 1.0).abs() < 1e-4, "{mean}");
                let moment: (f32, f32) = wave.iter().enumerate().fold((0.0, 0.0), |sum, (i, v)| {
                    let phase = TAU * (i as f32 + 0.5) / STEPS as f32;
                    (sum.0 + v * phase.cos(), sum.1 + v * phase.sin())
                });
                let place = (moment.1.atan2(moment.0) / TAU).rem_euclid(1.0);
                assert!((place - centre).abs() < 0.01, "{place} {centre}");
            }
        }
    }

    #[test]
    fn bezel_and_glare_are_where_they_belong() {
        let mut display = plain(1.16);
        display.bezel = [4.0, 0.0, 0.0, 0.0];
        display.bezel_colour = [0.3; 3];
        let scene = shown(&display, 1.0);
        assert!((scene.get(5, 100)[1] - 0.3).abs() < 1e-5);
        let mut display = plain(1.16);
        display.glare.strength = Interval::fixed(0.5);
        display.glare.centre = [Interval::fixed(40.0), Interval::fixed(20.0)];
        let scene = shown(&display, 0.0);
        let peak = scene.get(160, 80)[1];
        assert!((peak - 0.5).abs() < 0.01, "{peak}");
        assert!(scene.get(10, 250)[1] < 1e-3);
    }
}
