//! Group normalisation on CubeCL runtimes.
//!
//! One cube is one group of one image. For the statistics its units step through the group as one
//! row of memory; for what depends on the channel they stand in rows of `width` units, each row at
//! one channel after another, so no unit divides an index. Sums are made per unit, then over the
//! units in shared memory, in an order that depends on the sizes alone.

mod channels_last;

use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::{GroupNormOptions, reference};
use crate::cube::elementwise::Unary;
use crate::cube::reduction::sum_units;
use crate::cube::{
    address_type, all_f32, cube_count, cube_units, empty, is_channels_last, vector_size,
};
use crate::half::half_type;
use crate::silu::cube::Silu;

/// Sizes of the groups, in vectors of the kernel's width.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
struct Groups {
    /// Groups of all images.
    count: usize,
    channels: usize,
    /// Channels of a group.
    channels_each: usize,
    /// Vectors of a channel.
    vectors: usize,
    /// Values of a group.
    values: f32,
    epsilon: f32,
}

/// How the units of a cube are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Arrangement {
    /// Units at one channel, a power of two.
    width: usize,
    /// Channels at a time, a power of two.
    rows: usize,
}

/// Sizes of one launch.
struct Launch {
    groups: GroupsLaunch,
    arrangement: Arrangement,
    vector_size: usize,
    cubes: CubeCount,
    dim: CubeDim,
}

impl Launch {
    fn new(x: &CubeTensor, options: &GroupNormOptions) -> Self {
        let shape = x.shape();
        let pixels: usize = shape[2..].iter().product();
        let channels_each = shape[1] / options.num_groups;
        let count = shape[0] * options.num_groups;
        let vector_size = vector_size(&x.client, pixels);
        let vectors = pixels / vector_size;

        let units = cube_units(&x.client);
        let width = vectors.next_power_of_two().min(units);
        let rows = channels_each.next_power_of_two().min(units / width);
        Self {
            groups: GroupsLaunch::new(
                count,
                shape[1],
                channels_each,
                vectors,
                (channels_each * pixels) as f32,
                options.epsilon as f32,
            ),
            arrangement: Arrangement { width, rows },
            vector_size,
            cubes: cube_count(&x.client, count),
            dim: CubeDim::new_1d((width * rows) as u32),
        }
    }
}

/// See [`KernelOps::group_norm_forward`](crate::KernelOps::group_norm_forward).
pub(crate) fn forward(
    x: CubeTensor,
    weight: CubeTensor,
    bias: CubeTensor,
    scale: CubeTensor,
    shift: CubeTensor,
    options: GroupNormOptions,
) -> CubeTensor {
    if let Some(half) = half_type(&x) {
        return super::half::forward::<CubeBackend>([x, weight, bias, scale, shift], options, half);
    }
    if !all_f32(&[&x, &weight, &bias, &scale, &shift]) {
        return reference::forward::<CubeBackend>(x, weight, bias, scale, shift, options);
    }
    let parameters = [weight, bias, scale, shift].map(into_contiguous);
    if is_channels_last(&x)
        && let Some(output) = channels_last::forward(&x, &parameters, &options)
    {
        return output;
    }
    let [weight, bias, scale, shift] = parameters;
    let x = into_contiguous(x);
    let launch = Launch::new(&x, &options);
    let output = empty(&x, x.shape());
    forward_kernel::launch(
        &output.client,
        launch.cubes,
        launch.dim,
        address_type(&[&x]),
        launch.vector_size,
        x.into_buffer_arg(),
        weight.into_buffer_arg(),
        bias.into_buffer_arg(),
        scale.into_buffer_arg(),
        shift.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        launch.groups,
        launch.arrangement,
        options.silu,
    );
    output
}

