//! The form in which the networks take an anomalous cue: AG-FAS, released code (`dataset.py`).

use burn::tensor::Tensor;

/// Keeps a residual that is zero everywhere at zero.
const EPSILON: f64 = 1e-8;

/// Per-image standardisation over all planes and pixels: `(r - mean) / (std + 1e-8)`, with the
/// unbiased deviation. The paper names none; the released code does this.
///
/// A residual that is zero everywhere stays zero.
///
/// # Shapes
///
/// - residual: `[batch_size, channels, height, width]`, face less de-spoofed face, in `[-2, 2]`
/// - output: the same shape
pub fn standardise_cue(residual: Tensor<4>) -> Tensor<4> {
    let [batch_size, channels, height, width] = residual.dims();
    let rows: Tensor<2> = residual.reshape([batch_size, channels * height * width]);
    let centred = rows.clone() - rows.mean_dim(1);
    let count = (channels * height * width) as f64;
    let deviation = (centred.clone().square().sum_dim(1) / (count - 1.0)).sqrt();
    (centred / (deviation + EPSILON)).reshape([batch_size, channels, height, width])
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn every_image_by_its_own_mean_and_unbiased_deviation() {
        let device = Device::default();
        // Means 2 and 0; sums of squares 2 and 50; unbiased deviations 1 and 5.
        let residual = Tensor::from_data([[[[1.0, 2.0, 3.0]]], [[[-5.0, 0.0, 5.0]]]], &device);
        let cue: Vec<f32> = standardise_cue(residual).into_data().try_to_vec().unwrap();
        for (found, expected) in cue.iter().zip([-1.0, 0.0, 1.0, -1.0, 0.0, 1.0]) {
            assert!((found - expected).abs() < 1e-6, "{cue:?}");
        }
    }

    #[test]
    fn a_residual_without_variance_gives_zero() {
        let device = Device::default();
        let cue = standardise_cue(Tensor::full([1, 3, 4, 4], 0.25, &device));
        assert!(cue.into_data().iter::<f32>().all(|value| value == 0.0));
    }
}
