//! Light on the scene: colour by correlated temperature, unevenness, and the camera's answer to it.

use serde::{Deserialize, Serialize};

use crate::Interval;
use crate::linear_image::{LinearImage, luminance, times};
use crate::random::Stream;

/// Linear sRGB colour of a black body, scaled to luminance 1; near `[1, 1, 1]` at 6500 K.
///
/// Chromaticity by the cubic fits of Kim et al. (US patent 7024034, 2006), good from 1667 K to
/// 25,000 K; `kelvin` is clamped to that range.
pub fn black_body_colour(kelvin: f32) -> [f32; 3] {
    let t = f64::from(kelvin.clamp(1667.0, 25_000.0));
    let inverse = 1e3 / t;
    let cubic = |[a, b, c, d]: [f64; 4], v: f64| ((a * v + b) * v + c) * v + d;
    let x = if t <= 4000.0 {
        cubic(
            [-0.266_123_9, -0.234_358_9, 0.877_695_6, 0.179_910],
            inverse,
        )
    } else {
        cubic([-3.025_846_9, 2.107_037_9, 0.222_634_7, 0.240_390], inverse)
    };
    let y = if t <= 2222.0 {
        cubic([-1.106_381_4, -1.348_110_2, 2.185_558_32, -0.202_196_83], x)
    } else if t <= 4000.0 {
        cubic(
            [-0.954_947_6, -1.374_185_93, 2.091_370_15, -0.167_488_67],
            x,
        )
    } else {
        cubic([3.081_758, -5.873_386_7, 3.751_129_97, -0.370_014_83], x)
    };
    let (big_x, big_z) = (x / y, (1.0 - x - y) / y);
    [
        3.240_454 * big_x - 1.537_139 - 0.498_531 * big_z,
        -0.969_266 * big_x + 1.876_011 + 0.041_556 * big_z,
        0.055_643 * big_x - 0.204_026 + 1.057_225 * big_z,
    ]
    .map(|v| v.max(0.0) as f32)
}

/// Light of a domain, as ranges.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct LightConfig {
    /// Correlated colour temperature in kelvin.
    pub temperature: Interval,
    /// Fraction of the colour cast that the camera's white balance removes: 0 none, 1 all.
    pub white_balance: Interval,
    /// Relative change of irradiance from the middle of the picture to its right edge.
    pub unevenness: Interval,
    /// Angle between the light and the viewing axis in radians, positive from the right.
    pub angle: Interval,
}

/// Light of one sample.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Light {
    /// Linear RGB, luminance 1.
    pub(crate) colour: [f32; 3],
    /// Gains of the camera's channels.
    pub(crate) white_balance_gains: [f32; 3],
    pub(crate) unevenness: f32,
    pub(crate) angle: f32,
}

impl LightConfig {
    pub(crate) fn draw(&self, stream: &mut Stream) -> Light {
        let colour = black_body_colour(self.temperature.draw(stream));
        let strength = self.white_balance.draw(stream);
        let gains = colour.map(|v| v.max(1e-3).powf(-strength));
        // A camera balances colour, not exposure: what was grey under this light keeps luminance 1.
        let level = luminance(std::array::from_fn(|c| gains[c] * colour[c]));
        Light {
            colour,
            white_balance_gains: gains.map(|gain| gain / level),
            unevenness: self.unevenness.draw(stream),
            angle: self.angle.draw(stream),
        }
    }
}

impl Light {
    /// Even white light from the camera.
    #[cfg(test)]
    pub(crate) fn white() -> Self {
        Self {
            colour: [1.0; 3],
            white_balance_gains: [1.0; 3],
            unevenness: 0.0,
            angle: 0.0,
        }
    }

    /// Turns reflectance into radiance.
    pub(crate) fn illuminate(&self, mut reflectance: LinearImage) -> LinearImage {
        let width = reflectance.width();
        let gains: Vec<f32> = (0..width)
            .map(|x| 1.0 + self.unevenness * ((x as f32 + 0.5) / width as f32 * 2.0 - 1.0))
            .collect();
        for row in reflectance.pixels_mut().chunks_exact_mut(width) {
            for (pixel, gain) in row.iter_mut().zip(&gains) {
                *pixel = times(*pixel, self.colour.map(|v| v * gain));
            }
        }
        reflectance
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn config(temperature: f32, white_balance: f32) -> LightConfig {
        LightConfig {
            temperature: Interval::fixed(temperature),
            white_balance: Interval::fixed(white_balance),
            unevenness: Interval::fixed(0.0),
            angle: Interval::fixed(0.0),
        }
    }

    #[test]
    fn black_body_known_colours() {
        // Illuminant A, 2856 K: XYZ = (1.09850, 1, 0.35585).
        let incandescent = black_body_colour(2856.0);
        for (value, expected) in incandescent.iter().zip([1.845, 0.826, 0.233]) {
            assert!((value - expected).abs() < 0.006, "{incandescent:?}");
        }
        let daylight = black_body_colour(6504.0);
        assert!(
            daylight.iter().all(|v| (v - 1.0).abs() < 0.06),
            "{daylight:?}"
        );
        assert!((luminance(black_body_colour(9300.0)) - 1.0).abs() < 1e-3);
    }

    #[test]
    fn full_white_balance_makes_grey_grey_again() {
        let mut stream = Stream::new(1, "light", "test");
        let light = config(3000.0, 1.0).draw(&mut stream);
        for c in 0..3 {
            assert!((light.colour[c] * light.white_balance_gains[c] - 1.0).abs() < 1e-4);
        }
        let none = config(3000.0, 0.0).draw(&mut stream);
        assert!(
            none.white_balance_gains
                .iter()
                .all(|gain| (gain - 1.0).abs() < 1e-3)
        );
        let half = config(3000.0, 0.5).draw(&mut stream);
        let cast = |light: &Light| {
            light.colour[0] * light.white_balance_gains[0]
                / (light.colour[2] * light.white_balance_gains[2])
        };
        assert!((cast(&half) - cast(&none).sqrt()).abs() < 1e-3);
    }

    #[test]
    fn unevenness_is_the_gain_at_the_edge() {
        let light = Light {
            colour: [1.0; 3],
            white_balance_gains: [1.0; 3],
            unevenness: 0.2,
            angle: 0.0,
        };
        let lit = light.illuminate(LinearImage::from_fn(100, 1, |_, _| [0.5; 3]));
        assert!((lit.get(99, 0)[0] - 0.5 * 1.198).abs() < 1e-5);
        assert!((lit.mean()[1] - 0.5).abs() < 1e-5);
    }
}
