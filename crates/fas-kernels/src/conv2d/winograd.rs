//! Convolution with 3x3 kernels and stride 1 by Winograd's minimal filtering: S. Winograd, 1980; A.
//! Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2015,
//! <https://arxiv.org/abs/1509.09308>, section 4.1, `F(2x2, 3x3)`.
//!
//! A tile of 2x2 outputs sees 4x4 inputs. Both are transformed so that the convolution becomes 16
//! products, where the direct form has 36. For each of the 16 places this is one matrix product over
//! the channels, `[channels_out, channels_in] [channels_in, tiles]`.
//!
//! Each padded plane is split into its four parity phases first (`Phases`), so that vectors of
//! consecutive tiles read consecutive values.

use std::sync::atomic::{AtomicBool, Ordering};

use pulp::{Simd, WithSimd};
use rayon::prelude::*;

use crate::product::{Columns, FEW_ROWS, ROWS, panel};
use crate::scratch::Scratch;
use crate::simd;

/// Values of a transformed tile.
const PLACES: usize = 16;
/// Floats of the transformed inputs and products of a block of tiles, to stay in the second-level
/// cache with the weights of 64 channels.
const BLOCK_FLOATS: usize = 160 * 1024;
/// Tiles of a block at least, lest the weights be read too often.
const BLOCK_TILES: usize = 64;
/// Tiles of a batch up to which tasks are split by output channels.
const FEW_TILES: usize = 128;
/// Output channels whose weights are transformed together.
const WEIGHT_BLOCK: usize = 8;
/// Lanes of the widest vector.
const LANES: usize = 16;

/// Weights of some output channels as `[channels_out][place][channels_in]`, with a gap after each
/// output channel so that channels do not fall into the same sets of the cache.
struct TransformedWeight {
    data: Scratch,
    /// First output channel.
    first: usize,
    channels_in: usize,
}

impl TransformedWeight {
    /// Transforms all weights, in parallel.
    fn new(weight: &Weight<'_>) -> Self {
        let [channels_out, channels_in] = weight.channels();
        let stride = Self::stride_of(channels_in);
        let mut data = Scratch::new(channels_out * stride);
        data[..channels_out * stride]
            .par_chunks_mut(WEIGHT_BLOCK * stride)
            .enumerate()
            .for_each(|(b, output)| weight.transform(b * WEIGHT_BLOCK, output));
        Self {
            data,
            first: 0,
            channels_in,
        }
    }

    /// Transforms the weights of `count` output channels from `first` on, on this thread.
    fn part(weight: &Weight<'_>, first: usize, count: usize) -> Self {
        let [_, channels_in] = weight.channels();
        let stride = Self::stride_of(channels_in);
        let mut data = Scratch::new(count * stride);
        data[..count * stride]
            .chunks_mut(WEIGHT_BLOCK * stride)
            .enumerate()
            .for_each(|(b, output)| weight.transform(first + b * WEIGHT_BLOCK, output));
        Self {
            data,
            first,
            channels_in,
        }
    }

    fn stride_of(channels_in: usize) -> usize {
        PLACES * channels_in + LANES
    }

    /// Weights of `channel` at `place`, `[channels_in]`.
    #[inline(always)]
    fn row(&self, channel: usize, place: usize) -> &[f32] {
        let at = (channel - self.first) * Self::stride_of(self.channels_in);
        &self.data[at + place * self.channels_in..][..self.channels_in]
    }
}

/// Weights as they are stored.
#[derive(Clone, Copy)]
pub(super) struct Weight<'a> {
    /// `[rows, columns, 3, 3]`
    pub(super) values: &'a [f32],
    /// Rows and columns.
    pub(super) size: [usize; 2],
    /// For the input's gradient: channels swapped and the kernel turned by half.
    pub(super) turned: bool,
}

