//! Samples of captures that are simulated on the fly.

use fas_data::{Sample, Split};
use fas_sim::{Domain, Face, Presentation};

/// A training sample of `face` as `domain` captures `presentation`; ids of one `purpose` do not repeat.
pub fn training_sample(
    domain: &Domain,
    face: &Face,
    presentation: Presentation,
    purpose: &str,
) -> Sample {
    let id = format!(
        "{purpose}/{}/{}/{}",
        domain.name,
        face.subject,
        presentation.name()
    );
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
    }
}
