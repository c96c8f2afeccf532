//! Functions of one value applied to whole tensors.

use burn::backend::TensorMetadata;
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::{address_type, empty, is_dense, vector_size};

/// A differentiable function of one value.
#[cube]
pub(crate) trait Unary: 'static + Send + Sync {
    /// The function.
    fn value<N: Size>(x: Vector<f32, N>) -> Vector<f32, N>;

    /// Its derivative.
    fn slope<N: Size>(x: Vector<f32, N>) -> Vector<f32, N>;
}

#[cube(launch, address_type = "dynamic")]
fn forward_kernel<N: Size, U: Unary>(x: &[Vector<f32, N>], output: &mut [Vector<f32, N>]) {
    if ABSOLUTE_POS < output.len() {
        output[ABSOLUTE_POS] = U::value::<N>(x[ABSOLUTE_POS]);
    }
}

#[cube(launch, address_type = "dynamic")]
fn gradient_kernel<N: Size, U: Unary>(
    x: &[Vector<f32, N>],
    gradient: &[Vector<f32, N>],
    output: &mut [Vector<f32, N>],
) {
    if ABSOLUTE_POS < output.len() {
        output[ABSOLUTE_POS] = gradient[ABSOLUTE_POS] * U::slope::<N>(x[ABSOLUTE_POS]);
    }
}

/// A tensor to write, with the axes of `x` in the same order in memory.
fn empty_like(x: &CubeTensor) -> CubeTensor {
    let mut output = empty(x, x.shape());
    output.meta = x.meta.clone();
    output
}

/// The function of every value of `x`, an `f32` tensor.
pub(crate) fn forward<U: Unary>(x: CubeTensor) -> CubeTensor {
    // Any order of the axes in memory serves, and is kept.
    let x = if is_dense(&x) { x } else { into_contiguous(x) };
    let output = empty_like(&x);
    let len = x.shape().num_elements();
    let vector_size = vector_size(&x.client, len);
    let dim = CubeDim::new(&x.client, len / vector_size);
    forward_kernel::launch::<U>(
        &output.client,
        calculate_cube_count_elemwise(&x.client, len / vector_size, dim),
        dim,
        address_type(&[&x]),
        vector_size,
        x.into_buffer_arg(),
        output.clone().into_buffer_arg(),
    );
    output
}

/// The output's `gradient` times the slope at `x`, both `f32` tensors.
pub(crate) fn gradient<U: Unary>(x: CubeTensor, gradient: CubeTensor) -> CubeTensor {
    let alike = is_dense(&x) && x.meta.strides() == gradient.meta.strides();
    let [x, gradient] = if alike {
        [x, gradient]
    } else {
        [x, gradient].map(into_contiguous)
    };
    let output = empty_like(&x);
    let len = x.shape().num_elements();
    let vector_size = vector_size(&x.client, len);
    let dim = CubeDim::new(&x.client, len / vector_size);
    gradient_kernel::launch::<U>(
        &output.client,
        calculate_cube_count_elemwise(&x.client, len / vector_size, dim),
        dim,
        address_type(&[&x, &gradient]),
        vector_size,
        x.into_buffer_arg(),
        gradient.into_buffer_arg(),
        output.clone().into_buffer_arg(),
    );
    output
}
