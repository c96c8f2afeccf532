//! Attention on CubeCL runtimes.
//!
//! A cube of `TILE x TILE` units is a block of `TILE` queries of one image, or of keys for the
//! gradients of key and value. It walks over tiles of the other tokens: each unit makes one score of
//! the tile from tokens in shared memory, then sums its share of the output's channels in
//! registers. No sum is shared between cubes, so results are the same every time.

use burn::backend::TensorMetadata;
use burn::tensor::Shape;
use burn_cubecl::CubeBackend;
use burn_cubecl::cubecl::{self, prelude::*};
use burn_cubecl::kernel::into_contiguous;
use burn_cubecl::tensor::CubeTensor;

use super::reference;
use crate::cube::reduction::sum_units;
use crate::cube::{UNITS, address_type, all_f32, cube_count, cube_units, empty};

/// Tokens of a block and of a tile.
const TILE: usize = 16;
/// Values of a token in shared memory: one more than a tile has, so that units that read one value
/// of each token meet different banks.
const STRIDE: usize = TILE + 1;

const _: () = assert!(TILE * TILE == UNITS);

/// Sizes of an attention, for the kernels.
#[derive(CubeType, CubeLaunch, Clone, Copy)]
struct Sizes {
    batch_size: usize,
    queries: usize,
    keys: usize,
    channels: usize,
    channels_out: usize,
    scale: f32,
}

/// What the launches are made of.
struct Launch {
    dims: [usize; 5],
    scale: f32,
}

impl Launch {
    /// `None` if Burn's operations must serve.
    fn new(query: &CubeTensor, key: &CubeTensor, value: &CubeTensor, scale: f64) -> Option<Self> {
        let [batch_size, queries, channels] = query.shape().dims();
        let [_, keys, channels_out] = value.shape().dims();
        let supported = all_f32(&[query, key, value]) && cube_units(&query.client) == UNITS;
        supported.then_some(Self {
            dims: [batch_size, queries, keys, channels, channels_out],
            scale: scale as f32,
        })
    }

    fn sizes(&self) -> SizesLaunch {
        let [batch_size, queries, keys, channels, channels_out] = self.dims;
        SizesLaunch::new(
            batch_size,
            queries,
            keys,
            channels,
            channels_out,
            self.scale,
        )
    }

    /// Channels that a unit sums, of query and key, and of value.
    fn shares(&self) -> [usize; 2] {
        [self.dims[3].div_ceil(TILE), self.dims[4].div_ceil(TILE)]
    }
}

const DIM: CubeDim = CubeDim::new_1d(UNITS as u32);

/// See [`KernelOps::attention_forward`](crate::KernelOps::attention_forward).
pub(crate) fn forward(
    query: CubeTensor,
    key: CubeTensor,
    value: CubeTensor,
    scale: f64,
) -> (CubeTensor, CubeTensor) {
    let Some(launch) = Launch::new(&query, &key, &value, scale) else {
        return reference::forward::<CubeBackend>(query, key, value, scale);
    };
    let [query, key, value] = [query, key, value].map(into_contiguous);
    let [batch_size, queries, _, _, channels_out] = launch.dims;
    let output = empty(&query, Shape::new([batch_size, queries, channels_out]));
    let log_sums = empty(&query, Shape::new([batch_size, queries]));
    forward_kernel::launch(
        &output.client,
        cube_count(&query.client, batch_size * queries.div_ceil(TILE)),
        DIM,
        address_type(&[&query, &key, &value, &output]),
        query.into_buffer_arg(),
        key.into_buffer_arg(),
        value.into_buffer_arg(),
        output.clone().into_buffer_arg(),
        log_sums.clone().into_buffer_arg(),
        launch.sizes(),
        launch.shares()[1],
    );
    (output, log_sums)
}

