//! The classifier: backbone, cosine head, and the score (DiffFAS, section 3.4).

use std::collections::HashMap;
use std::path::Path;

use burn::config::Config;
use burn::module::Module;
use burn::tensor::activation::softmax;
use burn::tensor::{Device, Tensor};
use fas_kernels::lay_out_convolutions;
use fas_weights::{StoredFloat, load_module, save_module};

use crate::{Backbone, BackboneConfig, ClassifyError, FaceBackbone, Head, HeadConfig, InputRange};

/// Configuration to create a [`Classifier`] with [`init`](ClassifierConfig::init).
#[derive(Config, Debug)]
pub struct ClassifierConfig {
    /// Backbone.
    pub backbone: BackboneConfig,
    /// Number of style labels; the bona fide ones come first.
    pub num_classes: usize,
    /// How many of them are bona fide.
    pub num_bona_fide_classes: usize,
    /// Scale of the cosines at inference: that of the training loss. Default: 30
    #[config(default = 30.0)]
    pub scale: f64,
    /// Head. Default: cosines
    #[config(default = "HeadConfig::Cosine")]
    pub head: HeadConfig,
    /// What the backbone wants its input to be. Default: `[-1, 1]`
    #[config(default = "InputRange::Symmetric")]
    pub input: InputRange,
}

impl ClassifierConfig {
    /// Initializes the classifier on `device`.
    ///
    /// # Panics
    ///
    /// Panics unless both bona fide and attack classes exist.
    pub fn init(&self, device: &Device) -> Classifier {
        let classes = [self.num_classes, self.num_bona_fide_classes];
        let backbone = self.backbone.init(device);
        Classifier::with_head(backbone, &self.head, classes, self.scale, device)
            .with_input(self.input)
    }

    /// [`init`](Self::init) with weights that depend on `seed` alone, all of them drawn at once.
    ///
    /// They come from the one generator of the process: call it from one thread at a time.
    ///
    /// # Panics
    ///
    /// As [`init`](Self::init).
    pub fn init_seeded(&self, seed: u64, device: &Device) -> Classifier {
        device.seed(seed);
        let classifier = self.init(device);
        // Weights are drawn when they are first read: here, and not later in some other thread.
        let record = classifier.clone().into_record();
        classifier.load_record(record)
    }
}

/// Backbone and head.
#[derive(Module, Debug)]
pub struct Classifier<B: Backbone = FaceBackbone> {
    backbone: B,
    head: Head,
    #[module(skip)]
    input: InputRange,
    num_bona_fide_classes: usize,
    scale: f64,
}

/// What a classifier makes of a batch before any loss or softmax.
#[derive(Debug, Clone)]
pub struct ClassifierOutput {
    /// `[batch_size, feature_length]`, not normalised.
    pub features: Tensor<2>,
    /// `[batch_size, num_classes]`: cosines in `[-1, 1]`, or the logits of SSDG's head.
    pub cosines: Tensor<2>,
    /// `[batch_size, embedding_length]`, where the head makes an embedding of its own.
    pub embeddings: Option<Tensor<2>>,
}

impl<B: Backbone> Classifier<B> {
    /// A classifier over any backbone, with a new cosine head for `num_classes` style labels, of which
    /// the first `num_bona_fide_classes` are bona fide; `scale` is that of [`ClassifierConfig::scale`].
    ///
    /// # Panics
    ///
    /// Panics unless both bona fide and attack classes exist.
    pub fn with_backbone(backbone: B, classes: [usize; 2], scale: f64, device: &Device) -> Self {
        Self::with_head(backbone, &HeadConfig::Cosine, classes, scale, device)
    }

    /// [`with_backbone`](Self::with_backbone) under any head.
    ///
    /// # Panics
    ///
    /// As [`with_backbone`](Self::with_backbone).
    pub fn with_head(
        backbone: B,
        head: &HeadConfig,
        [num_classes, num_bona_fide_classes]: [usize; 2],
        scale: f64,
        device: &Device,
    ) -> Self {
        assert!(
            (1..num_classes).contains(&num_bona_fide_classes),
            "{num_bona_fide_classes} bona fide classes of {num_classes}",
        );
        Self {
            head: head.init(backbone.feature_length(), num_classes, device),
            backbone,
            input: InputRange::Symmetric,
            num_bona_fide_classes,
            scale,
        }
    }

    /// The same classifier for a backbone that wants its face planes in another range.
    #[must_use]
    pub fn with_input(mut self, input: InputRange) -> Self {
        self.input = input;
        self
    }

    /// The same classifier with another backbone of the same kind, for instance one with imported
    /// weights.
    #[must_use]
    pub fn replace_backbone(mut self, replace: impl FnOnce(B) -> B) -> Self {
        self.backbone = replace(self.backbone);
        self
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
        self.backbone.forward(self.input.apply(images))
    }

