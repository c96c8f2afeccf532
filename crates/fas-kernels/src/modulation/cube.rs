//! Modulation by grids on CubeCL runtimes.
//!
//! A grid is drawn up in two steps: its rows are made as wide as a tile of the map's columns, in shared
//! memory, and each pixel of the tile combines them. Forward a cube is one tile of one map; backward it is one
//! map, whose tiles it takes one after another, so that no sum is shared between cubes.

use burn::backend::TensorMetadata;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::reference;
use crate::cube::{address_type, all_f32, cube_count, cube_units, empty};

/// Columns of a tile at most: neighbours in memory that are read together.
const COLUMNS: usize = 32;

/// Sizes of the maps.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
struct Maps {
    count: usize,
    /// Sides of a map.
    size: usize,
    /// Tiles of a map.
    tiles: usize,
}

/// What a kernel is compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
struct Arrangement {
    /// Units of a cube.
    units: usize,
    /// Columns of a tile.
    columns: usize,
    scale_side: usize,
    shift_side: usize,
}

impl Arrangement {
    /// `None` if `rows` rows of a tile do not fit the shared memory even with one column.
    fn new(x: &CubeTensor, sides: [usize; 2], rows: usize) -> Option<Self> {
        let size = x.shape()[2];
        let memory = x.client.properties().hardware.max_shared_memory_size;
        let room = memory / (rows * size_of::<f32>());
        let columns = size.next_power_of_two().min(COLUMNS);
        let columns = columns.min(1 << room.checked_ilog2()?);
        let most = (columns * sides[0].max(sides[1]).max(size)).next_power_of_two();
        Some(Self {
            units: most.min(cube_units(&x.client)),
            columns,
            scale_side: sides[0],
            shift_side: sides[1],
        })
    }

    fn maps(&self, x: &CubeTensor) -> (usize, usize, MapsLaunch) {
        let [batch_size, channels, size, _] = x.shape().dims();
        let (maps, tiles) = (batch_size * channels, size.div_ceil(self.columns));
        (maps, tiles, MapsLaunch::new(maps, size, tiles))
    }

    fn dim(&self) -> CubeDim {
        CubeDim::new_1d(self.units as u32)
    }
}

fn sides(axes: [&CubeTensor; 2]) -> [usize; 2] {
    axes.map(|axis| axis.shape()[1])
}

/// See [`KernelOps::modulation_forward`](crate::KernelOps::modulation_forward).
pub(crate) fn forward(
    x: CubeTensor,
    scale: CubeTensor,
    shift: CubeTensor,
    scale_axis: CubeTensor,
    shift_axis: CubeTensor,
) -> CubeTensor {
    let sides = sides([&scale_axis, &shift_axis]);
    let arrangement = all_f32(&[&x, &scale, &shift, &scale_axis, &shift_axis])
        .then(|| Arrangement::new(&x, sides, sides[0] + sides[1]))
        .flatten();
    let Some(arrangement) = arrangement else {
        return reference::forward::<CubeBackend>(x, scale, shift, scale_axis, shift_axis);
    };
    let [x, scale, shift, scale_axis, shift_axis] =
        [x, scale, shift, scale_axis, shift_axis].map(into_contiguous);
    let output = empty(&x, x.shape());
    let (count, tiles, maps) = arrangement.maps(&x);
    forward_kernel::launch(
        &output.client,
        cube_count(&x.client, count * tiles),
        arrangement.dim(),
        address_type(&[&x, &scale, &shift]),
        x.into_buffer_arg(),
        scale.into_buffer_arg(),
        shift.into_buffer_arg(),
        scale_axis.into_buffer_arg(),
        shift_axis.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        maps,
        arrangement,
    );
    output
}