impl Weight<'_> {
    /// Channels that the convolution makes, and those that it reads.
    pub(super) fn channels(&self) -> [usize; 2] {
        let [rows, columns] = self.size;
        if self.turned {
            [columns, rows]
        } else {
            self.size
        }
    }

    /// Transforms the kernels of the output channels from `first` on that fit into `output`.
    fn transform(&self, first: usize, output: &mut [f32]) {
        let [_, channels_in] = self.channels();
        let [_, columns] = self.size;
        let turned = self.turned;
        let stride = TransformedWeight::stride_of(channels_in);
        let count = output.len() / stride;
        let mut taps = vec![0.0; count * 9 * channels_in];
        // Kernels in the order in which memory has them.
        let (kernels, _) = self.values.as_chunks::<9>();
        let mut read = |o: usize, i: usize, kernel: &[f32; 9]| {
            let taps = &mut taps[o * 9 * channels_in..][..9 * channels_in];
            for (t, value) in kernel.iter().enumerate() {
                let t = if turned { 8 - t } else { t };
                taps[t * channels_in + i] = *value;
            }
        };
        if turned {
            for (i, kernels) in kernels.chunks_exact(columns).enumerate() {
                for (o, kernel) in kernels[first..first + count].iter().enumerate() {
                    read(o, i, kernel);
                }
            }
        } else {
            for (o, kernels) in kernels
                .chunks_exact(columns)
                .skip(first)
                .enumerate()
                .take(count)
            {
                for (i, kernel) in kernels.iter().enumerate() {
                    read(o, i, kernel);
                }
            }
        }
        let taps = taps.chunks_exact(9 * channels_in);
        for (taps, output) in taps.zip(output.chunks_exact_mut(stride)) {
            simd::dispatch(WeightTask {
                taps,
                output: &mut output[..PLACES * channels_in],
            });
        }
    }
}

/// `G g G^T` of the kernels of one output channel.
struct WeightTask<'a> {
    /// `[tap][channels_in]`
    taps: &'a [f32],
    /// `[place][channels_in]`
    output: &'a mut [f32],
}

impl WithSimd for WeightTask<'_> {
    type Output = ();

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) {
        let channels = self.taps.len() / 9;
        for first in (0..channels).step_by(S::F32_LANES) {
            let count = S::F32_LANES.min(channels - first);
            // Columns, then rows.
            let mut columns = [[simd.splat_f32s(0.0); 4]; 3];
            for (x, column) in columns.iter_mut().enumerate() {
                let mut taps = [simd.splat_f32s(0.0); 3];
                for (y, tap) in taps.iter_mut().enumerate() {
                    let from = &self.taps[(3 * y + x) * channels + first..][..count];
                    *tap = simd.partial_load_f32s(from);
                }
                *column = filter(simd, taps);
            }
            let [a, b, c] = columns;
            for (y, ((a, b), c)) in a.into_iter().zip(b).zip(c).enumerate() {
                let row = filter(simd, [a, b, c]);
                for (x, value) in row.into_iter().enumerate() {
                    let to = &mut self.output[(4 * y + x) * channels + first..][..count];
                    simd.partial_store_f32s(to, value);
                }
            }
        }
    }
}

/// `G g`.
#[inline(always)]
fn filter<S: Simd>(simd: S, [a, b, c]: [S::f32s; 3]) -> [S::f32s; 4] {
    let half = simd.splat_f32s(0.5);
    let ends = simd.mul_f32s(half, simd.add_f32s(a, c));
    let middle = simd.mul_f32s(half, b);
    let [sum, difference] = [simd.add_f32s(ends, middle), simd.sub_f32s(ends, middle)];
    [a, sum, difference, c]
}

/// `B^T d`.
#[inline(always)]
fn differences<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 4] {
    [
        simd.sub_f32s(a, c),
        simd.add_f32s(b, c),
        simd.sub_f32s(c, b),
        simd.sub_f32s(b, d),
    ]
}

/// `A^T m`.
#[inline(always)]
fn sums<S: Simd>(simd: S, [a, b, c, d]: [S::f32s; 4]) -> [S::f32s; 2] {
    [
        simd.add_f32s(simd.add_f32s(a, b), c),
        simd.sub_f32s(simd.sub_f32s(b, c), d),
    ]
}

/// A convolution of a batch.
pub(super) struct Winograd<'a> {
    /// `[batch_size, channels_in, height, width]`
    pub(super) source: &'a [f32],
    /// Height and width.
    pub(super) size: [usize; 2],
    pub(super) weight: Weight<'a>,
    pub(super) bias: Option<&'a [f32]>,
}

