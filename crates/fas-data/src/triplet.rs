//! (content, target, style) triplets for training a style-transfer generator of attacks:
//! DiffFAS (ECCV 2024), data pipeline.
//!
//! - target: the attack that the generator learns to make;
//! - content: a bona fide image of the same subject in the same domain, so that only the look
//!   differs;
//! - style: another attack of exactly the same style label, of whatever person, so that the style
//!   image cannot give the answer away.
//!
//! The released code may draw the target itself as style image, and matches style folders by parts
//! of their names (`glass` also takes `paper_glass`); here labels match exactly and the target is its
//! own style image only where its style has no other image.

use std::collections::BTreeMap;

use rand::seq::{IndexedRandom, SliceRandom};
use rand_chacha::ChaCha8Rng;

use crate::sampler::epoch_rng;
use crate::{DataError, Sample};

/// Positions of three samples in the slice that the sampler was made of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Triplet {
    /// Bona fide image whose identity stays.
    pub content: usize,
    /// Attack that is the ground truth.
    pub target: usize,
    /// Attack whose look is taken.
    pub style: usize,
}

/// Draws triplets: in each epoch every attack is the target once, in random order.
#[derive(Debug, Clone)]
pub struct TripletSampler {
    pairings: Vec<Pairing>,
    /// Bona fide samples of each subject and domain.
    contents: Vec<Vec<usize>>,
    /// Attacks of each style label.
    styles: Vec<Vec<usize>>,
}

/// An attack with the groups that its content and style are drawn from.
#[derive(Debug, Clone, Copy)]
struct Pairing {
    target: usize,
    content_group: usize,
    style_group: usize,
}

impl TripletSampler {
    /// A sampler over all attacks in `samples`. Ask [`LeakageGuard`](crate::LeakageGuard) first
    /// whether they may be trained on.
    ///
    /// # Errors
    ///
    /// [`DataError::NoContent`] for the first attack without a bona fide sample of its subject and
    /// domain, [`DataError::NothingToDraw`] if there is no attack.
    pub fn new(samples: &[Sample]) -> Result<Self, DataError> {
        let (sampler, unpaired) = Self::pairable(samples)?;
        match unpaired.first() {
            None => Ok(sampler),
            Some(&first) => Err(DataError::NoContent {
                id: samples[first].id.clone(),
                subject: samples[first].subject.clone(),
                domain: samples[first].domain.clone(),
                count: unpaired.len(),
            }),
        }
    }

    /// Like [`new`](Self::new), but leaves out attacks without content, and also returns their
    /// positions. They still serve as style images.
    ///
    /// # Errors
    ///
    /// [`DataError::NothingToDraw`] if no attack is left.
    pub fn pairable(samples: &[Sample]) -> Result<(Self, Vec<usize>), DataError> {
        let mut content_groups = BTreeMap::new();
        let mut style_groups = BTreeMap::new();
        let mut contents: Vec<Vec<usize>> = Vec::new();
        let mut styles: Vec<Vec<usize>> = Vec::new();
        for (index, sample) in samples.iter().enumerate() {
            if sample.label.is_bona_fide() {
                let key = (sample.subject.as_str(), sample.domain.as_str());
                push_to_group(&mut content_groups, &mut contents, key, index);
            } else {
                push_to_group(&mut style_groups, &mut styles, sample.style.as_str(), index);
            }
        }
        let mut pairings = Vec::new();
        let mut unpaired = Vec::new();
        for (target, sample) in samples.iter().enumerate() {
            if sample.label.is_bona_fide() {
                continue;
            }
            let key = (sample.subject.as_str(), sample.domain.as_str());
            match content_groups.get(&key) {
                Some(&content_group) => {
                    let style_group = style_groups[sample.style.as_str()];
                    pairings.push(Pairing {
                        target,
                        content_group,
                        style_group,
                    });
                }
                None => unpaired.push(target),
            }
        }
        if pairings.is_empty() {
            return Err(DataError::NothingToDraw {
                what: "attack with a bona fide sample of its subject and domain",
                count: samples.len(),
                remedy: "a generator needs both; check the `subject` and `domain` columns",
            });
        }
        Ok((
            Self {
                pairings,
                contents,
                styles,
            },
            unpaired,
        ))
    }

    /// Number of triplets in an epoch.
    #[allow(clippy::len_without_is_empty, reason = "a sampler is never empty")]
    pub fn len(&self) -> usize {
        self.pairings.len()
    }

    /// The triplets of an epoch: equal for equal samples, `seed` and `epoch`.
    pub fn epoch(&self, seed: u64, epoch: u64) -> Vec<Triplet> {
        let mut rng = epoch_rng(seed, epoch);
        let mut triplets: Vec<Triplet> = self
            .pairings
            .iter()
            .map(|pairing| self.draw(*pairing, &mut rng))
            .collect();
        triplets.shuffle(&mut rng);
        triplets
    }

