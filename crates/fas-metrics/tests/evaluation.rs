//! The whole report: videos, frames, non-responses, polarity.

use fas_metrics::{
    Bootstrap, Cluster, Convention, EvaluationConfig, MetricError, ScoreFile, ScoreSet,
    ScoredSample, ThresholdPolicy, ThresholdSource, Unit, evaluate,
};

/// Two frames a video, one video a subject and class: means are 0.3, 0.6, 0.8 for bona fide and
/// 0.1, 0.4, 0.5 for attacks.
const FRAMES: &str = "score,label,species,video,subject\n\
    0.2,bona_fide,,b1,p1\n0.4,bona_fide,,b1,p1\n\
    0.5,bona_fide,,b2,p2\n0.7,bona_fide,,b2,p2\n\
    0.7,bona_fide,,b3,p3\n0.9,bona_fide,,b3,p3\n\
    0.0,attack,print,a1,p1\n0.2,attack,print,a1,p1\n\
    0.1,attack,print,a2,p2\n0.7,attack,print,a2,p2\n\
    0.4,attack,replay,a3,p3\n0.6,attack,replay,a3,p3\n\
    ,attack,replay,a4,p3\n,bona_fide,,b4,p3\n";

fn frames() -> ScoreSet {
    ScoreFile::from_bytes(FRAMES.as_bytes(), "frames.csv")
        .unwrap()
        .into_set()
        .unwrap()
}

fn close(actual: f64, expected: f64) {
    assert!((actual - expected).abs() < 1e-12, "{actual} and {expected}");
}

#[test]
fn videos_with_frames_beside() {
    let config = EvaluationConfig {
        policy: ThresholdPolicy::Fixed(0.45),
        unit: Unit::Video,
        bootstrap: Some(Bootstrap {
            replicates: 100,
            seed: 5,
        }),
        ..Default::default()
    };
    let evaluation = evaluate(&frames(), None, &config).unwrap();
    assert_eq!(evaluation.unit, Unit::Video);
    assert_eq!(
        (evaluation.counts.bona_fide, evaluation.counts.attacks),
        (3, 3)
    );
    assert_eq!(
        (evaluation.counts.videos, evaluation.counts.subjects),
        (Some(6), Some(3))
    );
    assert_eq!(evaluation.worst_species, "replay");
    assert_eq!(evaluation.apcer_by_species["print"].value, 0.0);
    assert_eq!(evaluation.apcer, 1.0);
    close(evaluation.apcer_pooled.value, 1.0 / 3.0);
    close(evaluation.bpcer.value, 1.0 / 3.0);
    close(evaluation.acer_max, 2.0 / 3.0);
    close(evaluation.hter, 1.0 / 3.0);
    close(evaluation.auc, 7.0 / 9.0);
    // Above the replay at 0.5 lie two of three bona fide videos.
    close(evaluation.bpcer10.unwrap(), 1.0 / 3.0);
    // Exact interval of 1 in 3, from the closed forms of the beta distribution.
    close(evaluation.bpcer.exact.lower, 1.0 - 0.975f64.cbrt());
    let bootstrap = evaluation.bootstrap.unwrap();
    assert_eq!(
        (bootstrap.cluster, bootstrap.bona_fide_clusters),
        (Cluster::Subject, 3)
    );

    let frames = evaluation.per_frame.unwrap();
    assert_eq!(frames.threshold.unit, Unit::Frame);
    close(frames.bpcer, 2.0 / 6.0);
    close(frames.apcer_pooled, 2.0 / 6.0);
    close(frames.apcer, 1.0 / 2.0);

    let missing = evaluation.non_response.unwrap();
    assert_eq!((missing.bpnrr.errors, missing.bpnrr.trials), (1, 7));
    let replay = missing.apnrr_by_species["replay"];
    assert_eq!((replay.errors, replay.trials), (1, 3));
    assert_eq!(missing.apnrr_by_species["print"].errors, 0);
    // Two of fourteen rows have no score: far = 1/3 (6/7), frr = 1/7 + 1/3 (6/7).
    close(missing.corrected.apcer_pooled, 2.0 / 7.0);
    close(missing.corrected.bpcer, 3.0 / 7.0);
}