impl Winograd<'_> {
    /// Computes `output`, `[batch_size, channels_out, height, width]`; whether all of it is finite.
    pub(super) fn run(&self, output: &mut [f32]) -> bool {
        let [channels_out, channels_in] = self.weight.channels();
        let pixels = self.size[0] * self.size[1];
        let image_len = channels_out * pixels;
        let batch_size = output.len() / image_len;
        let tiles: usize = self.size.map(|size| size.div_ceil(2)).iter().product();
        let threads = rayon::current_num_threads();
        if batch_size * tiles <= FEW_TILES || batch_size < threads {
            return self.by_channels(output, threads);
        }
        // Small images share a block.
        let images = (BLOCK_TILES / tiles).clamp(1, batch_size.div_ceil(threads));
        let weight = TransformedWeight::new(&self.weight);
        let finite = AtomicBool::new(true);
        output
            .par_chunks_mut(images * image_len)
            .zip(self.source.par_chunks(images * channels_in * pixels))
            .for_each(|(output, source)| {
                let task = Task {
                    operands: self,
                    weight: &weight,
                    source,
                    first_channel: 0,
                    channels: channels_out,
                    images: output.chunks_mut(image_len).collect(),
                };
                if !simd::dispatch(task) {
                    finite.store(false, Ordering::Relaxed);
                }
            });
        finite.into_inner()
    }

    /// Every task makes some channels of all images and transforms their weights alone: inputs are
    /// transformed once a task, but there is nothing that tasks wait for.
    fn by_channels(&self, output: &mut [f32], threads: usize) -> bool {
        let [channels_out, _] = self.weight.channels();
        let pixels = self.size[0] * self.size[1];
        let panels = channels_out.div_ceil(ROWS);
        let group = panels.div_ceil(threads.min(panels)) * ROWS;
        let mut groups: Vec<Vec<&mut [f32]>> = Vec::new();
        groups.resize_with(channels_out.div_ceil(group), Vec::new);
        for image in output.chunks_mut(channels_out * pixels) {
            for (images, part) in groups.iter_mut().zip(image.chunks_mut(group * pixels)) {
                images.push(part);
            }
        }
        let finite = AtomicBool::new(true);
        groups.into_par_iter().enumerate().for_each(|(g, images)| {
            let first_channel = g * group;
            let channels = group.min(channels_out - first_channel);
            let task = Task {
                operands: self,
                weight: &TransformedWeight::part(&self.weight, first_channel, channels),
                source: self.source,
                first_channel,
                channels,
                images,
            };
            if !simd::dispatch(task) {
                finite.store(false, Ordering::Relaxed);
            }
        });
        finite.into_inner()
    }
}

/// Some channels of some images.
struct Task<'a> {
    operands: &'a Winograd<'a>,
    /// At least those of the channels.
    weight: &'a TransformedWeight,
    /// `[images, channels_in, height, width]`
    source: &'a [f32],
    first_channel: usize,
    channels: usize,
    /// The channels of each image, `[channels, height, width]`.
    images: Vec<&'a mut [f32]>,
}

impl WithSimd for Task<'_> {
    type Output = bool;

    #[inline(always)]
    fn with_simd<S: Simd>(self, simd: S) -> bool {
        if S::REGISTER_COUNT >= 32 {
            self.run::<S, ROWS>(simd)
        } else {
            self.run::<S, FEW_ROWS>(simd)
        }
    }
}

