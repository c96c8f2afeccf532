//! Sigmoid linear unit on the Flex backend.

use burn::backend::flex::{Flex, FlexTensor};
use pulp::Simd;

use super::{reference, vector};
use crate::buffer::all_f32;
use crate::elementwise::{self, Unary};

#[derive(Clone, Copy)]
struct Silu;

impl Unary for Silu {
    #[inline(always)]
    fn value<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        vector::silu(simd, x)
    }

    #[inline(always)]
    fn slope<S: Simd>(self, simd: S, x: S::f32s) -> S::f32s {
        vector::silu_slope(simd, x)
    }
}

/// See [`KernelOps::silu_forward`](crate::KernelOps::silu_forward).
pub(crate) fn forward(x: FlexTensor) -> FlexTensor {
    if !all_f32(&[&x]) {
        return reference::forward::<Flex>(x);
    }
    elementwise::forward(Silu, x)
}

/// See [`KernelOps::silu_gradient`](crate::KernelOps::silu_gradient).
pub(crate) fn gradient(x: FlexTensor, gradient: FlexTensor) -> FlexTensor {
    if !all_f32(&[&x, &gradient]) {
        return reference::gradient::<Flex>(x, gradient);
    }
    elementwise::gradient(Silu, &x, gradient)
}
