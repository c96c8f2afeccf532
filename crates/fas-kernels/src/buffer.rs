//! Reading and making Flex tensors.

use std::ops::Deref;

use burn::backend::TensorMetadata;
use burn::backend::flex::{FlexTensor, Layout};
use burn::tensor::{Bytes, DType, Shape};
use rayon::prelude::*;

/// The tensor's sizes.
///
/// # Panics
///
/// If the rank is not `D`.
pub(crate) fn dims<const D: usize>(tensor: &FlexTensor) -> [usize; D] {
    tensor.shape().dims()
}

/// Whether every tensor holds `f32`.
pub(crate) fn all_f32(tensors: &[&FlexTensor]) -> bool {
    tensors.iter().all(|tensor| tensor.dtype() == DType::F32)
}

/// Values of a tensor in row-major order.
pub(crate) enum Values<'a> {
    Borrowed(&'a [f32]),
    /// A contiguous copy.
    Copied(FlexTensor),
}

impl Deref for Values<'_> {
    type Target = [f32];

    fn deref(&self) -> &[f32] {
        match self {
            Self::Borrowed(values) => values,
            Self::Copied(tensor) => tensor.storage::<f32>(),
        }
    }
}

/// The values in row-major order, copied only if the tensor is a strided view.
pub(crate) fn read(tensor: &FlexTensor) -> Values<'_> {
    match tensor.as_slice::<f32>() {
        Some(values) => Values::Borrowed(values),
        None => Values::Copied(tensor.to_contiguous()),
    }
}

/// A tensor of `values`.
pub(crate) fn tensor<const D: usize>(values: Vec<f32>, dims: [usize; D]) -> FlexTensor {
    tensor_of(values, Shape::from(dims))
}

/// A tensor of `values` with the given shape.
pub(crate) fn tensor_of(values: Vec<f32>, shape: Shape) -> FlexTensor {
    FlexTensor::new(
        Bytes::from_elems(values),
        Layout::contiguous(shape),
        DType::F32,
    )
}

/// Applies `f` to each `len` values of `tensor` and the `side_len` values of `side` that go with
/// them; `f` overwrites its first slice. In place if nobody else holds the tensor.
///
/// A rayon job has at least `min_job` calls.
pub(crate) fn overwrite<T: Send>(
    tensor: FlexTensor,
    len: usize,
    min_job: usize,
    (side, side_len): (&mut [T], usize),
    f: impl Fn(usize, &mut [f32], &mut [T]) + Sync,
) -> FlexTensor {
    let whole = tensor
        .as_slice::<f32>()
        .is_some_and(|values| values.len() == tensor.storage::<f32>().len());
    let mut tensor = if whole {
        tensor
    } else {
        tensor.to_contiguous()
    };
    if let Some(values) = tensor.try_storage_mut::<f32>() {
        values
            .par_chunks_mut(len)
            .zip(side.par_chunks_mut(side_len))
            .with_min_len(min_job)
            .enumerate()
            .for_each(|(i, (values, side))| f(i, values, side));
        return tensor;
    }
    let source = tensor.storage::<f32>();
    let mut output = copied(source);
    output
        .par_chunks_mut(len)
        .zip(side.par_chunks_mut(side_len))
        .with_min_len(min_job)
        .enumerate()
        .for_each(|(i, (output, side))| f(i, output, side));
    tensor_of(output, tensor.shape())
}

/// A copy made by all threads, without zeroing it first.
fn copied(source: &[f32]) -> Vec<f32> {
    const CHUNK: usize = 256;
    let (chunks, tail) = source.as_chunks::<CHUNK>();
    let mut output = Vec::with_capacity(chunks.len() + 1);
    chunks
        .par_iter()
        .with_min_len(64)
        .copied()
        .collect_into_vec(&mut output);
    let mut output = output.into_flattened();
    output.extend_from_slice(tail);
    output
}