/// See [`KernelOps::attention_gradients`](crate::KernelOps::attention_gradients).
pub(crate) fn gradients(
    query: CubeTensor,
    key: CubeTensor,
    value: CubeTensor,
    output: CubeTensor,
    log_sums: CubeTensor,
    gradient: CubeTensor,
    scale: f64,
) -> (CubeTensor, CubeTensor, CubeTensor) {
    let launch = Launch::new(&query, &key, &value, scale);
    let Some(launch) = launch.filter(|_| all_f32(&[&output, &log_sums, &gradient])) else {
        return reference::gradients::<CubeBackend>(
            query, key, value, output, log_sums, gradient, scale,
        );
    };
    let [query, key, value, output, log_sums, gradient] =
        [query, key, value, output, log_sums, gradient].map(into_contiguous);
    let [batch_size, queries, keys, ..] = launch.dims;
    let [share, share_out] = launch.shares();
    let [d_query, d_key, d_value] = [&query, &key, &value].map(|t| empty(t, t.shape()));
    let means = empty(&query, Shape::new([batch_size, queries]));
    let address_type = address_type(&[&query, &key, &value, &output]);
    query_gradient_kernel::launch(
        &query.client,
        cube_count(&query.client, batch_size * queries.div_ceil(TILE)),
        DIM,
        address_type,
        query.clone().into_buffer_arg(),
        key.clone().into_buffer_arg(),
        value.clone().into_buffer_arg(),
        output.into_buffer_arg(),
        log_sums.clone().into_buffer_arg(),
        gradient.clone().into_buffer_arg(),
        means.clone().into_buffer_arg(),
        d_query.clone().into_buffer_arg(),
        launch.sizes(),
        share,
    );
    key_value_gradient_kernel::launch(
        &d_query.client,
        cube_count(&d_query.client, batch_size * keys.div_ceil(TILE)),
        DIM,
        address_type,
        query.into_buffer_arg(),
        key.into_buffer_arg(),
        value.into_buffer_arg(),
        log_sums.into_buffer_arg(),
        gradient.into_buffer_arg(),
        means.into_buffer_arg(),
        d_key.clone().into_buffer_arg(),
        d_value.clone().into_buffer_arg(),
        launch.sizes(),
        share,
        share_out,
    );
    (d_query, d_key, d_value)
}

/// Some tokens of a tensor, `TILE` at most, row-major.
#[derive(CubeType, Clone, Copy)]
struct Tokens {
    /// The first of them, among the tokens of all images.
    first: usize,
    count: usize,
    channels: usize,
}

/// The tokens of block or tile `index` of an image with `tokens` tokens.
#[cube]
fn tokens(image: usize, index: usize, tokens: usize, channels: usize) -> Tokens {
    Tokens {
        first: image * tokens + index * TILE,
        count: min(TILE, tokens - index * TILE),
        channels,
    }
}

/// The product of token `row` of `left` and token `column` of `right`, for the unit
/// `row * TILE + column`; zero if there is no such token. Ends with the units in step.
#[cube]
fn product(
    left: &[f32],
    left_tokens: &Tokens,
    right: &[f32],
    right_tokens: &Tokens,
    left_shared: &mut Shared<[f32]>,
    right_shared: &mut Shared<[f32]>,
) -> f32 {
    let row = UNIT_POS as usize / TILE;
    let column = UNIT_POS as usize % TILE;
    let channels = left_tokens.channels;
    let mut sum = 0.0_f32;
    for first in range_stepped(0, channels, TILE) {
        let channel = first + column;
        let mut from_left = 0.0_f32;
        let mut from_right = 0.0_f32;
        if channel < channels {
            if row < left_tokens.count {
                from_left = left[(left_tokens.first + row) * channels + channel];
            }
            if row < right_tokens.count {
                from_right = right[(right_tokens.first + row) * channels + channel];
            }
        }
        left_shared[row * STRIDE + column] = from_left;
        right_shared[row * STRIDE + column] = from_right;
        sync_cube();
        #[unroll]
        for k in 0..TILE {
            sum += left_shared[row * STRIDE + k] * right_shared[column * STRIDE + k];
        }
        sync_cube();
    }
    sum
}

