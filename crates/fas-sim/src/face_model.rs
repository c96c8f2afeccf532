//! Statistical face model: synthetic people for machines that have no faces at hand.
//!
//! A linear appearance model in the manner of Cootes, Edwards and Taylor (1998, "Active Appearance
//! Models"): five landmarks and the picture warped to their mean shape, each with its principal
//! components. Pictures are modelled in **sRGB-coded** values: a Gaussian in linear light would put
//! much of its mass below black, and its error would be largest where the eye sees least.
//!
//! A synthetic person is one draw of the appearance coefficients. A capture of the person moves
//! pose, expression and side light along directions learned from the training faces
//! (`nuisance.rs`), then shifts, turns and scales the crop by less than two pixels. Nothing in the
//! file is a picture of a person: it holds a mean, components and second-order statistics of
//! 5,197 of them.

mod appearance;
mod detail;
mod draw;
#[cfg(feature = "fit")]
mod fit;
mod nuisance;
mod raster;
mod storage;
mod warp;

use std::sync::OnceLock;

use image::{Rgb, RgbImage};

use self::appearance::Appearance;
use self::detail::Detail;
use self::draw::{capture_stream, person_stream, symmetric, truncated_normal};
use self::nuisance::{NUISANCES, Nuisance};
use self::raster::Raster;
use self::warp::ThinPlateWarp;
use crate::{Face, SimError};

#[cfg(feature = "fit")]
pub use self::fit::FitConfig;

/// Side of a synthetic face, in pixels.
const MODEL_SIZE: usize = 64;
/// Side of the crop in whose pixels landmarks are modelled.
const GEOMETRY_SIZE: u32 = 128;
/// Left eye, right eye, nose, left and right mouth corner, as (x, y).
type Landmarks = [[f32; 2]; 5];
/// Mean shape: the canonical crop geometry made mirror-symmetric, in pixels of a 128 px crop.
///
/// Inside this module pixel `i` covers `[i, i + 1)`, so that scaling a crop scales coordinates; a
/// [`Face`] counts from pixel centres, half a pixel less.
const CANONICAL_LANDMARKS: Landmarks = [
    [39.6, 40.0],
    [86.8, 40.0],
    [63.2, 66.5],
    [43.3, 87.0],
    [83.1, 87.0],
];
/// Axis of symmetry of [`CANONICAL_LANDMARKS`].
const CANONICAL_AXIS: f32 = 63.2;
/// From the canonical geometry to the frame of the components, which is symmetric about its centre.
const FRAME_SHIFT: f32 = GEOMETRY_SIZE as f32 / 2.0 - CANONICAL_AXIS;

/// Scale of the strongest and of the weakest coefficients, and the component in between; 1 would be
/// the fitted Gaussian. Chosen by looking: weak components are sparse in real faces (a pair of
/// glasses, a fringe), and a Gaussian gives everybody a ghost of each.
const TEMPERATURE: (f32, f32, f32) = (0.85, 0.5, 60.0);
/// No coefficient is drawn further out than this many standard deviations.
const LIMIT: f32 = 2.2;
/// Share of the variance of every appearance coefficient that is drawn anew for each capture.
const CAPTURE_SHARE: f32 = 0.02;
/// Scale of the procedural texture.
const DETAIL_STRENGTH: f32 = 0.7;

static BUNDLED: &[u8] = include_bytes!("../assets/face_model.safetensors");

/// Statistical face model; draws synthetic people at 64 px.
///
/// ```
/// use fas_sim::FaceModel;
///
/// let model = FaceModel::bundled()?;
/// let first = model.sample(7, 0);
/// let second = model.sample(7, 1); // the same person, captured again
/// assert_eq!(first.subject, second.subject);
/// assert_ne!(first.image, second.image);
/// # Ok::<(), fas_sim::SimError>(())
/// ```
#[derive(Clone, Debug, PartialEq)]
pub struct FaceModel {
    appearance: Appearance,
    nuisance: Nuisance,
    detail: Detail,
    /// Where the numbers come from; the metadata of the file.
    provenance: std::collections::BTreeMap<String, String>,
}

/// Everything that differs between two captures of two people.
struct Capture {
    /// Appearance coefficients, in standard deviations.
    coefficients: Vec<f32>,
    nuisances: [f32; NUISANCES],
    /// Crop jitter: shift in pixels of a 128 px crop, turn in radians, scale as a logarithm.
    shift: [f32; 2],
    turn: f32,
    log_scale: f32,
    /// Logarithmic gain per half crop, to the right and down, of the fill light.
    light: [f32; 2],
}

