//! Group normalisation of channels-last maps, as Burn's convolutions return and read them: without a copy on
//! either side.
//!
//! Every launch spreads an image over many cubes. A cube is a block of pixels and a chunk of groups; a unit has one
//! vector of channels in every so many pixels. The first launch makes mean and sum of squared deviations of each
//! group in each block, and the second joins those of all blocks and normalises; backward the second sums by channel
//! in each block, the third over the blocks, and the fourth makes the gradient.

use burn::tensor::Shape;
use burn_cubecl::cubecl::client::Client;
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise, prelude::*};
use burn_cubecl::tensor::CubeTensor;

use super::{GroupNormOptions, before_activation};
use crate::cube::elementwise::Unary;
use crate::cube::{
    address_type, cube_count, cube_units, empty, empty_channels_last, into_channels_last,
    vector_size,
};
use crate::silu::cube::Silu;

/// Vectors that a unit normalises.
const VECTORS: usize = 16;
/// Blocks of an image at most where statistics are made: every unit that needs them joins them anew.
const PARTIALS: usize = 64;

/// Sizes of the maps, pixels in vectors of the kernel's width.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
struct Maps {
    images: usize,
    pixels: usize,
    /// Vectors of a pixel.
    vectors: usize,
    groups: usize,
    /// Of the groups.
    chunks: usize,
    /// Blocks of an image, and the pixels of a block.
    blocks: usize,
    block: usize,
    /// The same where statistics are made.
    partials: usize,
    partial: usize,
    epsilon: f32,
}

/// How the units of a cube are arranged.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Arrangement {
    /// Pixels at a time.
    rows: usize,
    /// Vectors of a chunk in one pixel.
    width: usize,
    /// Vectors of a group in one pixel.
    group: usize,
}

impl Arrangement {
    fn units(self) -> usize {
        self.rows * self.width
    }
}

/// A block of one image and a chunk of its groups.
#[derive(CubeType, Clone, Copy)]
struct Part {
    image: usize,
    block: usize,
    /// The vector of this unit among those of a pixel; beyond the last in the last chunk.
    vector: usize,
    /// The first pixel of this unit and the one after the last, among those of all images.
    first: usize,
    end: usize,
}

/// Sizes of the launches of one norm.
struct Launch {
    images: usize,
    pixels: usize,
    /// Vectors of a pixel.
    vectors: usize,
    groups: usize,
    chunks: usize,
    /// Pixels of a block that is normalised, and of one whose statistics are made.
    block: usize,
    partial: usize,
    vector_size: usize,
    epsilon: f32,
    arrangement: Arrangement,
}

impl Launch {
    /// `None` if a group has more vectors than a cube has units.
    fn new(x: &CubeTensor, options: &GroupNormOptions) -> Option<Self> {
        let shape = x.meta.shape();
        let (channels, groups) = (shape[1], options.num_groups);
        let pixels: usize = shape[2..].iter().product();
        let vector_size = vector_size(&x.client, channels / groups);
        let group = channels / groups / vector_size;
        let most = cube_units(&x.client);
        let groups_each = (most / group).min(groups);
        if groups_each == 0 {
            return None;
        }
        let width = groups_each * group;
        let arrangement = Arrangement {
            rows: (most / width).min(pixels),
            width,
            group,
        };
        let block = arrangement.rows * VECTORS;
        Some(Self {
            images: shape[0],
            pixels,
            vectors: channels / vector_size,
            groups,
            chunks: groups.div_ceil(groups_each),
            block,
            partial: block.max(pixels.div_ceil(PARTIALS)),
            vector_size,
            epsilon: options.epsilon as f32,
            arrangement,
        })
    }

    /// Blocks of an image whose statistics are made.
    fn partials(&self) -> usize {
        self.pixels.div_ceil(self.partial)
    }

    /// Sizes and cubes of a launch with blocks of so many pixels.
    fn blocks(&self, block: usize, client: &Client) -> (MapsLaunch, CubeCount) {
        let blocks = self.pixels.div_ceil(block);
        let maps = MapsLaunch::new(
            self.images,
            self.pixels,
            self.vectors,
            self.groups,
            self.chunks,
            blocks,
            block,
            self.partials(),
            self.partial,
            self.epsilon,
        );
        (maps, cube_count(client, self.images * blocks * self.chunks))
    }

