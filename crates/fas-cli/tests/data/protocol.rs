//! `fas data protocol`, and a protocol's frames as a manifest that a detector is trained on.

use std::fs;

use super::data;
use super::program::fas;

#[test]
fn protocols_are_shown_changed_and_listed() {
    let folder = tempfile::tempdir().unwrap();
    let mut names = Vec::new();
    for user in 1..=55 {
        let part = ["Train", "Dev", "Test"][usize::from(user > 20) + usize::from(user > 35)];
        for code in 0..90 {
            let (phone, session, kind) = (code / 15 + 1, code / 5 % 3 + 1, code % 5 + 1);
            names.push(format!(
                "{part}_files/{phone}_{session}_{user:02}_{kind}.avi"
            ));
        }
    }
    let path = folder.path();
    fs::write(path.join("oulu.txt"), names.join("\n")).unwrap();
    fs::create_dir(path.join("empty")).unwrap();
    let index = "index oulu_npu --root empty --listing oulu.txt --out oulu.csv";
    let run = data(path, index);
    assert_eq!(run.code, 0, "{}", run.errors);
    let run = data(path, "protocol oulu_npu/P4_3 --index oulu.csv --out P4_3");
    assert_eq!(run.code, 0, "{}", run.errors);
    assert!(
        run.errors.contains("test: 20 bona fide, 40 attacks"),
        "{}",
        run.errors
    );
    let test = fs::read_to_string(path.join("P4_3/test.csv")).unwrap();
    assert_eq!(test.lines().count(), 61);
    let run = data(path, "leaks --protocol P4_3");
    assert_eq!((run.code, run.output.as_str()), (0, "no leak found\n"));

    let run = data(path, "protocol oulu_npu/P1 --show");
    assert_eq!(run.code, 0);
    // The same with the third session in training, which the counts tell.
    fs::write(
        path.join("mine.toml"),
        run.output.replacen("\"2\",", "\"2\",\n    \"3\",", 1),
    )
    .unwrap();
    let run = data(
        path,
        "protocol --file mine.toml --index oulu.csv --out mine",
    );
    assert_eq!(run.code, 1);
    assert!(
        run.errors
            .contains("published 240 bona fide + 960 attacks, here 360 + 1440"),
        "{}",
        run.errors
    );
    let run = data(path, "protocol --list");
    assert!(run.output.contains("OCI->M@ssdg"), "{}", run.output);
    let run = data(path, "protocol oulu_npu/P9 --out x");
    assert!(
        run.errors
            .contains("unknown protocol `oulu_npu/P9`; similar are oulu_npu/P1"),
        "{}",
        run.errors
    );
}

/// Six clips of two people of each of the four sets, by their true names.
const OCIM: [(&str, &str, &[&str]); 4] = [
    (
        "oulu_npu",
        "avi",
        &[
            "Train_files/1_1_01_1",
            "Train_files/1_1_01_2",
            "Train_files/1_1_01_4",
            "Test_files/1_1_36_1",
            "Test_files/1_1_36_2",
            "Test_files/1_1_36_4",
        ],
    ),
    (
        "casia_fasd",
        "avi",
        &[
            "train_release/1/1",
            "train_release/1/3",
            "train_release/1/7",
            "test_release/1/1",
            "test_release/1/3",
            "test_release/1/7",
        ],
    ),
    (
        "replay_attack",
        "mov",
        &[
            "train/real/client001_session01_webcam_authenticate_adverse_1",
            "train/attack/fixed/attack_print_client001_session01_highdef_photo_adverse",
            "train/attack/hand/attack_mobile_client001_session01_mobile_video_adverse",
            "test/real/client009_session01_webcam_authenticate_adverse_1",
            "test/attack/fixed/attack_print_client009_session01_highdef_photo_adverse",
            "test/attack/hand/attack_mobile_client009_session01_mobile_video_adverse",
        ],
    ),
    (
        "msu_mfsd",
        "mov",
        &[
            "scene01/real/real_client001_laptop_SD_scene01",
            "scene01/attack/attack_client001_laptop_SD_ipad_video_scene01",
            "scene01/attack/attack_client001_laptop_SD_printed_photo_scene01",
            "scene01/real/real_client002_laptop_SD_scene01",
            "scene01/attack/attack_client002_laptop_SD_ipad_video_scene01",
            "scene01/attack/attack_client002_laptop_SD_printed_photo_scene01",
        ],
    ),
];

/// The four sets below `folder`, every clip ten frames of 40 x 40, and `datasets.toml`; false without ffmpeg.
fn ocim(folder: &std::path::Path) -> bool {
    if fas_data::Ffmpeg::find().is_err() {
        println!("skipped: install ffmpeg");
        return false;
    }
    let mut text = String::new();
    for (number, (name, container, clips)) in OCIM.iter().enumerate() {
        let colour = ["red", "green", "blue", "gray"][number];
        let clip = folder.join(format!("{name}.{container}"));
        let made = std::process::Command::new("ffmpeg")
            .args(["-nostdin", "-v", "error", "-f", "lavfi", "-i"])
            .arg(format!("color={colour}:size=40x40:rate=25"))
            .args(["-frames:v", "10", "-c:v", "mjpeg"])
            .arg(&clip)
            .status()
            .unwrap();
        assert!(made.success());
        for stem in *clips {
            let path = folder.join(format!("{name}/{stem}.{container}"));
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::copy(&clip, path).unwrap();
        }
        text += &format!("[{name}]\nroot = \"{name}\"\n");
    }
    fs::write(folder.join("my.toml"), text).unwrap();
    true
}

