//! The classifier: backbone, cosine head, and the score (DiffFAS, section 3.4).

use std::collections::HashMap;
use std::path::Path;

use burn::config::Config;
use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use fas_weights::{StoredFloat, load_module, save_module};

use crate::{Backbone, ClassifyError, CosineHead, CosineHeadConfig, ResNet, ResNetConfig};

/// Configuration to create a [`Classifier`] with [`init`](ClassifierConfig::init).
#[derive(Config, Debug)]
pub struct ClassifierConfig {
    /// Backbone.
    pub backbone: ResNetConfig,
    /// Number of style labels; the bona fide ones come first.
    pub num_classes: usize,
    /// How many of them are bona fide.
    pub num_bona_fide_classes: usize,
    /// Scale of the cosines at inference: that of the training loss. Default: 30
    #[config(default = 30.0)]
    pub scale: f64,
}

impl ClassifierConfig {
    /// Initializes the classifier on `device`.
    ///
    /// # Panics
    ///
    /// Panics unless both bona fide and attack classes exist.
    pub fn init(&self, device: &Device) -> Classifier {
        let classes = [self.num_classes, self.num_bona_fide_classes];
        Classifier::with_backbone(self.backbone.init(device), classes, self.scale, device)
    }
}

/// Backbone and cosine head.
#[derive(Module, Debug)]
pub struct Classifier<B: Backbone = ResNet> {
    backbone: B,
    head: CosineHead,
    num_bona_fide_classes: usize,
    scale: f64,
}

impl<B: Backbone> Classifier<B> {
    /// A classifier over any backbone, with a new head for `num_classes` style labels, of which the
    /// first `num_bona_fide_classes` are bona fide; `scale` is that of [`ClassifierConfig::scale`].
    ///
    /// # Panics
    ///
    /// Panics unless both bona fide and attack classes exist.
    pub fn with_backbone(
        backbone: B,
        [num_classes, num_bona_fide_classes]: [usize; 2],
        scale: f64,
        device: &Device,
    ) -> Self {
        assert!(
            (1..num_classes).contains(&num_bona_fide_classes),
            "{num_bona_fide_classes} bona fide classes of {num_classes}",
        );
        Self {
            head: CosineHeadConfig::new(backbone.feature_length(), num_classes).init(device),
            backbone,
            num_bona_fide_classes,
            scale,
        }
    }

    /// The network below the head.
    pub fn backbone(&self) -> &B {
        &self.backbone
    }

    /// Planes of an image.
    pub fn channels(&self) -> usize {
        self.backbone.channels()
    }

    /// Number of style labels; the bona fide ones come first.
    pub fn num_classes(&self) -> usize {
        self.head.num_classes()
    }

    /// How many of them are bona fide.
    pub fn num_bona_fide_classes(&self) -> usize {
        self.num_bona_fide_classes
    }

    /// Feature vectors.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, channels, height, width]`, face planes in `[-1, 1]`
    /// - output: `[batch_size, feature_length]`
    pub fn features(&self, images: Tensor<4>) -> Tensor<2> {
        self.backbone.forward(images)
    }

    /// Cosines of all style classes: what the losses take.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, channels, height, width]`, face planes in `[-1, 1]`
    /// - output: `[batch_size, num_classes]`, in `[-1, 1]`
    pub fn cosines(&self, images: Tensor<4>) -> Tensor<2> {
        self.head.forward(self.features(images))
    }

    /// Liveness score: softmax mass of the bona fide classes, without margins. Higher is more bona fide.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, channels, height, width]`, face planes in `[-1, 1]`
    /// - output: `[batch_size]`, in `[0, 1]`
    pub fn score(&self, images: Tensor<4>) -> Tensor<1> {
        let mass = softmax(self.cosines(images) * self.scale, 1);
        let batch_size = mass.dims()[0];
        mass.narrow(1, 0, self.num_bona_fide_classes)
            .sum_dim(1)
            .reshape([batch_size])
    }

    /// Writes the weights atomically, with a `card` in the header.
    ///
    /// # Errors
    ///
    /// [`ClassifyError::Weights`] if the file cannot be written.
    pub fn save(
        &self,
        path: &Path,
        stored: StoredFloat,
        card: &HashMap<String, String>,
    ) -> Result<(), ClassifyError> {
        Ok(save_module(self, path, stored, card)?)
    }

    /// Reads weights that [`save`](Self::save) wrote, and the card.
    ///
    /// # Errors
    ///
    /// [`ClassifyError::Weights`] if the file is unreadable or of another configuration.
    pub fn load(self, path: &Path) -> Result<(Self, HashMap<String, String>), ClassifyError> {
        Ok(load_module(self, path)?)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tiny(device: &Device) -> Classifier {
        ClassifierConfig::new(ResNetConfig::small(4), 5, 2).init(device)
    }

    #[test]
    fn the_score_is_the_mass_of_the_bona_fide_classes() {
        let device = Device::default();
        let classifier = tiny(&device);
        let images =
            Tensor::<4>::random([3, 3, 32, 32], burn::tensor::Distribution::Default, &device);
        let cosines: Vec<f32> = classifier
            .cosines(images.clone())
            .into_data()
            .try_to_vec()
            .unwrap();
        let scores: Vec<f32> = classifier.score(images).into_data().try_to_vec().unwrap();
        for (row, score) in cosines.chunks(5).zip(scores) {
            let mass: Vec<f32> = row.iter().map(|c| (30.0 * c).exp()).collect();
            let expected = (mass[0] + mass[1]) / mass.iter().sum::<f32>();
            assert!((score - expected).abs() < 1e-5, "{score} {expected}");
        }
    }

    #[test]
    fn weights_come_back() {
        let device = Device::default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("classifier.safetensors");
        let classifier = tiny(&device);
        classifier
            .save(&path, StoredFloat::F32, &HashMap::new())
            .unwrap();
        let (loaded, _) = tiny(&device).load(&path).unwrap();
        let images = Tensor::<4>::ones([1, 3, 32, 32], &device);
        assert_eq!(
            classifier.score(images.clone()).into_data(),
            loaded.score(images).into_data()
        );
    }

    #[test]
    #[should_panic(expected = "0 bona fide classes of 5")]
    fn a_head_without_bona_fide_classes_is_rejected() {
        ClassifierConfig::new(ResNetConfig::small(4), 5, 0).init(&Device::default());
    }
}
