//! Names of every file of a data set, by the publisher's rules.

/// CASIA-FASD: 50 people of 12 clips.
pub(crate) fn casia_fasd() -> Vec<String> {
    let clips = (1..=8)
        .map(|n| n.to_string())
        .chain((1..=4).map(|n| format!("HR_{n}")));
    let clips: Vec<String> = clips.collect();
    [("train_release", 20), ("test_release", 30)]
        .into_iter()
        .flat_map(|(part, people)| (1..=people).map(move |person| format!("{part}/{person}")))
        .flat_map(|folder| clips.iter().map(move |clip| format!("{folder}/{clip}.avi")))
        .collect()
}

/// OULU-NPU: 55 users x 6 phones x 3 sessions x 5 types.
pub(crate) fn oulu_npu() -> Vec<String> {
    let mut names = Vec::new();
    for user in 1..=55 {
        let part = match user {
            ..=20 => "Train",
            21..=35 => "Dev",
            _ => "Test",
        };
        for code in 0..6 * 3 * 5 {
            let (phone, session, kind) = (code / 15 + 1, code / 5 % 3 + 1, code % 5 + 1);
            names.push(format!(
                "{part}_files/{phone}_{session}_{user:02}_{kind}.avi"
            ));
        }
    }
    names
}

/// Replay-Attack: 50 clients of 4 bona fide clips and 20 attacks.
pub(crate) fn replay_attack() -> Vec<String> {
    let parts = [
        (
            "train",
            "001 002 004 006 007 008 012 016 018 025 027 103 105 108 110",
        ),
        (
            "devel",
            "003 005 010 015 017 022 029 030 101 111 113 114 116 118 119",
        ),
        (
            "test",
            "009 011 013 014 019 020 021 023 024 026 028 031 102 104 106 107 109 112 115 117",
        ),
    ];
    let mut names = Vec::new();
    for (part, clients) in parts {
        for client in clients.split(' ') {
            for light in ["adverse", "controlled"] {
                for take in 1..=2 {
                    names.push(format!(
                        "{part}/real/client{client}_session01_webcam_authenticate_{light}_{take}.mov"
                    ));
                }
                for (device, medium) in [
                    ("print", "highdef_photo"),
                    ("mobile", "mobile_photo"),
                    ("mobile", "mobile_video"),
                    ("highdef", "highdef_photo"),
                    ("highdef", "highdef_video"),
                ] {
                    for support in ["fixed", "hand"] {
                        names.push(format!(
                            "{part}/attack/{support}/attack_{device}_client{client}_session01_{medium}_{light}.mov"
                        ));
                    }
                }
            }
        }
    }
    names
}

/// MSU-MFSD: 35 clients of 2 bona fide clips and 6 attacks.
pub(crate) fn msu_mfsd() -> Vec<String> {
    let clients = "001 002 003 005 006 007 008 009 011 012 013 014 021 022 023 024 026 028 029 030 032 033 \
                   034 035 036 037 039 042 048 049 050 051 053 054 055";
    let mut names = Vec::new();
    for client in clients.split(' ') {
        for (device, container) in [("android", "mp4"), ("laptop", "mov")] {
            names.push(format!(
                "scene01/real/real_client{client}_{device}_SD_scene01.{container}"
            ));
            for instrument in ["ipad_video", "iphone_video", "printed_photo"] {
                names.push(format!(
                    "scene01/attack/attack_client{client}_{device}_SD_{instrument}_scene01.{container}"
                ));
            }
        }
    }
    names
}

/// Train subjects of SiW.
const SIW_TRAIN: [u32; 90] = [
    3, 6, 7, 11, 14, 16, 17, 22, 28, 30, 32, 33, 34, 35, 38, 40, 41, 42, 45, 46, 47, 51, 54, 55,
    56, 58, 60, 62, 63, 68, 69, 70, 72, 74, 76, 77, 78, 80, 81, 86, 89, 91, 92, 93, 96, 98, 99,
    100, 101, 103, 104, 105, 107, 111, 112, 113, 115, 117, 119, 120, 121, 123, 127, 128, 129, 131,
    133, 134, 135, 136, 140, 143, 144, 145, 146, 147, 148, 149, 150, 151, 152, 155, 156, 157, 159,
    160, 162, 163, 164, 165,
];

