//! Fine texture that the components do not carry: pores, stubble, strands of hair.
//!
//! A procedural texture, not a reconstruction: Gaussian noise with the statistics of what the
//! components leave over on the training faces. Its amplitude varies over the face (weak on
//! cheeks, strong in hair), its spatial correlation is a small stationary kernel, and its colour
//! covariance is nearly grey. It has no structure beyond that.

use super::MODEL_SIZE;
use super::draw::person_stream;

/// Side of the correlation kernel, in pixels.
pub(super) const KERNEL_SIZE: usize = 9;

/// Largest standard deviation used, in sRGB-coded units. Hair and background exceed it by far, but
/// their leftover is edges, which Gaussian noise of that strength does not resemble.
const MAX_AMPLITUDE: f32 = 0.035;

/// Second-order statistics of the texture.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Detail {
    /// Standard deviation in sRGB-coded units, left half of an even map, `[64, 32]`.
    pub(super) amplitude: Vec<f32>,
    /// Correlation kernel of unit energy, `[9, 9]`.
    pub(super) kernel: Vec<f32>,
    /// Lower Cholesky factor of the colour covariance (mean variance 1), `[3, 3]`.
    pub(super) colour_factor: Vec<f32>,
}

impl Detail {
    /// Adds the subject's texture, times `strength`, to an image `[3, 64, 64]`.
    pub(super) fn add(&self, image: &mut [f32], strength: f32, subject_seed: u64) {
        let mut rng = person_stream(subject_seed, "detail");
        let padded = MODEL_SIZE + KERNEL_SIZE - 1;
        let fields: Vec<Vec<f32>> = (0..3)
            .map(|_| {
                let white: Vec<f32> = (0..padded * padded).map(|_| rng.normal()).collect();
                self.correlate(&white, padded)
            })
            .collect();
        let plane_len = MODEL_SIZE * MODEL_SIZE;
        for (channel, plane) in image.chunks_exact_mut(plane_len).enumerate() {
            for (i, value) in plane.iter_mut().enumerate() {
                let (x, y) = (i % MODEL_SIZE, i / MODEL_SIZE);
                let mirrored = x.min(MODEL_SIZE - 1 - x);
                let amplitude = self.amplitude[y * MODEL_SIZE / 2 + mirrored].min(MAX_AMPLITUDE);
                let colour: f32 = (0..=channel)
                    .map(|k| self.colour_factor[3 * channel + k] * fields[k][i])
                    .sum();
                *value += strength * amplitude * colour;
            }
        }
    }

    /// Valid part of the correlation of a square field with the kernel.
    fn correlate(&self, field: &[f32], width: usize) -> Vec<f32> {
        let mut out = Vec::with_capacity(MODEL_SIZE * MODEL_SIZE);
        for y in 0..MODEL_SIZE {
            for x in 0..MODEL_SIZE {
                let mut sum = 0.0;
                for (dy, taps) in self.kernel.chunks_exact(KERNEL_SIZE).enumerate() {
                    let start = (y + dy) * width + x;
                    let window = &field[start..start + KERNEL_SIZE];
                    sum += taps.iter().zip(window).map(|(t, v)| t * v).sum::<f32>();
                }
                out.push(sum);
            }
        }
        out
    }
}

#[cfg(test)]
mod tests {
    use super::super::appearance::IMAGE_LEN;
    use super::*;

    fn white(amplitude: f32) -> Detail {
        let mut kernel = vec![0.0; KERNEL_SIZE * KERNEL_SIZE];
        kernel[KERNEL_SIZE * KERNEL_SIZE / 2] = 1.0;
        Detail {
            amplitude: vec![amplitude; MODEL_SIZE * MODEL_SIZE / 2],
            kernel,
            colour_factor: vec![1.0, 0.0, 0.0, 1.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        }
    }

    #[test]
    fn deviation_is_amplitude_times_strength() {
        let mut image = vec![0.5; IMAGE_LEN];
        white(0.03).add(&mut image, 0.5, 3);
        let n = IMAGE_LEN as f32;
        let deviation = (image.iter().map(|v| (v - 0.5).powi(2)).sum::<f32>() / n).sqrt();
        assert!((deviation - 0.015).abs() < 0.001, "{deviation}");
        // this colour factor makes the texture grey
        let plane_len = MODEL_SIZE * MODEL_SIZE;
        assert_eq!(image[..plane_len], image[plane_len..2 * plane_len]);
    }

    #[test]
    fn texture_belongs_to_the_subject() {
        let draw = |subject| {
            let mut image = vec![0.5; IMAGE_LEN];
            white(0.03).add(&mut image, 1.0, subject);
            image
        };
        assert_eq!(draw(3), draw(3));
        assert_ne!(draw(3), draw(4));
    }
}
