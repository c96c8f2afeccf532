//! Simplex noise in octaves: AnoDDPM (Wyatt et al. 2022, CVPR workshops), section 3.3, after Perlin
//! 2001. Its power lies in low frequencies, so that a short denoising can repair large regions too.
//!
//! The released code takes planes of three-dimensional noise of a fresh seed; here it is
//! two-dimensional noise of a fresh seed, of the same octaves.

use rand::RngExt;
use rand_chacha::ChaCha8Rng;

/// Octaves of the released code, from periods of 64 px down by halves.
const OCTAVES: u32 = 6;
const LONGEST_PERIOD: f64 = 64.0;
/// Amplitude of an octave over that of the one before.
const PERSISTENCE: f64 = 0.8;

/// A plane of noise, `size x size` values row by row, brought to mean 0 and deviation 1 so that the
/// schedule's signal-to-noise ratios hold.
pub fn simplex_noise(size: usize, random: &mut ChaCha8Rng) -> Vec<f32> {
    let field = Field::new(random);
    let mut plane: Vec<f64> = Vec::with_capacity(size * size);
    for y in 0..size {
        for x in 0..size {
            let (mut period, mut amplitude, mut value) = (LONGEST_PERIOD, 1.0, 0.0);
            for _ in 0..OCTAVES {
                value += amplitude * field.at(x as f64 / period, y as f64 / period);
                period /= 2.0;
                amplitude *= PERSISTENCE;
            }
            plane.push(value);
        }
    }
    let count = plane.len() as f64;
    let mean = plane.iter().sum::<f64>() / count;
    let variance = plane.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / count;
    let deviation = variance.sqrt().max(f64::MIN_POSITIVE);
    plane
        .into_iter()
        .map(|value| ((value - mean) / deviation) as f32)
        .collect()
}

/// Gradients at the corners of a lattice of triangles.
struct Field {
    order: [u8; 256],
}

impl Field {
    fn new(random: &mut ChaCha8Rng) -> Self {
        let mut order: [u8; 256] = std::array::from_fn(|at| at as u8);
        for last in (1..order.len()).rev() {
            order.swap(last, random.random_range(0..=last));
        }
        Self { order }
    }

    fn at(&self, x: f64, y: f64) -> f64 {
        let skew = (3f64.sqrt() - 1.0) / 2.0;
        let unskew = (3.0 - 3f64.sqrt()) / 6.0;
        let shift = (x + y) * skew;
        let (i, j) = ((x + shift).floor(), (y + shift).floor());
        let back = (i + j) * unskew;
        let (x0, y0) = (x - (i - back), y - (j - back));
        // Which of the two triangles of the cell.
        let (di, dj) = if x0 > y0 { (1.0, 0.0) } else { (0.0, 1.0) };
        let corners = [(0.0, 0.0), (di, dj), (1.0, 1.0)];
        let sum: f64 = corners
            .iter()
            .map(|&(ci, cj)| {
                let offset = (ci + cj) * unskew;
                let (dx, dy) = (x0 - ci + offset, y0 - cj + offset);
                let reach = 0.5 - dx * dx - dy * dy;
                if reach <= 0.0 {
                    return 0.0;
                }
                let (gx, gy) = self.gradient((i + ci) as i64, (j + cj) as i64);
                reach.powi(4) * (gx * dx + gy * dy)
            })
            .sum();
        // Brings the values to about [-1, 1].
        70.0 * sum
    }

    /// One of eight unit directions.
    fn gradient(&self, i: i64, j: i64) -> (f64, f64) {
        let inner = self.order[(j & 255) as usize];
        let hash = self.order[((i + i64::from(inner)) & 255) as usize] & 7;
        let (sin, cos) = (f64::from(hash) * std::f64::consts::FRAC_PI_4).sin_cos();
        (cos, sin)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand::SeedableRng;

    fn plane(seed: u64) -> Vec<f32> {
        simplex_noise(64, &mut ChaCha8Rng::seed_from_u64(seed))
    }

    #[test]
    fn planes_are_standardised_and_belong_to_their_seed() {
        let noise = plane(3);
        let mean = noise.iter().sum::<f32>() / 4096.0;
        let square = noise.iter().map(|v| v * v).sum::<f32>() / 4096.0;
        assert!(mean.abs() < 1e-4 && (square - 1.0).abs() < 1e-3);
        assert_eq!(noise, plane(3));
        assert_ne!(noise, plane(4));
    }

    #[test]
    fn the_field_is_continuous_and_zero_at_corners() {
        let field = Field::new(&mut ChaCha8Rng::seed_from_u64(1));
        assert!(field.at(0.0, 0.0).abs() < 1e-12);
        let largest = (0..4000)
            .map(|k| f64::from(k) / 500.0)
            .map(|x| (field.at(x, 0.37) - field.at(x + 1e-6, 0.37)).abs())
            .fold(0.0, f64::max);
        assert!(largest < 1e-4, "{largest}");
    }

    #[test]
    fn neighbours_resemble_each_other_as_low_frequencies_do() {
        let noise = plane(5);
        let products: f32 = (0..64)
            .flat_map(|y| (0..63).map(move |x| (y * 64 + x, y * 64 + x + 1)))
            .map(|(a, b)| noise[a] * noise[b])
            .sum();
        let correlation = products / (64.0 * 63.0);
        assert!(correlation > 0.6, "{correlation}");
    }
}
