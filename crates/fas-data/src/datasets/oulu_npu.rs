//! OULU-NPU (Boulkenafet et al. 2017): `{Train,Dev,Test}_files/{phone}_{session}_{user}_{type}.avi`.
//!
//! Phone 1 to 6, session 1 to 3 (light and background), user 01 to 55; type 1 bona fide, 2 and 3
//! print (two printers), 4 and 5 video replay (two displays). Users 1 to 20 train, 21 to 35
//! development, 36 to 55 test. Beside each video a `.txt` of the same stem with eye positions.

use super::adapter::{Adapter, Verdict};
use super::card::{DatasetCard, ExpectedCount, Layout};
use super::name::{number, parts, split_path, video};
use crate::{Label, Media, PaiSpecies, Recording, Split};

pub(super) const CARD: DatasetCard = DatasetCard {
    name: "oulu_npu",
    title: "OULU-NPU",
    letter: Some('O'),
    layouts: &[Layout::Original, Layout::Flattened, Layout::ReEncoded],
    licence: "signed agreement, research only",
    apply: "University of Oulu, Center for Machine Vision and Signal Analysis",
    expected: &[
        ExpectedCount::classes(Some(Split::Train), 360, 1440),
        ExpectedCount::classes(Some(Split::Development), 270, 1080),
        ExpectedCount::classes(Some(Split::Test), 360, 1440),
    ],
    marker: "Train_files",
    experimental: false,
};

/// Reads names of OULU-NPU.
pub(super) struct OuluNpu {
    flat: bool,
}

impl OuluNpu {
    pub(super) fn new(layout: Layout) -> Self {
        Self {
            flat: layout == Layout::Flattened,
        }
    }
}

fn split_of(user: u32) -> (Split, &'static str) {
    match user {
        ..=20 => (Split::Train, "Train_files"),
        21..=35 => (Split::Development, "Dev_files"),
        _ => (Split::Test, "Test_files"),
    }
}

impl Adapter for OuluNpu {
    fn classify(&self, path: &str) -> Verdict {
        let (folder, stem, extension) = split_path(path);
        if folder.split('/').next() == Some("Protocols") {
            return Verdict::Companion;
        }
        let fields = parts(stem, '_').and_then(|[phone, session, user, kind]: [&str; 4]| {
            Some((
                number(phone, 1, 1..=6)?,
                number(session, 1, 1..=3)?,
                number(user, 2, 1..=55)?,
                number(kind, 1, 1..=5)?,
            ))
        });
        let Some((phone, session, user, kind)) = fields else {
            return Verdict::unfit("the name is not {phone}_{session}_{user}_{type}");
        };
        let (split, home) = split_of(user);
        if folder != home && !self.flat {
            return Verdict::unfit(format!("user {user} belongs in {home}"));
        }
        if extension.eq_ignore_ascii_case("txt") {
            return Verdict::Companion;
        }
        let Some(original) = video(extension, &["avi"]) else {
            return Verdict::unfit("neither a video nor the eye positions of one");
        };
        let (label, instrument) = match kind {
            1 => (Label::BonaFide, ""),
            2 => (Label::Attack(PaiSpecies::Print), "print/1"),
            3 => (Label::Attack(PaiSpecies::Print), "print/2"),
            4 => (Label::Attack(PaiSpecies::Replay), "video_replay/1"),
            _ => (Label::Attack(PaiSpecies::Replay), "video_replay/2"),
        };
        let mut recording = Recording::new(CARD.name, stem, path, Media::Video, label)
            .of_subject(format_args!("{user:02}"))
            .in_split(Some(split))
            .with_instrument(instrument)
            // DiffFAS: one style a phone and presentation.
            .with_style(format_args!("phone_{phone}/type_{kind}"));
        recording.session = Some(session.to_string());
        recording.device = Some(phone.to_string());
        Verdict::recording(recording, original)
    }

    fn complete(&self) -> Vec<String> {
        let mut ids = Vec::with_capacity(4950);
        for user in 1..=55 {
            for phone in 1..=6 {
                for session in 1..=3 {
                    for kind in 1..=5 {
                        ids.push(format!("{}/{phone}_{session}_{user:02}_{kind}", CARD.name));
                    }
                }
            }
        }
        ids
    }
}
