//! `fas simulate`, run as a user runs it.

mod program;

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use fas_data::{Manifest, Split};
use image::{Rgb, RgbImage};
use program::fas;

/// `count` pictures of a dark disc on a bright ground, one a person.
fn write_faces(folder: &Path, count: u32) {
    fs::create_dir_all(folder).unwrap();
    for person in 0..count {
        let face = RgbImage::from_fn(32, 40, |x, y| {
            let (dx, dy) = (x as f32 - 16.0, y as f32 - 20.0);
            let inside = dx.hypot(dy) < 12.0;
            let tone = if inside { 90 + 10 * person as u8 } else { 220 };
            Rgb([tone, tone - 20, tone - 40])
        });
        face.save(folder.join(format!("p{person}.png"))).unwrap();
    }
}

#[test]
fn a_benchmark_folder_with_its_manifest() {
    let folder = tempfile::tempdir().unwrap();
    write_faces(&folder.path().join("faces"), 8);
    let arguments = [
        "simulate",
        "faces",
        "--out",
        "out",
        "--size",
        "32",
        "--domains",
        "sim-C,sim-C+sim-M",
        "--attacks",
        "print_halftone,replay_lcd",
        "--seed",
        "5",
    ];
    let run = fas(folder.path(), &arguments);
    assert_eq!(run.code, 0, "{}", run.errors);
    assert!(run.output.contains("out: 24 images"), "{}", run.output);
    let manifest = Manifest::read(folder.path().join("out/manifest.csv")).unwrap();
    assert_eq!(manifest.samples().len(), 24);
    assert_eq!(manifest.domains(), ["sim-C", "sim-C+sim-M"]);
    for sample in manifest.samples() {
        let image = fas_data::load_rgb(manifest.image_path(sample)).unwrap();
        assert_eq!(image.dimensions(), (32, 32));
    }
    let of_split = |split: Split| -> BTreeSet<&str> {
        let samples = manifest
            .samples()
            .iter()
            .filter(|sample| sample.split == split);
        samples.map(|sample| sample.subject.as_str()).collect()
    };
    let splits = Split::ALL.map(of_split);
    assert_eq!(splits.each_ref().map(BTreeSet::len), [4, 2, 2]);
    assert_eq!(splits.iter().flatten().collect::<BTreeSet<_>>().len(), 8);

    // The same command elsewhere gives the same bytes; into the same folder it refuses.
    let mut again = arguments;
    again[3] = "again";
    assert_eq!(fas(folder.path(), &again).code, 0);
    for sample in manifest.samples() {
        let bytes = |out: &str| fs::read(folder.path().join(out).join(&sample.path)).unwrap();
        assert_eq!(bytes("out"), bytes("again"), "{}", sample.id);
    }
    let refused = fas(folder.path(), &arguments);
    assert_eq!(refused.code, 1);
    assert!(
        refused.errors.contains("`out` exists already"),
        "{}",
        refused.errors
    );
}

#[test]
fn errors_say_what_to_do() {
    let folder = tempfile::tempdir().unwrap();
    let faces = folder.path().join("faces");
    write_faces(&faces, 3);
    let fails = |arguments: &[&str], code: i32, expected: &str| {
        let run = fas(
            folder.path(),
            &[&["simulate", "faces", "--out", "out"], arguments].concat(),
        );
        assert_eq!(run.code, code, "{arguments:?}: {}", run.errors);
        assert!(
            run.errors.contains(expected),
            "{arguments:?}: {}",
            run.errors
        );
        assert!(!folder.path().join("out").exists());
    };
    fails(
        &[],
        1,
        "at least 16 are needed; give more people, or name fewer --domains",
    );
    fails(&["--domains", "sim-X"], 2, "unknown domain `sim-X`");
    fails(
        &["--attacks", "photo"],
        2,
        "no attack has this name; known are print_halftone, ",
    );
    fails(&["--attacks", "bona_fide"], 2, "no attack has this name");
    let twice = "--domains names `sim-C` twice";
    fails(&["--domains", "sim-C,sim-C"], 2, twice);
    let twice = "--attacks names `mask_paper` twice";
    fails(&["--attacks", "mask_paper,mask_paper"], 2, twice);
    fails(&["--size", "8"], 2, "16..=1024");
    fails(&["--captures", "0"], 2, "--captures");
    fails(&["--synthetic", "16"], 2, "cannot be used with");
    fails(&["--train", "2"], 2, "--development");
    fails(
        &[
            "--domains",
            "sim-C",
            "--train",
            "9",
            "--development",
            "1",
            "--test",
            "1",
        ],
        1,
        "needs 11 subjects",
    );
    fs::write(faces.join("broken.png"), "no image").unwrap();
    fails(&[], 1, "1 of 4 images cannot be read, the first: faces");
    let skipping = ["--skip-unreadable", "--domains", "sim-C"];
    fails(&skipping, 1, "warning: left out: faces");
    fs::rename(faces.join("p0.png"), faces.join("p1_smiling.png")).unwrap();
    fails(
        &["--skip-unreadable"],
        1,
        "may show one person; say who is in an image: --subject-by",
    );
    write_faces(&faces.join("below"), 1);
    fails(
        &["--skip-unreadable"],
        1,
        "images lie in folders below; say who",
    );
}

