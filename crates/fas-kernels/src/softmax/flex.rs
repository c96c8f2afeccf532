//! Softmax along the last axis on the Flex backend.

use burn::backend::TensorMetadata;
use burn::backend::flex::{Flex, FlexTensor};
use pulp::{Simd, WithSimd};

use super::reference;
use crate::buffer::{all_f32, overwrite, read};
use crate::exp::exp;
use crate::simd;

/// Floats a rayon task has at least, unless the tensor has fewer.
const TASK: usize = 8 * 1024;

/// Length of a row and floats of a task of whole rows; `None` if there is nothing to do.
fn sizes(x: &FlexTensor) -> Option<(usize, usize)> {
    let row = *x.shape().as_slice().last()?;
    (x.shape().num_elements() > 0).then(|| (row, TASK.div_ceil(row) * row))
}

/// See [`KernelOps::softmax_forward`](crate::KernelOps::softmax_forward).
pub(crate) fn forward(x: FlexTensor) -> FlexTensor {
    let Some((row, task)) = sizes(&x).filter(|_| all_f32(&[&x])) else {
        return reference::forward::<Flex>(x);
    };
    let tasks = x.shape().num_elements().div_ceil(task);
    overwrite(x, task, 1, (&mut vec![(); tasks], 1), |_, values, _| {
        simd::dispatch(Forward { values, row });
    })
}

/// See [`KernelOps::softmax_gradient`](crate::KernelOps::softmax_gradient).
pub(crate) fn gradient(y: FlexTensor, gradient: FlexTensor) -> FlexTensor {
    let Some((row, task)) = sizes(&y).filter(|_| all_f32(&[&y, &gradient])) else {
        return reference::gradient::<Flex>(y, gradient);
    };
    let y = read(&y);
    let tasks = y.len().div_ceil(task);
    overwrite(
        gradient,
        task,
        1,
        (&mut vec![(); tasks], 1),
        |i, gradient, _| {
            let y = &y[i * task..][..gradient.len()];
            simd::dispatch(Gradient { y, gradient, row });
        },
    )
}

/// Replaces rows by their softmax.
struct Forward<'a> {
    values: &'a mut [f32],
    row: usize,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        for row in self.values.chunks_exact_mut(self.row) {
            let largest = simd.splat_f32s(largest(simd, row));
            let (vectors, tail) = S::as_mut_simd_f32s(row);
            let mut sum = simd.splat_f32s(0.0);
            for value in vectors {
                *value = exp(simd, simd.sub_f32s(*value, largest));
                sum = simd.add_f32s(sum, *value);
            }
            let mut sum = simd.reduce_sum_f32s(sum);
            if !tail.is_empty() {
                let x = simd.sub_f32s(simd.partial_load_f32s(tail), largest);
                simd.partial_store_f32s(tail, exp(simd, x));
                sum += tail.iter().sum::<f32>();
            }
            let factor = simd.splat_f32s(1.0 / sum);
            let (vectors, tail) = S::as_mut_simd_f32s(row);
            for value in vectors {
                *value = simd.mul_f32s(*value, factor);
            }
            let last = simd.mul_f32s(simd.partial_load_f32s(tail), factor);
            simd.partial_store_f32s(tail, last);
        }
    }
}

/// The largest value of a row, minus infinity if it is empty; any number if one is NaN, whose exponential then spoils the sum.
#[inline(always)]
pub(crate) fn largest<S: Simd>(simd: S, row: &[f32]) -> f32 {
    let (vectors, tail) = S::as_simd_f32s(row);
    let (fours, rest) = vectors.as_chunks::<4>();
    let mut most = [simd.splat_f32s(f32::NEG_INFINITY); 4];
    for four in fours {
        for (most, value) in most.iter_mut().zip(four) {
            *most = simd.max_f32s(*most, *value);
        }
    }
    for value in rest {
        most[0] = simd.max_f32s(most[0], *value);
    }
    let [a, b, c, d] = most;
    let most = simd.reduce_max_f32s(simd.max_f32s(simd.max_f32s(a, b), simd.max_f32s(c, d)));
    tail.iter().fold(most, |most, value| most.max(*value))
}

/// Turns the output's gradient into the input's.
struct Gradient<'a> {
    y: &'a [f32],
    gradient: &'a mut [f32],
    row: usize,
}

impl WithSimd for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let rows = self.y.chunks_exact(self.row);
        for (y, gradient) in rows.zip(self.gradient.chunks_exact_mut(self.row)) {
            let (y, y_tail) = S::as_simd_f32s(y);
            let (gradient, gradient_tail) = S::as_mut_simd_f32s(gradient);
            let (y_fours, y_rest) = y.as_chunks::<4>();
            let (gradient_fours, gradient_rest) = gradient.as_chunks::<4>();
            let mut sums = [simd.splat_f32s(0.0); 4];
            for (y, gradient) in y_fours.iter().zip(gradient_fours) {
                for ((sum, y), gradient) in sums.iter_mut().zip(y).zip(gradient) {
                    *sum = simd.mul_add_e_f32s(*y, *gradient, *sum);
                }
            }
            for (y, gradient) in y_rest.iter().zip(gradient_rest) {
                sums[0] = simd.mul_add_e_f32s(*y, *gradient, sums[0]);
            }
            let last_y = simd.partial_load_f32s(y_tail);
            let last = simd.partial_load_f32s(gradient_tail);
            let [a, b, c, d] = sums;
            let d = simd.mul_add_e_f32s(last_y, last, d);
            let sum = simd.add_f32s(simd.add_f32s(a, b), simd.add_f32s(c, d));
            let sum = simd.splat_f32s(simd.reduce_sum_f32s(sum));
            for (y, gradient) in y.iter().zip(gradient) {
                *gradient = simd.mul_f32s(*y, simd.sub_f32s(*gradient, sum));
            }
            let last = simd.mul_f32s(last_y, simd.sub_f32s(last, sum));
            simd.partial_store_f32s(gradient_tail, last);
        }
    }
}
