//! Attention on the Flex backend, forward.
//!
//! A task is a block of queries of one image. It walks over tiles of keys: scores of the tile, their
//! exponentials relative to the largest score so far, and the sum of values, which is scaled down
//! whenever a larger score appears.

use burn::backend::flex::{Flex, FlexTensor};
use pulp::Simd;
use rayon::prelude::*;

use super::pack::{KEYS, QUERIES, Rows, Tokens, transposed};
use super::{gradient, reference};
use crate::buffer::{all_f32, dims, output, read, tensor};
use crate::exp::exp;
use crate::product::{
    self, Columns, FEW_ROWS, PanelTask, ROWS, Start, packed_panel, panel, rows_of,
};
use crate::simd::Width;
use crate::softmax::flex::largest;

/// Sizes of an attention.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sizes {
    pub(super) batch_size: usize,
    pub(super) queries: usize,
    pub(super) keys: usize,
    pub(super) channels: usize,
    pub(super) channels_out: usize,
}

impl Sizes {
    /// `None` if Burn's operations must serve.
    fn new(query: &FlexTensor, key: &FlexTensor, value: &FlexTensor) -> Option<Self> {
        let [batch_size, queries, channels] = dims(query);
        let [_, keys, channels_out] = dims(value);
        let sizes = [batch_size, queries, channels, keys, channels_out];
        (all_f32(&[query, key, value]) && !sizes.contains(&0)).then_some(Self {
            batch_size,
            queries,
            keys,
            channels,
            channels_out,
        })
    }
}

/// Rows of a panel for the chosen instruction set.
pub(super) fn panel_rows() -> usize {
    if Width::detect().many_registers {
        ROWS
    } else {
        FEW_ROWS
    }
}

/// See [`KernelOps::attention_forward`](crate::KernelOps::attention_forward).
pub(crate) fn forward(
    query: FlexTensor,
    key: FlexTensor,
    value: FlexTensor,
    scale: f64,
) -> (FlexTensor, FlexTensor) {
    let Some(sizes) = Sizes::new(&query, &key, &value) else {
        return reference::forward::<Flex>(query, key, value, scale);
    };
    let (output, log_sums) = outputs(sizes, 1, [&query, &key, &value], scale as f32);
    let [batch_size, queries] = [sizes.batch_size, sizes.queries];
    (
        tensor(output, [batch_size, queries, sizes.channels_out]),
        tensor(log_sums, [batch_size, queries]),
    )
}

/// See [`KernelOps::multi_head_attention`](crate::KernelOps::multi_head_attention).
pub(crate) fn heads(
    query: FlexTensor,
    key: FlexTensor,
    value: FlexTensor,
    num_heads: usize,
    scale: f64,
) -> FlexTensor {
    let Some(sizes) = Sizes::new(&query, &key, &value) else {
        return reference::heads::<Flex>(query, key, value, num_heads, |query, key, value| {
            reference::forward::<Flex>(query, key, value, scale).0
        });
    };
    let of_head = Sizes {
        channels: sizes.channels / num_heads,
        channels_out: sizes.channels_out / num_heads,
        ..sizes
    };
    let (output, _) = outputs(of_head, num_heads, [&query, &key, &value], scale as f32);
    let dims = [sizes.batch_size, sizes.queries, sizes.channels_out];
    tensor(output, dims)
}

/// The output for `heads` heads of these sizes side by side, and the logarithms of the sums of exponentials: of
/// one head, where there is one.
fn outputs(
    sizes: Sizes,
    heads: usize,
    [query, key, value]: [&FlexTensor; 3],
    scale: f32,
) -> (Vec<f32>, Vec<f32>) {
    let Sizes {
        batch_size,
        queries,
        keys,
        channels,
        channels_out,
    } = sizes;
    let (query, key, value) = (read(query), read(key), read(value));
    let lanes = Width::detect().lanes;
    let tokens = |values, count, channels| Tokens {
        values,
        count,
        heads,
        channels,
    };
    let panels = transposed(
        tokens(&query, queries, channels),
        QUERIES,
        panel_rows(),
        scale,
    );
    let key_tiles = transposed(tokens(&key, keys, channels), KEYS, KEYS, 1.0);
    let value_rows = Rows::new(tokens(&value, keys, channels_out), lanes);
    let padded = channels_out.next_multiple_of(lanes);
    let panels_len = queries.next_multiple_of(QUERIES) * channels;
    let tiles_len = keys.next_multiple_of(KEYS) * channels;
    let width = heads * channels_out;
    let mut output = output(batch_size * queries * width);
    let mut log_sums = vec![0.0; batch_size * queries];
    output
        .par_chunks_mut(queries * width)
        .zip(log_sums.par_chunks_mut(queries))
        .enumerate()
        .for_each(|(image, (output, log_sums))| {
            output
                .par_chunks_mut(QUERIES * width)
                .zip(log_sums.par_chunks_mut(QUERIES))
                .enumerate()
                .for_each(|(b, (output, log_sums))| {
                    for head in 0..heads {
                        let n = image * heads + head;
                        let first = n * panels_len + b * QUERIES * channels;
                        product::dispatch(ForwardTask {
                            sizes,
                            panels: &panels[first..][..QUERIES * channels],
                            key_tiles: &key_tiles[n * tiles_len..][..tiles_len],
                            values: &value_rows.as_slice()[n * keys * padded..][..keys * padded],
                            output: &mut output[head * channels_out..],
                            stride: width,
                            log_sums,
                        });
                    }
                });
        });
    (output, log_sums)
}

