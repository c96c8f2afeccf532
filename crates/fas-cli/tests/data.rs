//! `fas data`, run as a user runs it.

mod program;

use std::fs;

use program::{Run, fas};

/// Runs `fas data` with the words of `line`.
fn data(folder: &std::path::Path, line: &str) -> Run {
    let words = std::iter::once("data").chain(line.split_whitespace());
    fas(folder, &words.collect::<Vec<_>>())
}

/// MSU-MFSD by its rule, every file one byte.
fn msu() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let clients = [
        1, 2, 3, 5, 6, 7, 8, 9, 11, 12, 13, 14, 21, 22, 23, 24, 26, 28, 29, 30, 32, 33, 34, 35, 36,
        37, 39, 42, 48, 49, 50, 51, 53, 54, 55,
    ];
    for class in ["real", "attack"] {
        fs::create_dir_all(folder.path().join("msu/scene01").join(class)).unwrap();
    }
    for client in clients {
        for (device, container) in [("android", "mp4"), ("laptop", "mov")] {
            let mut names = vec![format!("real/real_client{client:03}_{device}_SD_scene01")];
            for instrument in ["ipad_video", "iphone_video", "printed_photo"] {
                names.push(format!(
                    "attack/attack_client{client:03}_{device}_SD_{instrument}_scene01"
                ));
            }
            for name in names {
                let path = folder
                    .path()
                    .join(format!("msu/scene01/{name}.{container}"));
                // The start of an MP4 or MOV file; the name makes each another.
                fs::write(path, format!("\0\0\0\u{14}ftypqt  {name}")).unwrap();
            }
        }
    }
    folder
}

#[test]
fn a_complete_copy_is_indexed_and_checked() {
    let folder = msu();
    fs::write(
        folder.path().join("datasets.toml"),
        "[msu_mfsd]\nroot = \"msu\"\n",
    )
    .unwrap();
    let run = data(folder.path(), "check msu_mfsd --depth copies");
    assert_eq!(run.code, 0, "{}{}", run.output, run.errors);
    assert!(
        run.output.ends_with("complete, nothing odd\n"),
        "{}",
        run.output
    );
    assert!(
        run.output.contains("train        bona_fide           30"),
        "{}",
        run.output
    );

    let run = data(folder.path(), "index msu_mfsd --out msu.csv");
    assert_eq!(run.code, 0, "{}", run.errors);
    assert!(
        run.errors.contains("70 bona fide and 210 attacks"),
        "{}",
        run.errors
    );
    let index = fs::read_to_string(folder.path().join("msu.csv")).unwrap();
    assert_eq!(index.lines().count(), 281);
    let turned = index.lines().filter(|line| line.ends_with(",180")).count();
    assert_eq!(turned, 6);

    let run = data(folder.path(), "list");
    assert!(run.output.contains("msu_mfsd  MSU-MFSD"), "{}", run.output);
    assert!(
        run.output.contains("train 30 bona fide + 90 attacks"),
        "{}",
        run.output
    );
}

#[test]
fn a_damaged_copy_is_described() {
    let folder = msu();
    let scene = folder.path().join("msu/scene01");
    fs::remove_file(scene.join("real/real_client001_laptop_SD_scene01.mov")).unwrap();
    fs::write(scene.join("real/holiday.mov"), "x").unwrap();
    fs::write(scene.join("real/real_client002_laptop_SD_scene01.mov"), "").unwrap();
    let run = data(folder.path(), "check msu_mfsd --root msu");
    assert_eq!(run.code, 1);
    for expected in [
        "count: train 30 bona fide + 90 attacks, here 29 bona fide + 90 attacks",
        "missing: 2\n  msu_mfsd/real_client001_laptop_SD_scene01",
        "misnamed: 1\n  scene01/real/holiday.mov: fits no rule",
        "empty: 1",
        "not as published",
    ] {
        assert!(run.output.contains(expected), "{expected}: {}", run.output);
    }
    let run = data(folder.path(), "check oulu --root msu");
    assert_eq!(run.code, 1);
    assert!(
        run.errors.contains("unknown data set `oulu`; known are"),
        "{}",
        run.errors
    );
}

