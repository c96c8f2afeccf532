//! Operands of attention in the order in which the products read them.

use rayon::prelude::*;

use crate::scratch::Scratch;

/// Keys of a tile: its two operands of 64 channels stay in the first-level cache. A multiple of the
/// rows of a panel and of every vector.
pub(super) const KEYS: usize = 96;
/// Queries of a block, likewise a multiple of the rows of a panel.
pub(super) const QUERIES: usize = 48;

/// Rows of whole vectors: borrowed if the source already has them.
pub(super) enum Rows<'a> {
    Source(&'a [f32]),
    Copy(Scratch),
}

impl<'a> Rows<'a> {
    /// Rows of `channels` values, with zeros up to the next multiple of `lanes`.
    pub(super) fn new(source: &'a [f32], channels: usize, lanes: usize) -> Self {
        if channels.is_multiple_of(lanes) {
            return Self::Source(source);
        }
        Self::scaled(source, channels, lanes, 1.0)
    }

    /// A copy multiplied by `factor`.
    pub(super) fn scaled(source: &'a [f32], channels: usize, lanes: usize, factor: f32) -> Self {
        let padded = channels.next_multiple_of(lanes);
        let mut copy = Scratch::new(source.len() / channels * padded);
        copy[..source.len() / channels * padded]
            .par_chunks_mut(padded)
            .zip(source.par_chunks(channels))
            .with_min_len(64)
            .for_each(|(to, from)| {
                for (to, from) in to.iter_mut().zip(from) {
                    *to = factor * from;
                }
                to[channels..].fill(0.0);
            });
        Self::Copy(copy)
    }

    pub(super) fn as_slice(&self) -> &[f32] {
        match self {
            Self::Source(source) => source,
            Self::Copy(copy) => copy,
        }
    }
}

/// `[batch_size, tokens, channels]` as `[batch_size][tile][channel][token in tile]` for tiles of
/// `block` tokens, times `factor`; zero beyond the last token.
pub(super) fn transposed(
    source: &[f32],
    [tokens, channels]: [usize; 2],
    block: usize,
    tile: usize,
    factor: f32,
) -> Scratch {
    let batch_size = source.len() / (tokens * channels);
    let blocks = tokens.div_ceil(block);
    let len = batch_size * blocks * block * channels;
    let mut output = Scratch::new(len);
    output[..len]
        .par_chunks_mut(block * channels)
        .enumerate()
        .for_each(|(i, output)| {
            let (n, b) = (i / blocks, i % blocks);
            let image = &source[n * tokens * channels..][..tokens * channels];
            let source = &image[b * block * channels..];
            for (t, output) in output.chunks_exact_mut(tile * channels).enumerate() {
                let source = source.get(t * tile * channels..).unwrap_or_default();
                let count = tile.min(source.len() / channels);
                if count < tile {
                    output.fill(0.0);
                }
                for (j, token) in source.chunks_exact(channels).take(count).enumerate() {
                    for (to, from) in output[j..].iter_mut().step_by(tile).zip(token) {
                        *to = factor * from;
                    }
                }
            }
        });
    output
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_go_to_their_tiles() {
        // Two images of three tokens of two channels, blocks of four tokens in tiles of two.
        let source: Vec<f32> = (1..=12).map(|v| v as f32).collect();
        let packed = transposed(&source, [3, 2], 4, 2, 2.0);
        assert_eq!(packed[..8], [2.0, 6.0, 4.0, 8.0, 10.0, 0.0, 12.0, 0.0]);
        assert_eq!(packed[8..12], [14.0, 18.0, 16.0, 20.0]);
    }

    #[test]
    fn rows_end_in_zeros() {
        let source = [1.0, 2.0, 3.0, 4.0];
        assert_eq!(Rows::new(&source, 2, 2).as_slice(), source);
        let rows = Rows::new(&source, 2, 3);
        assert_eq!(rows.as_slice()[..6], [1.0, 2.0, 0.0, 3.0, 4.0, 0.0]);
    }
}
