//! Bootstrap intervals with subjects as the unit of resampling: frames and videos of one person
//! are not independent, and intervals that take them so are too narrow.

use std::collections::HashMap;

use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use crate::MetricError;
use crate::interval::{Interval, check_level};
use crate::policy::ThresholdSource;
use crate::scores::{Label, ScoreSet, ScoredSample};
use crate::sweep::Sweep;
use crate::threshold::Threshold;

/// What is drawn as one piece.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cluster {
    /// A person with all their samples of the class.
    Subject,
    /// A video with all its frames.
    Video,
    /// A sample alone.
    Sample,
}

impl Cluster {
    fn name(self) -> &'static str {
        match self {
            Self::Subject => "subject",
            Self::Video => "video",
            Self::Sample => "sample",
        }
    }

    fn key(self, index: usize, sample: &ScoredSample) -> Option<String> {
        match self {
            Self::Subject => sample.subject.clone(),
            Self::Video => sample.video.clone(),
            Self::Sample => Some(index.to_string()),
        }
    }
}

/// A bootstrap to run: clusters drawn with replacement, each class by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Bootstrap {
    /// Replicates; at least 1, usually 1000.
    pub replicates: u32,
    /// Seed; the same seed gives the same intervals on any number of threads.
    pub seed: u64,
}

impl Default for Bootstrap {
    fn default() -> Self {
        Self {
            replicates: 1000,
            seed: 0,
        }
    }
}

/// Percentile intervals of a bootstrap, with all that is needed to repeat it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BootstrapIntervals {
    /// Replicates.
    pub replicates: u32,
    /// Seed.
    pub seed: u64,
    /// What was drawn: the subject where every sample names one, else the video, else the sample.
    pub cluster: Cluster,
    /// Clusters of bona fide samples.
    pub bona_fide_clusters: usize,
    /// Clusters of attacks.
    pub attack_clusters: usize,
    /// Whether each replicate chose its own threshold (oracle policies) or kept the given one.
    pub threshold_reestimated: bool,
    /// APCER, the maximum over the species drawn.
    pub apcer: Interval,
    /// Pooled APCER.
    pub apcer_pooled: Interval,
    /// BPCER.
    pub bpcer: Interval,
    /// `(APCER + BPCER) / 2` with the maximum.
    pub acer_max: Interval,
    /// `(pooled APCER + BPCER) / 2`, the HTER.
    pub acer_pooled: Interval,
    /// Equal error rate, in the convention of the threshold.
    pub eer: Interval,
    /// Exact area under the ROC curve.
    pub auc: Interval,
}

impl Bootstrap {
    /// Percentile intervals at `level` for the rates of `set` at `threshold`.
    ///
    /// A threshold taken from the test scores themselves is chosen anew in every replicate; any
    /// other is kept.
    ///
    /// # Errors
    ///
    /// [`MetricError::InvalidLevel`], [`MetricError::NoReplicates`],
    /// [`MetricError::TooFewClusters`], and those of
    /// [`Convention::threshold`](crate::Convention::threshold) on a replicate.
    pub fn intervals(
        &self,
        set: &ScoreSet,
        threshold: &Threshold,
        level: f64,
    ) -> Result<BootstrapIntervals, MetricError> {
        check_level(level)?;
        if self.replicates == 0 {
            return Err(MetricError::NoReplicates);
        }
        let cluster = if set.subject_count().is_some() {
            Cluster::Subject
        } else if set.video_count().is_some() {
            Cluster::Video
        } else {
            Cluster::Sample
        };
        let plan = Plan::new(set, cluster)?;
        let mut draws = (0..self.replicates)
            .into_par_iter()
            .map(|replicate| {
                let mut rng = ChaCha8Rng::seed_from_u64(self.seed);
                rng.set_stream(u64::from(replicate));
                plan.replicate(&mut rng, threshold)
            })
            .collect::<Result<Vec<_>, _>>()?;
        let mut interval = |metric: usize| {
            draws.sort_unstable_by(|a, b| a[metric].total_cmp(&b[metric]));
            let sorted = |share| quantile(&draws, metric, share);
            let tail = (1.0 - level) / 2.0;
            Interval {
                lower: sorted(tail),
                upper: sorted(1.0 - tail),
                level,
            }
        };
        Ok(BootstrapIntervals {
            replicates: self.replicates,
            seed: self.seed,
            cluster,
            bona_fide_clusters: plan.bona_fide_clusters,
            attack_clusters: plan.attack_clusters,
            threshold_reestimated: threshold.source == ThresholdSource::Test,
            apcer: interval(0),
            apcer_pooled: interval(1),
            bpcer: interval(2),
            acer_max: interval(3),
            acer_pooled: interval(4),
            eer: interval(5),
            auc: interval(6),
        })
    }
}

