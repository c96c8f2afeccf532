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
    #[cfg(target_arch = "x86_64")]
    let done = match pulp::x86::V4::try_new() {
        Some(simd) => Simd::vectorize(simd, avx512::Spread { simd, rgb, gray }),
        None => 0,
    };
    #[cfg(not(target_arch = "x86_64"))]
    let done = 0;
    let rest = rgb[3 * done..].as_chunks::<3>().0;
    for (gray, rgb) in gray[done..].iter_mut().zip(rest) {
        *gray = luma(*rgb) as f32;
    }
}

/// Compilers take colours apart sixteen bytes at a time and widen them after that, which takes most
/// of the conversion's time; here bytes are spread over the lanes of whole vectors at once.
#[cfg(target_arch = "x86_64")]
mod avx512 {
    use pulp::x86::V4;
    use pulp::{Simd, WithSimd, bytemuck};

    use super::{SHIFT, WEIGHTS};

    /// Pixels in a vector.
    const LANES: usize = 16;
    /// A quarter of a vector takes four pixels: three words, and one that is not used.
    const WORDS: [u32; LANES] = [0, 1, 2, 2, 3, 4, 5, 5, 6, 7, 8, 8, 9, 10, 11, 11];

    /// Shuffles that make each pixel's red, green and blue a lane.
    const COLOURS: [[u8; 4 * LANES]; 3] = [bytes(0), bytes(1), bytes(2)];

    /// Byte `colour` of each pixel of a quarter, with zeros above it.
    const fn bytes(colour: u8) -> [u8; 4 * LANES] {
        const ZERO: u8 = 0x80;
        let mut index = [ZERO; 4 * LANES];
        let mut pixel = 0;
        while pixel < LANES {
            index[4 * pixel] = 3 * (pixel % 4) as u8 + colour;
            pixel += 1;
        }
        index
    }

    /// Converts from the left while there are 64 bytes to read, a third more than a vector takes;
    /// returns the number of pixels.
    pub(super) struct Spread<'a> {
        pub(super) simd: V4,
        pub(super) rgb: &'a [u8],
        pub(super) gray: &'a mut [f32],
    }

    impl WithSimd for Spread<'_> {
        type Output = usize;

        #[inline(always)]
        fn with_simd<S: Simd>(self, _simd: S) -> usize {
            let (f, bw) = (self.simd.avx512f, self.simd.avx512bw);
            let words = bytemuck::cast(WORDS);
            let colour = |k: usize| bytemuck::cast(COLOURS[k]);
            let (red, green, blue) = (colour(0), colour(1), colour(2));
            let weight = |k: usize| f._mm512_set1_epi32(WEIGHTS[k]);
            let (r, g, b) = (weight(0), weight(1), weight(2));
            let half = f._mm512_set1_epi32(1 << (SHIFT - 1));
            let mut done = 0;
            for gray in self.gray.as_chunks_mut::<LANES>().0 {
                let Some(chunk) = self.rgb[3 * done..].first_chunk::<64>() else {
                    break;
                };
                let quarters = f._mm512_permutexvar_epi32(words, bytemuck::cast(*chunk));
                let red = f._mm512_mullo_epi32(bw._mm512_shuffle_epi8(quarters, red), r);
                let green = f._mm512_mullo_epi32(bw._mm512_shuffle_epi8(quarters, green), g);
                let blue = f._mm512_mullo_epi32(bw._mm512_shuffle_epi8(quarters, blue), b);
                let two = f._mm512_add_epi32(red, green);
                let sum = f._mm512_add_epi32(two, f._mm512_add_epi32(blue, half));
                let levels = f._mm512_srli_epi32::<SHIFT>(sum);
                *gray = bytemuck::cast(f._mm512_cvtepi32_ps(levels));
                done += LANES;
            }
            done
        }
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
    fn rows_of_any_length_convert_alike() {
        let rgb: Vec<u8> = (0..3 * 100).map(|i| (i * i * 7 % 256) as u8).collect();
        for width in 0..100 {
            let mut gray = vec![-1.0; width];
            convert(&rgb[..3 * width], &mut gray);
            for (x, &found) in gray.iter().enumerate() {
                let pixel = [rgb[3 * x], rgb[3 * x + 1], rgb[3 * x + 2]];
                assert_eq!(found, luma(pixel) as f32, "pixel {x} of {width}");
            }
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
