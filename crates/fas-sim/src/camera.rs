//! The camera: everything between the radiance of the scene and the file.
//!
//! Lens blur and pixel aperture, exposure, shot and read noise, colour filter, white balance,
//! noise reduction, sharpening, sRGB encoding, storage at a lower resolution, JPEG. Bona fide
//! faces and attacks pass through it alike.

use std::io::Cursor;
use std::path::PathBuf;

use crate::bayer;
use crate::light::Light;
use crate::linear_image::{LinearImage, Taps, srgb_encode};
use crate::placement::Canvas;
use crate::random::Stream;
use crate::{ColourSampling, QualityProfile, SimError};
use image::codecs::jpeg::JpegEncoder;
use image::{ImageFormat, RgbImage};

/// Highest raw value, relative to diffuse white.
const RAW_CLIP: f32 = 2.0;

impl QualityProfile {
    /// Captures a scene on a sensor.
    pub(crate) fn capture(
        &self,
        radiance: &LinearImage,
        canvas: Canvas,
        light: &Light,
        stream: &mut Stream,
    ) -> Result<RgbImage, SimError> {
        let blur = self.lens_blur.draw(stream);
        let exposure = self.exposure.draw(stream);
        let electrons = self.full_scale_electrons.draw(stream);
        let noise_reduction = self.noise_reduction.draw(stream);
        let sharpening = self.sharpening.draw(stream);
        let resolution = self.resolution.draw(stream);
        let jpeg_quality = self.jpeg_quality.draw(stream).round().clamp(1.0, 100.0) as u8;

        let mut sensor = self.exposed(radiance, canvas, blur);
        for pixel in sensor.pixels_mut() {
            *pixel = pixel.map(|v| v * exposure);
        }
        let mut picture = self.read_out(&sensor, electrons, stream);
        for pixel in picture.pixels_mut() {
            *pixel = std::array::from_fn(|c| {
                srgb_encode((pixel[c] * light.white_balance_gains[c]).clamp(0.0, 1.0))
            });
        }
        let picture = sharpened(&picture.blurred(noise_reduction), sharpening);
        let picture = stored_at(&picture, resolution);
        jpeg_round_trip(&quantised(&picture), jpeg_quality)
    }

    /// Irradiance on the sensor pixels: the lens's Gaussian and the pixel's aperture, sampled at
    /// the sensor's pitch. Detail beyond the sensor's Nyquist frequency folds back here.
    pub(crate) fn exposed(&self, radiance: &LinearImage, canvas: Canvas, blur: f32) -> LinearImage {
        let pitch = canvas.per_pixel as f32;
        let half = 0.5 * self.pixel_aperture * pitch;
        let sigma = (blur * pitch).max(1e-3);
        // A canvas pixel's share of the aperture, blurred by the lens.
        let edge = |v: f32| 0.5 * (1.0 + erf(v / (sigma * std::f32::consts::SQRT_2)));
        let taps = Taps::new(
            canvas.size,
            canvas.size / canvas.per_pixel,
            half + 3.0 * sigma,
            |d| edge(d + half) - edge(d - half),
        );
        radiance.filtered(&taps, &taps)
    }

    /// Shot and read noise through the colour filter, in units of diffuse white.
    fn read_out(&self, sensor: &LinearImage, electrons: f32, stream: &mut Stream) -> LinearImage {
        let mut noisy = |value: f32| {
            let signal = value.clamp(0.0, RAW_CLIP) * electrons;
            // Poisson counts, normal from a few tens of electrons up.
            let deviation = (signal + self.read_noise * self.read_noise).sqrt();
            ((signal + deviation * stream.normal()) / electrons).clamp(0.0, RAW_CLIP)
        };
        let (width, height) = (sensor.width(), sensor.height());
        match self.colour_sampling {
            ColourSampling::Binned => {
                LinearImage::from_fn(width, height, |x, y| sensor.get(x, y).map(&mut noisy))
            }
            ColourSampling::Bayer => {
                let mut raw = Vec::with_capacity(width * height);
                for y in 0..height {
                    for x in 0..width {
                        raw.push(noisy(sensor.get(x, y)[bayer::channel(x, y)]));
                    }
                }
                bayer::demosaic(&raw, width, height)
            }
        }
    }
}

/// Error function, absolute error below 1.5e-7 (Abramowitz and Stegun 7.1.26).
fn erf(x: f32) -> f32 {
    let t = 1.0 / (1.0 + 0.327_591_1 * x.abs());
    let poly = ((((1.061_405_4 * t - 1.453_152) * t + 1.421_413_7) * t - 0.284_496_74) * t
        + 0.254_829_6)
        * t;
    (1.0 - poly * (-x * x).exp()).copysign(x)
}

