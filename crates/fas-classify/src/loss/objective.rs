//! The objective of a training: one classification loss, and the terms of SSDG and PatchNet beside it.
//!
//! `L = L_cls + l_t L_triplet + l_a L_adversarial + l_s L_similarity`. DiffFAS, Fig. 11, puts the RQ
//! loss on top of SSDG and PatchNet and gives no equation: here RQ takes the place of their
//! classification loss (SSDG's cross-entropy, PatchNet's asymmetric softmax, whose fixed margin RQ's
//! `omega` generalises), and their other terms stay.

use burn::config::Config;
use burn::tensor::Tensor;

use crate::ClassifierOutput;

use super::{
    AsymmetricSoftmaxLossConfig, AsymmetricTripletLoss, AsymmetricTripletLossConfig,
    ClassifierLoss, DomainDiscriminator, FocalLossConfig, RelativeQualityLossConfig,
    SingleSideAdversarialConfig, Targets, ssdg_embedding,
};

/// What a training minimises.
#[derive(Config, Debug)]
pub struct ObjectiveConfig {
    /// Classification loss.
    pub classification: ClassifierLoss,
    /// Asymmetric triplet loss over embeddings. Default: none
    #[config(default = "None")]
    pub triplet: Option<AsymmetricTripletLossConfig>,
    /// Single-side adversarial loss over embeddings. Default: none
    #[config(default = "None")]
    pub adversarial: Option<SingleSideAdversarialConfig>,
    /// Weight of the similarity of two views of each image. With it every image is seen twice, under
    /// two augmentations. Default: none
    #[config(default = "None")]
    pub similarity_weight: Option<f64>,
}

impl From<ClassifierLoss> for ObjectiveConfig {
    fn from(classification: ClassifierLoss) -> Self {
        Self::new(classification)
    }
}

impl ObjectiveConfig {
    /// Cross-entropy over cosines times 30.
    pub fn cross_entropy() -> Self {
        Self::new(ClassifierLoss::CrossEntropy { scale: 30.0 })
    }

    /// Focal loss.
    pub fn focal() -> Self {
        Self::new(ClassifierLoss::Focal(FocalLossConfig::new()))
    }

    /// Asymmetric softmax alone (DiffFAS, Table 5).
    pub fn asymmetric_softmax() -> Self {
        Self::new(ClassifierLoss::AsymmetricSoftmax(
            AsymmetricSoftmaxLossConfig::new(),
        ))
    }

    /// Cross-entropy and the single-side triplet loss (DiffFAS, Table 5).
    pub fn single_side_triplet() -> Self {
        Self::cross_entropy().with_triplet(Some(AsymmetricTripletLossConfig::new()))
    }

    /// RQ loss (DiffFAS).
    pub fn relative_quality() -> Self {
        Self::new(ClassifierLoss::RelativeQuality(
            RelativeQualityLossConfig::new(),
        ))
    }

    /// SSDG: cross-entropy, triplet and adversarial loss. Its own head has the scale 1
    /// ([`HeadConfig::Ssdg`](crate::HeadConfig)); here the cosine head is taken.
    pub fn ssdg() -> Self {
        Self::single_side_triplet().with_adversarial(Some(SingleSideAdversarialConfig::new()))
    }

    /// SSDG as released, for [`HeadConfig::Ssdg`](crate::HeadConfig): two classes, logits without a
    /// scale.
    pub fn ssdg_released() -> Self {
        let mut objective = Self::ssdg();
        objective.classification = ClassifierLoss::CrossEntropy { scale: 1.0 };
        objective
    }

    /// PatchNet: asymmetric softmax, and the similarity of two patches of an image.
    pub fn patchnet() -> Self {
        Self::asymmetric_softmax().with_similarity_weight(Some(1.0))
    }

    /// The same terms with the RQ loss as classification loss, at the scale of the one it replaces.
    #[must_use]
    pub fn on_relative_quality(mut self) -> Self {
        let scale = self.classification.scale();
        self.classification =
            ClassifierLoss::RelativeQuality(RelativeQualityLossConfig::new().with_scale(scale));
        self
    }

    /// Name in tables, for instance `SSDG + RQ`.
    pub fn name(&self) -> String {
        let is_rq = matches!(self.classification, ClassifierLoss::RelativeQuality(_));
        let method = match (&self.triplet, &self.adversarial, &self.similarity_weight) {
            (None, None, None) => return self.classification.name().to_owned(),
            (Some(_), None, None) => "single-side triplet",
            (None, Some(_), None) => "single-side adversarial",
            (Some(_), Some(_), None) => "SSDG",
            (None, None, Some(_)) => "PatchNet",
            _ => "SSDG + PatchNet",
        };
        if is_rq {
            format!("{method} + RQ")
        } else {
            method.to_owned()
        }
    }