/// Names of WMCA: clients 1 to 72, a third in each part; twelve of each part's attacks are masks worn by people of
/// the next part, the other twelve replays.
fn wmca(folder: &std::path::Path) {
    let mut names = Vec::new();
    for (part, index) in [("train", 0), ("dev", 1), ("eval", 2)] {
        let mut list = String::from(",client_id,filepath,group,label\n");
        for place in 1..=24 {
            let client = index * 24 + place;
            let presenter = (index + 1) % 3 * 24 + place;
            let attack = if place <= 12 {
                format!("{client:03}_02_{presenter:03}_2_12")
            } else {
                format!("{client:03}_02_000_4_01")
            };
            for stem in [format!("{client:03}_01_000_0_00"), attack] {
                list += &format!("0,{client:03},face-station/{stem},{part},x\n");
                names.push(format!("WMCA_preprocessed_RGB/{stem}.hdf5"));
            }
        }
        let path = folder.join(format!("wmca/PROTOCOL-grandtest_{part}.csv"));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, list).unwrap();
    }
    fs::write(folder.join("wmca.txt"), names.join("\r\n")).unwrap();
    let run = data(
        folder,
        "index wmca --root wmca --listing wmca.txt --out wmca.csv",
    );
    assert_eq!(run.code, 0, "{}", run.errors);
    let arguments = "protocol wmca/grandtest --index wmca.csv --out grandtest";
    let run = data(folder, arguments);
    assert_eq!(run.code, 1);
    assert!(
        run.errors
            .contains("train: published 124 bona fide + 441 attacks, here 24 + 24"),
        "{}",
        run.errors
    );
    assert!(!folder.join("grandtest").exists());
    let run = data(folder, &format!("{arguments} --partial"));
    assert_eq!(run.code, 0, "{}", run.errors);
    assert!(
        run.errors.contains("note: presenters cross the parts"),
        "{}",
        run.errors
    );
}

#[test]
fn presenters_of_wmca_leak() {
    let folder = tempfile::tempdir().unwrap();
    wmca(folder.path());
    let run = data(folder.path(), "leaks --protocol grandtest");
    assert_eq!(run.code, 1);
    for line in [
        // Masks of the test part are worn by people of the training part, and so on.
        "leak: test and train share 12 presenter(s), in 12 of test",
        "leak: development and test share 12 presenter(s), in 12 of development",
        "leak: train and development share 12 presenter(s), in 12 of train",
    ] {
        assert!(run.output.contains(line), "{line}: {}", run.output);
    }
    assert!(run.errors.contains("--allow-leak"), "{}", run.errors);
    let run = data(folder.path(), "leaks --protocol grandtest --allow-leak");
    assert_eq!(run.code, 0);
}

#[test]
fn the_published_wmca_list_is_refused_and_cleaned() {
    let folder = tempfile::tempdir().unwrap();
    wmca(folder.path());
    // 6480 distinct pairs of 68 clients, as published.
    let mut pairs = Vec::new();
    for index in 0..6480 {
        let client = index % 68 + 1;
        let (session, pai) = (index / 68 % 7 + 1, index / (68 * 7));
        pairs.push(format!(
            "[\"/0_00/{client:03}_01_000_0_00_Frame_0.png\",\
             \"/4_{pai:02}/{client:03}_{session:02}_000_4_{pai:02}_Frame_0.png\"]"
        ));
    }
    fs::write(
        folder.path().join("WMCA.json"),
        format!("[{}]", pairs.join(",")),
    )
    .unwrap();
    let run = data(folder.path(), "leaks --pairs WMCA.json");
    assert_eq!(run.code, 1, "{}", run.errors);
    assert!(
        run.errors
            .contains("6480 distinct pairs of 68 of wmca people; the published list"),
        "{}",
        run.errors
    );
    assert!(run.errors.contains("knows no parts"), "{}", run.errors);
    let arguments = "leaks --pairs WMCA.json --protocol grandtest";
    let run = data(folder.path(), &format!("{arguments} --clean clean.json"));
    assert_eq!(run.code, 1);
    // Of the test part clients 49 to 68 are in the list, and people 1 to 12, who wear its masks.
    assert!(
        run.output
            .contains("generator and test share 32 person(s) of a generator's pairs, in "),
        "{}",
        run.output
    );
    let clean = fs::read_to_string(folder.path().join("clean.json")).unwrap();
    assert!(
        !clean.contains("/049_") && !clean.contains("/025_"),
        "{clean}"
    );
    let run = data(folder.path(), &format!("{arguments} --allow-leak"));
    assert_eq!(run.code, 0);
}