impl FaceModel {
    /// The model that comes with the crate; see `assets/README.md` for its card.
    ///
    /// # Errors
    ///
    /// [`SimError::FaceModelFormat`] if the bundled file was altered.
    pub fn bundled() -> Result<&'static Self, SimError> {
        static MODEL: OnceLock<FaceModel> = OnceLock::new();
        if let Some(model) = MODEL.get() {
            return Ok(model);
        }
        let model = storage::decode(BUNDLED, "bundled face model".as_ref())?;
        Ok(MODEL.get_or_init(|| model))
    }

    /// Number of appearance components.
    pub fn components(&self) -> usize {
        self.appearance.components()
    }

    /// Where the model comes from: data, licence, credit, command and digests.
    pub fn provenance(&self) -> &std::collections::BTreeMap<String, String> {
        &self.provenance
    }

    /// Draws one capture of one synthetic person, 64 px.
    ///
    /// The same seeds give the same face. Captures with the same `subject_seed` are the same
    /// person; the subject is named `synthetic-<subject_seed>`.
    pub fn sample(&self, subject_seed: u64, capture_seed: u64) -> Face {
        let capture = self.capture(subject_seed, capture_seed);
        let mut frame = self.appearance.render(&capture.coefficients);
        self.detail.add(&mut frame, DETAIL_STRENGTH, subject_seed);
        light_gradient(&mut frame, capture.light);
        let shape = self.nuisance.landmarks(&capture.nuisances);
        let mut face = draw_face(&Raster::new(MODEL_SIZE, frame), &shape, &capture);
        face.subject = format!("synthetic-{subject_seed}");
        face
    }

    fn capture(&self, subject_seed: u64, capture_seed: u64) -> Capture {
        let mut identity = person_stream(subject_seed, "identity");
        let mut coefficients: Vec<f32> = (0..self.components())
            .map(|k| temperature(k) * truncated_normal(&mut identity, LIMIT))
            .collect();
        let person = self
            .nuisance
            .of_appearance(&coefficients, LIMIT, &mut identity);

        let mut rng = capture_stream(subject_seed, capture_seed);
        let nuisances = self.nuisance.vary(&person, LIMIT, &mut rng);
        let change = std::array::from_fn(|i| nuisances[i] - person[i]);
        for (k, coefficient) in coefficients.iter_mut().enumerate() {
            let fresh = temperature(k) * truncated_normal(&mut rng, LIMIT);
            *coefficient =
                (1.0 - CAPTURE_SHARE).sqrt() * *coefficient + CAPTURE_SHARE.sqrt() * fresh;
        }
        self.nuisance.move_appearance(&mut coefficients, &change);
        Capture {
            coefficients,
            nuisances,
            shift: [symmetric(&mut rng, 1.5), symmetric(&mut rng, 1.5)],
            turn: symmetric(&mut rng, 0.03),
            log_scale: symmetric(&mut rng, 0.02),
            light: [symmetric(&mut rng, 0.12), symmetric(&mut rng, 0.12)],
        }
    }
}

/// Scale of coefficient `component`: falls smoothly from the strongest to the weakest.
fn temperature(component: usize) -> f32 {
    let (strongest, weakest, middle) = TEMPERATURE;
    weakest + (strongest - weakest) / (1.0 + (component as f32 / middle).powi(2))
}

/// Multiplies linear light by `exp(light . position)`, position in `[-1, 1]` over the crop.
///
/// Applied to sRGB-coded values as a power of the gain: 1 / 2.2, the mean slope of the curve.
fn light_gradient(image: &mut [f32], light: [f32; 2]) {
    let centre = (MODEL_SIZE as f32 - 1.0) / 2.0;
    for (i, value) in image.iter_mut().enumerate() {
        let x = (i % MODEL_SIZE) as f32 / centre - 1.0;
        let y = (i / MODEL_SIZE % MODEL_SIZE) as f32 / centre - 1.0;
        *value *= ((light[0] * x + light[1] * y) / 2.2).exp();
    }
}

