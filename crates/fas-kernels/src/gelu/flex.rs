//! Gaussian error linear unit on the Flex backend.

use burn::backend::flex::{Flex, FlexTensor};

use super::vector::{Erf, Tanh};
use super::{GeluForm, reference};
use crate::buffer::all_f32;
use crate::elementwise;

/// See [`KernelOps::gelu_forward`](crate::KernelOps::gelu_forward).
pub(crate) fn forward(x: FlexTensor, form: GeluForm) -> FlexTensor {
    match form {
        _ if !all_f32(&[&x]) => reference::forward::<Flex>(x, form),
        GeluForm::Erf => elementwise::forward(Erf, x),
        GeluForm::Tanh => elementwise::forward(Tanh, x),
    }
}

/// See [`KernelOps::gelu_gradient`](crate::KernelOps::gelu_gradient).
pub(crate) fn gradient(x: FlexTensor, gradient: FlexTensor, form: GeluForm) -> FlexTensor {
    match form {
        _ if !all_f32(&[&x, &gradient]) => reference::gradient::<Flex>(x, gradient, form),
        GeluForm::Erf => elementwise::gradient(Erf, &x, gradient),
        GeluForm::Tanh => elementwise::gradient(Tanh, &x, gradient),
    }
}
