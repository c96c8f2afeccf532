//! Gradient of 3x3 kernels of stride 1 by the transpose of `F(2x2, 3x3)`: where the convolution is
//! `A^T [(G g G^T) (B^T d B)] A`, it is `G^T [sum over tiles of (A y A^T) (B^T d B)] G` for an output gradient
//! `y`: 16 products a tile, where the direct form has 36.
//!
//! Vectors hold channels. Both maps are transposed once; a task transforms some tiles of its channels at a time
//! and adds one matrix product for each of the 16 places, `[channels_out, tiles] [tiles, channels_in]`. Each sum
//! is one chain over those groups of tiles, whatever the tasks.

use std::ops::Range;

use pulp::Simd;
use rayon::prelude::*;

use super::LANES;
use super::transform::{Minimal, Two};
use crate::product::{self, Columns, PanelTask, Start, panel};
use crate::scratch::Scratch;

/// Products of a tile.
const PLACES: usize = 16;
/// Tiles transformed at a time: their transforms and the sums stay in the second-level cache.
const TILES: usize = 64;
/// Input and output channels of a task at most; with fewer, tasks repeat more transforms.
const MOST_CHANNELS: [usize; 2] = [64, 128];

/// Gradient of the kernels of a convolution of stride 1.
pub(in crate::conv2d) struct KernelGradient<'a> {
    /// `[batch_size, channels_in, height, width]`
    pub(in crate::conv2d) source: &'a [f32],
    /// Of the output, `[batch_size, channels_out, height, width]`.
    pub(in crate::conv2d) gradient: &'a [f32],
    pub(in crate::conv2d) channels_in: usize,
    pub(in crate::conv2d) channels_out: usize,
    /// Height and width.
    pub(in crate::conv2d) size: [usize; 2],
}

impl KernelGradient<'_> {
    /// The gradient, `[channels_out, channels_in, 3, 3]`; none if a value is not finite, for then one pixel may
    /// have spoilt taps that do not see it.
    pub(in crate::conv2d) fn run(&self) -> Option<Vec<f32>> {
        let maps = [
            Maps::new(self.source, self.channels_in, self.size),
            Maps::new(self.gradient, self.channels_out, self.size),
        ];
        let [inputs, outputs] = self.channels_each();
        let kernels = self.channels_in * 9;
        let mut output = vec![0.0; self.channels_out * kernels];
        output
            .par_chunks_mut(outputs * kernels)
            .enumerate()
            .for_each(|(o, output)| {
                let first = o * outputs;
                let outputs = first..first + output.len() / kernels;
                let parts: Vec<(Range<usize>, Vec<f32>)> = (0..self.channels_in.div_ceil(inputs))
                    .into_par_iter()
                    .map(|i| {
                        let inputs = i * inputs..self.channels_in.min((i + 1) * inputs);
                        let part = product::dispatch(Task {
                            maps: &maps,
                            channels: [inputs.clone(), outputs.clone()],
                        });
                        (inputs, part)
                    })
                    .collect();
                for (inputs, part) in parts {
                    let rows = part.chunks_exact(inputs.len() * 9);
                    for (to, row) in output.chunks_exact_mut(kernels).zip(rows) {
                        to[inputs.start * 9..inputs.end * 9].copy_from_slice(row);
                    }
                }
            });
        output
            .iter()
            .all(|value| value.is_finite())
            .then_some(output)
    }

    /// Input and output channels of a task: as many as keep every thread busy.
    fn channels_each(&self) -> [usize; 2] {
        let [mut inputs, mut outputs] = MOST_CHANNELS;
        let threads = rayon::current_num_threads();
        while self.channels_in.div_ceil(inputs) * self.channels_out.div_ceil(outputs) < threads
            && outputs > LANES
        {
            if inputs > 2 * LANES {
                inputs /= 2;
            } else {
                outputs /= 2;
            }
        }
        [inputs, outputs]
    }
}

/// A batch of maps whose channels stand beside each other.
struct Maps {
    /// `[batch_size][block of channels][pixel][channel in block]`, zero beyond the last channel.
    values: Scratch,
    batch_size: usize,
    blocks: usize,
    size: [usize; 2],
}

