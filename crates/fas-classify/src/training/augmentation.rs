//! Augmentation of training pictures: mirroring, shifts, crops, brightness and contrast.

use burn::config::Config;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::training_set::Planes;

/// What may happen to a picture. The papers say nothing of theirs.
#[derive(Config, Debug)]
pub struct AugmentationConfig {
    /// Whether half of the pictures are mirrored. Default: true
    #[config(default = true)]
    pub mirror: bool,
    /// Largest shift, in pixels; edges are repeated. Default: 3
    #[config(default = 3)]
    pub max_shift: usize,
    /// Smallest side of a crop, as a share of the picture's, in `(0, 1]`. The crop is enlarged to the
    /// picture's size, bilinearly. 1 is no crop; PatchNet's patches are about 0.4. Default: 1
    #[config(default = 1.0)]
    pub min_crop: f64,
    /// Largest change of brightness, in units of the value range `[-1, 1]`. Default: 0
    #[config(default = 0.0)]
    pub brightness: f64,
    /// Largest relative change of contrast. Default: 0
    #[config(default = 0.0)]
    pub contrast: f64,
}

impl AugmentationConfig {
    /// Nothing is changed.
    pub fn none() -> Self {
        Self::new().with_mirror(false).with_max_shift(0)
    }

    /// Patches of PatchNet: square crops of 0.4 to 1 of the side, mirrored.
    pub fn patches() -> Self {
        Self::new().with_max_shift(0).with_min_crop(0.4)
    }

    /// Appends an augmented copy of an image of `channels` planes of `[width, height]`, plane by plane.
    /// All planes are moved together; brightness and contrast are those of the three face planes.
    ///
    /// # Panics
    ///
    /// Panics if a setting is outside its range.
    pub(super) fn apply(
        &self,
        image: &Planes,
        channels: usize,
        size: [usize; 2],
        random: &mut ChaCha8Rng,
        values: &mut Vec<f32>,
    ) {
        assert!(
            self.min_crop > 0.0 && self.min_crop <= 1.0,
            "smallest crop {}",
            self.min_crop
        );
        let view = View::draw(self, random);
        let gain = 1.0 + symmetric(self.contrast, random) as f32;
        let offset = symmetric(self.brightness, random) as f32;
        let first = values.len();
        let [width, height] = size;
        match image {
            Planes::Picture(picture) => {
                let raw = picture.as_raw();
                let value = |channel: usize, y: usize, x: usize| {
                    f32::from(raw[(y * width + x) * 3 + channel]) / 127.5 - 1.0
                };
                view.append(value, channels, size, values);
            }
            Planes::Values(planes) => {
                let value =
                    |channel: usize, y: usize, x: usize| planes[(channel * height + y) * width + x];
                view.append(value, channels, size, values);
            }
        }
        if gain != 1.0 || offset != 0.0 {
            for value in &mut values[first..first + 3 * width * height] {
                *value = (*value * gain + offset).clamp(-1.0, 1.0);
            }
        }
    }
}

/// Uniform in `[-largest, largest]`; draws nothing for 0.
fn symmetric(largest: f64, random: &mut ChaCha8Rng) -> f64 {
    if largest == 0.0 {
        return 0.0;
    }
    largest * (2.0 * random.random::<f64>() - 1.0)
}

/// Which pixels are looked at.
struct View {
    mirrored: bool,
    shift: [i64; 2],
    /// Side and left and upper edge, as shares of the picture.
    crop: Option<[f64; 3]>,
}

impl View {
    fn draw(config: &AugmentationConfig, random: &mut ChaCha8Rng) -> Self {
        let mirrored = config.mirror && random.random();
        let span = config.max_shift as i64;
        let mut shift = || match span {
            0 => 0,
            _ => random.random_range(-span..=span),
        };
        let shift = [shift(), shift()];
        let crop = (config.min_crop < 1.0).then(|| {
            let side = config.min_crop + (1.0 - config.min_crop) * random.random::<f64>();
            let mut edge = || (1.0 - side) * random.random::<f64>();
            [side, edge(), edge()]
        });
        Self {
            mirrored,
            shift,
            crop,
        }
    }

    fn append(
        &self,
        source: impl Fn(usize, usize, usize) -> f32,
        channels: usize,
        [width, height]: [usize; 2],
        values: &mut Vec<f32>,
    ) {
        let columns: Vec<usize> = (0..width as i64)
            .map(|x| {
                let x = if self.mirrored {
                    width as i64 - 1 - x
                } else {
                    x
                };
                clamp(x + self.shift[0], width)
            })
            .collect();
        let rows: Vec<usize> = (0..height as i64)
            .map(|y| clamp(y + self.shift[1], height))
            .collect();
        let value = |channel: usize, y: usize, x: usize| source(channel, rows[y], columns[x]);
        for channel in 0..channels {
            match self.crop {
                None => {
                    for y in 0..height {
                        values.extend((0..width).map(|x| value(channel, y, x)));
                    }
                }
                Some([side, left, top]) => {
                    for y in 0..height {
                        let (y0, y1, fy) = between(y, height, side, top);
                        values.extend((0..width).map(|x| {
                            let (x0, x1, fx) = between(x, width, side, left);
                            let row = |y| mix(value(channel, y, x0), value(channel, y, x1), fx);
                            mix(row(y0), row(y1), fy)
                        }));
                    }
                }
            }
        }
    }
}

