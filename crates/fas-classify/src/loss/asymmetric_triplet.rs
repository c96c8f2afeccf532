//! Asymmetric triplet loss: SSDG (Jia et al. 2020, <https://arxiv.org/abs/2004.14043>), section 3.3,
//! equation 3; "single-side triplet" in DiffFAS, Table 5.
//!
//! Bona fide samples of all domains are one class, the attacks of each domain a class of their own, so
//! bona fide samples are drawn together and attacks of different domains apart. Batch-all triplets:
//! `sum max(0, d(a, p) - d(a, n) + margin) / (number that is positive)`.

use burn::config::Config;
use burn::tensor::{Tensor, TensorData};

/// Configuration to create an [`AsymmetricTripletLoss`] with [`init`](AsymmetricTripletLossConfig::init).
#[derive(Config, Debug)]
pub struct AsymmetricTripletLossConfig {
    /// Margin between distances. Default: 0.1 (SSDG's code)
    #[config(default = 0.1)]
    pub margin: f64,
    /// Weight beside the classification loss. Default: 1 (SSDG; 2 where OULU-NPU is the target)
    #[config(default = 1.0)]
    pub weight: f64,
}

impl AsymmetricTripletLossConfig {
    /// The loss of this configuration.
    pub fn init(&self) -> AsymmetricTripletLoss {
        AsymmetricTripletLoss {
            margin: self.margin,
        }
    }
}

/// What the loss made of a batch.
#[derive(Debug, Clone)]
pub struct TripletOutput {
    /// Mean over the triplets that violate the margin, 0 without any. `[1]`
    pub loss: Tensor<1>,
    /// Triplets of two samples of one class and one of another.
    pub num_valid: usize,
    /// Valid triplets that violate the margin.
    pub num_active: usize,
}

/// Asymmetric triplet loss.
#[derive(Debug, Clone)]
pub struct AsymmetricTripletLoss {
    margin: f64,
}

impl AsymmetricTripletLoss {
    /// Triplet class of each sample: 0 for bona fide, `1 + domain` for an attack.
    ///
    /// # Panics
    ///
    /// Panics if the slices differ in length.
    pub fn labels(is_bona_fide: &[bool], domains: &[usize]) -> Vec<usize> {
        assert_eq!(is_bona_fide.len(), domains.len(), "one domain a sample");
        is_bona_fide
            .iter()
            .zip(domains)
            .map(|(&live, &domain)| if live { 0 } else { 1 + domain })
            .collect()
    }

    /// The loss of a batch. A batch without a valid or an active triplet has the loss 0 and no
    /// gradient, and so have samples that coincide.
    ///
    /// # Shapes
    ///
    /// - embeddings: `[batch_size, embedding_length]`, see [`ssdg_embedding`](super::ssdg_embedding)
    ///
    /// # Panics
    ///
    /// Panics unless there is one label a sample.
    pub fn forward(&self, embeddings: Tensor<2>, labels: &[usize]) -> TripletOutput {
        let [count, length] = embeddings.dims();
        assert_eq!(labels.len(), count, "one label a sample");
        let device = embeddings.device();
        let distance = distances(embeddings, length);
        let mut valid = Vec::with_capacity(count * count * count);
        for (anchor, a) in labels.iter().enumerate() {
            for (positive, p) in labels.iter().enumerate() {
                let pair = anchor != positive && a == p;
                valid.extend(labels.iter().map(|n| f32::from(pair && n != a)));
            }
        }
        let num_valid = valid.iter().filter(|&&v| v > 0.0).count();
        let valid = Tensor::<3>::from_data(TensorData::new(valid, [count; 3]), &device);
        let positive = distance.clone().reshape([count, count, 1]);
        let negative = distance.reshape([count, 1, count]);
        let violation = (positive - negative + self.margin).clamp_min(0.0) * valid;
        let num_active = violation
            .to_data()
            .iter::<f32>()
            .filter(|&v| v > 1e-16)
            .count();
        TripletOutput {
            loss: violation.sum() / num_active.max(1) as f64,
            num_valid,
            num_active,
        }
    }
}

/// Euclidean distances of all pairs of rows, with slope 0 where rows coincide. From differences and
/// not from products, whose rounding gives equal rows a distance.
fn distances(rows: Tensor<2>, length: usize) -> Tensor<2> {
    let count = rows.dims()[0];
    let difference = rows.clone().reshape([count, 1, length]) - rows.reshape([1, count, length]);
    let squared: Tensor<2> = difference.square().sum_dim(2).reshape([count, count]);
    let coincide: Tensor<2> = squared.clone().detach().equal_elem(0.0).float();
    (squared + coincide.clone()).sqrt() * (coincide.neg() + 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    #[test]
    fn labels_join_the_bona_fide_of_all_domains() {
        let labels = AsymmetricTripletLoss::labels(&[true, true, false, false], &[0, 2, 0, 2]);
        assert_eq!(labels, [0, 0, 1, 3]);
    }

    #[test]
    fn value_and_gradient_by_hand() {
        // Two bona fide at 0 and 3, an attack at 4: d = 3, and d to the attack 4 and 1.
        // Anchor 0: 3 - 4 + 0.1 < 0; anchor 1: 3 - 1 + 0.1 = 2.1, the only active triplet.
        let device = Device::default().autodiff();
        let points = Tensor::<2>::from_data([[0.0], [3.0], [4.0]], &device).require_grad();
        let loss = AsymmetricTripletLossConfig::new().init();
        let output = loss.forward(points.clone(), &[0, 0, 1]);
        assert_eq!((output.num_valid, output.num_active), (2, 1));
        let value: f32 = output.loss.clone().into_scalar();
        assert!((value - 2.1).abs() < 1e-6, "{value}");
        let gradients = output.loss.backward();
        let gradient: Vec<f32> = points
            .grad(&gradients)
            .unwrap()
            .into_data()
            .try_to_vec()
            .unwrap();
        // d(1, 0) - d(1, 2) = (x1 - x0) - (x2 - x1)
        assert_eq!(gradient, [-1.0, 2.0, -1.0]);
    }

    #[test]
    fn no_triplet_and_equal_rows_give_zero_and_no_gradient() {
        let device = Device::default().autodiff();
        let loss = AsymmetricTripletLossConfig::new().init();
        let batches: [(&[usize], Vec<[f32; 2]>); 3] = [
            (&[0, 0], vec![[1.0, 2.0], [1.0, 2.0]]),
            (&[0], vec![[1.0, 2.0]]),
            (&[0, 1, 2], vec![[1.0, 2.0]; 3]),
        ];
        for (labels, rows) in batches {
            let count = rows.len();
            let data = TensorData::new(rows.concat(), [count, 2]);
            let points = Tensor::<2>::from_data(data, &device).require_grad();
            let output = loss.forward(points.clone(), labels);
            assert_eq!(output.num_active, 0);
            assert_eq!(output.loss.clone().into_scalar::<f32>(), 0.0);
            let gradients = output.loss.backward();
            let gradient: Vec<f32> = points
                .grad(&gradients)
                .unwrap()
                .into_data()
                .try_to_vec()
                .unwrap();
            assert!(gradient.iter().all(|&g| g == 0.0), "{gradient:?}");
        }
    }
}
