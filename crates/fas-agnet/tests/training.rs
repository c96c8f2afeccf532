//! AG-Net under the trainer of `fas-classify`: what it is for, a cue that tells what the face does not.

use burn::tensor::Device;
use fas_agnet::{AgNetConfig, CueEncoderConfig, VitConfig};
use fas_classify::loss::ObjectiveConfig;
use fas_classify::training::{
    AugmentationConfig, ClassifierTrainingConfig, TrainingSet, score_images, train_classifier,
};
use fas_classify::{Backbone, Classifier};
use fas_data::{Label, LeakageGuard, PaiSpecies, Protocol, Sample, Split, TrainingPurpose};

const SIZE: usize = 16;

/// Sixteen samples, every other one an attack. Faces are the same in both classes; the cue of an attack
/// has stripes.
fn set() -> (TrainingSet, Vec<usize>) {
    let plane = SIZE * SIZE;
    let classes: Vec<usize> = (0..16).map(|index| index % 2).collect();
    let samples = classes.iter().enumerate().map(|(index, &class)| Sample {
        id: index.to_string(),
        path: format!("{index}.png").into(),
        label: [Label::BonaFide, Label::Attack(PaiSpecies::Print)][class],
        domain: "C".to_owned(),
        split: Split::Train,
        subject: index.to_string(),
        video: None,
        style: format!("C/{class}"),
        synthetic: false,
        quality_score: Some(20.0 + index as f64),
        presenter: None,
        crop: None,
    });
    let images = classes
        .iter()
        .enumerate()
        .map(|(index, &class)| {
            let noise = |at: usize| ((at * 31 + index * 17) % 13) as f32 / 13.0 - 0.5;
            let face = (0..3 * plane).map(|at| 0.3 * noise(at));
            let cue = (0..3 * plane).map(|at| {
                let stripe = if class == 1 && at % 4 < 2 { 1.5 } else { 0.0 };
                noise(7 * at) + stripe
            });
            face.chain(cue).collect()
        })
        .collect();
    let admitted = LeakageGuard::new(&Protocol::intra("C"))
        .admit(TrainingPurpose::Classifier, samples.collect())
        .unwrap();
    let set = TrainingSet::new(&admitted, images, SIZE, classes.clone()).unwrap();
    (set, classes)
}

fn vit() -> VitConfig {
    VitConfig::face64()
        .with_image_size(SIZE)
        .with_patch_size(8)
        .with_width(32)
        .with_depth(2)
        .with_num_heads(2)
        .with_mlp_width(64)
}

fn accuracy<B: Backbone>(backbone: B, objective: ObjectiveConfig) -> f64 {
    let device = Device::default();
    let (set, classes) = set();
    let classifier = Classifier::with_backbone(backbone, [2, 1], 30.0, &device);
    let config = ClassifierTrainingConfig::new(objective, 60)
        .with_batch_size(16)
        .with_augmentation(AugmentationConfig::new().with_max_shift(0));
    let trained = train_classifier(classifier, &set, &config, &device, |_| {}).unwrap();
    let images: Vec<Vec<f32>> = (0..set.len()).map(|sample| set.planes(sample)).collect();
    let scores = score_images(&trained, &images, SIZE, 16, &device);
    let right = scores
        .iter()
        .zip(classes)
        .filter(|(score, class)| (**score > 0.5) == (*class == 0));
    right.count() as f64 / 16.0
}

#[test]
fn every_loss_trains_it_to_read_the_cue() {
    let device = Device::default();
    let encoder = CueEncoderConfig::Stem {
        widths: vec![8, 16],
    };
    for objective in [
        ObjectiveConfig::cross_entropy(),
        ObjectiveConfig::relative_quality(),
        ObjectiveConfig::ssdg(),
    ] {
        let network = AgNetConfig::new(vit(), encoder.clone()).init(&device);
        assert_eq!(accuracy(network, objective.clone()), 1.0, "{objective}");
    }
}
