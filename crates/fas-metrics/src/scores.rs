//! Scored samples and the validated set of them that every metric starts from.

use std::collections::BTreeMap;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::MetricError;
use crate::non_response::NonResponses;
use crate::sweep::Sweep;

/// Truth of a sample. Species are plain names here, so that this crate needs no data crate.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Label {
    /// A bona fide presentation.
    BonaFide,
    /// An attack by an instrument of the named species (ISO/IEC 30107-3: PAIS).
    Attack(String),
}

impl fmt::Display for Label {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BonaFide => f.write_str("bona_fide"),
            Self::Attack(species) => write!(f, "attack/{species}"),
        }
    }
}

/// One decision to be made: a score with its truth and its origin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ScoredSample {
    /// Higher is more bona fide; any finite value.
    pub score: f64,
    /// Truth.
    pub label: Label,
    /// Recording that the frame is of, when known.
    pub video: Option<String>,
    /// Person shown, when known.
    pub subject: Option<String>,
}

impl ScoredSample {
    /// A bona fide sample of unknown video and subject.
    pub fn bona_fide(score: f64) -> Self {
        Self {
            score,
            label: Label::BonaFide,
            video: None,
            subject: None,
        }
    }

    /// An attack sample of unknown video and subject.
    pub fn attack(score: f64, species: impl Into<String>) -> Self {
        Self {
            score,
            label: Label::Attack(species.into()),
            video: None,
            subject: None,
        }
    }

    /// The same sample as a frame of `video`.
    pub fn with_video(mut self, video: impl Into<String>) -> Self {
        self.video = Some(video.into());
        self
    }

    /// The same sample of the person `subject`.
    pub fn with_subject(mut self, subject: impl Into<String>) -> Self {
        self.subject = Some(subject.into());
        self
    }
}

/// What one score stands for. A rate over frames and one over videos are different numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Unit {
    /// One image.
    Frame,
    /// The mean of the frame scores of one video.
    Video,
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Frame => "frame",
            Self::Video => "video",
        })
    }
}

/// Finite scores of both classes, sorted once.
#[derive(Debug, Clone, PartialEq)]
pub struct ScoreSet {
    samples: Vec<ScoredSample>,
    unit: Unit,
    non_responses: NonResponses,
    sweep: Sweep,
    species: BTreeMap<String, Vec<f64>>,
}

impl ScoreSet {
    /// Validates and sorts frame scores.
    ///
    /// # Errors
    ///
    /// [`MetricError::NonFiniteScore`] and [`MetricError::EmptyClass`].
    pub fn new(samples: Vec<ScoredSample>) -> Result<Self, MetricError> {
        Self::with_unit(samples, Unit::Frame)
    }

    /// Validates and sorts scores of which each stands for one `unit`.
    ///
    /// # Errors
    ///
    /// [`MetricError::NonFiniteScore`] and [`MetricError::EmptyClass`].
    pub fn with_unit(samples: Vec<ScoredSample>, unit: Unit) -> Result<Self, MetricError> {
        let mut bona_fide = Vec::new();
        let mut attacks = Vec::new();
        let mut species = BTreeMap::<String, Vec<f64>>::new();
        for (index, sample) in samples.iter().enumerate() {
            if !sample.score.is_finite() {
                return Err(MetricError::NonFiniteScore {
                    index,
                    value: sample.score,
                });
            }
            match &sample.label {
                Label::BonaFide => bona_fide.push(sample.score),
                Label::Attack(name) => {
                    attacks.push(sample.score);
                    species.entry(name.clone()).or_default().push(sample.score);
                }
            }
        }
        for (class, scores) in [("bona_fide", &bona_fide), ("attack", &attacks)] {
            if scores.is_empty() {
                return Err(MetricError::EmptyClass {
                    class,
                    total: samples.len(),
                });
            }
        }
        for scores in species.values_mut().chain([&mut bona_fide, &mut attacks]) {
            scores.sort_unstable_by(f64::total_cmp);
        }
        let sweep = Sweep::from_sorted(&bona_fide, &attacks);
        Ok(Self {
            samples,
            unit,
            non_responses: NonResponses::default(),
            sweep,
            species,
        })
    }

    /// The same scores, with the presentations that got no score at all.
    pub fn with_non_responses(mut self, non_responses: NonResponses) -> Self {
        self.non_responses = non_responses;
        self
    }

    /// The samples, in the order given.
    pub fn samples(&self) -> &[ScoredSample] {
        &self.samples
    }

    /// What one score stands for.
    pub fn unit(&self) -> Unit {
        self.unit
    }

    /// Presentations without a score.
    pub fn non_responses(&self) -> &NonResponses {
        &self.non_responses
    }

    /// Error counts at every threshold.
    pub fn sweep(&self) -> &Sweep {
        &self.sweep
    }

    /// Attack scores by species, each ascending.
    pub fn species(&self) -> &BTreeMap<String, Vec<f64>> {
        &self.species
    }

    /// Number of different subjects, or `None` when a sample names none.
    pub fn subject_count(&self) -> Option<usize> {
        distinct(self.samples.iter().map(|sample| sample.subject.as_deref()))
    }

    /// Number of different videos, or `None` when a sample names none.
    pub fn video_count(&self) -> Option<usize> {
        distinct(self.samples.iter().map(|sample| sample.video.as_deref()))
    }
}

fn distinct<'a>(names: impl Iterator<Item = Option<&'a str>>) -> Option<usize> {
    names
        .collect::<Option<std::collections::HashSet<_>>>()
        .map(|names| names.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_non_finite_scores() {
        for value in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
            let samples = vec![
                ScoredSample::bona_fide(1.0),
                ScoredSample::attack(value, "print"),
            ];
            let error = ScoreSet::new(samples).unwrap_err();
            assert!(
                matches!(error, MetricError::NonFiniteScore { index: 1, .. }),
                "{error}"
            );
        }
    }

    #[test]
    fn refuses_an_empty_class() {
        let error = ScoreSet::new(vec![ScoredSample::bona_fide(1.0)]).unwrap_err();
        assert!(matches!(
            error,
            MetricError::EmptyClass {
                class: "attack",
                total: 1
            }
        ));
        let error = ScoreSet::new(vec![ScoredSample::attack(1.0, "print")]).unwrap_err();
        assert!(matches!(
            error,
            MetricError::EmptyClass {
                class: "bona_fide",
                total: 1
            }
        ));
        assert!(ScoreSet::new(Vec::new()).is_err());
    }

    #[test]
    fn negative_zero_equals_zero() {
        let samples = vec![
            ScoredSample::bona_fide(-0.0),
            ScoredSample::attack(0.0, "print"),
        ];
        assert_eq!(ScoreSet::new(samples).unwrap().sweep().auc(), 0.5);
    }

    #[test]
    fn counts_subjects_only_when_all_are_known() {
        let known = |score: f64| ScoredSample::attack(score, "print").with_subject("p1");
        let all = vec![
            known(0.1),
            known(0.2),
            ScoredSample::bona_fide(0.9).with_subject("p2"),
        ];
        assert_eq!(ScoreSet::new(all).unwrap().subject_count(), Some(2));
        let some = vec![known(0.1), ScoredSample::bona_fide(0.9)];
        assert_eq!(ScoreSet::new(some).unwrap().subject_count(), None);
    }
}
