//! Convolution with 3x3 kernels and stride 1 by Winograd's minimal filtering: S. Winograd, 1980; A.
//! Lavin, S. Gray, "Fast Algorithms for Convolutional Neural Networks", 2015,
//! <https://arxiv.org/abs/1509.09308>, section 4.
//!
//! A tile of `M x M` outputs sees `N x N` inputs, `N = M + 2`. Both are transformed so that the convolution
//! becomes `N^2` products, where the direct form has `9 M^2`: 16 for 36, or 36 for 144. For each of the places
//! this is one matrix product over the channels, `[channels_out, channels_in] [channels_in, tiles]`.

mod gradient;
mod phases;
mod transform;
mod weight;

use std::ops::Range;
use std::sync::atomic::{AtomicBool, Ordering};

use pulp::Simd;
use rayon::prelude::*;

use self::phases::Phases;
use self::transform::{Four, Minimal, Two};
use self::weight::TransformedWeight;
use super::layout::copy_rows;
use crate::buffer::blocks;
use crate::product::{self, Columns, PanelTask, ROWS, Start, packed_panel_before};
use crate::scratch::Scratch;

pub(super) use self::gradient::KernelGradient;
pub(super) use self::weight::Weight;

/// Tiles of a batch up to which tasks are split by output channels.
const FEW_TILES: usize = 128;
/// Tiles that are in work at once: more leave the caches, with fewer the weights are read too often.
const BLOCK_TILES: usize = 64;
/// Floats of their transforms, for a third of a second-level cache of 2 MB: those of 64 input channels with tiles of
/// 4x4, at each place 16 kB.
const BLOCK_FLOATS: usize = 36 * 64 * BLOCK_TILES;
/// Floats of the transformed weights of a group of output channels, where a task makes its own.
const GROUP_FLOATS: usize = 128 * 1024;
/// Lanes of the widest vector.
const LANES: usize = 16;

/// Size of the tiles.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    /// `F(2x2, 3x3)`
    Two,
    /// `F(4x4, 3x3)`
    Four,
}

impl Form {
    /// The form for maps of `size`: larger tiles multiply less, but small maps have few of them, and their
    /// weights are larger. The batch has no say: an image would depend on its companions.
    fn of(size: [usize; 2]) -> Self {
        if size[0] * size[1] >= 2048 {
            Self::Four
        } else {
            Self::Two
        }
    }

    /// Outputs along a side of a tile.
    fn side(self) -> usize {
        match self {
            Self::Two => 2,
            Self::Four => 4,
        }
    }

    /// Products of a tile.
    fn places(self) -> usize {
        (self.side() + 2).pow(2)
    }
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
        let form = Form::of(self.size);
        let [channels_out, _] = self.weight.channels();
        let batch_size = output.len() / (channels_out * self.size[0] * self.size[1]);
        let [rows, columns] = self.size.map(|size| size.div_ceil(form.side()));
        let threads = rayon::current_num_threads();
        let tiles = batch_size * rows * columns;
        let few = tiles <= FEW_TILES;
        // With few tiles nothing is worth waiting for: each task transforms all inputs, or all weights.
        if few && (batch_size < threads || tiles < channels_out) {
            return self.by_channels(form, output, threads);
        }
        // A task is a band of an image, or some small images; two a thread at least, or one if they
        // transform the weights.
        let share = tiles.div_ceil(if few { threads } else { 2 * threads });
        let block = BLOCK_TILES.min(share);
        let band = (block / columns).clamp(1, rows);
        let images = (block / (rows * columns)).clamp(1, batch_size.div_ceil(threads));
        let bands = rows.div_ceil(band);
        let [height, width] = self.size;
        let part = band * form.side() * width;
        let outputs = blocks(output, height * width, images * channels_out, part);
        let weight = (!few).then(|| TransformedWeight::new(&self.weight, form));
        self.run_tasks(outputs, |t, outputs| {
            let (image, row) = (t / bands * images, t % bands * band);
            Task {
                operands: self,
                form,
                weight: weight.as_ref(),
                images: image..image + outputs.len() / channels_out,
                rows: row..(row + band).min(rows),
                channels: 0..channels_out,
                outputs,
            }
        })
    }

    /// Every task makes some channels of all images and transforms their weights alone: inputs are
    /// transformed once a task, but there is nothing that tasks wait for.
    fn by_channels(&self, form: Form, output: &mut [f32], threads: usize) -> bool {
        let [channels_out, _] = self.weight.channels();
        let [height, width] = self.size;
        let pixels = height * width;
        let batch_size = output.len() / (channels_out * pixels);
        let panels = channels_out.div_ceil(ROWS);
        let group = panels.div_ceil(threads.min(panels)) * ROWS;
        let mut outputs: Vec<Vec<&mut [f32]>> = Vec::new();
        outputs.resize_with(channels_out.div_ceil(group), Vec::new);
        for (i, plane) in output.chunks_mut(pixels).enumerate() {
            outputs[i % channels_out / group].push(plane);
        }
        self.run_tasks(outputs, |t, outputs| Task {
            operands: self,
            form,
            weight: None,
            images: 0..batch_size,
            rows: 0..height.div_ceil(form.side()),
            channels: t * group..channels_out.min((t + 1) * group),
            outputs,
        })
    }

    /// Runs the task of each set of outputs; whether all are finite.
    fn run_tasks<'a>(
        &self,
        outputs: Vec<Vec<&'a mut [f32]>>,
        task: impl Fn(usize, Vec<&'a mut [f32]>) -> Task<'a> + Sync,
    ) -> bool {
        let finite = AtomicBool::new(true);
        outputs
            .into_par_iter()
            .enumerate()
            .for_each(|(t, outputs)| {
                if !product::dispatch(task(t, outputs)) {
                    finite.store(false, Ordering::Relaxed);
                }
            });
        finite.into_inner()
    }
}