/// SiW: the product of its codes, without as many takes as the original lacks in each part. Which takes it
/// lacks is not by a rule; here they are the first ones of sensor 2 on paper, then others.
pub(crate) fn siw() -> Vec<String> {
    let (mut live, mut spoof) = ([Vec::new(), Vec::new()], [Vec::new(), Vec::new()]);
    for subject in 1..=165 {
        let test = usize::from(!SIW_TRAIN.contains(&subject));
        let part = ["Train", "Test"][test];
        for sensor in 1..=2 {
            for (kind, media) in [(1, 2), (2, 2), (3, 4)] {
                for (medium, session) in (1..=media).flat_map(|m| [(m, 1), (m, 2)]) {
                    let class = if kind == 1 { "live" } else { "spoof" };
                    let odd = kind == 1 && sensor == 2 && [153, 154, 158, 161].contains(&subject);
                    let tail = if odd { ".m" } else { "" };
                    let name = format!(
                        "{part}/{class}/{subject:03}/{subject:03}-{sensor}-{kind}-{medium}-{session}{tail}.mov"
                    );
                    let list = if kind == 1 { &mut live } else { &mut spoof };
                    list[test].push((kind != 2 || sensor != 2, tail, name));
                }
            }
        }
    }
    let mut names = Vec::new();
    let lists = live
        .into_iter()
        .zip([714, 599])
        .chain(spoof.into_iter().zip([1703, 1462]));
    for (mut list, published) in lists {
        // Keep what has a quirk, then everything but prints before sensor 2.
        list.sort_by_key(|(usual, tail, _)| (tail.is_empty(), !usual));
        names.extend(list.into_iter().take(published).map(|(.., name)| name));
    }
    names
}

/// Rose-Youtu: 3497 clips; of each kind the numbers that GRAD-GPAD's lists have of the first ten and of
/// the last ten subjects.
pub(crate) fn rose_youtu() -> Vec<String> {
    let subjects = [
        2, 3, 4, 5, 6, 7, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 20, 21, 22, 23,
    ];
    let counts = [
        ("G", [448, 449]),
        ("Vl", [200, 201]),
        ("Mu", [202, 198]),
        ("Pq", [200, 200]),
        ("Ps", [200, 200]),
        ("Vm", [201, 199]),
        ("Mc", [197, 202]),
        ("Mf", [100, 100]),
    ];
    let mut names = Vec::new();
    for (kind, counts) in counts {
        for (people, count) in subjects.chunks(10).zip(counts) {
            for take in 0..count {
                let person = people[take % people.len()];
                let device = ["HS", "HW", "IP", "5s", "ZTE"][take / 10 % 5];
                let (talk, glasses) = (["T", "NT"][take / 50 % 2], ["g", "wg"][take / 100 % 2]);
                names.push(format!(
                    "{person}/{kind}_{talk}_{device}_{glasses}_E_{person}_{take}.mp4"
                ));
            }
        }
    }
    names
}

/// HKBU-MARs V2: 12 subjects x 7 cameras x 6 lights, twice; `attack/09` without the zero.
pub(crate) fn hkbu_mars() -> Vec<String> {
    let mut names = Vec::new();
    for class in ["attack", "real"] {
        for subject in 1..=12 {
            for (camera, light) in
                (1..=7).flat_map(|camera| (1..=6).map(move |light| (camera, light)))
            {
                let person = if class == "attack" && subject == 9 {
                    "9".to_owned()
                } else {
                    format!("{subject:02}")
                };
                names.push(format!(
                    "HKBU_MARs_V2/HKBU_MARs_V2/{class}/{subject:02}/{camera:02}_{light:02}_{person}.avi"
                ));
            }
        }
    }
    names
}

/// A part of WMCA's grandtest and its instruments as (type, PAI, recordings).
type CountsOfPart = (&'static str, &'static [(u32, u32, usize)]);

/// The published numbers.
const WMCA: [CountsOfPart; 3] = [
    (
        "train",
        &[
            (0, 0, 124),
            (2, 75, 111),
            (4, 1, 152),
            (3, 1, 68),
            (2, 1, 53),
            (1, 1, 31),
            (2, 12, 26),
        ],
    ),
    (
        "dev",
        &[
            (0, 1, 108),
            (2, 18, 131),
            (3, 5, 116),
            (3, 2, 66),
            (2, 12, 62),
            (2, 7, 52),
            (1, 2, 22),
        ],
    ),
    (
        "eval",
        &[
            (0, 2, 115),
            (2, 99, 137),
            (4, 2, 80),
            (2, 8, 71),
            (3, 6, 66),
            (2, 17, 49),
            (1, 3, 22),
            (2, 2, 17),
        ],
    ),
];

/// WMCA: stems of each part of the grandtest protocol. Clients are of one part; attacks with masks and
/// glasses are worn by presenters of the next part, as in the original.
pub(crate) fn wmca() -> Vec<(&'static str, Vec<String>)> {
    let mut parts = Vec::new();
    for (index, (part, instruments)) in WMCA.into_iter().enumerate() {
        let mut stems = Vec::new();
        for &(kind, pai, count) in instruments {
            for take in 0..count {
                let client = 1 + index * 24 + take % 24;
                let session = 1 + take / 24 % 7;
                let presenter = match kind {
                    1 | 2 => 1 + (index + 1) % 3 * 24 + take % 24,
                    _ => 0,
                };
                stems.push(format!(
                    "{client:03}_{session:02}_{presenter:03}_{kind}_{pai:02}"
                ));
            }
        }
        stems.sort_unstable();
        stems.dedup();
        parts.push((part, stems));
    }
    parts
}
