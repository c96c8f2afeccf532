//! What the U-Net reads of its style images, computed once for all diffusion steps.

use std::ops::Range;

use burn::tensor::Tensor;

use crate::resample::repeat_to;
use crate::{StyleFusion, StyleTokens};

/// Keys and values of every STFM of a [`UNet`](crate::UNet) for a batch of style images, in the order
/// of use. They depend on the style images alone: one encoder pass and one projection serve all
/// diffusion steps and any number of faces.
#[derive(Debug, Clone)]
pub struct StyleCondition(Vec<StyleTokens>);

impl StyleCondition {
    pub(super) fn new(tokens: Vec<StyleTokens>) -> Self {
        Self(tokens)
    }

    /// Number of style images.
    pub fn batch_size(&self) -> usize {
        self.0.first().map_or(0, StyleTokens::batch_size)
    }

    /// The styles of all parts, in order.
    ///
    /// # Panics
    ///
    /// Panics if there are no parts, or they are of different networks.
    pub fn cat(parts: &[&Self]) -> Self {
        let count = parts.first().expect("at least one part").0.len();
        assert!(
            parts.iter().all(|part| part.0.len() == count),
            "conditions of different networks"
        );
        Self(
            (0..count)
                .map(|index| {
                    let column: Vec<&StyleTokens> =
                        parts.iter().map(|part| &part.0[index]).collect();
                    StyleTokens::cat(&column)
                })
                .collect(),
        )
    }

    /// The styles of `range`.
    ///
    /// # Panics
    ///
    /// Panics if `range` is empty or leaves the batch.
    pub fn slice(&self, range: Range<usize>) -> Self {
        assert!(
            range.start < range.end && range.end <= self.batch_size(),
            "styles {range:?} of {}",
            self.batch_size()
        );
        self.map(&|tensor| tensor.narrow(0, range.start, range.len()))
    }

    /// The whole batch `times` times over: one style for many faces.
    pub fn repeat(&self, times: usize) -> Self {
        self.map(&|tensor| tensor.repeat_dim(0, times))
    }

    fn map(&self, change: &dyn Fn(Tensor<3>) -> Tensor<3>) -> Self {
        Self(self.0.iter().map(|tokens| tokens.map(change)).collect())
    }

    /// The styles of one forward pass over `batch_size` images.
    ///
    /// # Panics
    ///
    /// Panics if the number of styles is no multiple of `batch_size`.
    pub(super) fn feed(&self, batch_size: usize) -> StyleFeed<'_> {
        let styles = self.batch_size();
        assert!(
            batch_size > 0 && styles.is_multiple_of(batch_size),
            "{styles} styles for {batch_size} images; give each image as many"
        );
        StyleFeed {
            tokens: self.0.iter(),
            styles,
        }
    }
}

/// The styles of a forward pass, STFM by STFM.
pub(super) struct StyleFeed<'a> {
    tokens: std::slice::Iter<'a, StyleTokens>,
    styles: usize,
}

impl StyleFeed<'_> {
    /// The next STFM. At the first one the maps, until then one an image, become one a style.
    pub(super) fn fuse(&mut self, fusion: &StyleFusion, hidden: Tensor<4>) -> Tensor<4> {
        let tokens = self.tokens.next().expect("tokens for every STFM");
        fusion.forward(repeat_to(hidden, self.styles), tokens)
    }
}
