//! Softmax along the last axis on CubeCL runtimes.
//!
//! A run of `width` units is one row of the tensor, and a cube is as many of them as it has room
//! for: short rows leave no unit idle.

use burn::backend::TensorMetadata;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::reference;
use crate::cube::reduction::{Reduction, reduce_units, sum_units};
use crate::cube::{address_type, all_f32, cube_count, cube_units, empty, vector_size};

/// How the units of a cube are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Arrangement {
    /// Units of a row, a power of two.
    width: usize,
    /// Units of the cube, a power of two.
    units: usize,
}

/// Sizes of one launch.
struct Launch {
    rows: usize,
    /// Vectors of a row.
    vectors: usize,
    vector_size: usize,
    arrangement: Arrangement,
    cubes: CubeCount,
    dim: CubeDim,
}

impl Launch {
    fn new(x: &CubeTensor) -> Self {
        let shape = x.shape();
        let row = *shape.as_slice().last().expect("a tensor has an axis");
        let rows = shape.num_elements() / row;
        let vector_size = vector_size(&x.client, row);
        let vectors = row / vector_size;
        let most = cube_units(&x.client);
        let width = vectors.next_power_of_two().min(most);
        let units = (rows.next_power_of_two() * width).min(most);
        Self {
            rows,
            vectors,
            vector_size,
            arrangement: Arrangement { width, units },
            cubes: cube_count(&x.client, rows.div_ceil(units / width)),
            dim: CubeDim::new_1d(units as u32),
        }
    }
}

/// See [`KernelOps::softmax_forward`](crate::KernelOps::softmax_forward).
pub(crate) fn forward(x: CubeTensor) -> CubeTensor {
    if !all_f32(&[&x]) {
        return reference::forward::<CubeBackend>(x);
    }
    let x = into_contiguous(x);
    let output = empty(&x, x.shape());
    let launch = Launch::new(&x);
    forward_kernel::launch(
        &output.client,
        launch.cubes,
        launch.dim,
        address_type(&[&x]),
        launch.vector_size,
        x.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        launch.rows,
        launch.vectors,
        launch.arrangement,
    );
    output
}

/// See [`KernelOps::softmax_gradient`](crate::KernelOps::softmax_gradient).
pub(crate) fn gradient(y: CubeTensor, gradient: CubeTensor) -> CubeTensor {
    if !all_f32(&[&y, &gradient]) {
        return reference::gradient::<CubeBackend>(y, gradient);
    }
    let [y, gradient] = [y, gradient].map(into_contiguous);
    let output = empty(&y, y.shape());
    let launch = Launch::new(&y);
    gradient_kernel::launch(
        &output.client,
        launch.cubes,
        launch.dim,
        address_type(&[&y]),
        launch.vector_size,
        y.into_buffer_arg(),
        gradient.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        launch.rows,
        launch.vectors,
        launch.arrangement,
    );
    output
}

#[cube(launch, address_type = "dynamic")]
fn forward_kernel<N: Size>(
    x: &[Vector<f32, N>],
    output: &mut [Vector<f32, N>],
    rows: usize,
    vectors: usize,
    #[comptime] arrangement: Arrangement,
) {
    let mut shared = Shared::new_slice(arrangement.units);
    let (row, lane) = place(arrangement);
    // Units beyond the last row repeat it without writing: they must wait with the others.
    let begin = min(row, rows - 1) * vectors;
    let end = begin + vectors;

    let mut most = x[begin];
    for i in range_stepped(begin + lane, end, arrangement.width) {
        most = max(most, x[i]);
    }
    let mut largest = most.extract(0_usize);
    #[unroll]
    for i in 1..N::value() {
        largest = max(largest, most.extract(i));
    }
    let largest = reduce_units(largest, &mut shared, arrangement.width, Reduction::Max);
    let largest = Vector::new(largest);

    // A NaN that the largest value does not show spoils the sum.
    let mut sum = Vector::<f32, N>::new(0.0_f32);
    for i in range_stepped(begin + lane, end, arrangement.width) {
        sum += (x[i] - largest).exp();
    }
    let sum = sum_units(sum.vector_sum(), &mut shared, arrangement.width);
    let factor = Vector::new(1.0_f32 / sum);
    if row < rows {
        for i in range_stepped(begin + lane, end, arrangement.width) {
            output[i] = (x[i] - largest).exp() * factor;
        }
    }
}

#[cube(launch, address_type = "dynamic")]
fn gradient_kernel<N: Size>(
    y: &[Vector<f32, N>],
    gradient: &[Vector<f32, N>],
    output: &mut [Vector<f32, N>],
    rows: usize,
    vectors: usize,
    #[comptime] arrangement: Arrangement,
) {
    let mut shared = Shared::new_slice(arrangement.units);
    let (row, lane) = place(arrangement);
    let begin = min(row, rows - 1) * vectors;
    let end = begin + vectors;

    let mut sum = Vector::<f32, N>::new(0.0_f32);
    for i in range_stepped(begin + lane, end, arrangement.width) {
        sum += y[i] * gradient[i];
    }
    let sum = sum_units(sum.vector_sum(), &mut shared, arrangement.width);
    let sum = Vector::new(sum);
    if row < rows {
        for i in range_stepped(begin + lane, end, arrangement.width) {
            output[i] = y[i] * (gradient[i] - sum);
        }
    }
}

/// The row of this unit, and its place there.
#[cube]
fn place(#[comptime] arrangement: Arrangement) -> (usize, usize) {
    let unit = UNIT_POS as usize;
    let rows = comptime!(arrangement.units / arrangement.width);
    (
        CUBE_POS * rows + unit / arrangement.width,
        unit % arrangement.width,
    )
}
