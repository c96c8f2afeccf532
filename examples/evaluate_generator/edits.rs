//! The edits that are measured: every person into every style.

use fas_sim::{AttackKind, Domain, Face, Presentation};
use image::RgbImage;
use rayon::prelude::*;

use crate::arguments::{Arguments, SIZE};

/// One edit: a person into a style.
pub(crate) struct Edit {
    pub(crate) style: usize,
    pub(crate) person: usize,
    pub(crate) live: RgbImage,
    pub(crate) reference: RgbImage,
    pub(crate) simulated: RgbImage,
}

pub(crate) fn style_labels(domains: &[Domain]) -> Vec<String> {
    domains
        .iter()
        .flat_map(|domain| {
            AttackKind::ALL
                .iter()
                .map(|&kind| domain.style_label(Presentation::Attack(kind)))
        })
        .collect()
}

pub(crate) fn capture(
    domain: &Domain,
    face: &Face,
    presentation: Presentation,
    seed: u64,
    what: &str,
) -> Result<RgbImage, String> {
    let id = format!(
        "{what}/{}/{}/{}",
        domain.name,
        face.subject,
        presentation.name()
    );
    domain
        .capture(face, presentation, SIZE, seed, &id)
        .map_err(|error| error.to_string())
}

/// Every person into every style; the reference shows somebody else, captured with another seed.
pub(crate) fn edits(
    test: &[Face],
    domains: &[Domain],
    arguments: &Arguments,
) -> Result<Vec<Edit>, String> {
    let people = arguments.people.min(test.len());
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
            let seed = arguments.seed;
            Ok(Edit {
                style,
                person,
                live: capture(domain, face, Presentation::BonaFide, seed, "live")?,
                reference: capture(domain, other, attack, seed + 1, "reference")?,
                simulated: capture(domain, face, attack, seed + 2, "simulated")?,
            })
        })
        .collect()
}
