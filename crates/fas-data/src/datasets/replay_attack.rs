//! Replay-Attack (Chingovska et al. 2012), 50 clients in three disjoint parts.
//!
//! `{train,devel,test}/real/client{NNN}_session01_webcam_authenticate_{light}_{take}.mov` and
//! `…/attack/{fixed,hand}/attack_{instrument}_client{NNN}_session01_{light}.mov` with the instruments
//! below. The support, `fixed` or `hand`, is in the folder's name only. Downloads are named
//! `replayattack-train` and so on, which is understood too. `enroll` is for face recognition.

use super::adapter::{Adapter, Verdict};
use super::card::{DatasetCard, ExpectedCount, Layout};
use super::name::{number, split_path, video};
use crate::{Label, Media, PaiSpecies, Recording, Split};

pub(super) const CARD: DatasetCard = DatasetCard {
    name: "replay_attack",
    title: "Replay-Attack (Idiap)",
    letter: Some('I'),
    layouts: &[Layout::Original, Layout::ReEncoded],
    licence: "signed agreement, research only",
    apply: "Idiap Research Institute",
    expected: &[
        ExpectedCount::classes(Some(Split::Train), 60, 300),
        ExpectedCount::classes(Some(Split::Development), 60, 300),
        ExpectedCount::classes(Some(Split::Test), 80, 400),
    ],
    marker: "train",
    experimental: false,
};

const PARTS: [(&str, Split, &[u32]); 3] = [
    (
        "train",
        Split::Train,
        &[1, 2, 4, 6, 7, 8, 12, 16, 18, 25, 27, 103, 105, 108, 110],
    ),
    (
        "devel",
        Split::Development,
        &[
            3, 5, 10, 15, 17, 22, 29, 30, 101, 111, 113, 114, 116, 118, 119,
        ],
    ),
    (
        "test",
        Split::Test,
        &[
            9, 11, 13, 14, 19, 20, 21, 23, 24, 26, 28, 31, 102, 104, 106, 107, 109, 112, 115, 117,
        ],
    ),
];
/// What precedes the client and what follows the session in an attack's name.
const INSTRUMENTS: [(&str, &str); 5] = [
    ("print", "highdef_photo"),
    ("mobile", "mobile_photo"),
    ("mobile", "mobile_video"),
    ("highdef", "highdef_photo"),
    ("highdef", "highdef_video"),
];
const LIGHTS: [&str; 2] = ["adverse", "controlled"];
const SUPPORTS: [&str; 2] = ["fixed", "hand"];

/// Reads names of Replay-Attack.
pub(super) struct ReplayAttack;

/// What a stem says: client, light, and the instrument of an attack.
struct Stem<'a> {
    client: &'a str,
    light: &'a str,
    attack: Option<(&'static str, &'static str)>,
}

fn parse_real(stem: &str) -> Option<Stem<'_>> {
    let (client, rest) = stem.strip_prefix("client")?.split_once('_')?;
    let rest = rest.strip_prefix("session01_webcam_authenticate_")?;
    let (light, take) = rest.split_once('_')?;
    number(take, 1, 1..=2)?;
    LIGHTS.contains(&light).then_some(Stem {
        client,
        light,
        attack: None,
    })
}

fn parse_attack(stem: &str) -> Option<Stem<'_>> {
    let (device, rest) = stem.strip_prefix("attack_")?.split_once("_client")?;
    let (client, rest) = rest.split_once("_session01_")?;
    let (medium, light) = rest.rsplit_once('_')?;
    let attack = INSTRUMENTS
        .into_iter()
        .find(|instrument| *instrument == (device, medium))?;
    LIGHTS.contains(&light).then_some(Stem {
        client,
        light,
        attack: Some(attack),
    })
}

impl Adapter for ReplayAttack {
    fn classify(&self, path: &str) -> Verdict {
        // replayattack-train/train/real/… and replayattack-train/real/… are train/real/…
        let inner = match path.strip_prefix("replayattack-") {
            Some(rest) => match rest.split_once('/') {
                Some((part, inner)) if inner.starts_with(&format!("{part}/")) => inner,
                _ => rest,
            },
            None => path,
        };
        let (folder, stem, extension) = split_path(inner);
        let mut folders = folder.split('/');
        let top = folders.next().unwrap_or_default();
        if ["enroll", "face-locations", "protocols"].contains(&top) || extension == "face" {
            return Verdict::Companion;
        }
        let Some(original) = video(extension, &["mov"]) else {
            return Verdict::unfit("not a video");
        };
        let Some(&(_, split, clients)) = PARTS.iter().find(|(part, ..)| *part == top) else {
            return Verdict::unfit("not in train, devel or test");
        };
        let (parsed, support) = match (folders.next(), folders.next(), folders.next()) {
            (Some("real"), None, None) => (parse_real(stem), None),
            (Some("attack"), Some(support), None) if SUPPORTS.contains(&support) => {
                (parse_attack(stem), Some(support))
            }
            _ => return Verdict::unfit("not in real, attack/fixed or attack/hand"),
        };
        let Some(Stem {
            client,
            light,
            attack,
        }) = parsed
        else {
            return Verdict::unfit("the name is none of the 24 of a client");
        };
        if number(client, 3, 1..=119).is_none_or(|client| !clients.contains(&client)) {
            return Verdict::unfit(format!("client {client} is not in {top}"));
        }
        let name = match support {
            None => stem.to_owned(),
            Some(support) => format!("{support}/{stem}"),
        };
        let (label, instrument) = match attack {
            None => (Label::BonaFide, String::new()),
            Some(("print", _)) => (Label::Attack(PaiSpecies::Print), "print".to_owned()),
            Some((_, medium)) => (Label::Attack(PaiSpecies::Replay), medium.to_owned()),
        };
        let style = attack.map_or("bona_fide", |(device, _)| device);
        let mut recording = Recording::new(CARD.name, &name, path, Media::Video, label)
            .of_subject(client)
            .in_split(Some(split))
            .with_instrument(match support {
                Some(support) => format!("{instrument}/{support}"),
                None => instrument,
            })
            .with_style(style);
        recording.session = Some("01".to_owned());
        recording.environment = Some(light.to_owned());
        Verdict::recording(recording, original)
    }

    fn complete(&self) -> Vec<String> {
        let mut ids = Vec::with_capacity(1200);
        for client in PARTS.iter().flat_map(|(.., clients)| *clients) {
            for light in LIGHTS {
                for take in 1..=2 {
                    ids.push(format!(
                        "{}/client{client:03}_session01_webcam_authenticate_{light}_{take}",
                        CARD.name
                    ));
                }
                for (device, medium) in INSTRUMENTS {
                    ids.extend(SUPPORTS.map(|support| {
                        format!(
                            "{}/{support}/attack_{device}_client{client:03}_session01_{medium}_{light}",
                            CARD.name
                        )
                    }));
                }
            }
        }
        ids
    }
}
