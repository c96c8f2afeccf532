//! Convolution on CubeCL runtimes.
//!
//! The output and the gradients of input and weight are burn-cubecl's: it has a direct kernel for
//! every device and, with `burn/autotune`, chooses by measurement among implicit matrix products
//! on tensor cores, which a kernel of ours would have to repeat to be of use. Called without the
//! placeholder tensors that Burn's interface wants. The gradient of the bias is ours: one kernel
//! for what takes Burn three sums.

use burn::backend::TensorMetadata;
use burn::tensor::{Shape, ops::ConvOptions};
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::conv::{conv_data_backward, conv_weight_backward};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::ops::{permute_nchw_to_nhwc, permute_nhwc_to_nchw, reshape};
use burn_cubecl::tensor::CubeTensor;

use super::reference;
use crate::cube::reduction::sum_units;
use crate::cube::{address_type, all_f32, cube_count, cube_units, empty, vector_size};

/// See [`KernelOps::convolution_weight`](crate::KernelOps::convolution_weight).
pub(crate) fn weight(weight: CubeTensor) -> CubeTensor {
    let weight = into_contiguous(permute_nchw_to_nhwc(weight));
    // Strides of axes of length 1 too: burn-cubecl reads single values where one is not a multiple of a vector.
    let shape = weight.shape();
    let flat = reshape(weight, Shape::new([shape.num_elements()]));
    permute_nhwc_to_nchw(reshape(flat, shape))
}

/// See [`KernelOps::convolution_input_gradient`](crate::KernelOps::convolution_input_gradient).
pub(crate) fn input_gradient(
    gradient: CubeTensor,
    weight: CubeTensor,
    input_dims: [usize; 4],
    options: ConvOptions<2>,
) -> CubeTensor {
    let shape = Shape::from(input_dims);
    conv_data_backward(gradient, weight, shape, options, Default::default())
        .expect("burn-cubecl has a fallback for every convolution")
}

/// See [`KernelOps::convolution_weight_gradient`](crate::KernelOps::convolution_weight_gradient).
pub(crate) fn weight_gradient(
    x: CubeTensor,
    gradient: CubeTensor,
    weight_dims: [usize; 4],
    options: ConvOptions<2>,
) -> CubeTensor {
    let shape = Shape::from(weight_dims);
    conv_weight_backward(x, gradient, shape, options, Default::default())
        .expect("burn-cubecl has a fallback for every convolution")
}

/// See [`KernelOps::convolution_bias_gradient`](crate::KernelOps::convolution_bias_gradient).
pub(crate) fn bias_gradient(gradient: CubeTensor) -> CubeTensor {
    if !all_f32(&[&gradient]) {
        return reference::bias_gradient::<CubeBackend>(gradient);
    }
    let gradient = into_contiguous(gradient);
    let [batch_size, channels, height, width] = gradient.shape().dims();
    let client = gradient.client.clone();
    let vector_size = vector_size(&client, height * width);
    let vectors = height * width / vector_size;
    let units = (batch_size * vectors)
        .next_power_of_two()
        .min(cube_units(&client));
    let output = empty(&gradient, Shape::new([channels]));
    bias_gradient_kernel::launch(
        &client,
        cube_count(&client, channels),
        CubeDim::new_1d(units as u32),
        address_type(&[&gradient]),
        vector_size,
        gradient.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        batch_size * vectors,
        vectors,
        units,
    );
    output
}

/// One cube sums one channel, of `len` vectors in runs of `vectors`.
#[cube(launch, address_type = "dynamic")]
fn bias_gradient_kernel<N: Size>(
    gradient: &[Vector<f32, N>],
    output: &mut [f32],
    len: usize,
    vectors: usize,
    #[comptime] units: usize,
) {
    let channel = CUBE_POS;
    let channels = output.len();
    if channel >= channels {
        terminate!();
    }
    let mut shared = Shared::new_slice(units);
    let mut sum = Vector::<f32, N>::new(0.0_f32);
    for i in range_stepped(UNIT_POS as usize, len, units) {
        let image = i / vectors;
        sum += gradient[(image * channels + channel) * vectors + i % vectors];
    }
    let sum = sum_units(sum.vector_sum(), &mut shared, units);
    if UNIT_POS == 0 {
        output[channel] = sum;
    }
}
