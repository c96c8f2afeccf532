//! Group normalisation of channels-last maps, as Burn's convolutions return and read them: without a copy on
//! either side.
//!
//! Two launches, of which each spreads one image over many cubes. A cube is a block of pixels and a chunk of
//! groups; a unit has one vector of channels in every so many pixels. The first launch makes mean and sum of
//! squared deviations of each group in each block, the second joins those of all blocks and normalises.

use burn::tensor::Shape;
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::tensor::CubeTensor;

use super::GroupNormOptions;
use crate::cube::elementwise::Unary;
use crate::cube::{address_type, cube_count, cube_units, empty, empty_channels_last, vector_size};
use crate::silu::cube::Silu;

/// Vectors that a unit normalises.
const VECTORS: usize = 16;
/// Blocks of an image at most in the first launch: every cube of the second reads what they found.
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
    /// The same of the first launch.
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

/// The norm of `x`, an `f32` tensor whose channels come last in memory; `None` if a group is too wide for a cube.
pub(super) fn forward(
    x: &CubeTensor,
    [weight, bias, scale, shift]: [CubeTensor; 4],
    options: &GroupNormOptions,
) -> Option<CubeTensor> {
    let shape = x.meta.shape();
    let (images, channels, groups) = (shape[0], shape[1], options.num_groups);
    let pixels: usize = shape[2..].iter().product();
    let vector_size = vector_size(&x.client, channels / groups);
    let (vectors, group) = (channels / vector_size, channels / groups / vector_size);
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
    let chunks = groups.div_ceil(groups_each);
    let block = arrangement.rows * VECTORS;
    let partial = block.max(pixels.div_ceil(PARTIALS));
    let partials = pixels.div_ceil(partial);
    let maps = |blocks, block| {
        let epsilon = options.epsilon as f32;
        MapsLaunch::new(
            images, pixels, vectors, groups, chunks, blocks, block, partials, partial, epsilon,
        )
    };
    let dim = CubeDim::new_1d(arrangement.units() as u32);
    let [means, deviations] = [(); 2].map(|()| empty(x, Shape::new([images, partials, groups])));
    statistics_kernel::launch(
        &x.client,
        cube_count(&x.client, images * partials * chunks),
        dim,
        address_type(&[x]),
        vector_size,
        x.clone().into_buffer_arg(),
        means.clone().into_buffer_arg(),
        deviations.clone().into_buffer_arg(),
        maps(partials, partial),
        arrangement,
    );
    let output = empty_channels_last(x, x.meta.shape().clone());
    let blocks = pixels.div_ceil(block);
    forward_kernel::launch(
        &x.client,
        cube_count(&x.client, images * blocks * chunks),
        dim,
        address_type(&[x]),
        vector_size,
        x.clone().into_buffer_arg(),
        weight.into_buffer_arg(),
        bias.into_buffer_arg(),
        scale.into_buffer_arg(),
        shift.into_buffer_arg(),
        means.into_buffer_arg(),
        deviations.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        maps(blocks, block),
        arrangement,
        options.silu,
    );
    Some(output)
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
    let mut shared_means = Shared::new_slice(arrangement.width);
    let mut shared_inverses = Shared::new_slice(arrangement.width);
    let unit = UNIT_POS as usize;
    let lane = unit % arrangement.width;
    let leader = lane - lane % arrangement.group;
    let inside = part.vector < maps.vectors;
    if inside && unit == leader {
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
        shared_means[lane] = mean;
        shared_inverses[lane] = 1.0_f32 / (deviation / count + maps.epsilon).sqrt();
    }
    sync_cube();
    if inside {
        let mean = Vector::new(shared_means[leader]);
        let inverse = Vector::new(shared_inverses[leader]);
        let of_image = part.image * maps.vectors + part.vector;
        let scale = scale[of_image] + Vector::new(1.0_f32);
        let factor = scale * weight[part.vector] * inverse;
        let offset = scale * bias[part.vector] + shift[of_image];
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
