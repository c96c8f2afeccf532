//! Linear layer on the Flex backend.
//!
//! A task makes a block of the output's rows and columns, a depth of [`DEPTH`] inner values after the other: its
//! sums and its rows of the input stay in the second-level cache, a block of the weight's columns in the first.
//! Input and weight are put in the order of reading before; what comes from beyond the second level is called
//! ahead, or waiting for it takes a third of the time.

use burn::backend::flex::{Flex, FlexTensor};
use burn::backend::ops::ModuleOps;
use prefetch_index::prefetch_index;
use pulp::Simd;
use rayon::prelude::*;

use crate::buffer::{all_f32, blocks, dims, output, read, recycle, tensor};
use crate::product::{self, Columns, PanelTask, Start, packed_panel_before, panel};
use crate::scratch::Scratch;

/// Inner values of a block.
const DEPTH: usize = 128;
/// Columns of a block: whole vectors, as many as a panel holds sums of.
const COLUMNS: usize = 64;
/// Columns of a task.
const TASK_COLUMNS: usize = 4 * COLUMNS;
/// Most rows of a task, whole panels.
const TASK_ROWS: usize = 396;
/// Floats in a line of a cache.
const LINE: usize = 16;
/// Rows up to which packing the weight does not pay.
const FEW: usize = 24;
/// Inner values by which a weight that is read in place is called ahead.
const AHEAD: usize = 16;

/// See [`KernelOps::linear_layer`](crate::KernelOps::linear_layer).
pub(crate) fn forward(x: FlexTensor, weight: FlexTensor, bias: FlexTensor) -> FlexTensor {
    let ([rows, from], [_, to]) = (dims(&x), dims(&weight));
    if !all_f32(&[&x, &weight, &bias]) || rows * from * to == 0 {
        return Flex::linear(x, weight, Some(bias));
    }
    let packed = PackedRows::new(&read(&x), rows, from);
    recycle(x);
    let mut values = output(rows * to);
    let (weight, bias) = (read(&weight), read(&bias));
    if rows <= FEW && to.is_multiple_of(COLUMNS) {
        few(&packed, &weight, &bias, &mut values);
    } else {
        Linear {
            x: &packed,
            weight: &PackedColumns::new(&weight, from, to),
            bias: &bias,
        }
        .run(&mut values);
    }
    tensor(values, [rows, to])
}

/// The input, `[block of DEPTH][panel][inner value][row]`.
struct PackedRows {
    values: Scratch,
    rows: usize,
    /// Inner values.
    len: usize,
}

impl PackedRows {
    fn new(x: &[f32], rows: usize, len: usize) -> Self {
        let high = product::panel_rows();
        let count = rows.next_multiple_of(high) * len;
        let mut values = Scratch::new(count);
        let blocks = values[..count].par_chunks_mut(rows.next_multiple_of(high) * DEPTH);
        blocks.enumerate().for_each(|(b, block)| {
            let inner = b * DEPTH..len.min((b + 1) * DEPTH);
            let panels = block.par_chunks_mut(high * inner.len());
            panels.enumerate().with_min_len(32).for_each(|(p, panel)| {
                product::dispatch(PackPanel {
                    rows: &x[p * high * len..],
                    len,
                    first: inner.start,
                    panel,
                });
            });
        });
        Self { values, rows, len }
    }

    /// Columns of a panel from inner value `first` of a block on, `count` in the block.
    #[inline(always)]
    fn panel<const R: usize>(&self, panel: usize, first: usize, count: usize) -> &[[f32; R]] {
        let panels = self.rows.div_ceil(R);
        let (columns, _) = self.values.as_chunks();
        &columns[first * panels + panel * count..][..count]
    }
}

/// A panel of a block; the last row stands for those beyond it.
struct PackPanel<'a> {
    /// From the panel's first row on.
    rows: &'a [f32],
    len: usize,
    first: usize,
    panel: &'a mut [f32],
}

impl PanelTask for PackPanel<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const R: usize>(self, _simd: S) {
        let (columns, _) = self.panel.as_chunks_mut::<R>();
        let last = self.rows.len() / self.len - 1;
        let rows: [&[f32]; R] = core::array::from_fn(|r| {
            &self.rows[r.min(last) * self.len + self.first..][..columns.len()]
        });
        for (k, column) in columns.iter_mut().enumerate() {
            *column = core::array::from_fn(|r| rows[r][k]);
        }
    }
}

/// The weight, `[block of COLUMNS][inner value][column]`, zeros beyond the last column.
struct PackedColumns {
    values: Scratch,
    /// Inner values.
    len: usize,
    columns: usize,
}

impl PackedColumns {
    fn new(weight: &[f32], len: usize, columns: usize) -> Self {
        const ROWS: usize = 32;
        let count = columns.next_multiple_of(COLUMNS) * len;
        let mut values = Scratch::new(count);
        let all = columns.div_ceil(COLUMNS);
        blocks(&mut values[..count], COLUMNS * len, all, COLUMNS * ROWS)
            .into_par_iter()
            .zip(weight.par_chunks(ROWS * columns))
            .for_each(|(mut blocks, rows)| {
                for (r, row) in rows.chunks_exact(columns).enumerate() {
                    for (block, from) in blocks.iter_mut().zip(row.chunks(COLUMNS)) {
                        let to = &mut block[r * COLUMNS..][..COLUMNS];
                        to[..from.len()].copy_from_slice(from);
                        to[from.len()..].fill(0.0);
                    }
                }
            });
        Self {
            values,
            len,
            columns,
        }
    }

    /// Where the block of columns with `column` has inner value `first`.
    fn at(&self, column: usize, first: usize) -> usize {
        (column / COLUMNS * self.len + first) * COLUMNS
    }
}

