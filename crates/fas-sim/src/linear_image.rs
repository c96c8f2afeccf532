//! Linear-light RGB image: the one pixel type between the sRGB files.
//!
//! 1.0 is diffuse white. Coordinates are continuous: pixel `(i, j)` covers `[i, i + 1) x [j, j + 1)`
//! and has its centre at `(i + 0.5, j + 0.5)`.

use std::sync::LazyLock;

use image::{Rgb, RgbImage};

/// sRGB code value in `[0, 1]` of linear light in `[0, 1]` (IEC 61966-2-1).
pub(crate) fn srgb_encode(linear: f32) -> f32 {
    if linear <= 0.003_130_8 {
        12.92 * linear
    } else {
        1.055 * linear.powf(1.0 / 2.4) - 0.055
    }
}

/// Linear light in `[0, 1]` of an sRGB code value in `[0, 1]` (IEC 61966-2-1).
pub(crate) fn srgb_decode(code: f32) -> f32 {
    if code <= 0.040_45 {
        code / 12.92
    } else {
        ((code + 0.055) / 1.055).powf(2.4)
    }
}

static DECODE: LazyLock<[f32; 256]> =
    LazyLock::new(|| std::array::from_fn(|code| srgb_decode(code as f32 / 255.0)));

/// Luminance of linear RGB with the BT.709 primaries.
pub(crate) fn luminance([red, green, blue]: [f32; 3]) -> f32 {
    0.2126 * red + 0.7152 * green + 0.0722 * blue
}

/// `a` for `t = 0`, `b` for `t = 1`.
pub(crate) fn mix(a: [f32; 3], b: [f32; 3], t: f32) -> [f32; 3] {
    std::array::from_fn(|c| a[c] + (b[c] - a[c]) * t)
}

/// Component-wise product.
pub(crate) fn times(a: [f32; 3], b: [f32; 3]) -> [f32; 3] {
    std::array::from_fn(|c| a[c] * b[c])
}

/// Pulls a colour towards its own grey; 1 keeps it, 0 is grey.
pub(crate) fn saturate(pixel: [f32; 3], saturation: f32) -> [f32; 3] {
    mix([luminance(pixel); 3], pixel, saturation)
}

/// A function of `[0, 1]` tabulated for linear interpolation, clamped outside.
#[derive(Debug, Clone)]
pub(crate) struct ToneCurve(Vec<f32>);

impl ToneCurve {
    pub(crate) fn new(function: impl Fn(f32) -> f32) -> Self {
        const STEPS: usize = 1024;
        Self(
            (0..=STEPS)
                .map(|i| function(i as f32 / STEPS as f32))
                .collect(),
        )
    }

    pub(crate) fn at(&self, value: f32) -> f32 {
        let steps = self.0.len() - 1;
        let position = value.clamp(0.0, 1.0) * steps as f32;
        let index = (position as usize).min(steps - 1);
        self.0[index] + (self.0[index + 1] - self.0[index]) * (position - index as f32)
    }
}

/// RGB image in linear light, row by row.
#[derive(Debug, Clone, PartialEq)]
pub struct LinearImage {
    width: usize,
    height: usize,
    pixels: Vec<[f32; 3]>,
}

impl LinearImage {
    /// Image from a function of the pixel's column and row.
    pub fn from_fn(
        width: usize,
        height: usize,
        mut pixel: impl FnMut(usize, usize) -> [f32; 3],
    ) -> Self {
        let mut pixels = Vec::with_capacity(width * height);
        for y in 0..height {
            for x in 0..width {
                pixels.push(pixel(x, y));
            }
        }
        Self {
            width,
            height,
            pixels,
        }
    }

    /// Decodes 8-bit sRGB.
    pub fn from_srgb(image: &RgbImage) -> Self {
        let table = &*DECODE;
        let pixels = image
            .pixels()
            .map(|Rgb(code)| code.map(|value| table[usize::from(value)]));
        Self {
            width: image.width() as usize,
            height: image.height() as usize,
            pixels: pixels.collect(),
        }
    }

