//! BRISQUE, the Blind/Referenceless Image Spatial Quality Evaluator: Mittal, Moorthy and Bovik,
//! "No-Reference Image Quality Assessment in the Spatial Domain", IEEE Transactions on Image
//! Processing 21(12), 2012, <https://doi.org/10.1109/TIP.2012.2214050>.

use image::RgbImage;
use pulp::{Arch, Simd, WithSimd};
use rayon::prelude::*;

use crate::aggd::{FEATURES, fit};
use crate::error::{QualityError, Scale};
use crate::gray::{GrayPlane, convert};
use crate::half::{HalfFilter, HalfPlane};
use crate::moments::Moments;
use crate::mscn::{RADIUS, mscn};
use crate::svr::{LIVE, NUM_FEATURES, Svr};
use crate::sweep::Sweep;

/// Shortest side that can be scored, in pixels: its half holds one 7x7 window.
pub const MIN_SIDE: usize = 4 * RADIUS + 1;

/// The BRISQUE quality score with the model of the LIVE release of 2011.
///
/// **Lower is better.** Natural images score about -15 to 30, strong blur, noise or compression 50
/// to 100; the score is not clamped and has no unit. Without a suffix a method computes in f32
/// vectors (within 0.005 of the reference on images without flat parts, where an f32 difference
/// moves one grid step of a shape fit within 0.1); methods ending in `_f64` are the reference.
/// The last bits of the f32 score depend on the vector width of the machine.
///
/// # Example
///
/// ```
/// use fas_quality::{Brisque, QualityError};
/// use image::{Rgb, RgbImage};
///
/// let brisque = Brisque::new();
/// let noise = |x: u32, y: u32| ((x * x + 7 * y * y + x * y * 13) % 251) as u8;
/// let noisy = RgbImage::from_fn(64, 64, |x, y| Rgb([noise(x, y); 3]));
/// assert!(brisque.score(&noisy)? > 50.0);
///
/// let blank = RgbImage::from_pixel(64, 64, Rgb([128; 3]));
/// assert!(matches!(brisque.score(&blank), Err(QualityError::OneSided { .. })));
/// # Ok::<(), QualityError>(())
/// ```
#[derive(Clone, Copy)]
pub struct Brisque {
    model: &'static Svr,
}

impl Brisque {
    /// The evaluator. Cheap: the tables are built once a process, about 2 ms, and shared.
    #[must_use]
    pub fn new() -> Self {
        Self { model: &LIVE }
    }

    /// Score of a colour image, in f32; lower is better.
    ///
    /// # Errors
    ///
    /// [`QualityError::TooSmall`] below [`MIN_SIDE`]; [`QualityError::NoContrast`] and
    /// [`QualityError::OneSided`] for blank images and other degenerate ones.
    pub fn score(&self, image: &RgbImage) -> Result<f64, QualityError> {
        Ok(self.predict(&self.features(image)?))
    }

    /// Reference score of a colour image, in f64; lower is better.
    ///
    /// # Errors
    ///
    /// As [`score`](Self::score).
    pub fn score_f64(&self, image: &RgbImage) -> Result<f64, QualityError> {
        Ok(self.predict(&self.features_f64(image)?))
    }

    /// Score of a grey plane of `width * height` values, row by row, in f32; lower is better.
    ///
    /// # Errors
    ///
    /// As [`score`](Self::score), and [`QualityError::PlaneLength`].
    pub fn score_gray(
        &self,
        plane: &[u8],
        width: usize,
        height: usize,
    ) -> Result<f64, QualityError> {
        if width.checked_mul(height) != Some(plane.len()) {
            return Err(QualityError::PlaneLength {
                width,
                height,
                found: plane.len(),
            });
        }
        let rows = plane.chunks_exact(width.max(1));
        let features = features(width, height, rows, widen)?;
        Ok(self.predict(&features))
    }

    /// Scores of many images, in f32, spread over rayon's threads; in the order given.
    ///
    /// One degenerate image does not stop the others.
    #[must_use]
    pub fn score_many(&self, images: &[RgbImage]) -> Vec<Result<f64, QualityError>> {
        images.par_iter().map(|image| self.score(image)).collect()
    }

    /// The 36 features of a colour image, in f32 up to the sums.
    ///
    /// 18 of the full size, then 18 of the half size. Each 18: GGD shape and variance; then for the
    /// neighbours of [`Neighbour::ALL`](crate::Neighbour::ALL) AGGD shape, mean, left variance and
    /// right variance. Not scaled.
    ///
    /// # Errors
    ///
    /// As [`score`](Self::score).
    pub fn features(&self, image: &RgbImage) -> Result<[f64; NUM_FEATURES], QualityError> {
        let (width, height) = (image.width() as usize, image.height() as usize);
        features(
            width,
            height,
            image.as_raw().chunks_exact((3 * width).max(1)),
            convert,
        )
    }

    /// The 36 features of a colour image, in f64; as [`features`](Self::features).
    ///
    /// # Errors
    ///
    /// As [`score`](Self::score).
    pub fn features_f64(&self, image: &RgbImage) -> Result<[f64; NUM_FEATURES], QualityError> {
        check_size(image.width() as usize, image.height() as usize)?;
        let plane = GrayPlane::from_rgb(image);
        let half = HalfPlane::from_gray(&plane);
        let moments = |width, height, levels: Vec<f64>| {
            Moments::of(width, height, &mscn(width, height, &levels))
        };
        let full_levels = plane.values().iter().map(|&v| f64::from(v)).collect();
        let half_levels = half
            .values()
            .iter()
            .map(|&v| f64::from(v) / f64::from(HalfPlane::ONE))
            .collect();
        fit_scales(
            &moments(plane.width(), plane.height(), full_levels),
            &moments(half.width(), half.height(), half_levels),
        )
    }

