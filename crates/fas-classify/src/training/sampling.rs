//! Which samples a batch has: balance by domain and class, rates of domains and weights by quality
//! (DiffFAS, Table 10), and the share of generated pictures (section 4.4).
//!
//! Every sample has a weight, by its quality or 1. Samples of one domain and class make a cell, the
//! cells share the batch by [`SamplingBalance`] and the domains' rates, and within a cell samples are
//! drawn by weight, with replacement.

use std::collections::BTreeMap;

use burn::config::Config;
use rand::RngExt;
use rand_chacha::ChaCha8Rng;

use super::TrainingSet;
use crate::error::TrainingSetProblem;

/// How domains and classes share a batch.
#[derive(Config, Debug, Copy, PartialEq, Eq)]
pub enum SamplingBalance {
    /// As in the data: DiffFAS's "random".
    Natural,
    /// Bona fide and attacks evenly, domains as in the data.
    Class,
    /// Domains evenly, classes as in the data: DiffFAS's "average".
    Domain,
    /// Every class of every domain evenly.
    DomainAndClass,
}

/// How often a domain is drawn, as a multiple of the others.
#[derive(Config, Debug)]
pub struct DomainRate {
    /// Domain.
    pub domain: String,
    /// Multiple, above 0; 1 for domains that are not named.
    pub rate: f64,
}

/// How batches are drawn.
#[derive(Config, Debug)]
pub struct SamplingConfig {
    /// Share of domains and classes. Default: even
    #[config(default = "SamplingBalance::DomainAndClass")]
    pub balance: SamplingBalance,
    /// Domains that are drawn more or less often (DiffFAS, Table 10: OULU-NPU twice, three and four
    /// times as often). Default: none
    #[config(default = "Vec::new()")]
    pub domain_rates: Vec<DomainRate>,
    /// Weight `e^{-strength z}` of a sample, where `z` is its BRISQUE over the set, standardised and
    /// clipped to `[-3, 3]`; a sample without a usable score has `z = 3`. Above 0 good pictures are
    /// drawn more often. Default: 0, all alike
    #[config(default = 0.0)]
    pub quality_strength: f64,
    /// Share of generated pictures in every cell that has both kinds, in `(0, 1)`. Default: as in the
    /// data
    #[config(default = "None")]
    pub generated_share: Option<f64>,
}

impl SamplingConfig {
    /// Every domain evenly but `domain`, which is drawn `rate` times as often (DiffFAS, Table 10).
    pub fn with_oversampled(self, domain: &str, rate: f64) -> Self {
        self.with_balance(SamplingBalance::Domain)
            .with_domain_rates(vec![DomainRate::new(domain.to_owned(), rate)])
    }

    /// Checks the ranges.
    ///
    /// # Panics
    ///
    /// Panics if a rate is not above 0, the strength is not finite, or the share is outside `(0, 1)`.
    fn check(&self) {
        for DomainRate { domain, rate } in &self.domain_rates {
            assert!(
                rate.is_finite() && *rate > 0.0,
                "rate {rate} of domain {domain}"
            );
        }
        let strength = self.quality_strength;
        assert!(strength.is_finite(), "quality strength {strength}");
        if let Some(share) = self.generated_share {
            assert!(
                share > 0.0 && share < 1.0,
                "share of generated pictures {share}"
            );
        }
    }
}

/// Things that are drawn with replacement, each with a weight.
#[derive(Debug, Clone)]
struct Weighted<T> {
    items: Vec<T>,
    /// Running sums, `None` where all weights are equal.
    sums: Option<Vec<f64>>,
}

impl<T> Weighted<T> {
    fn new(items: Vec<T>, weights: &[f64]) -> Self {
        let equal = weights.iter().all(|weight| *weight == weights[0]);
        let sums = weights.iter().scan(0.0, |sum, weight| {
            *sum += weight;
            Some(*sum)
        });
        Self {
            sums: (!equal).then(|| sums.collect()),
            items,
        }
    }

    fn draw(&self, random: &mut ChaCha8Rng) -> &T {
        let at = match &self.sums {
            None => random.random_range(0..self.items.len()),
            Some(sums) => {
                let point = random.random::<f64>() * sums[sums.len() - 1];
                sums.partition_point(|sum| *sum <= point)
                    .min(self.items.len() - 1)
            }
        };
        &self.items[at]
    }
}

/// Draws the samples of batches.
#[derive(Debug, Clone)]
pub struct Sampler {
    cells: Weighted<Weighted<usize>>,
}

/// Domain, bona fide, generated (false where the two kinds are not told apart).
type Key = (usize, bool, bool);

