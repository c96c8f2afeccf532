//! Batches of images, loaded ahead by threads.
//!
//! Thread `w` of `n` loads the batches `w`, `w + n`, `w + 2 n`, … and hands each over a bounded channel
//! of its own; the reader takes from the channels in turn. So batches come in their order, whatever
//! the number of threads, none can overtake or be lost, and a reader that goes away early closes the
//! channels, which ends the threads.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, sync_channel};
use std::thread::{self, JoinHandle};

use image::RgbImage;
use ndarray::{Array4, Axis};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::batcher_config::{BatcherConfig, Fit};
use crate::image_file::load_rgb;
use crate::sampler::{ordered_batches, shuffled_batches};
use crate::transform::{center_square, flip_horizontal, resize, write_planes};
use crate::{DataError, Label, Manifest, Sample};

/// Images and labels of some samples.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// `[batch_size, 3, height, width]`, sRGB in `[-1, 1]`.
    pub images: Array4<f32>,
    /// Positions of the samples in [`Batcher::samples`].
    pub indices: Vec<usize>,
    /// Labels of the samples.
    pub labels: Vec<Label>,
    /// Which images are mirrored.
    pub flipped: Vec<bool>,
}

type Loader = dyn Fn(usize, &Sample) -> Result<RgbImage, DataError> + Send + Sync;

/// Loads batches of images in the background.
#[derive(Clone)]
pub struct Batcher {
    job: Arc<Job>,
}

/// What the threads share.
struct Job {
    samples: Vec<Sample>,
    load: Box<Loader>,
    config: BatcherConfig,
}

impl Batcher {
    /// Batches of `samples` whose images lie below `root`; see [`load_rgb`] for what is read.
    ///
    /// # Panics
    ///
    /// If a setting is outside its range.
    pub fn new(root: impl Into<PathBuf>, samples: Vec<Sample>, config: BatcherConfig) -> Self {
        let root = root.into();
        Self::with_loader(samples, config, move |_, sample| {
            load_rgb(root.join(&sample.path))
        })
    }

    /// Batches of all samples of a manifest.
    ///
    /// # Panics
    ///
    /// If a setting is outside its range.
    pub fn from_manifest(manifest: &Manifest, config: BatcherConfig) -> Self {
        Self::new(manifest.root(), manifest.samples().to_vec(), config)
    }

    /// Batches of images that `load` makes of a sample and its position, for instance from memory.
    ///
    /// # Panics
    ///
    /// If a setting is outside its range.
    pub fn with_loader(
        samples: Vec<Sample>,
        config: BatcherConfig,
        load: impl Fn(usize, &Sample) -> Result<RgbImage, DataError> + Send + Sync + 'static,
    ) -> Self {
        config.check();
        Self {
            job: Arc::new(Job {
                samples,
                load: Box::new(load),
                config,
            }),
        }
    }

    /// The samples.
    pub fn samples(&self) -> &[Sample] {
        &self.job.samples
    }

    /// Every sample once, in the order of this epoch, mirrored by chance.
    pub fn epoch(&self, epoch: u64) -> Batches {
        let BatcherConfig {
            batch_size,
            drop_last,
            seed,
            ..
        } = self.job.config;
        let lists = shuffled_batches(self.samples().len(), batch_size, drop_last, seed, epoch);
        self.batches_of(lists, epoch)
    }

    /// Every sample once, in the order given, never mirrored, none dropped: for evaluation.
    pub fn in_order(&self) -> Batches {
        let lists = ordered_batches(self.samples().len(), self.job.config.batch_size);
        Batches::start(&self.job, lists, None)
    }

    /// Batches of the given samples, for instance of a [`BalancedSampler`](crate::BalancedSampler),
    /// mirrored by chance.
    ///
    /// # Panics
    ///
    /// If an index is not below the number of samples.
    pub fn batches_of(&self, index_lists: Vec<Vec<usize>>, epoch: u64) -> Batches {
        let len = self.samples().len();
        let highest = index_lists.iter().flatten().max();
        assert!(
            highest.is_none_or(|index| *index < len),
            "sample {highest:?} of only {len}"
        );
        Batches::start(&self.job, index_lists, Some(epoch))
    }
}