    /// Score of 36 features in the order of [`features`](Self::features); lower is better.
    #[must_use]
    pub fn predict(&self, features: &[f64; NUM_FEATURES]) -> f64 {
        self.model.predict(features)
    }
}

impl Default for Brisque {
    fn default() -> Self {
        Self::new()
    }
}

impl std::fmt::Debug for Brisque {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Brisque").finish_non_exhaustive()
    }
}

fn check_size(width: usize, height: usize) -> Result<(), QualityError> {
    if width < MIN_SIDE || height < MIN_SIDE {
        return Err(QualityError::TooSmall {
            width,
            height,
            minimum: MIN_SIDE,
        });
    }
    Ok(())
}

/// Features in f32 of an image whose rows `gray` converts to grey levels.
fn features<'a>(
    width: usize,
    height: usize,
    rows: impl Iterator<Item = &'a [u8]>,
    gray: impl Fn(&[u8], &mut [f32]),
) -> Result<[f64; NUM_FEATURES], QualityError> {
    check_size(width, height)?;
    let [full, half] = Arch::new().dispatch(BothScales {
        width,
        height,
        rows,
        gray,
    });
    fit_scales(&full, &half)
}

/// The moments of both scales in one go over the rows, compiled for each instruction set. Nothing
/// as large as the image is written.
struct BothScales<I, F> {
    width: usize,
    height: usize,
    rows: I,
    gray: F,
}

impl<'a, I, F> WithSimd for BothScales<I, F>
where
    I: Iterator<Item = &'a [u8]>,
    F: Fn(&[u8], &mut [f32]),
{
    type Output = [Moments; 2];

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> [Moments; 2] {
        let Self {
            width,
            height,
            rows,
            gray,
        } = self;
        let mut full = Sweep::new(simd, width, height);
        let mut filter = HalfFilter::new(width);
        let mut half = Sweep::new(simd, width.div_ceil(2), height.div_ceil(2));
        for from in rows {
            full.push(|row| gray(from, row));
            while let Some(levels) = filter.next(full.band()) {
                half.push(|row| {
                    for (out, &v) in row.iter_mut().zip(levels) {
                        *out = v as f32 * (1.0 / HalfPlane::ONE as f32);
                    }
                });
            }
        }
        [full.finish(), half.finish()]
    }
}

/// Grey levels that are grey already.
#[inline(always)]
fn widen(gray: &[u8], row: &mut [f32]) {
    for (out, &v) in row.iter_mut().zip(gray) {
        *out = f32::from(v);
    }
}

fn fit_scales(full: &Moments, half: &Moments) -> Result<[f64; NUM_FEATURES], QualityError> {
    let mut features = [0.0; NUM_FEATURES];
    features[..FEATURES].copy_from_slice(&fit(full, Scale::Full)?);
    features[FEATURES..].copy_from_slice(&fit(half, Scale::Half)?);
    Ok(features)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::Rgb;

    fn textured(width: u32, height: u32) -> RgbImage {
        RgbImage::from_fn(width, height, |x, y| {
            let v = (x * x + 7 * y * y + x * y * 13) % 251;
            Rgb([v as u8, (v / 2) as u8, (250 - v) as u8])
        })
    }

    #[test]
    fn the_smallest_side_is_the_limit() {
        let brisque = Brisque::new();
        let side = MIN_SIDE as u32;
        assert!(brisque.score(&textured(side, side)).unwrap().is_finite());
        for (width, height) in [(side - 1, 64), (64, side - 1), (1, 1), (0, 0)] {
            let expected = QualityError::TooSmall {
                width: width as usize,
                height: height as usize,
                minimum: MIN_SIDE,
            };
            assert_eq!(
                brisque.score(&textured(width, height)),
                Err(expected.clone())
            );
            assert_eq!(brisque.score_f64(&textured(width, height)), Err(expected));
        }
    }

    #[test]
    fn black_has_no_contrast() {
        let black = RgbImage::new(40, 40);
        let expected = Err(QualityError::NoContrast { scale: Scale::Full });
        assert_eq!(Brisque::new().score(&black), expected);
        assert_eq!(Brisque::new().score_f64(&black), expected);
    }

    #[test]
    fn gray_planes_score_as_their_image() {
        let gray = |x: u32, y: u32| ((x * 5 + y * y * 3) % 256) as u8;
        let image = RgbImage::from_fn(50, 30, |x, y| Rgb([gray(x, y); 3]));
        let plane: Vec<u8> = image.pixels().map(|p| p.0[0]).collect();
        let brisque = Brisque::new();
        assert_eq!(brisque.score_gray(&plane, 50, 30), brisque.score(&image));
        let short = brisque.score_gray(&plane, 50, 31);
        assert_eq!(
            short,
            Err(QualityError::PlaneLength {
                width: 50,
                height: 31,
                found: 1500
            })
        );
    }

    #[test]
    fn many_keep_their_order_and_their_errors() {
        let images = [textured(64, 48), RgbImage::new(40, 40), textured(48, 64)];
        let brisque = Brisque::new();
        let expected: Vec<_> = images.iter().map(|image| brisque.score(image)).collect();
        assert_eq!(brisque.score_many(&images), expected);
        assert!(expected[1].is_err());
    }
}
