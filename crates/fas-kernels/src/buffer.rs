//! Reading and making Flex tensors.

use std::ops::Deref;
use std::sync::{Mutex, PoisonError};

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

/// Floats from which memory is worth keeping: smaller buffers the allocator keeps itself.
const LARGE: usize = 1024 * 1024;
/// Buffers kept at most.
const KEPT: usize = 4;

/// Memory of large tensors that kernels consumed. Back from the system it would be zeroed page by page, which
/// takes longer than most kernels take to fill it.
static CONSUMED: Mutex<Vec<Vec<f32>>> = Mutex::new(Vec::new());

/// Takes the memory of a large `f32` tensor that nobody else holds, for a later [`output`].
pub(crate) fn recycle(tensor: FlexTensor) {
    let len = tensor.shape().num_elements();
    if len < LARGE || tensor.dtype() != DType::F32 || !tensor.is_unique() || !tensor.is_contiguous()
    {
        return;
    }
    let (bytes, ..) = tensor.into_data().into_parts();
    if let Ok(values) = bytes.try_into_vec::<f32>() {
        let mut consumed = CONSUMED.lock().unwrap_or_else(PoisonError::into_inner);
        if consumed.len() == KEPT {
            consumed.remove(0);
        }
        consumed.push(values);
    }
}

/// `len` values for a kernel that writes all of them: zeros, or for a large output whatever a consumed tensor
/// held.
pub(crate) fn output(len: usize) -> Vec<f32> {
    if len >= LARGE {
        let mut consumed = CONSUMED.lock().unwrap_or_else(PoisonError::into_inner);
        let fitting = (0..consumed.len())
            .filter(|&i| (len..=2 * len).contains(&consumed[i].len()))
            .min_by_key(|&i| consumed[i].len());
        if let Some(i) = fitting {
            let mut values = consumed.swap_remove(i);
            values.truncate(len);
            return values;
        }
    }
    zeros(len)
}

/// `len` zeros, if many written by all threads: most of the time goes into the page faults.
pub(crate) fn zeros(len: usize) -> Vec<f32> {
    if len < LARGE {
        return vec![0.0; len];
    }
    const CHUNK: usize = 1024;
    let mut values = Vec::with_capacity(len / CHUNK + 1);
    (0..len.div_ceil(CHUNK))
        .into_par_iter()
        .with_min_len(64)
        .map(|_| [0.0; CHUNK])
        .collect_into_vec(&mut values);
    let mut values = values.into_flattened();
    values.truncate(len);
    values
}

/// Blocks of `rows` rows and `width` columns of a matrix whose rows have `len` values, each as its part of every
/// row; those of the same rows follow each other. The last are smaller.
pub(crate) fn blocks(
    values: &mut [f32],
    len: usize,
    rows: usize,
    width: usize,
) -> Vec<Vec<&mut [f32]>> {
    let across = len.div_ceil(width);
    let mut blocks = Vec::new();
    blocks.resize_with((values.len() / len).div_ceil(rows) * across, Vec::new);
    for (r, row) in values.chunks_exact_mut(len).enumerate() {
        let blocks: &mut [Vec<_>] = &mut blocks[r / rows * across..];
        for (block, part) in blocks.iter_mut().zip(row.chunks_mut(width)) {
            block.push(part);
        }
    }
    blocks
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_of_consumed_tensors_serves_again() {
        let large = |value| tensor(vec![value; LARGE], [LARGE]);
        let (shared, small) = (large(1.0), tensor(vec![2.0; 8], [8]));
        let other = shared.clone();
        let address = |values: &[f32]| values.as_ptr();
        // Held by somebody else, and too small: neither is taken.
        recycle(shared);
        recycle(small);
        assert_ne!(address(&output(LARGE)), address(other.storage::<f32>()));
        assert_eq!(other.storage::<f32>()[LARGE - 1], 1.0);
        let consumed = address(other.storage::<f32>());
        recycle(other);
        // The smallest that is large enough, and not much too large.
        assert_ne!(address(&output(LARGE + 1)), consumed);
        assert_eq!(address(&output(LARGE)), consumed);
        for value in 0..2 * KEPT {
            recycle(large(value as f32));
        }
        assert!(CONSUMED.lock().unwrap().len() <= KEPT);
    }
}