fn clamp(position: i64, size: usize) -> usize {
    position.clamp(0, size as i64 - 1) as usize
}

fn mix(a: f32, b: f32, share: f32) -> f32 {
    a + (b - a) * share
}

/// Neighbours of output pixel `at` in a crop, and the share of the second.
fn between(at: usize, size: usize, side: f64, edge: f64) -> (usize, usize, f32) {
    let position = (at as f64 + 0.5) * side + edge * size as f64 - 0.5;
    let position = position.clamp(0.0, (size - 1) as f64);
    let lower = position.floor();
    let first = lower as usize;
    (first, (first + 1).min(size - 1), (position - lower) as f32)
}

#[cfg(test)]
mod tests {
    use super::*;
    use image::RgbImage;
    use rand::SeedableRng;
    use std::sync::Arc;

    fn picture() -> RgbImage {
        RgbImage::from_fn(8, 8, |x, y| {
            image::Rgb([(16 * x) as u8, (16 * y) as u8, 255])
        })
    }

    fn apply(config: &AugmentationConfig, seed: u64) -> Vec<f32> {
        let mut values = Vec::new();
        let mut random = ChaCha8Rng::seed_from_u64(seed);
        let picture = Planes::Picture(Arc::new(picture()));
        config.apply(&picture, 3, [8, 8], &mut random, &mut values);
        values
    }

    #[test]
    fn pictures_and_planes_are_augmented_alike() {
        let config = AugmentationConfig::new()
            .with_min_crop(0.5)
            .with_brightness(0.3);
        let values: Vec<f32> = fas_data::image_to_array(&picture()).into_iter().collect();
        let twice = Planes::Values([&values[..], &values[..]].concat().into());
        let once = Planes::Values(values.into());
        for seed in 0..20 {
            let mut found = Vec::new();
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            config.apply(&twice, 6, [8, 8], &mut random, &mut found);
            assert_eq!(found.len(), 6 * 64);
            assert_eq!(found[..3 * 64], apply(&config, seed));
            let plain = config.clone().with_brightness(0.0);
            let mut moved = Vec::new();
            let mut random = ChaCha8Rng::seed_from_u64(seed);
            plain.apply(&once, 3, [8, 8], &mut random, &mut moved);
            // The second input is moved with the face and keeps its values.
            assert_eq!(found[3 * 64..], moved);
        }
    }

    #[test]
    fn nothing_changes_nothing() {
        let values = apply(&AugmentationConfig::none(), 1);
        assert_eq!(values.len(), 3 * 64);
        assert_eq!(values[1], 16.0 / 127.5 - 1.0);
        assert_eq!(values[64 + 8], 16.0 / 127.5 - 1.0);
        assert!(values[128..].iter().all(|&v| v == 1.0));
    }

    #[test]
    fn mirrored_half_of_the_time() {
        let config = AugmentationConfig::none().with_mirror(true);
        let plain = apply(&AugmentationConfig::none(), 0);
        let mirrored = (0..400).filter(|&seed| {
            let values = apply(&config, seed);
            assert!(values == plain || values[0] == plain[7]);
            values != plain
        });
        let count = mirrored.count();
        assert!((150..250).contains(&count), "{count}");
    }

    #[test]
    fn shifts_repeat_the_edge() {
        let config = AugmentationConfig::none().with_max_shift(2);
        let shifts: std::collections::BTreeSet<i64> = (0..100)
            .map(|seed| {
                let values = apply(&config, seed);
                // The third column shows column 2 + shift.
                ((values[2] + 1.0) * 127.5 / 16.0).round() as i64 - 2
            })
            .collect();
        assert_eq!(shifts.into_iter().collect::<Vec<_>>(), [-2, -1, 0, 1, 2]);
    }

    #[test]
    fn crops_enlarge_a_part() {
        let config = AugmentationConfig::none().with_min_crop(0.5);
        for seed in 0..50 {
            let values = apply(&config, seed);
            // Columns grow by 16 levels a pixel, so by at most that, and by half of it at least.
            let step = (values[4] - values[3]) * 127.5 / 16.0;
            assert!((0.499..=1.001).contains(&step), "{step}");
        }
    }

    #[test]
    fn brightness_and_contrast_stay_in_range() {
        let config = AugmentationConfig::none()
            .with_brightness(0.5)
            .with_contrast(0.5);
        let changed: Vec<Vec<f32>> = (0..20).map(|seed| apply(&config, seed)).collect();
        assert!(changed.iter().flatten().all(|v| (-1.0..=1.0).contains(v)));
        assert_ne!(changed[0], changed[1]);
    }
}