/// APCER, pooled APCER, BPCER, ACER (max), ACER (pooled), EER, AUC of one replicate.
type Draw = [f64; 7];

/// Samples by ascending score with their clusters, so that a replicate needs no sorting.
struct Plan {
    samples: Vec<Planned>,
    species: usize,
    bona_fide_clusters: usize,
    attack_clusters: usize,
}

struct Planned {
    score: f64,
    /// `None` for bona fide.
    species: Option<usize>,
    /// Index among the clusters of its class.
    cluster: usize,
}

impl Plan {
    fn new(set: &ScoreSet, cluster: Cluster) -> Result<Self, MetricError> {
        let species: HashMap<&str, usize> = set
            .species()
            .keys()
            .enumerate()
            .map(|(index, name)| (name.as_str(), index))
            .collect();
        let mut clusters = [HashMap::new(), HashMap::new()];
        let mut samples = Vec::with_capacity(set.samples().len());
        for (index, sample) in set.samples().iter().enumerate() {
            let class = &mut clusters[usize::from(sample.label != Label::BonaFide)];
            let key = cluster
                .key(index, sample)
                .expect("every sample names its cluster");
            let count = class.len();
            samples.push(Planned {
                score: sample.score,
                species: match &sample.label {
                    Label::BonaFide => None,
                    Label::Attack(name) => Some(species[name.as_str()]),
                },
                cluster: *class.entry(key).or_insert(count),
            });
        }
        for (class, clusters) in [("bona_fide", &clusters[0]), ("attack", &clusters[1])] {
            let count = clusters.len();
            if count < 2 {
                return Err(MetricError::TooFewClusters {
                    class,
                    cluster: cluster.name(),
                    count,
                });
            }
        }
        samples.sort_by(|a, b| a.score.total_cmp(&b.score));
        Ok(Self {
            samples,
            species: species.len(),
            bona_fide_clusters: clusters[0].len(),
            attack_clusters: clusters[1].len(),
        })
    }

    fn replicate(&self, rng: &mut ChaCha8Rng, threshold: &Threshold) -> Result<Draw, MetricError> {
        let bona_fide = draw(self.bona_fide_clusters, rng);
        let attacks = draw(self.attack_clusters, rng);
        let weight = |sample: &Planned| match sample.species {
            None => bona_fide[sample.cluster],
            Some(_) => attacks[sample.cluster],
        };
        let mut steps: Vec<(f64, u64, u64)> = Vec::with_capacity(self.samples.len());
        for sample in &self.samples {
            if steps.last().is_none_or(|step| step.0 != sample.score) {
                steps.push((sample.score, 0, 0));
            }
            let step = steps.last_mut().expect("just pushed");
            match sample.species {
                None => step.1 += weight(sample),
                Some(_) => step.2 += weight(sample),
            }
        }
        let sweep = Sweep::from_steps(steps.into_iter());
        let value = if threshold.source == ThresholdSource::Test {
            let chosen = threshold
                .convention
                .sweep_threshold(threshold.policy, &sweep)?;
            chosen.expect("no oracle policy looks at species")
        } else {
            threshold.value
        };
        let mut species = vec![(0u64, 0u64); self.species];
        for sample in &self.samples {
            if let Some(index) = sample.species {
                species[index].1 += weight(sample);
                species[index].0 += if sample.score >= value {
                    weight(sample)
                } else {
                    0
                };
            }
        }
        let apcer = species
            .iter()
            .filter(|(_, trials)| *trials > 0)
            .map(|&(errors, trials)| errors as f64 / trials as f64)
            .fold(0.0, f64::max);
        let point = sweep.at(value);
        let (pooled, bpcer) = (sweep.apcer_pooled(&point), sweep.bpcer(&point));
        let eer = threshold.convention.eer(&sweep).rate;
        let (acer_max, acer_pooled) = ((apcer + bpcer) / 2.0, (pooled + bpcer) / 2.0);
        Ok([
            apcer,
            pooled,
            bpcer,
            acer_max,
            acer_pooled,
            eer,
            sweep.auc(),
        ])
    }
}

/// How often each of `count` clusters is drawn in `count` draws with replacement.
fn draw(count: usize, rng: &mut ChaCha8Rng) -> Vec<u64> {
    let mut drawn = vec![0; count];
    for _ in 0..count {
        drawn[rng.random_range(0..count as u64) as usize] += 1;
    }
    drawn
}

