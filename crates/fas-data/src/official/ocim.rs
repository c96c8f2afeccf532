//! Cross-domain protocols: OCIM leave-one-out and limited source as four groups really run them,
//! WMCA and PADISI, AG-FAS's further targets, and SSAN's larger benchmark.

use super::{OfficialProtocol, ProtocolPart, Selection};
use crate::{FramePolicy, Split};

const LETTERS: [(char, &str); 4] = [
    ('O', "oulu_npu"),
    ('C', "casia_fasd"),
    ('I', "replay_attack"),
    ('M', "msu_mfsd"),
];
/// Sources and target, in the order of the tables.
const SETTINGS: [(&str, char); 6] = [
    ("OCI", 'M'),
    ("OMI", 'C'),
    ("OCM", 'I'),
    ("ICM", 'O'),
    ("MI", 'C'),
    ("MI", 'O'),
];
/// Bona fide recordings and attacks: without the development parts, with them, training part, test part.
const COUNTS: [(char, [(usize, usize); 4]); 4] = [
    ('O', [(720, 2880), (990, 3960), (360, 1440), (360, 1440)]),
    ('C', [(150, 450), (150, 450), (60, 180), (90, 270)]),
    ('I', [(140, 700), (200, 1000), (60, 300), (80, 400)]),
    ('M', [(70, 210), (70, 210), (30, 90), (40, 120)]),
];
const ORACLE: &str = "the authors choose threshold and checkpoint on the target's test part: an oracle, not a result in use";

/// What one group does in OCIM protocols.
struct Convention {
    name: &'static str,
    about: &'static str,
    /// Parts of a source and of a target; `None` for everything.
    source: Option<&'static [Split]>,
    target: Option<&'static [Split]>,
    /// Columns of `COUNTS`.
    columns: [usize; 2],
    train_frames: FramePolicy,
    test_frames: FramePolicy,
}

const WITHOUT_DEVELOPMENT: &[Split] = &[Split::Train, Split::Test];
const CONVENTIONS: [Convention; 4] = [
    Convention {
        name: "ssdg",
        about: "SSDG: training and test parts of every set; 1 frame to train, 2 to test; mean over frames; \
                threshold at the target's EER",
        source: Some(WITHOUT_DEVELOPMENT),
        target: Some(WITHOUT_DEVELOPMENT),
        columns: [0, 0],
        train_frames: FramePolicy::Ssdg { count: 1 },
        test_frames: FramePolicy::Ssdg { count: 2 },
    },
    Convention {
        name: "safas",
        about: "SA-FAS: every video, development parts too; one random frame of every fifth; score of one frame; \
                threshold where |TPR + FPR - 1| is least",
        source: None,
        target: None,
        columns: [1, 1],
        train_frames: FramePolicy::Random { count: 1, seed: 0 },
        test_frames: FramePolicy::Random { count: 1, seed: 0 },
    },
    Convention {
        name: "ssan",
        about: "SSAN: training lists of the sources, test list of the target; one random frame to train, 8 to test; \
                mean over frames; threshold from the target's ROC",
        source: Some(&[Split::Train]),
        target: Some(&[Split::Test]),
        columns: [2, 3],
        train_frames: FramePolicy::Random { count: 1, seed: 0 },
        test_frames: FramePolicy::Ssan { count: 8 },
    },
    Convention {
        name: "ag-fas",
        about: "AG-FAS, paper version 1: as SSDG, with 10 uniform frames to train and to test",
        source: Some(WITHOUT_DEVELOPMENT),
        target: Some(WITHOUT_DEVELOPMENT),
        columns: [0, 0],
        train_frames: FramePolicy::Uniform { count: 10 },
        test_frames: FramePolicy::Uniform { count: 10 },
    },
];

fn domain(letter: char) -> &'static str {
    let found = LETTERS.iter().find(|(known, _)| *known == letter);
    found.expect("a letter of OCIM").1
}

fn counts(letters: &str, column: usize) -> (usize, usize) {
    let found = COUNTS
        .iter()
        .filter(|(letter, _)| letters.contains(*letter));
    found.fold((0, 0), |(bona_fide, attack), (_, counts)| {
        (bona_fide + counts[column].0, attack + counts[column].1)
    })
}

fn selection(domain: &str, splits: Option<&[Split]>) -> Selection {
    match splits {
        Some(splits) => Selection::of(domain).splits(splits),
        None => Selection::of(domain),
    }
}

/// Every cross-domain protocol.
pub(super) fn all() -> Vec<OfficialProtocol> {
    let mut protocols = Vec::new();
    for convention in &CONVENTIONS {
        for (sources, target) in SETTINGS {
            protocols.push(setting(convention, sources, target));
        }
    }
    let ag_fas = &CONVENTIONS[3];
    for target in ["celeba_spoof", "hkbu_mars", "wffd", "rose_youtu", "siw"] {
        protocols.push(further_target(ag_fas, target));
    }
    protocols.push(everything("wmca", "padisi"));
    protocols.push(everything("padisi", "wmca"));
    protocols.extend(larger_benchmark());
    protocols
}

