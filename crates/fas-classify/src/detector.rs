//! A trained detector as one file: weights, and all that is needed to use them and to judge them.
//!
//! The header of the safetensors file holds a [`DetectorCard`] beside the free text of the model card, so
//! a decision always names the threshold it was made by, and where that came from.

use std::collections::HashMap;
use std::path::Path;

use burn::config::Config;
use burn::tensor::{Device, Tensor};
use fas_weights::{StoredFloat, Weights, read_weights};

use crate::{Classifier, ClassifierConfig, ClassifyError};

/// Key of the card in the header of a weight file.
const CARD: &str = "detector";

/// What a detector is, apart from its weights.
#[derive(Config, Debug)]
pub struct DetectorCard {
    /// Network.
    pub classifier: ClassifierConfig,
    /// Names of the style classes.
    pub class_names: Vec<String>,
    /// Side of the square pictures it was trained on, in pixels.
    pub image_size: usize,
    /// Score from which on a picture is accepted as bona fide.
    pub threshold: f64,
    /// Where the threshold comes from, for instance `source-eer`.
    pub threshold_policy: String,
}

/// What a detector says of a picture.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// Softmax mass of the bona fide classes, in `[0, 1]`; higher is more bona fide.
    pub score: f64,
    /// Softmax mass of each class, in the order of [`DetectorCard::class_names`].
    pub class_mass: Vec<f64>,
}

/// A trained classifier with its card.
#[derive(Debug, Clone)]
pub struct Detector {
    classifier: Classifier,
    card: DetectorCard,
    notes: HashMap<String, String>,
}

impl Detector {
    /// A detector of a classifier that was made by `card.classifier`; `notes` are the free text of its
    /// model card, such as data, licence, command and seed.
    ///
    /// # Panics
    ///
    /// Panics unless there is one name a class.
    pub fn new(classifier: Classifier, card: DetectorCard, notes: HashMap<String, String>) -> Self {
        assert_eq!(
            card.class_names.len(),
            classifier.num_classes(),
            "one name a class"
        );
        Self {
            classifier,
            card,
            notes,
        }
    }

    /// Reads a file that [`save`](Self::save) wrote.
    ///
    /// # Errors
    ///
    /// [`ClassifyError::Weights`] if the file is unreadable or damaged, [`ClassifyError::NoDetector`] if
    /// it is none of a detector.
    pub fn load(path: &Path, device: &Device) -> Result<Self, ClassifyError> {
        Self::of_weights(read_weights(path)?, path, device)
    }

    /// [`load`](Self::load) from memory; `path` is for messages.
    ///
    /// # Errors
    ///
    /// As [`load`](Self::load).
    pub fn from_bytes(bytes: &[u8], path: &Path, device: &Device) -> Result<Self, ClassifyError> {
        Self::of_weights(Weights::from_bytes(bytes, path)?, path, device)
    }

    fn of_weights(weights: Weights, path: &Path, device: &Device) -> Result<Self, ClassifyError> {
        let failed = |reason: String| ClassifyError::NoDetector {
            path: path.to_owned(),
            reason,
        };
        let mut notes = weights.metadata.clone();
        let text = notes
            .remove(CARD)
            .ok_or_else(|| failed(format!("its header has no `{CARD}`")))?;
        let card = DetectorCard::load_binary(text.as_bytes()).map_err(|e| failed(e.to_string()))?;
        let ClassifierConfig {
            num_classes,
            num_bona_fide_classes,
            ..
        } = card.classifier;
        if !(1..num_classes).contains(&num_bona_fide_classes)
            || card.class_names.len() != num_classes
            || card.image_size == 0
        {
            return Err(failed("its card contradicts itself".to_owned()));
        }
        let classifier = weights.apply(card.classifier.init(device), path)?;
        Ok(Self::new(classifier, card, notes))
    }

    /// Writes weights and card atomically.
    ///
    /// # Errors
    ///
    /// [`ClassifyError::Weights`] if the file cannot be written.
    pub fn save(&self, path: &Path, stored: StoredFloat) -> Result<(), ClassifyError> {
        let mut header = self.notes.clone();
        header.insert(CARD.to_owned(), self.card.to_string());
        self.classifier.save(path, stored, &header)
    }

    /// What it is, apart from its weights.
    pub fn card(&self) -> &DetectorCard {
        &self.card
    }

    /// Free text of its model card.
    pub fn notes(&self) -> &HashMap<String, String> {
        &self.notes
    }

    /// The network.
    pub fn classifier(&self) -> &Classifier {
        &self.classifier
    }

    /// Looks at pictures.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, 3, image_size, image_size]`, in `[-1, 1]`
    pub fn predict(&self, images: Tensor<4>) -> Vec<Prediction> {
        let mass = self.classifier.class_mass(images).into_data();
        let mass: Vec<f64> = mass.iter::<f64>().collect();
        mass.chunks(self.card.class_names.len())
            .map(|mass| Prediction {
                score: mass[..self.classifier.num_bona_fide_classes()].iter().sum(),
                class_mass: mass.to_vec(),
            })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ResNetConfig;
    use burn::tensor::Distribution;

    fn detector(device: &Device) -> Detector {
        let classifier = ClassifierConfig::new(ResNetConfig::small(4).into(), 3, 1);
        let names = ["live", "print", "replay"].map(str::to_owned).to_vec();
        let card = DetectorCard::new(classifier.clone(), names, 32, 0.37, "source-eer".to_owned());
        let notes = HashMap::from([("seed".to_owned(), "4".to_owned())]);
        Detector::new(classifier.init(device), card, notes)
    }

    #[test]
    fn a_file_has_all_that_is_needed() {
        let device = Device::default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("detector.safetensors");
        let first = detector(&device);
        first.save(&path, StoredFloat::F32).unwrap();
        let second = Detector::load(&path, &device).unwrap();
        assert_eq!(second.card().to_string(), first.card().to_string());
        assert_eq!(second.notes(), first.notes());
        let images = Tensor::<4>::random([2, 3, 32, 32], Distribution::Default, &device);
        let predictions = first.predict(images.clone());
        assert_eq!(predictions, second.predict(images.clone()));
        let scores: Vec<f64> = first
            .classifier()
            .score(images)
            .into_data()
            .iter()
            .collect();
        for (prediction, score) in predictions.iter().zip(scores) {
            assert!((prediction.score - score).abs() < 1e-6);
            assert!((prediction.class_mass.iter().sum::<f64>() - 1.0).abs() < 1e-5);
        }
    }

    #[test]
    fn other_files_are_refused() {
        let device = Device::default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("weights.safetensors");
        let first = detector(&device);
        let plain = |card: Option<String>| {
            let header = card
                .map(|card| (CARD.to_owned(), card))
                .into_iter()
                .collect();
            first
                .classifier()
                .save(&path, StoredFloat::F32, &header)
                .unwrap();
            Detector::load(&path, &device).unwrap_err().to_string()
        };
        assert!(plain(None).contains("no `detector`"));
        assert!(plain(Some("{}".to_owned())).contains("weights.safetensors"));
        let mut card = first.card().clone();
        card.class_names.pop();
        assert!(plain(Some(card.to_string())).contains("contradicts itself"));
    }
}
