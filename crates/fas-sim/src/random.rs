//! Random streams that depend on nothing but (seed, sample id, purpose).

use rand_chacha::ChaCha8Rng;
use rand_chacha::rand_core::{Rng, SeedableRng};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// Source of uniform and normal deviates, the same on every machine and for any thread count.
#[derive(Debug, Clone)]
pub(crate) struct Stream {
    rng: ChaCha8Rng,
    spare_normal: Option<f32>,
}

impl Stream {
    /// Stream of one purpose (`presentation`, `camera`, …) of one sample.
    ///
    /// The ChaCha key is the SHA-256 digest of the arguments, so that neighbouring seeds and ids
    /// give unrelated streams, and separate purposes never consume each other's numbers.
    pub(crate) fn new(seed: u64, sample_id: &str, purpose: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(seed.to_le_bytes())
            .chain_update((sample_id.len() as u64).to_le_bytes())
            .chain_update(sample_id)
            .chain_update(purpose)
            .finalize();
        Self {
            rng: ChaCha8Rng::from_seed(digest.into()),
            spare_normal: None,
        }
    }

    /// Uniform in `[0, 1)`, with 24 random bits.
    pub(crate) fn uniform(&mut self) -> f32 {
        (self.rng.next_u32() >> 8) as f32 / (1u32 << 24) as f32
    }

    /// Standard normal (Box-Muller).
    pub(crate) fn normal(&mut self) -> f32 {
        if let Some(value) = self.spare_normal.take() {
            return value;
        }
        let radius = (-2.0 * (1.0 - self.uniform()).ln()).sqrt();
        let (sin, cos) = (std::f32::consts::TAU * self.uniform()).sin_cos();
        self.spare_normal = Some(radius * sin);
        radius * cos
    }
}

/// Closed range from which one value a sample is drawn, uniformly.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(from = "[f32; 2]", into = "[f32; 2]")]
pub struct Interval {
    /// Smallest value.
    pub low: f32,
    /// Largest value.
    pub high: f32,
}

impl Interval {
    /// Range from `low` to `high`.
    pub const fn new(low: f32, high: f32) -> Self {
        Self { low, high }
    }

    /// Range that holds one value only.
    pub const fn fixed(value: f32) -> Self {
        Self::new(value, value)
    }

    /// Range of `centre` plus or minus `half_width`.
    pub const fn around(centre: f32, half_width: f32) -> Self {
        Self::new(centre - half_width, centre + half_width)
    }

    pub(crate) fn draw(&self, stream: &mut Stream) -> f32 {
        self.low + (self.high - self.low) * stream.uniform()
    }
}

impl From<[f32; 2]> for Interval {
    fn from([low, high]: [f32; 2]) -> Self {
        Self::new(low, high)
    }
}

impl From<Interval> for [f32; 2] {
    fn from(interval: Interval) -> Self {
        [interval.low, interval.high]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_are_pinned_and_separate() {
        let mut stream = Stream::new(7, "a", "camera");
        let first = [stream.uniform(), stream.uniform()];
        let mut again = Stream::new(7, "a", "camera");
        assert_eq!(first, [again.uniform(), again.uniform()]);
        for (seed, id, purpose) in [(8, "a", "camera"), (7, "b", "camera"), (7, "a", "style")] {
            assert_ne!(first[0], Stream::new(seed, id, purpose).uniform());
        }
    }

    #[test]
    fn normal_has_unit_moments() {
        let mut stream = Stream::new(1, "moments", "test");
        let values: Vec<f64> = (0..100_000).map(|_| f64::from(stream.normal())).collect();
        let mean = values.iter().sum::<f64>() / values.len() as f64;
        let variance = values.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / values.len() as f64;
        assert!(mean.abs() < 0.01, "{mean}");
        assert!((variance - 1.0).abs() < 0.02, "{variance}");
    }

    #[test]
    fn interval_bounds_its_draws() {
        let mut stream = Stream::new(2, "interval", "test");
        let interval = Interval::new(-3.0, 5.0);
        let draws: Vec<f32> = (0..1000).map(|_| interval.draw(&mut stream)).collect();
        assert!(draws.iter().all(|v| (-3.0..=5.0).contains(v)));
        let mean = draws.iter().sum::<f32>() / 1000.0;
        assert!((mean - 1.0).abs() < 0.25, "{mean}");
        assert_eq!(Interval::fixed(0.25).draw(&mut stream), 0.25);
    }
}