fn setting(convention: &Convention, sources: &str, target: char) -> OfficialProtocol {
    let from = |letters: &str, splits| {
        letters
            .chars()
            .map(|letter| selection(domain(letter), splits))
            .collect()
    };
    let target = target.to_string();
    let limited = if sources.len() == 2 {
        "limited source; "
    } else {
        ""
    };
    OfficialProtocol {
        name: format!("{sources}->{target}@{}", convention.name),
        about: format!("{limited}{}", convention.about),
        caveats: vec![ORACLE.to_owned()],
        train: ProtocolPart {
            from: from(sources, convention.source),
            frames: Some(convention.train_frames),
            expected: Some(counts(sources, convention.columns[0])),
        },
        development: ProtocolPart::default(),
        test: ProtocolPart {
            from: from(&target, convention.target),
            frames: Some(convention.test_frames),
            expected: Some(counts(&target, convention.columns[1])),
        },
    }
}

/// AG-FAS, table 6: train on all four, test on another set.
fn further_target(convention: &Convention, target: &str) -> OfficialProtocol {
    let mut protocol = setting(convention, "OCIM", 'M');
    protocol.name = format!("OCIM->{target}@ag-fas");
    protocol.about =
        "AG-FAS, table 6: trained on all four sets, tested on another; HTER and AUC".to_owned();
    let splits: Option<&[Split]> = (target == "celeba_spoof").then_some(&[Split::Test]);
    protocol.test.from = vec![selection(target, splits)];
    protocol.test.expected = whole(target);
    if splits.is_some() {
        protocol.caveats.push(
            "the paper does not say which part of CelebA-Spoof; here the test part".to_owned(),
        );
    }
    protocol
}

/// Published bona fide recordings and attacks of a whole data set; `None` where the classes are not
/// published apart (CelebA-Spoof).
fn whole(domain: &str) -> Option<(usize, usize)> {
    Some(match domain {
        "hkbu_mars" => (504, 504),
        "rose_youtu" => (897, 2600),
        "siw" => (1313, 3165),
        "wffd" => (2200, 2200),
        "wmca" => (347, 1332),
        "padisi" => (1105, 924),
        _ => return None,
    })
}

/// Every recording of a data set that its publisher counts: WMCA's 1,679 are those of grandtest, and
/// its make-up and wigs are none of them.
fn counted(domain: &str, splits: Option<&[Split]>) -> Selection {
    let without: &[&str] = match domain {
        "wmca" => &["makeup", "wig"],
        _ => &[],
    };
    Selection {
        without: without.iter().map(ToString::to_string).collect(),
        ..selection(domain, splits)
    }
}

/// DiffFAS, table 4.
fn everything(source: &str, target: &str) -> OfficialProtocol {
    let part = |name: &str| ProtocolPart {
        from: vec![counted(name, None)],
        frames: None,
        expected: whole(name),
    };
    OfficialProtocol {
        name: format!("{source}->{target}"),
        about: "DiffFAS, table 4: HTER at the fixed threshold 0.5, and AUC".to_owned(),
        caveats: vec![
            "WMCA without make-up and wigs, which its own protocols leave out too".to_owned(),
        ],
        train: part(source),
        development: ProtocolPart::default(),
        test: part(target),
    }
}

/// SSAN, large scale: everything together (P1), half against half (P2).
fn larger_benchmark() -> Vec<OfficialProtocol> {
    const FIRST: [&str; 6] = ["msu_mfsd", "hkbu_mars", "oulu_npu", "surf", "wmca", "cefa"];
    const SECOND: [&str; 6] = [
        "casia_fasd",
        "replay_attack",
        "siw",
        "rose_youtu",
        "wffd",
        "celeba_spoof",
    ];
    const CUSTOM: &str =
        "CASIA-SURF and CeFA have no adapter: index them as `custom.surf` and `custom.cefa`";
    let part = |names: &[&str], splits: Option<&[Split]>, frames| ProtocolPart {
        from: names.iter().map(|name| counted(name, splits)).collect(),
        frames: Some(frames),
        expected: None,
    };
    let train_frames = FramePolicy::Random { count: 1, seed: 0 };
    let test_frames = FramePolicy::Ssan { count: 8 };
    let build = |name: &str, about: &str, train, test| OfficialProtocol {
        name: format!("ssan/{name}"),
        about: format!("SSAN's larger benchmark: {about}; TPR at fixed FPR"),
        caveats: vec![CUSTOM.to_owned()],
        train,
        development: ProtocolPart::default(),
        test,
    };
    let both: Vec<&str> = FIRST.into_iter().chain(SECOND).collect();
    let half = |names: &[&str], frames| part(names, None, frames);
    vec![
        build(
            "P1",
            "all twelve sets, trained on their training and tested on their test parts (sets without parts, \
             HKBU-MARs among them, fall out)",
            part(&both, Some(&[Split::Train]), train_frames),
            part(&both, Some(&[Split::Test]), test_frames),
        ),
        build(
            "P2_1",
            "six sets against the other six",
            half(&FIRST, train_frames),
            half(&SECOND, test_frames),
        ),
        build(
            "P2_2",
            "the reverse of P2_1",
            half(&SECOND, train_frames),
            half(&FIRST, test_frames),
        ),
    ]
}