/// See [`KernelOps::group_norm_gradients`](crate::KernelOps::group_norm_gradients).
pub(crate) fn gradients(
    x: CubeTensor,
    gradient: CubeTensor,
    weight: CubeTensor,
    bias: CubeTensor,
    scale: CubeTensor,
    shift: CubeTensor,
    options: GroupNormOptions,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    if let Some(half) = half_type(&x) {
        let inputs = [x, gradient, weight, bias, scale, shift];
        return super::half::gradients::<CubeBackend>(inputs, options, half);
    }
    if !all_f32(&[&x, &gradient, &weight, &bias, &scale, &shift]) {
        return reference::gradients::<CubeBackend>(
            x, gradient, weight, bias, scale, shift, options,
        );
    }
    let parameters = [weight, bias, scale, shift].map(into_contiguous);
    if is_channels_last(&x)
        && let Some(found) = channels_last::gradients(&x, &gradient, &parameters, &options)
    {
        return found;
    }
    let [weight, bias, scale, shift] = parameters;
    let [x, gradient] = [x, gradient].map(into_contiguous);
    let launch = Launch::new(&x, &options);
    let output = empty(&x, x.shape());
    let images = Shape::new([x.shape()[0], x.shape()[1]]);
    let [sums, products] = [(); 2].map(|()| empty(&x, images.clone()));
    gradients_kernel::launch(
        &output.client,
        launch.cubes,
        launch.dim,
        address_type(&[&x]),
        launch.vector_size,
        x.into_buffer_arg(),
        gradient.into_buffer_arg(),
        weight.into_buffer_arg(),
        bias.into_buffer_arg(),
        scale.into_buffer_arg(),
        shift.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        sums.clone().into_buffer_arg(),
        products.clone().into_buffer_arg(),
        launch.groups,
        launch.arrangement,
        options.silu,
    );
    (output, sums, products)
}

#[cube(launch, address_type = "dynamic")]
fn forward_kernel<N: Size>(
    x: &[Vector<f32, N>],
    weight: &[f32],
    bias: &[f32],
    scale: &[f32],
    shift: &[f32],
    output: &mut [Vector<f32, N>],
    groups: &Groups,
    #[comptime] arrangement: Arrangement,
    #[comptime] with_silu: bool,
) {
    let group = CUBE_POS;
    if group >= groups.count {
        terminate!();
    }
    let mut shared = Shared::new_slice(arrangement.width * arrangement.rows);
    let (mean, inverse) = statistics::<N>(x, group, groups, &mut shared, arrangement);
    let mean = Vector::new(mean);

    let row = UNIT_POS as usize / arrangement.width;
    let lane = UNIT_POS as usize % arrangement.width;
    for c in range_stepped(row, groups.channels_each, arrangement.rows) {
        let channel = group * groups.channels_each + c;
        let (factor, offset) = affine(channel, groups.channels, weight, bias, scale, shift);
        let factor = Vector::new(factor * inverse);
        let offset = Vector::new(offset);
        let begin = channel * groups.vectors;
        for i in range_stepped(begin + lane, begin + groups.vectors, arrangement.width) {
            let y = (x[i] - mean) * factor + offset;
            if with_silu {
                output[i] = Silu::value::<N>(y);
            } else {
                output[i] = y;
            }
        }
    }
}