#[test]
fn the_published_padisi_list_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let pair = |person: u32| {
        format!(
            "[\"/real/ID_{person:024x}_1_a_FACE_x.jpg\",\"/mask_1/ID_{person:024x}_2_b_FACE_x.jpg\"]"
        )
    };
    let pairs: Vec<String> = (0..1416).map(|entry| pair(entry % 354)).collect();
    fs::write(
        folder.path().join("PADISI.json"),
        format!("[{}]", pairs.join(",")),
    )
    .unwrap();
    let run = data(folder.path(), "leaks --pairs PADISI.json");
    assert_eq!(run.code, 1);
    assert!(
        run.errors.contains(
            "1416 entries, 354 distinct pairs of 354 of padisi people; the published list"
        ),
        "{}",
        run.errors
    );
    let run = data(folder.path(), "leaks --pairs PADISI.json --allow-leak");
    assert_eq!(run.code, 0);
}

#[test]
fn images_that_are_copies_are_found() {
    let folder = tempfile::tempdir().unwrap();
    let picture = |seed: u32, side: u32| {
        image::RgbImage::from_fn(side, side, |x, y| {
            let (x, y) = (x as f32 / side as f32, y as f32 / side as f32);
            let seed = seed as f32;
            let value = ((x * (7.0 + seed) + y * 3.0 * seed).sin() + (y * 9.0 - x * seed).cos())
                * 60.0
                + 128.0;
            image::Rgb([value as u8; 3])
        })
    };
    let mut rows = String::from(
        "id,path,label,species,domain,split,subject,video,style,synthetic,quality_score\n",
    );
    for (name, seed, side, split) in [
        ("a", 1, 96, "train"),
        ("b", 2, 96, "train"),
        ("c", 3, 96, "test"),
        ("d", 2, 64, "test"),
    ] {
        picture(seed, side)
            .save(folder.path().join(format!("{name}.png")))
            .unwrap();
        rows += &format!("{name},{name}.png,bona_fide,,x,{split},person {name},,x/live,false,\n");
    }
    fs::write(folder.path().join("manifest.csv"), rows).unwrap();
    let run = data(folder.path(), "leaks --manifest manifest.csv");
    assert_eq!(run.code, 1, "{}{}", run.output, run.errors);
    assert_eq!(
        run.output,
        "leak: train and test share 1 near-duplicate image(s), the first: b.png and d.png\n"
    );
}

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

