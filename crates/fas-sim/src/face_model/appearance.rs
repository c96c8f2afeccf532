//! Quantised principal components of mirror-symmetric appearance.
//!
//! The training set holds every face and its mirror image, so each principal component is either
//! even (equal to its mirror image) or odd (its negative): the left half is enough, which halves
//! the file.

use super::MODEL_SIZE;

/// Values of one half image: 3 channels, 64 rows, the left 32 columns.
pub(super) const HALF_LEN: usize = 3 * MODEL_SIZE * MODEL_SIZE / 2;
/// Values of one whole image, `[3, 64, 64]`.
pub(super) const IMAGE_LEN: usize = 2 * HALF_LEN;

/// Mean and components, in sRGB-coded values (white is 1).
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Appearance {
    /// Left half of the (even) mean, `[3, 64, 32]`.
    pub(super) mean: Vec<f32>,
    /// Left halves of the components, `[components, 3, 64, 32]`, in units of `steps`.
    pub(super) basis: Vec<i8>,
    /// Pixel value of one quantisation step, for one standard deviation along the component.
    pub(super) steps: Vec<f32>,
    /// Whether the component changes sign under mirroring.
    pub(super) odd: Vec<bool>,
}

impl Appearance {
    /// Number of components.
    pub(super) fn components(&self) -> usize {
        self.steps.len()
    }

    /// Image `[3, 64, 64]` of the given coefficients, each in standard deviations.
    pub(super) fn render(&self, coefficients: &[f32]) -> Vec<f32> {
        let mut even = self.mean.clone();
        let mut odd = vec![0.0; HALF_LEN];
        let halves = self.basis.chunks_exact(HALF_LEN);
        for (index, (half, &coefficient)) in halves.zip(coefficients).enumerate() {
            let factor = coefficient * self.steps[index];
            let target = if self.odd[index] { &mut odd } else { &mut even };
            for (sum, &value) in target.iter_mut().zip(half) {
                *sum += factor * f32::from(value);
            }
        }
        join_halves(&even, &odd)
    }
}

/// Even and odd half of an image: `left = even + odd`, `mirrored right = even - odd`.
#[cfg(feature = "fit")]
pub(super) fn split_halves(image: &[f32]) -> (Vec<f32>, Vec<f32>) {
    image
        .chunks_exact(MODEL_SIZE)
        .flat_map(|row| (0..MODEL_SIZE / 2).map(|x| (row[x], row[MODEL_SIZE - 1 - x])))
        .map(|(left, right)| ((left + right) / 2.0, (left - right) / 2.0))
        .unzip()
}

/// Inverse of [`split_halves`].
pub(super) fn join_halves(even: &[f32], odd: &[f32]) -> Vec<f32> {
    let mut image = vec![0.0; IMAGE_LEN];
    let half = MODEL_SIZE / 2;
    for (row, (even, odd)) in image
        .chunks_exact_mut(MODEL_SIZE)
        .zip(even.chunks_exact(half).zip(odd.chunks_exact(half)))
    {
        for x in 0..half {
            row[x] = even[x] + odd[x];
            row[MODEL_SIZE - 1 - x] = even[x] - odd[x];
        }
    }
    image
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn even_and_odd_components_mirror_as_they_should() {
        let mut basis = vec![0; 2 * HALF_LEN];
        basis[0] = 100;
        basis[HALF_LEN] = 50;
        let appearance = Appearance {
            mean: vec![0.5; HALF_LEN],
            basis,
            steps: vec![0.001, 0.002],
            odd: vec![false, true],
        };
        let image = appearance.render(&[2.0, -1.0]);
        // even: 2 * 0.001 * 100 = 0.2; odd: -1 * 0.002 * 50 = -0.1
        assert!((image[0] - 0.6).abs() < 1e-6);
        assert!((image[MODEL_SIZE - 1] - 0.8).abs() < 1e-6);
        assert_eq!(image[1], 0.5);
    }

    #[cfg(feature = "fit")]
    #[test]
    fn halves_join_to_the_image_they_came_from() {
        let image: Vec<f32> = (0..IMAGE_LEN).map(|i| (i % 97) as f32).collect();
        let (even, odd) = split_halves(&image);
        assert_eq!(join_halves(&even, &odd), image);
    }
}