impl Sampler {
    /// A sampler of `set`.
    ///
    /// # Errors
    ///
    /// `TrainingSetProblem::UnknownDomain` for the rate of a domain that the set does not have,
    /// `TrainingSetProblem::NothingGenerated` for a share of generated pictures where no cell has
    /// both kinds.
    ///
    /// # Panics
    ///
    /// Panics if a setting is outside its range.
    pub fn new(set: &TrainingSet, config: &SamplingConfig) -> Result<Self, TrainingSetProblem> {
        config.check();
        let mut rates = vec![1.0; set.domain_names.len()];
        for DomainRate { domain, rate } in &config.domain_rates {
            let at = set.domain_names.binary_search(domain).map_err(|_| {
                TrainingSetProblem::UnknownDomain {
                    domain: domain.clone(),
                    known: set.domain_names.clone(),
                }
            })?;
            rates[at] = *rate;
        }
        let weights = quality_weights(&set.quality, config.quality_strength);
        let mut groups: BTreeMap<Key, Vec<usize>> = BTreeMap::new();
        for sample in 0..set.len() {
            let generated = config.generated_share.is_some() && set.is_generated[sample];
            let key = (set.domains[sample], set.is_bona_fide[sample], generated);
            groups.entry(key).or_default().push(sample);
        }
        let mass: BTreeMap<Key, f64> = groups
            .iter()
            .map(|(key, samples)| (*key, samples.iter().map(|&s| weights[s]).sum()))
            .collect();
        let shared = shares(&mass, config, &rates)?;
        let cells = groups
            .into_values()
            .map(|samples| {
                let weights: Vec<f64> = samples.iter().map(|&s| weights[s]).collect();
                Weighted::new(samples, &weights)
            })
            .collect();
        Ok(Self {
            cells: Weighted::new(cells, &shared),
        })
    }

    /// `count` samples.
    pub fn draw(&self, count: usize, random: &mut ChaCha8Rng) -> Vec<usize> {
        (0..count)
            .map(|_| {
                let cell = self.cells.draw(random);
                *cell.draw(random)
            })
            .collect()
    }
}

/// Share of each group, in the order of `mass`.
fn shares(
    mass: &BTreeMap<Key, f64>,
    config: &SamplingConfig,
    rates: &[f64],
) -> Result<Vec<f64>, TrainingSetProblem> {
    let total = |keep: &dyn Fn(&Key) -> bool| -> f64 {
        mass.iter()
            .filter(|(key, _)| keep(key))
            .map(|(_, m)| m)
            .sum()
    };
    let mut mixed = false;
    let shares = mass
        .iter()
        .map(|(&(domain, live, generated), &group)| {
            let cell = total(&|key| (key.0, key.1) == (domain, live));
            let share = match config.balance {
                SamplingBalance::Natural => cell,
                SamplingBalance::Class => cell / total(&|key| key.1 == live),
                SamplingBalance::Domain => cell / total(&|key| key.0 == domain),
                SamplingBalance::DomainAndClass => 1.0,
            };
            let within = match config.generated_share {
                Some(share) if mass.contains_key(&(domain, live, !generated)) => {
                    mixed = true;
                    if generated { share } else { 1.0 - share }
                }
                // The only kind of its cell.
                Some(_) => 1.0,
                None => group / cell,
            };
            share * rates[domain] * within
        })
        .collect();
    if config.generated_share.is_some() && !mixed {
        return Err(TrainingSetProblem::NothingGenerated);
    }
    Ok(shares)
}