/// `sums = factor sums + weights[row] values`: the unit's channels, `column + TILE i`, of the
/// tokens' sum weighted by its row of `weights`.
#[cube]
fn accumulate(
    sums: &mut Array<f32>,
    factor: f32,
    weights: &Shared<[f32]>,
    values: &[f32],
    tokens: &Tokens,
    #[comptime] share: usize,
) {
    let row = UNIT_POS as usize / TILE;
    let column = UNIT_POS as usize % TILE;
    #[unroll]
    for i in 0..share {
        let channel = column + i * TILE;
        if channel < tokens.channels {
            let mut sum = sums[i] * factor;
            for j in 0..tokens.count {
                let value = values[(tokens.first + j) * tokens.channels + channel];
                sum += weights[row * STRIDE + j] * value;
            }
            sums[i] = sum;
        }
    }
}

/// Writes the unit's channels of its row.
#[cube]
fn store(
    output: &mut [f32],
    tokens: &Tokens,
    sums: &Array<f32>,
    factor: f32,
    #[comptime] share: usize,
) {
    let row = UNIT_POS as usize / TILE;
    let column = UNIT_POS as usize % TILE;
    #[unroll]
    for i in 0..share {
        let channel = column + i * TILE;
        if row < tokens.count && channel < tokens.channels {
            output[(tokens.first + row) * tokens.channels + channel] = sums[i] * factor;
        }
    }
}

#[cube]
fn zeros(#[comptime] share: usize) -> Array<f32> {
    let mut sums = Array::<f32>::new(share);
    #[unroll]
    for i in 0..share {
        sums[i] = 0.0_f32;
    }
    sums
}

#[cube(launch, address_type = "dynamic")]
fn forward_kernel(
    query: &[f32],
    key: &[f32],
    value: &[f32],
    output: &mut [f32],
    log_sums: &mut [f32],
    sizes: &Sizes,
    #[comptime] share_out: usize,
) {
    let blocks = sizes.queries.div_ceil(TILE);
    if CUBE_POS >= sizes.batch_size * blocks {
        terminate!();
    }
    let image = CUBE_POS / blocks;
    let block = CUBE_POS % blocks;
    let row = UNIT_POS as usize / TILE;
    let column = UNIT_POS as usize % TILE;
    let mut left = Shared::new_slice(TILE * STRIDE);
    let mut right = Shared::new_slice(TILE * STRIDE);
    let mut weights = Shared::new_slice(TILE * STRIDE);
    let queries = tokens(image, block, sizes.queries, sizes.channels);

    // The units of a row know the same: the largest score so far, and the sum of exponentials
    // relative to it.
    let mut largest = f32::new(f32::MIN);
    let mut sum = 0.0_f32;
    let mut sums = zeros(share_out);
    for tile in 0..sizes.keys.div_ceil(TILE) {
        let keys = tokens(image, tile, sizes.keys, sizes.channels);
        let values = tokens(image, tile, sizes.keys, sizes.channels_out);
        let score = product(query, &queries, key, &keys, &mut left, &mut right) * sizes.scale;
        weights[row * STRIDE + column] = score;
        sync_cube();
        let mut new = largest;
        for j in 0..keys.count {
            new = max(new, weights[row * STRIDE + j]);
        }
        let factor = (largest - new).exp();
        largest = new;
        sync_cube();
        weights[row * STRIDE + column] = (score - new).exp();
        sync_cube();
        let mut tile_sum = 0.0_f32;
        for j in 0..keys.count {
            tile_sum += weights[row * STRIDE + j];
        }
        sum = sum * factor + tile_sum;
        accumulate(&mut sums, factor, &weights, value, &values, share_out);
    }
    let written = tokens(image, block, sizes.queries, sizes.channels_out);
    store(output, &written, &sums, 1.0_f32 / sum, share_out);
    if column == 0 && row < queries.count {
        log_sums[queries.first + row] = largest + sum.ln();
    }
}

