//! Properties that hold for any scores: monotone maps, permutations, class swaps, monotone rates.

use fas_metrics::{
    Bootstrap, Convention, ErrorRates, EvaluationConfig, Label, Proportion, ScoreSet, ScoredSample,
    ThresholdPolicy, evaluate,
};
use proptest::prelude::*;

/// Scores on a coarse grid, so that ties within and across the classes are common.
fn samples() -> impl Strategy<Value = Vec<ScoredSample>> {
    let score = || (-20i32..20).prop_map(|step| f64::from(step) / 8.0);
    let bona_fide = prop::collection::vec(score().prop_map(ScoredSample::bona_fide), 1..40);
    let species = prop::sample::select(vec!["print", "replay", "mask"]);
    let attack =
        (score(), species).prop_map(|(score, species)| ScoredSample::attack(score, species));
    let attacks = prop::collection::vec(attack, 1..40);
    (bona_fide, attacks).prop_map(|(bona_fide, attacks)| [bona_fide, attacks].concat())
}

fn map_scores(samples: &[ScoredSample], map: impl Fn(f64) -> f64) -> ScoreSet {
    let mapped = samples.iter().cloned().map(|mut sample| {
        sample.score = map(sample.score);
        sample
    });
    ScoreSet::new(mapped.collect()).unwrap()
}