/// Some channels of some rows of tiles of some images.
struct Task<'a> {
    operands: &'a Winograd<'a>,
    form: Form,
    /// The transformed weights, or none: the task makes those of its channels.
    weight: Option<&'a TransformedWeight>,
    images: Range<usize>,
    /// Rows of tiles of each image.
    rows: Range<usize>,
    channels: Range<usize>,
    /// Those rows of `[images, channels]`.
    outputs: Vec<&'a mut [f32]>,
}

impl PanelTask for Task<'_> {
    type Output = bool;

    #[inline(always)]
    fn run<S: Simd, const R: usize>(self, simd: S) -> bool {
        match self.form {
            Form::Two => self.run_form::<S, Two, 2, 4, R>(simd),
            Form::Four => self.run_form::<S, Four, 4, 6, R>(simd),
        }
    }
}

/// A buffer of `[place][channel][tile]`.
struct Places {
    values: Scratch,
    /// Floats of a place and of a channel of it.
    place: usize,
    stride: usize,
}

impl Places {
    fn new(places: usize, channels: usize, stride: usize) -> Self {
        let place = channels * stride + LANES;
        Self {
            values: Scratch::new(places * place),
            place,
            stride,
        }
    }
}

/// Tiles that are in work at once.
struct Block {
    images: Range<usize>,
    rows: Range<usize>,
    columns: Range<usize>,
}

impl Block {
    /// Of one image.
    fn image_tiles(&self) -> usize {
        self.rows.len() * self.columns.len()
    }
}

