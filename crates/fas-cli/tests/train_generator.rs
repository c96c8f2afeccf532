//! `fas train generator`, run, killed and run again as a user does.

mod program;

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use burn::tensor::Device;
use fas_diffusion::Generator;
use program::{Run, fas};
use serde_json::Value;

/// Runs `fas` with the words of `line`.
fn run(folder: &Path, line: &str) -> Run {
    fas(folder, &line.split_whitespace().collect::<Vec<_>>())
}

/// Two attacks of some people of three domains.
fn benchmark(folder: &Path) {
    let line = "simulate --synthetic 12 --domains sim-C,sim-I,sim-M \
                --attacks print_halftone,replay_lcd --out benchmark";
    let run = run(folder, line);
    assert_eq!(run.code, 0, "{}", run.errors);
}

/// A training of eight steps.
fn training(protocol: &str, more: &str) -> String {
    format!(
        "train generator benchmark/manifest.csv --protocol {protocol} --steps 8 --encoder-steps 3 \
         --batch 2 --note licence=CC0 {more}"
    )
}

/// Step of the checkpoint in `folder`; 0 without one.
fn step_of(folder: &Path) -> u64 {
    let text = fs::read_to_string(folder.join("run.json")).unwrap_or_default();
    let run: Value = serde_json::from_str(&text).unwrap_or_default();
    run["step"].as_u64().unwrap_or(0)
}

/// Starts a training and waits until its checkpoint has some steps.
fn start(folder: &Path, line: &str, checkpoint: &str) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fas"))
        .args(line.split_whitespace())
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let started = Instant::now();
    while step_of(&folder.join(checkpoint)) < 3 {
        assert!(started.elapsed() < Duration::from_secs(300), "no step");
        assert!(child.try_wait().unwrap().is_none(), "ended by itself");
        thread::sleep(Duration::from_millis(5));
    }
    child
}

/// Starts a training and kills it, as by `kill -9`, once a checkpoint has some steps.
fn start_and_kill(folder: &Path, line: &str, checkpoint: &str) {
    let mut child = start(folder, line, checkpoint);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_generator_is_trained_killed_and_ends_on_the_same_bits() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    benchmark(folder);
    let whole = run(folder, &training("CI->M", "--out whole.safetensors"));
    assert_eq!(whole.code, 0, "{}", whole.errors);
    for word in ["8 triplets of 4 styles", "noise of step 250"] {
        assert!(whole.output.contains(word), "{}", whole.output);
    }
    let kept = "--out killed.safetensors --checkpoint kept --checkpoint-every 1";
    let killed = training("CI->M", kept);
    start_and_kill(folder, &killed, "kept");
    assert!(!folder.join("killed.safetensors").exists());
    let resumed = run(folder, &killed);
    assert_eq!(resumed.code, 0, "{}", resumed.errors);
    assert!(
        resumed.errors.contains("going on from step"),
        "{}",
        resumed.errors
    );
    let other = run(folder, &format!("{killed} --prediction velocity"));
    assert_eq!(other.code, 1);
    assert!(other.errors.contains("prediction is"), "{}", other.errors);
    // The card's order may differ, the weights may not.
    let load = |name: &str| {
        let path = folder.join(name);
        let (generator, card) = Generator::load(&path, &Device::flex()).unwrap();
        let networks = generator.networks();
        let bytes =
            fas_weights::module_bytes(networks, fas_weights::StoredFloat::F32, &Default::default());
        (bytes, card)
    };
    let ((whole, card), (killed, again)) = (load("whole.safetensors"), load("killed.safetensors"));
    assert!(whole == killed, "the weights differ");
    assert_eq!(card, again);
    assert_eq!(card["training_domains"], "sim-C,sim-I");
    assert_eq!(card["licence"], "CC0");
    assert_eq!(
        card["styles"],
        "sim-C/print_halftone,sim-C/replay_lcd,sim-I/print_halftone,sim-I/replay_lcd"
    );
    // What it says of its domains is what `fas generate` reads.
    let generate = |target: &str| {
        let line = "generate --manifest benchmark/manifest.csv --checkpoint whole.safetensors";
        run(
            folder,
            &format!("{line} --target {target} --steps 1 --out made"),
        )
    };
    let leaking = generate("sim-C");
    assert_eq!(leaking.code, 1);
    assert!(leaking.errors.contains("sim-C"), "{}", leaking.errors);
    let made = generate("sim-M");
    assert_eq!(made.code, 0, "{}", made.errors);
}

#[cfg(unix)]
#[test]
fn an_interrupt_ends_a_training_with_a_checkpoint() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    benchmark(folder);
    let line = "train generator benchmark/manifest.csv --protocol CI->M --steps 100000 \
                --encoder-steps 1 --batch 1 --dashboard --out never.safetensors \
                --checkpoint kept --checkpoint-every 3";
    let child = start(folder, line, "kept");
    let kill = Command::new("kill")
        .args(["-INT", &child.id().to_string()])
        .status();
    assert!(kill.unwrap().success());
    let ended = child.wait_with_output().unwrap();
    assert_eq!(ended.status.code(), Some(130));
    let errors = String::from_utf8(ended.stderr).unwrap();
    let step = step_of(&folder.join("kept"));
    let said = format!("stopped after step {step} of 100000; the same command goes on from");
    assert!(errors.contains(&said), "{errors}");
    assert!(!folder.join("never.safetensors").exists());
}

#[test]
fn what_cannot_be_trained_on_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    benchmark(folder);
    let unknown = run(folder, &training("CX->M", "--out a.safetensors"));
    assert_eq!(unknown.code, 1);
    assert!(
        unknown.errors.contains("no domain `X`"),
        "{}",
        unknown.errors
    );
    // Attacks of nobody who was also captured bona fide.
    let manifest = folder.join("benchmark/manifest.csv");
    let text = fs::read_to_string(&manifest).unwrap();
    let renamed: Vec<String> = text
        .lines()
        .map(|line| match line.contains("bona_fide") {
            true => line.replace("synthetic-", "other-"),
            false => line.to_owned(),
        })
        .collect();
    assert_ne!(renamed.join("\n"), text.trim_end());
    fs::write(&manifest, renamed.join("\n")).unwrap();
    let unpaired = run(folder, &training("CI->M", "--out a.safetensors"));
    assert_eq!(unpaired.code, 1);
    assert!(
        unpaired.errors.contains("`subject` and `domain`"),
        "{}",
        unpaired.errors
    );
    assert!(!folder.join("a.safetensors").exists());
}
