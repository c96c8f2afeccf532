//! Gradients of attention on the Flex backend.
//!
//! With weights `P = exp(S - log_sums)`, which are computed again tile by tile:
//! `dV = P^T dO`, `dS = P (dO V^T - sum(dO O))`, `dQ = scale dS K`, `dK = scale dS^T Q`.
//!
//! A task is some tiles of keys of one image, over all its queries. Each has its own sum for `dQ`;
//! how many there are depends on the sizes only, so results do not depend on the number of threads.

use pulp::Simd;
use rayon::prelude::*;

use super::flex::{Sizes, panel_rows};
use super::pack::{KEYS, QUERIES, Rows, Tokens, transposed};
use crate::exp::exp;
use crate::product::{self, Columns, PanelTask, Start, packed_panel, panel, rows_of};
use crate::scratch::Scratch;
use crate::simd::Width;

/// Tasks of a small batch, as far as there are tiles.
const TASKS: usize = 8;

/// Operands, all `[batch_size, tokens, ...]`.
pub(super) struct Operands<'a> {
    pub(super) sizes: Sizes,
    pub(super) query: &'a [f32],
    pub(super) key: &'a [f32],
    pub(super) value: &'a [f32],
    pub(super) output: &'a [f32],
    pub(super) log_sums: &'a [f32],
    pub(super) gradient: &'a [f32],
    pub(super) scale: f32,
}

/// The operands as the products read them.
struct Packed<'a> {
    sizes: Sizes,
    lanes: usize,
    /// Scaled queries and output gradients, `[block][panel][channel][row of panel]`.
    query_panels: Scratch,
    gradient_panels: Scratch,
    /// Scaled queries and output gradients in rows of whole vectors.
    query_rows: Rows<'a>,
    gradient_rows: Rows<'a>,
    /// Keys and values, `[tile][channel][KEYS]`.
    key_tiles: Scratch,
    value_tiles: Scratch,
    key_rows: Rows<'a>,
    log_sums: &'a [f32],
    /// `sum(dO O)` of each query.
    means: Vec<f32>,
}

impl Operands<'_> {
    /// Gradients of query, key and value.
    pub(super) fn run(&self) -> [Vec<f32>; 3] {
        let Sizes {
            batch_size,
            queries,
            keys,
            channels,
            channels_out,
        } = self.sizes;
        let packed = self.packed();
        let padded = channels.next_multiple_of(packed.lanes);
        let tiles = keys.div_ceil(KEYS);
        let tiles_each = tiles.div_ceil(TASKS.div_ceil(batch_size));
        let parts = tiles.div_ceil(tiles_each);

        let mut d_key = vec![0.0; self.key.len()];
        let mut d_value = vec![0.0; self.value.len()];
        let part_len = queries * padded;
        let mut sums = Scratch::new(batch_size * parts * part_len);
        let sums = &mut sums[..batch_size * parts * part_len];
        d_key
            .par_chunks_mut(keys * channels)
            .zip(d_value.par_chunks_mut(keys * channels_out))
            .zip(sums.par_chunks_mut(parts * part_len))
            .enumerate()
            .for_each(|(image, ((d_key, d_value), sums))| {
                d_key
                    .par_chunks_mut(tiles_each * KEYS * channels)
                    .zip(d_value.par_chunks_mut(tiles_each * KEYS * channels_out))
                    .zip(sums.par_chunks_mut(part_len))
                    .enumerate()
                    .for_each(|(part, ((d_key, d_value), d_query))| {
                        product::dispatch(GradientTask {
                            packed: &packed,
                            image,
                            first_tile: part * tiles_each,
                            d_query,
                            d_key,
                            d_value,
                        });
                    });
            });

        let mut d_query = vec![0.0; self.query.len()];
        d_query
            .par_chunks_mut(channels)
            .with_min_len(64)
            .enumerate()
            .for_each(|(row, output)| {
                let (image, row) = (row / queries, row % queries);
                for part in 0..parts {
                    let at = (image * parts + part) * part_len + row * padded;
                    for (output, sum) in output.iter_mut().zip(&sums[at..]) {
                        *output += self.scale * sum;
                    }
                }
            });
        [d_query, d_key, d_value]
    }

    fn packed(&self) -> Packed<'_> {
        let Sizes {
            queries,
            keys,
            channels,
            channels_out,
            ..
        } = self.sizes;
        let lanes = Width::detect().lanes;
        let rows = panel_rows();
        let mut means = vec![0.0; self.log_sums.len()];
        means
            .par_iter_mut()
            .zip(self.gradient.par_chunks(channels_out))
            .zip(self.output.par_chunks(channels_out))
            .with_min_len(64)
            .for_each(|((mean, a), b)| *mean = a.iter().zip(b).map(|(a, b)| a * b).sum());
        let tokens = |values, count, channels| Tokens {
            values,
            count,
            heads: 1,
            channels,
        };
        let query = tokens(self.query, queries, channels);
        let gradient = tokens(self.gradient, queries, channels_out);
        let key = tokens(self.key, keys, channels);
        let value = tokens(self.value, keys, channels_out);
        Packed {
            sizes: self.sizes,
            lanes,
            query_panels: transposed(query, QUERIES, rows, self.scale),
            gradient_panels: transposed(gradient, QUERIES, rows, 1.0),
            query_rows: Rows::scaled(query, lanes, self.scale),
            gradient_rows: Rows::new(gradient, lanes),
            key_tiles: transposed(key, KEYS, KEYS, 1.0),
            value_tiles: transposed(value, KEYS, KEYS, 1.0),
            key_rows: Rows::new(key, lanes),
            log_sums: self.log_sums,
            means,
        }
    }
}

