//! Training in half types beside training in `f32`.

use super::*;
use crate::training::LossScaleConfig;

const HALF: [Precision; 2] = [Precision::F16, Precision::Bf16];

fn config(steps: usize, precision: Precision) -> GeneratorTrainingConfig {
    GeneratorTrainingConfig::new(steps)
        .with_warm_up_steps(1)
        .with_learning_rate(3e-3)
        .with_timestep_power(1.0)
        .with_precision(precision)
        // No step of these tests is to be skipped unless it says so.
        .with_loss_scale(LossScaleConfig::new().with_initial(64.0))
}

/// BatchNorm of the style, bicubic grids, residual changes of level, variance logits.
fn tiny_released() -> Generator {
    let unet = UNetConfig::released()
        .with_model_channels(8)
        .with_channel_mult(vec![1, 2, 2])
        .with_embed_channels(16)
        .with_num_groups(4)
        .with_dropout(0.0)
        .with_fusion_sizes(vec![8]);
    let unet = UNetConfig {
        image_size: 32,
        ..unet
    };
    let encoder = StyleEncoderConfig::small(2)
        .with_stem_channels(8)
        .with_widths(vec![8, 16, 16]);
    let device = Device::default();
    device.seed(12);
    GeneratorConfig::new(unet, encoder).init(&device)
}

/// Some steps in full precision: at the start most gradients are zero, behind layers that start at zero.
fn awake(start: Generator) -> Generator {
    let mut trainer = trainer(start, config(20, Precision::Full));
    for step in 0..20 {
        trainer.step(batch(step)).unwrap();
    }
    trainer.current()
}

/// Loss and all gradients of the first step.
fn first_gradients(start: Generator, precision: Precision) -> (f32, Vec<f32>) {
    let trainer = trainer(start, config(1, precision));
    let batch = batch(7);
    let draws = trainer.draw(batch.content.dims());
    let loss = trainer.losses(&batch, &draws, 0, 2).sum();
    let factor = trainer.loss_scale.as_ref().map_or(1.0, LossScale::factor);
    let grads = (loss.clone() * factor).backward();
    let mut grads = GradientsParams::from_grads(grads, &trainer.unet);
    if let Some(scale) = &trainer.loss_scale {
        grads = scale.unscaled(&trainer.unet, grads);
    }
    let mut flat = Flat {
        gradients: &grads,
        values: Vec::new(),
    };
    trainer.unet.visit(&mut flat);
    (loss.into_scalar(), flat.values)
}

struct Flat<'a> {
    gradients: &'a GradientsParams,
    values: Vec<f32>,
}

impl ModuleVisitor for Flat<'_> {
    fn visit_float<const D: usize>(&mut self, param: &Param<Tensor<D>>) {
        if let Some(gradient) = self.gradients.get::<D>(param.id) {
            // The optimiser's arithmetic is that of the master weights.
            assert_eq!(gradient.dtype(), DType::F32);
            self.values
                .extend(gradient.into_data().try_to_vec::<f32>().unwrap());
        }
    }
}

#[test]
fn gradients_are_those_of_full_precision() {
    for start in [tiny(), tiny_released()] {
        let start = awake(start);
        let (loss, full) = first_gradients(start.clone(), Precision::Full);
        // 2^-11 and 2^-8 a rounding, through some twenty layers there and back.
        for (precision, tolerance) in [(Precision::F16, 0.003), (Precision::Bf16, 0.02)] {
            let (half_loss, half) = first_gradients(start.clone(), precision);
            assert_eq!(full.len(), half.len());
            let square = |values: &mut dyn Iterator<Item = f32>| -> f64 {
                values.map(|v| f64::from(v).powi(2)).sum()
            };
            let error = square(&mut full.iter().zip(&half).map(|(a, b)| a - b));
            let error = (error / square(&mut full.iter().copied())).sqrt();
            let of_loss = (half_loss - loss).abs() / loss;
            println!("{precision:?}: gradient {error:.5}, loss {of_loss:.6}");
            assert!(error > 0.0, "{precision:?}: not a bit differs");
            assert!(
                error < tolerance,
                "{precision:?}: gradients differ by {error}"
            );
            assert!(
                f64::from(of_loss) < tolerance,
                "{precision:?}: {half_loss}, not {loss}"
            );
        }
    }
}

#[test]
fn training_follows_that_in_full_precision() {
    // One start: tests in other threads draw from the same random numbers.
    let start = tiny();
    let losses = |precision| -> Vec<f32> {
        let mut trainer = trainer(start.clone(), config(60, precision));
        (0..60)
            .map(|_| trainer.step(batch(0)).unwrap().loss)
            .collect()
    };
    let mean = |part: &[f32]| part.iter().sum::<f32>() / part.len() as f32;
    let full = losses(Precision::Full);
    for (precision, tolerance) in [(Precision::F16, 0.01), (Precision::Bf16, 0.03)] {
        let half = losses(precision);
        assert!(mean(&half[50..]) < 0.8 * mean(&half[..10]), "{half:?}");
        let (last, wanted) = (mean(&half[50..]), mean(&full[50..]));
        println!("{precision:?}: last ten {last:.5}, in full precision {wanted:.5}");
        assert!(
            (last - wanted).abs() < tolerance * wanted,
            "{precision:?}: {last}, not {wanted}"
        );
    }
}

/// A factor so large that the first gradients overflow.
fn overflowing(steps: usize) -> GeneratorTrainingConfig {
    config(steps, Precision::F16).with_loss_scale(
        LossScaleConfig::new()
            .with_initial(16_777_216.0)
            .with_growth_interval(2),
    )
}

