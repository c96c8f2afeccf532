//! Modulation by grids on the Flex backend, channel by channel.

use std::ops::Range;

use burn::backend::flex::{Flex, FlexTensor};
use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use super::reference;
use crate::buffer::{all_f32, dims, output, overwrite, read, tensor};
use crate::simd;

/// Floats of the map that a rayon job should have at least.
const JOB: usize = 16 * 1024;

/// See [`KernelOps::modulation_forward`](crate::KernelOps::modulation_forward).
pub(crate) fn forward(
    x: FlexTensor,
    scale: FlexTensor,
    shift: FlexTensor,
    scale_axis: FlexTensor,
    shift_axis: FlexTensor,
) -> FlexTensor {
    let [batch_size, channels, size, _] = dims(&x);
    let pixels = size * size;
    if !all_f32(&[&x, &scale, &shift, &scale_axis, &shift_axis])
        || batch_size * channels * pixels == 0
    {
        return reference::forward::<Flex>(x, scale, shift, scale_axis, shift_axis);
    }
    let [scale_axis, shift_axis] = [scale_axis, shift_axis].map(|axis| Axis::new(&axis));
    let (scale, shift) = (read(&scale), read(&shift));
    let mut maps = vec![(); batch_size * channels];
    overwrite(
        x,
        pixels,
        JOB.div_ceil(pixels),
        (&mut maps, 1),
        |map, values, _| {
            simd::dispatch(Forward {
                values,
                scale: scale_axis.of(&scale, map),
                shift: shift_axis.of(&shift, map),
            });
        },
    )
}

/// See [`KernelOps::modulation_gradients`](crate::KernelOps::modulation_gradients).
pub(crate) fn gradients(
    x: FlexTensor,
    gradient: FlexTensor,
    scale: FlexTensor,
    scale_axis: FlexTensor,
    shift_axis: FlexTensor,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    let [batch_size, channels, size, _] = dims(&x);
    let (maps, pixels) = (batch_size * channels, size * size);
    if !all_f32(&[&x, &gradient, &scale, &scale_axis, &shift_axis]) || maps * pixels == 0 {
        return reference::gradients::<Flex>(x, gradient, scale, scale_axis, shift_axis);
    }
    let [scale_axis, shift_axis] = [scale_axis, shift_axis].map(|axis| Axis::new(&axis));
    let (x, gradient, scale) = (read(&x), read(&gradient), read(&scale));
    let (scale_cells, shift_cells) = (scale_axis.cells(), shift_axis.cells());
    let [mut d_x, mut d_scale, mut d_shift] =
        [pixels, scale_cells, shift_cells].map(|len| output(maps * len));
    d_x.par_chunks_mut(pixels)
        .zip(d_scale.par_chunks_mut(scale_cells))
        .zip(d_shift.par_chunks_mut(shift_cells))
        .with_min_len(JOB.div_ceil(pixels))
        .enumerate()
        .for_each(|(map, ((d_x, d_scale), d_shift))| {
            simd::dispatch(Gradients {
                x: &x[map * pixels..][..pixels],
                gradient: &gradient[map * pixels..][..pixels],
                scale: scale_axis.of(&scale, map),
                shift_axis: &shift_axis,
                outputs: [d_x, d_scale, d_shift],
            });
        });
    let grid = |values, cells| tensor(values, [batch_size, channels, cells]);
    (
        tensor(d_x, [batch_size, channels, size, size]),
        grid(d_scale, scale_cells),
        grid(d_shift, shift_cells),
    )
}

/// Weights from the places of a grid's side to the pixels of a map's.
struct Axis {
    size: usize,
    side: usize,
    /// `[size, side]`.
    weights: Vec<f32>,
    /// `[side, size]`.
    transposed: Vec<f32>,
    /// The places of each pixel between the first and the last whose weight is not zero.
    spans: Vec<Range<usize>>,
}

impl Axis {
    fn new(axis: &FlexTensor) -> Self {
        let [size, side] = dims(axis);
        let weights = read(axis).to_vec();
        let transposed = (0..side * size)
            .map(|i| weights[i % size * side + i / size])
            .collect();
        let spans = weights.chunks_exact(side).map(|row| {
            let is_used = |weight: &f32| *weight != 0.0;
            let first = row.iter().position(is_used).unwrap_or(0);
            first..row.iter().rposition(is_used).map_or(first, |last| last + 1)
        });
        Self {
            size,
            side,
            spans: spans.collect(),
            weights,
            transposed,
        }
    }

    fn cells(&self) -> usize {
        self.side * self.side
    }

    /// The grid of a map.
    fn of<'a>(&'a self, grids: &'a [f32], map: usize) -> GridMap<'a> {
        GridMap {
            axis: self,
            grid: &grids[map * self.cells()..][..self.cells()],
        }
    }

    /// Places and weights of a pixel.
    #[inline(always)]
    fn pixel(&self, y: usize) -> impl Iterator<Item = (usize, f32)> {
        let span = self.spans[y].clone();
        let weights = &self.weights[y * self.side..][span.clone()];
        span.zip(weights.iter().copied())
    }

