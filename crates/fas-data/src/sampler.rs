//! Which samples make which batch: shuffled, or balanced over class and domain.

use std::collections::BTreeMap;

use rand::SeedableRng;
use rand::seq::SliceRandom;
use rand_chacha::ChaCha8Rng;

use crate::{DataError, Sample};

/// The batches of an epoch over `len` samples: each sample once, in an order that `seed` and `epoch`
/// decide. The last batch is shorter if `batch_size` does not divide `len`, or missing if `drop_last`.
///
/// # Panics
///
/// If `batch_size` is 0.
pub fn shuffled_batches(
    len: usize,
    batch_size: usize,
    drop_last: bool,
    seed: u64,
    epoch: u64,
) -> Vec<Vec<usize>> {
    let mut order: Vec<usize> = (0..len).collect();
    order.shuffle(&mut epoch_rng(seed, epoch));
    chunks(&order, batch_size, drop_last)
}

/// The batches of one pass over `len` samples in their own order, for evaluation.
///
/// # Panics
///
/// If `batch_size` is 0.
pub fn ordered_batches(len: usize, batch_size: usize) -> Vec<Vec<usize>> {
    chunks(&(0..len).collect::<Vec<_>>(), batch_size, false)
}

fn chunks(order: &[usize], batch_size: usize, drop_last: bool) -> Vec<Vec<usize>> {
    assert!(batch_size > 0, "batch_size must be at least 1");
    order
        .chunks(batch_size)
        .filter(|chunk| !drop_last || chunk.len() == batch_size)
        .map(<[usize]>::to_vec)
        .collect()
}

/// Draws batches with equally many samples of every group (domain, bona fide or attack), as SSDG
/// (Jia et al., CVPR 2020, <https://arxiv.org/abs/2004.14043>) trains.
///
/// An epoch is as long as the largest group needs. Each group is shuffled and gone through; smaller
/// groups are shuffled anew whenever they run out, so that within a group no sample is drawn twice
/// before every other was drawn once.
#[derive(Debug, Clone)]
pub struct BalancedSampler {
    groups: Vec<Vec<usize>>,
    per_group: usize,
}

impl BalancedSampler {
    /// A sampler with `per_group` samples of every group in a batch. A batch has the domains in
    /// alphabetical order, in each the bona fide samples first.
    ///
    /// # Errors
    ///
    /// [`DataError::NothingToDraw`] if a domain lacks bona fide samples or attacks, or there are no
    /// samples.
    ///
    /// # Panics
    ///
    /// If `per_group` is 0.
    pub fn new(samples: &[Sample], per_group: usize) -> Result<Self, DataError> {
        assert!(per_group > 0, "per_group must be at least 1");
        let mut domains = BTreeMap::<&str, [Vec<usize>; 2]>::new();
        for (index, sample) in samples.iter().enumerate() {
            let class = usize::from(!sample.label.is_bona_fide());
            domains.entry(&sample.domain).or_default()[class].push(index);
        }
        let groups: Vec<Vec<usize>> = domains.into_values().flatten().collect();
        if groups.is_empty() || groups.iter().any(Vec::is_empty) {
            return Err(DataError::NothingToDraw {
                what: "bona fide sample or attack of some domain",
                count: samples.len(),
                remedy: "balanced batches need both classes in every domain; leave such a domain \
                         out, or use `shuffled_batches`",
            });
        }
        Ok(Self { groups, per_group })
    }

    /// Number of samples in a batch.
    pub fn batch_size(&self) -> usize {
        self.groups.len() * self.per_group
    }

    /// Number of batches in an epoch.
    pub fn num_batches(&self) -> usize {
        let largest = self.groups.iter().map(Vec::len).max().unwrap_or(0);
        largest.div_ceil(self.per_group)
    }

    /// The batches of an epoch, all of [`batch_size`](Self::batch_size) samples; equal for equal
    /// samples, `seed` and `epoch`.
    pub fn epoch(&self, seed: u64, epoch: u64) -> Vec<Vec<usize>> {
        let mut rng = epoch_rng(seed, epoch);
        let needed = self.num_batches() * self.per_group;
        let streams: Vec<Vec<usize>> = self
            .groups
            .iter()
            .map(|group| cycle_shuffled(group, needed, &mut rng))
            .collect();
        (0..self.num_batches())
            .map(|batch| {
                let span = batch * self.per_group..(batch + 1) * self.per_group;
                streams
                    .iter()
                    .flat_map(|stream| &stream[span.clone()])
                    .copied()
                    .collect()
            })
            .collect()
    }
}

