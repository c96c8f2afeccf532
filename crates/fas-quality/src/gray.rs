//! Luma plane: MATLAB's `rgb2gray`, exact for all 16.7 million colours.

use image::RgbImage;
use pulp::{Arch, Simd, WithSimd};

use crate::error::QualityError;

/// 22-bit fixed-point luma weights of red, green and blue; they sum to `2^22`.
const WEIGHTS: [i32; 3] = [1_253_829, 2_462_237, 478_238];
const SHIFT: u32 = 22;

/// An 8-bit grey image, row by row, values `0..=255`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GrayPlane {
    width: usize,
    height: usize,
    values: Vec<u8>,
}

impl GrayPlane {
    /// Converts a colour image: `(1253829 R + 2462237 G + 478238 B + 2^21) >> 22`.
    #[must_use]
    pub fn from_rgb(image: &RgbImage) -> Self {
        let (width, height) = (image.width() as usize, image.height() as usize);
        let mut values = vec![0; width * height];
        Arch::new().dispatch(Convert {
            rgb: image.as_raw(),
            gray: &mut values,
        });
        Self {
            width,
            height,
            values,
        }
    }

    /// Takes over a plane that is grey already.
    ///
    /// # Errors
    ///
    /// [`QualityError::PlaneLength`] when `values` does not have `width * height` entries.
    pub fn new(width: usize, height: usize, values: Vec<u8>) -> Result<Self, QualityError> {
        if width.checked_mul(height) != Some(values.len()) {
            return Err(QualityError::PlaneLength {
                width,
                height,
                found: values.len(),
            });
        }
        Ok(Self {
            width,
            height,
            values,
        })
    }

    /// Width in pixels.
    #[must_use]
    pub fn width(&self) -> usize {
        self.width
    }

    /// Height in pixels.
    #[must_use]
    pub fn height(&self) -> usize {
        self.height
    }

    /// The values, row by row.
    #[must_use]
    pub fn values(&self) -> &[u8] {
        &self.values
    }

    /// Row `y`.
    ///
    /// # Panics
    ///
    /// When `y >= height`.
    #[must_use]
    pub fn row(&self, y: usize) -> &[u8] {
        &self.values[y * self.width..][..self.width]
    }
}

/// The conversion as an operation that is compiled for each instruction set.
struct Convert<'a> {
    rgb: &'a [u8],
    gray: &'a mut [u8],
}

impl WithSimd for Convert<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        for (gray, rgb) in self.gray.iter_mut().zip(self.rgb.as_chunks::<3>().0) {
            *gray = luma(*rgb) as u8;
        }
    }
}

/// Grey levels of interleaved colours; inlined into code compiled for an instruction set.
#[inline(always)]
pub(crate) fn convert(rgb: &[u8], gray: &mut [f32]) {
    for (gray, rgb) in gray.iter_mut().zip(rgb.as_chunks::<3>().0) {
        *gray = luma(*rgb) as f32;
    }
}

/// Signed, since vectors convert only signed integers to f32; the sum stays below `2^31`.
#[inline(always)]
fn luma([r, g, b]: [u8; 3]) -> i32 {
    let sum = WEIGHTS[0] * i32::from(r) + WEIGHTS[1] * i32::from(g) + WEIGHTS[2] * i32::from(b);
    (sum + (1 << (SHIFT - 1))) >> SHIFT
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grey_colours_keep_their_value() {
        for v in 0..=255 {
            assert_eq!(luma([v, v, v]), i32::from(v));
        }
        assert_eq!(WEIGHTS.iter().sum::<i32>(), 1 << SHIFT);
    }

    #[test]
    fn primaries_match_rgb2gray() {
        // MATLAB: rgb2gray(uint8(cat(3, 255, 0, 0))) and so on.
        assert_eq!(luma([255, 0, 0]), 76);
        assert_eq!(luma([0, 255, 0]), 150);
        assert_eq!(luma([0, 0, 255]), 29);
    }

    #[test]
    fn vector_code_agrees_with_each_pixel() {
        let image = RgbImage::from_fn(131, 7, |x, y| {
            image::Rgb([(x * 2) as u8, (y * 31) as u8, 77])
        });
        let plane = GrayPlane::from_rgb(&image);
        for (x, y, p) in image.enumerate_pixels() {
            assert_eq!(plane.row(y as usize)[x as usize], luma(p.0) as u8);
        }
    }

    #[test]
    fn wrong_length_is_refused() {
        let found = GrayPlane::new(4, 3, vec![0; 11]).unwrap_err();
        assert_eq!(
            found,
            QualityError::PlaneLength {
                width: 4,
                height: 3,
                found: 11
            }
        );
        assert_eq!(
            found.to_string(),
            "grey plane has 11 values, but 4x3 needs 12"
        );
    }
}