#[test]
fn frames_become_a_manifest_and_failures_stay_rows() {
    let folder = tempfile::tempdir().unwrap();
    let lab = folder.path().join("lab");
    for (name, grey) in [
        ("train/bona_fide/anna/1.png", 10),
        ("train/print/anna/2.png", 20),
        ("test/bona_fide/bert/3.png", 30),
    ] {
        let path = lab.join(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        image::RgbImage::from_pixel(8, 6, image::Rgb([grey; 3]))
            .save(path)
            .unwrap();
    }
    fs::create_dir_all(lab.join("test/replay/bert")).unwrap();
    fs::write(lab.join("test/replay/bert/4.png"), "no image").unwrap();
    let path = folder.path();
    let run = data(path, "index custom.lab --root lab --out lab.csv");
    assert_eq!(run.code, 0, "{}", run.errors);
    let arguments = "frames custom.lab --root lab --index lab.csv --out frames";
    let run = data(path, arguments);
    assert_eq!(run.code, 1, "{}", run.errors);
    assert!(
        run.errors
            .contains("replay: 1 recordings, 1 without an image (APNRR 1.0000)"),
        "{}",
        run.errors
    );
    assert!(
        run.errors
            .contains("bona_fide: 2 recordings, 0 without an image (BPNRR 0.0000)"),
        "{}",
        run.errors
    );
    let rows = fs::read_to_string(path.join("frames/frames.csv")).unwrap();
    assert_eq!(rows.lines().count(), 5);
    assert!(
        rows.contains("lab/test/replay/bert/4,attack,replay,,,unreadable"),
        "{rows}"
    );
    let manifest = fas_data::Manifest::read(path.join("frames/manifest.csv")).unwrap();
    assert_eq!(manifest.samples().len(), 3);
    let sample = &manifest.samples()[0];
    assert_eq!(sample.subject, "lab/bert");
    assert_eq!(sample.video.as_deref(), Some("lab/test/bona_fide/bert/3"));
    let image = fas_data::load_rgb(manifest.image_path(sample)).unwrap();
    assert_eq!(image.get_pixel(0, 0).0, [30; 3]);

    // Again: only what failed is read, and what is gone.
    let first = fs::read_to_string(path.join("frames/frames.csv")).unwrap();
    fs::remove_file(path.join("frames/lab/train/print/anna/2/00000.png")).unwrap();
    let run = data(path, arguments);
    assert!(
        run.errors.contains("2 of 4 recordings are done already"),
        "{}",
        run.errors
    );
    assert_eq!(
        fs::read_to_string(path.join("frames/frames.csv")).unwrap(),
        first
    );
    assert!(
        path.join("frames/lab/train/print/anna/2/00000.png")
            .exists()
    );

    // A split that is given wins, over the same images; the same frames chosen otherwise are refused.
    let run = data(path, &format!("{arguments} --split development"));
    assert!(
        run.errors.contains("3 of 4 recordings are done"),
        "{}",
        run.errors
    );
    let moved = fas_data::Manifest::read(path.join("frames/manifest.csv")).unwrap();
    for sample in moved.samples() {
        assert_eq!(sample.split, fas_data::Split::Development, "{}", sample.id);
    }
    let before = fs::read(path.join("frames/manifest.csv")).unwrap();
    let run = data(path, &format!("{arguments} --policy first --count 2"));
    assert_eq!(run.code, 1);
    assert!(
        run.errors
            .contains("were chosen by `uniform 1`, not by `first 2`; write to another folder"),
        "{}",
        run.errors
    );
    assert_eq!(fs::read(path.join("frames/manifest.csv")).unwrap(), before);

    // Without a split by folder or option there is none.
    fs::create_dir_all(lab.join("bona_fide/cleo")).unwrap();
    fs::copy(
        lab.join("train/print/anna/2.png"),
        lab.join("bona_fide/cleo/5.png"),
    )
    .unwrap();
    data(path, "index custom.lab --root lab --out lab.csv");
    let run = data(path, arguments);
    assert_eq!(run.code, 1);
    assert!(
        run.errors.contains("`lab/bona_fide/cleo/5` has no split"),
        "{}",
        run.errors
    );
}

#[test]
fn frames_of_something_else_stay() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for name in ["a", "b"] {
        let file = path.join(format!("lab/train/bona_fide/{name}/1.png"));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        image::RgbImage::new(4, 4).save(file).unwrap();
    }
    data(path, "index custom.lab --root lab --out lab.csv");
    let lines = fs::read_to_string(path.join("lab.csv")).unwrap();
    let lines: Vec<&str> = lines.lines().collect();
    for (name, row) in [("a.csv", 1), ("b.csv", 2)] {
        fs::write(path.join(name), format!("{}\n{}\n", lines[0], lines[row])).unwrap();
    }
    let frames = |index: &str, out: &str| {
        data(
            path,
            &format!("frames custom.lab --root lab --index {index} --out {out}"),
        )
    };
    assert_eq!(frames("a.csv", "out").code, 0);
    let run = frames("b.csv", "out");
    assert_eq!(run.code, 1);
    assert!(
        run.errors
            .contains("it holds frames of `lab/train/bona_fide/a/1`, which is not asked for"),
        "{}",
        run.errors
    );
    let manifest = fs::read_to_string(path.join("out/manifest.csv")).unwrap();
    assert!(
        manifest.contains("bona_fide/a/1") && !manifest.contains("bona_fide/b/1"),
        "{manifest}"
    );
    // More of the same is added.
    let run = frames("lab.csv", "out");
    assert!(
        run.errors.contains("1 of 2 recordings are done"),
        "{}",
        run.errors
    );

    fs::create_dir(path.join("other")).unwrap();
    fs::write(path.join("other/manifest.csv"), "id\n").unwrap();
    let run = frames("a.csv", "other");
    assert!(
        run.errors.contains("a manifest of something else"),
        "{}",
        run.errors
    );

    let run = data(
        path,
        "frames oulu_npu --root lab --index lab.csv --out none",
    );
    assert_eq!(run.code, 1);
    assert!(
        run.errors
            .contains("lab.csv: no recording of `oulu_npu`; it has lab. Name one of these"),
        "{}",
        run.errors
    );
    assert!(!path.join("none").exists());
}

