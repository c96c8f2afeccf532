//! `fas data`, run as a user runs it.

mod frames;
mod leaks;
#[path = "../program/mod.rs"]
mod program;
mod protocol;

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
