//! Patch moments on the Flex backend, channel by channel.

use burn::backend::flex::{Flex, FlexTensor};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::{Grid, PatchOptions, reference};
use crate::buffer::{all_f32, dims, output, read, tensor};
use crate::simd;

/// Floats of the map that a rayon job should have at least.
const JOB: usize = 16 * 1024;

/// See [`KernelOps::patch_moments_forward`](crate::KernelOps::patch_moments_forward).
pub(crate) fn forward(x: FlexTensor, options: PatchOptions) -> FlexTensor {
    let [batch_size, channels, height, width] = dims(&x);
    let pixels = height * width;
    if !all_f32(&[&x]) || batch_size * channels * pixels == 0 {
        return reference::forward::<Flex>(x, options);
    }
    let values = options.values(height, width);
    let mut output = output(batch_size * channels * values);
    output
        .par_chunks_mut(values)
        .zip(read(&x).par_chunks(pixels))
        .with_min_len(JOB.div_ceil(pixels))
        .for_each_init(
            || vec![0.0; 2 * width],
            |columns, (output, map)| {
                simd::dispatch(Moments {
                    map,
                    width,
                    options,
                    columns,
                    output,
                });
            },
        );
    tensor(output, [batch_size, channels, values])
}

/// See [`KernelOps::patch_moments_gradient`](crate::KernelOps::patch_moments_gradient).
pub(crate) fn gradient(x: FlexTensor, gradient: FlexTensor, options: PatchOptions) -> FlexTensor {
    let [batch_size, channels, height, width] = dims(&x);
    let pixels = height * width;
    if !all_f32(&[&x, &gradient]) || batch_size * channels * pixels == 0 {
        return reference::gradient::<Flex>(x, gradient, options);
    }
    let mut output = output(batch_size * channels * pixels);
    output
        .par_chunks_mut(pixels)
        .zip(read(&x).par_chunks(pixels))
        .zip(read(&gradient).par_chunks(options.values(height, width)))
        .with_min_len(JOB.div_ceil(pixels))
        .for_each_init(
            || vec![0.0; 3 * width],
            |rows, ((output, map), gradient)| {
                simd::dispatch(Gradient {
                    map,
                    gradient,
                    width,
                    options,
                    rows,
                    output,
                });
            },
        );
    tensor(output, [batch_size, channels, height, width])
}

// Plain loops: the compiler makes vector instructions of them, for the set that `dispatch` chose.

/// Moments of one map.
struct Moments<'a> {
    map: &'a [f32],
    width: usize,
    options: PatchOptions,
    /// Room for sums of columns and of their squares.
    columns: &'a mut [f32],
    output: &'a mut [f32],
}

impl WithSimd for Moments<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Self {
            map,
            width,
            options,
            columns,
            output,
        } = self;
        let [mean, spread] = options.grids(map.len() / width, width);
        let (means, rest) = output.split_at_mut(mean.cells() + 1);
        let (spread_means, spread_squares) = rest.split_at_mut(spread.cells() + 1);
        let (sums, squares) = columns.split_at_mut(width);

        let (global, first) = options.places(&spread);
        sum_columns(map, sums, squares);
        let share = 1.0 / map.len() as f32;
        let whole = total(sums) * share;
        spread_means[global] = whole;
        spread_squares[global] = total(squares) * share;
        let bands = map.chunks(spread.height * width).take(spread.rows);
        for (row, band) in bands.enumerate() {
            sum_columns(band, sums, squares);
            let cells = first + row * spread.columns..first + (row + 1) * spread.columns;
            average(sums, &spread, &mut spread_means[cells.clone()]);
            average(squares, &spread, &mut spread_squares[cells]);
        }

        let (global, first) = options.places(&mean);
        means[global] = whole;
        let bands = map.chunks(mean.height * width).take(mean.rows);
        for (row, band) in bands.enumerate() {
            sums.fill(0.0);
            for row in band.chunks_exact(width) {
                for (sum, value) in sums.iter_mut().zip(row) {
                    *sum += value;
                }
            }
            let first = first + row * mean.columns;
            average(sums, &mean, &mut means[first..first + mean.columns]);
        }
    }
}