fn current_weights(trainer: &GeneratorTrainer) -> Vec<u8> {
    fas_weights::module_bytes(
        trainer.current().networks(),
        fas_weights::StoredFloat::F32,
        &Default::default(),
    )
}

#[test]
fn an_overflow_skips_the_step_and_halves_the_scale() {
    let start = awake(tiny());
    let mut trainer = trainer(start.clone(), overflowing(40));
    let before = (weights(&trainer), current_weights(&trainer));
    let first = trainer.step(batch(0)).unwrap();
    assert!(
        first.skipped && !first.gradient_norm.is_finite(),
        "{first:?}"
    );
    let mut full = super::trainer(start, config(40, Precision::Full));
    let full = full.step(batch(0)).unwrap().loss;
    assert!((first.loss - full).abs() < 0.01 * full, "{first:?}, {full}");
    assert_eq!(first.loss_scale, Some(16_777_216.0));
    assert_eq!(trainer.steps_taken(), 1);
    assert!(before == (weights(&trainer), current_weights(&trainer)));
    let mut reports = vec![first];
    while reports.last().unwrap().skipped {
        reports.push(trainer.step(batch(reports.len())).unwrap());
        let [.., one, next] = &reports[..] else {
            unreachable!()
        };
        assert_eq!(next.loss_scale, one.loss_scale.map(|scale| scale / 2.0));
    }
    assert!(before.1 != current_weights(&trainer));
    let good = reports.last().unwrap();
    assert!(
        good.gradient_norm.is_finite() && good.loss_scale >= Some(1.0),
        "{good:?}"
    );
    // Two good steps in a row double the factor.
    let next = trainer.step(batch(reports.len())).unwrap();
    if !next.skipped {
        let doubled = trainer.step(batch(reports.len() + 1)).unwrap();
        assert_eq!(doubled.loss_scale, next.loss_scale.map(|scale| 2.0 * scale));
    }
}

#[test]
fn a_resumed_run_is_bit_equal_in_half_types() {
    for config in [overflowing(8), config(8, Precision::Bf16)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("checkpoint");
        let start = awake(tiny());
        let mut whole = trainer(start.clone(), config.clone());
        let mut reports = Vec::new();
        for step in 0..16 {
            reports.push(whole.step(batch(step)).unwrap());
            if step == 10 {
                whole.checkpoint(&path).unwrap();
            }
        }
        let half = config.precision == Precision::F16;
        assert_eq!(reports[0].skipped, half);
        let (before, after) = reports.split_at(11);
        for part in [before, after] {
            assert!(part.iter().any(|report| !report.skipped), "{reports:?}");
        }
        let mut resumed = trainer(start, config).resume(&path).unwrap();
        for (step, wanted) in reports.iter().enumerate().skip(11) {
            let report = resumed.step(batch(step)).unwrap();
            assert_eq!(report.loss_scale, wanted.loss_scale);
            assert_eq!(report.loss, wanted.loss);
        }
        assert!(weights(&whole) == weights(&resumed));
        assert!(current_weights(&whole) == current_weights(&resumed));
    }
}

#[test]
fn gradient_checkpointing_and_parts_work_in_half_types() {
    for precision in HALF {
        let start = awake(tiny());
        let mut kept = trainer(start.clone(), config(3, precision));
        let mut again = trainer(
            start.clone(),
            config(3, precision).with_gradient_checkpointing(true),
        );
        let mut parts = trainer(start, config(3, precision).with_accumulation(2));
        for step in 0..2 {
            let whole = kept.step(batch(step)).unwrap();
            again.step(batch(step)).unwrap();
            let split = parts.step(batch(step)).unwrap();
            assert!(!whole.skipped);
            let norms = (whole.gradient_norm - split.gradient_norm).abs();
            assert!(norms < 0.02 * whole.gradient_norm, "{whole:?} {split:?}");
        }
        assert!(weights(&kept) == weights(&again), "{precision:?}");
    }
}

#[test]
fn a_face_beyond_the_range_of_f16_is_an_error_that_says_so() {
    let mut bright = batch(0);
    bright.content = bright.content * 1e6;
    let mut trainer = trainer(tiny(), config(2, Precision::F16));
    let before = weights(&trainer);
    let text = trainer.step(bright).unwrap_err().to_string();
    assert!(text.contains("the loss of step 0 is"), "{text}");
    assert!(
        text.contains("train in bf16 or in full precision"),
        "{text}"
    );
    assert!(before == weights(&trainer));
}

#[test]
fn a_checkpoint_knows_its_precision_and_an_older_one_is_of_full_precision() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("checkpoint");
    let full = GeneratorTrainingConfig::new(2);
    trainer(tiny(), full.clone()).checkpoint(&path).unwrap();
    let half = full.clone().with_precision(Precision::F16);
    let half = trainer(tiny(), half).resume(&path);
    let text = half.err().unwrap().to_string();
    assert!(
        text.contains("training.precision is \"Full\" there and \"F16\" here"),
        "{text}"
    );
    // As it was before there was a choice.
    let run = path.join("run.json");
    let mut stored: Value = serde_json::from_str(&std::fs::read_to_string(&run).unwrap()).unwrap();
    let training = stored["configuration"]["training"].as_object_mut().unwrap();
    training.remove("precision").unwrap();
    training.remove("loss_scale").unwrap();
    stored
        .as_object_mut()
        .unwrap()
        .remove("loss_scale")
        .unwrap();
    std::fs::write(&run, stored.to_string()).unwrap();
    trainer(tiny(), full).resume(&path).unwrap();
}