impl Task<'_> {
    #[inline(always)]
    fn run_form<S: Simd, F: Minimal<M, N>, const M: usize, const N: usize, const R: usize>(
        mut self,
        simd: S,
    ) -> bool {
        let [_, channels_in] = self.operands.weight.channels();
        let columns = self.operands.size[1].div_ceil(M);
        let rows = self.images.len() * self.rows.len();
        // A single row of many tiles is worked on in parts, unless each would make the weights.
        let step = match rows {
            1 if self.weight.is_some() => columns.min(BLOCK_TILES),
            _ => columns,
        };
        // With room for the nonsense beyond the last tile that whole vectors write, of a row of tiles or, where
        // they follow each other without a gap, of an image.
        let line = match step {
            0..LANES => self.rows.len() * step,
            _ => step,
        };
        let last_line = rows * step - line;
        let stride = (last_line + line.next_multiple_of(LANES)).next_multiple_of(LANES);
        let channels = self.channels.clone();
        let depth = (BLOCK_FLOATS / (N * N * stride)).clamp(1, channels_in);
        let group = (GROUP_FLOATS / (N * N * depth) / R * R).max(R);
        let mut inputs = Places::new(N * N, depth, stride);
        let mut products = Places::new(N * N, channels.len(), stride);
        let mut phases = Phases::<M, N>::new(self.rows.len(), step);
        let mut finite = true;
        for first in (0..columns).step_by(step) {
            let block = Block {
                images: self.images.clone(),
                rows: self.rows.clone(),
                columns: first..columns.min(first + step),
            };
            let tiles = block.images.len() * block.image_tiles();
            for first in (0..channels_in).step_by(depth) {
                let from = first..channels_in.min(first + depth);
                let read = from.clone();
                self.transform_inputs::<S, F, M, N>(simd, &block, read, &mut phases, &mut inputs);
                for first in channels.clone().step_by(group) {
                    let group = first..channels.end.min(first + group);
                    let own = self.weight.is_none().then(|| {
                        let weight = &self.operands.weight;
                        TransformedWeight::part::<R>(weight, self.form, group.clone(), from.clone())
                    });
                    let product = Product {
                        inputs: &inputs,
                        tiles,
                        weight: self.weight.or(own.as_ref()).expect("one of the two"),
                        channels_in: from.clone(),
                        channels_out: group,
                    };
                    product.run::<S, N, R>(simd, &mut products, channels.start);
                }
            }
            finite &= self.transform_outputs::<S, F, M, N>(simd, &block, &products);
        }
        finite
    }

    #[inline(always)]
    fn transform_inputs<S: Simd, F: Minimal<M, N>, const M: usize, const N: usize>(
        &self,
        simd: S,
        block: &Block,
        channels: Range<usize>,
        phases: &mut Phases<M, N>,
        inputs: &mut Places,
    ) {
        let [height, width] = self.operands.size;
        let [_, channels_in] = self.operands.weight.channels();
        let size = [block.rows.len(), block.columns.len()];
        for (i, image) in block.images.clone().enumerate() {
            for (k, c) in channels.clone().enumerate() {
                let at = (image * channels_in + c) * height * width;
                let plane = &self.operands.source[at..][..height * width];
                phases.fill(plane, width, block.rows.clone(), block.columns.clone());
                let to = &mut inputs.values[k * inputs.stride + i * block.image_tiles()..];
                phases.transform::<S, F>(simd, size, to, inputs.place);
            }
        }
    }

    /// Whether all outputs are finite.
    #[inline(always)]
    fn transform_outputs<S: Simd, F: Minimal<M, N>, const M: usize, const N: usize>(
        &mut self,
        simd: S,
        block: &Block,
        products: &Places,
    ) -> bool {
        let mut finite = true;
        for image in 0..block.images.len() {
            for (p, c) in self.channels.clone().enumerate() {
                let bias = self.operands.bias.map_or(0.0, |bias| bias[c]);
                let at = image * self.channels.len() + p;
                let tile = image * block.image_tiles();
                finite &= OutputRows {
                    products: &products.values[p * products.stride + tile..],
                    place: products.place,
                    bias,
                    output: &mut *self.outputs[at],
                    width: self.operands.size[1],
                    columns: block.columns.clone(),
                }
                .run::<S, F, M, N>(simd);
            }
        }
        finite
    }
}

/// The products of some input channels' transforms with some output channels' weights.
struct Product<'a> {
    /// Of the input channels alone.
    inputs: &'a Places,
    tiles: usize,
    weight: &'a TransformedWeight,
    channels_in: Range<usize>,
    channels_out: Range<usize>,
}

impl Product<'_> {
    /// Adds them to `products`, those of the output channels from `first` on, or begins them with the first input
    /// channel.
    #[inline(always)]
    fn run<S: Simd, const N: usize, const R: usize>(
        &self,
        simd: S,
        products: &mut Places,
        first: usize,
    ) {
        let Self {
            inputs,
            tiles,
            weight,
            channels_in,
            channels_out,
        } = self;
        let stride = products.stride;
        let start = match channels_in.start {
            0 => Start::Zero,
            _ => Start::Output,
        };
        for place in 0..N * N {
            let right = Columns {
                values: &inputs.values[place * inputs.place..],
                columns: tiles.next_multiple_of(S::F32_LANES),
                stride,
            };
            let at = place * products.place + (channels_out.start - first) * stride;
            let products = &mut products.values[at..];
            let panels = products[..channels_out.len() * stride].chunks_mut(R * stride);
            for (p, products) in panels.enumerate() {
                let channel = channels_out.start + p * R;
                let left = |channel| weight.panel::<R>(channel, place, channels_in.clone());
                let next = if channel + R < channels_out.end {
                    left(channel + R)
                } else {
                    let place = (place + 1) % (N * N);
                    weight.panel::<R>(channels_out.start, place, channels_in.clone())
                };
                packed_panel_before::<S, R>(
                    simd,
                    left(channel),
                    next,
                    right,
                    products,
                    stride,
                    start,
                );
            }
        }
    }
}

