//! `fas weights`, run as a user runs it.

mod program;

use std::fs;
use std::path::Path;

use burn::tensor::Device;
use fas_classify::Detector;
use fas_diffusion::{Generator, GeneratorConfig, StyleEncoderConfig, UNetConfig};
use fas_weights::{StoredFloat, module_bytes, read_pytorch, read_weights};
use program::{Run, fas};

/// Runs `fas weights` with the words of `line`.
fn weights(folder: &Path, line: &str) -> Run {
    let words = std::iter::once("weights").chain(line.split_whitespace());
    fas(folder, &words.collect::<Vec<_>>())
}

/// As the released generator, but narrow; untrained.
fn narrow() -> GeneratorConfig {
    let unet = UNetConfig {
        image_size: 32,
        ..UNetConfig::released()
            .with_model_channels(32)
            .with_channel_mult(vec![1, 2])
            .with_embed_channels(64)
            .with_fusion_sizes(vec![16])
    };
    GeneratorConfig::new(unet, StyleEncoderConfig::small(4))
}

fn bytes(path: &Path) -> Vec<u8> {
    let (generator, _) = Generator::load(path, &Device::flex()).unwrap();
    module_bytes(generator.networks(), StoredFloat::F32, &Default::default())
}

#[test]
fn a_generator_goes_out_under_the_released_names_and_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let config = narrow();
    let path = folder.join("ours.safetensors");
    let card = [("training_domains".to_owned(), "O,C".to_owned())].into();
    config
        .init(&Device::flex())
        .save(&path, StoredFloat::F32, &card)
        .unwrap();
    fs::write(folder.join("narrow.json"), config.to_string()).unwrap();
    let files = "--unet unet.safetensors --style-encoder encoder.safetensors";
    let run = weights(folder, &format!("export ours.safetensors {files}"));
    assert_eq!(run.code, 0, "{}", run.errors);
    let unet = read_weights(&folder.join("unet.safetensors")).unwrap();
    // BatchNorm's counters, one an STFM block, are in the file and not read back.
    let told = format!("unet.safetensors: {} tensors\n", unet.tensors.len() + 3);
    assert!(run.output.starts_with(&told), "{}", run.output);
    for name in [
        "time_embed.time_embed.0.weight",
        "middle_block.1.to_kv1.weight",
        "out.2.bias",
    ] {
        assert!(unet.tensors.contains_key(name), "{name}");
    }

    let import = |more: &str| {
        let line = format!("import --out back.safetensors {files} {more}");
        weights(folder, &line)
    };
    let run = import("--config narrow.json --note training_domains=O,C");
    assert_eq!(run.code, 0, "{}", run.errors);
    let back = folder.join("back.safetensors");
    assert!(bytes(&back) == bytes(&path), "the weights differ");
    let (_, card) = Generator::load(&back, &Device::flex()).unwrap();
    assert_eq!(card["training_domains"], "O,C");

    // The released architecture is wider: everything is listed, nothing written.
    fs::remove_file(&back).unwrap();
    let run = import("");
    assert_eq!(run.code, 1);
    for part in ["unet.safetensors", "missing", "expected"] {
        assert!(run.errors.contains(part), "{}", run.errors);
    }
    assert!(!back.exists());
}

#[test]
fn what_the_released_code_lacks_is_not_exported() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let generator = GeneratorConfig::small(2).init(&Device::flex());
    let path = folder.join("small.safetensors");
    generator
        .save(&path, StoredFloat::F16, &Default::default())
        .unwrap();
    let files = "--unet unet.safetensors --style-encoder encoder.safetensors";
    let run = weights(folder, &format!("export small.safetensors {files}"));
    assert_eq!(run.code, 1);
    assert!(run.errors.contains("change.conv"), "{}", run.errors);
    assert!(!folder.join("unet.safetensors").exists());
}

#[test]
fn a_pickled_checkpoint_becomes_safetensors() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let pickled = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fas-weights/tests/pytorch");
    let convert = |file: &str, more: &str| {
        let file = pickled.join(file);
        let arguments = [
            "convert",
            file.to_str().unwrap(),
            "--out",
            "out.safetensors",
        ];
        let words = ["weights"]
            .into_iter()
            .chain(arguments)
            .chain(more.split_whitespace());
        fas(folder, &words.collect::<Vec<_>>())
    };
    let run = convert("legacy.pt", "--key ema");
    assert_eq!(run.code, 0, "{}", run.errors);
    let written = read_weights(&folder.join("out.safetensors"))
        .unwrap()
        .tensors;
    let read = read_pytorch(&pickled.join("legacy.pt"), Some("ema"))
        .unwrap()
        .tensors;
    assert_eq!(written, read);
    // -1, -0.875, … doubled.
    assert_eq!(written["f32"].1[..2], [-2.0, -1.75]);
    let run = convert("legacy.pt", "--key net");
    assert_eq!(run.code, 1);
    assert!(run.errors.contains("\"ema\""), "{}", run.errors);
    let run = convert("evil_inside.pt", "");
    assert_eq!(run.code, 1);
    assert!(!folder.join("owned").exists());
}

#[test]
fn a_detectors_backbone_goes_out_and_a_training_starts_from_it() {
    let folder = tempfile::tempdir().unwrap();
    let folder = folder.path();
    let line = "simulate --synthetic 12 --domains sim-C,sim-I --size 32 --out benchmark";
    let run = fas(folder, &line.split_whitespace().collect::<Vec<_>>());
    assert_eq!(run.code, 0, "{}", run.errors);
    let train = |more: &str| {
        let line = format!(
            "train classifier benchmark/manifest.csv --protocol C->I --size 32 --steps 1 --batch 4 {more}"
        );
        fas(folder, &line.split_whitespace().collect::<Vec<_>>())
    };
    let run = train("--out first.safetensors");
    assert_eq!(run.code, 0, "{}", run.errors);
    let run = weights(
        folder,
        "export first.safetensors --backbone backbone.safetensors",
    );
    assert_eq!(run.code, 0, "{}", run.errors);
    let written = read_weights(&folder.join("backbone.safetensors")).unwrap();
    let device = Device::flex();
    let first = Detector::load(&folder.join("first.safetensors"), &device).unwrap();
    let backbone = first.classifier().backbone();
    assert_eq!(written.tensors, backbone.reference_weights().tensors);
    assert!(
        written
            .tensors
            .contains_key("layer2.0.downsample.1.running_mean")
    );
    let run = train("--seed 3 --pretrained backbone.safetensors --out second.safetensors");
    assert_eq!(run.code, 0, "{}", run.errors);
    let run =
        train("--backbone resnet18 --pretrained backbone.safetensors --out third.safetensors");
    assert_eq!(run.code, 1);
    assert!(
        run.errors.contains("layer1.0.conv1.weight"),
        "{}",
        run.errors
    );
}