/// Warps the frame of the components to a face of the given shape, with the capture's crop jitter.
fn draw_face(frame: &Raster, shape: &Landmarks, capture: &Capture) -> Face {
    let to_frame = ThinPlateWarp::new(shape, &frame_landmarks(), [FRAME_SHIFT, 0.0]);
    let centre = GEOMETRY_SIZE as f32 / 2.0;
    let scale = capture.log_scale.exp();
    let (sine, cosine) = capture.turn.sin_cos();
    let step = GEOMETRY_SIZE as f32 / MODEL_SIZE as f32;
    let image = RgbImage::from_fn(MODEL_SIZE as u32, MODEL_SIZE as u32, |x, y| {
        let dx = (x as f32 + 0.5) * step - centre - capture.shift[0];
        let dy = (y as f32 + 0.5) * step - centre - capture.shift[1];
        let still = [
            (cosine * dx + sine * dy) / scale + centre,
            (cosine * dy - sine * dx) / scale + centre,
        ];
        let [u, v] = to_frame.apply(still);
        let rgb = frame.cubic(u / step, v / step);
        Rgb(rgb.map(|value| (value * 255.0).round().clamp(0.0, 255.0) as u8))
    });
    let landmarks = shape.map(|[x, y]| {
        let (dx, dy) = (x - centre, y - centre);
        [
            ((cosine * dx - sine * dy) * scale + centre + capture.shift[0]) / step - 0.5,
            ((sine * dx + cosine * dy) * scale + centre + capture.shift[1]) / step - 0.5,
        ]
    });
    Face {
        image,
        landmarks,
        subject: String::new(),
    }
}

/// Mean shape in the frame of the components.
fn frame_landmarks() -> Landmarks {
    CANONICAL_LANDMARKS.map(|[x, y]| [x + FRAME_SHIFT, y])
}

#[cfg(test)]
mod tests {
    use super::*;
    use sha2::{Digest, Sha256};

    fn distance(a: &[f32], b: &[f32]) -> f32 {
        let squared: f32 = a.iter().zip(b).map(|(x, y)| (x - y).powi(2)).sum();
        squared.sqrt()
    }

    #[test]
    fn same_seeds_same_face() {
        let model = FaceModel::bundled().unwrap();
        let first = model.sample(3, 4);
        let again = model.clone().sample(3, 4);
        assert_eq!(first.image, again.image);
        assert_eq!(first.landmarks, again.landmarks);
        assert_eq!(first.subject, "synthetic-3");
    }

    #[test]
    fn captures_of_a_person_are_closer_than_people() {
        let model = FaceModel::bundled().unwrap();
        let captures: Vec<[Vec<f32>; 2]> = (0..40)
            .map(|subject| [0, 1].map(|seed| model.capture(subject, seed).coefficients))
            .collect();
        for (i, own) in captures.iter().enumerate() {
            let same = distance(&own[0], &own[1]);
            for (j, other) in captures.iter().enumerate() {
                let different = distance(&own[0], &other[1]);
                assert!(
                    i == j || same < 0.6 * different,
                    "{i} {j}: {same} {different}"
                );
            }
        }
    }

    #[test]
    fn bundled_file_is_the_one_in_the_card() {
        let digest: String = Sha256::digest(BUNDLED)
            .iter()
            .map(|b| format!("{b:02x}"))
            .collect();
        let card = include_str!("../assets/README.md");
        assert!(
            card.contains(&digest),
            "assets/README.md lacks the digest {digest}"
        );
        assert!(BUNDLED.len() <= 4 << 20, "{} bytes", BUNDLED.len());
    }

    #[test]
    fn landmarks_stay_near_the_canonical_geometry() {
        let model = FaceModel::bundled().unwrap();
        for subject in 0..50 {
            let face = model.sample(subject, 1);
            assert_eq!(face.image.dimensions(), (64, 64));
            for (got, canonical) in face.landmarks.iter().zip(CANONICAL_LANDMARKS) {
                assert!(
                    distance(got, &canonical.map(|v| v / 2.0)) < 8.0,
                    "{got:?} {canonical:?}"
                );
            }
        }
    }

    #[test]
    fn crop_jitter_moves_landmarks_with_the_picture() {
        // A white spot on the left eye of the frame must land on the reported left eye.
        let mut frame = vec![0.0; 3 * MODEL_SIZE * MODEL_SIZE];
        let eye = frame_landmarks()[0];
        for channel in 0..3 {
            let (x, y) = ((eye[0] / 2.0) as usize, (eye[1] / 2.0) as usize);
            frame[(channel * MODEL_SIZE + y) * MODEL_SIZE + x] = 1.0;
        }
        let mut shape = CANONICAL_LANDMARKS;
        shape[0] = [45.0, 33.0];
        let capture = Capture {
            coefficients: vec![],
            nuisances: [0.0; NUISANCES],
            shift: [6.0, -4.0],
            turn: 0.1,
            log_scale: 0.05,
            light: [0.0; 2],
        };
        let face = draw_face(&Raster::new(MODEL_SIZE, frame), &shape, &capture);
        let brightest = face
            .image
            .enumerate_pixels()
            .max_by_key(|(_, _, p)| p.0[0])
            .unwrap();
        let spot = [brightest.0 as f32, brightest.1 as f32];
        assert!(
            distance(&spot, &face.landmarks[0]) < 1.0,
            "{spot:?} {:?}",
            face.landmarks[0]
        );
    }
}
