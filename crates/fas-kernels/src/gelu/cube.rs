//! Gaussian error linear unit on CubeCL runtimes.

use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::tensor::CubeTensor;

use super::tail::{TAIL, WIDTH};
use super::{GeluForm, reference};
use crate::cube::{
    all_f32,
    elementwise::{self, Unary},
};

/// `x Phi(x)`, where `Phi` is the normal distribution.
struct Erf;

/// `Phi(x)` and its slope, the density of the normal distribution.
#[cube]
fn normal<N: Size>(x: Vector<f32, N>) -> (Vector<f32, N>, Vector<f32, N>) {
    let one = Vector::new(1.0_f32);
    let decay = (x * x * Vector::new(-0.5_f32)).exp();
    let t = one / (one + x.abs() * Vector::new(WIDTH));
    let mut p = Vector::<f32, N>::new(0.0_f32);
    #[unroll]
    for i in 0..comptime!(TAIL.len()) {
        let coefficient = comptime!(TAIL[TAIL.len() - 1 - i]);
        p = p * t + Vector::new(coefficient);
    }
    let lower = p * t * decay;
    let phi = select_many(x.less_than(&Vector::new(0.0_f32)), lower, one - lower);
    // 1 / sqrt(2 pi)
    (phi, decay * Vector::new(0.398_942_3_f32))
}

#[cube]
impl Unary for Erf {
    fn value<N: Size>(x: Vector<f32, N>) -> Vector<f32, N> {
        let (phi, _) = normal::<N>(x);
        x * phi
    }

    fn slope<N: Size>(x: Vector<f32, N>) -> Vector<f32, N> {
        let (phi, density) = normal::<N>(x);
        x * density + phi
    }
}

/// `x sigmoid(2 sqrt(2 / pi) (x + 0.044715 x^3))`, which is the form with `tanh`.
struct Tanh;

/// `2 sqrt(2 / pi)`.
const LINEAR: f32 = 1.595_769;
/// `2 sqrt(2 / pi) 0.044715`.
const CUBIC: f32 = 0.071_354_814;

#[cube]
impl Unary for Tanh {
    fn value<N: Size>(x: Vector<f32, N>) -> Vector<f32, N> {
        let one = Vector::new(1.0_f32);
        let line = x * x * Vector::new(CUBIC) + Vector::new(LINEAR);
        let decay = (-(x * line).abs()).exp();
        let numerator = select_many(x.greater_equal(&Vector::new(0.0_f32)), one, decay);
        x * (numerator / (one + decay))
    }

    fn slope<N: Size>(x: Vector<f32, N>) -> Vector<f32, N> {
        let one = Vector::new(1.0_f32);
        let square = x * x;
        let line = square * Vector::new(CUBIC) + Vector::new(LINEAR);
        let decay = (-(x * line).abs()).exp();
        let large = one / (one + decay);
        let small = decay * large;
        let sigmoid = select_many(x.greater_equal(&Vector::new(0.0_f32)), large, small);
        let inner = square * Vector::new(3.0_f32 * CUBIC) + Vector::new(LINEAR);
        x * (small * large * inner) + sigmoid
    }
}

/// See [`KernelOps::gelu_forward`](crate::KernelOps::gelu_forward).
pub(crate) fn forward(x: CubeTensor, form: GeluForm) -> CubeTensor {
    match form {
        _ if !all_f32(&[&x]) => reference::forward::<CubeBackend>(x, form),
        GeluForm::Erf => elementwise::forward::<Erf>(x),
        GeluForm::Tanh => elementwise::forward::<Tanh>(x),
    }
}

/// See [`KernelOps::gelu_gradient`](crate::KernelOps::gelu_gradient).
pub(crate) fn gradient(x: CubeTensor, gradient: CubeTensor, form: GeluForm) -> CubeTensor {
    match form {
        _ if !all_f32(&[&x, &gradient]) => reference::gradient::<CubeBackend>(x, gradient, form),
        GeluForm::Erf => elementwise::gradient::<Erf>(x, gradient),
        GeluForm::Tanh => elementwise::gradient::<Tanh>(x, gradient),
    }
}