impl Task<'_> {
    #[inline(always)]
    fn run<S: Simd, const M: usize>(mut self, simd: S) -> bool {
        let Winograd {
            size: [height, width],
            bias,
            ..
        } = *self.operands;
        let channels_in = self.weight.channels_in;
        let [rows, columns] = [height, width].map(|size| size.div_ceil(2));
        let all_rows = self.images.len() * rows;
        let wanted = (BLOCK_FLOATS / (PLACES * (channels_in + self.channels))).max(BLOCK_TILES);
        let blocks = (all_rows * columns).div_ceil(wanted);
        let block_rows = all_rows.div_ceil(blocks);
        // Room for the nonsense beyond the last tile that whole vectors write.
        let stride = (block_rows * columns + S::F32_LANES).next_multiple_of(S::F32_LANES);
        let place_in = channels_in * stride + LANES;
        let place_out = self.channels * stride + LANES;
        let mut inputs = Scratch::new(PLACES * place_in);
        let mut products = Scratch::new(PLACES * place_out);
        let mut phases = Phases::new(block_rows.min(rows), columns);
        let mut finite = true;
        for first_row in (0..all_rows).step_by(block_rows) {
            let block_rows = block_rows.min(all_rows - first_row);
            let tiles = block_rows * columns;
            let mut done = 0;
            while done < block_rows {
                let (image, y) = ((first_row + done) / rows, (first_row + done) % rows);
                let count = (rows - y).min(block_rows - done);
                for c in 0..channels_in {
                    let at = (image * channels_in + c) * height * width;
                    let plane = &self.source[at..][..height * width];
                    phases.fill(plane, width, y, count);
                    let to = &mut inputs[c * stride + done * columns..];
                    phases.transform(simd, count, to, place_in);
                }
                done += count;
            }
            for place in 0..PLACES {
                let right = Columns {
                    values: &inputs[place * place_in..],
                    columns: tiles.next_multiple_of(S::F32_LANES),
                    stride,
                };
                let products = &mut products[place * place_out..][..self.channels * stride];
                for (p, products) in products.chunks_mut(M * stride).enumerate() {
                    let count = products.len() / stride;
                    let first = self.first_channel + p * M;
                    let left: [&[f32]; M] =
                        core::array::from_fn(|m| self.weight.row(first + m.min(count - 1), place));
                    let left = |k: usize| core::array::from_fn(|m| left[m][k]);
                    panel::<S, M>(
                        simd,
                        channels_in,
                        left,
                        right,
                        products,
                        stride,
                        count,
                        None,
                    );
                }
            }
            for c in 0..self.channels {
                let bias = bias.map_or(0.0, |bias| bias[self.first_channel + c]);
                for r in 0..block_rows {
                    let (image, y) = ((first_row + r) / rows, (first_row + r) % rows);
                    let from = &products[c * stride + r * columns..];
                    let len = width * (height - 2 * y).min(2);
                    let to = &mut self.images[image][(c * height + 2 * y) * width..][..len];
                    finite &= output_row(simd, from, place_out, bias, to, width);
                }
            }
        }
        finite
    }
}

/// Some rows of a padded plane, split so that vectors of consecutive tiles read consecutive values.
///
/// A tile reads columns `2 x + dx` for `dx` up to 3. Wide maps are split by the parity of row and
/// column, and `dx` of 2 and 3 are one value on. In narrow maps a vector would see one row of a few
/// tiles: they get a copy for each `dx`, so that rows of tiles follow each other without a gap.
struct Phases {
    /// `[row parity][column parity or dx][row][column]` and slack for the last vector.
    values: Vec<f32>,
    columns: usize,
    /// Copies for each row parity: 2, or 4 in narrow maps.
    copies: usize,
    /// Floats of a copy and of a row of it.
    copy: usize,
    row: usize,
}

impl Phases {
    /// Room for `rows` rows of `columns` tiles.
    fn new(rows: usize, columns: usize) -> Self {
        let (copies, row) = if columns < LANES {
            (4, columns)
        } else {
            (2, columns + 1)
        };
        let copy = (rows + 1) * row;
        Self {
            values: vec![0.0; 2 * copies * copy + LANES],
            columns,
            copies,
            copy,
            row,
        }
    }

    /// Reads what `count` rows of tiles from row `first` on see of `plane`.
    #[inline(always)]
    fn fill(&mut self, plane: &[f32], width: usize, first: usize, count: usize) {
        let height = plane.len() / width;
        let (copy, row) = (self.copy, self.row);
        for y in 0..2 * count + 2 {
            let at = y % 2 * self.copies * copy + y / 2 * row;
            let values = &mut self.values[at..];
            // Padded row and column are one more than those of the plane.
            let line = (2 * first + y).checked_sub(1).filter(|y| *y < height);
            let Some(line) = line.map(|y| &plane[y * width..][..width]) else {
                for values in values.chunks_mut(copy).take(self.copies) {
                    values[..row].fill(0.0);
                }
                continue;
            };
            let (pairs, last) = line.as_chunks::<2>();
            let last = last.first().copied().unwrap_or(0.0);
            let (left, right) = values.split_at_mut(copy);
            if self.copies == 2 {
                let (even, odd) = (&mut left[..row], &mut right[..row]);
                even[0] = 0.0;
                for ((pair, even), odd) in pairs.iter().zip(&mut even[1..]).zip(&mut *odd) {
                    [*odd, *even] = *pair;
                }
                odd[pairs.len()] = last;
                even[1 + pairs.len()..].fill(0.0);
                continue;
            }
            // Pixels 2 x - 1, 2 x, 2 x + 1 and 2 x + 2 of the line.
            let (second, right) = right.split_at_mut(copy);
            let (third, fourth) = right.split_at_mut(copy);
            let [first, second, third, fourth] =
                [left, second, third, fourth].map(|values| &mut values[..row]);
            first[0] = 0.0;
            for (x, [even, odd]) in pairs.iter().enumerate() {
                second[x] = *even;
                third[x] = *odd;
                if x > 0 {
                    fourth[x - 1] = *even;
                }
                if x + 1 < row {
                    first[x + 1] = *odd;
                }
            }
            if pairs.len() < row {
                // The last pixel of an odd width.
                second[row - 1] = last;
                third[row - 1] = 0.0;
                if row > 1 {
                    fourth[row - 2] = last;
                }
            }
            fourth[row - 1] = 0.0;
        }
    }

