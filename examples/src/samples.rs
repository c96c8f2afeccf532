//! Samples of captures that are simulated on the fly.

use fas_data::{LeakageGuard, Protocol, Sample, Split};
use fas_sim::{AttackKind, Domain, Face, Presentation};
use image::RgbImage;
use indicatif::ParallelProgressIterator;
use rayon::prelude::*;

use crate::progress;

/// The guard of what may learn from all of `domains`, whatever the target.
///
/// # Errors
///
/// A message if `domains` is empty.
pub fn guard_of_sources(domains: &[Domain]) -> Result<LeakageGuard, String> {
    let sources: Vec<&str> = domains.iter().map(|domain| domain.name.as_str()).collect();
    let protocol = Protocol::cross_domain(&sources, "any other domain");
    let protocol = protocol.map_err(|error| error.to_string())?;
    Ok(LeakageGuard::new(&protocol))
}

/// Name of a capture among those of one purpose.
pub(crate) fn capture_name(domain: &Domain, face: &Face, presentation: Presentation) -> String {
    format!("{}/{}/{}", domain.name, face.subject, presentation.name())
}

/// What a simulated sample shows the camera, by its style label: `bona_fide`, `print_halftone`.
pub fn presentation_name(sample: &Sample) -> &str {
    sample.style.rsplit('/').next().unwrap_or_default()
}

/// A training sample of `face` as `domain` captures `presentation`; ids of one `purpose` do not repeat.
pub fn training_sample(
    domain: &Domain,
    face: &Face,
    presentation: Presentation,
    purpose: &str,
) -> Sample {
    let id = format!("{purpose}/{}", capture_name(domain, face, presentation));
    Sample {
        path: format!("{id}.png").into(),
        id,
        label: presentation.label(),
        domain: domain.name.clone(),
        split: Split::Train,
        subject: face.subject.clone(),
        video: None,
        style: domain.style_label(presentation),
        synthetic: false,
        quality_score: None,
        presenter: None,
        crop: None,
    }
}

/// How faces are captured.
#[derive(Debug, Clone, Copy)]
pub struct CaptureSettings<'a> {
    /// First part of the samples' ids.
    pub purpose: &'a str,
    /// Split of the samples.
    pub split: Split,
    /// Attacks of each face in each domain, of as many different kinds.
    pub attacks_per_face: usize,
    /// Side of the pictures in pixels.
    pub size: u32,
    /// Seed of the simulation.
    pub seed: u64,
}

/// One capture.
#[derive(Debug, Clone)]
pub struct FaceCapture {
    /// What was shown to the camera.
    pub presentation: Presentation,
    /// The picture.
    pub image: RgbImage,
    /// What is known of it.
    pub sample: Sample,
}

/// Captures every face in every domain: bona fide first, then its attacks. Kinds take turns, so that
/// each is equally frequent. One list a face and domain, domain by domain.
///
/// # Errors
///
/// A message of the simulator.
pub fn capture_faces(
    faces: &[Face],
    domains: &[Domain],
    settings: &CaptureSettings<'_>,
) -> Result<Vec<Vec<FaceCapture>>, String> {
    let kinds = AttackKind::ALL;
    let jobs: Vec<(usize, usize)> = (0..domains.len())
        .flat_map(|d| (0..faces.len()).map(move |f| (d, f)))
        .collect();
    jobs.par_iter()
        .progress_with(progress("simulating captures", jobs.len() as u64))
        .map(|&(domain, face)| {
            let (place, person) = (&domains[domain], &faces[face]);
            let chosen = (0..settings.attacks_per_face).map(|k| {
                // A stride coprime to the number of kinds: every kind equally often.
                Presentation::Attack(kinds[(face + 3 * k + domain) % kinds.len()])
            });
            std::iter::once(Presentation::BonaFide)
                .chain(chosen)
                .map(|presentation| {
                    let id = capture_name(place, person, presentation);
                    let image = place
                        .capture(person, presentation, settings.size, settings.seed, &id)
                        .map_err(|error| error.to_string())?;
                    let sample = Sample {
                        split: settings.split,
                        ..training_sample(place, person, presentation, settings.purpose)
                    };
                    Ok(FaceCapture {
                        presentation,
                        image,
                        sample,
                    })
                })
                .collect()
        })
        .collect()
}

/// The simulated domains of these names.
///
/// # Errors
///
/// A message that names the first one that does not exist.
pub fn domains_by_name<S: AsRef<str>>(
    names: impl IntoIterator<Item = S>,
) -> Result<Vec<Domain>, String> {
    let by_name = |name: S| Domain::by_name(name.as_ref()).map_err(|error| error.to_string());
    names.into_iter().map(by_name).collect()
}
