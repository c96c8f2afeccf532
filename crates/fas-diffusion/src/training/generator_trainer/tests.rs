//! Steps, resume, divergence and the options of the generator's training, on a tiny network.

mod precision;

use std::f32::consts::TAU;

use super::super::TimestepFocus;
use super::*;
use crate::{GeneratorConfig, Prediction, StyleEncoderConfig, UNetConfig};
use burn::nn::LinearConfig;
use burn::tensor::DType;
use fas_data::{LeakageGuard, Protocol};

fn tiny() -> Generator {
    let device = Device::default();
    let mut unet = UNetConfig::small()
        .with_model_channels(8)
        .with_num_groups(4)
        .with_embed_channels(16);
    unet.image_size = 32;
    unet.fusion_sizes = vec![8, 4];
    let encoder = StyleEncoderConfig::small(2)
        .with_stem_channels(8)
        .with_widths(vec![8, 16, 24]);
    device.seed(11);
    GeneratorConfig::new(unet, encoder)
        .with_prediction(crate::Prediction::LiveCentred { deviation: 0.35 })
        .init(&device)
}

fn admitted() -> AdmittedSamples {
    LeakageGuard::new(&Protocol::intra("C"))
        .admit(TrainingPurpose::Generator, Vec::new())
        .unwrap()
}

fn trainer(generator: Generator, config: GeneratorTrainingConfig) -> GeneratorTrainer {
    GeneratorTrainer::new(generator, config, &admitted()).unwrap()
}

fn batch(step: usize) -> TripletBatch {
    let device = Device::default();
    let mut random = seeded(step as u64, "batch");
    let mut image = || {
        let values = normal_values(&mut random, 2 * 3 * 32 * 32);
        Tensor::<4>::from_data(TensorData::new(values, [2, 3, 32, 32]), &device).clamp(-1.0, 1.0)
    };
    TripletBatch {
        content: image(),
        target: image(),
        style: image(),
        ids: vec![format!("a{step}"), format!("b{step}")],
    }
}

fn weights(trainer: &GeneratorTrainer) -> Vec<u8> {
    let networks = trainer.averaged();
    fas_weights::module_bytes(
        networks.networks(),
        fas_weights::StoredFloat::F32,
        &Default::default(),
    )
}

#[test]
fn a_resumed_run_is_bit_equal_to_an_uninterrupted_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let config = GeneratorTrainingConfig::new(4).with_warm_up_steps(1);
    let start = tiny();
    let mut whole = trainer(start.clone(), config.clone());
    for step in 0..4 {
        whole.step(batch(step)).unwrap();
        if step == 1 {
            whole.checkpoint(&path).unwrap();
        }
    }
    let mut resumed = trainer(tiny(), config).resume(&path).unwrap();
    assert_eq!(resumed.steps_taken(), 2);
    for step in 2..4 {
        resumed.step(batch(step)).unwrap();
    }
    assert_eq!(weights(&whole), weights(&resumed));
}

#[test]
fn a_part_of_the_samples_comes_from_the_timesteps_in_focus() {
    let focus = |from, to, rate| {
        let config = GeneratorTrainingConfig::new(100).with_warm_up_steps(1);
        config.with_timestep_focus(Some(TimestepFocus { from, to, rate }))
    };
    let mut trainer = trainer(tiny(), focus(700, 702, 0.5));
    let drawn: Vec<usize> = (0..100)
        .flat_map(|step| trainer.step(batch(step)).unwrap().samples)
        .map(|(timestep, _)| timestep)
        .collect();
    let inside = drawn.iter().filter(|t| (700..702).contains(*t)).count();
    let share = inside as f64 / drawn.len() as f64;
    assert!((0.38..0.62).contains(&share), "{share}");
    for (from, to, rate) in [
        (10, 10, 0.5),
        (0, 1001, 0.5),
        (0, 10, 1.1),
        (0, 10, f64::NAN),
    ] {
        let config = focus(from, to, rate);
        let refused = GeneratorTrainer::new(tiny(), config, &admitted());
        let error = refused.err().expect("no such range");
        assert!(error.to_string().contains("1000 steps"), "{error}");
    }
}

#[test]
fn the_loss_falls_on_a_repeated_batch() {
    let config = GeneratorTrainingConfig::new(60)
        .with_warm_up_steps(1)
        .with_learning_rate(3e-3)
        .with_timestep_power(1.0);
    let mut trainer = trainer(tiny(), config);
    let losses: Vec<f32> = (0..60)
        .map(|_| trainer.step(batch(0)).unwrap().loss)
        .collect();
    let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
    assert!(
        mean(&losses[50..]) < 0.8 * mean(&losses[..10]),
        "{losses:?}"
    );
}

