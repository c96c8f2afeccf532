//! HKBU-MARs V2 (Liu et al. 2016): `{attack,real}/{subject}/{camera}_{light}_{subject}.avi`, also below
//! the archive's own `HKBU_MARs_V2/HKBU_MARs_V2`.
//!
//! Twelve subjects, cameras 01 to 07, lights 01 to 06. Names in `attack/09` end in `_9`, not `_09`.
//! Camera 04 needs a quarter turn clockwise, 05 and 06 one counter-clockwise. There is no official
//! split: protocols leave one subject out at a time.

use super::adapter::{Adapter, Verdict};
use super::card::{DatasetCard, ExpectedCount, Layout};
use super::name::{number, parts, split_path, video};
use crate::{Label, Media, PaiSpecies, Recording, Rotation};

pub(super) const CARD: DatasetCard = DatasetCard {
    name: "hkbu_mars",
    title: "HKBU-MARs V2",
    letter: None,
    layouts: &[Layout::Original, Layout::ReEncoded],
    licence: "request, research only",
    apply: "Hong Kong Baptist University, Department of Computer Science",
    expected: &[ExpectedCount::classes(None, 504, 504)],
    marker: "HKBU_MARs_V2",
    experimental: false,
};

/// Reads names of HKBU-MARs.
pub(super) struct HkbuMars;

impl Adapter for HkbuMars {
    fn classify(&self, path: &str) -> Verdict {
        let mut inner = path;
        while let Some(rest) = inner.strip_prefix("HKBU_MARs_V2/") {
            inner = rest;
        }
        let (folder, stem, extension) = split_path(inner);
        let Some(original) = video(extension, &["avi"]) else {
            return Verdict::unfit("not a video");
        };
        let place = parts(folder, '/')
            .and_then(|[class, subject]: [&str; 2]| Some((class, number(subject, 2, 1..=12)?)));
        let Some((class, subject)) = place else {
            return Verdict::unfit("not in {attack,real}/{subject 01 to 12}");
        };
        let label = match class {
            "real" => Label::BonaFide,
            "attack" => Label::Attack(PaiSpecies::RigidMask),
            _ => return Verdict::unfit("not in attack or real"),
        };
        let fields = parts(stem, '_').and_then(|[camera, light, person]: [&str; 3]| {
            // attack/09 alone has its subject without the zero.
            let person = if class == "attack" && subject == 9 && person == "9" {
                9
            } else {
                number(person, 2, 1..=12)?
            };
            Some((number(camera, 2, 1..=7)?, number(light, 2, 1..=6)?, person))
        });
        let Some((camera, light, person)) = fields else {
            return Verdict::unfit("the name is not {camera}_{light}_{subject}");
        };
        if person != subject {
            return Verdict::unfit(format!("subject {person:02} in the folder of {subject:02}"));
        }
        let name = format!("{class}/{camera:02}_{light:02}_{subject:02}");
        let mut recording = Recording::new(CARD.name, &name, path, Media::Video, label)
            .of_subject(format_args!("{subject:02}"))
            .with_instrument("mask");
        recording.device = Some(format!("{camera:02}"));
        recording.environment = Some(format!("{light:02}"));
        recording.rotation = match camera {
            4 => Rotation::Clockwise,
            5 | 6 => Rotation::CounterClockwise,
            _ => Rotation::None,
        };
        Verdict::recording(recording, original)
    }

    fn complete(&self) -> Vec<String> {
        let mut ids = Vec::with_capacity(1008);
        for class in ["attack", "real"] {
            for subject in 1..=12 {
                for camera in 1..=7 {
                    ids.extend((1..=6).map(|light| {
                        format!("{}/{class}/{camera:02}_{light:02}_{subject:02}", CARD.name)
                    }));
                }
            }
        }
        ids
    }
}
