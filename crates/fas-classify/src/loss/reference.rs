//! Test support: losses written once more in f64 on plain slices, and their numerical derivatives.

use burn::tensor::{Device, Tensor, TensorData};

/// A small batch of cosines with their classes; bona fide are the classes 0 and 1.
pub(crate) struct Batch;

pub(crate) const COSINES: Batch = Batch;

impl Batch {
    pub(crate) fn rows(&self) -> Vec<[f64; 4]> {
        vec![
            [0.71, -0.20, 0.05, 0.33],
            [0.10, 0.48, -0.62, 0.30],
            [-0.35, 0.12, 0.55, 0.50],
            [0.22, 0.05, 0.90, -0.81],
            [0.02, -0.44, 0.13, 0.07],
        ]
    }

    pub(crate) fn classes(&self) -> Vec<usize> {
        vec![0, 1, 2, 2, 3]
    }

    pub(crate) fn is_bona_fide(&self) -> Vec<bool> {
        self.classes().iter().map(|&class| class < 2).collect()
    }

    pub(crate) fn quality(&self) -> Vec<Option<f64>> {
        [12.0, 35.0, 28.0, 61.0, 22.5].map(Some).to_vec()
    }
}

/// Natural logarithm of the softmax value of `class`.
pub(crate) fn log_softmax_of(logits: impl Iterator<Item = f64>, class: usize) -> f64 {
    let logits: Vec<f64> = logits.collect();
    let largest = logits.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = logits.iter().map(|x| (x - largest).exp()).sum();
    logits[class] - largest - sum.ln()
}

/// Compares the values of `loss` and the gradient of their sum with `reference(row, class, index)`
/// and its central differences.
pub(crate) fn assert_matches(
    loss: impl Fn(Tensor<2>) -> Tensor<1>,
    reference: impl Fn(&[f64], usize, usize) -> f64,
    tolerance: f64,
) {
    let device = Device::default().autodiff();
    let (rows, classes) = (COSINES.rows(), COSINES.classes());
    let flat: Vec<f64> = rows.iter().flatten().copied().collect();
    let data = TensorData::new(flat, [rows.len(), rows[0].len()]);
    let cosines = Tensor::<2>::from_data(data, &device).require_grad();
    let values = loss(cosines.clone());
    let found: Vec<f32> = values.to_data().try_to_vec().unwrap();
    let gradients = values.sum().backward();
    let gradient: Vec<f32> = cosines
        .grad(&gradients)
        .unwrap()
        .into_data()
        .try_to_vec()
        .unwrap();
    let close = |found: f32, expected: f64, what: &str| {
        let error = (f64::from(found) - expected).abs();
        assert!(
            error <= tolerance * expected.abs().max(1.0),
            "{what}: {found} instead of {expected}"
        );
    };
    for (index, (row, &class)) in rows.iter().zip(&classes).enumerate() {
        close(
            found[index],
            reference(row, class, index),
            &format!("value {index}"),
        );
        for column in 0..row.len() {
            let at = |step: f64| {
                let mut moved = *row;
                moved[column] += step;
                reference(&moved, class, index)
            };
            let slope = (at(1e-6) - at(-1e-6)) / 2e-6;
            let what = format!("gradient {index}, {column}");
            close(gradient[index * row.len() + column], slope, &what);
        }
    }
}