#[test]
fn an_interrupted_extraction_goes_on_with_whole_recordings() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    for name in ["a", "b", "c"] {
        let file = path.join(format!("lab/train/bona_fide/{name}/1.png"));
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        image::RgbImage::new(4, 4).save(file).unwrap();
    }
    data(path, "index custom.lab --root lab --out lab.csv");
    let arguments = "frames custom.lab --root lab --index lab.csv --out out";
    assert_eq!(data(path, arguments).code, 0);
    let list = fs::read_to_string(path.join("out/frames.csv")).unwrap();
    let manifest = fs::read(path.join("out/manifest.csv")).unwrap();
    // As if it had been killed while the row of the third was written: the second may lack rows too.
    let rows: Vec<&str> = list.lines().collect();
    let partial = format!("{}\n{}\n{}", rows[1], rows[2], &rows[3][..9]);
    fs::write(path.join("out/frames.csv.partial"), partial).unwrap();
    fs::remove_file(path.join("out/frames.csv")).unwrap();
    fs::remove_file(path.join("out/manifest.csv")).unwrap();
    let run = data(path, arguments);
    assert_eq!(run.code, 0, "{}", run.errors);
    assert!(
        run.errors.contains("1 of 3 recordings are done"),
        "{}",
        run.errors
    );
    assert_eq!(
        fs::read_to_string(path.join("out/frames.csv")).unwrap(),
        list
    );
    assert_eq!(fs::read(path.join("out/manifest.csv")).unwrap(), manifest);
    assert!(!path.join("out/frames.csv.partial").exists());
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

