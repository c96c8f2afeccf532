//! Near-duplicate images by a perceptual hash, without comparing all with all.
//!
//! The hash is the sign of 256 horizontal differences of a 17 x 16 reduction (dHash; N. Krawetz 2013).
//! Copies that were rescaled or re-encoded differ in a few bits. Two hashes that differ in at most 15
//! bits are equal in one of 16 bands of 16 bits, so only images that share a band are compared.

use std::collections::HashMap;

use image::RgbImage;

/// Columns and rows of the hash.
const SIDE: usize = 16;
/// Bands that a hash is cut into.
const BANDS: usize = 16;

/// 256 bits that are nearly the same for images that look the same.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct PerceptualHash([u16; BANDS]);

impl PerceptualHash {
    /// Largest distance at which every pair is found.
    pub const MAX_DISTANCE: u32 = BANDS as u32 - 1;

    /// Hash of an image.
    ///
    /// # Panics
    ///
    /// If the image has no pixel.
    pub fn of(image: &RgbImage) -> Self {
        let small = reduce(image);
        let mut bands = [0; BANDS];
        for (row, cells) in small.iter().enumerate() {
            for (column, pair) in cells.windows(2).enumerate() {
                // A band takes one bit of each row, and of each column: a flat margin, whose bits are
                // equal in many images, is spread over all bands.
                let band = (row + column) % BANDS;
                bands[band] |= u16::from(pair[1] > pair[0]) << row;
            }
        }
        Self(bands)
    }

    /// Number of bits that differ, 0 to 256.
    pub fn distance(self, other: Self) -> u32 {
        let pairs = self.0.into_iter().zip(other.0);
        pairs.map(|(a, b)| (a ^ b).count_ones()).sum()
    }
}

/// Mean luma of 17 x 16 cells, in steps of two grey levels, so that noise of a flat area makes few edges.
fn reduce(image: &RgbImage) -> [[u16; SIDE + 1]; SIDE] {
    let (width, height) = (image.width() as usize, image.height() as usize);
    assert!(width > 0 && height > 0, "an image has at least one pixel");
    let pixels = image.as_raw();
    let edge = |index: usize, cells: usize, length: usize| index * length / cells;
    std::array::from_fn(|row| {
        let top = edge(row, SIDE, height);
        let bottom = edge(row + 1, SIDE, height).max(top + 1).min(height);
        std::array::from_fn(|column| {
            let left = edge(column, SIDE + 1, width);
            let right = edge(column + 1, SIDE + 1, width).max(left + 1).min(width);
            let (top, left) = (top.min(height - 1), left.min(width - 1));
            let mut sum = 0_u64;
            for y in top..bottom {
                let line = &pixels[(y * width + left) * 3..(y * width + right) * 3];
                for pixel in line.chunks_exact(3) {
                    let [red, green, blue] = [pixel[0], pixel[1], pixel[2]].map(u64::from);
                    sum += 299 * red + 587 * green + 114 * blue;
                }
            }
            let area = ((bottom - top) * (right - left)) as u64;
            (sum / (area * 2000)) as u16
        })
    })
}

