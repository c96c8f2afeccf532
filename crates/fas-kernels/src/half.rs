//! Half types are a way of storing values: a kernel for `f32` serves them too, on values that are widened for
//! it, and its result is rounded once. Nothing inside then overflows or is rounded more often.

use burn::backend::{Backend, TensorMetadata, tensor::FloatTensor};
use burn::tensor::{DType, FloatDType};

/// The type of `tensor` if it is a half one.
pub(crate) fn half_type(tensor: &impl TensorMetadata) -> Option<FloatDType> {
    match tensor.dtype() {
        DType::F16 => Some(FloatDType::F16),
        DType::BF16 => Some(FloatDType::BF16),
        _ => None,
    }
}

/// The tensors as `f32`.
pub(crate) fn widened<B: Backend, const N: usize>(
    tensors: [FloatTensor<B>; N],
) -> [FloatTensor<B>; N] {
    tensors.map(|tensor| match tensor.dtype() {
        DType::F32 => tensor,
        _ => B::float_cast(tensor, FloatDType::F32),
    })
}