#[test]
fn lists_and_scores_are_converted() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let write = |name: &str, text: &str| fs::write(path.join(name), text).unwrap();
    write("list.txt", "a.png 1\nb.png 0\n");
    let run = data(path, "convert list.txt --from text --to bob");
    assert_eq!(run.code, 1);
    assert!(
        run.errors.contains("does not say what 1 means"),
        "{}",
        run.errors
    );
    let run = data(path, "convert list.txt --from text --one attack --to bob");
    assert_eq!(
        (run.code, run.output.as_str()),
        (0, "filename,subject,attack_type\na.png,,attack\nb.png,,\n")
    );
    // GRAD-GPAD's scores are high for attacks, Bob's for bona fide.
    write("scores.json", "{\"a\": 0.25, \"b\": 0.75}");
    write(
        "annotations.json",
        "{\"annotations\": [{\"id\": \"a\", \"categorization\": {\"coarse_grained_pai\": 0}}, \
         {\"id\": \"b\", \"categorization\": {\"coarse_grained_pai\": 2}}]}",
    );
    let arguments = "convert scores.json --from grad-gpad-scores --labels annotations.json --labels-from grad-gpad-list --to bob";
    let run = data(path, arguments);
    assert_eq!(run.code, 0, "{}", run.errors);
    assert_eq!(
        run.output,
        "claimed_id,test_label,is_bonafide,attack_type,score\n,a,True,,0.75\n,b,False,replay,0.25\n"
    );
    write("scores.json", "{\"a\": 0.75, \"b\": 0.25}");
    let run = data(path, arguments);
    assert_eq!(run.code, 1);
    assert!(
        run.errors.contains("stand on their head: AUC 0.000"),
        "{}",
        run.errors
    );
}

#[test]
fn celeba_boxes_crop_its_photos() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let mut labels = serde_json::Map::new();
    for (photo, kind, text) in [
        ("Data/train/1/live/000001.png", 0, "56 28 112 56 0.9"),
        ("Data/train/1/spoof/000002.png", 1, "-28 0 56 224 0.5"),
        ("Data/train/1/spoof/000003.png", 1, ""),
    ] {
        let file = path.join("celeba").join(photo);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        // Twice and four times the 224 px in which the boxes are measured.
        image::RgbImage::new(448, 896).save(&file).unwrap();
        fs::write(photo_box(&file), text).unwrap();
        let mut numbers = vec![0; 44];
        (numbers[40], numbers[43]) = (kind, kind);
        labels.insert(photo.to_owned(), numbers.into());
    }
    let metas = path.join("celeba/metas/intra_test");
    fs::create_dir_all(&metas).unwrap();
    let labels = serde_json::Value::from(labels).to_string();
    fs::write(metas.join("train_label.json"), labels).unwrap();
    fs::write(metas.join("test_label.json"), "{}").unwrap();
    let run = data(path, "index celeba_spoof --root celeba --out celeba.csv");
    assert_eq!(run.code, 0, "{}", run.errors);
    let arguments = "boxes celeba_spoof --root celeba --index celeba.csv --out boxes.csv";
    let run = data(path, &format!("{arguments} --photos"));
    assert_eq!(run.code, 0, "{}", run.errors);
    assert!(
        run.errors
            .contains("2 boxes in boxes.csv, 1 images have none"),
        "{}",
        run.errors
    );
    assert_eq!(
        fs::read_to_string(path.join("boxes.csv")).unwrap(),
        "path,left,top,right,bottom,score\n\
         Data/train/1/live/000001.png,112,112,336,336,0.9\n\
         Data/train/1/spoof/000002.png,0,0,56,896,0.5\n"
    );
    // By the names of the frames, straight into `fas align`.
    assert_eq!(data(path, arguments).code, 0);
    let frames = "frames celeba_spoof --root celeba --index celeba.csv --out frames";
    assert_eq!(data(path, frames).code, 0);
    let align = [
        "align",
        "frames/manifest.csv",
        "--boxes",
        "boxes.csv",
        "--preset",
        "square",
        "--size",
        "32",
        "--out",
        "crops",
    ];
    let run = fas(path, &align);
    assert!(
        run.errors.contains("1 of 3 photos have no crop"),
        "{}",
        run.errors
    );
    let run = data(
        path,
        "boxes oulu_npu --root celeba --index celeba.csv --out b.csv",
    );
    assert_eq!(run.code, 2);
    assert!(
        run.errors.contains("oulu_npu has no face boxes"),
        "{}",
        run.errors
    );
}

fn photo_box(photo: &std::path::Path) -> std::path::PathBuf {
    let stem = photo.file_stem().unwrap().to_str().unwrap();
    photo.with_file_name(format!("{stem}_BB.txt"))
}