    /// Encodes to 8-bit sRGB, clipping to `[0, 1]` and rounding to nearest.
    pub fn to_srgb(&self) -> RgbImage {
        let mut image = RgbImage::new(self.width as u32, self.height as u32);
        for (target, pixel) in image.pixels_mut().zip(&self.pixels) {
            *target = Rgb(pixel.map(|v| (srgb_encode(v.clamp(0.0, 1.0)) * 255.0).round() as u8));
        }
        image
    }

    /// Width in pixels.
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    pub fn height(&self) -> usize {
        self.height
    }

    /// Pixels, row by row.
    pub fn pixels(&self) -> &[[f32; 3]] {
        &self.pixels
    }

    pub(crate) fn pixels_mut(&mut self) -> &mut [[f32; 3]] {
        &mut self.pixels
    }

    pub(crate) fn get(&self, x: usize, y: usize) -> [f32; 3] {
        self.pixels[y * self.width + x]
    }

    /// Mean of every channel.
    pub fn mean(&self) -> [f32; 3] {
        let mut sum = [0.0f64; 3];
        for pixel in &self.pixels {
            for c in 0..3 {
                sum[c] += f64::from(pixel[c]);
            }
        }
        sum.map(|total| (total / self.pixels.len() as f64) as f32)
    }

    /// Bilinear interpolation at continuous coordinates, the border repeated outside.
    pub(crate) fn sample(&self, x: f32, y: f32) -> [f32; 3] {
        let x = (x - 0.5).clamp(0.0, (self.width - 1) as f32);
        let y = (y - 0.5).clamp(0.0, (self.height - 1) as f32);
        let (x0, y0) = (x as usize, y as usize);
        let (fx, fy) = (x - x0 as f32, y - y0 as f32);
        let x1 = (x0 + 1).min(self.width - 1);
        let y1 = (y0 + 1).min(self.height - 1);
        let top = mix(self.get(x0, y0), self.get(x1, y0), fx);
        let bottom = mix(self.get(x0, y1), self.get(x1, y1), fx);
        mix(top, bottom, fy)
    }

    /// Resamples with a triangle kernel, widened when shrinking so that nothing aliases.
    pub fn resized(&self, width: usize, height: usize) -> Self {
        let half_width = |from: usize, to: usize| (from as f32 / to as f32).max(1.0);
        let triangle = |from: usize, to: usize| {
            let radius = half_width(from, to);
            Taps::new(from, to, radius, move |distance| {
                (1.0 - distance.abs() / radius).max(0.0)
            })
        };
        self.filtered(&triangle(self.width, width), &triangle(self.height, height))
    }

    /// Applies separable taps: along the rows, then along the columns.
    pub(crate) fn filtered(&self, columns: &Taps, rows: &Taps) -> Self {
        let narrow = Self::from_fn(columns.len(), self.height, |x, y| {
            let (start, weights) = columns.get(x);
            let row = &self.pixels[y * self.width + start..][..weights.len()];
            accumulate(row.iter().zip(weights))
        });
        let width = narrow.width;
        let mut pixels = vec![[0.0f32; 3]; width * rows.len()];
        for (y, target) in pixels.chunks_exact_mut(width).enumerate() {
            let (start, weights) = rows.get(y);
            for (row, &weight) in narrow.pixels[start * width..]
                .chunks_exact(width)
                .zip(weights)
            {
                for (sum, pixel) in target.iter_mut().zip(row) {
                    for c in 0..3 {
                        sum[c] += weight * pixel[c];
                    }
                }
            }
        }
        Self {
            width,
            height: rows.len(),
            pixels,
        }
    }

    /// Gaussian blur, `sigma` in pixels; 0 copies.
    pub fn blurred(&self, sigma: f32) -> Self {
        if sigma <= 0.0 {
            return self.clone();
        }
        let gaussian = |length| {
            Taps::new(length, length, 3.0 * sigma, |d: f32| {
                (-0.5 * (d / sigma).powi(2)).exp()
            })
        };
        self.filtered(&gaussian(self.width), &gaussian(self.height))
    }
}