#[test]
fn development_threshold_is_kept() {
    let development = ScoreSet::new(vec![
        ScoredSample::bona_fide(0.55),
        ScoredSample::bona_fide(0.9),
        ScoredSample::attack(0.1, "print"),
        ScoredSample::attack(0.2, "print"),
    ])
    .unwrap();
    let evaluation = evaluate(&frames(), Some(&development), &EvaluationConfig::default()).unwrap();
    assert_eq!(evaluation.threshold.value, 0.55);
    assert_eq!(
        evaluation.threshold.source,
        ThresholdSource::SourceValidation
    );
    assert_eq!(evaluation.threshold.achieved.unwrap().apcer, 0.0);
    close(evaluation.bpcer.value, 0.5);
    assert!(!evaluation.bootstrap.unwrap().threshold_reestimated);

    let error = evaluate(&frames(), None, &EvaluationConfig::default()).unwrap_err();
    assert!(matches!(error, MetricError::MissingDevelopment { .. }));
}

#[test]
fn inverted_scores_are_refused_where_they_fix_the_threshold() {
    let inverted = |offset: f64| {
        let bona_fide = (0..5).map(|i| ScoredSample::bona_fide(f64::from(i)));
        let attacks = (0..5).map(|i| ScoredSample::attack(f64::from(i) + offset, "print"));
        ScoreSet::new(bona_fide.chain(attacks).collect()).unwrap()
    };
    let (good, bad) = (inverted(-5.0), inverted(5.0));
    let policy = ThresholdPolicy::OracleEer;
    let oracle = EvaluationConfig {
        policy,
        ..Default::default()
    };
    let message = evaluate(&bad, None, &oracle).unwrap_err().to_string();
    assert!(
        message.contains("test scores look inverted: AUC = 0.0000"),
        "{message}"
    );
    let source = EvaluationConfig::default();
    let message = evaluate(&good, Some(&bad), &source)
        .unwrap_err()
        .to_string();
    assert!(
        message.contains("development scores look inverted"),
        "{message}"
    );
    // A detector that fails on a new domain is a result, not a mistake.
    let failed = evaluate(&bad, Some(&good), &source).unwrap();
    assert!(failed.looks_inverted);
    assert_eq!(failed.auc, 0.0);
    let allowed = EvaluationConfig {
        allow_inverted: true,
        ..oracle
    };
    assert_eq!(evaluate(&bad, None, &allowed).unwrap().auc, 0.0);
}

#[test]
fn bob_leaves_out_what_it_refuses() {
    let samples = vec![
        ScoredSample::bona_fide(0.8),
        ScoredSample::bona_fide(0.9),
        ScoredSample::attack(0.1, "print"),
        ScoredSample::attack(0.2, "replay"),
        ScoredSample::attack(0.3, "replay"),
    ];
    let config = EvaluationConfig {
        policy: ThresholdPolicy::Fixed(0.5),
        convention: Convention::Bob,
        ..Default::default()
    };
    let evaluation = evaluate(&ScoreSet::new(samples).unwrap(), None, &config).unwrap();
    assert_eq!(evaluation.bpcer20, None);
    assert_eq!(evaluation.apcer, 0.0);
}

#[test]
fn wmca_protocol_under_bob() {
    let policy = ThresholdPolicy::DevBpcer(0.0);
    let config = EvaluationConfig {
        policy,
        convention: Convention::Bob,
        ..Default::default()
    };
    let evaluation = evaluate(&frames(), Some(&frames()), &config).unwrap();
    assert_eq!(evaluation.threshold.value, 0.2);
    let text = serde_json::to_string(&evaluation).unwrap();
    assert!(
        text.contains(r#""policy":"dev-bpcer=0","convention":"bob""#),
        "{text}"
    );
}