/// Unsharp masking: adds `amount` times what a Gaussian of 1 px removes.
fn sharpened(picture: &LinearImage, amount: f32) -> LinearImage {
    if amount == 0.0 {
        return picture.clone();
    }
    let blurred = picture.blurred(1.0);
    LinearImage::from_fn(picture.width(), picture.height(), |x, y| {
        let (sharp, soft) = (picture.get(x, y), blurred.get(x, y));
        std::array::from_fn(|c| sharp[c] + amount * (sharp[c] - soft[c]))
    })
}

/// Shrinks to a fraction of the resolution and enlarges again.
fn stored_at(picture: &LinearImage, resolution: f32) -> LinearImage {
    let (width, height) = (picture.width(), picture.height());
    let shrink = |length: usize| ((length as f32 * resolution).round() as usize).clamp(1, length);
    let (small_width, small_height) = (shrink(width), shrink(height));
    if (small_width, small_height) == (width, height) {
        return picture.clone();
    }
    picture
        .resized(small_width, small_height)
        .resized(width, height)
}

/// 8-bit picture of encoded values.
fn quantised(picture: &LinearImage) -> RgbImage {
    let mut image = RgbImage::new(picture.width() as u32, picture.height() as u32);
    for (target, pixel) in image.pixels_mut().zip(picture.pixels()) {
        target.0 = pixel.map(|v| (v.clamp(0.0, 1.0) * 255.0).round() as u8);
    }
    image
}