/// See [`KernelOps::attention_gradients`](crate::KernelOps::attention_gradients).
pub(crate) fn gradients(
    query: FlexTensor,
    key: FlexTensor,
    value: FlexTensor,
    output: FlexTensor,
    log_sums: FlexTensor,
    gradient: FlexTensor,
    scale: f64,
) -> (FlexTensor, FlexTensor, FlexTensor) {
    let others = all_f32(&[&output, &log_sums, &gradient]);
    let Some(sizes) = Sizes::new(&query, &key, &value).filter(|_| others) else {
        return reference::gradients::<Flex>(query, key, value, output, log_sums, gradient, scale);
    };
    let [d_query, d_key, d_value] = gradient::Operands {
        sizes,
        query: &read(&query),
        key: &read(&key),
        value: &read(&value),
        output: &read(&output),
        log_sums: &read(&log_sums),
        gradient: &read(&gradient),
        scale: scale as f32,
    }
    .run();
    (
        tensor(d_query, dims::<3>(&query)),
        tensor(d_key, dims::<3>(&key)),
        tensor(d_value, dims::<3>(&value)),
    )
}

/// A block of queries of one image.
struct ForwardTask<'a> {
    sizes: Sizes,
    /// Scaled queries, `[panel][channel][row of panel]`.
    panels: &'a [f32],
    /// Keys, `[tile][channel][KEYS]`.
    key_tiles: &'a [f32],
    /// Values in rows of whole vectors.
    values: &'a [f32],
    /// Rows that begin every `stride` values.
    output: &'a mut [f32],
    stride: usize,
    log_sums: &'a mut [f32],
}

impl PanelTask for ForwardTask<'_> {
    type Output = ();

    #[inline(always)]
    fn run<S: Simd, const M: usize>(self, simd: S) {
        let Sizes {
            keys,
            channels,
            channels_out,
            ..
        } = self.sizes;
        let rows = self.log_sums.len();
        let padded = self.values.len() / keys;
        let mut scores = [0.0; QUERIES * KEYS];
        let mut sums_of_values = vec![0.0; QUERIES * padded];
        let mut state = [Running::new(); QUERIES];
        let mut factors = [0.0; QUERIES];
        let tiles = self.key_tiles.chunks_exact(channels * KEYS);
        for (tile, values) in tiles.zip(self.values.chunks(KEYS * padded)) {
            let count = values.len() / padded;
            let right = Columns {
                values: tile,
                columns: count.next_multiple_of(S::F32_LANES),
                stride: KEYS,
            };
            let blocks = scores.chunks_exact_mut(M * KEYS);
            for (left, scores) in self.panels.chunks_exact(M * channels).zip(blocks) {
                let left = left.as_chunks::<M>().0;
                packed_panel::<S, M>(simd, left, right, scores, KEYS, Start::Zero);
            }
            let lines = scores.chunks_exact_mut(KEYS).zip(&mut state);
            for ((line, state), factor) in lines.zip(&mut factors).take(rows) {
                *factor = state.exponentials(simd, &mut line[..count]);
            }
            let right = Columns {
                values,
                columns: padded,
                stride: padded,
            };
            let blocks = sums_of_values.chunks_exact_mut(M * padded);
            let factors = factors.as_chunks::<M>().0;
            for (p, (sums, factors)) in blocks.zip(factors).enumerate() {
                if p * M >= rows {
                    break;
                }
                let left = rows_of::<M>(&scores, p * M, KEYS, count);
                let left = |k: usize| core::array::from_fn(|m| left[m][k]);
                panel::<S, M>(
                    simd,
                    count,
                    left,
                    right,
                    sums,
                    padded,
                    M,
                    Start::Scaled(*factors),
                );
            }
        }
        let outputs = self.output.chunks_mut(self.stride);
        let rows = outputs.zip(self.log_sums).zip(&state);
        for (((output, log_sum), state), sums) in rows.zip(sums_of_values.chunks_exact(padded)) {
            for (output, sum) in output[..channels_out].iter_mut().zip(sums) {
                *output = sum / state.sum;
            }
            *log_sum = state.largest + state.sum.ln();
        }
    }
}

/// What one query knows of the scores so far.
#[derive(Clone, Copy)]
struct Running {
    largest: f32,
    /// Sum of the exponentials of scores less `largest`.
    sum: f32,
}

impl Running {
    fn new() -> Self {
        Self {
            largest: f32::NEG_INFINITY,
            sum: 0.0,
        }
    }

    /// Replaces scores by their exponentials relative to the new largest score; returns the factor
    /// that brings older ones to it.
    #[inline(always)]
    fn exponentials<S: Simd>(&mut self, simd: S, scores: &mut [f32]) -> f32 {
        let new = self.largest.max(largest(simd, scores));
        // Only minus infinities so far: their exponentials are zero, not NaN.
        let base = if new == f32::NEG_INFINITY { 0.0 } else { new };
        let factor = (self.largest - base).exp();
        self.largest = new;
        let base = simd.splat_f32s(base);
        let (vectors, tail) = S::as_mut_simd_f32s(scores);
        let mut sum = simd.splat_f32s(0.0);
        for value in vectors {
            *value = exp(simd, simd.sub_f32s(*value, base));
            sum = simd.add_f32s(sum, *value);
        }
        let mut sum = simd.reduce_sum_f32s(sum);
        if !tail.is_empty() {
            let x = simd.sub_f32s(simd.partial_load_f32s(tail), base);
            simd.partial_store_f32s(tail, exp(simd, x));
            sum += tail.iter().sum::<f32>();
        }
        self.sum = self.sum.mul_add(factor, sum);
        factor
    }
}