#[cube(launch, address_type = "dynamic")]
fn gradients_kernel<N: Size>(
    x: &[Vector<f32, N>],
    gradient: &[Vector<f32, N>],
    weight: &[f32],
    bias: &[f32],
    scale: &[f32],
    shift: &[f32],
    output: &mut [Vector<f32, N>],
    sums: &mut [f32],
    products: &mut [f32],
    groups: &Groups,
    #[comptime] arrangement: Arrangement,
    #[comptime] with_silu: bool,
) {
    let group = CUBE_POS;
    if group >= groups.count {
        terminate!();
    }
    let mut shared = Shared::new_slice(arrangement.width * arrangement.rows);
    let (mean, inverse) = statistics::<N>(x, group, groups, &mut shared, arrangement);
    let mean = Vector::new(mean);

    let row = UNIT_POS as usize / arrangement.width;
    let lane = UNIT_POS as usize % arrangement.width;

    // First pass: the sums of g and of g x_hat, per channel; the units wait for each other, so
    // all of them make every step, in range or not.
    let mut group_sum = 0.0_f32;
    let mut group_product = 0.0_f32;
    for first in range_stepped(0, groups.channels_each, arrangement.rows) {
        let c = first + row;
        let channel = group * groups.channels_each + c;
        let mut sum = Vector::<f32, N>::new(0.0_f32);
        let mut product = Vector::<f32, N>::new(0.0_f32);
        if c < groups.channels_each {
            let (factor, offset) = affine(channel, groups.channels, weight, bias, scale, shift);
            let factor = Vector::new(factor * inverse);
            let offset = Vector::new(offset);
            let begin = channel * groups.vectors;
            for i in range_stepped(begin + lane, begin + groups.vectors, arrangement.width) {
                let centred = x[i] - mean;
                let g = before_activation::<N>(centred, gradient[i], factor, offset, with_silu);
                sum += g;
                product += g * centred;
            }
        }
        let sum = sum_units(sum.vector_sum(), &mut shared, arrangement.width);
        let product = sum_units(product.vector_sum(), &mut shared, arrangement.width) * inverse;
        if c < groups.channels_each && lane == 0 {
            sums[channel] = sum;
            products[channel] = product;
            let (factor, _) = affine(channel, groups.channels, weight, bias, scale, shift);
            group_sum += factor * sum;
            group_product += factor * product;
        }
    }
    let units = comptime!(arrangement.width * arrangement.rows);
    let mean_gradient = sum_units(group_sum, &mut shared, units) / groups.values;
    let mean_product = sum_units(group_product, &mut shared, units) / groups.values;

    // Second pass: inverse (factor g - mean(factor g) - x_hat mean(factor g x_hat)), where g is
    // made again rather than kept: memory is slower than arithmetic.
    let slope = Vector::new(mean_product * inverse);
    let mean_gradient = Vector::new(mean_gradient);
    for c in range_stepped(row, groups.channels_each, arrangement.rows) {
        let channel = group * groups.channels_each + c;
        let (factor, offset) = affine(channel, groups.channels, weight, bias, scale, shift);
        let line = Vector::new(factor * inverse);
        let factor = Vector::new(factor);
        let offset = Vector::new(offset);
        let begin = channel * groups.vectors;
        for i in range_stepped(begin + lane, begin + groups.vectors, arrangement.width) {
            let centred = x[i] - mean;
            let g = before_activation::<N>(centred, gradient[i], line, offset, with_silu);
            output[i] = (factor * g - mean_gradient - centred * slope) * Vector::new(inverse);
        }
    }
}

/// Mean of the group and `1 / sqrt(var + epsilon)`, the same in every unit.
#[cube]
fn statistics<N: Size>(
    x: &[Vector<f32, N>],
    group: usize,
    groups: &Groups,
    shared: &mut Shared<[f32]>,
    #[comptime] arrangement: Arrangement,
) -> (f32, f32) {
    let units = comptime!(arrangement.width * arrangement.rows);
    let len = groups.channels_each * groups.vectors;
    let begin = group * len + UNIT_POS as usize;
    let end = group * len + len;

    let mut sum = Vector::<f32, N>::new(0.0_f32);
    for i in range_stepped(begin, end, units) {
        sum += x[i];
    }
    let mean = sum_units(sum.vector_sum(), shared, units) / groups.values;

    // Of the centred values: a mean of squares minus the squared mean would cancel.
    let centre = Vector::new(mean);
    let mut sum = Vector::<f32, N>::new(0.0_f32);
    for i in range_stepped(begin, end, units) {
        let centred = x[i] - centre;
        sum += centred * centred;
    }
    let variance = sum_units(sum.vector_sum(), shared, units) / groups.values;
    (mean, 1.0_f32 / (variance + groups.epsilon).sqrt())
}

/// Factor and offset of `x_hat` for a channel of all images, `n * channels + c`.
#[cube]
fn affine(
    channel: usize,
    channels: usize,
    weight: &[f32],
    bias: &[f32],
    scale: &[f32],
    shift: &[f32],
) -> (f32, f32) {
    let c = channel % channels;
    let scale = 1.0_f32 + scale[channel];
    (scale * weight[c], scale * bias[c] + shift[channel])
}

/// Gradient before the activation, where `centred` is `x - mean`.
#[cube]
fn before_activation<N: Size>(
    centred: Vector<f32, N>,
    gradient: Vector<f32, N>,
    factor: Vector<f32, N>,
    offset: Vector<f32, N>,
    #[comptime] with_silu: bool,
) -> Vector<f32, N> {
    if with_silu {
        gradient * Silu::slope::<N>(centred * factor + offset)
    } else {
        gradient
    }
}