    fn dim(&self) -> CubeDim {
        CubeDim::new_1d(self.arrangement.units() as u32)
    }

    /// Mean and sum of squared deviations of each group in each block.
    fn statistics(&self, x: &CubeTensor) -> [CubeTensor; 2] {
        let shape = Shape::new([self.images, self.partials(), self.groups]);
        let [means, deviations] = [(); 2].map(|()| empty(x, shape.clone()));
        let (maps, cubes) = self.blocks(self.partial, &x.client);
        statistics_kernel::launch(
            &x.client,
            cubes,
            self.dim(),
            address_type(&[x]),
            self.vector_size,
            x.clone().into_buffer_arg(),
            means.clone().into_buffer_arg(),
            deviations.clone().into_buffer_arg(),
            maps,
            self.arrangement,
        );
        [means, deviations]
    }
}

/// The norm of `x`, an `f32` tensor whose channels come last in memory; `None` if a group is too wide for a cube.
pub(super) fn forward(
    x: &CubeTensor,
    [weight, bias, scale, shift]: &[CubeTensor; 4],
    options: &GroupNormOptions,
) -> Option<CubeTensor> {
    let launch = Launch::new(x, options)?;
    let [means, deviations] = launch.statistics(x);
    let output = empty_channels_last(x, x.meta.shape().clone());
    let (maps, cubes) = launch.blocks(launch.block, &x.client);
    forward_kernel::launch(
        &x.client,
        cubes,
        launch.dim(),
        address_type(&[x]),
        launch.vector_size,
        x.clone().into_buffer_arg(),
        weight.clone().into_buffer_arg(),
        bias.clone().into_buffer_arg(),
        scale.clone().into_buffer_arg(),
        shift.clone().into_buffer_arg(),
        means.into_buffer_arg(),
        deviations.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        maps,
        launch.arrangement,
        options.silu,
    );
    Some(output)
}

/// The gradients of `x`, sums and products, where `x` is as in [`forward`].
pub(super) fn gradients(
    x: &CubeTensor,
    gradient: &CubeTensor,
    [weight, bias, scale, shift]: &[CubeTensor; 4],
    options: &GroupNormOptions,
) -> Option<(CubeTensor, CubeTensor, CubeTensor)> {
    let launch = Launch::new(x, options)?;
    let gradient = into_channels_last(gradient.clone());
    let [means, deviations] = launch.statistics(x);
    let shape = x.meta.shape();
    let partial_shape = Shape::new([shape[0], launch.partials(), shape[1]]);
    let [partial_sums, partial_products] = [(); 2].map(|()| empty(x, partial_shape.clone()));
    let (maps, cubes) = launch.blocks(launch.partial, &x.client);
    sums_kernel::launch(
        &x.client,
        cubes,
        launch.dim(),
        address_type(&[x]),
        launch.vector_size,
        x.clone().into_buffer_arg(),
        gradient.clone().into_buffer_arg(),
        weight.clone().into_buffer_arg(),
        bias.clone().into_buffer_arg(),
        scale.clone().into_buffer_arg(),
        shift.clone().into_buffer_arg(),
        means.clone().into_buffer_arg(),
        deviations.clone().into_buffer_arg(),
        partial_sums.clone().into_buffer_arg(),
        partial_products.clone().into_buffer_arg(),
        maps,
        launch.arrangement,
        options.silu,
    );
    let [sums, products] = [(); 2].map(|()| empty(x, Shape::new([shape[0], shape[1]])));
    let vectors = launch.images * launch.vectors;
    let dim = CubeDim::new(&x.client, vectors);
    totals_kernel::launch(
        &x.client,
        calculate_cube_count_elemwise(&x.client, vectors, dim),
        dim,
        address_type(&[&partial_sums]),
        launch.vector_size,
        partial_sums.into_buffer_arg(),
        partial_products.into_buffer_arg(),
        sums.clone().into_buffer_arg(),
        products.clone().into_buffer_arg(),
        launch.partials(),
        launch.vectors,
    );
    let output = empty_channels_last(x, shape.clone());
    let (maps, cubes) = launch.blocks(launch.block, &x.client);
    gradient_kernel::launch(
        &x.client,
        cubes,
        launch.dim(),
        address_type(&[x]),
        launch.vector_size,
        x.clone().into_buffer_arg(),
        gradient.into_buffer_arg(),
        weight.clone().into_buffer_arg(),
        bias.clone().into_buffer_arg(),
        scale.clone().into_buffer_arg(),
        shift.clone().into_buffer_arg(),
        means.into_buffer_arg(),
        deviations.into_buffer_arg(),
        sums.clone().into_buffer_arg(),
        products.clone().into_buffer_arg(),
        output.clone().into_buffer_arg(),
        maps,
        launch.arrangement,
        options.silu,
    );
    Some((output, sums, products))
}

