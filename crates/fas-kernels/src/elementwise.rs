//! Functions of one value applied to whole Flex tensors.

use burn::backend::flex::FlexTensor;
use pulp::{Simd, WithSimd};

use crate::buffer::{overwrite, read};
use crate::simd;

/// Floats of one task; fixed, though it does not change the result.
const CHUNK: usize = 8 * 1024;

/// A differentiable function of one value.
pub(crate) trait Unary: Copy + Sync {
    /// The function.
    fn value<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s;

    /// Its derivative.
    fn slope<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s;
}

/// Every value of `x`, an `f32` tensor, replaced by the function's.
pub(crate) fn forward(function: impl Unary, x: FlexTensor) -> FlexTensor {
    let chunks = x.layout().num_elements().div_ceil(CHUNK);
    overwrite(x, CHUNK, 1, (&mut vec![(); chunks], 1), |_, values, _| {
        simd::dispatch(Forward { function, values });
    })
}

/// The output's `gradient` times the slope at `x`, both `f32` tensors.
pub(crate) fn gradient(function: impl Unary, x: &FlexTensor, gradient: FlexTensor) -> FlexTensor {
    let x = read(x);
    let chunks = x.len().div_ceil(CHUNK);
    overwrite(
        gradient,
        CHUNK,
        1,
        (&mut vec![(); chunks], 1),
        |i, gradient, _| {
            let x = &x[i * CHUNK..][..gradient.len()];
            simd::dispatch(Gradient {
                function,
                x,
                gradient,
            });
        },
    )
}

/// Replaces values by the function's.
struct Forward<'a, F> {
    function: F,
    values: &'a mut [f32],
}

impl<F: Unary> WithSimd for Forward<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (vectors, tail) = S::as_mut_simd_f32s(self.values);
        for value in vectors {
            *value = self.function.value(simd, *value);
        }
        let last = self.function.value(simd, simd.partial_load_f32s(tail));
        simd.partial_store_f32s(tail, last);
    }
}

/// Multiplies the gradient by the slope at `x`.
struct Gradient<'a, F> {
    function: F,
    x: &'a [f32],
    gradient: &'a mut [f32],
}

impl<F: Unary> WithSimd for Gradient<'_, F> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (x, x_tail) = S::as_simd_f32s(self.x);
        let (gradient, gradient_tail) = S::as_mut_simd_f32s(self.gradient);
        for (gradient, x) in gradient.iter_mut().zip(x) {
            *gradient = simd.mul_f32s(*gradient, self.function.slope(simd, *x));
        }
        let slope = self.function.slope(simd, simd.partial_load_f32s(x_tail));
        let last = simd.mul_f32s(simd.partial_load_f32s(gradient_tail), slope);
        simd.partial_store_f32s(gradient_tail, last);
    }
}
