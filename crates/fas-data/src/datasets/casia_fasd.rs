//! CASIA-FASD (Zhang et al. 2012), also CASIA-MFSD:
//! `{train,test}_release/{person}/{1..8,HR_1..HR_4}.avi`.
//!
//! Clips 1, 2, HR_1 bona fide; 3, 4, HR_2 warped photo; 5, 6, HR_3 cut photo; 7, 8, HR_4 video; odd
//! normal, even low, HR high quality. Person numbers start again in the test part, where person `i`
//! becomes subject `20 + i`. The original download is gone and many copies are re-encoded or
//! flattened to `train_release/1_HR_1.avi`.

use super::adapter::{Adapter, Verdict};
use super::card::{DatasetCard, ExpectedCount, Layout};
use super::name::{split_path, video};
use crate::{Label, Media, PaiSpecies, Recording, Split};

pub(super) const CARD: DatasetCard = DatasetCard {
    name: "casia_fasd",
    title: "CASIA-FASD (CASIA-MFSD)",
    letter: Some('C'),
    layouts: &[Layout::Original, Layout::Flattened, Layout::ReEncoded],
    licence: "signed agreement, research only",
    apply: "CBSR, Institute of Automation, Chinese Academy of Sciences",
    expected: &[
        ExpectedCount::classes(Some(Split::Train), 60, 180),
        ExpectedCount::classes(Some(Split::Test), 90, 270),
    ],
    marker: "train_release",
    experimental: false,
};

const TRAIN_PEOPLE: u32 = 20;
const TEST_PEOPLE: u32 = 30;
const CLIPS: [&str; 12] = [
    "1", "2", "3", "4", "5", "6", "7", "8", "HR_1", "HR_2", "HR_3", "HR_4",
];

/// Reads names of CASIA-FASD.
pub(super) struct CasiaFasd {
    flat: bool,
}

impl CasiaFasd {
    pub(super) fn new(layout: Layout) -> Self {
        Self {
            flat: layout == Layout::Flattened,
        }
    }
}

/// Label, instrument, style and quality of a clip.
fn clip_of(name: &str) -> Option<(Label, &'static str, String, &'static str)> {
    let index = CLIPS.iter().position(|clip| *clip == name)?;
    let (take, quality) = match index {
        0..8 => (index / 2, ["normal", "low"][index % 2]),
        _ => (index - 8, "high"),
    };
    let (label, instrument) = match take {
        0 => (Label::BonaFide, ""),
        1 => (Label::Attack(PaiSpecies::Print), "warped_photo"),
        2 => (Label::Attack(PaiSpecies::Print), "cut_photo"),
        _ => (Label::Attack(PaiSpecies::Replay), "video"),
    };
    // DiffFAS: a style a quality for bona fide, for attacks normal and low together.
    let style = match (take, quality) {
        (0, quality) => format!("bona_fide_{quality}"),
        (_, "high") => format!("{instrument}_high"),
        _ => instrument.to_owned(),
    };
    Some((label, instrument, style, quality))
}

impl Adapter for CasiaFasd {
    fn classify(&self, path: &str) -> Verdict {
        let (folder, stem, extension) = split_path(path);
        let Some(original) = video(extension, &["avi"]) else {
            return Verdict::unfit("not a video");
        };
        let (part, person, clip) = if self.flat {
            let (person, clip) = stem.split_once('_').unwrap_or((stem, ""));
            (folder, person, clip)
        } else {
            let (part, person) = folder.rsplit_once('/').unwrap_or(("", folder));
            (part, person, stem)
        };
        let (split, people, before) = match part {
            "train_release" => (Split::Train, TRAIN_PEOPLE, 0),
            "test_release" => (Split::Test, TEST_PEOPLE, TRAIN_PEOPLE),
            _ => return Verdict::unfit("not in train_release/{person} or test_release/{person}"),
        };
        let number = person
            .parse::<u32>()
            .ok()
            .filter(|number| (1..=people).contains(number) && number.to_string() == person);
        let Some(number) = number else {
            return Verdict::unfit(format!("person `{person}` is not 1 to {people}"));
        };
        let Some((label, instrument, style, quality)) = clip_of(clip) else {
            return Verdict::unfit("the clip is not 1 to 8 or HR_1 to HR_4");
        };
        let name = format!("{part}/{person}/{clip}");
        let mut recording = Recording::new(CARD.name, &name, path, Media::Video, label)
            .of_subject(format_args!("{:02}", before + number))
            .in_split(Some(split))
            .with_instrument(instrument)
            .with_style(style);
        recording.device = Some(quality.to_owned());
        Verdict::recording(recording, original)
    }

    fn complete(&self) -> Vec<String> {
        let mut ids = Vec::with_capacity(600);
        for (part, people) in [
            ("train_release", TRAIN_PEOPLE),
            ("test_release", TEST_PEOPLE),
        ] {
            for person in 1..=people {
                ids.extend(CLIPS.map(|clip| format!("{}/{part}/{person}/{clip}", CARD.name)));
            }
        }
        ids
    }
}
