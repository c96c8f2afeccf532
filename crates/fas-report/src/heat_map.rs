//! Heat maps: values of a plane as colours on one stated scale, with the bar that explains it.

use image::{Rgb, RgbImage};

/// Colours at equal distances along the scale, dark to bright; lightness rises throughout, so that the
/// map reads in grey too.
const ANCHORS: [[f32; 3]; 6] = [
    [0.0, 0.0, 4.0],
    [66.0, 10.0, 104.0],
    [147.0, 38.0, 103.0],
    [221.0, 81.0, 58.0],
    [252.0, 165.0, 10.0],
    [252.0, 255.0, 164.0],
];

/// A plane of values of at least 0.
#[derive(Clone, Debug, PartialEq)]
pub struct HeatMap {
    values: Vec<f32>,
    width: u32,
    height: u32,
}

impl HeatMap {
    /// From values row by row.
    ///
    /// # Panics
    ///
    /// If there are not `width * height` values.
    pub fn new(values: Vec<f32>, width: u32, height: u32) -> Self {
        assert_eq!(
            values.len(),
            (width * height) as usize,
            "a map of {width} x {height} needs as many values"
        );
        Self {
            values,
            width,
            height,
        }
    }

    /// The largest finite value; 0 where there is none above it.
    pub fn largest(&self) -> f32 {
        let finite = self
            .values
            .iter()
            .copied()
            .filter(|value| value.is_finite());
        finite.fold(0.0, f32::max)
    }

    /// The mean of the finite values; 0 where there is none.
    pub fn mean(&self) -> f32 {
        let finite = self
            .values
            .iter()
            .copied()
            .filter(|value| value.is_finite());
        let (sum, count) = finite.fold((0.0, 0), |(sum, count), value| {
            (sum + f64::from(value), count + 1)
        });
        (sum / f64::from(count.max(1))) as f32
    }

    /// The map in colours: 0 is the darkest, `top` and beyond the brightest. Maps that are compared
    /// share their `top`. Values that are no number are white.
    pub fn to_image(&self, top: f32) -> RgbImage {
        RgbImage::from_fn(self.width, self.height, |x, y| {
            colour(self.values[(y * self.width + x) as usize], top)
        })
    }
}

/// The colours from 0 at the left to the top of the scale at the right.
///
/// # Panics
///
/// If `width` is below 2.
pub fn colour_bar(width: u32, height: u32) -> RgbImage {
    assert!(width >= 2, "a colour bar has two ends");
    RgbImage::from_fn(width, height, |x, _| {
        colour(x as f32 / (width - 1) as f32, 1.0)
    })
}

fn colour(value: f32, top: f32) -> Rgb<u8> {
    if value.is_nan() {
        return Rgb([255; 3]);
    }
    // A scale without extent has one colour.
    let share = if top > 0.0 {
        (value / top).clamp(0.0, 1.0)
    } else {
        0.0
    };
    let place = share * (ANCHORS.len() - 1) as f32;
    let left = (place as usize).min(ANCHORS.len() - 2);
    let right = place - left as f32;
    Rgb(std::array::from_fn(|channel| {
        let [a, b] = [ANCHORS[left][channel], ANCHORS[left + 1][channel]];
        (a + (b - a) * right).round() as u8
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_and_middle_of_the_scale() {
        let map = HeatMap::new(vec![0.0, 2.0, 5.0, 1.0], 2, 2);
        assert_eq!((map.largest(), map.mean()), (5.0, 2.0));
        let image = map.to_image(2.0);
        assert_eq!(image.get_pixel(0, 0).0, [0, 0, 4]);
        assert_eq!(image.get_pixel(1, 0).0, [252, 255, 164]);
        assert_eq!(image.get_pixel(0, 1).0, [252, 255, 164]);
        // half way between the third and the fourth anchor
        assert_eq!(image.get_pixel(1, 1).0, [184, 60, 81]);
    }

    #[test]
    fn lightness_rises_along_the_bar() {
        let bar = colour_bar(64, 1);
        let luma = |p: &Rgb<u8>| {
            0.2126 * f32::from(p.0[0]) + 0.7152 * f32::from(p.0[1]) + 0.0722 * f32::from(p.0[2])
        };
        let values: Vec<f32> = bar.pixels().map(luma).collect();
        assert!(values.is_sorted(), "{values:?}");
    }

    #[test]
    fn nothing_to_show_is_dark_and_no_number_is_white() {
        let image = HeatMap::new(vec![0.0, f32::NAN], 2, 1).to_image(0.0);
        assert_eq!(image.get_pixel(0, 0).0, [0, 0, 4]);
        assert_eq!(image.get_pixel(1, 0).0, [255; 3]);
    }
}