/// See [`KernelOps::modulation_gradients`](crate::KernelOps::modulation_gradients).
pub(crate) fn gradients(
    x: CubeTensor,
    gradient: CubeTensor,
    scale: CubeTensor,
    scale_axis: CubeTensor,
    shift_axis: CubeTensor,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    let sides = sides([&scale_axis, &shift_axis]);
    let arrangement = all_f32(&[&x, &gradient, &scale, &scale_axis, &shift_axis])
        .then(|| Arrangement::new(&x, sides, 2 * sides[0] + sides[1]))
        .flatten();
    let Some(arrangement) = arrangement else {
        return reference::gradients::<CubeBackend>(x, gradient, scale, scale_axis, shift_axis);
    };
    let [x, gradient, scale, scale_axis, shift_axis] =
        [x, gradient, scale, scale_axis, shift_axis].map(into_contiguous);
    let d_x = empty(&x, x.shape());
    let d_scale = empty(&x, scale.shape());
    let mut grid = scale.shape();
    grid[2] = sides[1] * sides[1];
    let d_shift = empty(&x, grid);
    let (count, _, maps) = arrangement.maps(&x);
    gradients_kernel::launch(
        &d_x.client,
        cube_count(&x.client, count),
        arrangement.dim(),
        address_type(&[&x, &scale, &d_shift]),
        x.into_buffer_arg(),
        gradient.into_buffer_arg(),
        scale.into_buffer_arg(),
        scale_axis.into_buffer_arg(),
        shift_axis.into_buffer_arg(),
        d_x.clone().into_buffer_arg(),
        d_scale.clone().into_buffer_arg(),
        d_shift.clone().into_buffer_arg(),
        maps,
        arrangement,
    );
    (d_x, d_scale, d_shift)
}

#[cube(launch, address_type = "dynamic")]
fn forward_kernel(
    x: &[f32],
    scale: &[f32],
    shift: &[f32],
    scale_axis: &[f32],
    shift_axis: &[f32],
    output: &mut [f32],
    maps: &Maps,
    #[comptime] arrangement: Arrangement,
) {
    let map = CUBE_POS / maps.tiles;
    if map >= maps.count {
        terminate!();
    }
    let Arrangement {
        units,
        columns,
        scale_side,
        shift_side,
    } = comptime!(arrangement);
    let mut wide_scale = Shared::new_slice(comptime!(scale_side * columns));
    let mut wide_shift = Shared::new_slice(comptime!(shift_side * columns));
    let first = CUBE_POS % maps.tiles * columns;
    widen(
        scale,
        map,
        scale_axis,
        &mut wide_scale,
        first,
        maps.size,
        scale_side,
        columns,
        units,
    );
    widen(
        shift,
        map,
        shift_axis,
        &mut wide_shift,
        first,
        maps.size,
        shift_side,
        columns,
        units,
    );
    sync_cube();

    for place in range_stepped(UNIT_POS as usize, maps.size * columns, units) {
        let column = place % columns;
        let y = place / columns;
        if first + column < maps.size {
            let factor = pixel(scale_axis, &wide_scale, y, column, scale_side, columns);
            let offset = pixel(shift_axis, &wide_shift, y, column, shift_side, columns);
            let i = (map * maps.size + y) * maps.size + first + column;
            output[i] = x[i] * factor + offset;
        }
    }
}