#[test]
fn divergence_stops_training_and_keeps_the_weights() {
    let mut trainer = trainer(tiny(), GeneratorTrainingConfig::new(4));
    let before = weights(&trainer);
    let mut poisoned = batch(0);
    poisoned.target = poisoned.target * f32::NAN;
    let error = trainer.step(poisoned).unwrap_err();
    let text = error.to_string();
    assert!(
        text.contains("the loss of step 0 is NaN, on the batch of a0, b0"),
        "{text}"
    );
    assert_eq!(before, weights(&trainer));
    // The refused batch left no trace: the next step is that of a trainer that never saw it.
    let good = trainer.step(batch(0)).unwrap();
    let untouched = self::trainer(tiny(), GeneratorTrainingConfig::new(4))
        .step(batch(0))
        .unwrap();
    assert_eq!(good.gradient_norm, untouched.gradient_norm);
    assert_eq!(good.loss, untouched.loss);
}

#[test]
fn the_norm_is_of_all_gradients_together() {
    let device = Device::default().autodiff();
    let linear = LinearConfig::new(2, 1).init(&device);
    // y = w x + b with x = (3, 4): the gradient of y is (3, 4) and 1.
    let y = linear.forward(Tensor::<2>::from_data([[3.0, 4.0]], &device));
    let gradients = GradientsParams::from_grads(y.sum().backward(), &linear);
    assert!((norm(&linear, &gradients) - 26f32.sqrt()).abs() < 1e-6);
}

#[test]
fn a_checkpoint_of_another_configuration_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let config = GeneratorTrainingConfig::new(4);
    trainer(tiny(), config.clone()).checkpoint(&path).unwrap();
    let refused = |generator: Generator, config: GeneratorTrainingConfig| {
        let error = trainer(generator, config).resume(&path).err().unwrap();
        assert!(
            matches!(error, DiffusionError::CheckpointConfiguration { .. }),
            "{error}"
        );
        error.to_string()
    };
    let text = refused(tiny(), config.clone().with_seed(9));
    assert!(
        text.contains("training.seed is 0 there and 9 here"),
        "{text}"
    );
    let other = tiny()
        .config()
        .clone()
        .with_prediction(Prediction::Velocity);
    let text = refused(other.init(&Device::default()), config.clone());
    assert!(text.contains("generator.prediction"), "{text}");
    // A damaged one is an error too, not a fresh start.
    std::fs::write(path.join("average.bpk"), b"short").unwrap();
    let error = trainer(tiny(), config).resume(&path).err().unwrap();
    assert!(
        matches!(error, DiffusionError::Checkpoint { .. }),
        "{error}"
    );
}

/// Largest difference of the averaged weights.
fn difference(one: &GeneratorTrainer, other: &GeneratorTrainer) -> f32 {
    let values = |trainer: &GeneratorTrainer| -> Vec<f32> {
        let bytes = weights(trainer);
        let header = u64::from_le_bytes(bytes[..8].try_into().unwrap()) as usize;
        bytes[8 + header..]
            .chunks_exact(4)
            .map(|b| f32::from_le_bytes(b.try_into().unwrap()))
            .collect()
    };
    let (one, other) = (values(one), values(other));
    assert_eq!(one.len(), other.len());
    one.iter()
        .zip(&other)
        .fold(0.0, |worst, (a, b)| worst.max((a - b).abs()))
}

#[test]
fn accumulated_parts_take_the_step_of_the_whole_batch() {
    let config = GeneratorTrainingConfig::new(3).with_warm_up_steps(1);
    let start = tiny();
    let mut whole = trainer(start.clone(), config.clone());
    let mut parts = trainer(start.clone(), config.clone().with_accumulation(2));
    let mut reports = Vec::new();
    for step in 0..2 {
        reports.push([
            whole.step(batch(step)).unwrap(),
            parts.step(batch(step)).unwrap(),
        ]);
    }
    for [whole, parts] in &reports {
        assert!(
            (whole.loss - parts.loss).abs() < 1e-5 * whole.loss,
            "{reports:?}"
        );
        let norms = (whole.gradient_norm - parts.gradient_norm).abs();
        assert!(norms < 1e-4 * whole.gradient_norm, "{reports:?}");
    }
    // AdamW divides by the gradient's own size: rounding of tiny ones shows, but not a missing part.
    let other = trainer(start, config);
    let (error, moved) = (difference(&whole, &parts), difference(&whole, &other));
    assert!(error < 0.05 * moved, "{error} of {moved}");
}

