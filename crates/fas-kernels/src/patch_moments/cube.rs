//! Patch moments on CubeCL runtimes: a cube is one map. Its units first sum the whole map, which leaves it in
//! the nearest cache, then each sums whole patches from there.

use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::{self, calculate_cube_count_elemwise, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::{Grid, PatchOptions, reference};
use crate::cube::reduction::sum_units;
use crate::cube::{address_type, all_f32, cube_count, cube_units, empty};

/// Sizes of the maps and of what is told of each.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
struct Maps {
    count: usize,
    width: usize,
    pixels: usize,
    /// Values of a map: means, means of the spread's patches and mean squares.
    values: usize,
    /// From the mean of a patch of the spread to its mean square.
    squares: usize,
    /// One over the pixels.
    share: f32,
}

/// A [`Grid`], and where its values are among those of a map.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
struct Patches {
    rows: usize,
    columns: usize,
    height: usize,
    width: usize,
    /// One over the pixels of a patch.
    share: f32,
    /// Where the whole map is, and the first patch.
    whole: usize,
    first: usize,
}

fn maps(shape: &Shape, options: PatchOptions) -> MapsLaunch {
    let [batch_size, channels, height, width] = shape.dims();
    let [_, spread] = options.grids(height, width);
    let pixels = height * width;
    MapsLaunch::new(
        batch_size * channels,
        width,
        pixels,
        options.values(height, width),
        spread.cells() + 1,
        1.0 / pixels as f32,
    )
}

/// The patches of the means and of the spread.
fn patches(shape: &Shape, options: PatchOptions) -> [PatchesLaunch; 2] {
    let [_, _, height, width] = shape.dims();
    let [mean, spread] = options.grids(height, width);
    let launch = |grid: &Grid, begin: usize| {
        let (whole, first) = options.places(grid);
        PatchesLaunch::new(
            grid.rows,
            grid.columns,
            grid.height,
            grid.width,
            grid.share(),
            begin + whole,
            begin + first,
        )
    };
    [launch(&mean, 0), launch(&spread, mean.cells() + 1)]
}

/// See [`KernelOps::patch_moments_forward`](crate::KernelOps::patch_moments_forward).
pub(crate) fn forward(x: CubeTensor, options: PatchOptions) -> CubeTensor {
    if !all_f32(&[&x]) {
        return reference::forward::<CubeBackend>(x, options);
    }
    let x = into_contiguous(x);
    let shape = x.shape();
    let [batch_size, channels, height, width] = shape.dims();
    let values = options.values(height, width);
    let output = empty(&x, Shape::new([batch_size, channels, values]));
    let units = (height * width).next_power_of_two();
    let units = units.min(cube_units(&x.client));
    let [mean, spread] = patches(&shape, options);
    forward_kernel::launch(
        &output.client,
        cube_count(&x.client, batch_size * channels),
        CubeDim::new_1d(units as u32),
        address_type(&[&x, &output]),
        x.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        maps(&shape, options),
        mean,
        spread,
        units,
    );
    output
}

/// See [`KernelOps::patch_moments_gradient`](crate::KernelOps::patch_moments_gradient).
pub(crate) fn gradient(x: CubeTensor, gradient: CubeTensor, options: PatchOptions) -> CubeTensor {
    if !all_f32(&[&x, &gradient]) {
        return reference::gradient::<CubeBackend>(x, gradient, options);
    }
    let [x, gradient] = [x, gradient].map(into_contiguous);
    let shape = x.shape();
    let output = empty(&x, shape.clone());
    let dim = CubeDim::new(&x.client, shape.num_elements());
    let [mean, spread] = patches(&shape, options);
    gradient_kernel::launch(
        &output.client,
        calculate_cube_count_elemwise(&x.client, shape.num_elements(), dim),
        dim,
        address_type(&[&x, &gradient]),
        x.into_buffer_arg(),
        gradient.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        maps(&shape, options),
        mean,
        spread,
    );
    output
}

#[cube(launch, address_type = "dynamic")]
fn forward_kernel(
    x: &[f32],
    output: &mut [f32],
    maps: &Maps,
    mean: &Patches,
    spread: &Patches,
    #[comptime] units: usize,
) {
    let map = CUBE_POS;
    if map >= maps.count {
        terminate!();
    }
    let mut shared = Shared::new_slice(units);
    let unit = UNIT_POS as usize;
    let begin = map * maps.pixels;
    let values = map * maps.values;

    let mut sum = 0.0_f32;
    let mut square = 0.0_f32;
    for i in range_stepped(begin + unit, begin + maps.pixels, units) {
        let value = x[i];
        sum += value;
        square += value * value;
    }
    let sum = sum_units(sum, &mut shared, units) * maps.share;
    let square = sum_units(square, &mut shared, units) * maps.share;
    if unit == 0 {
        output[values + mean.whole] = sum;
        output[values + spread.whole] = sum;
        output[values + maps.squares + spread.whole] = square;
    }

    for cell in range_stepped(unit, mean.rows * mean.columns, units) {
        let (sum, _) = patch_sums(x, begin, maps.width, mean, cell);
        output[values + mean.first + cell] = sum * mean.share;
    }
    for cell in range_stepped(unit, spread.rows * spread.columns, units) {
        let (sum, square) = patch_sums(x, begin, maps.width, spread, cell);
        output[values + spread.first + cell] = sum * spread.share;
        output[values + maps.squares + spread.first + cell] = square * spread.share;
    }
}

/// Sums of the values of a patch and of their squares, where the map of `width` columns begins at `begin`.
#[cube]
fn patch_sums(x: &[f32], begin: usize, width: usize, patches: &Patches, cell: usize) -> (f32, f32) {
    let top = cell / patches.columns * patches.height;
    let left = cell % patches.columns * patches.width;
    let mut sum = 0.0_f32;
    let mut square = 0.0_f32;
    for y in top..top + patches.height {
        let row = begin + y * width + left;
        for i in range_stepped(row, row + patches.width, 1) {
            let value = x[i];
            sum += value;
            square += value * value;
        }
    }
    (sum, square)
}

#[cube(launch, address_type = "dynamic")]
fn gradient_kernel(
    x: &[f32],
    gradient: &[f32],
    output: &mut [f32],
    maps: &Maps,
    mean: &Patches,
    spread: &Patches,
) {
    if ABSOLUTE_POS < output.len() {
        let values = ABSOLUTE_POS / maps.pixels * maps.values;
        let pixel = ABSOLUTE_POS % maps.pixels;
        let row = pixel / maps.width;
        let column = pixel % maps.width;
        let squares = values + maps.squares;
        let linear = share(gradient, values, row, column, maps, mean)
            + share(gradient, values, row, column, maps, spread);
        let slope = share(gradient, squares, row, column, maps, spread);
        output[ABSOLUTE_POS] = 2.0_f32 * slope * x[ABSOLUTE_POS] + linear;
    }
}

/// A pixel's share of its patch's value and of the whole map's, where the values begin at `values`.
#[cube]
fn share(
    gradient: &[f32],
    values: usize,
    row: usize,
    column: usize,
    maps: &Maps,
    patches: &Patches,
) -> f32 {
    let mut share = gradient[values + patches.whole] * maps.share;
    let row = row / patches.height;
    let column = column / patches.width;
    if row < patches.rows && column < patches.columns {
        let cell = row * patches.columns + column;
        share += gradient[values + patches.first + cell] * patches.share;
    }
    share
}
