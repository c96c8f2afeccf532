//! `fas data frames`: pictures and a manifest of recordings.

use std::fs;

use super::data;

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
