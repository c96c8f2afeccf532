//! Resume, objectives and what is refused, on a set that is easy to learn.

use super::super::score_images;
use super::super::tests::{initial, score, set, wide_set};
use super::*;
use crate::loss::SingleSideAdversarialConfig;
use crate::{ClassifierConfig, HeadConfig, ResNetConfig, SsdgHeadConfig};
use fas_weights::{StoredFloat, module_bytes};

fn bytes(classifier: &Classifier) -> Vec<u8> {
    module_bytes(classifier, StoredFloat::F32, &Default::default())
}

fn ssdg_classifier() -> Classifier {
    let head = HeadConfig::Ssdg(SsdgHeadConfig::new().with_embedding_length(16));
    let config = ClassifierConfig::new(ResNetConfig::small(4).into(), 2, 1)
        .with_head(head)
        .with_scale(1.0);
    initial(&config)
}

fn small_ssdg() -> ObjectiveConfig {
    ObjectiveConfig::ssdg_released()
        .with_adversarial(Some(SingleSideAdversarialConfig::new().with_hidden(8)))
}

#[test]
fn every_objective_learns_to_separate() {
    let set = set();
    let objectives = [
        ObjectiveConfig::cross_entropy(),
        ObjectiveConfig::focal(),
        ObjectiveConfig::asymmetric_softmax(),
        ObjectiveConfig::single_side_triplet(),
        ObjectiveConfig::relative_quality(),
        ObjectiveConfig::ssdg().on_relative_quality(),
        ObjectiveConfig::patchnet().on_relative_quality(),
        small_ssdg(),
    ];
    for objective in objectives {
        let start = if matches!(
            objective.classification,
            crate::loss::ClassifierLoss::CrossEntropy { scale: 1.0 }
        ) {
            ssdg_classifier()
        } else {
            initial(&ClassifierConfig::new(ResNetConfig::small(4).into(), 2, 1))
        };
        let config = ClassifierTrainingConfig::new(objective, 60).with_batch_size(8);
        let device = Device::default();
        let mut losses = Vec::new();
        let trained = train_classifier(start, &set, &config, &device, |report| {
            losses.push(report.classification);
        })
        .unwrap();
        let name = config.objective.name();
        assert!(
            losses[50..].iter().sum::<f32>() < losses[..10].iter().sum(),
            "{name}: {losses:?}"
        );
        for (score, live) in score(&trained, &set).iter().zip(&set.is_bona_fide) {
            assert_eq!(*score > 0.5, *live, "{name}");
        }
    }
}

#[test]
fn a_resumed_run_is_bit_equal_wherever_it_was_stopped() {
    let (set, device) = (set(), Device::default());
    let cases = [
        (small_ssdg(), ssdg_classifier()),
        (
            ObjectiveConfig::patchnet().on_relative_quality(),
            initial(&ClassifierConfig::new(ResNetConfig::small(4).into(), 2, 1)),
        ),
    ];
    for (objective, start) in cases {
        for optimiser in [OptimiserConfig::sgd(), OptimiserConfig::small()] {
            let config = ClassifierTrainingConfig::new(objective.clone(), 5)
                .with_batch_size(6)
                .with_optimiser(optimiser)
                .with_augmentation(AugmentationConfig::new().with_contrast(0.2));
            let new =
                || ClassifierTrainer::new(start.clone(), &set, config.clone(), &device).unwrap();
            let folder = tempfile::tempdir().unwrap();
            let mut whole = new();
            for step in 0..5 {
                whole
                    .checkpoint(&folder.path().join(step.to_string()))
                    .unwrap();
                whole.step().unwrap();
            }
            for stopped in 0..5 {
                let path = folder.path().join(stopped.to_string());
                let mut resumed = new().resume(&path).unwrap();
                assert_eq!(resumed.steps_taken(), stopped);
                while !resumed.is_done() {
                    resumed.step().unwrap();
                }
                assert!(
                    bytes(&resumed.classifier()) == bytes(&whole.classifier()),
                    "stopped at {stopped}"
                );
            }
        }
    }
}

