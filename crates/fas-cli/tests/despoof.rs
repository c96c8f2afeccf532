//! `fas despoof` and `fas cue`, run as a user runs them, with a tiny untrained generator.

mod program;

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use fas_dfg::{
    AutoencoderKlConfig, DespoofingGeneratorConfig, FirstStageConfig, IResNetConfig,
    IdentityEncoderConfig, LatentUNetConfig, TokenForm,
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
        "2",
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
        "2",
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
