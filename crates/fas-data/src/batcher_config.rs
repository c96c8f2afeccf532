//! Settings of a batcher.

/// How an image becomes `height` x `width` pixels.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Fit {
    /// Scaled in each direction as needed, as DiffFAS and SSDG do with their crops.
    #[default]
    Stretch,
    /// The largest square in the middle, scaled.
    CenterSquare,
}

/// Settings of a [`Batcher`](crate::Batcher).
#[derive(Debug, Clone, PartialEq)]
pub struct BatcherConfig {
    /// Height of the images, pixels; at least 1.
    pub height: usize,
    /// Width of the images, pixels; at least 1.
    pub width: usize,
    /// Images in a batch; at least 1. Default 32.
    pub batch_size: usize,
    /// How images are brought to that size. Default [`Fit::Stretch`].
    pub fit: Fit,
    /// Whether [`Batcher::epoch`](crate::Batcher::epoch) leaves out a last batch that is not full. Default `false`.
    pub drop_last: bool,
    /// Probability in `[0, 1]` that an image of an epoch is mirrored. Default 0.
    pub flip_probability: f64,
    /// Decides order and mirroring, with the number of the epoch. Default 0.
    pub seed: u64,
    /// Threads that load; at least 1. Does not change the batches. Default 2.
    pub workers: usize,
    /// Batches that each thread holds ready, beside the one it works on; at least 1. Default 2.
    pub prefetch: usize,
}

impl BatcherConfig {
    /// Square images of `size` pixels; the other settings have their defaults.
    pub fn new(size: usize) -> Self {
        Self {
            height: size,
            width: size,
            batch_size: 32,
            fit: Fit::default(),
            drop_last: false,
            flip_probability: 0.0,
            seed: 0,
            workers: 2,
            prefetch: 2,
        }
    }

    /// Sets [`batch_size`](Self::batch_size).
    #[must_use]
    pub fn with_batch_size(mut self, batch_size: usize) -> Self {
        self.batch_size = batch_size;
        self
    }

    /// Sets [`fit`](Self::fit).
    #[must_use]
    pub fn with_fit(mut self, fit: Fit) -> Self {
        self.fit = fit;
        self
    }

    /// Sets [`drop_last`](Self::drop_last).
    #[must_use]
    pub fn with_drop_last(mut self, drop_last: bool) -> Self {
        self.drop_last = drop_last;
        self
    }

    /// Sets [`flip_probability`](Self::flip_probability).
    #[must_use]
    pub fn with_flip_probability(mut self, flip_probability: f64) -> Self {
        self.flip_probability = flip_probability;
        self
    }

    /// Sets [`seed`](Self::seed).
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// Sets [`workers`](Self::workers).
    #[must_use]
    pub fn with_workers(mut self, workers: usize) -> Self {
        self.workers = workers;
        self
    }

    /// Panics if a setting is outside its range.
    pub(crate) fn check(&self) {
        let counts = [
            ("height", self.height),
            ("width", self.width),
            ("batch_size", self.batch_size),
            ("workers", self.workers),
            ("prefetch", self.prefetch),
        ];
        for (name, count) in counts {
            assert!(count > 0, "{name} must be at least 1");
        }
        let side_fits = u32::try_from(self.height.max(self.width)).is_ok();
        assert!(side_fits, "height and width must fit 32 bits");
        let probability = self.flip_probability;
        assert!(
            (0.0..=1.0).contains(&probability),
            "flip_probability must lie in [0, 1], but is {probability}"
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_range() {
        BatcherConfig::new(224).check();
    }

    #[test]
    #[should_panic(expected = "workers must be at least 1")]
    fn no_workers() {
        BatcherConfig::new(2).with_workers(0).check();
    }

    #[test]
    #[should_panic(expected = "flip_probability must lie in [0, 1], but is NaN")]
    fn no_probability() {
        BatcherConfig::new(2)
            .with_flip_probability(f64::NAN)
            .check();
    }
}
