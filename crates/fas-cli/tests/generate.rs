//! `fas generate`, run, killed and run again as a user does.

mod program;

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use fas_data::{Label, Manifest};
use program::{Run, fas};

fn weights(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/weights");
    path.join(name).display().to_string()
}

fn simulate(folder: &Path) {
    let run = fas(
        folder,
        &[
            "simulate",
            "--synthetic",
            "12",
            "--out",
            "benchmark",
            "--domains",
            "sim-C,sim-I,sim-M",
            "--attacks",
            "print_halftone,replay_lcd",
        ],
    );
    assert_eq!(run.code, 0, "{}", run.errors);
}

/// Eight pairs: two people a domain of sim-C and sim-I in the two styles of the other, by two steps.
fn arguments(out: &str, more: &[&str]) -> Vec<String> {
    let checkpoint = weights("generator_sim-C_sim-I.safetensors");
    let first = [
        "generate",
        "--manifest",
        "benchmark/manifest.csv",
        "--checkpoint",
        &checkpoint,
        "--target",
        "sim-M",
        "--steps",
        "2",
        "--out",
        out,
    ];
    let batch: &[&str] = if more.contains(&"--batch-size") {
        &[]
    } else {
        &["--batch-size", "3"]
    };
    let all = first.iter().chain(batch).chain(more);
    all.map(ToString::to_string).collect()
}

fn generate(folder: &Path, out: &str, more: &[&str]) -> Run {
    let arguments = arguments(out, more);
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    fas(folder, &arguments)
}

/// Every file below a folder and its bytes, but for the journal's order and the lock.
fn content(folder: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let mut files = BTreeMap::new();
    let mut open = vec![folder.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(&next).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                open.push(path);
            } else {
                let below = path.strip_prefix(folder).unwrap().to_owned();
                files.insert(below, fs::read(&path).unwrap());
            }
        }
    }
    files
}

/// Starts a job and kills it, as by `kill -9`, once `pictures` are finished.
fn start_and_kill(folder: &Path, out: &str, more: &[&str], pictures: usize) {
    let mut child = Command::new(env!("CARGO_BIN_EXE_fas"))
        .args(arguments(out, more))
        .current_dir(folder)
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let journal = folder.join(out).join("journal.jsonl");
    let started = Instant::now();
    loop {
        let lines = fs::read(&journal).map_or(0, |b| b.iter().filter(|&&b| b == b'\n').count());
        if lines >= pictures {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(300), "no picture");
        assert!(child.try_wait().unwrap().is_none(), "ended by itself");
        thread::sleep(Duration::from_millis(5));
    }
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn a_killed_job_ends_as_one_that_was_not() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    simulate(folder);
    let whole = generate(folder, "whole", &[]);
    assert_eq!(whole.code, 0, "{}", whole.errors);
    assert!(
        whole.output.contains("whole: 8 pictures\n"),
        "{}",
        whole.output
    );
    let expected = content(&folder.join("whole"));

    start_and_kill(folder, "killed", &[], 3);
    assert!(!folder.join("killed/manifest.csv").exists());
    // A half-written line, and a picture that is not in the list yet.
    let journal = folder.join("killed/journal.jsonl");
    let mut bytes = fs::read(&journal).unwrap();
    let before = bytes.iter().filter(|&&b| b == b'\n').count();
    bytes.extend_from_slice(b"{\"index\":7,\"id\":\"gen");
    fs::write(&journal, bytes).unwrap();
    fs::write(folder.join("killed/images/00000/00000007.png"), "half").unwrap();
    let resumed = generate(folder, "killed", &[]);
    assert_eq!(resumed.code, 0, "{}", resumed.errors);
    let said = format!("killed: 8 pictures, {before} of them from earlier runs");
    assert!(resumed.output.contains(&said), "{}", resumed.output);
    assert_eq!(content(&folder.join("killed")), expected);

    // Run again, it has nothing to do; with another seed, it is another job.
    let again = generate(folder, "killed", &[]);
    assert!(again.output.contains("8 of them"), "{}", again.output);
    assert_eq!(content(&folder.join("killed")), expected);
    let other = generate(folder, "killed", &["--seed", "9"]);
    assert_eq!(other.code, 1);
    assert!(
        other.errors.contains("another config.seed: 0 there, 9 now"),
        "{}",
        other.errors
    );
}