#[test]
fn half_written_checkpoints_are_passed_over_and_damaged_ones_named() {
    let (set, device) = (set(), Device::default());
    let start = initial(&ClassifierConfig::new(ResNetConfig::small(4).into(), 2, 1));
    let config =
        ClassifierTrainingConfig::new(ObjectiveConfig::cross_entropy(), 3).with_batch_size(4);
    let new = |config: &ClassifierTrainingConfig| {
        ClassifierTrainer::new(start.clone(), &set, config.clone(), &device).unwrap()
    };
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let mut trainer = new(&config);
    trainer.step().unwrap();
    trainer.checkpoint(&path).unwrap();

    // Killed while the next one was written.
    let partial = path.with_extension("partial");
    std::fs::create_dir(&partial).unwrap();
    std::fs::write(partial.join("networks.bpk"), b"half").unwrap();
    assert_eq!(new(&config).resume(&path).unwrap().steps_taken(), 1);
    trainer.step().unwrap();
    trainer.checkpoint(&path).unwrap();
    assert!(!partial.exists());

    // Killed between the two renames.
    std::fs::rename(&path, path.with_extension("old")).unwrap();
    let mut resumed = new(&config).resume(&path).unwrap();
    assert_eq!(resumed.steps_taken(), 2);
    resumed.step().unwrap();
    trainer.step().unwrap();
    assert!(bytes(&resumed.classifier()) == bytes(&trainer.classifier()));
    std::fs::rename(path.with_extension("old"), &path).unwrap();

    let other = config.clone().with_batch_size(5);
    let error = new(&other).resume(&path).err().unwrap().to_string();
    assert!(error.contains("another configuration"), "{error}");
    let file = path.join("networks.bpk");
    let whole = std::fs::read(&file).unwrap();
    std::fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    let error = new(&config).resume(&path).err().unwrap();
    assert!(matches!(error, ClassifyError::Checkpoint { .. }), "{error}");
}

#[test]
fn equal_starts_and_seeds_give_bit_equal_runs() {
    let (set, device) = (set(), Device::default());
    let start = ssdg_classifier();
    let run = |seed| {
        let config = ClassifierTrainingConfig::new(small_ssdg(), 6)
            .with_batch_size(8)
            .with_seed(seed);
        bytes(&train_classifier(start.clone(), &set, &config, &device, |_| {}).unwrap())
    };
    assert!(run(1) == run(1));
    assert!(run(1) != run(2));
}

/// Looks at the planes behind the face's alone.
#[derive(Module, Debug)]
struct SecondInput {
    network: FaceBackbone,
}

impl Backbone for SecondInput {
    fn channels(&self) -> usize {
        6
    }

    fn feature_length(&self) -> usize {
        self.network.feature_length()
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        self.network.forward(images.narrow(1, 3, 3))
    }
}

#[test]
fn further_planes_are_a_second_input() {
    let device = Device::default();
    let plain = set();
    // The face is the same in both classes; what tells them apart lies in the further planes.
    let wide = wide_set(|index| [vec![0.1; 3 * 32 * 32], plain.planes(index)].concat());
    let start = initial(&ClassifierConfig::new(ResNetConfig::small(4).into(), 2, 1));
    let config = ClassifierTrainingConfig::new(ObjectiveConfig::ssdg(), 80).with_batch_size(8);
    let error = train_classifier(start.clone(), &wide, &config, &device, |_| {});
    let message = error.err().unwrap().to_string();
    assert!(
        message.contains("images of 6 planes for a network that takes 3"),
        "{message}"
    );
    let network = start.backbone().clone();
    let backbone = SecondInput { network };
    let classifier = Classifier::with_backbone(backbone, [2, 1], 30.0, &device);
    let trained = train_classifier(classifier, &wide, &config, &device, |_| {}).unwrap();
    let images: Vec<Vec<f32>> = (0..16).map(|index| wide.planes(index)).collect();
    let scores = score_images(&trained, &images, 32, 8, &device);
    for (score, live) in scores.iter().zip(&wide.is_bona_fide) {
        assert_eq!(*score > 0.5, *live, "{scores:?}");
    }
}

#[test]
fn impossible_classes_are_named() {
    let device = Device::default();
    let start = initial(&ClassifierConfig::new(ResNetConfig::small(4).into(), 2, 1));
    let config = ClassifierTrainingConfig::new(ObjectiveConfig::cross_entropy(), 1);
    let error = |set: &TrainingSet| {
        ClassifierTrainer::new(start.clone(), set, config.clone(), &device)
            .err()
            .unwrap()
            .to_string()
    };
    let mut beyond = set();
    beyond.classes[3] = 9;
    assert!(error(&beyond).contains("sample 3 has class 9"));
    let mut other = set();
    other.classes[2] = 1;
    let message = error(&other);
    assert!(
        message.contains("sample 2") && message.contains("class 1"),
        "{message}"
    );
}
