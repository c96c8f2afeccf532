//! Pixels of a crop from those of a photo.

use image::{Rgb, Rgb32FImage, RgbImage};

use crate::Similarity;

/// How a crop's pixel is read from the photo.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Sampling {
    /// Bilinear between the four pixels around the point; black outside the photo. What OpenCV's
    /// `warpAffine` does up to its rounding of positions, and AG-FAS with it. Reducing by more than
    /// two skips pixels.
    Bilinear,
    /// The mean of `n x n` bilinear points spread evenly over the crop's pixel, `n` the number of
    /// photo pixels to its side, rounded up: nothing is skipped, and a crop that is not reduced is
    /// that of [`Bilinear`](Self::Bilinear).
    #[default]
    Averaged,
}

/// A crop to be taken from a photo.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Warp {
    /// From pixels of the crop to pixels of the photo.
    pub to_photo: Similarity,
    /// Width and height of the crop, in pixels.
    pub size: [u32; 2],
    /// How pixels are read.
    pub sampling: Sampling,
}

impl Warp {
    /// The crop, rounded to the nearest 8-bit value.
    pub fn run(&self, photo: &RgbImage) -> RgbImage {
        let [width, height] = self.size;
        RgbImage::from_fn(width, height, |x, y| {
            Rgb(self.pixel(photo, x, y).map(|value| value.round() as u8))
        })
    }

    /// The crop with values in `[0, 255]`, not rounded.
    pub fn run_unrounded(&self, photo: &RgbImage) -> Rgb32FImage {
        let [width, height] = self.size;
        Rgb32FImage::from_fn(width, height, |x, y| {
            Rgb(self.pixel(photo, x, y).map(|value| value as f32))
        })
    }

    fn pixel(&self, photo: &RgbImage, x: u32, y: u32) -> [f64; 3] {
        let points = match self.sampling {
            Sampling::Bilinear => 1,
            // A scale of 1 with rounding noise is not yet a reduction.
            Sampling::Averaged => (self.to_photo.scale() - 1e-6).ceil().clamp(1.0, 256.0) as u32,
        };
        let offset = |i: u32| (f64::from(i) + 0.5) / f64::from(points) - 0.5;
        let mut sum = [0.0; 3];
        for j in 0..points {
            for i in 0..points {
                let at = [f64::from(x) + offset(i), f64::from(y) + offset(j)];
                let values = bilinear(photo, self.to_photo.apply(at));
                for (sum, value) in sum.iter_mut().zip(values) {
                    *sum += value;
                }
            }
        }
        sum.map(|sum| sum / f64::from(points * points))
    }
}

/// The photo's value between pixels, zero outside.
fn bilinear(photo: &RgbImage, [x, y]: [f64; 2]) -> [f64; 3] {
    let (left, top) = (x.floor(), y.floor());
    let (fraction_x, fraction_y) = (x - left, y - top);
    let pixel = |dx: f64, dy: f64| -> [f64; 3] {
        let (x, y) = (left + dx, top + dy);
        let inside =
            x >= 0.0 && y >= 0.0 && x < f64::from(photo.width()) && y < f64::from(photo.height());
        if inside {
            photo.get_pixel(x as u32, y as u32).0.map(f64::from)
        } else {
            [0.0; 3]
        }
    };
    let corners = [
        pixel(0.0, 0.0),
        pixel(1.0, 0.0),
        pixel(0.0, 1.0),
        pixel(1.0, 1.0),
    ];
    std::array::from_fn(|c| {
        let top = corners[0][c] * (1.0 - fraction_x) + corners[1][c] * fraction_x;
        let bottom = corners[2][c] * (1.0 - fraction_x) + corners[3][c] * fraction_x;
        top * (1.0 - fraction_y) + bottom * fraction_y
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn warp(to_photo: Similarity, size: [u32; 2], sampling: Sampling) -> Warp {
        Warp {
            to_photo,
            size,
            sampling,
        }
    }

    /// Red `10 x`, green `10 y`, blue 9.
    fn ramp() -> RgbImage {
        RgbImage::from_fn(20, 16, |x, y| Rgb([10 * x as u8, 10 * y as u8, 9]))
    }

    #[test]
    fn positions_between_pixels_are_interpolated() {
        let shift = Similarity::scaling(1.0, [2.25, 3.5]);
        for sampling in [Sampling::Bilinear, Sampling::Averaged] {
            let crop = warp(shift, [4, 3], sampling).run_unrounded(&ramp());
            assert_eq!(crop.get_pixel(0, 0).0, [22.5, 35.0, 9.0]);
            assert_eq!(crop.get_pixel(3, 2).0, [52.5, 55.0, 9.0]);
        }
        let rounded = warp(shift, [4, 3], Sampling::Bilinear).run(&ramp());
        assert_eq!(rounded.get_pixel(0, 0).0, [23, 35, 9]);
    }

    #[test]
    fn outside_is_black_and_the_edge_fades() {
        let shift = Similarity::scaling(1.0, [-1.25, 0.0]);
        let photo = RgbImage::from_pixel(4, 4, Rgb([200; 3]));
        let crop = warp(shift, [6, 5], Sampling::Bilinear).run(&photo);
        assert_eq!(crop.get_pixel(0, 0).0, [0; 3]);
        assert_eq!(crop.get_pixel(1, 0).0, [150; 3]);
        assert_eq!(crop.get_pixel(2, 0).0, [200; 3]);
        assert_eq!(crop.get_pixel(2, 4).0, [0; 3]);
    }

    #[test]
    fn a_reduction_averages_every_pixel_when_asked() {
        // Stripes of one pixel: bilinear sampling of every fourth pixel sees one stripe only.
        let stripes = RgbImage::from_fn(32, 32, |x, _| Rgb([200 * (x % 2) as u8; 3]));
        // Crop pixel (x, y) covers photo pixels 4 x .. 4 x + 3.
        let reduce = Similarity::scaling(4.0, [1.5, 1.5]);
        let averaged = warp(reduce, [8, 8], Sampling::Averaged).run(&stripes);
        assert!(averaged.pixels().all(|pixel| pixel.0 == [100; 3]));
        let on_a_pixel = Similarity::scaling(4.0, [1.0, 1.0]);
        let bilinear = warp(on_a_pixel, [8, 8], Sampling::Bilinear).run(&stripes);
        assert!(bilinear.pixels().all(|pixel| pixel.0 == [200; 3]));
    }
}