/// Some tiles of keys of one image.
struct GradientTask<'a> {
    packed: &'a Packed<'a>,
    image: usize,
    first_tile: usize,
    /// `dQ / scale` of these keys, in rows of whole vectors; overwritten.
    d_query: &'a mut [f32],
    d_key: &'a mut [f32],
    d_value: &'a mut [f32],
}

impl PanelTask for GradientTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const M: usize>(self, simd: S) {
        let Sizes {
            queries,
            keys,
            channels,
            channels_out,
            ..
        } = self.packed.sizes;
        let padded = channels.next_multiple_of(S::F32_LANES);
        let padded_out = channels_out.next_multiple_of(S::F32_LANES);
        let image = Image::new(self.packed, self.image, padded, padded_out);
        let mut weights = [0.0; QUERIES * KEYS];
        let mut d_scores = [0.0; QUERIES * KEYS];
        let mut key_sums = vec![0.0; KEYS * padded];
        let mut value_sums = vec![0.0; KEYS * padded_out];
        let outputs = self.d_key.chunks_mut(KEYS * channels);
        let outputs = outputs.zip(self.d_value.chunks_mut(KEYS * channels_out));
        for (t, (d_key, d_value)) in outputs.enumerate() {
            let tile = self.first_tile + t;
            let count = KEYS.min(keys - tile * KEYS);
            key_sums.fill(0.0);
            value_sums.fill(0.0);
            for block in 0..queries.div_ceil(QUERIES) {
                let first = block * QUERIES;
                let rows = QUERIES.min(queries - first);
                // S and dO V^T
                for (output, panels, tiles, channels) in [
                    (&mut weights, image.query_panels, image.key_tiles, channels),
                    (
                        &mut d_scores,
                        image.gradient_panels,
                        image.value_tiles,
                        channels_out,
                    ),
                ] {
                    let right = Columns {
                        values: &tiles[tile * channels * KEYS..],
                        columns: count.next_multiple_of(S::F32_LANES),
                        stride: KEYS,
                    };
                    let panels = panels[first * channels..].chunks_exact(M * channels);
                    for (left, output) in panels.zip(output.chunks_exact_mut(M * KEYS)) {
                        let left = left.as_chunks::<M>().0;
                        packed_panel::<S, M>(simd, left, right, output, KEYS, Start::Zero);
                    }
                }
                let lines = weights.chunks_exact_mut(KEYS);
                let lines = lines.zip(d_scores.chunks_exact_mut(KEYS)).take(rows);
                for (r, (weights, d_scores)) in lines.enumerate() {
                    let log_sum = image.log_sums[first + r];
                    let mean = image.means[first + r];
                    score_gradients(simd, weights, d_scores, log_sum, mean);
                }
                // dV += P^T dO and dK += dS^T Q
                for (output, left, right, padded) in [
                    (&mut value_sums, &weights, image.gradient_rows, padded_out),
                    (&mut key_sums, &d_scores, image.query_rows, padded),
                ] {
                    let right = Columns {
                        values: &right[first * padded..],
                        columns: padded,
                        stride: padded,
                    };
                    let panels = output.chunks_exact_mut(M * padded);
                    for (p, output) in panels.enumerate().take(count.div_ceil(M)) {
                        let left = |i: usize| {
                            let at = i * KEYS + p * M;
                            let column = left[at..at + M].as_chunks::<M>().0;
                            column[0]
                        };
                        let ones = Start::Scaled([1.0; M]);
                        panel::<S, M>(simd, rows, left, right, output, padded, M, ones);
                    }
                }
                // dQ = dS K, or dQ += dS K after the first tile
                let right = Columns {
                    values: &image.key_rows[tile * KEYS * padded..],
                    columns: padded,
                    stride: padded,
                };
                let output = &mut self.d_query[first * padded..][..rows * padded];
                for (p, output) in output.chunks_mut(M * padded).enumerate() {
                    let left = rows_of::<M>(&d_scores, p * M, KEYS, count);
                    let left = |k: usize| core::array::from_fn(|m| left[m][k]);
                    let rows = output.len() / padded;
                    let start = match t {
                        0 => Start::Zero,
                        _ => Start::Scaled([1.0; M]),
                    };
                    panel::<S, M>(simd, count, left, right, output, padded, rows, start);
                }
            }
            unpad(&key_sums, padded, d_key, channels);
            unpad(&value_sums, padded_out, d_value, channels_out);
        }
    }
}