/// Rows of outputs of one channel.
struct OutputRows<'a> {
    /// Of their tiles, one row of tiles after the other; the places `place` floats apart.
    products: &'a [f32],
    place: usize,
    bias: f32,
    /// `[rows, width]`
    output: &'a mut [f32],
    width: usize,
    /// Columns of tiles.
    columns: Range<usize>,
}

impl OutputRows<'_> {
    /// `A^T m A` of all tiles; whether all outputs are finite.
    #[inline(always)]
    fn run<S: Simd, F: Minimal<M, N>, const M: usize, const N: usize>(mut self, simd: S) -> bool {
        const EXPONENT: u32 = 0x7F80_0000;
        let columns = self.columns.len();
        let rows = (self.output.len() / self.width).div_ceil(M);
        if columns < LANES {
            // A vector holds several rows of tiles.
            self.line::<S, F, M, N>(simd, 0..rows * columns);
        } else {
            for r in 0..rows {
                self.line::<S, F, M, N>(simd, r * columns..(r + 1) * columns);
            }
        }
        let written = M * self.columns.start..self.width.min(M * self.columns.end);
        self.output.chunks(self.width).all(|row| {
            let largest = row[written.clone()].iter().fold(0, |largest, value| {
                (value.to_bits() & EXPONENT).max(largest)
            });
            largest < EXPONENT
        })
    }

    /// The outputs of `tiles`.
    #[inline(always)]
    fn line<S: Simd, F: Minimal<M, N>, const M: usize, const N: usize>(
        &mut self,
        simd: S,
        tiles: Range<usize>,
    ) {
        let zero = simd.splat_f32s(0.0);
        let bias = simd.splat_f32s(self.bias);
        for first in tiles.clone().step_by(S::F32_LANES) {
            let mut columns = [[zero; M]; N];
            for (dx, column) in columns.iter_mut().enumerate() {
                let mut values = [zero; N];
                for (dy, value) in values.iter_mut().enumerate() {
                    let at = (N * dy + dx) * self.place + first;
                    *value = S::as_simd_f32s(&self.products[at..][..S::F32_LANES]).0[0];
                }
                *column = F::output(simd, values);
            }
            let last = tiles.end.min(first + S::F32_LANES);
            for dy in 0..M {
                let mut row = [zero; N];
                for (value, column) in row.iter_mut().zip(&columns) {
                    *value = column[dy];
                }
                let mut parts = [[0.0_f32; LANES]; M];
                for (part, value) in parts.iter_mut().zip(F::output(simd, row)) {
                    let (to, _) = S::as_mut_simd_f32s(&mut part[..S::F32_LANES]);
                    to[0] = simd.add_f32s(value, bias);
                }
                let line: [[f32; M]; LANES] =
                    core::array::from_fn(|i| core::array::from_fn(|j| parts[j][i]));
                self.write::<M>(first..last, dy, line.as_flattened());
            }
        }
    }

    /// Writes `line`, row `dy` of each of `tiles`.
    #[inline(always)]
    fn write<const M: usize>(&mut self, tiles: Range<usize>, dy: usize, line: &[f32]) {
        let columns = self.columns.len();
        let mut tile = tiles.start;
        while tile < tiles.end {
            let (r, c) = (tile / columns, tile % columns);
            let count = (columns - c).min(tiles.end - tile);
            let c = c + self.columns.start;
            // Rows and columns beyond the map are dropped.
            let len = (M * count).min(self.width - M * c);
            let at = (M * r + dy) * self.width + M * c;
            if let Some(to) = self.output.get_mut(at..at + len) {
                let from = &line[M * (tile - tiles.start)..];
                copy_rows([1, len], (from, len), (to, len));
            }
            tile += count;
        }
    }
}
