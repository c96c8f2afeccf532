//! Mean of the frame scores of a video, the rule of SSDG, SSAN and bob.

use std::collections::HashMap;

use crate::MetricError;
use crate::scores::{ScoreSet, ScoredSample, Unit};

impl ScoreSet {
    /// One score a video: the mean of its frame scores. Videos come in the order of their first
    /// frames, and frames are added in the order given.
    ///
    /// # Errors
    ///
    /// [`MetricError::MissingVideo`] and [`MetricError::MixedVideo`].
    pub fn video_means(&self) -> Result<Self, MetricError> {
        let mut index_of = HashMap::<&str, usize>::new();
        let mut videos = Vec::<(ScoredSample, f64)>::new();
        for (index, sample) in self.samples().iter().enumerate() {
            let name = sample
                .video
                .as_deref()
                .ok_or(MetricError::MissingVideo { index })?;
            let at = *index_of.entry(name).or_insert(videos.len());
            match videos.get_mut(at) {
                None => videos.push((sample.clone(), 1.0)),
                Some((video, frames)) => {
                    check_same(name, video, sample)?;
                    video.score += sample.score;
                    *frames += 1.0;
                }
            }
        }
        let means = videos.into_iter().map(|(mut video, frames)| {
            video.score /= frames;
            video
        });
        let set = Self::with_unit(means.collect(), Unit::Video)?;
        Ok(set.with_non_responses(self.non_responses().clone()))
    }
}

fn check_same(name: &str, first: &ScoredSample, other: &ScoredSample) -> Result<(), MetricError> {
    let mixed = |field, first: String, other: String| {
        Err(MetricError::MixedVideo {
            video: name.to_owned(),
            field,
            first,
            other,
        })
    };
    if first.label != other.label {
        return mixed("label", first.label.to_string(), other.label.to_string());
    }
    if first.subject != other.subject {
        let text = |sample: &ScoredSample| sample.subject.clone().unwrap_or_default();
        return mixed("subject", text(first), text(other));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames() -> Vec<ScoredSample> {
        vec![
            ScoredSample::attack(0.1, "print")
                .with_video("b")
                .with_subject("p"),
            ScoredSample::bona_fide(0.5)
                .with_video("a")
                .with_subject("p"),
            ScoredSample::attack(0.4, "print")
                .with_video("b")
                .with_subject("p"),
            ScoredSample::bona_fide(1.0)
                .with_video("a")
                .with_subject("p"),
            ScoredSample::attack(0.7, "print")
                .with_video("b")
                .with_subject("p"),
        ]
    }

    #[test]
    fn averages_in_order_of_first_frames() {
        let set = ScoreSet::new(frames()).unwrap().video_means().unwrap();
        let means: Vec<_> = set
            .samples()
            .iter()
            .map(|s| (s.video.as_deref(), s.score))
            .collect();
        assert_eq!(
            means,
            [(Some("b"), (0.1 + 0.4 + 0.7) / 3.0), (Some("a"), 0.75)]
        );
        assert_eq!(set.unit(), Unit::Video);
    }

    #[test]
    fn refuses_mixed_and_nameless_videos() {
        let mut samples = frames();
        samples[4] = ScoredSample::attack(0.7, "replay")
            .with_video("b")
            .with_subject("p");
        let error = ScoreSet::new(samples)
            .unwrap()
            .video_means()
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("attack/print") && error.contains("attack/replay"),
            "{error}"
        );

        let mut samples = frames();
        samples[3].subject = Some("q".into());
        let error = ScoreSet::new(samples).unwrap().video_means().unwrap_err();
        assert!(matches!(
            error,
            MetricError::MixedVideo {
                field: "subject",
                ..
            }
        ));

        let mut samples = frames();
        samples[2].video = None;
        let error = ScoreSet::new(samples).unwrap().video_means().unwrap_err();
        assert!(matches!(error, MetricError::MissingVideo { index: 2 }));
    }
}
