//! Operands of attention in the order in which the products read them.

use rayon::prelude::*;

use crate::scratch::Scratch;

/// Keys of a tile: its two operands of 64 channels stay in the first-level cache. A multiple of the
/// rows of a panel and of every vector.
pub(super) const KEYS: usize = 96;
/// Queries of a block, likewise a multiple of the rows of a panel.
pub(super) const QUERIES: usize = 48;

/// Tokens of images, whose heads lie side by side in the channels. A matrix is one head of one image.
#[derive(Clone, Copy)]
pub(super) struct Tokens<'a> {
    pub(super) values: &'a [f32],
    /// Of an image.
    pub(super) count: usize,
    pub(super) heads: usize,
    /// Of a head.
    pub(super) channels: usize,
}

impl<'a> Tokens<'a> {
    fn matrices(&self) -> usize {
        self.values.len() / (self.count * self.channels)
    }

    fn token(&self, matrix: usize, token: usize) -> &'a [f32] {
        let image = matrix / self.heads;
        let row = (image * self.count + token) * self.heads + matrix % self.heads;
        &self.values[row * self.channels..][..self.channels]
    }
}

/// Rows of whole vectors, matrix by matrix: borrowed if the source already has them.
pub(super) enum Rows<'a> {
    Source(&'a [f32]),
    Copy(Scratch),
}

impl<'a> Rows<'a> {
    /// Rows of `channels` values, with zeros up to the next multiple of `lanes`.
    pub(super) fn new(source: Tokens<'a>, lanes: usize) -> Self {
        if source.channels.is_multiple_of(lanes) && source.heads == 1 {
            return Self::Source(source.values);
        }
        Self::scaled(source, lanes, 1.0)
    }

    /// A copy multiplied by `factor`.
    pub(super) fn scaled(source: Tokens<'a>, lanes: usize, factor: f32) -> Self {
        let padded = source.channels.next_multiple_of(lanes);
        let len = source.matrices() * source.count * padded;
        let mut copy = Scratch::new(len);
        copy[..len]
            .par_chunks_mut(padded)
            .enumerate()
            .with_min_len(64)
            .for_each(|(row, to)| {
                let from = source.token(row / source.count, row % source.count);
                for (to, from) in to.iter_mut().zip(from) {
                    *to = factor * from;
                }
                to[source.channels..].fill(0.0);
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

/// Tokens as `[matrix][tile][channel][token in tile]` for blocks of `block` tokens in tiles of `tile`, times
/// `factor`; zero beyond the last token.
pub(super) fn transposed(source: Tokens<'_>, block: usize, tile: usize, factor: f32) -> Scratch {
    let channels = source.channels;
    let blocks = source.count.div_ceil(block);
    let len = source.matrices() * blocks * block * channels;
    let mut output = Scratch::new(len);
    output[..len]
        .par_chunks_mut(block * channels)
        .enumerate()
        .for_each(|(i, output)| {
            let (matrix, first) = (i / blocks, i % blocks * block);
            for (t, output) in output.chunks_exact_mut(tile * channels).enumerate() {
                let first = first + t * tile;
                let count = tile.min(source.count.saturating_sub(first));
                if count < tile {
                    output.fill(0.0);
                }
                for j in 0..count {
                    let token = source.token(matrix, first + j);
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
        let values: Vec<f32> = (1..=12).map(|v| v as f32).collect();
        let source = Tokens {
            values: &values,
            count: 3,
            heads: 1,
            channels: 2,
        };
        let packed = transposed(source, 4, 2, 2.0);
        assert_eq!(packed[..8], [2.0, 6.0, 4.0, 8.0, 10.0, 0.0, 12.0, 0.0]);
        assert_eq!(packed[8..12], [14.0, 18.0, 16.0, 20.0]);
        // The same values as one image of three tokens of two heads.
        let packed = transposed(Tokens { heads: 2, ..source }, 4, 2, 1.0);
        assert_eq!(packed[..8], [1.0, 5.0, 2.0, 6.0, 9.0, 0.0, 10.0, 0.0]);
        assert_eq!(packed[8..12], [3.0, 7.0, 4.0, 8.0]);
    }

    #[test]
    fn rows_end_in_zeros() {
        let values = [1.0, 2.0, 3.0, 4.0];
        let source = Tokens {
            values: &values,
            count: 2,
            heads: 1,
            channels: 2,
        };
        assert_eq!(Rows::new(source, 2).as_slice(), values);
        let rows = Rows::new(source, 3);
        assert_eq!(rows.as_slice()[..6], [1.0, 2.0, 0.0, 3.0, 4.0, 0.0]);
        let heads = Tokens {
            heads: 2,
            channels: 1,
            ..source
        };
        assert_eq!(Rows::new(heads, 1).as_slice()[..4], [1.0, 3.0, 2.0, 4.0]);
    }
}
