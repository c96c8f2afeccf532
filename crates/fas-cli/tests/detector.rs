//! `fas train classifier` and `fas predict`, run as a user runs them.

#[path = "program/benchmark.rs"]
mod benchmark;
mod program;

use std::fs;
use std::path::Path;

use benchmark::benchmark;
use program::fas;
use serde_json::Value;

fn train(folder: &Path, more: &[&str]) -> program::Run {
    let arguments = [
        &[
            "train",
            "classifier",
            "benchmark/manifest.csv",
            "--protocol",
            "C->I",
            "--size",
            "32",
            "--steps",
            "12",
            "--batch",
            "8",
        ],
        more,
    ];
    fas(folder, &arguments.concat())
}

#[test]
fn a_detector_is_trained_resumed_and_used() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    benchmark(folder);
    let run = train(folder, &["--out", "a.safetensors", "--note", "licence=CC0"]);
    assert_eq!(run.code, 0, "{}", run.errors);
    for word in ["C->I, test split of sim-I", "source-eer", "HTER", "AUC"] {
        assert!(run.output.contains(word), "{}", run.output);
    }
    // The same weights in 16 bits: about half the size.
    let run = train(folder, &["--out", "half.safetensors", "--half"]);
    assert_eq!(run.code, 0, "{}", run.errors);
    let size = |name: &str| fs::metadata(folder.join(name)).unwrap().len();
    assert!(size("half.safetensors") * 10 < size("a.safetensors") * 6);

    let picture = "benchmark/sim-I/bona_fide";
    let predict = |model: &[&str]| {
        let arguments = [&["predict", picture, "--json"], model].concat();
        let run = fas(folder, &arguments);
        assert_eq!(run.code, 0, "{}", run.errors);
        serde_json::from_str::<Value>(&run.output).unwrap()
    };
    let report = predict(&["--model", "a.safetensors"]);
    assert_eq!(report["threshold_policy"], "source-eer");
    let threshold = report["threshold"].as_f64().unwrap();
    let half = predict(&["--model", "half.safetensors"]);
    let rows = report["predictions"].as_array().unwrap();
    assert!(!rows.is_empty());
    for (row, in_half) in rows.iter().zip(half["predictions"].as_array().unwrap()) {
        let score = row["score"].as_f64().unwrap();
        let decision = if score >= threshold {
            "bona_fide"
        } else {
            "attack"
        };
        assert_eq!(row["decision"], decision);
        assert!(row["quality"].is_number());
        let mass = row["class_mass"].as_array().unwrap();
        let live = |class: &&Value| class["class"] == "sim-C/bona_fide";
        let live = mass.iter().find(live).unwrap()["mass"].as_f64().unwrap();
        assert!((live - score).abs() < 1e-6, "one bona fide class: {row}");
        let sum: f64 = mass
            .iter()
            .map(|class| class["mass"].as_f64().unwrap())
            .sum();
        assert!((sum - 1.0).abs() < 1e-5);
        assert!((in_half["score"].as_f64().unwrap() - score).abs() < 0.05);
    }
    let given = predict(&["--model", "a.safetensors", "--threshold", "0"]);
    assert_eq!(given["threshold_policy"], "given");
    assert_eq!(given["predictions"][0]["decision"], "bona_fide");
}

#[test]
fn what_cannot_be_is_said() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    benchmark(folder);
    let run = train(
        folder,
        &["--out", "a.safetensors", "--generated-share", "0.5"],
    );
    assert_eq!(run.code, 1);
    assert!(run.errors.contains("generated pictures"), "{}", run.errors);
    let run = fas(
        folder,
        &[
            "train",
            "classifier",
            "benchmark/manifest.csv",
            "--protocol",
            "C->X",
            "--out",
            "a",
        ],
    );
    assert_eq!(run.code, 1);
    assert!(run.errors.contains("no domain `X`"), "{}", run.errors);
    let run = train(folder, &["--out", "trained.safetensors"]);
    assert_eq!(run.code, 0, "{}", run.errors);
    fs::write(folder.join("text.png"), "no picture").unwrap();
    let run = fas(
        folder,
        &[
            "predict",
            "text.png",
            "benchmark/sim-C/bona_fide",
            "--model",
            "trained.safetensors",
        ],
    );
    assert_eq!(run.code, 1);
    assert!(run.errors.contains("1 of "), "{}", run.errors);
    assert!(run.output.contains("text.png"), "{}", run.output);
    fs::write(folder.join("model.safetensors"), "no model").unwrap();
    let run = fas(
        folder,
        &["predict", "benchmark", "--model", "model.safetensors"],
    );
    assert_eq!(run.code, 1);
    assert!(run.errors.contains("model.safetensors"), "{}", run.errors);
}

#[test]
fn the_bundled_detector_tells_simulated_attacks_of_people_it_never_saw() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line = "simulate --synthetic 32 --seed 7 --out benchmark";
    let run = fas(folder, &line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(run.code, 0, "{}", run.errors);
    let run = fas(folder, &["predict", "benchmark", "--json"]);
    assert_eq!(run.code, 0, "{}", run.errors);
    assert!(
        run.errors.contains("simulated attacks alone"),
        "{}",
        run.errors
    );
    let report: Value = serde_json::from_str(&run.output).unwrap();
    assert_eq!(report["model"], "the bundled detector");
    assert_eq!(report["threshold_policy"], "source-eer");
    let share_accepted = |live: bool| {
        let rows = report["predictions"].as_array().unwrap().iter();
        let of_class =
            rows.filter(|row| row["path"].as_str().unwrap().contains("/bona_fide/") == live);
        let accepted: Vec<bool> = of_class.map(|row| row["decision"] == "bona_fide").collect();
        assert_eq!(accepted.len(), if live { 32 } else { 256 });
        accepted.iter().filter(|accepted| **accepted).count() as f64 / accepted.len() as f64
    };
    // Of 50 synthetic people in every domain, 97 % and 0.1 %.
    let (bona_fide, attacks) = (share_accepted(true), share_accepted(false));
    assert!(bona_fide >= 0.9, "{bona_fide}");
    assert!(attacks <= 0.03, "{attacks}");
}