fn cycle_shuffled(group: &[usize], needed: usize, rng: &mut ChaCha8Rng) -> Vec<usize> {
    let mut stream = Vec::with_capacity(needed + group.len());
    let mut round = group.to_vec();
    while stream.len() < needed {
        round.shuffle(rng);
        stream.extend_from_slice(&round);
    }
    stream.truncate(needed);
    stream
}

/// Independent random numbers for each epoch of a seed.
pub(crate) fn epoch_rng(seed: u64, epoch: u64) -> ChaCha8Rng {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(epoch);
    rng
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Split;
    use crate::sample::tests::sample;

    #[test]
    fn shuffled_batches_hold_each_sample_once() {
        let batches = shuffled_batches(10, 4, false, 1, 0);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [4, 4, 2]);
        let mut all = batches.concat();
        all.sort_unstable();
        assert_eq!(all, (0..10).collect::<Vec<_>>());
        assert_eq!(shuffled_batches(10, 4, true, 1, 0), batches[..2]);
        assert_eq!(shuffled_batches(10, 4, false, 1, 0), batches);
        assert_ne!(shuffled_batches(10, 4, false, 1, 1), batches);
        assert_ne!(shuffled_batches(10, 4, false, 2, 0), batches);
        assert_eq!(shuffled_batches(3, 4, true, 1, 0), Vec::<Vec<usize>>::new());
        assert_eq!(ordered_batches(5, 2), [vec![0, 1], vec![2, 3], vec![4]]);
    }

    #[test]
    #[should_panic(expected = "batch_size must be at least 1")]
    fn batches_need_a_size() {
        ordered_batches(5, 0);
    }

    #[test]
    fn every_batch_is_balanced() {
        // Groups in the order of a batch: C bona fide 3, C attack 7, I bona fide 2, I attack 4.
        let mut samples = Vec::new();
        for (domain, presentation, count) in [
            ("I", "print", 4),
            ("C", "print", 7),
            ("C", "bona_fide", 3),
            ("I", "bona_fide", 2),
        ] {
            for person in 0..count {
                samples.push(sample(
                    domain,
                    &person.to_string(),
                    Split::Train,
                    presentation,
                ));
            }
        }
        let sampler = BalancedSampler::new(&samples, 2).unwrap();
        assert_eq!((sampler.batch_size(), sampler.num_batches()), (8, 4));
        let batches = sampler.epoch(9, 3);
        assert_eq!(batches, sampler.epoch(9, 3));
        assert_ne!(batches, sampler.epoch(9, 4));
        let mut draws = vec![0; samples.len()];
        for batch in &batches {
            let kinds: Vec<&str> = batch
                .iter()
                .map(|index| samples[*index].style.as_str())
                .collect();
            assert_eq!(
                kinds,
                [
                    "C/bona_fide",
                    "C/bona_fide",
                    "C/print",
                    "C/print",
                    "I/bona_fide",
                    "I/bona_fide",
                    "I/print",
                    "I/print",
                ]
            );
            batch.iter().for_each(|index| draws[*index] += 1);
        }
        // 8 draws a group: 4 of I each twice; 7 of C once or twice; 3 of C two or three times.
        assert!(draws[..4].iter().all(|count| *count == 2), "{draws:?}");
        assert!(
            draws[4..11].iter().all(|count| (1..=2).contains(count)),
            "{draws:?}"
        );
        assert!(
            draws[11..14].iter().all(|count| (2..=3).contains(count)),
            "{draws:?}"
        );
        assert_eq!(draws[14..], [4, 4]);
    }

    #[test]
    fn a_domain_without_attacks_is_an_error() {
        let samples = [
            sample("C", "a", Split::Train, "print"),
            sample("C", "a", Split::Train, "bona_fide"),
            sample("I", "a", Split::Train, "bona_fide"),
        ];
        let error = BalancedSampler::new(&samples, 1).unwrap_err().to_string();
        assert!(
            error.contains("balanced batches need both classes in every domain"),
            "{error}"
        );
        assert!(BalancedSampler::new(&[], 1).is_err());
    }
}