/// One image's part of [`Packed`].
struct Image<'a> {
    query_panels: &'a [f32],
    gradient_panels: &'a [f32],
    query_rows: &'a [f32],
    gradient_rows: &'a [f32],
    key_tiles: &'a [f32],
    value_tiles: &'a [f32],
    key_rows: &'a [f32],
    log_sums: &'a [f32],
    means: &'a [f32],
}

impl<'a> Image<'a> {
    fn new(packed: &'a Packed<'_>, image: usize, padded: usize, padded_out: usize) -> Self {
        let Sizes {
            queries,
            keys,
            channels,
            channels_out,
            ..
        } = packed.sizes;
        let part = |values: &'a [f32], len: usize| &values[image * len..][..len];
        let blocks = queries.next_multiple_of(QUERIES);
        let tiles = keys.next_multiple_of(KEYS);
        Self {
            query_panels: part(&packed.query_panels, blocks * channels),
            gradient_panels: part(&packed.gradient_panels, blocks * channels_out),
            query_rows: part(packed.query_rows.as_slice(), queries * padded),
            gradient_rows: part(packed.gradient_rows.as_slice(), queries * padded_out),
            key_tiles: part(&packed.key_tiles, tiles * channels),
            value_tiles: part(&packed.value_tiles, tiles * channels_out),
            key_rows: part(packed.key_rows.as_slice(), keys * padded),
            log_sums: part(packed.log_sums, queries),
            means: part(&packed.means, queries),
        }
    }
}

/// Turns one query's scores into weights, and the weights' gradients into those of the scores.
#[inline(always)]
fn score_gradients<S: Simd>(
    simd: S,
    weights: &mut [f32],
    d_scores: &mut [f32],
    log_sum: f32,
    mean: f32,
) {
    let log_sum = simd.splat_f32s(log_sum);
    let mean = simd.splat_f32s(mean);
    let (weights, _) = S::as_mut_simd_f32s(weights);
    let (d_scores, _) = S::as_mut_simd_f32s(d_scores);
    for (weight, d_score) in weights.iter_mut().zip(d_scores) {
        *weight = exp(simd, simd.sub_f32s(*weight, log_sum));
        *d_score = simd.mul_f32s(*weight, simd.sub_f32s(*d_score, mean));
    }
}

/// Copies rows without their padding.
fn unpad(from: &[f32], padded: usize, to: &mut [f32], channels: usize) {
    for (to, from) in to.chunks_exact_mut(channels).zip(from.chunks_exact(padded)) {
        to.copy_from_slice(&from[..channels]);
    }
}