#[test]
fn a_manifest_that_training_can_read_says_what_is_synthetic() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    simulate(folder);
    let run = generate(folder, "out", &[]);
    assert_eq!(run.code, 0, "{}", run.errors);
    let manifest = Manifest::read(folder.join("out/manifest.csv")).unwrap();
    let sources = Manifest::read(folder.join("benchmark/manifest.csv")).unwrap();
    assert_eq!(manifest.samples().len(), 8);
    for sample in manifest.samples() {
        assert!(sample.synthetic && sample.quality_score.is_some());
        assert!(matches!(sample.label, Label::Attack(_)));
        assert_ne!(sample.domain, "sim-M");
        let rest = sample.id.strip_prefix("generated/").unwrap();
        let face = sources
            .samples()
            .iter()
            .find(|s| rest.starts_with(&format!("{}/", s.id)));
        let face = face.unwrap_or_else(|| panic!("no face of {}", sample.id));
        assert_eq!(face.subject, sample.subject);
        assert_ne!(face.domain, sample.domain);
        let picture = fas_data::load_rgb(manifest.image_path(sample)).unwrap();
        assert_eq!(picture.dimensions(), (64, 64));
    }
    let rows = fs::read_to_string(folder.join("out/provenance.csv")).unwrap();
    assert_eq!(rows.lines().count(), 9);
    let sums = fs::read_to_string(weights("SHA256SUMS")).unwrap();
    let line = sums
        .lines()
        .find(|line| line.ends_with(" generator_sim-C_sim-I.safetensors"))
        .unwrap();
    let digest = line.split_whitespace().next().unwrap();
    assert!(
        rows.lines().skip(1).all(|row| row.contains(digest)),
        "{rows}"
    );

    // What the filter leaves out stays in the provenance.
    let strict = generate(folder, "strict", &["--max-brisque", "-1000"]);
    assert!(
        strict.output.contains("8 left out for poor quality"),
        "{}",
        strict.output
    );
    let kept = Manifest::read(folder.join("strict/manifest.csv")).unwrap();
    assert!(kept.samples().is_empty());
    let rows = fs::read_to_string(folder.join("strict/provenance.csv")).unwrap();
    assert_eq!(rows.matches(",poor_quality").count(), 8);
}

#[test]
fn parts_make_what_the_whole_makes_and_tar_files_survive_a_kill() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    simulate(folder);
    assert_eq!(generate(folder, "whole", &["--batch-size", "1"]).code, 0);
    let mut parts = BTreeMap::new();
    for shard in ["1/3", "2/3", "3/3"] {
        let run = generate(folder, "parts", &["--batch-size", "1", "--shard", shard]);
        assert_eq!(run.code, 0, "{}", run.errors);
    }
    for number in 1..=3 {
        let shard = folder.join(format!("parts/shard-{number:05}-of-00003"));
        let images = content(&shard.join("images"));
        for (name, bytes) in images {
            assert!(parts.insert(name, bytes).is_none(), "made twice");
        }
    }
    assert_eq!(parts, content(&folder.join("whole/images")));
    // The first of the two steps without guidance.
    let within = ["--batch-size", "1", "--guidance-interval", "0,998"];
    assert_eq!(generate(folder, "within", &within).code, 0);
    let pixels = |images: &BTreeMap<PathBuf, Vec<u8>>| -> Vec<Vec<u8>> {
        let decode = |bytes: &Vec<u8>| image::load_from_memory(bytes).unwrap().into_bytes();
        images.values().map(decode).collect()
    };
    let images = content(&folder.join("within/images"));
    assert!(
        pixels(&parts) != pixels(&images),
        "guidance does not matter"
    );
    // Towards the face and away from another generator, both of which the list names.
    let wide = weights("generator_wide_sim-C_sim-I.safetensors");
    let guided = [
        "--batch-size",
        "1",
        "--content-guidance",
        "2",
        "--weaker",
        &wide,
    ];
    assert_eq!(generate(folder, "guided", &guided).code, 0);
    let guided = content(&folder.join("guided/images"));
    assert!(pixels(&parts) != pixels(&guided));
    let mut rows = csv::Reader::from_path(folder.join("guided/provenance.csv")).unwrap();
    let names = rows.headers().unwrap().clone();
    let row = rows.records().next().unwrap().unwrap();
    let value = |name: &str| &row[names.iter().position(|n| n == name).unwrap()];
    assert_eq!(value("content_guidance"), "2.0");
    assert_eq!(value("content_blur"), "5");
    assert_eq!(value("weaker_guidance"), "1.5");
    assert_eq!(value("weaker_sha256").len(), 64);
    assert_ne!(value("weaker_sha256"), value("model_sha256"));

    let tar = ["--tar", "3", "--batch-size", "2"];
    assert_eq!(generate(folder, "tar", &tar).code, 0);
    start_and_kill(folder, "torn", &tar, 4);
    let run = generate(folder, "torn", &tar);
    assert_eq!(run.code, 0, "{}", run.errors);
    let files = content(&folder.join("tar"));
    assert_eq!(content(&folder.join("torn")), files);
    let names: Vec<&str> = files.keys().filter_map(|path| path.to_str()).collect();
    let archives: Vec<&&str> = names.iter().filter(|name| name.ends_with(".tar")).collect();
    assert_eq!(archives, [&"00000.tar", &"00001.tar", &"00002.tar"]);
    assert!(
        !names.iter().any(|name| name.ends_with(".png")),
        "{names:?}"
    );
    let text = String::from_utf8(files[Path::new("manifest.csv")].clone()).unwrap();
    assert!(text.contains(",00002/00000007.png,"), "{text}");
}