/// Sums of the columns of some rows, and of their squares.
#[inline(always)]
fn sum_columns(rows: &[f32], sums: &mut [f32], squares: &mut [f32]) {
    sums.fill(0.0);
    squares.fill(0.0);
    for row in rows.chunks_exact(sums.len()) {
        for ((sum, square), value) in sums.iter_mut().zip(&mut *squares).zip(row) {
            *sum += value;
            *square = value.mul_add(*value, *square);
        }
    }
}

/// Means of a row of patches from the sums of their columns.
#[inline(always)]
fn average(sums: &[f32], grid: &Grid, cells: &mut [f32]) {
    for (cell, sums) in cells.iter_mut().zip(sums.chunks_exact(grid.width)) {
        *cell = sums.iter().sum::<f32>() * grid.share();
    }
}

/// The sum of the values, in sixteen parts.
#[inline(always)]
fn total(values: &[f32]) -> f32 {
    let (chunks, rest) = values.as_chunks::<16>();
    let mut sums = [0.0; 16];
    for chunk in chunks {
        for (sum, value) in sums.iter_mut().zip(chunk) {
            *sum += value;
        }
    }
    sums.iter().sum::<f32>() + rest.iter().sum::<f32>()
}

/// Gradient of one map.
struct Gradient<'a> {
    map: &'a [f32],
    gradient: &'a [f32],
    width: usize,
    options: PatchOptions,
    /// Room for what a row gets from means, means of the spread's patches and mean squares.
    rows: &'a mut [f32],
    output: &'a mut [f32],
}

impl WithSimd for Gradient<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let Self {
            map,
            gradient,
            width,
            options,
            rows,
            output,
        } = self;
        let [mean, spread] = options.grids(map.len() / width, width);
        let (means, rest) = gradient.split_at(mean.cells() + 1);
        let (spread_means, spread_squares) = rest.split_at(spread.cells() + 1);
        let (mean_row, rest) = rows.split_at_mut(width);
        let (spread_row, square_row) = rest.split_at_mut(width);
        let ((mean_global, mean_first), (spread_global, spread_first)) =
            (options.places(&mean), options.places(&spread));
        let share = 1.0 / map.len() as f32;
        let constant = (means[mean_global] + spread_means[spread_global]) * share;
        let factor = 2.0 * spread_squares[spread_global] * share;
        let lines = output.chunks_exact_mut(width).zip(map.chunks_exact(width));
        for (y, (output, map)) in lines.enumerate() {
            if y.is_multiple_of(mean.height) {
                stretch(&means[mean_first..], &mean, y, constant, mean_row);
            }
            if y.is_multiple_of(spread.height) {
                stretch(&spread_means[spread_first..], &spread, y, 0.0, spread_row);
                stretch(&spread_squares[spread_first..], &spread, y, 0.0, square_row);
            }
            for (x, output) in output.iter_mut().enumerate() {
                let slope = 2.0f32.mul_add(square_row[x], factor);
                *output = slope.mul_add(map[x], mean_row[x] + spread_row[x]);
            }
        }
    }
}

/// Each pixel's share of its patch's value, and `rest`, in row `y` of the map.
#[inline(always)]
fn stretch(cells: &[f32], grid: &Grid, y: usize, rest: f32, row: &mut [f32]) {
    row.fill(rest);
    let line = y / grid.height;
    if line < grid.rows {
        let cells = &cells[line * grid.columns..][..grid.columns];
        for (pixels, cell) in row.chunks_exact_mut(grid.width).zip(cells) {
            pixels.fill(cell.mul_add(grid.share(), rest));
        }
    }
}