/// Iterator over the batches of one epoch. After an error it ends. Dropping it early is fine: it waits
/// until its threads have finished the image they are at.
pub struct Batches {
    /// One for each thread; emptied at the end.
    channels: Vec<Receiver<Result<Batch, DataError>>>,
    threads: Vec<JoinHandle<()>>,
    next: usize,
    len: usize,
}

impl Batches {
    fn start(job: &Arc<Job>, index_lists: Vec<Vec<usize>>, flip_epoch: Option<u64>) -> Self {
        let len = index_lists.len();
        let workers = job.config.workers.min(len);
        let index_lists = Arc::new(index_lists);
        let (mut channels, mut threads) = (Vec::new(), Vec::new());
        for worker in 0..workers {
            let (sender, receiver) = sync_channel(job.config.prefetch);
            let (job, index_lists) = (Arc::clone(job), Arc::clone(&index_lists));
            threads.push(thread::spawn(move || {
                for (number, indices) in
                    index_lists.iter().enumerate().skip(worker).step_by(workers)
                {
                    let batch = job.load_batch(indices, number, flip_epoch);
                    let failed = batch.is_err();
                    // A reader that is gone wants no more.
                    if sender.send(batch).is_err() || failed {
                        break;
                    }
                }
            }));
            channels.push(receiver);
        }
        Self {
            channels,
            threads,
            next: 0,
            len,
        }
    }

    /// Number of batches that are still to come.
    pub fn remaining(&self) -> usize {
        self.len - self.next
    }

    fn stop(&mut self) {
        self.next = self.len;
        self.channels.clear();
        for thread in self.threads.drain(..) {
            // A panic of a thread was reported as `LoaderStopped`.
            let _ = thread.join();
        }
    }
}

impl Iterator for Batches {
    type Item = Result<Batch, DataError>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.next == self.len {
            return None;
        }
        let channel = &self.channels[self.next % self.channels.len()];
        let batch = channel
            .recv()
            .unwrap_or(Err(DataError::LoaderStopped { batch: self.next }));
        self.next += 1;
        if batch.is_err() || self.next == self.len {
            self.stop();
        }
        Some(batch)
    }
}

impl Drop for Batches {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Job {
    fn load_batch(
        &self,
        indices: &[usize],
        number: usize,
        flip_epoch: Option<u64>,
    ) -> Result<Batch, DataError> {
        let BatcherConfig { height, width, .. } = self.config;
        let flipped = self.draw_flips(indices.len(), number, flip_epoch);
        let mut images = Array4::zeros((indices.len(), 3, height, width));
        for (position, (index, flip)) in indices.iter().zip(&flipped).enumerate() {
            let image = (self.load)(*index, &self.samples[*index])?;
            let image = match self.config.fit {
                Fit::Stretch => image,
                Fit::CenterSquare => center_square(&image),
            };
            let image = resize(&image, width as u32, height as u32);
            let image = if *flip {
                flip_horizontal(&image)
            } else {
                image
            };
            let mut place = images.index_axis_mut(Axis(0), position);
            let place = place
                .as_slice_mut()
                .expect("one image of a batch is in one piece");
            write_planes(&image, place);
        }
        let labels = indices
            .iter()
            .map(|index| self.samples[*index].label)
            .collect();
        Ok(Batch {
            images,
            indices: indices.to_vec(),
            labels,
            flipped,
        })
    }