/// Pairs `(first, second)` of positions whose hashes differ in at most `distance` bits, first of `first`
/// and second of `second`, in order. One partner is named for each of `first`: the nearest.
///
/// # Panics
///
/// If `distance` is above [`PerceptualHash::MAX_DISTANCE`], where pairs would be missed.
pub fn near_duplicates(
    first: &[PerceptualHash],
    second: &[PerceptualHash],
    distance: u32,
) -> Vec<(usize, usize)> {
    assert!(
        distance <= PerceptualHash::MAX_DISTANCE,
        "beyond {} bits pairs are missed",
        PerceptualHash::MAX_DISTANCE
    );
    // Equal hashes once, or many black images would be compared with each other.
    let mut distinct = HashMap::<PerceptualHash, usize>::new();
    for (index, hash) in second.iter().enumerate() {
        distinct.entry(*hash).or_insert(index);
    }
    let mut buckets = HashMap::<(usize, u16), Vec<(PerceptualHash, usize)>>::new();
    for (hash, index) in &distinct {
        for (band, bits) in hash.0.into_iter().enumerate() {
            buckets
                .entry((band, bits))
                .or_default()
                .push((*hash, *index));
        }
    }
    let mut partners = HashMap::<PerceptualHash, Option<usize>>::new();
    let mut pairs = Vec::new();
    for (index, hash) in first.iter().enumerate() {
        let partner = *partners.entry(*hash).or_insert_with(|| {
            let candidates = hash.0.into_iter().enumerate();
            let candidates = candidates.filter_map(|key| buckets.get(&key)).flatten();
            let near = candidates
                .map(|(other, index)| (hash.distance(*other), *index))
                .filter(|(bits, _)| *bits <= distance);
            near.min().map(|(_, index)| index)
        });
        if let Some(partner) = partner {
            pairs.push((index, partner));
        }
    }
    pairs
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::transform::resize;
    use image::Rgb;
    use image::codecs::jpeg::JpegEncoder;
    use proptest::prelude::*;

    /// Smooth blobs, another picture for each seed.
    fn picture(seed: u32) -> RgbImage {
        let mut state = seed.wrapping_mul(2_654_435_761).wrapping_add(1);
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            (state >> 8) as f32 / (1 << 24) as f32
        };
        let blobs: Vec<[f32; 4]> = (0..12)
            .map(|_| {
                [
                    next() * 128.0,
                    next() * 128.0,
                    8.0 + next() * 30.0,
                    next() * 255.0,
                ]
            })
            .collect();
        RgbImage::from_fn(128, 128, |x, y| {
            let value: f32 = blobs
                .iter()
                .map(|[cx, cy, radius, height]| {
                    let square = (x as f32 - cx).powi(2) + (y as f32 - cy).powi(2);
                    height * (-square / radius.powi(2)).exp()
                })
                .sum();
            Rgb([value.min(255.0) as u8; 3])
        })
    }

    #[test]
    fn copies_are_near_and_other_pictures_far() {
        let image = picture(1);
        let hash = PerceptualHash::of(&image);
        let small = resize(&image, 96, 96);
        let mut bytes = Vec::new();
        JpegEncoder::new_with_quality(&mut bytes, 60)
            .encode_image(&image)
            .unwrap();
        let jpeg = image::load_from_memory(&bytes).unwrap().into_rgb8();
        for copy in [&small, &jpeg] {
            let distance = hash.distance(PerceptualHash::of(copy));
            assert!(distance <= 15, "{distance}");
        }
        for seed in 2..40 {
            let distance = hash.distance(PerceptualHash::of(&picture(seed)));
            assert!(distance > 40, "picture {seed}: {distance}");
        }
        PerceptualHash::of(&RgbImage::new(1, 1));
        PerceptualHash::of(&RgbImage::new(3, 400));
    }

    #[test]
    fn each_first_gets_its_nearest() {
        let hashes: Vec<_> = (1..6)
            .map(|seed| PerceptualHash::of(&picture(seed)))
            .collect();
        let copy = PerceptualHash::of(&resize(&picture(3), 100, 100));
        let pairs = near_duplicates(&[copy, hashes[0]], &hashes[1..], 15);
        assert_eq!(pairs, [(0, 1)]);
    }

    proptest! {
        #[test]
        fn bands_miss_no_pair(
            bits in proptest::array::uniform16(any::<u16>()),
            flips in proptest::collection::vec(0..256_usize, 0..=15),
        ) {
            let mut other = bits;
            for flip in flips {
                other[flip / 16] ^= 1 << (flip % 16);
            }
            let pairs = near_duplicates(&[PerceptualHash(bits)], &[PerceptualHash(other)], 15);
            prop_assert_eq!(pairs, [(0, 0)]);
        }
    }
}