    /// All terms of a batch. The similarity term is the caller's, who has both views.
    ///
    /// The embeddings are those of the head, or else the [`ssdg_embedding`] of the features.
    ///
    /// # Panics
    ///
    /// Panics if a slice is not of length `batch_size`, or if the adversarial loss is asked for and
    /// there is no adversary.
    pub fn forward(
        &self,
        output: ClassifierOutput,
        targets: Targets<'_>,
        adversary: Option<Adversary<'_>>,
    ) -> ObjectiveTerms {
        let ClassifierOutput {
            features,
            cosines,
            embeddings,
        } = output;
        let classification = self
            .classification
            .forward(&features, cosines, targets)
            .mean();
        let needed = self.triplet.is_some() || self.adversarial.is_some();
        let embeddings = needed.then(|| embeddings.unwrap_or_else(|| ssdg_embedding(features)));
        let mut terms = ObjectiveTerms {
            total: classification.clone(),
            classification,
            triplet: None,
            adversarial: None,
            similarity: None,
        };
        if let (Some(config), Some(embeddings)) = (&self.triplet, &embeddings) {
            let labels = AsymmetricTripletLoss::labels(targets.is_bona_fide, targets.domains);
            let loss = config.init().forward(embeddings.clone(), &labels).loss;
            terms.total = terms.total + loss.clone() * config.weight;
            terms.triplet = Some(loss);
        }
        if let (Some(config), Some(embeddings)) = (&self.adversarial, embeddings) {
            let adversary = adversary.expect("an adversarial loss has an adversary");
            let loss = adversary.discriminator.loss(
                embeddings,
                targets.is_bona_fide,
                targets.domains,
                config.coefficient(adversary.step),
                adversary.dropout_mask,
            );
            if let Some(loss) = &loss {
                terms.total = terms.total + loss.clone() * config.weight;
            }
            terms.adversarial = loss;
        }
        terms
    }
}

/// What the adversarial loss needs beside the batch.
#[derive(Debug)]
pub struct Adversary<'a> {
    /// Tells domains apart, as many as there are in the targets.
    pub discriminator: &'a DomainDiscriminator,
    /// Dropout of its hidden layer, `[batch_size, hidden]`.
    pub dropout_mask: Option<Tensor<2>>,
    /// Number of the step, which sets the strength of the gradient's reversal.
    pub step: usize,
}

/// Terms of the objective of one batch, each `[1]` and without its weight.
#[derive(Debug, Clone)]
pub struct ObjectiveTerms {
    /// Weighted sum: what is minimised.
    pub total: Tensor<1>,
    /// Mean of the classification loss.
    pub classification: Tensor<1>,
    /// Triplet loss, if asked for.
    pub triplet: Option<Tensor<1>>,
    /// Adversarial loss, if asked for and if the batch has bona fide samples.
    pub adversarial: Option<Tensor<1>>,
    /// Similarity of two views, if asked for.
    pub similarity: Option<Tensor<1>>,
}

impl ObjectiveTerms {
    /// The same terms with a similarity term of this weight.
    #[must_use]
    pub fn with_similarity(mut self, loss: Tensor<1>, weight: f64) -> Self {
        self.total = self.total + loss.clone() * weight;
        self.similarity = Some(loss);
        self
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Device;

    fn targets() -> Targets<'static> {
        Targets {
            classes: &[0, 1, 2],
            is_bona_fide: &[true, true, false],
            quality: &[Some(10.0), Some(30.0), None],
            domains: &[0, 1, 1],
        }
    }

    #[test]
    fn relative_quality_takes_the_place_of_the_classification_loss() {
        let device = Device::default();
        let features = Tensor::<2>::from_data([[1.0, 2.0], [0.5, -1.0], [3.0, 0.1]], &device);
        let cosines =
            Tensor::<2>::from_data([[0.9, 0.1, 0.0], [0.2, 0.3, 0.4], [0.0, 0.1, 0.8]], &device);
        let value = |tensor: &Tensor<1>| tensor.clone().into_scalar::<f32>();
        let run = |objective: &ObjectiveConfig| {
            device.seed(3);
            let discriminator = SingleSideAdversarialConfig::new().init(2, 2, &device);
            let output = ClassifierOutput {
                features: features.clone(),
                cosines: cosines.clone(),
                embeddings: None,
            };
            let adversary = Adversary {
                discriminator: &discriminator,
                dropout_mask: None,
                step: 100,
            };
            objective.forward(output, targets(), Some(adversary))
        };
        let ssdg = ObjectiveConfig::ssdg();
        let joined = ssdg.clone().on_relative_quality();
        assert_eq!(ssdg.name(), "SSDG");
        assert_eq!(joined.name(), "SSDG + RQ");
        assert_eq!(
            ObjectiveConfig::patchnet().on_relative_quality().name(),
            "PatchNet + RQ"
        );
        let (plain, joined) = (run(&ssdg), run(&joined));
        let rq = run(&ObjectiveConfig::relative_quality());
        assert_eq!(value(&joined.classification), value(&rq.total));
        assert_ne!(value(&joined.classification), value(&plain.classification));
        let terms = |t: &ObjectiveTerms| {
            (
                value(t.triplet.as_ref().unwrap()),
                value(t.adversarial.as_ref().unwrap()),
            )
        };
        assert_eq!(terms(&plain), terms(&joined));
        let (triplet, adversarial) = terms(&joined);
        let expected = value(&joined.classification) + triplet + 0.5 * adversarial;
        assert!((value(&joined.total) - expected).abs() < 1e-5);
    }

    #[test]
    fn similarity_is_added_with_its_weight() {
        let device = Device::default();
        let one = Tensor::<1>::from_data([1.0], &device);
        let terms = ObjectiveTerms {
            total: one.clone(),
            classification: one.clone(),
            triplet: None,
            adversarial: None,
            similarity: None,
        };
        let total = terms.with_similarity(one * 3.0, 0.5).total;
        assert_eq!(total.into_scalar::<f32>(), 2.5);
    }
}
