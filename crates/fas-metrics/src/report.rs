//! One call from scores to a report: [`evaluate`].

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::MetricError;
use crate::bootstrap::{Bootstrap, BootstrapIntervals};
use crate::convention::Convention;
use crate::interval::{Interval, check_level};
use crate::non_response::CorrectedRates;
use crate::policy::ThresholdPolicy;
use crate::rates::{ErrorRates, Proportion};
use crate::scores::{ScoreSet, Unit};
use crate::sweep::EqualErrorRate;
use crate::threshold::Threshold;

/// False positive rates at which [`Evaluation::tpr_at_fpr`] is read.
const FPR_TARGETS: [f64; 3] = [0.01, 0.05, 0.1];

/// How to evaluate.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EvaluationConfig {
    /// How the threshold is chosen.
    pub policy: ThresholdPolicy,
    /// Whose rules are followed.
    pub convention: Convention,
    /// Frames as they are, or the mean of each video.
    pub unit: Unit,
    /// Confidence of all intervals, in `(0, 1)`.
    pub level: f64,
    /// Bootstrap over subjects; `None` leaves it out.
    pub bootstrap: Option<Bootstrap>,
    /// Whether scores that look inverted are evaluated all the same.
    pub allow_inverted: bool,
}

impl Default for EvaluationConfig {
    /// `source-eer`, `exact`, frames, 95 %, 1000 replicates, inverted scores refused.
    fn default() -> Self {
        Self {
            policy: ThresholdPolicy::default(),
            convention: Convention::default(),
            unit: Unit::Frame,
            level: 0.95,
            bootstrap: Some(Bootstrap::default()),
            allow_inverted: false,
        }
    }
}

/// How much was evaluated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// Bona fide scores.
    pub bona_fide: u64,
    /// Attack scores.
    pub attacks: u64,
    /// Different videos, where every sample names one.
    pub videos: Option<usize>,
    /// Different subjects, where every sample names one.
    pub subjects: Option<usize>,
}

/// A counted rate with its exact interval.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct CountedRate {
    /// The rate, in `[0, 1]`.
    pub value: f64,
    /// Its counts.
    pub count: Proportion,
    /// Clopper-Pearson interval, which takes decisions as independent.
    pub exact: Interval,
}

impl CountedRate {
    fn new(count: Proportion, level: f64) -> Result<Self, MetricError> {
        Ok(Self {
            value: count.rate(),
            count,
            exact: Interval::clopper_pearson(count, level)?,
        })
    }
}

/// Share of bona fide samples accepted at a false positive rate.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct TprAtFpr {
    /// Largest pooled APCER allowed, in `[0, 1]`.
    pub fpr: f64,
    /// `1 - BPCER` there, in `[0, 1]`.
    pub tpr: f64,
}

/// Non-response rates, and the error rates that count them as rejections.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct NonResponseRates {
    /// Share of bona fide presentations without a score.
    pub bpnrr: Proportion,
    /// Share of attack presentations without a score, by species.
    pub apnrr_by_species: BTreeMap<String, Proportion>,
    /// Error rates corrected for the overall share without a score.
    pub corrected: CorrectedRates,
}

/// The numbers of the same scores frame by frame, beside an evaluation of videos.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PerFrame {
    /// Threshold, chosen on frames too.
    pub threshold: Threshold,
    /// APCER, the maximum over species.
    pub apcer: f64,
    /// Pooled APCER.
    pub apcer_pooled: f64,
    /// BPCER.
    pub bpcer: f64,
    /// `(APCER + BPCER) / 2` with the maximum.
    pub acer_max: f64,
    /// HTER, the same as the pooled ACER.
    pub hter: f64,
    /// Equal error rate.
    pub eer: f64,
    /// Area under the ROC curve.
    pub auc: f64,
}