impl Maps {
    fn new(planes: &[f32], channels: usize, size: [usize; 2]) -> Self {
        let pixels = size[0] * size[1];
        let blocks = channels.div_ceil(LANES);
        let batch_size = planes.len() / (channels * pixels);
        let len = batch_size * blocks * pixels * LANES;
        let mut values = Scratch::new(len);
        values[..len]
            .par_chunks_mut(pixels * LANES)
            .enumerate()
            .for_each(|(i, block)| {
                let first = i / blocks * channels + i % blocks * LANES;
                let count = (channels - i % blocks * LANES).min(LANES);
                let planes = &planes[first * pixels..][..count * pixels];
                transpose(planes, pixels, block);
            });
        Self {
            values,
            batch_size,
            blocks,
            size,
        }
    }

    /// Tiles of a side.
    fn tiles(&self) -> [usize; 2] {
        self.size.map(|size| size.div_ceil(2))
    }
}

/// Planes of `pixels` values, at most [`LANES`], as `[pixel][plane]`.
fn transpose(planes: &[f32], pixels: usize, output: &mut [f32]) {
    let (output, _) = output.as_chunks_mut::<LANES>();
    // Sixteen pixels at a time: whole cache lines are read and written.
    for (i, output) in output.chunks_mut(LANES).enumerate() {
        if planes.len() < LANES * pixels {
            output.as_flattened_mut().fill(0.0);
        }
        for (lane, plane) in planes.chunks_exact(pixels).enumerate() {
            for (to, value) in output.iter_mut().zip(&plane[i * LANES..]) {
                to[lane] = *value;
            }
        }
    }
}

/// One side's transform of a tile, of columns or rows.
trait Side<const I: usize> {
    /// Pixels by which a tile begins before its outputs.
    const BEFORE: usize;

    fn transform<S: Simd>(simd: S, values: [S::f32s; I]) -> [S::f32s; 4];
}

/// `B^T d`
struct OfInput;

impl Side<4> for OfInput {
    const BEFORE: usize = 1;

    #[inline(always)]
    fn transform<S: Simd>(simd: S, values: [S::f32s; 4]) -> [S::f32s; 4] {
        Two::input(simd, values)
    }
}

/// `A y`
struct OfGradient;

impl Side<2> for OfGradient {
    const BEFORE: usize = 0;

    #[inline(always)]
    fn transform<S: Simd>(simd: S, [a, b]: [S::f32s; 2]) -> [S::f32s; 4] {
        let minus_b = simd.sub_f32s(simd.splat_f32s(0.0), b);
        [a, simd.add_f32s(a, b), simd.sub_f32s(a, b), minus_b]
    }
}

/// `G^T m`
#[inline(always)]
fn kernel<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 3] {
    let half = simd.splat_f32s(0.5);
    let sum = simd.mul_f32s(half, simd.add_f32s(b, c));
    let difference = simd.mul_f32s(half, simd.sub_f32s(b, c));
    [simd.add_f32s(a, sum), difference, simd.add_f32s(sum, d)]
}

/// A buffer of `[place][row][channel]`.
struct Places {
    values: Scratch,
    place: usize,
    stride: usize,
}

impl Places {
    fn new(rows: usize, channels: usize) -> Self {
        // Room for the rows of a panel beyond the last channel, and places that do not share cache sets.
        let stride = channels.next_multiple_of(LANES);
        let place = rows * stride + LANES;
        Self {
            values: Scratch::new(PLACES * place + LANES),
            place,
            stride,
        }
    }

    /// Transforms `tiles` of the blocks of channels that `channels` begin.
    #[inline(always)]
    fn fill<S: Simd, T: Side<I>, const I: usize>(
        &mut self,
        simd: S,
        maps: &Maps,
        channels: &Range<usize>,
        tiles: Range<usize>,
    ) {
        let [height, width] = maps.size;
        let [rows, columns] = maps.tiles();
        let zero = simd.splat_f32s(0.0);
        let blocks = channels.start / LANES..channels.end.div_ceil(LANES);
        for (t, tile) in tiles.enumerate() {
            let (image, r, c) = (
                tile / (rows * columns),
                tile / columns % rows,
                tile % columns,
            );
            for block in blocks.clone() {
                let map = (image * maps.blocks + block) * height * width;
                for lane in (0..LANES).step_by(S::F32_LANES) {
                    let mut values = [[zero; I]; I];
                    for (y, line) in values.iter_mut().enumerate() {
                        let Some(y) = (2 * r + y).checked_sub(T::BEFORE).filter(|y| *y < height)
                        else {
                            continue;
                        };
                        for (x, value) in line.iter_mut().enumerate() {
                            let x = (2 * c + x).wrapping_sub(T::BEFORE);
                            if x < width {
                                let at = (map + y * width + x) * LANES + lane;
                                let from = &maps.values[at..][..S::F32_LANES];
                                *value = S::as_simd_f32s(from).0[0];
                            }
                        }
                    }
                    let mut lines = [[zero; 4]; I];
                    for (to, line) in lines.iter_mut().zip(values) {
                        *to = T::transform(simd, line);
                    }
                    let at = t * self.stride + (block - blocks.start) * LANES + lane;
                    for x in 0..4 {
                        let mut column = [zero; I];
                        for (value, line) in column.iter_mut().zip(&lines) {
                            *value = line[x];
                        }
                        for (y, value) in T::transform(simd, column).into_iter().enumerate() {
                            let at = (4 * y + x) * self.place + at;
                            let to = &mut self.values[at..][..S::F32_LANES];
                            S::as_mut_simd_f32s(to).0[0] = value;
                        }
                    }
                }
            }
        }
    }
}

