//! Protocols within one data set: OULU-NPU P1 to P4, SiW P1 to P3, WMCA grandtest and leave-one-out,
//! PADISI folds, and the two-part splits of the others.

use super::{OfficialProtocol, ProtocolPart, Selection};
use crate::{FramePolicy, Split};

const TRAIN: &[Split] = &[Split::Train];
const DEVELOPMENT: &[Split] = &[Split::Development];
const TEST: &[Split] = &[Split::Test];
const NO_DEVELOPMENT: &str = "the publisher has no development part: choose the threshold on some training people, never on the test part";

fn strings<T: ToString>(values: impl IntoIterator<Item = T>) -> Vec<String> {
    values.into_iter().map(|value| value.to_string()).collect()
}

fn part(selection: Selection, expected: Option<(usize, usize)>) -> ProtocolPart {
    ProtocolPart {
        from: vec![selection],
        frames: None,
        expected,
    }
}

/// The protocols of every data set that has some.
pub(super) fn all() -> Vec<OfficialProtocol> {
    let mut protocols = oulu_npu();
    protocols.extend(siw());
    protocols.extend(wmca());
    protocols.extend(padisi());
    protocols.push(replay_attack());
    for (name, about, expected) in [
        (
            "casia_fasd",
            "overall test of the paper: every quality and attack",
            Some([(60, 180), (90, 270)]),
        ),
        (
            "msu_mfsd",
            "the publisher's lists of 15 and 20 clients",
            Some([(30, 90), (40, 120)]),
        ),
        (
            "rose_youtu",
            "first ten subjects train, last ten test",
            // Counted in the name lists of GRAD-GPAD.
            Some([(448, 1300), (449, 1300)]),
        ),
        (
            "celeba_spoof",
            "intra-dataset test of the publisher's label files",
            None,
        ),
    ] {
        protocols.push(two_parts(name, about, expected));
    }
    protocols
}