/// A layer.
struct Linear<'a> {
    x: &'a PackedRows,
    weight: &'a PackedColumns,
    bias: &'a [f32],
}

impl Linear<'_> {
    /// Computes `output`, `[rows, columns]`.
    fn run(&self, output: &mut [f32]) {
        let (rows, columns) = (self.x.rows, self.weight.columns);
        let groups = columns.div_ceil(TASK_COLUMNS);
        // A few tasks a thread, so that none waits for long.
        let wanted = (4 * rayon::current_num_threads()).div_ceil(groups);
        let panels = rows.div_ceil(product::panel_rows());
        let block = panels.div_ceil(wanted).max(4) * product::panel_rows();
        let block = block.min(TASK_ROWS);
        blocks(output, columns, block, TASK_COLUMNS)
            .into_par_iter()
            .enumerate()
            .for_each(|(t, outputs)| {
                product::dispatch(Task {
                    layer: self,
                    row: t / groups * block,
                    column: t % groups * TASK_COLUMNS,
                    outputs,
                });
            });
    }
}

/// A block of the output.
struct Task<'a> {
    layer: &'a Linear<'a>,
    /// First row, a panel's.
    row: usize,
    /// First column, a block's.
    column: usize,
    /// The block's columns in each row.
    outputs: Vec<&'a mut [f32]>,
}

impl PanelTask for Task<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const R: usize>(mut self, simd: S) {
        let Linear { x, weight, bias } = *self.layer;
        let (rows, columns) = (self.outputs.len(), self.outputs[0].len());
        let panels = rows.div_ceil(R);
        let len = panels * R * TASK_COLUMNS;
        let mut sums = Scratch::new(len);
        for first in (0..x.len).step_by(DEPTH) {
            let count = DEPTH.min(x.len - first);
            let is_last = first + count == x.len;
            let start = if first == 0 {
                Start::Zero
            } else {
                Start::Output
            };
            for column in (0..columns).step_by(COLUMNS) {
                let width = COLUMNS.min(columns - column);
                let at = weight.at(self.column + column, first);
                let right = Columns {
                    values: &weight.values[at..][..count * COLUMNS],
                    columns: width.next_multiple_of(S::F32_LANES),
                    stride: COLUMNS,
                };
                let next = if column + width < columns {
                    weight.at(self.column + column + COLUMNS, first)
                } else {
                    weight.at(self.column, first + count)
                };
                let lines = (COLUMNS * DEPTH / LINE).div_ceil(panels);
                let bias = &bias[self.column + column..][..width];
                for (p, sums) in sums[..len].chunks_exact_mut(R * TASK_COLUMNS).enumerate() {
                    for line in 0..lines {
                        prefetch_index(&weight.values[..], next + (p * lines + line) * LINE);
                    }
                    let panel = self.row / R + p;
                    let left = x.panel::<R>(panel, first, count);
                    let ahead = x.panel::<R>((panel + 1).min(x.rows.div_ceil(R) - 1), first, count);
                    let sums = &mut sums[column..];
                    packed_panel_before::<S, R>(
                        simd,
                        left,
                        ahead,
                        right,
                        sums,
                        TASK_COLUMNS,
                        start,
                    );
                    if is_last {
                        let outputs = self.outputs[p * R..].iter_mut().take(R);
                        for (output, sums) in outputs.zip(sums.chunks(TASK_COLUMNS)) {
                            add(&mut output[column..][..width], sums, bias);
                        }
                    }
                }
            }
        }
    }
}

/// `output = sums + bias`.
#[inline(always)]
fn add(output: &mut [f32], sums: &[f32], bias: &[f32]) {
    for ((output, sum), bias) in output.iter_mut().zip(sums).zip(bias) {
        *output = sum + bias;
    }
}

/// A layer of few rows, whose weight is read in place: a task makes a block of columns.
fn few(x: &PackedRows, weight: &[f32], bias: &[f32], output: &mut [f32]) {
    blocks(output, bias.len(), x.rows, COLUMNS)
        .into_par_iter()
        .enumerate()
        .for_each(|(t, outputs)| {
            product::dispatch(FewTask {
                x,
                weight: &weight[t * COLUMNS..],
                stride: bias.len(),
                bias: &bias[t * COLUMNS..][..COLUMNS],
                outputs,
            });
        });
}

/// A block of columns of all rows.
struct FewTask<'a> {
    x: &'a PackedRows,
    /// From the block's first column on, rows `stride` apart.
    weight: &'a [f32],
    stride: usize,
    bias: &'a [f32],
    /// The block in each row.
    outputs: Vec<&'a mut [f32]>,
}

impl PanelTask for FewTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const R: usize>(mut self, simd: S) {
        let stride = self.stride;
        for (p, outputs) in self.outputs.chunks_mut(R).enumerate() {
            let mut sums = [[0.0; COLUMNS]; R];
            for first in (0..self.x.len).step_by(DEPTH) {
                let count = DEPTH.min(self.x.len - first);
                let left = self.x.panel::<R>(p, first, count);
                let weight = &self.weight[first * stride..];
                let right = Columns {
                    values: weight,
                    columns: COLUMNS,
                    stride,
                };
                let left = |k: usize| {
                    for line in (0..COLUMNS).step_by(LINE) {
                        prefetch_index(weight, (k + AHEAD) * stride + line);
                    }
                    left[k]
                };
                let sums = sums.as_flattened_mut();
                panel::<S, R>(simd, count, left, right, sums, COLUMNS, R, Start::Output);
            }
            for (output, sums) in outputs.iter_mut().zip(&sums) {
                add(output, sums, self.bias);
            }
        }
    }
}
