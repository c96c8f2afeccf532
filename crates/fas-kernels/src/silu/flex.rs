//! Sigmoid linear unit on the Flex backend.

use burn::backend::TensorMetadata;
use burn::backend::flex::{Flex, FlexTensor};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::reference;
use crate::buffer::{all_f32, read, tensor_of};
use crate::silu::vector::{silu, silu_slope};
use crate::simd;

/// Floats of one task; fixed, though it does not change the result.
const CHUNK: usize = 8 * 1024;

/// See [`KernelOps::silu_forward`](crate::KernelOps::silu_forward).
pub(crate) fn forward(x: FlexTensor) -> FlexTensor {
    if !all_f32(&[&x]) {
        return reference::forward::<Flex>(x);
    }
    let values = read(&x);
    let mut output = vec![0.0; values.len()];
    output
        .par_chunks_mut(CHUNK)
        .zip(values.par_chunks(CHUNK))
        .for_each(|(output, x)| simd::dispatch(Forward { x, output }));
    tensor_of(output, x.shape())
}

/// See [`KernelOps::silu_gradient`](crate::KernelOps::silu_gradient).
pub(crate) fn gradient(x: FlexTensor, gradient: FlexTensor) -> FlexTensor {
    if !all_f32(&[&x, &gradient]) {
        return reference::gradient::<Flex>(x, gradient);
    }
    let (values, gradients) = (read(&x), read(&gradient));
    let mut output = vec![0.0; values.len()];
    output
        .par_chunks_mut(CHUNK)
        .zip(values.par_chunks(CHUNK).zip(gradients.par_chunks(CHUNK)))
        .for_each(|(output, (x, gradient))| {
            simd::dispatch(Gradient {
                x,
                gradient,
                output,
            });
        });
    tensor_of(output, x.shape())
}

struct Forward<'a> {
    x: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (x, x_tail) = S::as_simd_f32s(self.x);
        let (output, output_tail) = S::as_mut_simd_f32s(self.output);
        for (to, x) in output.iter_mut().zip(x) {
            *to = silu(simd, *x);
        }
        let tail = silu(simd, simd.partial_load_f32s(x_tail));
        simd.partial_store_f32s(output_tail, tail);
    }
}

struct Gradient<'a> {
    x: &'a [f32],
    gradient: &'a [f32],
    output: &'a mut [f32],
}

impl WithSimd for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let (x, x_tail) = S::as_simd_f32s(self.x);
        let (gradient, gradient_tail) = S::as_simd_f32s(self.gradient);
        let (output, output_tail) = S::as_mut_simd_f32s(self.output);
        for (to, (x, gradient)) in output.iter_mut().zip(x.iter().zip(gradient)) {
            *to = simd.mul_f32s(*gradient, silu_slope(simd, *x));
        }
        let slope = silu_slope(simd, simd.partial_load_f32s(x_tail));
        let tail = simd.mul_f32s(simd.partial_load_f32s(gradient_tail), slope);
        simd.partial_store_f32s(output_tail, tail);
    }
}