#[test]
fn leaks_and_misuse_are_refused() {
    let place = tempfile::tempdir().unwrap();
    let folder = place.path();
    simulate(folder);
    let fails = |more: &[&str], code: i32, expected: &str| {
        let run = generate(folder, "out", more);
        assert_eq!(run.code, code, "{more:?}: {}", run.errors);
        assert!(run.errors.contains(expected), "{more:?}: {}", run.errors);
        assert!(!folder.join("out").exists());
    };
    let leak = ["--face-domains", "sim-C,sim-M"];
    fails(&leak, 1, "its domain is the target");
    let style = ["--only-styles", "sim-C/mask"];
    fails(
        &style,
        1,
        "no training attack has the style \"sim-C/mask\"; there are [",
    );
    fails(
        &["--face-domains", "sim-C", "--style-domains", "sim-C"],
        1,
        "nothing to generate",
    );
    fails(&["--shard", "3/2"], 2, "write k/n with k from 1 to n");
    fails(&["--stop-step", "999"], 2, "--stop-step: 999 is not below");
    fails(
        &["--guidance-interval", "500,0"],
        2,
        "500 lies above 0: the lower one comes first",
    );
    fails(&["--min-identity", "0.3"], 2, "--identity-encoder");
    fails(&["--weaker-guidance", "2"], 2, "--weaker <SAFETENSORS>");
    let even = ["--content-guidance", "2", "--content-blur", "4"];
    fails(&even, 2, "--content-blur: 4 is not an odd number above 1");
    // The weaker generator may not have seen the target either.
    let leaking = weights("generator_sim-M_sim-O.safetensors");
    let seen_by_weaker = "generator_sim-M_sim-O.safetensors was trained on the target domain sim-M";
    fails(&["--weaker", &leaking], 1, seen_by_weaker);
    let seen = fas(
        folder,
        &[
            "generate",
            "--manifest",
            "benchmark/manifest.csv",
            "--checkpoint",
            &weights("generator_sim-M_sim-O.safetensors"),
            "--target",
            "sim-M",
            "--out",
            "out",
        ],
    );
    assert_eq!(seen.code, 1);
    assert!(
        seen.errors
            .contains("was trained on the target domain sim-M"),
        "{}",
        seen.errors
    );
    fs::create_dir(folder.join("taken")).unwrap();
    fs::write(folder.join("taken/photo.png"), "").unwrap();
    let taken = generate(folder, "taken", &[]);
    assert!(
        taken
            .errors
            .contains("neither empty nor the folder of a job"),
        "{}",
        taken.errors
    );
}
