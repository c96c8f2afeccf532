//! The Face Research Lab London Set: every face is found, with the pupils where the index has them.
//!
//! Needs `../faces/london_512` and `../faces/faces128/index.csv` beside a folder of `FAS_FIXTURES`; the
//! photos are no part of this repository.

use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::Device;
use fas_align::{Landmarks, Similarity};
use fas_mtcnn::MtcnnConfig;

/// First folder of this name beside a fixture folder, and the fixture folder.
fn beside_fixtures(folder: &str) -> Option<(PathBuf, PathBuf)> {
    let workspace = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let list = std::env::var_os("FAS_FIXTURES")?;
    std::env::split_paths(&list)
        .map(|fixtures| workspace.join(fixtures))
        .map(|fixtures| (fixtures.join("..").join(folder), fixtures))
        .find(|(path, _)| path.exists())
}

/// Measured elsewhere with the released network: every photo detected, pupils 3.2 % of the distance of the
/// eyes off, by another way of comparing.
#[test]
fn faces_and_pupils_of_the_london_set() {
    let Some((faces, fixtures)) = beside_fixtures("faces") else {
        println!("skipped: set FAS_FIXTURES");
        return;
    };
    let mtcnn = MtcnnConfig::new()
        .init(&Device::default())
        .load_weights(fixtures.join("mtcnn_weights.safetensors"))
        .unwrap();
    let mut photos = Vec::new();
    let mut landmarks: Vec<Landmarks> = Vec::new();
    let index = faces.join("faces128/index.csv");
    for record in csv::Reader::from_path(index).unwrap().records() {
        let record = record.unwrap();
        if &record[2] != "london_neutral" {
            continue;
        }
        let name = Path::new(&record[0]).file_name().unwrap();
        let open = |path: PathBuf| image::open(path).unwrap().to_rgb8();
        photos.push(open(faces.join("london_512").join(name)));
        // The landmarks of the index are those of its crops of 128 px.
        let at = |i: usize| record[i].parse::<f32>().unwrap();
        landmarks.push(std::array::from_fn(|point| {
            [at(7 + 2 * point), at(8 + 2 * point)]
        }));
    }
    assert_eq!(photos.len(), 102);

    let start = Instant::now();
    let found: Vec<_> = photos
        .chunks(8)
        .flat_map(|part| mtcnn.detect(part))
        .collect();
    let seconds = start.elapsed().as_secs_f64();
    let with_face = found.iter().filter(|faces| !faces.is_empty()).count();
    let several = found.iter().filter(|faces| faces.len() > 1).count();
    println!(
        "london: a face in {with_face} of {} photos, more than one in {several}; {:.0} ms a photo",
        photos.len(),
        1e3 * seconds / photos.len() as f64
    );
    assert_eq!(with_face, photos.len());

    // How the crops of the index were made is not recorded: the similarity that fits all five landmarks
    // best brings the photo to its crop, and what is left at the pupils is counted.
    let mut errors = Vec::new();
    for (faces, expected) in found.iter().zip(&landmarks) {
        let found = faces[0].landmarks.expect("MTCNN finds landmarks");
        let to_crop = Similarity::between(&found, expected).expect("a face has extent");
        let distance = |a: [f64; 2], b: [f64; 2]| (a[0] - b[0]).hypot(a[1] - b[1]);
        let expected = expected.map(|point| point.map(f64::from));
        let off = (0..2).map(|i| distance(to_crop.apply(found[i].map(f64::from)), expected[i]));
        errors.push(off.sum::<f64>() / 2.0 / distance(expected[0], expected[1]));
    }
    let mean = errors.iter().sum::<f64>() / errors.len() as f64;
    let worst = errors.iter().copied().fold(0.0, f64::max);
    println!(
        "london: pupils {:.2} % of the eye distance off on average, {:.2} % at most",
        100.0 * mean,
        100.0 * worst,
    );
    assert!(mean < 0.03 && worst < 0.08, "{mean} {worst}");
}