#[cube(launch, address_type = "dynamic")]
fn gradients_kernel(
    x: &[f32],
    gradient: &[f32],
    scale: &[f32],
    scale_axis: &[f32],
    shift_axis: &[f32],
    d_x: &mut [f32],
    d_scale: &mut [f32],
    d_shift: &mut [f32],
    maps: &Maps,
    #[comptime] arrangement: Arrangement,
) {
    let map = CUBE_POS;
    if map >= maps.count {
        terminate!();
    }
    let Arrangement {
        units,
        columns,
        scale_side,
        shift_side,
    } = comptime!(arrangement);
    let mut wide_scale = Shared::new_slice(comptime!(scale_side * columns));
    let mut scale_sums = Shared::new_slice(comptime!(scale_side * columns));
    let mut shift_sums = Shared::new_slice(comptime!(shift_side * columns));
    let unit = UNIT_POS as usize;
    let size = maps.size;
    let begin = map * size * size;

    for tile in 0..maps.tiles {
        let first = tile * columns;
        widen(
            scale,
            map,
            scale_axis,
            &mut wide_scale,
            first,
            size,
            scale_side,
            columns,
            units,
        );
        sync_cube();
        for place in range_stepped(unit, size * columns, units) {
            let column = place % columns;
            let y = place / columns;
            if first + column < size {
                let factor = pixel(scale_axis, &wide_scale, y, column, scale_side, columns);
                let i = begin + y * size + first + column;
                d_x[i] = gradient[i] * factor;
            }
        }
        // The transpose, in the same two steps backward: columns first, then along the tile.
        for place in range_stepped(unit, scale_side * columns, units) {
            let row = place / columns;
            let column = first + place % columns;
            let mut sum = 0.0_f32;
            if column < size {
                for y in 0..size {
                    let i = begin + y * size + column;
                    sum += scale_axis[y * scale_side + row] * (x[i] * gradient[i]);
                }
            }
            scale_sums[place] = sum;
        }
        for place in range_stepped(unit, shift_side * columns, units) {
            let row = place / columns;
            let column = first + place % columns;
            let mut sum = 0.0_f32;
            if column < size {
                for y in 0..size {
                    sum += shift_axis[y * shift_side + row] * gradient[begin + y * size + column];
                }
            }
            shift_sums[place] = sum;
        }
        sync_cube();
        narrow(
            &scale_sums,
            map,
            scale_axis,
            d_scale,
            first,
            size,
            scale_side,
            columns,
            units,
        );
        narrow(
            &shift_sums,
            map,
            shift_axis,
            d_shift,
            first,
            size,
            shift_side,
            columns,
            units,
        );
        // The next tile overwrites the shared memory.
        sync_cube();
    }
}

/// Writes the rows of a map's grid, as wide as the tile that begins with column `first` of the map; zeros
/// beyond the map.
#[cube]
fn widen(
    grids: &[f32],
    map: usize,
    axis: &[f32],
    wide: &mut Shared<[f32]>,
    first: usize,
    size: usize,
    #[comptime] side: usize,
    #[comptime] columns: usize,
    #[comptime] units: usize,
) {
    for place in range_stepped(UNIT_POS as usize, side * columns, units) {
        let column = first + place % columns;
        let row = (map * side + place / columns) * side;
        let mut sum = 0.0_f32;
        if column < size {
            for j in 0..side {
                let weight = axis[column * side + j];
                if weight != 0.0_f32 {
                    sum += weight * grids[row + j];
                }
            }
        }
        wide[place] = sum;
    }
}

/// The value of the drawn grid in row `y` of the map and column `column` of the tile.
#[cube]
fn pixel(
    axis: &[f32],
    wide: &Shared<[f32]>,
    y: usize,
    column: usize,
    #[comptime] side: usize,
    #[comptime] columns: usize,
) -> f32 {
    let mut sum = 0.0_f32;
    for i in 0..side {
        let weight = axis[y * side + i];
        if weight != 0.0_f32 {
            sum += weight * wide[i * columns + column];
        }
    }
    sum
}

/// Adds what the tile that begins with column `first` of the map gives to each cell of the map's grid.
#[cube]
fn narrow(
    sums: &Shared<[f32]>,
    map: usize,
    axis: &[f32],
    grids: &mut [f32],
    first: usize,
    size: usize,
    #[comptime] side: usize,
    #[comptime] columns: usize,
    #[comptime] units: usize,
) {
    let count = min(columns, size - first);
    for cell in range_stepped(UNIT_POS as usize, side * side, units) {
        let row = cell / side * columns;
        let mut sum = 0.0_f32;
        for column in 0..count {
            sum += sums[row + column] * axis[(first + column) * side + cell % side];
        }
        // A cell belongs to one unit in every tile.
        let i = map * side * side + cell;
        if first > 0 {
            sum += grids[i];
        }
        grids[i] = sum;
    }
}
