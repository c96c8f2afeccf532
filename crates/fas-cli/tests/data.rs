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