    /// Features, cosines and, for SSDG's head, embeddings.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, channels, height, width]`, face planes in `[-1, 1]`
    /// - dropout_mask: `[batch_size, embedding_length]`, for SSDG's head in training
    pub fn forward(&self, images: Tensor<4>, dropout_mask: Option<Tensor<2>>) -> ClassifierOutput {
        let features = self.features(images);
        let (cosines, embeddings) = self.head.forward(features.clone(), dropout_mask);
        ClassifierOutput {
            features,
            cosines,
            embeddings,
        }
    }

    /// Cosines of all style classes (or the logits of SSDG's head): what the losses take.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, channels, height, width]`, face planes in `[-1, 1]`
    /// - output: `[batch_size, num_classes]`, in `[-1, 1]`
    pub fn cosines(&self, images: Tensor<4>) -> Tensor<2> {
        self.forward(images, None).cosines
    }

    /// Softmax mass of each style class, without margins.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, channels, height, width]`, face planes in `[-1, 1]`
    /// - output: `[batch_size, num_classes]`, rows of sum 1
    pub fn class_mass(&self, images: Tensor<4>) -> Tensor<2> {
        softmax(self.cosines(images) * self.scale, 1)
    }

    /// Liveness score: softmax mass of the bona fide classes, without margins. Higher is more bona fide.
    ///
    /// # Shapes
    ///
    /// - images: `[batch_size, channels, height, width]`, face planes in `[-1, 1]`
    /// - output: `[batch_size]`, in `[0, 1]`
    pub fn score(&self, images: Tensor<4>) -> Tensor<1> {
        let mass = self.class_mass(images);
        let batch_size = mass.dims()[0];
        mass.narrow(1, 0, self.num_bona_fide_classes)
            .sum_dim(1)
            .reshape([batch_size])
    }

    /// Length of a feature vector.
    pub fn feature_length(&self) -> usize {
        self.backbone.feature_length()
    }

    /// Length of the embedding that SSDG's head makes, `None` for another head.
    pub fn embedding_length(&self) -> Option<usize> {
        match &self.head {
            Head::Cosine(_) => None,
            Head::Ssdg(head) => Some(head.embedding_length()),
        }
    }

    /// The same classifier with what SSDG normalises before every pass normalised again; other heads
    /// are unchanged.
    #[must_use]
    pub fn renormalised(mut self) -> Self {
        if let Head::Ssdg(head) = self.head {
            self.head = Head::Ssdg(head.renormalised());
        }
        self
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
        let (loaded, card) = load_module(self, path)?;
        Ok((lay_out_convolutions(loaded), card))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{MobileVitConfig, ResNetConfig, SsdgHeadConfig};

    fn tiny(device: &Device) -> Classifier {
        ClassifierConfig::new(ResNetConfig::small(4).into(), 5, 2).init(device)
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
    fn every_choice_of_backbone_and_head_scores_and_comes_back() {
        let device = Device::default();
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("classifier.safetensors");
        let images =
            Tensor::<4>::random([2, 3, 64, 64], burn::tensor::Distribution::Default, &device);
        for backbone in [ResNetConfig::small(4).into(), MobileVitConfig::xxs().into()] {
            for head in [HeadConfig::Cosine, HeadConfig::Ssdg(SsdgHeadConfig::new())] {
                let config = ClassifierConfig::new(BackboneConfig::clone(&backbone), 3, 1)
                    .with_head(head)
                    .with_input(InputRange::ImageNet);
                let classifier = config.init(&device);
                let mass = classifier.class_mass(images.clone()).sum_dim(1).into_data();
                assert!(mass.iter::<f32>().all(|sum| (sum - 1.0).abs() < 1e-5));
                classifier
                    .save(&path, StoredFloat::F32, &HashMap::new())
                    .unwrap();
                let (loaded, _) = config.init(&device).load(&path).unwrap();
                assert_eq!(
                    classifier.score(images.clone()).into_data(),
                    loaded.score(images.clone()).into_data()
                );
            }
        }
    }

    #[test]
    fn a_seed_fixes_the_weights() {
        let device = Device::default();
        let config = ClassifierConfig::new(ResNetConfig::small(4).into(), 5, 2);
        let weights = |seed| {
            let classifier = config.init_seeded(seed, &device);
            fas_weights::module_bytes(&classifier, StoredFloat::F32, &HashMap::new())
        };
        assert!(weights(1) != weights(2));
    }

    #[test]
    #[should_panic(expected = "0 bona fide classes of 5")]
    fn a_head_without_bona_fide_classes_is_rejected() {
        ClassifierConfig::new(ResNetConfig::small(4).into(), 5, 0).init(&Device::default());
    }
}