#[test]
fn a_folder_may_be_a_person() {
    let folder = tempfile::tempdir().unwrap();
    for person in ["ann", "bob", "cid", "dee"] {
        write_faces(&folder.path().join("faces").join(person), 2);
    }
    let arguments = [
        "simulate",
        "faces",
        "--out",
        "out",
        "--size",
        "16",
        "--domains",
        "sim-M",
        "--attacks",
        "mask_paper",
        "--subject-by",
        "folder",
        "--captures",
        "2",
    ];
    let run = fas(folder.path(), &arguments);
    assert_eq!(run.code, 0, "{}", run.errors);
    let manifest = Manifest::read(folder.path().join("out/manifest.csv")).unwrap();
    let subjects: BTreeSet<_> = manifest
        .samples()
        .iter()
        .map(|s| s.subject.as_str())
        .collect();
    assert_eq!(
        subjects.into_iter().collect::<Vec<_>>(),
        ["ann", "bob", "cid", "dee"]
    );
    assert_eq!(manifest.samples().len(), 4 * 2 * 2);
}

#[test]
fn synthetic_people_need_no_folder() {
    let folder = tempfile::tempdir().unwrap();
    let simulate = |out: &str, more: &[&str]| {
        let arguments = [
            "simulate",
            "--out",
            out,
            "--domains",
            "sim-I",
            "--attacks",
            "replay_oled",
            "--captures",
            "2",
        ];
        fas(folder.path(), &[&arguments, more].concat())
    };
    let manifest =
        |out: &str| Manifest::read(folder.path().join(out).join("manifest.csv")).unwrap();
    let run = simulate("new/out", &["--synthetic", "4", "--seed", "3"]);
    assert_eq!((run.code, run.errors.as_str()), (0, ""), "{}", run.errors);
    assert!(run.output.contains("out: 16 images"), "{}", run.output);
    let first = manifest("new/out");
    let subjects: BTreeSet<_> = first.samples().iter().map(|s| &s.subject).collect();
    assert_eq!(subjects.len(), 4);
    assert!(subjects.iter().all(|name| name.starts_with("synthetic-")));

    // The seed chooses the people; the same command gives the same bytes.
    assert_eq!(
        simulate("again", &["--synthetic", "4", "--seed", "3"]).code,
        0
    );
    for sample in first.samples() {
        let bytes = |out: &str| fs::read(folder.path().join(out).join(&sample.path)).unwrap();
        assert_eq!(bytes("new/out"), bytes("again"), "{}", sample.id);
    }
    assert_eq!(
        simulate("other", &["--synthetic", "4", "--seed", "4"]).code,
        0
    );
    let other = manifest("other");
    assert!(
        other
            .samples()
            .iter()
            .all(|s| !subjects.contains(&s.subject))
    );

    let large = simulate("large", &["--synthetic", "4", "--size", "128"]);
    assert_eq!(large.code, 0);
    assert!(
        large.errors.contains("synthetic faces have 64 pixels"),
        "{}",
        large.errors
    );
    let few = simulate("few", &["--synthetic", "3"]);
    assert_eq!(few.code, 1);
    assert!(
        few.errors.contains("at least 4 are needed"),
        "{}",
        few.errors
    );
    let neither = simulate("neither", &[]);
    assert_eq!(neither.code, 2);
    let choice = "FACES|--synthetic <N>";
    assert!(neither.errors.contains(choice), "{}", neither.errors);
    let mixed = simulate("mixed", &["--synthetic", "4", "--subject-by", "file"]);
    assert_eq!(mixed.code, 2, "{}", mixed.errors);
}

#[test]
fn a_place_that_cannot_be_written_is_refused_at_once() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("file"), "").unwrap();
    // The faces do not exist either; the place comes first.
    let run = fas(folder.path(), &["simulate", "faces", "--out", "file/out"]);
    assert_eq!(run.code, 1);
    let expected = "cannot write file/out: `file` is no folder; write elsewhere";
    assert!(run.errors.contains(expected), "{}", run.errors);
}