/// Linear interpolation between order statistics (type 7, numpy's default).
fn quantile(sorted: &[Draw], metric: usize, share: f64) -> f64 {
    let position = share * (sorted.len() - 1) as f64;
    let (low, high) = (position.floor() as usize, position.ceil() as usize);
    let (a, b) = (sorted[low][metric], sorted[high][metric]);
    a + (position - low as f64) * (b - a)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::convention::Convention;
    use crate::policy::ThresholdPolicy;

    /// 40 subjects a class, each with `frames` frames of one score.
    fn set(frames: usize) -> ScoreSet {
        let mut samples = Vec::new();
        for subject in 0..40 {
            for frame in 0..frames {
                let name = |class| format!("{class}{subject}");
                let video = format!("{subject}/{frame}");
                let score = f64::from(subject);
                samples.push(
                    ScoredSample::bona_fide(score + 10.5)
                        .with_subject(name('b'))
                        .with_video(format!("b{video}")),
                );
                let species = if subject % 2 == 0 { "print" } else { "replay" };
                samples.push(
                    ScoredSample::attack(score, species)
                        .with_subject(name('a'))
                        .with_video(format!("a{video}")),
                );
            }
        }
        ScoreSet::new(samples).unwrap()
    }

    fn fixed(value: f64, set: &ScoreSet) -> Threshold {
        Threshold::choose(ThresholdPolicy::Fixed(value), Convention::Exact, None, set).unwrap()
    }

    #[test]
    fn width_follows_subjects_and_not_frames() {
        let bootstrap = Bootstrap {
            replicates: 2000,
            seed: 3,
        };
        let width = |frames| {
            let set = set(frames);
            let intervals = bootstrap.intervals(&set, &fixed(20.5, &set), 0.95).unwrap();
            assert_eq!(
                (intervals.bona_fide_clusters, intervals.attack_clusters),
                (40, 40)
            );
            assert_eq!(intervals.cluster, Cluster::Subject);
            intervals.bpcer
        };
        // Ten of forty rejected: the binomial 2.5 % and 97.5 % points of 40 draws at 1/4 are 5
        // and 16 rejections.
        for frames in [1, 5] {
            let bpcer = width(frames);
            assert_eq!((bpcer.lower, bpcer.upper), (5.0 / 40.0, 16.0 / 40.0));
        }
    }

    #[test]
    fn same_seed_same_intervals() {
        let set = set(2);
        let threshold = fixed(15.0, &set);
        let run = |seed| {
            Bootstrap {
                replicates: 200,
                seed,
            }
            .intervals(&set, &threshold, 0.9)
        };
        assert_eq!(run(7).unwrap(), run(7).unwrap());
        assert_ne!(run(7).unwrap().auc, run(8).unwrap().auc);
    }

    #[test]
    fn oracle_thresholds_are_chosen_anew() {
        let set = set(1);
        let policy = ThresholdPolicy::OracleEer;
        let oracle = Threshold::choose(policy, Convention::Exact, None, &set).unwrap();
        let bootstrap = Bootstrap {
            replicates: 500,
            seed: 1,
        };
        let anew = bootstrap.intervals(&set, &oracle, 0.95).unwrap();
        let kept = bootstrap
            .intervals(&set, &fixed(oracle.value, &set), 0.95)
            .unwrap();
        assert!(anew.threshold_reestimated && !kept.threshold_reestimated);
        // With its own threshold each replicate sits at its EER.
        assert_eq!(anew.acer_pooled, anew.eer);
        assert_eq!(anew.auc, kept.auc);
        let width = |interval: Interval| interval.upper - interval.lower;
        assert!(width(anew.bpcer) < width(kept.bpcer));
    }

    #[test]
    fn one_subject_is_too_few() {
        let samples = vec![
            ScoredSample::bona_fide(1.0).with_subject("p"),
            ScoredSample::bona_fide(2.0).with_subject("p"),
            ScoredSample::attack(0.0, "print").with_subject("q"),
            ScoredSample::attack(0.5, "print").with_subject("r"),
        ];
        let set = ScoreSet::new(samples).unwrap();
        let threshold = fixed(0.7, &set);
        let error = Bootstrap::default()
            .intervals(&set, &threshold, 0.95)
            .unwrap_err();
        let expected = MetricError::TooFewClusters {
            class: "bona_fide",
            cluster: "subject",
            count: 1,
        };
        assert_eq!(error.to_string(), expected.to_string());
        let none = Bootstrap {
            replicates: 0,
            seed: 0,
        };
        assert!(matches!(
            none.intervals(&set, &threshold, 0.95),
            Err(MetricError::NoReplicates)
        ));
    }

    #[test]
    fn quantiles_interpolate() {
        let draws: Vec<Draw> = (0..5).map(|i| [f64::from(i); 7]).collect();
        assert_eq!(quantile(&draws, 0, 0.5), 2.0);
        assert_eq!(quantile(&draws, 0, 0.025), 0.1);
        assert_eq!(quantile(&draws, 0, 1.0), 4.0);
    }
}