    fn draw(&self, pairing: Pairing, rng: &mut ChaCha8Rng) -> Triplet {
        let Pairing {
            target,
            content_group,
            style_group,
        } = pairing;
        let one_of = |group: &[usize], rng: &mut ChaCha8Rng| {
            *group.choose(rng).expect("groups have at least one sample")
        };
        let content = one_of(&self.contents[content_group], rng);
        let styles = &self.styles[style_group];
        // The target's place stands for the last style, so that the others are equally likely.
        let (last, others) = styles
            .split_last()
            .expect("the target is in its style group");
        let style = if others.is_empty() {
            target
        } else {
            one_of(others, rng)
        };
        let style = if style == target { *last } else { style };
        Triplet {
            content,
            target,
            style,
        }
    }
}

fn push_to_group<K: Ord>(
    groups: &mut BTreeMap<K, usize>,
    members: &mut Vec<Vec<usize>>,
    key: K,
    index: usize,
) {
    let group = *groups.entry(key).or_insert(members.len());
    if group == members.len() {
        members.push(Vec::new());
    }
    members[group].push(index);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Split;
    use crate::sample::tests::sample;

    fn samples() -> Vec<Sample> {
        let mut samples = Vec::new();
        for domain in ["C", "I"] {
            for subject in ["anna", "bert", "cleo"] {
                for presentation in ["bona_fide", "print", "paper_mask"] {
                    samples.push(sample(domain, subject, Split::Train, presentation));
                }
            }
        }
        samples.push(sample("C", "anna", Split::Train, "makeup"));
        samples
    }

    #[test]
    fn content_target_and_style_belong_together() {
        let samples = samples();
        let sampler = TripletSampler::new(&samples).unwrap();
        assert_eq!(sampler.len(), 13);
        for epoch in 0..20 {
            let triplets = sampler.epoch(1, epoch);
            let mut targets: Vec<usize> = triplets.iter().map(|triplet| triplet.target).collect();
            targets.sort_unstable();
            assert_eq!(targets, [1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 18]);
            for Triplet {
                content,
                target,
                style,
            } in triplets
            {
                assert!(samples[content].label.is_bona_fide());
                assert_eq!(samples[content].subject, samples[target].subject);
                assert_eq!(samples[content].domain, samples[target].domain);
                assert_eq!(samples[style].style, samples[target].style);
                // Only the one make-up image is its own style.
                assert_eq!(style == target, target == 18);
            }
        }
    }

    #[test]
    fn every_other_style_image_is_equally_likely() {
        let samples = samples();
        let sampler = TripletSampler::new(&samples).unwrap();
        // Target 1 is the print of anna in C; the others are 4 (bert) and 7 (cleo).
        let drawn: Vec<usize> = (0..2000)
            .map(|epoch| {
                let triplets = sampler.epoch(5, epoch);
                triplets
                    .iter()
                    .find(|triplet| triplet.target == 1)
                    .unwrap()
                    .style
            })
            .collect();
        let of_bert = drawn.iter().filter(|style| **style == 4).count();
        // Binomial(2000, 1/2) has a standard deviation of 22.4.
        assert!((910..=1090).contains(&of_bert), "{of_bert}");
    }

    #[test]
    fn seed_and_epoch_decide() {
        let sampler = TripletSampler::new(&samples()).unwrap();
        assert_eq!(sampler.epoch(3, 4), sampler.epoch(3, 4));
        assert_ne!(sampler.epoch(3, 4), sampler.epoch(3, 5));
        assert_ne!(sampler.epoch(3, 4), sampler.epoch(4, 4));
    }

    #[test]
    fn attacks_without_content_are_named_or_left_out() {
        let mut samples = samples();
        samples.push(sample("C", "dora", Split::Train, "makeup"));
        let error = TripletSampler::new(&samples).unwrap_err().to_string();
        assert!(
            error.contains(
                "attack `C/dora_makeup_train` has no content: no bona fide sample of subject `dora`"
            ),
            "{error}"
        );
        let (sampler, unpaired) = TripletSampler::pairable(&samples).unwrap();
        assert_eq!(unpaired, [19]);
        // The unpaired image is still the style of the other make-up image.
        let makeup = sampler
            .epoch(0, 0)
            .into_iter()
            .find(|triplet| triplet.target == 18);
        assert_eq!(makeup.unwrap().style, 19);
        let error = TripletSampler::new(&samples[19..]).unwrap_err();
        assert!(
            matches!(error, DataError::NothingToDraw { count: 1, .. }),
            "{error}"
        );
    }
}
