//! Doubling and halving on CubeCL runtimes. In planes a unit has two neighbours in a row of the larger map, in
//! channels-last maps a vector of channels; either layout stays as it is.

use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::reference;
use crate::cube::{
    address_type, all_f32, empty, empty_channels_last, is_channels_last, vector_size,
};

/// Neighbours in a row of the larger map.
const PAIR: usize = 2;

/// See [`KernelOps::double_size`](crate::KernelOps::double_size).
pub(crate) fn double(x: CubeTensor, factor: f64) -> CubeTensor {
    if !all_f32(&[&x]) {
        return reference::double::<CubeBackend>(x, factor);
    }
    let [batch_size, channels, height, width] = x.shape().dims();
    let doubled = Shape::new([batch_size, channels, 2 * height, 2 * width]);
    if is_channels_last(&x) {
        let output = empty_channels_last(&x, doubled);
        let vector_size = vector_size(&x.client, channels);
        let len = output.shape().num_elements() / vector_size;
        let dim = CubeDim::new(&x.client, len);
        double_channels_last_kernel::launch(
            &output.client,
            calculate_cube_count_elemwise(&output.client, len, dim),
            dim,
            address_type(&[&output]),
            vector_size,
            x.into_buffer_arg(),
            output.clone().into_buffer_arg(),
            width,
            channels / vector_size,
            factor as f32,
        );
        return output;
    }
    let x = into_contiguous(x);
    let output = empty(&x, doubled);
    let pairs = 2 * x.shape().num_elements();
    let dim = CubeDim::new(&x.client, pairs);
    double_kernel::launch(
        &output.client,
        calculate_cube_count_elemwise(&x.client, pairs, dim),
        dim,
        address_type(&[&output]),
        PAIR,
        x.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        width,
        factor as f32,
    );
    output
}

/// See [`KernelOps::halve_size`](crate::KernelOps::halve_size).
pub(crate) fn halve(x: CubeTensor, factor: f64) -> CubeTensor {
    if !all_f32(&[&x]) {
        return reference::halve::<CubeBackend>(x, factor);
    }
    let [batch_size, channels, height, width] = x.shape().dims();
    let halved = Shape::new([batch_size, channels, height / 2, width / 2]);
    if is_channels_last(&x) {
        let output = empty_channels_last(&x, halved);
        let vector_size = vector_size(&x.client, channels);
        let len = output.shape().num_elements() / vector_size;
        let dim = CubeDim::new(&x.client, len);
        halve_channels_last_kernel::launch(
            &output.client,
            calculate_cube_count_elemwise(&output.client, len, dim),
            dim,
            address_type(&[&x]),
            vector_size,
            x.into_buffer_arg(),
            output.clone().into_buffer_arg(),
            width / 2,
            channels / vector_size,
            factor as f32,
        );
        return output;
    }
    let x = into_contiguous(x);
    let output = empty(&x, halved);
    let pixels = output.shape().num_elements();
    let dim = CubeDim::new(&x.client, pixels);
    halve_kernel::launch(
        &output.client,
        calculate_cube_count_elemwise(&x.client, pixels, dim),
        dim,
        address_type(&[&x]),
        PAIR,
        x.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        width / 2,
        factor as f32,
    );
    output
}

/// `width` is that of `x`, and the pairs in a row of the output.
#[cube(launch, address_type = "dynamic")]
fn double_kernel<N: Size>(x: &[f32], output: &mut [Vector<f32, N>], width: usize, factor: f32) {
    if ABSOLUTE_POS < output.len() {
        let row = ABSOLUTE_POS / width;
        let value = x[row / 2 * width + ABSOLUTE_POS % width] * factor;
        output[ABSOLUTE_POS] = Vector::new(value);
    }
}

/// `width` is that of the output, and the pairs in a row of `x`.
#[cube(launch, address_type = "dynamic")]
fn halve_kernel<N: Size>(x: &[Vector<f32, N>], output: &mut [f32], width: usize, factor: f32) {
    if ABSOLUTE_POS < output.len() {
        let first = ABSOLUTE_POS / width * 2 * width + ABSOLUTE_POS % width;
        let sum = x[first].vector_sum() + x[first + width].vector_sum();
        output[ABSOLUTE_POS] = sum * factor;
    }
}

/// `width` is that of `x`; a pixel has `vectors` vectors.
#[cube(launch, address_type = "dynamic")]
fn double_channels_last_kernel<N: Size>(
    x: &[Vector<f32, N>],
    output: &mut [Vector<f32, N>],
    width: usize,
    vectors: usize,
    factor: f32,
) {
    if ABSOLUTE_POS < output.len() {
        let pixel = ABSOLUTE_POS / vectors;
        let row = pixel / (2 * width);
        let column = pixel % (2 * width);
        let i = (row / 2 * width + column / 2) * vectors + ABSOLUTE_POS % vectors;
        output[ABSOLUTE_POS] = x[i] * Vector::new(factor);
    }
}

/// `width` is that of the output; a pixel has `vectors` vectors.
#[cube(launch, address_type = "dynamic")]
fn halve_channels_last_kernel<N: Size>(
    x: &[Vector<f32, N>],
    output: &mut [Vector<f32, N>],
    width: usize,
    vectors: usize,
    factor: f32,
) {
    if ABSOLUTE_POS < output.len() {
        let pixel = ABSOLUTE_POS / vectors;
        let row = pixel / width;
        let column = pixel % width;
        let first = (row * 4 * width + column * 2) * vectors + ABSOLUTE_POS % vectors;
        let second = first + 2 * width * vectors;
        let sum = (x[first] + x[first + vectors]) + (x[second] + x[second + vectors]);
        output[ABSOLUTE_POS] = sum * Vector::new(factor);
    }
}