/// The gradient of the queries, and for the other kernel the sums of gradient times output.
#[cube(launch, address_type = "dynamic")]
fn query_gradient_kernel(
    query: &[f32],
    key: &[f32],
    value: &[f32],
    output: &[f32],
    log_sums: &[f32],
    gradient: &[f32],
    means: &mut [f32],
    d_query: &mut [f32],
    sizes: &Sizes,
    #[comptime] share: usize,
) {
    let blocks = sizes.queries.div_ceil(TILE);
    if CUBE_POS >= sizes.batch_size * blocks {
        terminate!();
    }
    let image = CUBE_POS / blocks;
    let block = CUBE_POS % blocks;
    let row = UNIT_POS as usize / TILE;
    let column = UNIT_POS as usize % TILE;
    let mut left = Shared::new_slice(TILE * STRIDE);
    let mut right = Shared::new_slice(TILE * STRIDE);
    let mut weights = Shared::new_slice(TILE * STRIDE);
    let queries = tokens(image, block, sizes.queries, sizes.channels);
    let gradients = tokens(image, block, sizes.queries, sizes.channels_out);
    let inside = row < queries.count;

    let mut mean = 0.0_f32;
    let mut log_sum = 0.0_f32;
    if inside {
        log_sum = log_sums[queries.first + row];
        let begin = (gradients.first + row) * sizes.channels_out;
        for i in range_stepped(begin + column, begin + sizes.channels_out, TILE) {
            mean += gradient[i] * output[i];
        }
    }
    let mean = sum_units(mean, &mut left, TILE);
    if inside && column == 0 {
        means[queries.first + row] = mean;
    }

    let mut sums = zeros(share);
    for tile in 0..sizes.keys.div_ceil(TILE) {
        let keys = tokens(image, tile, sizes.keys, sizes.channels);
        let values = tokens(image, tile, sizes.keys, sizes.channels_out);
        let score = product(query, &queries, key, &keys, &mut left, &mut right) * sizes.scale;
        let d_weight = product(gradient, &gradients, value, &values, &mut left, &mut right);
        weights[row * STRIDE + column] = (score - log_sum).exp() * (d_weight - mean);
        sync_cube();
        accumulate(&mut sums, 1.0_f32, &weights, key, &keys, share);
    }
    store(d_query, &queries, &sums, sizes.scale, share);
}

/// The gradients of keys and values; rows of units are keys, columns are queries.
#[cube(launch, address_type = "dynamic")]
fn key_value_gradient_kernel(
    query: &[f32],
    key: &[f32],
    value: &[f32],
    log_sums: &[f32],
    gradient: &[f32],
    means: &[f32],
    d_key: &mut [f32],
    d_value: &mut [f32],
    sizes: &Sizes,
    #[comptime] share: usize,
    #[comptime] share_out: usize,
) {
    let blocks = sizes.keys.div_ceil(TILE);
    if CUBE_POS >= sizes.batch_size * blocks {
        terminate!();
    }
    let image = CUBE_POS / blocks;
    let block = CUBE_POS % blocks;
    let row = UNIT_POS as usize / TILE;
    let column = UNIT_POS as usize % TILE;
    let mut left = Shared::new_slice(TILE * STRIDE);
    let mut right = Shared::new_slice(TILE * STRIDE);
    let mut weights = Shared::new_slice(TILE * STRIDE);
    let mut d_scores = Shared::new_slice(TILE * STRIDE);
    let keys = tokens(image, block, sizes.keys, sizes.channels);
    let values = tokens(image, block, sizes.keys, sizes.channels_out);

    let mut key_sums = zeros(share);
    let mut value_sums = zeros(share_out);
    for tile in 0..sizes.queries.div_ceil(TILE) {
        let queries = tokens(image, tile, sizes.queries, sizes.channels);
        let gradients = tokens(image, tile, sizes.queries, sizes.channels_out);
        let score = product(key, &keys, query, &queries, &mut left, &mut right) * sizes.scale;
        let d_weight = product(value, &values, gradient, &gradients, &mut left, &mut right);
        let mut log_sum = 0.0_f32;
        let mut mean = 0.0_f32;
        if column < queries.count {
            log_sum = log_sums[queries.first + column];
            mean = means[queries.first + column];
        }
        let weight = (score - log_sum).exp();
        weights[row * STRIDE + column] = weight;
        d_scores[row * STRIDE + column] = weight * (d_weight - mean);
        sync_cube();
        accumulate(
            &mut value_sums,
            1.0_f32,
            &weights,
            gradient,
            &gradients,
            share_out,
        );
        accumulate(&mut key_sums, 1.0_f32, &d_scores, query, &queries, share);
    }
    store(d_key, &keys, &key_sums, sizes.scale, share);
    store(d_value, &values, &value_sums, 1.0_f32, share_out);
}
