//! Sums and maxima over the units of a cube, through shared memory.

use burn_cubecl::cubecl::{self, prelude::*};

/// What [`reduce_units`] makes of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Reduction {
    Sum,
    /// The largest; any number if one is NaN.
    Max,
}

/// Sum of `value` over each run of `width` units, a power of two, in the same order every time.
///
/// Every unit of the cube must call it, since they wait for each other; `shared` has a place for
/// each.
#[cube]
pub(crate) fn sum_units(value: f32, shared: &mut Shared<[f32]>, #[comptime] width: usize) -> f32 {
    reduce_units(value, shared, width, Reduction::Sum)
}

/// As [`sum_units`], for either reduction.
#[cube]
pub(crate) fn reduce_units(
    value: f32,
    shared: &mut Shared<[f32]>,
    #[comptime] width: usize,
    #[comptime] reduction: Reduction,
) -> f32 {
    let unit = UNIT_POS as usize;
    let lane = unit % width;
    shared[unit] = value;
    sync_cube();
    #[unroll]
    for step in 0..comptime!(width.ilog2()) {
        let half = comptime!(width >> (step + 1));
        if lane < half {
            let own = shared[unit];
            let other = shared[unit + half];
            match reduction {
                Reduction::Sum => shared[unit] = own + other,
                Reduction::Max => shared[unit] = max(own, other),
            }
        }
        sync_cube();
    }
    let total = shared[unit - lane];
    // The next reduction overwrites the places.
    sync_cube();
    total
}
