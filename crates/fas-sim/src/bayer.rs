//! Bayer colour filter (RGGB) and bilinear demosaicing.

use crate::linear_image::LinearImage;

/// Channel behind the filter at a sensor site: rows `RG`, `GB`.
pub(crate) fn channel(x: usize, y: usize) -> usize {
    (x % 2) + (y % 2)
}

/// Bilinear demosaicing: a missing value is the mean of the nearest sites of its colour in the
/// 3 x 3 neighbourhood; the border is mirrored so that the filter pattern continues.
pub(crate) fn demosaic(raw: &[f32], width: usize, height: usize) -> LinearImage {
    let mirror = |v: isize, length: usize| {
        let last = length as isize - 1;
        if v < 0 {
            -v
        } else if v > last {
            2 * last - v
        } else {
            v
        }
    };
    LinearImage::from_fn(width, height, |x, y| {
        let mut sums = [0.0f32; 3];
        let mut counts = [0.0f32; 3];
        let own = channel(x, y);
        for dy in -1..=1isize {
            for dx in -1..=1isize {
                let sx = mirror(x as isize + dx, width) as usize;
                let sy = mirror(y as isize + dy, height) as usize;
                let colour = channel(sx, sy);
                if colour == own && (dx, dy) != (0, 0) {
                    continue;
                }
                sums[colour] += raw[sy * width + sx];
                counts[colour] += 1.0;
            }
        }
        std::array::from_fn(|c| sums[c] / counts[c])
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn filter_pattern_is_rggb() {
        let pattern: Vec<usize> = (0..4).map(|i| channel(i % 2, i / 2)).collect();
        assert_eq!(pattern, [0, 1, 1, 2]);
    }

    #[test]
    fn a_flat_field_is_reproduced() {
        let colour = [0.7, 0.4, 0.1];
        let raw: Vec<f32> = (0..10 * 8)
            .map(|i| colour[channel(i % 10, i / 10)])
            .collect();
        for pixel in demosaic(&raw, 10, 8).pixels() {
            for c in 0..3 {
                assert!((pixel[c] - colour[c]).abs() < 1e-6, "{pixel:?}");
            }
        }
    }

    #[test]
    fn a_grey_ramp_is_reproduced_inside() {
        let raw: Vec<f32> = (0..12 * 12).map(|i| (i % 12) as f32).collect();
        let image = demosaic(&raw, 12, 12);
        for x in 1..11 {
            for c in 0..3 {
                assert!((image.get(x, 5)[c] - x as f32).abs() < 1e-5);
            }
        }
    }
}
