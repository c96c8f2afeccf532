//! Concatenations on CubeCL runtimes, in either layout: maps whose channels come last in memory stay so.

use burn::backend::TensorMetadata;
use burn::backend::ops::FloatTensorOps;
use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use crate::cube::{
    address_type, all_f32, empty, empty_channels_last, is_channels_last, vector_size,
};

/// See [`KernelOps::concat_maps`](crate::KernelOps::concat_maps).
pub(crate) fn concat(a: CubeTensor, b: CubeTensor) -> CubeTensor {
    if !all_f32(&[&a, &b]) {
        return CubeBackend::float_cat(vec![a, b], 1);
    }
    let [batch_size, channels_a, height, width] = a.shape().dims();
    let channels_b = b.shape()[1];
    let shape = Shape::new([batch_size, channels_a + channels_b, height, width]);
    let pixels = height * width;
    let last = [&a, &b].map(is_channels_last) == [true; 2];
    // What of either lies together, and so do both in the output.
    let (a, b, output, runs) = if last {
        let output = empty_channels_last(&a, shape);
        (a, b, output, [channels_a, channels_b])
    } else {
        let [a, b] = [a, b].map(into_contiguous);
        let output = empty(&a, shape);
        (a, b, output, [channels_a * pixels, channels_b * pixels])
    };
    let vector_size = runs.map(|run| vector_size(&a.client, run));
    let vector_size = vector_size[0].min(vector_size[1]);
    let len = output.shape().num_elements() / vector_size;
    let dim = CubeDim::new(&a.client, len);
    concat_kernel::launch(
        &output.client,
        calculate_cube_count_elemwise(&output.client, len, dim),
        dim,
        address_type(&[&output]),
        vector_size,
        a.into_buffer_arg(),
        b.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        runs[0] / vector_size,
        runs[1] / vector_size,
    );
    output
}

/// Runs of `of_a` vectors of `a` and `of_b` of `b`, in turns.
#[cube(launch, address_type = "dynamic")]
fn concat_kernel<N: Size>(
    a: &[Vector<f32, N>],
    b: &[Vector<f32, N>],
    output: &mut [Vector<f32, N>],
    of_a: usize,
    of_b: usize,
) {
    if ABSOLUTE_POS < output.len() {
        let run = ABSOLUTE_POS / (of_a + of_b);
        let i = ABSOLUTE_POS % (of_a + of_b);
        if i < of_a {
            output[ABSOLUTE_POS] = a[run * of_a + i];
        } else {
            output[ABSOLUTE_POS] = b[run * of_b + i - of_a];
        }
    }
}