    /// Depends on seed, epoch and batch alone, so that any thread draws the same.
    fn draw_flips(&self, len: usize, number: usize, flip_epoch: Option<u64>) -> Vec<bool> {
        let Some(epoch) = flip_epoch else {
            return vec![false; len];
        };
        // Another seed than that of the order, whose random numbers would otherwise come again.
        let mut rng = ChaCha8Rng::seed_from_u64(self.config.seed ^ 0x666C_6970);
        rng.set_stream((epoch << 32) | number as u64);
        (0..len)
            .map(|_| rng.random_bool(self.config.flip_probability))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::tests::sample;
    use crate::{BalancedSampler, Split};
    use image::Rgb;
    use std::time::{Duration, Instant};

    fn samples(count: usize) -> Vec<Sample> {
        (0..count)
            .map(|index| {
                let presentation = if index % 2 == 0 { "bona_fide" } else { "print" };
                sample("C", &index.to_string(), Split::Train, presentation)
            })
            .collect()
    }

    /// Image `index` has red `10 * index` on the left, `10 * index + 5` on the right.
    fn image(index: usize) -> RgbImage {
        RgbImage::from_fn(2, 2, |x, _| Rgb([10 * index as u8 + 5 * x as u8, 0, 255]))
    }

    fn batcher(count: usize, config: BatcherConfig) -> Batcher {
        Batcher::with_loader(samples(count), config, |index, _| Ok(image(index)))
    }

    fn collect(batches: Batches) -> Vec<Batch> {
        batches.collect::<Result<_, _>>().unwrap()
    }

    #[test]
    fn images_are_those_of_the_samples() {
        let config = BatcherConfig::new(2)
            .with_batch_size(4)
            .with_flip_probability(0.5);
        let batches = collect(batcher(10, config).epoch(0));
        assert_eq!(
            batches
                .iter()
                .map(|batch| batch.indices.len())
                .collect::<Vec<_>>(),
            [4, 4, 2]
        );
        let mut seen = Vec::new();
        for batch in &batches {
            assert_eq!(batch.images.dim(), (batch.indices.len(), 3, 2, 2));
            for (position, &index) in batch.indices.iter().enumerate() {
                let [left, right] = [0, 1].map(|column| {
                    let column = if batch.flipped[position] {
                        1 - column
                    } else {
                        column
                    };
                    batch.images[[position, 0, 1, column]]
                });
                assert_eq!(left, 10.0 * index as f32 / 127.5 - 1.0);
                assert_eq!(right, (10.0 * index as f32 + 5.0) / 127.5 - 1.0);
                assert_eq!(batch.images[[position, 1, 0, 0]], -1.0);
                assert_eq!(batch.images[[position, 2, 0, 0]], 1.0);
                assert_eq!(batch.labels[position].is_bona_fide(), index % 2 == 0);
                seen.push(index);
            }
        }
        seen.sort_unstable();
        assert_eq!(seen, (0..10).collect::<Vec<_>>());
        let flips: usize = batches
            .iter()
            .flat_map(|batch| &batch.flipped)
            .filter(|f| **f)
            .count();
        assert!((1..10).contains(&flips), "{flips}");
    }

    #[test]
    fn workers_do_not_change_the_batches() {
        let config = BatcherConfig::new(2)
            .with_batch_size(3)
            .with_flip_probability(0.5);
        let run = |workers, epoch| {
            // Odd images are slow, so that threads finish out of order.
            let load = |index: usize, _: &Sample| {
                thread::sleep(Duration::from_millis(index as u64 % 2 * 3));
                Ok(image(index))
            };
            let config = config.clone().with_workers(workers);
            collect(Batcher::with_loader(samples(20), config, load).epoch(epoch))
        };
        let one = run(1, 4);
        for workers in [2, 3, 16] {
            assert_eq!(run(workers, 4), one);
        }
        assert_ne!(run(2, 5), one);
    }

    #[test]
    fn order_drop_last_and_lists() {
        let config = BatcherConfig::new(2)
            .with_batch_size(4)
            .with_drop_last(true);
        let batcher = batcher(10, config.with_flip_probability(1.0));
        assert_eq!(collect(batcher.epoch(0)).len(), 2);
        let in_order = collect(batcher.in_order());
        assert_eq!(in_order[2].indices, [8, 9]);
        assert_eq!(in_order[0].flipped, [false; 4]);
        let balanced = BalancedSampler::new(batcher.samples(), 2).unwrap();
        let lists = balanced.epoch(0, 0);
        let mut batches = batcher.batches_of(lists.clone(), 0);
        assert_eq!(batches.remaining(), 3);
        let first = batches.next().unwrap().unwrap();
        assert_eq!(
            (first.indices, first.flipped),
            (lists[0].clone(), vec![true; 4])
        );
        assert_eq!(batches.remaining(), 2);
        assert_eq!(
            super::Batcher::clone(&batcher)
                .batches_of(Vec::new(), 0)
                .count(),
            0
        );
    }

    #[test]
    fn dropping_early_ends_the_threads() {
        let config = BatcherConfig::new(2).with_batch_size(1).with_workers(4);
        let batcher = batcher(20, config);
        let job = Arc::downgrade(&batcher.job);
        for taken in 0..6 {
            let mut batches = batcher.epoch(0);
            for _ in 0..taken {
                batches.next().unwrap().unwrap();
            }
        }
        drop(batcher);
        // No thread holds the samples any more.
        assert_eq!(job.strong_count(), 0);
    }

    #[test]
    fn an_error_names_the_file_and_ends_the_epoch() {
        let started = Instant::now();
        let config = BatcherConfig::new(2).with_batch_size(2).with_workers(3);
        let batcher = Batcher::new("/nonexistent", samples(40), config);
        let mut batches = batcher.in_order();
        let error = batches.next().unwrap().unwrap_err().to_string();
        assert!(
            error.contains("/nonexistent/C/0_bona_fide.png: cannot read"),
            "{error}"
        );
        assert!(batches.next().is_none());
        assert_eq!(batches.remaining(), 0);
        assert!(started.elapsed() < Duration::from_secs(20));
    }

    #[test]
    fn batches_before_an_error_still_come() {
        let config = BatcherConfig::new(2).with_batch_size(2).with_workers(3);
        let load = |index, sample: &Sample| match index {
            7 => Err(DataError::EmptyFile(sample.path.clone())),
            _ => Ok(image(index)),
        };
        let batches: Vec<_> = Batcher::with_loader(samples(40), config, load)
            .in_order()
            .collect();
        assert_eq!(batches.len(), 4);
        assert!(batches[..3].iter().all(Result::is_ok));
        let error = batches[3].as_ref().unwrap_err().to_string();
        assert!(error.contains("C/7_print.png"), "{error}");
    }

    #[test]
    fn a_panicking_loader_is_an_error() {
        let config = BatcherConfig::new(2).with_batch_size(2);
        let load = |index, _: &Sample| {
            assert!(index != 4, "loader panics on purpose");
            Ok(image(index))
        };
        let batches: Vec<_> = Batcher::with_loader(samples(9), config, load)
            .in_order()
            .collect();
        assert_eq!(batches.len(), 3);
        assert!(matches!(
            batches[2],
            Err(DataError::LoaderStopped { batch: 2 })
        ));
    }

    #[test]
    fn the_square_is_cut_before_scaling() {
        let config = BatcherConfig::new(2)
            .with_batch_size(1)
            .with_fit(Fit::CenterSquare);
        let load = |_, _: &Sample| {
            Ok(RgbImage::from_fn(6, 2, |x, _| {
                Rgb([[9, 9, 50, 60, 9, 9][x as usize], 0, 0])
            }))
        };
        let batch = collect(Batcher::with_loader(samples(1), config, load).in_order()).remove(0);
        assert_eq!(batch.images[[0, 0, 0, 0]], 50.0 / 127.5 - 1.0);
        assert_eq!(batch.images[[0, 0, 1, 1]], 60.0 / 127.5 - 1.0);
    }
}