    /// Weights of a place in all pixels.
    #[inline(always)]
    fn place(&self, j: usize) -> &[f32] {
        &self.transposed[j * self.size..][..self.size]
    }
}

/// A grid that is drawn to a map.
struct GridMap<'a> {
    axis: &'a Axis,
    grid: &'a [f32],
}

// Plain loops: the compiler makes vector instructions of them, for the set that `dispatch` chose.

impl GridMap<'_> {
    /// Each row of the grid, as wide as the map.
    #[inline(always)]
    fn widened(&self) -> Vec<f32> {
        let mut wide = vec![0.0; self.axis.side * self.axis.size];
        let rows = wide.chunks_exact_mut(self.axis.size);
        for (wide, row) in rows.zip(self.grid.chunks_exact(self.axis.side)) {
            for (j, value) in row.iter().enumerate() {
                add(self.axis.place(j), *value, wide);
            }
        }
        wide
    }

    /// A row of the map, from the widened grid.
    #[inline(always)]
    fn row(&self, wide: &[f32], y: usize, row: &mut [f32]) {
        row.fill(0.0);
        for (i, weight) in self.axis.pixel(y) {
            add(&wide[i * self.axis.size..][..self.axis.size], weight, row);
        }
    }
}

/// `sums += factor values`.
#[inline(always)]
fn add(values: &[f32], factor: f32, sums: &mut [f32]) {
    for (sum, value) in sums.iter_mut().zip(values) {
        *sum = value.mul_add(factor, *sum);
    }
}

/// Modulates a map.
struct Forward<'a> {
    values: &'a mut [f32],
    scale: GridMap<'a>,
    shift: GridMap<'a>,
}

impl WithSimd for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let size = self.scale.axis.size;
        let (scale, shift) = (self.scale.widened(), self.shift.widened());
        let mut rows = vec![0.0; 2 * size];
        let (scale_row, shift_row) = rows.split_at_mut(size);
        for (y, values) in self.values.chunks_exact_mut(size).enumerate() {
            self.scale.row(&scale, y, scale_row);
            self.shift.row(&shift, y, shift_row);
            for ((value, scale), shift) in values.iter_mut().zip(&*scale_row).zip(&*shift_row) {
                *value = value.mul_add(*scale, *shift);
            }
        }
    }
}

/// Gradients of a map.
struct Gradients<'a> {
    x: &'a [f32],
    gradient: &'a [f32],
    scale: GridMap<'a>,
    shift_axis: &'a Axis,
    /// Of the map, of the factors and of the offsets.
    outputs: [&'a mut [f32]; 3],
}

impl WithSimd for Gradients<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, _simd: S) {
        let axis = self.scale.axis;
        let size = axis.size;
        let [d_x, d_scale, d_shift] = self.outputs;
        let scale = self.scale.widened();
        let mut row = vec![0.0; size];
        let mut scale_sums = vec![0.0; axis.side * size];
        let mut shift_sums = vec![0.0; self.shift_axis.side * size];
        let lines = self
            .x
            .chunks_exact(size)
            .zip(self.gradient.chunks_exact(size));
        for (y, ((x, gradient), d_x)) in lines.zip(d_x.chunks_exact_mut(size)).enumerate() {
            self.scale.row(&scale, y, &mut row);
            for ((d_x, factor), gradient) in d_x.iter_mut().zip(&row).zip(gradient) {
                *d_x = factor * gradient;
            }
            for ((product, x), gradient) in row.iter_mut().zip(x).zip(gradient) {
                *product = x * gradient;
            }
            for (i, weight) in axis.pixel(y) {
                add(&row, weight, &mut scale_sums[i * size..][..size]);
            }
            for (i, weight) in self.shift_axis.pixel(y) {
                add(gradient, weight, &mut shift_sums[i * size..][..size]);
            }
        }
        narrow(axis, &scale_sums, d_scale);
        narrow(self.shift_axis, &shift_sums, d_shift);
    }
}

/// A grid from its rows that are as wide as the map: what [`GridMap::widened`] does, transposed.
#[inline(always)]
fn narrow(axis: &Axis, wide: &[f32], grid: &mut [f32]) {
    let rows = wide.chunks_exact(axis.size);
    for (wide, cells) in rows.zip(grid.chunks_exact_mut(axis.side)) {
        for (j, cell) in cells.iter_mut().enumerate() {
            *cell = dot(wide, axis.place(j));
        }
    }
}

/// The sum of the products, in sixteen parts.
#[inline(always)]
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let ((a, a_rest), (b, b_rest)) = (a.as_chunks::<16>(), b.as_chunks::<16>());
    let mut sums = [0.0f32; 16];
    for (a, b) in a.iter().zip(b) {
        for ((sum, a), b) in sums.iter_mut().zip(a).zip(b) {
            *sum = a.mul_add(*b, *sum);
        }
    }
    let rest: f32 = a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum();
    sums.iter().sum::<f32>() + rest
}
