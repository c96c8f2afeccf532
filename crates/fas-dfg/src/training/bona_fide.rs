//! Bona fide faces, and nothing else, reach the training of the De-spoofing Face Generator (AG-FAS,
//! section 3.2): its picture of "normal" is what makes an attack stand out.

use fas_data::{AdmittedSamples, Sample, TrainingPurpose};
use image::RgbImage;
use std::path::Path;

use crate::{DespoofingGenerator, DfgError, FaceCodes};

/// Samples that the leakage guard admitted for a generator and that are all bona fide.
#[derive(Debug, Clone)]
pub struct BonaFideSamples(Vec<Sample>);

impl BonaFideSamples {
    /// Checks every sample.
    ///
    /// # Errors
    ///
    /// [`DfgError::Data`] if the samples were admitted for something else,
    /// [`DfgError::AttackInTraining`] if one is an attack.
    pub fn new(pool: &AdmittedSamples) -> Result<Self, DfgError> {
        let samples = pool.for_purpose(TrainingPurpose::Generator)?;
        let mut attacks = samples
            .iter()
            .filter_map(|sample| Some((sample, sample.label.species()?)));
        if let Some((sample, species)) = attacks.next() {
            return Err(DfgError::AttackInTraining {
                id: sample.id.clone(),
                species: species.to_string(),
                count: 1 + attacks.count(),
            });
        }
        Ok(Self(samples.to_vec()))
    }

    /// The samples.
    pub fn samples(&self) -> &[Sample] {
        &self.0
    }
}

/// Latents and tokens of bona fide faces: all that a generator's training sees.
#[derive(Debug, Clone)]
pub struct BonaFideCodes(FaceCodes);

impl BonaFideCodes {
    /// Encodes the faces, or reads them from `cache`; see [`FaceCodes::compute`]. `load` gives the
    /// picture of a sample.
    ///
    /// # Errors
    ///
    /// As [`FaceCodes::compute`].
    pub fn compute(
        generator: &DespoofingGenerator,
        samples: &BonaFideSamples,
        mut load: impl FnMut(&Sample) -> Result<RgbImage, DfgError>,
        cache: &Path,
        done: impl FnMut(usize),
    ) -> Result<Self, DfgError> {
        let list = samples.samples();
        let load = |index: usize| load(&list[index]);
        FaceCodes::compute(generator, list.len(), load, cache, done).map(Self)
    }

    /// The codes.
    pub fn codes(&self) -> &FaceCodes {
        &self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use fas_data::{Label, LeakageGuard, PaiSpecies, Protocol, Split};

    fn sample(id: &str, label: Label) -> Sample {
        Sample {
            id: id.to_owned(),
            path: format!("{id}.png").into(),
            label,
            domain: "C".to_owned(),
            split: Split::Train,
            subject: id.to_owned(),
            video: None,
            style: String::new(),
            synthetic: false,
            quality_score: None,
            presenter: None,
            crop: None,
        }
    }

    fn admit(purpose: TrainingPurpose, samples: Vec<Sample>) -> AdmittedSamples {
        LeakageGuard::new(&Protocol::intra("C"))
            .admit(purpose, samples)
            .unwrap()
    }

    #[test]
    fn an_attack_is_refused_by_name() {
        let pool = admit(
            TrainingPurpose::Generator,
            vec![
                sample("a", Label::BonaFide),
                sample("b", Label::Attack(PaiSpecies::Replay)),
                sample("c", Label::Attack(PaiSpecies::Print)),
            ],
        );
        let error = BonaFideSamples::new(&pool).unwrap_err();
        let text = error.to_string();
        assert!(
            matches!(error, DfgError::AttackInTraining { count: 2, .. }),
            "{text}"
        );
        assert!(
            text.contains("sample b") && text.contains("replay"),
            "{text}"
        );
    }

    #[test]
    fn bona_fide_samples_pass_for_a_generator_only() {
        let samples = vec![sample("a", Label::BonaFide)];
        let pool = admit(TrainingPurpose::Generator, samples.clone());
        assert_eq!(BonaFideSamples::new(&pool).unwrap().samples().len(), 1);
        let other = admit(TrainingPurpose::Classifier, samples);
        assert!(matches!(
            BonaFideSamples::new(&other),
            Err(DfgError::Data(_))
        ));
    }
}
