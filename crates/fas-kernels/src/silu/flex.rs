//! Sigmoid linear unit on the Flex backend.

use burn::backend::flex::{Flex, FlexTensor};
use pulp::{Simd, WithSimd};

use super::reference;
use crate::buffer::{all_f32, overwrite, read};
use crate::silu::vector::{silu, silu_slope};
use crate::simd;

/// Floats of one task; fixed, though it does not change the result.
const CHUNK: usize = 8 * 1024;

/// See [`KernelOps::silu_forward`](crate::KernelOps::silu_forward).
pub(crate) fn forward(x: FlexTensor) -> FlexTensor {
    if !all_f32(&[&x]) {
        return reference::forward::<Flex>(x);
    }
    let chunks = x.layout().num_elements().div_ceil(CHUNK);
    overwrite(x, CHUNK, 1, (&mut vec![(); chunks], 1), |_, values, _| {
        simd::dispatch(Forward(values));
    })
}

/// See [`KernelOps::silu_gradient`](crate::KernelOps::silu_gradient).
pub(crate) fn gradient(x: FlexTensor, gradient: FlexTensor) -> FlexTensor {
    if !all_f32(&[&x, &gradient]) {
        return reference::gradient::<Flex>(x, gradient);
    }
    let x = read(&x);
    let chunks = x.len().div_ceil(CHUNK);
    overwrite(
        gradient,
        CHUNK,
        1,
        (&mut vec![(); chunks], 1),
        |i, gradient, _| {
            let x = &x[i * CHUNK..][..gradient.len()];
            simd::dispatch(Gradient { x, gradient });
        },
    )
}

/// Replaces values by their SiLU.
struct Forward<'a>(&'a mut [f32]);

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (vectors, tail) = S::as_mut_simd_f32s(self.0);
        for value in vectors {
            *value = silu(simd, *value);
        }
        let last = silu(simd, simd.partial_load_f32s(tail));
        simd.partial_store_f32s(tail, last);
    }
}

/// Multiplies the gradient by the slope at `x`.
struct Gradient<'a> {
    x: &'a [f32],
    gradient: &'a mut [f32],
}

impl WithSimd for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (x, x_tail) = S::as_simd_f32s(self.x);
        let (gradient, gradient_tail) = S::as_mut_simd_f32s(self.gradient);
        for (gradient, x) in gradient.iter_mut().zip(x) {
            *gradient = simd.mul_f32s(*gradient, silu_slope(simd, *x));
        }
        let slope = silu_slope(simd, simd.partial_load_f32s(x_tail));
        let last = simd.mul_f32s(simd.partial_load_f32s(gradient_tail), slope);
        simd.partial_store_f32s(gradient_tail, last);
    }
}
