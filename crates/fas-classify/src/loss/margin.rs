//! Margins on the cosine of the right class: what RQ, AdaFace and PatchNet's loss have in common.

use std::f64::consts::PI;

use burn::tensor::{Int, Tensor, TensorData};

/// Distance that cosines keep from -1 and 1, and angles from 0 and pi: AdaFace's, where the slope of
/// `acos` is still harmless.
const GUARD: f64 = 1e-3;

/// A margin of each sample, both in the direction that makes the task harder when positive:
/// `g(theta) = cos(theta + angular) - additive`.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Margins {
    /// Added to the angle, in radians; may be negative.
    pub(crate) angular: Vec<f64>,
    /// Subtracted from the cosine.
    pub(crate) additive: Vec<f64>,
}

/// Scaled logits with the margins on the right classes. Cosines are clamped to `1 - 1e-3` in size,
/// angles to `[1e-3, pi - 1e-3]`.
///
/// # Shapes
///
/// - cosines, output: `[batch_size, num_classes]`
pub(crate) fn margined_logits(
    cosines: Tensor<2>,
    classes: &[usize],
    margins: Margins,
    scale: f64,
) -> Tensor<2> {
    let (device, num_classes) = (cosines.device(), cosines.dims()[1]);
    let rows = classes.len();
    let column =
        |values: Vec<f64>| Tensor::<2>::from_data(TensorData::new(values, [rows, 1]), &device);
    let cosines = cosines.clamp(-1.0 + GUARD, 1.0 - GUARD);
    let indices = class_indices(&cosines, classes);
    let target = cosines
        .clone()
        .gather(1, indices.clone().reshape([rows, 1]));
    let angle = (target.acos() + column(margins.angular)).clamp(GUARD, PI - GUARD);
    let margined = angle.cos() - column(margins.additive);
    let is_target: Tensor<2> = indices.one_hot::<2>(num_classes).float();
    let logits = cosines * (is_target.clone().neg() + 1.0) + margined * is_target;
    logits * scale
}

/// Scaled logits with `additive[i]` subtracted from the cosine of the right class of sample `i`.
///
/// # Shapes
///
/// - cosines, output: `[batch_size, num_classes]`
pub(crate) fn additive_logits(
    cosines: Tensor<2>,
    classes: &[usize],
    additive: Vec<f64>,
    scale: f64,
) -> Tensor<2> {
    let (device, num_classes) = (cosines.device(), cosines.dims()[1]);
    let is_target: Tensor<2> = class_indices(&cosines, classes)
        .one_hot::<2>(num_classes)
        .float();
    let rows = additive.len();
    let additive = Tensor::<2>::from_data(TensorData::new(additive, [rows, 1]), &device);
    (cosines - is_target * additive) * scale
}

/// Classes as a tensor on the device of `logits`.
///
/// # Panics
///
/// Panics unless there is one class a row.
pub(crate) fn class_indices(logits: &Tensor<2>, classes: &[usize]) -> Tensor<1, Int> {
    assert_eq!(classes.len(), logits.dims()[0], "one class a sample");
    let indices: Vec<i64> = classes.iter().map(|&class| class as i64).collect();
    Tensor::from_data(&indices[..], &logits.device())
}
