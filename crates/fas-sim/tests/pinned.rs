//! What the built-in domains are and how they look: trained generators depend on both.
//!
//! A change here is a change of the data that the bundled weights were trained on, so it needs new
//! weights, new results and a line in the changelog.

use fas_sim::{Domain, FaceModel, Presentation};
use sha2::{Digest, Sha256};

#[test]
fn the_numbers_of_the_domains_stay() {
    for (domain, pinned) in Domain::all().iter().zip([
        "677db92cca6bec2176b8289f573045a717d366d2a495c2abc09bb18c26addff3",
        "880574c0205d7813685c7bf37d3108774d9b488c08775d5f71250929c4f9092e",
        "dd6e79f868fc238209c222ee06c8cb1609dc181375d61df2a643b8463b497f9f",
        "a68cd13789a936b37387875c3745a3d4a0cfd140f30c8f726669a3e9d9351df5",
    ]) {
        let json = serde_json::to_vec(domain).unwrap();
        let digest: String = Sha256::digest(json)
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(digest, pinned, "{}", domain.name);
    }
}

/// Mean red, green and blue and the standard deviation about them, in 8-bit codes: domain by domain,
/// bona fide first, then the attacks in the order of [`AttackKind::ALL`](fas_sim::AttackKind::ALL).
#[rustfmt::skip]
const LOOKS: [[[f64; 4]; 9]; 4] = [
    // sim-O
    [
        [115.29, 88.98, 78.37, 31.90], // bona_fide
        [118.33, 104.69, 101.99, 31.42], // print_halftone
        [153.63, 142.74, 141.13, 55.90], // print_inkjet
        [122.63, 99.24, 88.11, 35.82], // replay_lcd
        [112.50, 99.24, 96.01, 36.60], // replay_oled
        [125.13, 111.90, 109.96, 49.54], // mask_paper
        [146.33, 123.47, 118.82, 52.09], // mask_resin
        [120.12, 99.08, 87.43, 44.19], // glasses_paper
        [125.06, 110.21, 108.00, 57.26], // glasses_funny_eye
    ],
    // sim-C
    [
        [119.31, 87.76, 70.06, 31.24], // bona_fide
        [122.64, 98.41, 78.12, 28.04], // print_halftone
        [149.82, 133.64, 126.34, 48.54], // print_inkjet
        [108.39, 103.30, 115.37, 30.46], // replay_lcd
        [102.83, 97.68, 110.38, 34.10], // replay_oled
        [132.71, 112.96, 101.02, 47.67], // mask_paper
        [150.47, 120.20, 100.01, 50.43], // mask_resin
        [127.84, 101.50, 85.59, 46.36], // glasses_paper
        [125.08, 99.99, 86.04, 49.49], // glasses_funny_eye
    ],
    // sim-I
    [
        [120.86, 84.16, 59.92, 32.27], // bona_fide
        [106.51, 83.45, 64.60, 33.77], // print_halftone
        [143.76, 118.83, 95.99, 35.34], // print_inkjet
        [116.19, 122.29, 154.77, 27.48], // replay_lcd
        [94.25, 99.82, 130.58, 37.32], // replay_oled
        [122.08, 99.70, 80.89, 37.75], // mask_paper
        [141.67, 104.04, 76.68, 43.36], // mask_resin
        [123.30, 89.60, 63.68, 34.80], // glasses_paper
        [136.12, 99.39, 73.16, 46.38], // glasses_funny_eye
    ],
    // sim-M
    [
        [117.17, 89.81, 76.21, 32.87], // bona_fide
        [130.78, 110.57, 104.65, 29.25], // print_halftone
        [147.60, 135.71, 135.19, 49.84], // print_inkjet
        [122.72, 108.16, 104.20, 42.47], // replay_lcd
        [99.01, 92.45, 99.29, 36.92], // replay_oled
        [138.02, 123.18, 118.43, 56.37], // mask_paper
        [151.50, 132.61, 122.91, 59.19], // mask_resin
        [124.15, 102.07, 91.64, 49.08], // glasses_paper
        [137.46, 113.97, 89.16, 56.10], // glasses_funny_eye
    ],
];

#[test]
fn captures_stay() {
    let face = FaceModel::bundled().unwrap().sample(1, 0);
    for (domain, looks) in Domain::all().iter().zip(LOOKS) {
        for (presentation, expected) in Presentation::all().zip(looks) {
            let image = domain
                .capture(&face, presentation, 64, 1, "pinned")
                .unwrap();
            let pixels = f64::from(image.width() * image.height());
            let mut mean = [0.0; 3];
            for pixel in image.pixels() {
                for (sum, code) in mean.iter_mut().zip(pixel.0) {
                    *sum += f64::from(code) / pixels;
                }
            }
            let squares = image
                .pixels()
                .flat_map(|pixel| (0..3).map(|c| (f64::from(pixel.0[c]) - mean[c]).powi(2)));
            let deviation = (squares.sum::<f64>() / (3.0 * pixels)).sqrt();
            let found = [mean[0], mean[1], mean[2], deviation];
            // Another machine's sine and power may turn single codes.
            assert!(
                found
                    .iter()
                    .zip(expected)
                    .all(|(a, b)| (a - b).abs() < 0.05),
                "{} {presentation}: {found:?}, not {expected:?}",
                domain.name
            );
        }
    }
}