/// OULU-NPU: illumination (P1), instrument (P2), camera (P3), all together (P4).
fn oulu_npu() -> Vec<OfficialProtocol> {
    type Rule = (&'static [u32], Option<u32>, &'static [&'static str]);
    let build =
        |name: &str, about: &str, seen: Rule, tested: Rule, expected: [(usize, usize); 3]| {
            let select =
                |splits: &[Split], (sessions, phone, attacks): Rule, others: bool| Selection {
                    sessions: Some(strings(sessions)),
                    devices: phone
                        .map(|phone| strings((1..=6).filter(|p| (*p == phone) != others))),
                    attacks: (attacks.len() < 4).then(|| strings(attacks)),
                    ..Selection::of("oulu_npu").splits(splits)
                };
            OfficialProtocol {
                name: format!("oulu_npu/{name}"),
                about: about.to_owned(),
                caveats: Vec::new(),
                train: part(select(TRAIN, seen, true), Some(expected[0])),
                development: part(select(DEVELOPMENT, seen, true), Some(expected[1])),
                test: part(select(TEST, tested, false), Some(expected[2])),
            }
        };
    const ALL: &[&str] = &["print/1", "print/2", "video_replay/1", "video_replay/2"];
    const SEEN: &[&str] = &["print/1", "video_replay/1"];
    const UNSEEN: &[&str] = &["print/2", "video_replay/2"];
    const METRIC: &str =
        "ACER on test, APCER the larger of print and replay, threshold at the development EER";
    let mut protocols = vec![
        build(
            "P1",
            &format!("unseen light and background: session 3. {METRIC}"),
            (&[1, 2], None, ALL),
            (&[3], None, ALL),
            [(240, 960), (180, 720), (120, 480)],
        ),
        build(
            "P2",
            &format!("unseen printer and display. {METRIC}"),
            (&[1, 2, 3], None, SEEN),
            (&[1, 2, 3], None, UNSEEN),
            [(360, 720), (270, 540), (360, 720)],
        ),
    ];
    for phone in 1..=6 {
        protocols.push(build(
            &format!("P3_{phone}"),
            &format!("unseen camera: phone {phone}. {METRIC}; mean and deviation over the six"),
            (&[1, 2, 3], Some(phone), ALL),
            (&[1, 2, 3], Some(phone), ALL),
            [(300, 1200), (225, 900), (60, 240)],
        ));
        protocols.push(build(
            &format!("P4_{phone}"),
            &format!("unseen light, instrument and camera: phone {phone}. {METRIC}; mean and deviation over the six"),
            (&[1, 2], Some(phone), SEEN),
            (&[3], Some(phone), UNSEEN),
            [(200, 400), (150, 300), (20, 40)],
        ));
    }
    protocols.sort_by(|a, b| a.name.cmp(&b.name));
    protocols
}

/// SiW: pose and expression from the first seconds (P1), replay medium (P2), print and replay (P3).
fn siw() -> Vec<OfficialProtocol> {
    let build =
        |name: String, about: &str, seen: Option<Vec<String>>, tested: Option<Vec<String>>| {
            let select = |splits, attacks| Selection {
                attacks,
                ..Selection::of("siw").splits(splits)
            };
            OfficialProtocol {
                name: format!("siw/{name}"),
                about: about.to_owned(),
                caveats: vec![NO_DEVELOPMENT.to_owned()],
                train: part(select(TRAIN, seen), None),
                development: ProtocolPart::default(),
                test: part(select(TEST, tested), None),
            }
        };
    let mut first = build(
        "P1".to_owned(),
        "training sees the first 60 frames of each video only; ACER",
        None,
        None,
    );
    first.train.frames = Some(FramePolicy::First { count: 60 });
    first.train.expected = Some((714, 1703));
    first.test.expected = Some((599, 1462));
    let mut protocols = vec![first];
    for medium in 1..=4 {
        let others = (1..=4).filter(|other| *other != medium);
        protocols.push(build(
            format!("P2_{medium}"),
            "unseen replay medium; ACER, mean and deviation over the four",
            Some(others.map(|other| format!("replay/{other}")).collect()),
            Some(vec![format!("replay/{medium}")]),
        ));
    }
    for (name, seen, tested) in [("P3_1", "print", "replay"), ("P3_2", "replay", "print")] {
        protocols.push(build(
            name.to_owned(),
            "unseen kind of attack; ACER, mean and deviation over both",
            Some(strings([seen])),
            Some(strings([tested])),
        ));
    }
    protocols
}

/// WMCA: grandtest, and each kind of attack left out of training and development and tested alone.
fn wmca() -> Vec<OfficialProtocol> {
    const PRESENTERS: &str = "presenters cross the parts: people whose bona fide recordings are in development wear \
                              masks and glasses in training (`fas data leaks`)";
    const METRIC: &str = "ACER on test at the threshold of BPCER 1 % in development";
    // Attacks left in train and development, attacks tested (bob.db.batl).
    let kinds = [
        ("glasses", 410, 427, 22),
        ("rigidmask", 415, 387, 49),
        ("fakehead", 388, 397, 17),
        ("flexiblemask", 330, 318, 137),
        ("papermask", 441, 449, 71),
        ("prints", 373, 383, 66),
        ("replay", 289, 333, 80),
    ];
    let build = |name: String, about: String, without: Option<&str>, attacks: [usize; 3]| {
        let select = |splits| Selection {
            without: strings(without),
            ..Selection::of("wmca").splits(splits)
        };
        let test = Selection {
            attacks: without.map(|kind| strings([kind])),
            ..Selection::of("wmca").splits(TEST)
        };
        OfficialProtocol {
            name: format!("wmca/{name}"),
            about,
            caveats: vec![PRESENTERS.to_owned()],
            train: part(select(TRAIN), Some((124, attacks[0]))),
            development: part(select(DEVELOPMENT), Some((108, attacks[1]))),
            test: part(test, Some((115, attacks[2]))),
        }
    };
    let mut protocols = vec![build(
        "grandtest".to_owned(),
        format!("every attack seen. {METRIC}"),
        None,
        [441, 449, 442],
    )];
    for (kind, train, development, test) in kinds {
        protocols.push(build(
            format!("LOO_{kind}"),
            format!("unseen attack: {kind}. {METRIC}"),
            Some(kind),
            [train, development, test],
        ));
    }
    protocols
}

/// PADISI-Face: three folds by participant.
fn padisi() -> Vec<OfficialProtocol> {
    let counts = [
        [(597, 493), (145, 127), (363, 304)],
        [(596, 482), (148, 127), (361, 315)],
        [(581, 494), (143, 125), (381, 305)],
    ];
    let folds = counts.into_iter().enumerate().map(|(fold, expected)| {
        let select = |splits, expected| {
            let selection = Selection {
                fold: Some(fold),
                ..Selection::of("padisi").splits(splits)
            };
            part(selection, Some(expected))
        };
        OfficialProtocol {
            name: format!("padisi/part{fold}"),
            about: "one of three participant-disjoint folds".to_owned(),
            caveats: Vec::new(),
            train: select(TRAIN, expected[0]),
            development: select(DEVELOPMENT, expected[1]),
            test: select(TEST, expected[2]),
        }
    });
    folds.collect()
}

fn replay_attack() -> OfficialProtocol {
    let select = |splits, expected| {
        part(
            Selection::of("replay_attack").splits(splits),
            Some(expected),
        )
    };
    OfficialProtocol {
        name: "replay_attack/grandtest".to_owned(),
        about: "every attack and support; HTER on test at the development EER".to_owned(),
        caveats: Vec::new(),
        train: select(TRAIN, (60, 300)),
        development: select(DEVELOPMENT, (60, 300)),
        test: select(TEST, (80, 400)),
    }
}

fn two_parts(name: &str, about: &str, expected: Option<[(usize, usize); 2]>) -> OfficialProtocol {
    let select = |splits, at: usize| {
        let expected = expected.map(|counts| counts[at]);
        part(Selection::of(name).splits(splits), expected)
    };
    OfficialProtocol {
        name: format!("{name}/official"),
        about: about.to_owned(),
        caveats: vec![NO_DEVELOPMENT.to_owned()],
        train: select(TRAIN, 0),
        development: ProtocolPart::default(),
        test: select(TEST, 1),
    }
}