/// Weight of each sample by its BRISQUE.
fn quality_weights(quality: &[Option<f64>], strength: f64) -> Vec<f64> {
    let usable = |score: &Option<f64>| score.filter(|b| b.is_finite());
    let known: Vec<f64> = quality.iter().filter_map(usable).collect();
    let count = known.len() as f64;
    let mean = known.iter().sum::<f64>() / count;
    let variance = known.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / count;
    let deviation = variance.sqrt();
    if strength == 0.0 || !(deviation > 0.0 && deviation.is_finite()) {
        return vec![1.0; quality.len()];
    }
    quality
        .iter()
        .map(|score| {
            let z = usable(score).map_or(3.0, |b| ((b - mean) / deviation).clamp(-3.0, 3.0));
            (-strength * z).exp()
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::super::tests::{SampleSpec, set_of};
    use super::*;
    use rand::SeedableRng;

    /// Domain a: 1 bona fide, 3 attacks, 2 of them generated; domain b: 4 bona fide, 8 attacks.
    fn set() -> TrainingSet {
        let spec = |domain, attack, generated, count, quality: f64| {
            vec![
                SampleSpec {
                    domain,
                    attack,
                    generated,
                    quality: Some(quality)
                };
                count
            ]
        };
        set_of(
            &[
                spec("a", false, false, 1, 10.0),
                spec("a", true, false, 1, 20.0),
                spec("a", true, true, 2, 20.0),
                spec("b", false, false, 4, 30.0),
                spec("b", true, false, 8, 40.0),
            ]
            .concat(),
        )
    }

    /// Share of the draws for which `keep` holds.
    fn share(config: &SamplingConfig, keep: impl Fn(&TrainingSet, usize) -> bool) -> f64 {
        let set = set();
        let mut random = ChaCha8Rng::seed_from_u64(5);
        let drawn = Sampler::new(&set, config)
            .unwrap()
            .draw(40_000, &mut random);
        drawn.iter().filter(|&&s| keep(&set, s)).count() as f64 / 40_000.0
    }

    fn assert_share(found: f64, expected: f64) {
        // Four deviations of a share of 40,000 draws.
        assert!(
            (found - expected).abs() < 0.01,
            "{found} instead of {expected}"
        );
    }

    #[test]
    fn balances_share_a_batch_as_they_say() {
        let of = |balance| SamplingConfig::new().with_balance(balance);
        let in_a = |set: &TrainingSet, s: usize| set.domains[s] == 0;
        let live = |set: &TrainingSet, s: usize| set.is_bona_fide[s];
        // 4 of 16 samples are of a, 5 of 16 bona fide
        assert_share(share(&of(SamplingBalance::Natural), in_a), 0.25);
        assert_share(share(&of(SamplingBalance::Natural), live), 5.0 / 16.0);
        // 1 of 5 bona fide and 3 of 11 attacks are of a
        assert_share(share(&of(SamplingBalance::Class), live), 0.5);
        assert_share(share(&of(SamplingBalance::Class), in_a), 0.1 + 1.5 / 11.0);
        assert_share(share(&of(SamplingBalance::Domain), in_a), 0.5);
        assert_share(share(&of(SamplingBalance::Domain), live), 0.125 + 1.0 / 6.0);
        assert_share(share(&of(SamplingBalance::DomainAndClass), in_a), 0.5);
        assert_share(share(&of(SamplingBalance::DomainAndClass), live), 0.5);
    }

    #[test]
    fn a_domain_can_be_drawn_more_often() {
        let config = SamplingConfig::new().with_oversampled("b", 3.0);
        assert_share(share(&config, |set, s| set.domains[s] == 1), 0.75);
        let unknown = SamplingConfig::new().with_oversampled("c", 2.0);
        let error = Sampler::new(&set(), &unknown).unwrap_err().to_string();
        assert!(error.contains("no domain `c`"), "{error}");
    }

    #[test]
    fn generated_pictures_have_the_stated_share_of_their_cells() {
        let config = SamplingConfig::new().with_generated_share(Some(0.2));
        let generated = |set: &TrainingSet, s: usize| set.is_generated[s];
        // Attacks of a are a quarter of the batch; other cells have real pictures only.
        assert_share(share(&config, generated), 0.25 * 0.2);
        let natural = SamplingConfig::new();
        assert_share(share(&natural, generated), 0.25 * 2.0 / 3.0);
    }

    #[test]
    fn good_pictures_are_drawn_more_often() {
        let config = SamplingConfig::new()
            .with_balance(SamplingBalance::Natural)
            .with_quality_strength(1.0);
        // Mean and deviation of the scores over the 16 samples.
        let scores: Vec<f64> = set().quality.iter().flatten().copied().collect();
        let mean = scores.iter().sum::<f64>() / 16.0;
        let deviation = (scores.iter().map(|b| (b - mean).powi(2)).sum::<f64>() / 16.0).sqrt();
        let weight = |b: f64| (-(b - mean) / deviation).exp();
        let expected = weight(10.0) / scores.iter().map(|&b| weight(b)).sum::<f64>();
        assert_share(share(&config, |_, s| s == 0), expected);
        assert!(expected > 2.0 / 16.0);
    }

    #[test]
    fn a_picture_without_a_score_counts_as_a_bad_one() {
        let weights = quality_weights(&[Some(1.0), Some(2.0), None, Some(f64::NAN)], 1.0);
        assert!(weights[0] > weights[1] && weights[1] > weights[2]);
        assert_eq!(weights[2], weights[3]);
        assert_eq!(quality_weights(&[None, None], 1.0), [1.0, 1.0]);
        assert_eq!(quality_weights(&[Some(7.0); 2], 1.0), [1.0, 1.0]);
    }

    #[test]
    #[should_panic(expected = "share of generated pictures 1")]
    fn a_share_of_one_is_refused() {
        let config = SamplingConfig::new().with_generated_share(Some(1.0));
        let _ = Sampler::new(&set(), &config);
    }
}
