//! `fas quality`, run as a user runs it.

mod program;

use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};
use program::fas;

/// A deterministic texture that BRISQUE can score.
fn texture(side: u32, seed: u32) -> RgbImage {
    let mut state = seed;
    RgbImage::from_fn(side, side, |x, y| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        let wave = ((x as f32 / 5.0).sin() + (y as f32 / 7.0).cos()) * 40.0 + 128.0;
        let value = (wave + (state >> 27) as f32) as u8;
        Rgb([value, value / 2 + 60, 255 - value])
    })
}

/// Two good images, one of them in a folder below, a blank one, a text and a note.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let photos = folder.path().join("photos");
    fs::create_dir_all(photos.join("deep")).unwrap();
    texture(64, 1).save(photos.join("a.png")).unwrap();
    texture(96, 2).save(photos.join("deep/b.png")).unwrap();
    RgbImage::new(64, 64)
        .save(photos.join("blank.png"))
        .unwrap();
    fs::write(photos.join("text.jpg"), "no image").unwrap();
    fs::write(photos.join("note.txt"), "no image either").unwrap();
    folder
}

fn rows(text: &str) -> Vec<[String; 3]> {
    let mut reader = csv::Reader::from_reader(text.as_bytes());
    assert_eq!(
        reader.headers().unwrap(),
        ["path", "score", "error"].as_slice()
    );
    reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            [0, 1, 2].map(|index| record[index].to_owned())
        })
        .collect()
}

#[test]
fn every_file_gets_a_row_and_a_failure_the_exit_code() {
    let folder = folder();
    let run = fas(folder.path(), &["quality", "photos", "gone.png", "--csv"]);
    assert_eq!(run.code, 1);
    assert!(
        run.errors.contains("3 of 5 have no score"),
        "{}",
        run.errors
    );
    let rows = rows(&run.output);
    let paths: Vec<_> = rows.iter().map(|row| row[0].as_str()).collect();
    let expected = [
        "photos/a.png",
        "photos/blank.png",
        "photos/deep/b.png",
        "photos/text.jpg",
        "gone.png",
    ];
    assert_eq!(
        paths,
        expected.map(|path| path.replace('/', std::path::MAIN_SEPARATOR_STR))
    );
    for (row, scored) in rows.iter().zip([true, false, true, false, false]) {
        assert_eq!(
            row[1].parse::<f64>().is_ok_and(f64::is_finite),
            scored,
            "{row:?}"
        );
        assert_eq!(row[2].is_empty(), scored, "{row:?}");
    }
    assert!(rows[1][2].contains("degenerate image"), "{:?}", rows[1]);
    assert!(rows[4][2].contains("gone.png"), "{:?}", rows[4]);
}

#[test]
fn scores_are_those_of_the_library() {
    let folder = folder();
    let run = fas(
        folder.path(),
        &["quality", "photos/a.png", "photos/deep/b.png", "--csv"],
    );
    assert_eq!(run.code, 0, "{}", run.errors);
    let brisque = fas_quality::Brisque::new();
    for (row, image) in rows(&run.output)
        .iter()
        .zip([texture(64, 1), texture(96, 2)])
    {
        assert_eq!(
            row[1].parse::<f64>().unwrap(),
            brisque.score(&image).unwrap()
        );
    }
}

#[test]
fn the_table_and_the_file() {
    let folder = folder();
    let run = fas(folder.path(), &["quality", "photos"]);
    assert_eq!(run.code, 1);
    assert!(run.output.starts_with("  score  path\n"), "{}", run.output);
    assert!(run.output.contains("2 images: mean"), "{}", run.output);
    let text = Path::new("photos").join("text.jpg").display().to_string();
    assert_eq!(run.output.matches(&text).count(), 1, "{}", run.output);
    let run = fas(
        folder.path(),
        &["quality", "photos", "--csv", "--out", "quality.csv"],
    );
    assert_eq!((run.code, run.output.as_str()), (1, ""));
    assert_eq!(rows(&read(folder.path(), "quality.csv")).len(), 4);
}

#[test]
fn an_empty_folder_is_a_failure_with_a_row() {
    let folder = folder();
    fs::create_dir(folder.path().join("empty")).unwrap();
    let run = fas(
        folder.path(),
        &["quality", "empty", "photos/a.png", "--csv"],
    );
    assert_eq!(run.code, 1);
    let rows = rows(&run.output);
    assert_eq!(rows.len(), 2);
    assert!(
        rows[0][0] == "empty" && rows[0][2].contains("no image"),
        "{rows:?}"
    );
}

#[test]
fn a_file_that_cannot_be_written_is_refused_at_once() {
    let folder = folder();
    for (out, expected) in [
        (
            "none/q.csv",
            "cannot write none/q.csv: `none` is no folder; create it first",
        ),
        ("photos", "cannot write photos: it is a folder; name a file"),
    ] {
        // The image does not exist either; the place comes first.
        let run = fas(folder.path(), &["quality", "gone.png", "--out", out]);
        assert_eq!((run.code, run.output.as_str()), (1, ""));
        assert!(run.errors.contains(expected), "{}", run.errors);
    }
}

#[test]
#[cfg(unix)]
fn a_name_that_is_no_text_survives() {
    use std::ffi::OsStr;
    use std::os::unix::ffi::OsStrExt;
    use std::process::Command;

    let folder = folder();
    let name = OsStr::from_bytes(b"caf\xe9.png");
    fs::copy(folder.path().join("photos/a.png"), folder.path().join(name)).unwrap();
    let run = Command::new(env!("CARGO_BIN_EXE_fas"))
        .args([OsStr::new("quality"), name, OsStr::new("--csv")])
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(run.status.success());
    assert!(run.stdout.starts_with(b"path,score,error\ncaf\xe9.png,"));
}

fn read(folder: &Path, name: &str) -> String {
    fs::read_to_string(folder.join(name)).unwrap()
}
