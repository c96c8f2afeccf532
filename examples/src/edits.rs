//! The edits that are measured: every person into every style.

use fas_diffusion::Generator;
use fas_sim::{AttackKind, Domain, Face, Presentation};
use image::RgbImage;
use rayon::prelude::*;

use crate::generation::{EditSampler, Request, generate};
use crate::progress;
use crate::samples::capture_name;

/// One edit: a person into a style.
#[derive(Debug)]
pub struct Edit {
    /// Position among [`style_labels`].
    pub style: usize,
    /// Position among the people.
    pub person: usize,
    /// The person, bona fide.
    pub live: RgbImage,
    /// Another person, attacking in that style.
    pub reference: RgbImage,
    /// The person attacking in that style, simulated.
    pub simulated: RgbImage,
}

/// How people are captured for edits.
#[derive(Debug, Clone, Copy)]
pub struct EditSettings {
    /// People edited into every style.
    pub people: usize,
    /// Side of the pictures in pixels.
    pub size: u32,
    /// Seed of the captures.
    pub seed: u64,
}

/// Labels of every kind of attack of `domains`.
pub fn style_labels(domains: &[Domain]) -> Vec<String> {
    domains
        .iter()
        .flat_map(|domain| {
            AttackKind::ALL
                .iter()
                .map(|&kind| domain.style_label(Presentation::Attack(kind)))
        })
        .collect()
}

/// One capture; `what` keeps captures of the same face and presentation apart.
pub(crate) fn capture(
    domain: &Domain,
    face: &Face,
    presentation: Presentation,
    (size, seed): (u32, u64),
    what: &str,
) -> Result<RgbImage, String> {
    let id = format!("{what}/{}", capture_name(domain, face, presentation));
    domain
        .capture(face, presentation, size, seed, &id)
        .map_err(|error| error.to_string())
}

/// Every person into every style; the reference shows somebody else, captured with another seed.
///
/// # Errors
///
/// A message of the simulator.
pub fn edits(
    test: &[Face],
    domains: &[Domain],
    settings: EditSettings,
) -> Result<Vec<Edit>, String> {
    let EditSettings { people, size, seed } = settings;
    let people = people.min(test.len());
    let mut list = Vec::new();
    for (d, domain) in domains.iter().enumerate() {
        for (k, &kind) in AttackKind::ALL.iter().enumerate() {
            for person in 0..people {
                list.push((d * AttackKind::ALL.len() + k, domain, kind, person));
            }
        }
    }
    list.into_par_iter()
        .map(|(style, domain, kind, person)| {
            let (face, other) = (&test[person], &test[(person + 37 + style) % test.len()]);
            let attack = Presentation::Attack(kind);
            Ok(Edit {
                style,
                person,
                live: capture(domain, face, Presentation::BonaFide, (size, seed), "live")?,
                reference: capture(domain, other, attack, (size, seed + 1), "reference")?,
                simulated: capture(domain, face, attack, (size, seed + 2), "simulated")?,
            })
        })
        .collect()
}

/// What `generator` makes of `edits`, one picture each. The noise of an edit is the same at all settings.
///
/// # Errors
///
/// A message if the pictures do not fit the generator.
pub fn edited(
    generator: &Generator,
    edits: &[Edit],
    sampler: &EditSampler,
    seed: u64,
) -> Result<Vec<RgbImage>, String> {
    let requests: Vec<Request<'_>> = edits
        .iter()
        .map(|edit| Request {
            live: &edit.live,
            reference: &edit.reference,
            style: AttackKind::ALL[edit.style % AttackKind::ALL.len()].name(),
            id: format!("{}/{}", edit.style, edit.person),
        })
        .collect();
    let bar = progress("generating attacks", edits.len() as u64);
    let images = generate(generator, &requests, sampler, seed, |made| bar.inc(made))?;
    bar.finish_and_clear();
    Ok(images)
}