#[test]
fn gradient_checkpointing_changes_no_bit() {
    let config = GeneratorTrainingConfig::new(3).with_warm_up_steps(1);
    for start in [tiny(), tiny().with_live_warp()] {
        let mut kept = trainer(start.clone(), config.clone());
        let recomputing = config.clone().with_gradient_checkpointing(true);
        let mut again = trainer(start, recomputing);
        for step in 0..2 {
            kept.step(batch(step)).unwrap();
            again.step(batch(step)).unwrap();
        }
        assert!(weights(&kept) == weights(&again));
    }
}

/// Waves of a period of 12 px, drawn anew for each step, and the same turned and shrunk.
fn turned_waves(step: usize) -> TripletBatch {
    let device = Device::default();
    let mut random = seeded(step as u64, "waves");
    let phases: Vec<f32> = normal_values(&mut random, 2 * 3 * 2);
    let waves = |turn: f32, scale: f32| {
        let values: Vec<f32> = (0..2 * 3 * 32 * 32)
            .map(|at| {
                let plane = at / 1024;
                let [y, x] = [at / 32 % 32, at % 32].map(|place| place as f32 - 15.5);
                let (sin, cos) = turn.sin_cos();
                let (u, v) = (scale * (cos * x + sin * y), scale * (cos * y - sin * x));
                let wave = |along: f32, phase: f32| (TAU * (along / 12.0 + phase)).sin();
                0.5 * wave(u, phases[2 * plane]) + 0.4 * wave(v, phases[2 * plane + 1])
            })
            .collect();
        Tensor::<4>::from_data(TensorData::new(values, [2, 3, 32, 32]), &device)
    };
    TripletBatch {
        content: waves(0.0, 1.0),
        target: waves(0.12, 1.1),
        style: Tensor::ones([2, 3, 32, 32], &device),
        ids: Vec::new(),
    }
}

#[test]
fn a_face_that_moves_is_followed() {
    let config = GeneratorTrainingConfig::new(100)
        .with_warm_up_steps(1)
        .with_learning_rate(3e-3)
        .with_timestep_power(1.0);
    let last_losses = |start: Generator| {
        let mut trainer = trainer(start, config.clone());
        let losses: Vec<f32> = (0..100)
            .map(|step| trainer.step(turned_waves(step)).unwrap().loss)
            .collect();
        losses[80..].iter().sum::<f32>() / 20.0
    };
    let start = tiny();
    let (still, moving) = (
        last_losses(start.clone()),
        last_losses(start.with_live_warp()),
    );
    assert!(moving < 0.7 * still, "{moving} and {still} without");
}

#[test]
fn dropping_the_content_is_the_released_option() {
    let config = GeneratorTrainingConfig::new(2).with_condition_dropout(1.0);
    let start = tiny();
    let loss = |dropped: DroppedCondition, scale: f32| {
        let mut batch = batch(0);
        batch.content = batch.content * scale;
        let config = config.clone().with_dropped(dropped);
        let mut trainer = trainer(start.clone(), config);
        trainer.step(batch).unwrap().loss
    };
    use DroppedCondition::{Style, StyleAndContent};
    // With everything dropped, the released loss does not see the face; the paper's does.
    assert_eq!(loss(StyleAndContent, 1.0), loss(StyleAndContent, -0.5));
    assert_ne!(loss(Style, 1.0), loss(Style, -0.5));
}

#[test]
fn learned_variance_trains_in_every_form_of_prediction() {
    for prediction in [
        Prediction::Noise,
        Prediction::Velocity,
        Prediction::LiveCentred { deviation: 0.35 },
    ] {
        let mut config = tiny().config().clone().with_prediction(prediction);
        config.unet.out_channels = 6;
        let start = config.init(&Device::default());
        let config = GeneratorTrainingConfig::new(40)
            .with_warm_up_steps(1)
            .with_learning_rate(3e-3)
            .with_timestep_power(1.0);
        let mut trainer = trainer(start, config);
        let losses: Vec<f32> = (0..40)
            .map(|_| trainer.step(batch(0)).unwrap().loss)
            .collect();
        let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
        assert!(
            mean(&losses[30..]) < mean(&losses[..10]),
            "{prediction:?}: {losses:?}"
        );
    }
}