#[test]
fn a_protocol_becomes_one_manifest_that_is_trained_on() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    if !ocim(path) {
        return;
    }
    let mut indices = String::new();
    for (name, ..) in OCIM {
        let run = data(
            path,
            &format!("index {name} --datasets my.toml --out {name}.csv"),
        );
        assert_eq!(run.code, 0, "{}", run.errors);
        indices += &format!(" --index {name}.csv");
    }
    let protocol = format!("protocol OCI->M@ssdg{indices} --out ocim --partial");
    let run = data(path, &protocol);
    assert_eq!(run.code, 0, "{}", run.errors);
    // An index that is given twice would count everybody twice.
    let run = data(path, &format!("{protocol} --index oulu_npu.csv"));
    assert_eq!(run.code, 1);
    assert!(
        run.errors
            .contains("is listed twice, in oulu_npu.csv and in oulu_npu.csv"),
        "{}",
        run.errors
    );

    let frames = "frames --protocol ocim --datasets my.toml --out frames";
    let run = data(path, frames);
    assert_eq!(run.code, 0, "{}", run.errors);
    assert!(
        run.errors.contains("train: 18 recordings, frames: ssdg 1"),
        "{}",
        run.errors
    );
    assert!(
        run.errors.contains("test: 6 recordings, frames: ssdg 2"),
        "{}",
        run.errors
    );
    let train = [
        "train",
        "classifier",
        "frames/manifest.csv",
        "--protocol",
        "OCI->M",
        "--objective",
        "cross-entropy",
        "--size",
        "32",
        "--steps",
        "1",
        "--batch",
        "4",
        "--out",
        "detector.safetensors",
    ];
    let run = fas(path, &train);
    assert_eq!(run.code, 1);
    assert!(
        run.errors
            .contains("development part has no bona_fide sample")
            && run.errors.contains("--carve-development 0.2"),
        "{}",
        run.errors
    );

    // The same frames; of each source one of two people goes to development.
    let run = data(path, &format!("{frames} --carve-development 0.5"));
    assert_eq!(run.code, 0, "{}", run.errors);
    assert!(
        run.errors.contains("24 of 24 recordings are done"),
        "{}",
        run.errors
    );
    assert!(
        run.errors
            .contains("oulu_npu: 1 in development, of 2 people in training"),
        "{}",
        run.errors
    );
    let manifest = fas_data::Manifest::read(path.join("frames/manifest.csv")).unwrap();
    let domains = manifest.domains();
    let domains: Vec<&str> = domains.iter().map(String::as_str).collect();
    let protocol = fas_data::Protocol::from_name("OCI->M", &domains).unwrap();
    let splits = protocol.select(&manifest).unwrap();
    let guard = fas_data::LeakageGuard::new(&protocol);
    guard.check_splits(&splits).unwrap();
    assert_eq!(
        (
            splits.train.len(),
            splits.development.len(),
            splits.test.len()
        ),
        (9, 9, 12)
    );
    for sample in splits.train.iter().chain(&splits.development) {
        assert_ne!(sample.domain, "msu_mfsd");
        assert!(sample.id.ends_with("/6"), "{}", sample.id);
    }
    for sample in &splits.test {
        assert_eq!(sample.domain, "msu_mfsd");
    }
    let bona_fide = splits
        .test
        .iter()
        .filter(|s| s.label.is_bona_fide())
        .count();
    assert_eq!(bona_fide, 4);
    let run = fas(path, &train);
    assert_eq!(run.code, 0, "{}", run.errors);
    assert!(
        run.output.starts_with("OCI->M, test split of msu_mfsd:"),
        "{}",
        run.output
    );

    // Another choice of frames for every part, into another folder.
    let run = data(
        path,
        "frames --protocol ocim --datasets my.toml --policy first --count 3 --out three",
    );
    assert_eq!(run.code, 0, "{}", run.errors);
    let three = fas_data::Manifest::read(path.join("three/manifest.csv")).unwrap();
    assert_eq!(three.samples().len(), 24 * 3);
    let run = data(
        path,
        "frames --protocol ocim --datasets my.toml --count 3 --out four",
    );
    assert_eq!(run.code, 2);
    assert!(run.errors.contains("name a --policy too"), "{}", run.errors);
    fs::write(path.join("my.toml"), "[oulu_npu]\nroot = \"oulu_npu\"\n").unwrap();
    let run = data(path, "frames --protocol ocim --datasets my.toml --out four");
    assert_eq!(run.code, 1);
    assert!(
        run.errors.contains("data set `casia_fasd` has no root"),
        "{}",
        run.errors
    );
}
