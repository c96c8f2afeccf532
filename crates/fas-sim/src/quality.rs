//! Image quality of a domain: resolution, blur, noise and compression, apart from its style.

use serde::{Deserialize, Serialize};

use crate::Interval;

/// How a sensor sees colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ColourSampling {
    /// One colour a sensor pixel (RGGB) and bilinear demosaicing.
    Bayer,
    /// Quads of a finer mosaic binned to one pixel with all three colours.
    Binned,
}

/// Image quality of a domain: its camera, as ranges. Lengths are in sensor pixels; a capture of
/// `n` px uses `n` sensor pixels a side.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct QualityProfile {
    /// Standard deviation of the lens's point spread. Moire needs a sharp lens.
    pub lens_blur: Interval,
    /// Side of the light-sensitive part of a sensor pixel, in `(0, 1]`.
    pub pixel_aperture: f32,
    /// Gain on the radiance; 1 puts diffuse white at full scale.
    pub exposure: Interval,
    /// Colour filter.
    pub colour_sampling: ColourSampling,
    /// Electrons at diffuse white: their square root is the shot noise.
    pub full_scale_electrons: Interval,
    /// Standard deviation of the read noise in electrons.
    pub read_noise: f32,
    /// Standard deviation of the blur that the camera's noise reduction leaves.
    pub noise_reduction: Interval,
    /// Amount of unsharp masking (radius 1 px) on the encoded picture; 0 is none.
    pub sharpening: Interval,
    /// Resolution of the stored video relative to the sensor, in `(0, 1]`; it is enlarged again
    /// when the face is cropped.
    pub resolution: Interval,
    /// JPEG quality, 1 to 100.
    pub jpeg_quality: Interval,
}

impl QualityProfile {
    /// Webcam of mixed, rather low quality: Bayer noise and visible compression.
    pub fn sim_c() -> Self {
        Self {
            lens_blur: Interval::new(0.22, 0.30),
            pixel_aperture: 0.6,
            exposure: Interval::new(0.88, 1.08),
            colour_sampling: ColourSampling::Bayer,
            full_scale_electrons: Interval::new(4000.0, 6000.0),
            read_noise: 8.0,
            noise_reduction: Interval::new(0.40, 0.50),
            sharpening: Interval::new(0.2, 0.3),
            resolution: Interval::fixed(1.0),
            jpeg_quality: Interval::new(68.0, 80.0),
        }
    }

    /// Old laptop camera in poor light: low resolution, noisy, strongly compressed.
    pub fn sim_i() -> Self {
        Self {
            lens_blur: Interval::new(0.26, 0.34),
            pixel_aperture: 0.6,
            exposure: Interval::new(0.80, 1.00),
            colour_sampling: ColourSampling::Bayer,
            full_scale_electrons: Interval::new(1400.0, 2200.0),
            read_noise: 12.0,
            noise_reduction: Interval::new(0.30, 0.40),
            sharpening: Interval::fixed(0.0),
            resolution: Interval::new(0.72, 0.80),
            jpeg_quality: Interval::new(60.0, 72.0),
        }
    }

    /// Telephone: sharpened, little noise, moderate compression.
    pub fn sim_m() -> Self {
        Self {
            lens_blur: Interval::new(0.20, 0.26),
            pixel_aperture: 0.65,
            exposure: Interval::new(0.92, 1.12),
            colour_sampling: ColourSampling::Binned,
            full_scale_electrons: Interval::new(6000.0, 9000.0),
            read_noise: 5.0,
            noise_reduction: Interval::new(0.30, 0.40),
            sharpening: Interval::new(0.6, 0.9),
            resolution: Interval::new(0.85, 0.92),
            jpeg_quality: Interval::new(80.0, 88.0),
        }
    }

    /// Full-HD camera: the sharpest and cleanest of the four.
    pub fn sim_o() -> Self {
        Self {
            lens_blur: Interval::new(0.18, 0.22),
            pixel_aperture: 0.65,
            exposure: Interval::new(0.95, 1.08),
            colour_sampling: ColourSampling::Binned,
            full_scale_electrons: Interval::new(14_000.0, 20_000.0),
            read_noise: 3.0,
            noise_reduction: Interval::fixed(0.0),
            sharpening: Interval::new(0.1, 0.2),
            resolution: Interval::fixed(1.0),
            jpeg_quality: Interval::new(93.0, 96.0),
        }
    }
}
