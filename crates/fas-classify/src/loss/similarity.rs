//! Self-supervised similarity of two patches of one capture: PatchNet (Wang et al. 2022,
//! <https://arxiv.org/abs/2203.14325>), section 3.4, equation 4.
//!
//! `L = |z_1 - z_2|^2` of the normalised features of two crops of one image, averaged over images.

use burn::tensor::Tensor;

use crate::head::normalise;

/// Similarity loss of each pair of rows.
///
/// # Shapes
///
/// - first, second: `[batch_size, feature_length]`, features of two crops of the same images
/// - output: `[batch_size]`, in `[0, 4]`
///
/// # Panics
///
/// Panics if the shapes differ.
pub fn similarity_loss(first: Tensor<2>, second: Tensor<2>) -> Tensor<1> {
    assert_eq!(first.dims(), second.dims(), "two features an image");
    let [batch_size, _] = first.dims();
    (normalise(first) - normalise(second))
        .square()
        .sum_dim(1)
        .reshape([batch_size])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn value_and_gradient_by_hand() {
        let device = Device::default().autodiff();
        // Unit vectors (0.6, 0.8) and (1, 0): 0.16 + 0.64; the second row points the same way.
        let first = Tensor::<2>::from_data([[3.0, 4.0], [2.0, 0.0]], &device).require_grad();
        let second = Tensor::<2>::from_data([[2.0, 0.0], [5.0, 0.0]], &device);
        let loss = similarity_loss(first.clone(), second);
        let values: Vec<f32> = loss.to_data().try_to_vec().unwrap();
        assert!(
            (values[0] - 0.8).abs() < 1e-6 && values[1].abs() < 1e-12,
            "{values:?}"
        );
        let gradients = loss.sum().backward();
        let gradient: Vec<f32> = first
            .grad(&gradients)
            .unwrap()
            .into_data()
            .try_to_vec()
            .unwrap();
        // d/df (2 - 2 u.v) = -2 (v - (u.v) u) / |f| = -2 ((1, 0) - 0.6 (0.6, 0.8)) / 5
        for (found, expected) in gradient.iter().zip([-0.256, 0.192, 0.0, 0.0]) {
            assert!((found - expected).abs() < 1e-6, "{gradient:?}");
        }
    }
}
