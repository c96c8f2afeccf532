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
    fn exposed(&self, radiance: &LinearImage, canvas: Canvas, blur: f32) -> LinearImage {
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