    /// `B^T d B` of `count` rows of tiles, the 16 places `stride` floats apart.
    #[inline(always)]
    fn transform<S: Simd>(&self, simd: S, count: usize, output: &mut [f32], stride: usize) {
        if self.copies == 4 {
            self.transform_line(simd, 0, count * self.columns, output, stride);
            return;
        }
        for y in 0..count {
            let output = &mut output[y * self.columns..];
            self.transform_line(simd, y * self.row, self.columns, output, stride);
        }
    }

    /// `tiles` tiles whose values start at `at` in each copy.
    #[inline(always)]
    fn transform_line<S: Simd>(
        &self,
        simd: S,
        at: usize,
        tiles: usize,
        output: &mut [f32],
        stride: usize,
    ) {
        for x in (0..tiles).step_by(S::F32_LANES) {
            let mut lines = [[simd.splat_f32s(0.0); 4]; 4];
            for (dx, line) in lines.iter_mut().enumerate() {
                let mut values = [simd.splat_f32s(0.0); 4];
                for (dy, value) in values.iter_mut().enumerate() {
                    let copy = dy % 2 * self.copies + dx % self.copies;
                    let at = copy * self.copy + at + dy / 2 * self.row + x + dx / self.copies;
                    *value = S::as_simd_f32s(&self.values[at..at + S::F32_LANES]).0[0];
                }
                *line = differences(simd, values);
            }
            for dy in 0..4 {
                let [a, b, c, d] = lines;
                let line = differences(simd, [a[dy], b[dy], c[dy], d[dy]]);
                for (dx, value) in line.into_iter().enumerate() {
                    let to = &mut output[(4 * dy + dx) * stride + x..][..S::F32_LANES];
                    S::as_mut_simd_f32s(to).0[0] = value;
                }
            }
        }
    }
}

/// `A^T m A` of one row of tiles of one channel: one or two rows of `width` outputs. Whether all are
/// finite.
#[inline(always)]
fn output_row<S: Simd>(
    simd: S,
    products: &[f32],
    stride: usize,
    bias: f32,
    output: &mut [f32],
    width: usize,
) -> bool {
    const EXPONENT: u32 = 0x7F80_0000;
    let bias = simd.splat_f32s(bias);
    let mut bad = false;
    for x in (0..width.div_ceil(2)).step_by(S::F32_LANES) {
        let mut lines = [[simd.splat_f32s(0.0); 2]; 4];
        for (dx, line) in lines.iter_mut().enumerate() {
            let mut values = [simd.splat_f32s(0.0); 4];
            for (dy, value) in values.iter_mut().enumerate() {
                let from = &products[(4 * dy + dx) * stride + x..][..S::F32_LANES];
                *value = S::as_simd_f32s(from).0[0];
            }
            *line = sums(simd, values);
        }
        for (dy, output) in output.chunks_exact_mut(width).enumerate() {
            let [a, b, c, d] = lines;
            let pair = sums(simd, [a[dy], b[dy], c[dy], d[dy]]);
            let mut halves = [[0.0_f32; LANES]; 2];
            for (half, value) in halves.iter_mut().zip(pair) {
                let (to, _) = S::as_mut_simd_f32s(&mut half[..S::F32_LANES]);
                to[0] = simd.add_f32s(value, bias);
            }
            let last = width.min(2 * (x + S::F32_LANES));
            let output = &mut output[2 * x..last];
            let (pairs, single) = output.as_chunks_mut::<2>();
            let [even, odd] = &halves;
            for ((pair, even), odd) in pairs.iter_mut().zip(even).zip(odd) {
                *pair = [*even, *odd];
                bad |= (even.to_bits() & EXPONENT == EXPONENT)
                    | (odd.to_bits() & EXPONENT == EXPONENT);
            }
            if let [single] = single {
                *single = even[pairs.len()];
                bad |= !single.is_finite();
            }
        }
    }
    !bad
}
