//! Rose-Youtu (Li et al. 2018), the public 20 subjects:
//! `{subject}/{kind}_{talk}_{device}_{glasses}_E_{person}_{take}.mp4`.
//!
//! Kinds: G genuine; Ps still and Pq quivering print; Vl Lenovo and Vm Mac display; Mc paper mask with
//! cut eyes and mouth, Mf full paper mask, Mu upper part cut; Ml, which the documentation names, is
//! absent. The first ten subjects train, the last ten test. Clips have several orientations, which no
//! name tells.

use super::adapter::{Adapter, Verdict};
use super::card::{DatasetCard, ExpectedCount, Layout};
use super::name::{parts, split_path, video};
use crate::{Label, Media, PaiSpecies, Recording, Split};

pub(super) const CARD: DatasetCard = DatasetCard {
    name: "rose_youtu",
    title: "Rose-Youtu",
    letter: None,
    layouts: &[Layout::Original, Layout::ReEncoded],
    licence: "signed agreement, research only",
    apply: "ROSE Lab, Nanyang Technological University",
    expected: &[ExpectedCount::classes(None, 897, 2600)],
    marker: "2",
    experimental: false,
};

/// Public subjects in order; the first ten train.
const SUBJECTS: [u32; 20] = [
    2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23,
];
const TRAIN_SUBJECTS: usize = 10;

/// Reads names of Rose-Youtu.
pub(super) struct RoseYoutu;

fn label_of(kind: &str) -> Option<(Label, &'static str)> {
    Some(match kind {
        "G" => (Label::BonaFide, ""),
        "Ps" => (Label::Attack(PaiSpecies::Print), "print_still"),
        "Pq" => (Label::Attack(PaiSpecies::Print), "print_quivering"),
        "Vl" => (Label::Attack(PaiSpecies::Replay), "display_lenovo"),
        "Vm" => (Label::Attack(PaiSpecies::Replay), "display_mac"),
        "Mc" => (Label::Attack(PaiSpecies::PaperMask), "paper_mask_cut"),
        "Mf" => (Label::Attack(PaiSpecies::PaperMask), "paper_mask_full"),
        "Mu" => (Label::Attack(PaiSpecies::PaperMask), "paper_mask_upper"),
        "Ml" => (Label::Attack(PaiSpecies::PaperMask), "paper_mask_lower"),
        _ => return None,
    })
}

impl Adapter for RoseYoutu {
    fn classify(&self, path: &str) -> Verdict {
        let (folder, stem, extension) = split_path(path);
        let Some(original) = video(extension, &["mp4"]) else {
            return Verdict::unfit("not a video");
        };
        let fields = parts(stem, '_').and_then(
            |[kind, talk, device, glasses, constant, person, take]: [&str; 7]| {
                let known = ["T", "NT"].contains(&talk)
                    && ["HS", "HW", "IP", "5s", "ZTE"].contains(&device)
                    && ["g", "wg"].contains(&glasses)
                    && constant == "E"
                    && take.parse::<u32>().is_ok();
                let (label, instrument) = label_of(kind)?;
                known.then_some((label, instrument, device, person, [talk, glasses]))
            },
        );
        let Some((label, instrument, device, person, [talk, glasses])) = fields else {
            return Verdict::unfit(
                "the name is not {kind}_{talk}_{device}_{glasses}_E_{person}_{take}",
            );
        };
        if person != folder {
            return Verdict::unfit(format!("person {person} in the folder of {folder}"));
        }
        let position = person
            .parse()
            .ok()
            .and_then(|number: u32| SUBJECTS.iter().position(|subject| *subject == number));
        let Some(position) = position else {
            return Verdict::unfit(format!("{person} is none of the 20 public subjects"));
        };
        let split = if position < TRAIN_SUBJECTS {
            Split::Train
        } else {
            Split::Test
        };
        let name = format!("{folder}/{stem}");
        let mut recording = Recording::new(CARD.name, &name, path, Media::Video, label)
            .of_subject(person)
            .in_split(Some(split))
            .with_instrument(instrument)
            .with_style(if label.is_bona_fide() {
                "bona_fide"
            } else {
                instrument
            });
        recording.device = Some(device.to_owned());
        recording.environment = Some(format!("{talk}_{glasses}"));
        Verdict::recording(recording, original)
    }
}
