//! A training run that is killed again and again, in the middle of a step or of a checkpoint, ends on the
//! same bits as one that is left alone.
//!
//! Runs are processes of their own: they are killed, and dropout draws from a generator of the process.
#![cfg(feature = "train")]

use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use burn::tensor::{Device, Tensor};
use fas_data::{LeakageGuard, Protocol, TrainingPurpose};
use fas_diffusion::training::{GeneratorTrainer, GeneratorTrainingConfig, TripletBatch};
use fas_diffusion::{EmaConfig, GeneratorConfig, StyleEncoderConfig, UNetConfig, sample_noise};
use fas_weights::{StoredFloat, module_bytes};

/// Names the folder of a run to the process that is to train it.
const FOLDER: &str = "FAS_TEST_RESUME_FOLDER";
const STEPS: usize = 9;

/// All that keeps a state: dropout, BatchNorm's running means, variance logits, an average that first
/// copies, a rate that rises and falls, gradients added over parts.
fn trainer() -> GeneratorTrainer {
    let device = Device::default();
    device.seed(11);
    let unet = UNetConfig::released()
        .with_model_channels(8)
        .with_channel_mult(vec![1, 2, 2])
        .with_embed_channels(16)
        .with_num_groups(4)
        .with_fusion_sizes(vec![8]);
    let unet = UNetConfig {
        image_size: 32,
        ..unet
    };
    let encoder = StyleEncoderConfig::small(2)
        .with_stem_channels(8)
        .with_widths(vec![8, 16, 16]);
    let config = GeneratorTrainingConfig::new(STEPS)
        .with_warm_up_steps(3)
        .with_accumulation(2)
        .with_ema(EmaConfig::new().with_decay(0.5).with_copy_steps(4));
    let pool = LeakageGuard::new(&Protocol::intra("C"))
        .admit(TrainingPurpose::Generator, Vec::new())
        .unwrap();
    let generator = GeneratorConfig::new(unet, encoder).init(&device);
    GeneratorTrainer::new(generator, config, &pool).unwrap()
}

/// Triplets by the number of the step alone, as every caller of the trainer must choose them.
fn batch(step: usize) -> TripletBatch {
    let image = |name: &str| -> Tensor<4> {
        let names = [format!("{name} 0"), format!("{name} 1")];
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        sample_noise(step as u64, &names, 3, 32, &Device::default()).clamp(-1.0, 1.0)
    };
    TripletBatch {
        content: image("content"),
        target: image("target"),
        style: image("style"),
        ids: Vec::new(),
    }
}

/// The run itself; as a test of its own it does nothing.
#[test]
fn run() {
    let Some(folder) = std::env::var_os(FOLDER) else {
        return;
    };
    let folder = Path::new(&folder);
    let checkpoint = folder.join("checkpoint");
    let mut trainer = trainer().resume(&checkpoint).unwrap();
    while trainer.steps_taken() < STEPS {
        trainer.step(batch(trainer.steps_taken())).unwrap();
        trainer.checkpoint(&checkpoint).unwrap();
    }
    for (name, generator) in [
        ("current", trainer.current()),
        ("average", trainer.averaged()),
    ] {
        let bytes = module_bytes(generator.networks(), StoredFloat::F32, &Default::default());
        std::fs::write(folder.join(name), bytes).unwrap();
    }
}

fn start(folder: &Path) -> Child {
    Command::new(std::env::current_exe().unwrap())
        .args(["run", "--exact"])
        .env(FOLDER, folder)
        .stdout(Stdio::null())
        .spawn()
        .unwrap()
}

/// The step of the checkpoint in `folder`; none while it changes places.
fn step_of(folder: &Path) -> Option<u64> {
    let text = std::fs::read_to_string(folder.join("checkpoint/run.json")).ok()?;
    let run: serde_json::Value = serde_json::from_str(&text).ok()?;
    run["step"].as_u64()
}

#[test]
fn a_run_killed_again_and_again_ends_on_the_same_bits() {
    let place = tempfile::tempdir().unwrap();
    let [whole, killed] = ["whole", "killed"].map(|name| place.path().join(name));
    for folder in [&whole, &killed] {
        std::fs::create_dir(folder).unwrap();
    }
    assert!(start(&whole).wait().unwrap().success());

    let mut kills = 0;
    let patience = Instant::now();
    loop {
        assert!(
            patience.elapsed() < Duration::from_secs(300),
            "{kills} kills"
        );
        let before = step_of(&killed);
        let mut child = start(&killed);
        // Each life takes at least one step, then dies at a moment that differs from life to life.
        let ended = loop {
            if let Some(status) = child.try_wait().unwrap() {
                break Some(status);
            }
            let now = step_of(&killed);
            if now.is_some() && now != before {
                std::thread::sleep(Duration::from_micros(1700 * (kills % 7)));
                child.kill().unwrap();
                child.wait().unwrap();
                kills += 1;
                break None;
            }
            std::thread::sleep(Duration::from_micros(200));
        };
        if let Some(status) = ended {
            assert!(status.success(), "after {kills} kills");
            break;
        }
        // What a kill in the middle of writing leaves.
        if kills == 2 {
            let partial = killed.join("checkpoint.partial");
            std::fs::create_dir_all(&partial).unwrap();
            std::fs::write(partial.join("unet.bpk"), b"half a file").unwrap();
        }
    }
    assert!(kills >= 3, "only {kills} kills");
    for name in ["current", "average"] {
        let bytes = |folder: &Path| std::fs::read(folder.join(name)).unwrap();
        assert!(
            bytes(&whole) == bytes(&killed),
            "{name} weights after {kills} kills"
        );
    }
}