#[cube(launch, address_type = "dynamic")]
fn statistics_kernel<N: Size>(
    x: &[Vector<f32, N>],
    means: &mut [f32],
    deviations: &mut [f32],
    maps: &Maps,
    #[comptime] arrangement: Arrangement,
) {
    let part = part(maps, arrangement);
    if part.image >= maps.images {
        terminate!();
    }
    let mut shared = Shared::new_slice(comptime!(arrangement.units()));
    let inside = part.vector < maps.vectors;
    let values = values::<N>(part.block, maps.partial, maps, arrangement);

    let mut sum = Vector::<f32, N>::new(0.0_f32);
    if inside {
        for pixel in range_stepped(part.first, part.end, arrangement.rows) {
            sum += x[pixel * maps.vectors + part.vector];
        }
    }
    let mean = sum_group(sum.vector_sum(), &mut shared, arrangement) / values;

    // Of the centred values: a mean of squares minus the squared mean would cancel.
    let centre = Vector::new(mean);
    let mut sum = Vector::<f32, N>::new(0.0_f32);
    if inside {
        for pixel in range_stepped(part.first, part.end, arrangement.rows) {
            let centred = x[pixel * maps.vectors + part.vector] - centre;
            sum += centred * centred;
        }
    }
    let deviation = sum_group(sum.vector_sum(), &mut shared, arrangement);
    let unit = UNIT_POS as usize;
    if inside && unit < arrangement.width && unit.is_multiple_of(arrangement.group) {
        let row = part.image * maps.partials + part.block;
        let at = row * maps.groups + part.vector / arrangement.group;
        means[at] = mean;
        deviations[at] = deviation;
    }
}

#[cube(launch, address_type = "dynamic")]
fn forward_kernel<N: Size>(
    x: &[Vector<f32, N>],
    weight: &[Vector<f32, N>],
    bias: &[Vector<f32, N>],
    scale: &[Vector<f32, N>],
    shift: &[Vector<f32, N>],
    means: &[f32],
    deviations: &[f32],
    output: &mut [Vector<f32, N>],
    maps: &Maps,
    #[comptime] arrangement: Arrangement,
    #[comptime] with_silu: bool,
) {
    let part = part(maps, arrangement);
    if part.image >= maps.images {
        terminate!();
    }
    if part.vector < maps.vectors {
        let (mean, inverse) = joined::<N>(means, deviations, &part, maps, arrangement);
        let mean = Vector::new(mean);
        let inverse = Vector::new(inverse);
        let (factor, offset) = affine::<N>(&part, maps, weight, bias, scale, shift);
        let factor = factor * inverse;
        for pixel in range_stepped(part.first, part.end, arrangement.rows) {
            let i = pixel * maps.vectors + part.vector;
            let y = (x[i] - mean) * factor + offset;
            if with_silu {
                output[i] = Silu::value::<N>(y);
            } else {
                output[i] = y;
            }
        }
    }
}