fn accumulate<'a>(taps: impl Iterator<Item = (&'a [f32; 3], &'a f32)>) -> [f32; 3] {
    taps.fold([0.0; 3], |sum, (pixel, weight)| {
        std::array::from_fn(|c| sum[c] + weight * pixel[c])
    })
}

/// Filter taps of a one-dimensional resampling, normalised to one at every output, cut at the border.
#[derive(Debug, Clone)]
pub(crate) struct Taps {
    starts: Vec<usize>,
    weights: Vec<Vec<f32>>,
}

impl Taps {
    /// `kernel(distance)` with the distance in input pixels from the centre of the output pixel.
    pub(crate) fn new(from: usize, to: usize, radius: f32, kernel: impl Fn(f32) -> f32) -> Self {
        let scale = from as f32 / to as f32;
        let mut taps = Self {
            starts: Vec::with_capacity(to),
            weights: Vec::with_capacity(to),
        };
        for output in 0..to {
            let centre = (output as f32 + 0.5) * scale;
            let first = ((centre - radius).floor().max(0.0) as usize).min(from - 1);
            let last = ((centre + radius).ceil() as usize).clamp(first + 1, from);
            let mut weights: Vec<f32> = (first..last)
                .map(|input| kernel(input as f32 + 0.5 - centre))
                .collect();
            let total: f32 = weights.iter().sum();
            weights.iter_mut().for_each(|weight| *weight /= total);
            taps.starts.push(first);
            taps.weights.push(weights);
        }
        taps
    }

    fn len(&self) -> usize {
        self.starts.len()
    }

    fn get(&self, output: usize) -> (usize, &[f32]) {
        (self.starts[output], &self.weights[output])
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn srgb_known_values() {
        assert!((srgb_decode(0.5) - 0.214_041).abs() < 1e-6);
        assert!((srgb_encode(0.18) - 0.461_356).abs() < 1e-5);
        for code in 0..=255u8 {
            let image = RgbImage::from_pixel(1, 1, Rgb([code; 3]));
            assert_eq!(LinearImage::from_srgb(&image).to_srgb(), image);
        }
    }

    #[test]
    fn shrinking_by_two_halves_a_step_exactly() {
        let stripes = LinearImage::from_fn(64, 8, |x, _| [(x % 2) as f32; 3]);
        for pixel in &stripes.resized(32, 4).pixels()[1..31] {
            assert!((pixel[0] - 0.5).abs() < 1e-6, "{pixel:?}");
        }
    }

    #[test]
    fn enlarging_reproduces_a_ramp() {
        let ramp = LinearImage::from_fn(16, 4, |x, _| [x as f32 + 0.5; 3]);
        let large = ramp.resized(64, 16);
        for x in 2..62 {
            let expected = (x as f32 + 0.5) / 4.0;
            assert!((large.get(x, 5)[0] - expected).abs() < 1e-5);
            assert!((ramp.sample(expected, 2.0)[0] - expected).abs() < 1e-5);
        }
    }

    #[test]
    fn blur_spreads_a_point_with_its_variance() {
        let point = LinearImage::from_fn(41, 41, |x, y| [f32::from(x == 20 && y == 20); 3]);
        let blurred = point.blurred(2.0);
        let (mut total, mut variance) = (0.0, 0.0);
        for y in 0..41 {
            for x in 0..41 {
                let value = blurred.get(x, y)[1];
                total += value;
                variance += value * (x as f32 - 20.0).powi(2);
            }
        }
        assert!((total - 1.0).abs() < 1e-4, "{total}");
        // 4 px^2, less what the cut at three sigma removes.
        assert!(
            (variance / total - 3.9).abs() < 0.08,
            "{}",
            variance / total
        );
    }

    #[test]
    fn tone_curve_interpolates() {
        let square = ToneCurve::new(|v| v * v);
        assert!((square.at(0.3) - 0.09).abs() < 1e-5);
        assert_eq!(square.at(-1.0), 0.0);
        assert_eq!(square.at(2.0), 1.0);
    }
}