fn jpeg_round_trip(image: &RgbImage, quality: u8) -> Result<RgbImage, SimError> {
    let failed = |source| SimError::EncodeImage {
        path: PathBuf::from("JPEG in memory"),
        source,
    };
    let mut file = Vec::new();
    JpegEncoder::new_with_quality(&mut file, quality)
        .encode_image(image)
        .map_err(failed)?;
    let decoded = image::load(Cursor::new(file), ImageFormat::Jpeg).map_err(failed)?;
    Ok(decoded.into_rgb8())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Interval, black_body_colour};

    /// A camera that changes nothing but what a test asks for.
    fn plain() -> QualityProfile {
        QualityProfile {
            lens_blur: Interval::fixed(0.0),
            pixel_aperture: 1.0,
            exposure: Interval::fixed(1.0),
            colour_sampling: ColourSampling::Binned,
            full_scale_electrons: Interval::fixed(1e9),
            read_noise: 0.0,
            noise_reduction: Interval::fixed(0.0),
            sharpening: Interval::fixed(0.0),
            resolution: Interval::fixed(1.0),
            jpeg_quality: Interval::fixed(100.0),
        }
    }

    fn stream() -> Stream {
        Stream::new(5, "camera", "test")
    }

    fn captured(camera: &QualityProfile, light: &Light, colour: [f32; 3]) -> RgbImage {
        let canvas = Canvas::for_capture(64);
        let scene = LinearImage::from_fn(canvas.size, canvas.size, |_, _| colour);
        camera
            .capture(&scene, canvas, light, &mut stream())
            .unwrap()
    }

    #[test]
    fn grey_card_is_exposed_to_its_srgb_code() {
        for (exposure, code) in [(1.0, 118), (0.5, 85), (4.0, 221)] {
            let mut camera = plain();
            camera.exposure = Interval::fixed(exposure);
            let image = captured(&camera, &Light::white(), [0.18; 3]);
            assert_eq!(image.get_pixel(30, 30).0, [code; 3]);
        }
    }

    #[test]
    fn white_balance_gains_are_applied_to_the_light() {
        let colour = black_body_colour(3200.0);
        let mut light = Light::white();
        light.white_balance_gains = colour.map(|v| 1.0 / v);
        let image = captured(&plain(), &light, colour.map(|v| 0.18 * v));
        for code in image.get_pixel(10, 40).0 {
            assert!(code.abs_diff(118) <= 1, "{:?}", image.get_pixel(10, 40));
        }
        let unbalanced = captured(&plain(), &Light::white(), colour.map(|v| 0.18 * v));
        let [red, _, blue] = unbalanced.get_pixel(10, 40).0;
        assert!(red > blue + 50, "{red} {blue}");
    }

    #[test]
    fn noise_has_the_variance_of_electrons() {
        let mut camera = plain();
        camera.read_noise = 12.0;
        let sensor = LinearImage::from_fn(128, 128, |_, _| [0.1, 0.4, 0.8]);
        let noisy = camera.read_out(&sensor, 1000.0, &mut stream());
        for (c, level) in [0.1f64, 0.4, 0.8].into_iter().enumerate() {
            let values: Vec<f64> = noisy.pixels().iter().map(|p| f64::from(p[c])).collect();
            let mean = values.iter().sum::<f64>() / values.len() as f64;
            let variance =
                values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
            // Shot noise: level * 1000 electrons; read noise: 12 electrons.
            let expected = (level * 1000.0 + 144.0) / 1e6;
            assert!((mean - level).abs() < 0.002, "{mean}");
            assert!(
                (variance / expected - 1.0).abs() < 0.05,
                "{variance} {expected}"
            );
        }
    }

    #[test]
    fn lens_and_aperture_have_their_transfer_function() {
        let canvas = Canvas::for_capture(64);
        let period = 4.0;
        let wave = LinearImage::from_fn(256, 256, |x, _| {
            let phase = std::f32::consts::TAU * (x as f32 + 0.5) / (4.0 * period);
            [0.5 + 0.4 * phase.cos(); 3]
        });
        let mut camera = plain();
        camera.pixel_aperture = 0.5;
        let sensor = camera.exposed(&wave, canvas, 0.5);
        let (mut re, mut im) = (0.0, 0.0);
        for x in 8..56 {
            let phase = std::f32::consts::TAU * (x as f32 + 0.5) / period;
            re += sensor.get(x, 30)[0] * phase.cos() / 24.0;
            im += sensor.get(x, 30)[0] * phase.sin() / 24.0;
        }
        // sinc(0.5 / 4) exp(-2 (pi 0.5 / 4)^2), and the averaging by canvas pixels.
        let sinc = |v: f32| (std::f32::consts::PI * v).sin() / (std::f32::consts::PI * v);
        let lens = (-2.0 * (std::f32::consts::PI * 0.5 / period).powi(2)).exp();
        let expected = 0.4 * sinc(0.125) * lens;
        assert!(
            (re.hypot(im) / expected - 1.0).abs() < 0.03,
            "{} {expected}",
            re.hypot(im)
        );
    }

    #[test]
    fn jpeg_loses_more_at_lower_quality_and_nothing_on_a_flat_field() {
        let flat = RgbImage::from_pixel(64, 64, image::Rgb([128, 128, 128]));
        assert_eq!(jpeg_round_trip(&flat, 50).unwrap(), flat);
        let texture = RgbImage::from_fn(64, 64, |x, y| {
            image::Rgb([(x * 37 + y * 11) as u8, (x * y) as u8, (y * 53) as u8])
        });
        let error = |quality| {
            let decoded = jpeg_round_trip(&texture, quality).unwrap();
            let squares = decoded.iter().zip(texture.iter());
            squares
                .map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2))
                .sum::<f64>()
                / (64.0 * 64.0 * 3.0)
        };
        let errors = [100, 80, 50, 20].map(error);
        assert!(errors[0] < 4.0, "{errors:?}");
        assert!(
            errors.windows(2).all(|pair| pair[0] * 1.5 < pair[1]),
            "{errors:?}"
        );
    }

    #[test]
    fn storage_at_half_resolution_loses_the_finest_stripes() {
        let stripes = LinearImage::from_fn(64, 64, |x, _| [(x % 2) as f32; 3]);
        let stored = stored_at(&stripes, 0.5);
        assert!((stored.get(31, 31)[0] - 0.5).abs() < 1e-4);
        assert_eq!(stored_at(&stripes, 1.0), stripes);
    }

    #[test]
    fn sharpening_overshoots_an_edge_by_its_amount() {
        let edge = LinearImage::from_fn(32, 32, |x, _| [f32::from(x >= 16); 3]);
        let sharp = sharpened(&edge, 0.5);
        // A Gaussian of 1 px leaves 0.6915 of a step half a pixel behind it.
        assert!((sharp.get(16, 16)[0] - (1.0 + 0.5 * 0.309)).abs() < 0.01);
        assert!((sharp.get(15, 16)[0] + 0.5 * 0.309).abs() < 0.01);
    }

    #[test]
    fn erf_known_values() {
        for (x, expected) in [
            (0.0, 0.0),
            (0.5, 0.520_499_9),
            (1.0, 0.842_700_8),
            (-2.0, -0.995_322_3),
        ] {
            assert!((erf(x) - expected).abs() < 2e-6, "{x}");
        }
    }
}
