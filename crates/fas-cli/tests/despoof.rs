//! `fas despoof`, `fas cue` and `fas train dfg`, run as a user runs them, with a tiny generator.

#[path = "program/benchmark.rs"]
mod benchmark;
mod program;

use std::fs;
use std::path::Path;

use benchmark::benchmark;
use burn::tensor::Device;
use fas_dfg::{
    AutoencoderKlConfig, DespoofingGenerator, DespoofingGeneratorConfig, FirstStageConfig,
    IResNetConfig, IdentityEncoderConfig, LatentUNetConfig, TokenForm,
};
use fas_weights::StoredFloat;
use image::{Rgb, RgbImage};
use program::fas;

/// Two faces (of other sizes than the generator's), and the generator.
fn place() -> tempfile::TempDir {
    let place = tempfile::tempdir().unwrap();
    let faces = place.path().join("faces");
    fs::create_dir(&faces).unwrap();
    let picture = |width, shade| {
        RgbImage::from_fn(width, 24, |x, y| Rgb([(x * 9) as u8, (y * 9) as u8, shade]))
    };
    picture(24, 10).save(faces.join("a.png")).unwrap();
    picture(32, 200).save(faces.join("b.png")).unwrap();
    let config = DespoofingGeneratorConfig::new(
        FirstStageConfig::Kl(
            AutoencoderKlConfig::new(vec![8, 8, 8])
                .with_num_groups(4)
                .with_layers_per_block(1),
        ),
        IdentityEncoderConfig::IResNet(
            IResNetConfig::new([1, 1, 1, 1])
                .with_channels([4, 4, 4, 8])
                .truncated(),
        ),
        LatentUNetConfig::new(vec![8], vec![true])
            .with_layers_per_block(1)
            .with_context_channels(8)
            .with_heads(2)
            .with_num_groups(4),
    )
    .with_image_size(16)
    .with_token_form(TokenForm::Projected);
    let path = place.path().join("dfg.safetensors");
    config
        .init(&Device::flex())
        .save(&path, StoredFloat::F32, &Default::default())
        .unwrap();
    place
}

fn size(path: &Path) -> (u32, u32) {
    image::image_dimensions(path).unwrap()
}

#[test]
fn every_face_gets_its_bona_fide_version() {
    let place = place();
    let arguments = [
        "despoof",
        "faces",
        "--generator",
        "dfg.safetensors",
        "--steps",
        "3",
    ];
    let run = |out: &str, more: &[&str]| {
        let arguments = [&arguments[..], &["--out", out], more].concat();
        let run = fas(place.path(), &arguments);
        assert_eq!(run.code, 0, "{}", run.errors);
        fs::read(place.path().join(out).join("b.png")).unwrap()
    };
    let first = run("first", &[]);
    assert_eq!(size(&place.path().join("first/a.png")), (16, 16));
    assert_eq!(first, run("again", &[]));
    assert_ne!(first, run("seeded", &["--seed", "1"]));
    assert_ne!(first, run("noise", &["--pure-noise"]));
    assert_ne!(first, run("solver", &["--sampler", "dpm-solver"]));
}

#[test]
fn cues_are_stored_shown_and_measured() {
    let place = place();
    let arguments = [
        "cue",
        "faces",
        "--generator",
        "dfg.safetensors",
        "--steps",
        "3",
        "--out",
        "cues",
        "--heatmap",
        "cues.png",
    ];
    let run = fas(place.path(), &arguments);
    assert_eq!(run.code, 0, "{}", run.errors);
    let lines: Vec<&str> = run.output.lines().collect();
    assert_eq!((lines.len(), lines[0]), (3, "image,mean_absolute_cue"));
    let energy: f32 = lines[2].strip_prefix("b,").unwrap().parse().unwrap();
    assert!(energy > 0.0 && energy < 2.0, "{energy}");
    // a row a face and one for the scale, three columns of 160 px
    let (width, height) = size(&place.path().join("cues.png"));
    assert!(width > 3 * 160 && height > 3 * 160, "{width} {height}");
    let store = fs::read_dir(place.path().join("cues"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap();
    let stored = || -> usize {
        let folders = fs::read_dir(store.path()).unwrap();
        folders
            .map(|f| fs::read_dir(f.unwrap().path()).unwrap().count())
            .sum()
    };
    assert_eq!(stored(), 2);
    assert_eq!(fas(place.path(), &arguments).output, run.output);
    assert_eq!(stored(), 2);
}

#[test]
fn arguments_that_make_no_sense_are_refused() {
    let place = place();
    let run = |more: &[&str]| {
        let base = ["despoof", "--generator", "dfg.safetensors", "--out", "out"];
        fas(place.path(), &[&base[..], more].concat())
    };
    let late = run(&["faces", "--start", "1000"]);
    assert_eq!(late.code, 2);
    assert!(late.errors.contains("1000 noise levels"), "{}", late.errors);
    let twice = run(&["faces", "faces/a.png"]);
    assert_eq!(twice.code, 2);
    assert!(twice.errors.contains("`a` twice"), "{}", twice.errors);
    let text = place.path().join("text.safetensors");
    fs::write(&text, "no weights").unwrap();
    let arguments = [
        "despoof",
        "faces",
        "--generator",
        "text.safetensors",
        "--out",
        "out",
    ];
    let wrong = fas(place.path(), &arguments);
    assert_eq!(wrong.code, 1);
    assert!(
        wrong.errors.contains("text.safetensors"),
        "{}",
        wrong.errors
    );
    assert!(!place.path().join("out").exists());
}

#[test]
fn a_generator_learns_from_bona_fide_faces_only() {
    let place = place();
    benchmark(place.path());
    let train = |more: &[&str]| {
        let base = ["train", "dfg", "benchmark/manifest.csv", "--steps", "3"];
        let start = ["--batch", "4", "--start", "dfg.safetensors"];
        let cache = ["--cache", "codes", "--out", "trained.safetensors"];
        fas(place.path(), &[&base[..], &start, &cache, more].concat())
    };
    let unclear = train(&[]);
    assert_eq!(unclear.code, 2);
    assert!(unclear.errors.contains("--protocol"), "{}", unclear.errors);
    let attacks = train(&["--protocol", "C->I"]);
    assert_eq!(attacks.code, 1);
    assert!(
        attacks.errors.contains("bona fide faces only"),
        "{}",
        attacks.errors
    );
    assert!(!place.path().join("trained.safetensors").exists());

    let arguments = [
        "--protocol",
        "C->I",
        "--skip-attacks",
        "--checkpoint",
        "kept",
    ];
    let first = train(&arguments);
    assert_eq!(first.code, 0, "{}", first.errors);
    assert!(
        first.output.contains("noise of step 300"),
        "{}",
        first.output
    );
    let path = place.path().join("trained.safetensors");
    let bytes = fs::read(&path).unwrap();
    let (trained, card) = DespoofingGenerator::load(&path, &Device::flex()).unwrap();
    assert_eq!(card["training_data"], "bona fide faces only");
    let start = place.path().join("dfg.safetensors");
    let (start, _) = DespoofingGenerator::load(&start, &Device::flex()).unwrap();
    assert_ne!(trained.fingerprint(), start.fingerprint());
    // A finished training goes on with nothing, and gives the same file.
    let again = train(&arguments);
    assert!(again.errors.contains("from step 3"), "{}", again.errors);
    let again = DespoofingGenerator::load(&path, &Device::flex()).unwrap().0;
    assert_eq!(again.fingerprint(), trained.fingerprint());
    assert_eq!(fs::read(&path).unwrap().len(), bytes.len());
}
