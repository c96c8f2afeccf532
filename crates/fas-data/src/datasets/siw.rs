//! SiW (Liu et al. 2018):
//! `{Train,Test}/{live,spoof}/{subject}/{subject}-{sensor}-{type}-{medium}-{session}.{mov,mp4}`.
//!
//! Subject 001 to 165, sensor 1 or 2, type 1 live, 2 print, 3 replay; print media 1 and 2, replay
//! media 1 to 4, session 1 or 2. Sixteen live files of subjects 153, 154, 158, 161 have a stem that
//! ends in `.m`. Not every take exists, so nothing is reported missing by name.

use super::adapter::{Adapter, Verdict};
use super::card::{DatasetCard, ExpectedCount, Layout};
use super::name::{number, parts, split_path, video};
use crate::{Label, Media, PaiSpecies, Recording, Split};

pub(super) const CARD: DatasetCard = DatasetCard {
    name: "siw",
    title: "SiW",
    letter: None,
    layouts: &[Layout::Original, Layout::ReEncoded],
    licence: "request form, research only",
    apply: "Michigan State University, Computer Vision Lab",
    expected: &[
        ExpectedCount::classes(Some(Split::Train), 714, 1703),
        ExpectedCount::classes(Some(Split::Test), 599, 1462),
    ],
    marker: "Train",
    experimental: false,
};

/// Reads names of SiW.
pub(super) struct Siw;

impl Adapter for Siw {
    fn classify(&self, path: &str) -> Verdict {
        let (folder, stem, extension) = split_path(path);
        if ["face", "txt"].contains(&extension) {
            return Verdict::Companion;
        }
        let Some(original) = video(extension, &["mov", "mp4"]) else {
            return Verdict::unfit("not a video");
        };
        let Some([part, class, person]) = parts(folder, '/') else {
            return Verdict::unfit("not in {Train,Test}/{live,spoof}/{subject}");
        };
        let split = match part {
            "Train" => Split::Train,
            "Test" => Split::Test,
            _ => return Verdict::unfit("not in Train or Test"),
        };
        let name = stem.strip_suffix(".m").unwrap_or(stem);
        let fields =
            parts(name, '-').and_then(|[subject, sensor, kind, medium, session]: [&str; 5]| {
                number(subject, 3, 1..=165)?;
                let kind = number(kind, 1, 1..=3)?;
                let media = if kind == 3 { 4 } else { 2 };
                Some((
                    subject,
                    number(sensor, 1, 1..=2)?,
                    kind,
                    number(medium, 1, 1..=media)?,
                    number(session, 1, 1..=2)?,
                ))
            });
        let Some((subject, sensor, kind, medium, session)) = fields else {
            return Verdict::unfit("the name is not {subject}-{sensor}-{type}-{medium}-{session}");
        };
        if subject != person {
            return Verdict::unfit(format!("subject {subject} in the folder of {person}"));
        }
        let (label, instrument, home) = match kind {
            1 => (Label::BonaFide, String::new(), "live"),
            2 => (
                Label::Attack(PaiSpecies::Print),
                format!("print/{medium}"),
                "spoof",
            ),
            _ => (
                Label::Attack(PaiSpecies::Replay),
                format!("replay/{medium}"),
                "spoof",
            ),
        };
        if class != home {
            return Verdict::unfit(format!("type {kind} belongs in {home}"));
        }
        let style = if kind == 1 {
            format!("sensor_{sensor}/bona_fide")
        } else {
            format!("sensor_{sensor}/{instrument}")
        };
        let mut recording = Recording::new(CARD.name, name, path, Media::Video, label)
            .of_subject(subject)
            .in_split(Some(split))
            .with_instrument(instrument)
            .with_style(style);
        recording.device = Some(sensor.to_string());
        recording.session = Some(session.to_string());
        Verdict::recording(recording, original)
    }
}