/// Sums of `g` and of `g x_hat` in each block, by channel, where `g` is the gradient before the activation.
#[cube(launch, address_type = "dynamic")]
fn sums_kernel<N: Size>(
    x: &[Vector<f32, N>],
    gradient: &[Vector<f32, N>],
    weight: &[Vector<f32, N>],
    bias: &[Vector<f32, N>],
    scale: &[Vector<f32, N>],
    shift: &[Vector<f32, N>],
    means: &[f32],
    deviations: &[f32],
    sums: &mut [Vector<f32, N>],
    products: &mut [Vector<f32, N>],
    maps: &Maps,
    #[comptime] arrangement: Arrangement,
    #[comptime] with_silu: bool,
) {
    let part = part(maps, arrangement);
    if part.image >= maps.images {
        terminate!();
    }
    let units = comptime!(arrangement.units());
    let mut shared_sums = Shared::<[Vector<f32, N>]>::new_slice(units);
    let mut shared_products = Shared::<[Vector<f32, N>]>::new_slice(units);
    let unit = UNIT_POS as usize;
    let inside = part.vector < maps.vectors;
    let mut sum = Vector::<f32, N>::new(0.0_f32);
    let mut product = Vector::<f32, N>::new(0.0_f32);
    if inside {
        let (mean, inverse) = joined::<N>(means, deviations, &part, maps, arrangement);
        let mean = Vector::new(mean);
        let inverse = Vector::new(inverse);
        let (factor, offset) = affine::<N>(&part, maps, weight, bias, scale, shift);
        let factor = factor * inverse;
        for pixel in range_stepped(part.first, part.end, arrangement.rows) {
            let i = pixel * maps.vectors + part.vector;
            let centred = x[i] - mean;
            let g = before_activation::<N>(centred, gradient[i], factor, offset, with_silu);
            sum += g;
            product += g * centred * inverse;
        }
    }
    shared_sums[unit] = sum;
    shared_products[unit] = product;
    sync_cube();
    if inside && unit < arrangement.width {
        for row in 1..arrangement.rows {
            sum += shared_sums[row * arrangement.width + unit];
            product += shared_products[row * arrangement.width + unit];
        }
        let at = (part.image * maps.partials + part.block) * maps.vectors + part.vector;
        sums[at] = sum;
        products[at] = product;
    }
}

/// Sums over the blocks of each image.
#[cube(launch, address_type = "dynamic")]
fn totals_kernel<N: Size>(
    partial_sums: &[Vector<f32, N>],
    partial_products: &[Vector<f32, N>],
    sums: &mut [Vector<f32, N>],
    products: &mut [Vector<f32, N>],
    partials: usize,
    vectors: usize,
) {
    if ABSOLUTE_POS < sums.len() {
        let first = ABSOLUTE_POS / vectors * partials * vectors + ABSOLUTE_POS % vectors;
        let mut sum = Vector::<f32, N>::new(0.0_f32);
        let mut product = Vector::<f32, N>::new(0.0_f32);
        for block in 0..partials {
            sum += partial_sums[first + block * vectors];
            product += partial_products[first + block * vectors];
        }
        sums[ABSOLUTE_POS] = sum;
        products[ABSOLUTE_POS] = product;
    }
}

#[cube(launch, address_type = "dynamic")]
fn gradient_kernel<N: Size>(
    x: &[Vector<f32, N>],
    gradient: &[Vector<f32, N>],
    weight: &[Vector<f32, N>],
    bias: &[Vector<f32, N>],
    scale: &[Vector<f32, N>],
    shift: &[Vector<f32, N>],
    means: &[f32],
    deviations: &[f32],
    sums: &[Vector<f32, N>],
    products: &[Vector<f32, N>],
    output: &mut [Vector<f32, N>],
    maps: &Maps,
    #[comptime] arrangement: Arrangement,
    #[comptime] with_silu: bool,
) {
    let part = part(maps, arrangement);
    if part.image >= maps.images {
        terminate!();
    }
    if part.vector < maps.vectors {
        let (mean, inverse) = joined::<N>(means, deviations, &part, maps, arrangement);
        let first = part.vector / arrangement.group * arrangement.group;
        let mut sum = Vector::<f32, N>::new(0.0_f32);
        let mut product = Vector::<f32, N>::new(0.0_f32);
        for vector in range_stepped(first, first + arrangement.group, 1) {
            let of_image = part.image * maps.vectors + vector;
            let factor = (scale[of_image] + Vector::new(1.0_f32)) * weight[vector];
            sum += factor * sums[of_image];
            product += factor * products[of_image];
        }
        let values = (maps.pixels * arrangement.group * N::value()) as f32;
        let mean_gradient = Vector::new(sum.vector_sum() / values);
        let slope = Vector::new(product.vector_sum() / values * inverse);
        let mean = Vector::new(mean);
        let inverse = Vector::new(inverse);
        let (factor, offset) = affine::<N>(&part, maps, weight, bias, scale, shift);
        let line = factor * inverse;
        for pixel in range_stepped(part.first, part.end, arrangement.rows) {
            let i = pixel * maps.vectors + part.vector;
            let centred = x[i] - mean;
            let g = before_activation::<N>(centred, gradient[i], line, offset, with_silu);
            output[i] = (factor * g - mean_gradient - centred * slope) * inverse;
        }
    }
}

