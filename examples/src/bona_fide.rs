//! Bona fide faces for training, as everyday cameras see them.

use fas_data::{Sample, Split, flip_landmarks};
use fas_sim::{
    ColourSampling, Domain, Face, Interval, LightConfig, Presentation, QualityProfile, StyleProfile,
};
use image::RgbImage;
use image::imageops::{self, FilterType};
use rayon::prelude::*;

/// A picture of a bona fide face.
#[derive(Debug, Clone)]
pub struct BonaFideView {
    /// The picture, square.
    pub image: RgbImage,
    /// What a data set would say of it.
    pub sample: Sample,
    /// Index of the face it shows.
    pub face: usize,
    /// Whether it is mirrored.
    pub mirrored: bool,
}

/// Views of each face: the photo itself, reduced, and `captures` pictures by cameras from webcam to
/// full HD in household light, every other one mirrored.
///
/// A de-spoofing generator must call all of these normal: a network that saw one camera's pictures
/// only would take another camera for an attack. None of the cameras is that of a simulated domain.
///
/// # Errors
///
/// A message that names the face that cannot be captured.
pub fn bona_fide_views(
    faces: &[Face],
    size: u32,
    captures: usize,
    seed: u64,
) -> Result<Vec<BonaFideView>, String> {
    let cameras = [
        everyday_camera(ColourSampling::Bayer),
        everyday_camera(ColourSampling::Binned),
    ];
    let views: Vec<Vec<BonaFideView>> = faces
        .par_iter()
        .enumerate()
        .map(|(index, face)| {
            let mirror = mirrored(face);
            (0..=captures)
                .map(|view| {
                    let name = format!("bona_fide/{index}/{}/{view}", face.subject);
                    let (shown, flipped) = match view % 2 {
                        0 => (face, false),
                        _ => (&mirror, true),
                    };
                    let image = if view == 0 {
                        imageops::resize(&face.image, size, size, FilterType::Triangle)
                    } else {
                        cameras[(index + view) % 2]
                            .capture(shown, Presentation::BonaFide, size, seed, &name)
                            .map_err(|error| error.to_string())?
                    };
                    Ok(BonaFideView {
                        image,
                        sample: bona_fide_sample(&name, face),
                        face: index,
                        mirrored: flipped,
                    })
                })
                .collect()
        })
        .collect::<Result<_, String>>()?;
    Ok(views.into_iter().flatten().collect())
}

/// The face seen in a mirror.
pub fn mirrored(face: &Face) -> Face {
    let mut mirror = face.clone();
    mirror.image = imageops::flip_horizontal(&face.image);
    mirror.landmarks = flip_landmarks(&face.landmarks, face.image.width());
    mirror
}

fn bona_fide_sample(id: &str, face: &Face) -> Sample {
    Sample {
        id: id.to_owned(),
        path: format!("{id}.png").into(),
        label: fas_data::Label::BonaFide,
        domain: GENERIC_FACES.to_owned(),
        split: Split::Train,
        subject: face.subject.clone(),
        video: None,
        style: "bona_fide".to_owned(),
        synthetic: false,
        quality_score: None,
        presenter: None,
        crop: None,
    }
}

/// Domain of the faces that a generator learns from: no data set of attacks.
pub const GENERIC_FACES: &str = "generic-faces";

/// Any camera that people own, and any light in a house.
fn everyday_camera(colour_sampling: ColourSampling) -> Domain {
    let mut style = StyleProfile::sim_m();
    style.light = LightConfig {
        temperature: Interval::new(2800.0, 7500.0),
        white_balance: Interval::new(0.5, 1.0),
        unevenness: Interval::new(-0.2, 0.2),
        angle: Interval::new(-0.6, 0.6),
    };
    Domain {
        name: GENERIC_FACES.to_owned(),
        style,
        quality: QualityProfile {
            lens_blur: Interval::new(0.18, 0.36),
            pixel_aperture: 0.62,
            exposure: Interval::new(0.8, 1.12),
            colour_sampling,
            full_scale_electrons: Interval::new(1500.0, 20_000.0),
            read_noise: 7.0,
            noise_reduction: Interval::new(0.0, 0.5),
            sharpening: Interval::new(0.0, 0.8),
            resolution: Interval::new(0.75, 1.0),
            jpeg_quality: Interval::new(62.0, 96.0),
        },
    }
}
