//! Synthetic people to edit into the styles that a generator knows, with what the simulator makes of the
//! same people beside them.

use fas_sim::{AttackKind, Domain, Face, FaceModel, Presentation};
use image::RgbImage;
use rayon::prelude::*;

use crate::generation::{EditSampler, Request, generate};
use crate::{BundledGenerator, progress};

/// One person, and a style to take from a picture of somebody else.
#[derive(Debug)]
pub struct EditPair {
    /// Name of the style: `sim-C/print_halftone`.
    pub style: String,
    /// Number of the person.
    pub person: usize,
    /// The person, bona fide.
    pub live: RgbImage,
    /// Another person, attacking in that style.
    pub reference: RgbImage,
    /// The person attacking in that style, simulated: what a perfect edit resembles, though another
    /// capture.
    pub simulated: RgbImage,
}

/// Every kind of attack of each domain that `generator` knows, on `people` synthetic people in turn. People
/// of one `seed` are always the same, and those in the reference pictures are others.
///
/// # Errors
///
/// A message if a domain is not simulated, or the bundled face model cannot be read.
pub fn edit_pairs(
    generator: &BundledGenerator,
    people: usize,
    size: u32,
    seed: u64,
) -> Result<Vec<EditPair>, String> {
    let model = FaceModel::bundled().map_err(|error| error.to_string())?;
    let first = (seed + 1) << 20;
    let face = |number: usize| model.sample(first + number as u64, 0);
    let mut jobs = Vec::new();
    for name in &generator.domains {
        let domain = Domain::by_name(name).map_err(|error| error.to_string())?;
        for kind in AttackKind::ALL {
            jobs.extend((0..people).map(|person| (domain.clone(), kind, person)));
        }
    }
    let bar = progress("simulating captures", jobs.len() as u64);
    let pairs = jobs
        .into_par_iter()
        .enumerate()
        .map(|(at, (domain, kind, person))| {
            let attack = Presentation::Attack(kind);
            let capture = |face: &Face, presentation: Presentation, what: &str| {
                let id = format!("{what}/{at}/{}", presentation.name());
                domain
                    .capture(face, presentation, size, seed, &id)
                    .map_err(|error| error.to_string())
            };
            let (shown, other) = (face(person), face(people + at));
            bar.inc(1);
            Ok(EditPair {
                style: domain.style_label(attack),
                person,
                live: capture(&shown, Presentation::BonaFide, "live")?,
                reference: capture(&other, attack, "reference")?,
                simulated: capture(&shown, attack, "simulated")?,
            })
        })
        .collect();
    bar.finish_and_clear();
    pairs
}

/// The attacks that `generator` makes of `pairs`; `made` hears of each batch's size. The noise of a pair is the same
/// at all settings.
///
/// # Errors
///
/// A message if the pictures do not fit the generator.
pub fn edit(
    generator: &BundledGenerator,
    pairs: &[EditPair],
    sampler: &EditSampler,
    seed: u64,
    made: impl FnMut(u64),
) -> Result<Vec<RgbImage>, String> {
    let requests: Vec<Request<'_>> = pairs
        .iter()
        .map(|pair| Request {
            live: &pair.live,
            reference: &pair.reference,
            style: &pair.style,
            id: format!("{} as {}", pair.person, pair.style),
        })
        .collect();
    generate(&generator.generator, &requests, sampler, seed, made)
}

/// Root mean square difference of two pictures of one size, in levels of 0 to 255.
///
/// # Panics
///
/// Panics if the sizes differ.
pub fn pixel_distance(a: &RgbImage, b: &RgbImage) -> f64 {
    assert_eq!(a.dimensions(), b.dimensions(), "pictures differ in size");
    let squares = a.as_raw().iter().zip(b.as_raw()).map(|(&a, &b)| {
        let difference = f64::from(a) - f64::from(b);
        difference * difference
    });
    (squares.sum::<f64>() / a.as_raw().len() as f64).sqrt()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_in_levels() {
        let black = RgbImage::new(4, 4);
        let mut other = black.clone();
        assert_eq!(pixel_distance(&black, &other), 0.0);
        // One of 48 numbers differs by 12: the root of 144 / 48.
        other.get_pixel_mut(1, 2).0[1] = 12;
        assert!((pixel_distance(&black, &other) - 3f64.sqrt()).abs() < 1e-12);
    }
}