proptest! {
    #[test]
    fn rates_survive_monotone_maps(samples in samples()) {
        let set = ScoreSet::new(samples.clone()).unwrap();
        let logistic = |score: f64| 1.0 / (1.0 + (-score).exp());
        let mapped = map_scores(&samples, logistic);
        let (sweep, other) = (set.sweep(), mapped.sweep());
        prop_assert_eq!(sweep.auc(), other.auc());
        prop_assert_eq!(sweep.eer().rate, other.eer().rate);
        prop_assert_eq!(logistic(sweep.eer().threshold), other.eer().threshold);
        prop_assert_eq!(sweep.eer_convex_hull(), other.eer_convex_hull());
        prop_assert_eq!(sweep.hter(&sweep.min_hter()), other.hter(&other.min_hter()));
        for convention in [Convention::Exact, Convention::Bob, Convention::Ssan] {
            prop_assert_eq!(convention.eer(sweep).rate, convention.eer(other).rate);
        }
        for n in [10, 20, 100] {
            let bpcer = |set| Convention::Exact.bpcer_at_apcer(n, set).unwrap();
            prop_assert_eq!(bpcer(&set), bpcer(&mapped));
        }
    }

    #[test]
    fn apcer_falls_and_bpcer_rises_with_the_threshold(samples in samples()) {
        let set = ScoreSet::new(samples).unwrap();
        let rates: Vec<_> =
            (-25..25).map(|step| ErrorRates::at(&set, f64::from(step) / 9.0)).collect();
        for pair in rates.windows(2) {
            prop_assert!(pair[1].apcer() <= pair[0].apcer());
            prop_assert!(pair[1].apcer_pooled.rate() <= pair[0].apcer_pooled.rate());
            prop_assert!(pair[1].bpcer.rate() >= pair[0].bpcer.rate());
            for (species, apcer) in &pair[0].apcer_by_species {
                prop_assert!(pair[1].apcer_by_species[species].rate() <= apcer.rate());
            }
        }
        for rates in rates {
            prop_assert!(rates.apcer() >= rates.apcer_pooled.rate());
            prop_assert!(rates.acer_max() >= rates.acer_pooled());
        }
    }

    #[test]
    fn order_of_samples_is_nothing(samples in samples(), seed in any::<u64>()) {
        let set = ScoreSet::new(samples.clone()).unwrap();
        let mut shuffled = samples;
        shuffled.sort_by_key(|sample| (sample.score.to_bits() ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15));
        let shuffled = ScoreSet::new(shuffled).unwrap();
        prop_assert_eq!(set.sweep(), shuffled.sweep());
        prop_assert_eq!(ErrorRates::at(&set, 0.1), ErrorRates::at(&shuffled, 0.1));
    }

    /// Negated scores with swapped labels are the same detector seen from the other side.
    #[test]
    fn swapping_classes_mirrors(samples in samples()) {
        let set = ScoreSet::new(samples.clone()).unwrap();
        let swapped = samples.iter().map(|sample| match sample.label {
            Label::BonaFide => ScoredSample::attack(-sample.score, "print"),
            Label::Attack(_) => ScoredSample::bona_fide(-sample.score),
        });
        let swapped = ScoreSet::new(swapped.collect()).unwrap();
        let (a, b) = (set.sweep(), swapped.sweep());
        prop_assert_eq!(a.auc(), b.auc());
        prop_assert_eq!(a.eer().rate, b.eer().rate);
        // Equal sums of different rates, such as 1/2 + 5/12 and 7/12 + 1/3, round differently.
        prop_assert!((a.hter(&a.min_hter()) - b.hter(&b.min_hter())).abs() < 1e-12);
        prop_assert!((a.eer_interpolated() - b.eer_interpolated()).abs() < 1e-12);
        prop_assert!((a.eer_convex_hull() - b.eer_convex_hull()).abs() < 1e-12);
    }

    /// The sweep against definitions written as plainly as they can be.
    #[test]
    fn agrees_with_the_definitions(samples in samples()) {
        let set = ScoreSet::new(samples.clone()).unwrap();
        let split = |bona_fide: bool| -> Vec<f64> {
            let of_class = |s: &&ScoredSample| (s.label == Label::BonaFide) == bona_fide;
            samples.iter().filter(of_class).map(|s| s.score).collect()
        };
        let (bona_fide, attacks) = (split(true), split(false));
        let mut wins = 0.0;
        for b in &bona_fide {
            for a in &attacks {
                wins += if b > a { 1.0 } else if b == a { 0.5 } else { 0.0 };
            }
        }
        prop_assert_eq!(set.sweep().auc(), wins / (bona_fide.len() * attacks.len()) as f64);
        for threshold in bona_fide.iter().chain(&attacks) {
            let rates = ErrorRates::at(&set, *threshold);
            let accepted = attacks.iter().filter(|a| *a >= threshold).count() as u64;
            let rejected = bona_fide.iter().filter(|b| *b < threshold).count() as u64;
            let pooled = Proportion { errors: accepted, trials: attacks.len() as u64 };
            prop_assert_eq!(rates.apcer_pooled, pooled);
            let bpcer = Proportion { errors: rejected, trials: bona_fide.len() as u64 };
            prop_assert_eq!(rates.bpcer, bpcer);
        }
    }

    /// No NaN, no panic and no rate outside [0, 1], whatever the scores and the convention.
    #[test]
    fn evaluation_is_finite(samples in samples()) {
        let set = ScoreSet::new(samples).unwrap();
        for convention in [Convention::Exact, Convention::Ssdg, Convention::Ssan, Convention::Bob] {
            for policy in [ThresholdPolicy::OracleEer, ThresholdPolicy::Fixed(0.5)] {
                let bootstrap = Some(Bootstrap { replicates: 3, seed: 1 });
                let config = EvaluationConfig {
                    policy, convention, bootstrap, allow_inverted: true, ..Default::default()
                };
                let evaluation = match evaluate(&set, None, &config) {
                    Ok(evaluation) => evaluation,
                    Err(error) => {
                        prop_assert_eq!(convention, Convention::Bob, "{}", error);
                        continue;
                    }
                };
                let rates = [
                    evaluation.apcer, evaluation.acer_max, evaluation.hter, evaluation.eer.rate,
                    evaluation.auc, evaluation.bpcer10.unwrap_or(0.0), evaluation.bpcer100.unwrap_or(0.0), evaluation.accuracy,
                ];
                for rate in rates {
                    prop_assert!((-1e-9..=1.0 + 1e-9).contains(&rate), "{:?} {}", convention, rate);
                }
                let json = serde_json::to_string(&evaluation).unwrap();
                prop_assert_eq!(serde_json::from_str::<fas_metrics::Evaluation>(&json).unwrap(), evaluation);
            }
        }
    }
}