/// The kernels between some channels.
struct Task<'a> {
    /// Input and output gradient.
    maps: &'a [Maps; 2],
    /// Of either.
    channels: [Range<usize>; 2],
}

impl PanelTask for Task<'_> {
    /// `[channels_out, channels_in, 3, 3]`
    type Output = Vec<f32>;

    #[inline(always)]
    fn run<S: Simd, const R: usize>(self, simd: S) -> Vec<f32> {
        let [inputs, outputs] = self.maps;
        let [channels_in, channels_out] = &self.channels;
        let [rows, columns] = inputs.tiles();
        let tiles = inputs.batch_size * rows * columns;
        let mut right = Places::new(TILES, channels_in.len());
        let mut left = Places::new(TILES, channels_out.len());
        let mut sums = Places::new(channels_out.len(), channels_in.len());
        for first in (0..tiles).step_by(TILES) {
            let tiles = first..tiles.min(first + TILES);
            right.fill::<S, OfInput, 4>(simd, inputs, channels_in, tiles.clone());
            left.fill::<S, OfGradient, 2>(simd, outputs, channels_out, tiles.clone());
            let start = match first {
                0 => Start::Zero,
                _ => Start::Scaled([1.0; R]),
            };
            for place in 0..PLACES {
                let right = Columns {
                    values: &right.values[place * right.place..],
                    columns: right.stride,
                    stride: right.stride,
                };
                let sums_stride = sums.stride;
                let sums = &mut sums.values[place * sums.place..];
                for o in (0..channels_out.len()).step_by(R) {
                    let from = &left.values[place * left.place + o..];
                    let stride = left.stride;
                    let left =
                        |k: usize| -> [f32; R] { core::array::from_fn(|m| from[k * stride + m]) };
                    let count = R.min(channels_out.len() - o);
                    let sums = &mut sums[o * sums_stride..];
                    panel::<S, R>(
                        simd,
                        tiles.len(),
                        left,
                        right,
                        sums,
                        sums_stride,
                        count,
                        start,
                    );
                }
            }
        }
        kernels(simd, &sums, channels_out.len(), channels_in.len())
    }
}

/// `G^T m G` of the sums of all places, `[rows, columns, 3, 3]`.
#[inline(always)]
fn kernels<S: Simd>(simd: S, sums: &Places, rows: usize, columns: usize) -> Vec<f32> {
    let zero = simd.splat_f32s(0.0);
    let mut output = vec![[0.0; 9]; rows * columns];
    for (row, output) in output.chunks_exact_mut(columns).enumerate() {
        for (i, output) in output.chunks_mut(S::F32_LANES).enumerate() {
            let mut lines = [[zero; 3]; 4];
            for (y, line) in lines.iter_mut().enumerate() {
                let mut values = [zero; 4];
                for (x, value) in values.iter_mut().enumerate() {
                    let at = (4 * y + x) * sums.place + row * sums.stride + i * S::F32_LANES;
                    *value = S::as_simd_f32s(&sums.values[at..][..S::F32_LANES]).0[0];
                }
                *line = kernel(simd, values);
            }
            for x in 0..3 {
                let [a, b, c, d] = lines;
                let taps = kernel(simd, [a[x], b[x], c[x], d[x]]);
                for (y, tap) in taps.into_iter().enumerate() {
                    let mut lanes = [0.0; LANES];
                    S::as_mut_simd_f32s(&mut lanes[..S::F32_LANES]).0[0] = tap;
                    for (kernel, value) in output.iter_mut().zip(lanes) {
                        kernel[3 * y + x] = value;
                    }
                }
            }
        }
    }
    output.into_flattened()
}
