//! Max-pooling of planes on CubeCL runtimes, a unit to each pixel of the output. Channels-last maps, as convolutions
//! return them, are left to Burn, whose pooling reads them as they lie.

use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::reference;
use crate::cube::{address_type, all_f32, empty, is_channels_last};

/// See [`KernelOps::max_pool`](crate::KernelOps::max_pool).
pub(crate) fn forward(x: CubeTensor) -> CubeTensor {
    if !all_f32(&[&x]) || is_channels_last(&x) {
        return reference::forward::<CubeBackend>(x);
    }
    let x = into_contiguous(x);
    let [batch_size, channels, height, width] = x.shape().dims();
    let [rows, columns] = [height, width].map(|size| size.div_ceil(2));
    let output = empty(&x, Shape::new([batch_size, channels, rows, columns]));
    let pixels = output.shape().num_elements();
    let dim = CubeDim::new(&x.client, pixels);
    forward_kernel::launch(
        &output.client,
        calculate_cube_count_elemwise(&x.client, pixels, dim),
        dim,
        address_type(&[&x]),
        x.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        height,
        width,
    );
    output
}

#[cube(launch, address_type = "dynamic")]
fn forward_kernel(x: &[f32], output: &mut [f32], height: usize, width: usize) {
    if ABSOLUTE_POS < output.len() {
        let columns = width.div_ceil(2);
        let rows = height.div_ceil(2);
        let row = ABSOLUTE_POS / columns;
        let plane = row / rows * height * width;
        let y = row % rows * 2;
        let column = ABSOLUTE_POS % columns * 2;
        // The centre is always inside; what lies outside is left out.
        let mut most = x[plane + y * width + column];
        for at_y in max(y, 1) - 1..min(y + 2, height) {
            for at_x in max(column, 1) - 1..min(column + 2, width) {
                let value = x[plane + at_y * width + at_x];
                if value > most || value.is_nan() {
                    most = value;
                }
            }
        }
        output[ABSOLUTE_POS] = most;
    }
}
