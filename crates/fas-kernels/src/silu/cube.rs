//! Sigmoid linear unit on CubeCL runtimes.
//!
//! The exponential is taken of `-|x|` and never overflows: GPUs promise nothing of quotients by
//! infinity.

use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::tensor::CubeTensor;

use super::reference;
use crate::cube::{
    all_f32,
    elementwise::{self, Unary},
};

/// `x sigmoid(x)`.
pub(crate) struct Silu;

#[cube]
impl Unary for Silu {
    fn value<N: Size>(x: Vector<f32, N>) -> Vector<f32, N> {
        let one = Vector::new(1.0_f32);
        let decay = (-x.abs()).exp();
        let numerator = select_many(x.greater_equal(&Vector::new(0.0_f32)), one, decay);
        x * (numerator / (one + decay))
    }

    /// With `s = sigmoid(x)` it is `s + x s (1 - s)`, without cancellation.
    fn slope<N: Size>(x: Vector<f32, N>) -> Vector<f32, N> {
        let one = Vector::new(1.0_f32);
        let decay = (-x.abs()).exp();
        let large = one / (one + decay);
        let small = decay * large;
        let sigmoid = select_many(x.greater_equal(&Vector::new(0.0_f32)), large, small);
        x * (small * large) + sigmoid
    }
}

/// See [`KernelOps::silu_forward`](crate::KernelOps::silu_forward).
pub(crate) fn forward(x: CubeTensor) -> CubeTensor {
    if all_f32(&[&x]) {
        elementwise::forward::<Silu>(x)
    } else {
        reference::forward::<CubeBackend>(x)
    }
}

/// See [`KernelOps::silu_gradient`](crate::KernelOps::silu_gradient).
pub(crate) fn gradient(x: CubeTensor, gradient: CubeTensor) -> CubeTensor {
    if all_f32(&[&x, &gradient]) {
        elementwise::gradient::<Silu>(x, gradient)
    } else {
        reference::gradient::<CubeBackend>(x, gradient)
    }
}
