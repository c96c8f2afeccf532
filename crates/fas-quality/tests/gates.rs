//! Every gate of `tests/brisque/README.md` on every image of `tests/brisque/fixture.csv`.
//!
//! Prints one line an image: `gate <image> <class> f64=<error> f32=<error> ...`.

use std::path::{Path, PathBuf};

use fas_quality::{Brisque, GrayPlane, HalfPlane, NUM_FEATURES, QualityError};
use image::RgbImage;
use sha2::{Digest, Sha256};

/// Distance of two neighbouring grid points of a shape.
const GRID_STEP: f64 = 0.001;
/// Features that are shapes: of the GGD, then of each AGGD, at both scales.
const SHAPES: [usize; 10] = [0, 2, 6, 10, 14, 18, 20, 24, 28, 32];

/// One row of the fixture.
struct Case {
    name: String,
    class: String,
    gray_sha256: String,
    gray_sum: u64,
    half_size: (usize, usize),
    half_sum: i64,
    release_score: f64,
    ref_score: f64,
    features: [f64; NUM_FEATURES],
    image: RgbImage,
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/brisque")
}

fn cases() -> Vec<Case> {
    let mut reader = csv::Reader::from_path(folder().join("fixture.csv")).unwrap();
    let headers = reader.headers().unwrap().clone();
    let cases: Vec<Case> = reader
        .records()
        .map(|record| {
            let record = record.unwrap();
            let text = |name: &str| {
                let column = headers.iter().position(|h| h == name);
                record[column.unwrap_or_else(|| panic!("column {name}"))].to_owned()
            };
            let number = |name: &str| text(name).parse::<f64>().unwrap();
            let name = text("image");
            let image = image::open(folder().join("images").join(&name))
                .unwrap()
                .to_rgb8();
            Case {
                class: text("class"),
                gray_sha256: text("gray_u8_sha256"),
                gray_sum: text("gray_sum").parse().unwrap(),
                half_size: (
                    text("half_w").parse().unwrap(),
                    text("half_h").parse().unwrap(),
                ),
                half_sum: text("half_sum_x65536").parse().unwrap(),
                release_score: number("octave_release_score"),
                ref_score: number("ref_score"),
                features: std::array::from_fn(|k| number(&format!("f{:02}", k + 1))),
                image,
                name,
            }
        })
        .collect();
    assert_eq!(cases.len(), 58, "rows of fixture.csv");
    cases
}

/// Worst error of features that are not shapes, and largest number of grid steps of a shape.
fn compare_features(found: &[f64; NUM_FEATURES], case: &Case) -> (f64, u32) {
    let (mut worst, mut steps) = (0.0_f64, 0);
    for (k, (a, b)) in found.iter().zip(&case.features).enumerate() {
        if SHAPES.contains(&k) {
            steps = steps.max(((a - b).abs() / GRID_STEP).round() as u32);
        } else {
            worst = worst.max((a - b).abs());
        }
    }
    (worst, steps)
}

/// What a gate says: a line for the log, and what failed.
#[derive(Default)]
struct Outcome {
    line: String,
    failures: Vec<String>,
}

impl Outcome {
    fn gate(&mut self, name: &str, error: f64, limit: f64) {
        self.line
            .push_str(&format!(" {name}={error:.2e}/{limit:.0e}"));
        if error.is_nan() || error > limit {
            self.failures
                .push(format!("{name} {error:.3e} > {limit:.0e}"));
        }
    }
}

fn check(brisque: &Brisque, case: &Case) -> Outcome {
    let mut outcome = Outcome::default();
    if case.class == "degenerate" {
        for (name, found) in [
            ("f64", brisque.score_f64(&case.image)),
            ("f32", brisque.score(&case.image)),
        ] {
            match found {
                Ok(score) => outcome.failures.push(format!("{name} scored {score}")),
                Err(error) => {
                    assert!(matches!(
                        error,
                        QualityError::OneSided { .. }
                            | QualityError::TooSmall { .. }
                            | QualityError::NoContrast { .. }
                    ));
                    outcome.line.push_str(&format!(" {name}: {error};"));
                }
            }
        }
        return outcome;
    }
    let features = brisque.features_f64(&case.image).unwrap();
    let fast_features = brisque.features(&case.image).unwrap();
    let score = brisque.score_f64(&case.image).unwrap();
    let fast = brisque.score(&case.image).unwrap();
    let (worst, steps) = compare_features(&features, case);
    let (_, fast_steps) = compare_features(&fast_features, case);
    outcome.gate(
        "svr",
        (brisque.predict(&case.features) - case.ref_score).abs(),
        1e-9,
    );
    let (error, fast_error) = (
        (score - case.ref_score).abs(),
        (fast - case.ref_score).abs(),
    );
    if case.class == "clean" {
        outcome.gate("features", worst, 1e-9);
        outcome.gate("shape_steps", f64::from(steps), 0.0);
        outcome.gate("f64", error, 1e-6);
        outcome.gate("f32", fast_error, if fast_steps > 0 { 0.1 } else { 0.005 });
        outcome.gate("f32_shape_steps", f64::from(fast_steps), 1.0);
        outcome.gate("release", (score - case.release_score).abs(), 0.02);
    } else {
        assert_eq!(case.class, "ties");
        outcome.gate("f64", error, 0.1);
        outcome.gate("f32", fast_error, 0.4);
    }
    outcome
}

#[test]
fn scores_meet_every_gate() {
    let brisque = Brisque::new();
    let mut failed = Vec::new();
    let cases = cases();
    for case in &cases {
        let outcome = check(&brisque, case);
        let verdict = if outcome.failures.is_empty() {
            "ok"
        } else {
            "FAIL"
        };
        println!(
            "gate {:32} {:10}{} {verdict}",
            case.name, case.class, outcome.line
        );
        failed.extend(
            outcome
                .failures
                .into_iter()
                .map(|text| format!("{}: {text}", case.name)),
        );
    }
    assert!(
        failed.is_empty(),
        "{} gates failed:\n{}",
        failed.len(),
        failed.join("\n")
    );
}

#[test]
fn grey_and_half_planes_are_exact() {
    for case in cases() {
        let plane = GrayPlane::from_rgb(&case.image);
        let sum: u64 = plane.values().iter().map(|&v| u64::from(v)).sum();
        let digest: String = Sha256::digest(plane.values())
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            (sum, digest),
            (case.gray_sum, case.gray_sha256),
            "{}",
            case.name
        );
        let half = HalfPlane::from_gray(&plane);
        assert_eq!(
            (half.width(), half.height()),
            case.half_size,
            "{}",
            case.name
        );
        let sum: i64 = half.values().iter().map(|&v| i64::from(v)).sum();
        assert_eq!(sum, case.half_sum, "{}", case.name);
    }
}

#[test]
fn many_images_score_as_one_by_one() {
    let brisque = Brisque::new();
    let images: Vec<RgbImage> = cases().into_iter().map(|case| case.image).collect();
    let one_by_one: Vec<_> = images.iter().map(|image| brisque.score(image)).collect();
    assert_eq!(brisque.score_many(&images), one_by_one);
}
