//! Sums and concatenations on the Flex backend.

use burn::backend::TensorMetadata;
use burn::backend::flex::{Flex, FlexTensor};
use burn::backend::ops::FloatTensorOps;
use rayon::prelude::*;

use crate::buffer::{all_f32, dims, output, overwrite, read, recycle, tensor};

/// Floats of one task.
const CHUNK: usize = 16 * 1024;

/// See [`KernelOps::add_maps`](crate::KernelOps::add_maps).
pub(crate) fn add(a: FlexTensor, b: FlexTensor) -> FlexTensor {
    if !all_f32(&[&a, &b]) || a.shape() != b.shape() || a.shape().num_elements() == 0 {
        return Flex::float_add(a, b);
    }
    let (target, other) = if a.is_unique() { (a, b) } else { (b, a) };
    let values = read(&other);
    let chunks = values.len().div_ceil(CHUNK);
    let sum = overwrite(
        target,
        CHUNK,
        1,
        (&mut vec![(); chunks], 1),
        |i, target, _| {
            for (target, value) in target.iter_mut().zip(&values[i * CHUNK..]) {
                *target += value;
            }
        },
    );
    drop(values);
    recycle(other);
    sum
}

/// See [`KernelOps::concat_maps`](crate::KernelOps::concat_maps).
pub(crate) fn concat(a: FlexTensor, b: FlexTensor) -> FlexTensor {
    let [batch_size, channels_a, height, width] = dims(&a);
    let [_, channels_b, _, _] = dims(&b);
    let pixels = height * width;
    let channels = channels_a + channels_b;
    if !all_f32(&[&a, &b]) || batch_size * channels_a.min(channels_b) * pixels == 0 {
        return Flex::float_cat(vec![a, b], 1);
    }
    let mut joint = output(batch_size * channels * pixels);
    {
        let (a, b) = (read(&a), read(&b));
        joint
            .par_chunks_mut(pixels)
            .with_min_len(CHUNK.div_ceil(pixels))
            .enumerate()
            .for_each(|(i, plane)| {
                let (n, c) = (i / channels, i % channels);
                let (source, c) = match c.checked_sub(channels_a) {
                    None => (&a[n * channels_a * pixels..], c),
                    Some(c) => (&b[n * channels_b * pixels..], c),
                };
                plane.copy_from_slice(&source[c * pixels..][..pixels]);
            });
    }
    recycle(a);
    recycle(b);
    tensor(joint, [batch_size, channels, height, width])
}