/// Every number of one evaluation. Rates are fractions in `[0, 1]`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evaluation {
    /// What was asked for.
    pub config: EvaluationConfig,
    /// What one score stands for.
    pub unit: Unit,
    /// How much was evaluated.
    pub counts: Counts,
    /// The threshold of all rates but EER, AUC, BPCER10/20/100 and TPR@FPR.
    pub threshold: Threshold,
    /// APCER by species.
    pub apcer_by_species: BTreeMap<String, CountedRate>,
    /// The species with the highest APCER.
    pub worst_species: String,
    /// APCER, the maximum over species.
    pub apcer: f64,
    /// APCER over all attacks.
    pub apcer_pooled: CountedRate,
    /// BPCER.
    pub bpcer: CountedRate,
    /// `(APCER + BPCER) / 2` with the maximum over species.
    pub acer_max: f64,
    /// `(APCER + BPCER) / 2` with all attacks pooled.
    pub acer_pooled: f64,
    /// Half total error rate; the same number as `acer_pooled`.
    pub hter: f64,
    /// Share decided rightly, by the rule of the convention.
    pub accuracy: f64,
    /// Equal error rate of the test scores, as the convention reads it.
    pub eer: EqualErrorRate,
    /// Area under the ROC curve, as the convention computes it.
    pub auc: f64,
    /// BPCER where the APCER of every species is at most 1/10; `None` where convention `bob` meets a
    /// species of one score, which it refuses.
    pub bpcer10: Option<f64>,
    /// BPCER where the APCER of every species is at most 1/20; `None` where convention `bob` meets a
    /// species of one score, which it refuses.
    pub bpcer20: Option<f64>,
    /// BPCER where the APCER of every species is at most 1/100; `None` where convention `bob` meets a
    /// species of one score, which it refuses.
    pub bpcer100: Option<f64>,
    /// Bona fide acceptance at pooled false positive rates of 1 %, 5 % and 10 %.
    pub tpr_at_fpr: Vec<TprAtFpr>,
    /// Bootstrap intervals, where asked for and where there are clusters enough.
    pub bootstrap: Option<BootstrapIntervals>,
    /// Non-responses, where there are any; counted in rows, also when videos are evaluated.
    pub non_response: Option<NonResponseRates>,
    /// The same frame by frame, where videos were evaluated.
    pub per_frame: Option<PerFrame>,
    /// Whether attacks score clearly higher than bona fide samples in the test scores.
    pub looks_inverted: bool,
}

/// Evaluates the scores `test` at the threshold that `config.policy` picks on `development` (held
/// out source scores for `source-eer`) or, for oracle policies, on `test` itself.
///
/// With [`Unit::Video`] both sets are averaged by video first, unless they are videos already, and
/// the frame-by-frame numbers are kept beside. A bootstrap that has too few clusters is left out.
///
/// ```
/// use fas_metrics::{EvaluationConfig, ScoreSet, ScoredSample, ThresholdPolicy, evaluate};
///
/// let bona_fide = [0.7, 0.8, 0.9].map(ScoredSample::bona_fide);
/// let attacks = [0.1, 0.2, 0.75].map(|score| ScoredSample::attack(score, "print"));
/// let test = ScoreSet::new([bona_fide, attacks].concat())?;
/// let policy = ThresholdPolicy::Fixed(0.5);
/// let evaluation = evaluate(&test, None, &EvaluationConfig { policy, ..Default::default() })?;
/// assert_eq!((evaluation.apcer, evaluation.bpcer.value), (1.0 / 3.0, 0.0));
/// # Ok::<(), fas_metrics::MetricError>(())
/// ```
///
/// # Errors
///
/// [`MetricError::InvertedPolarity`] when the scores that fix the threshold (the test scores when
/// no development scores do) look inverted and `config.allow_inverted` is not set; and the errors
/// of [`Threshold::choose`], [`ScoreSet::video_means`], [`Bootstrap::intervals`] and
/// [`Interval::clopper_pearson`].
pub fn evaluate(
    test: &ScoreSet,
    development: Option<&ScoreSet>,
    config: &EvaluationConfig,
) -> Result<Evaluation, MetricError> {
    check_level(config.level)?;
    if config.unit == Unit::Frame || test.unit() == Unit::Video {
        return evaluate_set(test, development, config);
    }
    let by_video = |set: &ScoreSet| match set.unit() {
        Unit::Frame => set.video_means(),
        Unit::Video => Ok(set.clone()),
    };
    let video_development = development.map(by_video).transpose()?;
    let mut evaluation = evaluate_set(&by_video(test)?, video_development.as_ref(), config)?;
    evaluation.per_frame = Some(per_frame(test, development, config)?);
    evaluation.non_response = non_response_rates(test, &evaluation)?;
    evaluation.counts.videos = test.video_count();
    Ok(evaluation)
}

