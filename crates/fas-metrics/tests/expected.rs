//! Every row of `metrics/expected.csv`, made with scikit-learn, bob.measure and SSDG's own code
//! (`metrics/README.md`), at 1e-12.

use std::collections::HashMap;

use fas_metrics::{Convention, ErrorRates, ScoreSet, ScoredSample, Sweep, ThresholdPolicy};

const TOLERANCE: f64 = 1e-12;

fn rows(text: &'static str) -> impl Iterator<Item = Vec<&'static str>> {
    text.lines().skip(1).map(|line| line.split(',').collect())
}

fn score_sets() -> HashMap<(&'static str, &'static str), ScoreSet> {
    let mut samples = HashMap::<_, Vec<ScoredSample>>::new();
    for row in rows(include_str!("metrics/scores.csv")) {
        let [set, split, _, score, label, species, video] = row[..] else {
            panic!("scores.csv: {row:?}")
        };
        let score = score.parse().unwrap();
        let sample = match label {
            "1" => ScoredSample::bona_fide(score),
            "0" => ScoredSample::attack(score, species),
            _ => panic!("label {label}"),
        };
        samples
            .entry((set, split))
            .or_default()
            .push(sample.with_video(video));
    }
    samples
        .into_iter()
        .map(|(key, samples)| (key, ScoreSet::new(samples).unwrap()))
        .collect()
}

/// Value of a row of one split, with the threshold it is read at.
fn within(set: &ScoreSet, convention: &str, metric: &str) -> (f64, Option<f64>) {
    let sweep = set.sweep();
    let eer_of = |convention: Convention, sweep: &Sweep| {
        let eer = convention.eer(sweep);
        let at = Some(eer.threshold);
        match metric {
            "EER" | "EER_err=FPR" => (eer.rate, at),
            "HTER_at_own_EER_thr" | "HTER" => (sweep.hter(&sweep.at(eer.threshold)), at),
            "ACC_at_EER_thr" | "ACC_strict" => (convention.accuracy(sweep, eer.threshold), at),
            "FAR" | "FAR_at_eer_threshold" => (eer.apcer_pooled, at),
            "FRR" | "FRR_at_eer_threshold" => (eer.bpcer, at),
            "AUC" => (convention.auc(sweep).unwrap(), None),
            _ => panic!("{metric}"),
        }
    };
    match (convention, metric) {
        ("sklearn_roc_auc_score" | "mann_whitney_half_ties", "AUC") => (sweep.auc(), None),
        ("bob.measure.roc_auc_score_npoints2000", "AUC") => eer_of(Convention::Bob, sweep),
        ("ssdg_grid10001", _) => eer_of(Convention::Ssdg, sweep),
        ("ssdg_grid10001_video_mean", _) => {
            eer_of(Convention::Ssdg, set.video_means().unwrap().sweep())
        }
        ("ssan_roc_curve", _) => eer_of(Convention::Ssan, sweep),
        ("bob.measure", "HTER_at_min_hter_threshold") => {
            let threshold = Convention::Bob
                .threshold(ThresholdPolicy::OracleMinHter, set)
                .unwrap();
            (sweep.hter(&sweep.at(threshold)), Some(threshold))
        }
        ("bob.measure", _) => eer_of(Convention::Bob, sweep),
        ("exact_sweep", _) => eer_of(Convention::Exact, sweep),
        ("linear_interp_roc", "EER") => (sweep.eer_interpolated(), None),
        ("roc_convex_hull", "EER_rocch") => (sweep.eer_convex_hull(), None),
        ("ssdg_at_0.5" | "iso30107_at_0.5", _) => {
            let rates = ErrorRates::at(set, 0.5);
            (rate(&rates, sweep, metric), Some(0.5))
        }
        _ => panic!("no such row: {convention} {metric}"),
    }
}

fn rate(rates: &ErrorRates, sweep: &Sweep, metric: &str) -> f64 {
    match metric {
        "APCER_pooled" | "FAR" => rates.apcer_pooled.rate(),
        "APCER_max" => rates.apcer(),
        "NPCER" | "BPCER" | "FRR" => rates.bpcer.rate(),
        "ACER_pooled" => rates.acer_pooled(),
        "ACER_maxPAI" => rates.acer_max(),
        "HTER" => rates.hter(),
        "ACC" => {
            let accuracy = Convention::Ssdg.accuracy(sweep, rates.threshold);
            assert_eq!(accuracy, rates.accuracy());
            accuracy
        }
        _ => {
            let species = metric.strip_prefix("APCER_PAI").expect(metric);
            rates.apcer_by_species[species].rate()
        }
    }
}

/// Value of a row whose threshold comes from the development split.
fn across(dev: &ScoreSet, test: &ScoreSet, name: &str, metric: &str) -> (f64, Option<f64>) {
    let threshold = |convention: Convention, policy| convention.threshold(policy, dev).unwrap();
    let value = match name {
        "ssdg_grid10001" => threshold(Convention::Ssdg, ThresholdPolicy::DevEer),
        "ssan_roc_curve" => threshold(Convention::Ssan, ThresholdPolicy::DevEer),
        "exact_sweep" => threshold(Convention::Exact, ThresholdPolicy::DevEer),
        "bob.measure_eer_threshold" => threshold(Convention::Bob, ThresholdPolicy::DevEer),
        "bob.measure_min_hter_threshold" => threshold(Convention::Bob, ThresholdPolicy::DevMinHter),
        "bob.measure_frr_threshold_0.01" => {
            threshold(Convention::Bob, ThresholdPolicy::DevBpcer(0.01))
        }
        "largest_thr_with_BPCER<=0.01" => {
            threshold(Convention::Exact, ThresholdPolicy::DevBpcer(0.01))
        }
        "bob.measure_far_threshold_0.01" => {
            // bob pools the attacks here: one species for all of them.
            let pooled = dev.samples().iter().map(|sample| match sample.label {
                fas_metrics::Label::BonaFide => sample.clone(),
                fas_metrics::Label::Attack(_) => ScoredSample::attack(sample.score, "all"),
            });
            let pooled = ScoreSet::new(pooled.collect()).unwrap();
            Convention::Bob
                .threshold(ThresholdPolicy::DevApcer(100), &pooled)
                .unwrap()
        }
        _ => panic!("no such row: {name}"),
    };
    let rates = match metric {
        "BPCER_dev" => return (ErrorRates::at(dev, value).bpcer.rate(), Some(value)),
        _ => ErrorRates::at(test, value),
    };
    (rate(&rates, test.sweep(), metric), Some(value))
}

#[test]
fn every_row() {
    let sets = score_sets();
    let mut failures = Vec::new();
    let mut count = 0;
    for row in rows(include_str!("metrics/expected.csv")) {
        let [set, split, convention, metric, value, threshold] = row[..] else {
            panic!("expected.csv: {row:?}")
        };
        let (actual, at) = match split {
            "dev->test" => across(
                &sets[&(set, "dev")],
                &sets[&(set, "test")],
                convention,
                metric,
            ),
            _ => within(&sets[&(set, split)], convention, metric),
        };
        let expected: f64 = value.parse().unwrap();
        if (actual - expected).abs() > TOLERANCE || actual.is_nan() {
            failures.push(format!("{row:?}: got {actual}"));
        }
        // Thresholds are compared to the last bit, for every convention.
        if !threshold.is_empty() && at != Some(threshold.parse().unwrap()) {
            failures.push(format!("{row:?}: threshold {at:?}"));
        }
        count += 1;
    }
    assert_eq!(count, 570, "rows of expected.csv");
    assert!(
        failures.is_empty(),
        "{} of {count} rows\n{}",
        failures.len(),
        failures.join("\n")
    );
}

#[test]
fn ssdg_agrees_with_exact_within_a_grid_step_where_the_grid_resolves() {
    for ((name, split), set) in score_sets() {
        if name.starts_with("S5") || name.starts_with("S7") {
            continue;
        }
        let (exact, grid) = (set.sweep().eer(), Convention::Ssdg.eer(set.sweep()));
        assert!((exact.rate - grid.rate).abs() < TOLERANCE, "{name} {split}");
        assert!(
            (exact.threshold - grid.threshold).abs() <= 1e-4,
            "{name} {split}"
        );
    }
}