/// What this unit has to do.
#[cube]
fn part(maps: &Maps, #[comptime] arrangement: Arrangement) -> Part {
    let unit = UNIT_POS as usize;
    let blocks = CUBE_POS / maps.chunks;
    let image = blocks / maps.blocks;
    let block = blocks % maps.blocks;
    let begin = image * maps.pixels;
    let first = block * maps.block;
    Part {
        image,
        block,
        vector: CUBE_POS % maps.chunks * arrangement.width + unit % arrangement.width,
        first: begin + first + unit / arrangement.width,
        end: begin + min(first + maps.block, maps.pixels),
    }
}

/// Values of a group in one block, of which all but the last have `pixels`.
#[cube]
fn values<N: Size>(
    block: usize,
    pixels: usize,
    maps: &Maps,
    #[comptime] arrangement: Arrangement,
) -> f32 {
    let pixels = min(pixels, maps.pixels - block * pixels);
    (pixels * arrangement.group * N::value()) as f32
}

/// Mean of this unit's group and `1 / sqrt(var + epsilon)`, from those of all blocks.
#[cube]
fn joined<N: Size>(
    means: &[f32],
    deviations: &[f32],
    part: &Part,
    maps: &Maps,
    #[comptime] arrangement: Arrangement,
) -> (f32, f32) {
    let group = part.vector / arrangement.group;
    let mut mean = 0.0_f32;
    let mut deviation = 0.0_f32;
    let mut count = 0.0_f32;
    for block in 0..maps.partials {
        let at = (part.image * maps.partials + block) * maps.groups + group;
        let values = values::<N>(block, maps.partial, maps, arrangement);
        let total = count + values;
        let step = means[at] - mean;
        mean += step * (values / total);
        deviation += deviations[at] + step * step * (count * values / total);
        count = total;
    }
    (mean, 1.0_f32 / (deviation / count + maps.epsilon).sqrt())
}

/// Factors and offsets of `x_hat` for the channels of this unit.
#[cube]
fn affine<N: Size>(
    part: &Part,
    maps: &Maps,
    weight: &[Vector<f32, N>],
    bias: &[Vector<f32, N>],
    scale: &[Vector<f32, N>],
    shift: &[Vector<f32, N>],
) -> (Vector<f32, N>, Vector<f32, N>) {
    let of_image = part.image * maps.vectors + part.vector;
    let scale = scale[of_image] + Vector::new(1.0_f32);
    (
        scale * weight[part.vector],
        scale * bias[part.vector] + shift[of_image],
    )
}

/// Sum of `value` over the units of each group, in the same order every time. Every unit of the cube must call
/// it, since they wait for each other.
#[cube]
fn sum_group(value: f32, shared: &mut Shared<[f32]>, #[comptime] arrangement: Arrangement) -> f32 {
    let unit = UNIT_POS as usize;
    let lane = unit % arrangement.width;
    let leader = lane - lane % arrangement.group;
    shared[unit] = value;
    sync_cube();
    let mut sum = 0.0_f32;
    for row in 0..arrangement.rows {
        for i in 0..arrangement.group {
            sum += shared[row * arrangement.width + leader + i];
        }
    }
    // The next sum overwrites the places.
    sync_cube();
    sum
}