fn evaluate_set(
    test: &ScoreSet,
    development: Option<&ScoreSet>,
    config: &EvaluationConfig,
) -> Result<Evaluation, MetricError> {
    let used_development = development.filter(|_| config.policy.needs_development());
    if !config.allow_inverted {
        check_polarity(test, used_development)?;
    }
    let convention = config.convention;
    let threshold = Threshold::choose(config.policy, convention, development, test)?;
    let rates = ErrorRates::at(test, threshold.value);
    let counted = |count| CountedRate::new(count, config.level);
    let apcer_by_species = rates
        .apcer_by_species
        .iter()
        .map(|(name, &count)| Ok((name.clone(), counted(count)?)))
        .collect::<Result<_, MetricError>>()?;
    let bootstrap = match config.bootstrap {
        None => None,
        Some(bootstrap) => match bootstrap.intervals(test, &threshold, config.level) {
            Err(MetricError::TooFewClusters { .. }) => None,
            intervals => Some(intervals?),
        },
    };
    let bpcer_at_apcer = |n| match convention.bpcer_at_apcer(n, test) {
        Err(MetricError::TooFewScores { .. }) => Ok(None),
        bpcer => bpcer.map(Some),
    };
    let sweep = test.sweep();
    let mut evaluation = Evaluation {
        config: config.clone(),
        unit: test.unit(),
        counts: Counts {
            bona_fide: sweep.bona_fide(),
            attacks: sweep.attacks(),
            videos: test.video_count(),
            subjects: test.subject_count(),
        },
        apcer_by_species,
        worst_species: rates.worst_species().0.to_owned(),
        apcer: rates.apcer(),
        apcer_pooled: counted(rates.apcer_pooled)?,
        bpcer: counted(rates.bpcer)?,
        acer_max: rates.acer_max(),
        acer_pooled: rates.acer_pooled(),
        hter: rates.hter(),
        accuracy: convention.accuracy(sweep, threshold.value),
        eer: convention.eer(sweep),
        auc: convention.auc(sweep)?,
        bpcer10: bpcer_at_apcer(10)?,
        bpcer20: bpcer_at_apcer(20)?,
        bpcer100: bpcer_at_apcer(100)?,
        tpr_at_fpr: FPR_TARGETS
            .map(|fpr| TprAtFpr {
                fpr,
                tpr: sweep.tpr_at_fpr(fpr),
            })
            .to_vec(),
        bootstrap,
        non_response: None,
        per_frame: None,
        looks_inverted: sweep.looks_inverted(),
        threshold,
    };
    evaluation.non_response = non_response_rates(test, &evaluation)?;
    Ok(evaluation)
}

fn check_polarity(test: &ScoreSet, development: Option<&ScoreSet>) -> Result<(), MetricError> {
    let (scores, set) = development.map_or(("test", test), |set| ("development", set));
    let sweep = set.sweep();
    if !sweep.looks_inverted() {
        return Ok(());
    }
    let (bona_fide, attacks) = (sweep.bona_fide(), sweep.attacks());
    Err(MetricError::InvertedPolarity {
        scores,
        auc: sweep.auc(),
        bona_fide,
        attacks,
    })
}

fn per_frame(
    test: &ScoreSet,
    development: Option<&ScoreSet>,
    config: &EvaluationConfig,
) -> Result<PerFrame, MetricError> {
    let threshold = Threshold::choose(config.policy, config.convention, development, test)?;
    let rates = ErrorRates::at(test, threshold.value);
    Ok(PerFrame {
        apcer: rates.apcer(),
        apcer_pooled: rates.apcer_pooled.rate(),
        bpcer: rates.bpcer.rate(),
        acer_max: rates.acer_max(),
        hter: rates.hter(),
        eer: config.convention.eer(test.sweep()).rate,
        auc: config.convention.auc(test.sweep())?,
        threshold,
    })
}

fn non_response_rates(
    rows: &ScoreSet,
    evaluation: &Evaluation,
) -> Result<Option<NonResponseRates>, MetricError> {
    let missing = rows.non_responses();
    if missing.is_empty() {
        return Ok(None);
    }
    let scored = |name: &String| rows.species().get(name).map_or(0, Vec::len) as u64;
    let share = |errors, scored| Proportion {
        errors,
        trials: errors + scored,
    };
    let names = rows.species().keys().chain(missing.by_species.keys());
    let apnrr_by_species = names
        .map(|name| {
            let errors = missing.by_species.get(name).copied().unwrap_or(0);
            (name.clone(), share(errors, scored(name)))
        })
        .collect();
    let overall = share(missing.total(), rows.samples().len() as u64).rate();
    Ok(Some(NonResponseRates {
        bpnrr: share(missing.bona_fide, rows.sweep().bona_fide()),
        apnrr_by_species,
        corrected: CorrectedRates::new(
            evaluation.apcer_pooled.value,
            evaluation.bpcer.value,
            overall,
        )?,
    }))
}
