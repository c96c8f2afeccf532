//! Every adapter on a tree with the publisher's names, made by rule: counts of each part against the
//! published ones, and each known quirk.

mod celeba_spoof;
mod common;
mod names;
mod padisi;

use std::collections::BTreeMap;

use common::{complete, counts, find, index, source, species, tree, unfit};
use fas_data::{
    CheckDepth, DataError, Dataset, DatasetSource, Label, Layout, Media, PaiSpecies, Problem,
    Rotation, Split,
};
use fas_testkit::Tree;

#[test]
fn oulu_npu() {
    let mut names = names::oulu_npu();
    assert_eq!(names.len(), 4950);
    names.push("Train_files/1_1_01_1.txt".to_owned());
    names.push("Protocols/Protocol_1/Train.txt".to_owned());
    let tree = tree(names);
    let recordings = complete(Dataset::OuluNpu, &tree);
    let expected = counts([("bona_fide", 990), ("print", 1980), ("replay", 1980)]);
    assert_eq!(species(&recordings), expected);
    let one = find(&recordings, "Dev_files/6_3_21_5.avi");
    assert_eq!(one.id, "oulu_npu/6_3_21_5");
    assert_eq!(one.label, Label::Attack(PaiSpecies::Replay));
    assert_eq!(one.instrument, "video_replay/2");
    assert_eq!(
        (one.subject.as_str(), one.split),
        ("oulu_npu/21", Some(Split::Development))
    );
    assert_eq!(
        (one.device.as_deref(), one.session.as_deref()),
        (Some("6"), Some("3"))
    );
    assert_eq!(one.style, "oulu_npu/phone_6/type_5");

    for (path, reason) in [
        ("Train_files/1_1_21_1.avi", "user 21 belongs in Dev_files"),
        ("Train_files/7_1_01_1.avi", "the name is not"),
        ("Train_files/1_1_1_1.avi", "the name is not"),
        ("Train_files/1_1_56_1.avi", "the name is not"),
        ("Train_files/1_1_01_1 (1).avi", "the name is not"),
        ("Train_files/1_1_01_1.md", "neither a video"),
    ] {
        let found = unfit(Dataset::OuluNpu, path);
        assert!(found.contains(reason), "{path}: {found}");
    }
}

#[test]
fn casia_people_start_again_in_the_test_part() {
    let names = names::casia_fasd();
    assert_eq!(names.len(), 600);
    let recordings = complete(Dataset::CasiaFasd, &tree(names));
    let expected = counts([("bona_fide", 150), ("print", 300), ("replay", 150)]);
    assert_eq!(species(&recordings), expected);
    assert_eq!(
        find(&recordings, "train_release/1/1.avi").subject,
        "casia_fasd/01"
    );
    assert_eq!(
        find(&recordings, "test_release/1/1.avi").subject,
        "casia_fasd/21"
    );
    assert_eq!(
        find(&recordings, "test_release/30/HR_4.avi").subject,
        "casia_fasd/50"
    );
    let subjects: std::collections::BTreeSet<_> = recordings.iter().map(|r| &r.subject).collect();
    assert_eq!(subjects.len(), 50);
    for (clip, instrument, quality, style) in [
        ("2", "", "low", "bona_fide_low"),
        ("HR_1", "", "high", "bona_fide_high"),
        ("3", "warped_photo", "normal", "warped_photo"),
        ("6", "cut_photo", "low", "cut_photo"),
        ("HR_4", "video", "high", "video_high"),
    ] {
        let one = find(&recordings, &format!("train_release/7/{clip}.avi"));
        assert_eq!(one.instrument, instrument, "{clip}");
        assert_eq!(one.device.as_deref(), Some(quality), "{clip}");
        assert_eq!(one.style, format!("casia_fasd/{style}"), "{clip}");
    }
    assert!(unfit(Dataset::CasiaFasd, "train_release/21/1.avi").contains("not 1 to 20"));
    assert!(unfit(Dataset::CasiaFasd, "train_release/01/1.avi").contains("`01`"));
    assert!(unfit(Dataset::CasiaFasd, "train_release/1/9.avi").contains("the clip"));
}

#[test]
fn casia_copies_may_be_flattened_or_re_encoded() {
    let original = names::casia_fasd();
    let ids = |source: &DatasetSource| {
        let (recordings, survey) = index(source);
        assert_eq!(survey.findings(), []);
        assert_eq!(survey.mismatches(Dataset::CasiaFasd.card().expected), []);
        let mut ids: Vec<String> = recordings.into_iter().map(|r| r.id).collect();
        ids.sort_unstable();
        ids
    };
    let plain = tree(&original);
    let expected = ids(&source(Dataset::CasiaFasd, &plain));

    let flat = tree(original.iter().map(|name| {
        let (folder, clip) = name.rsplit_once('/').unwrap();
        format!("{folder}_{clip}").replace(".avi", ".mp4")
    }));
    let flat =
        DatasetSource::new(Dataset::CasiaFasd, flat.path(), Layout::Flattened).map(|s| (s, flat));
    assert_eq!(ids(&flat.unwrap().0), expected);

    let other = tree(original.iter().map(|name| name.replace(".avi", ".mp4")));
    let source_of = |layout| DatasetSource::new(Dataset::CasiaFasd, other.path(), layout).unwrap();
    assert_eq!(ids(&source_of(Layout::ReEncoded)), expected);
    let (recordings, survey) = index(&source_of(Layout::Original));
    assert!(recordings.is_empty());
    assert_eq!(survey.findings().len(), 600);
    assert_eq!(survey.findings()[0].problem, Problem::ReEncoded);
}

#[test]
fn replay_attack() {
    let names = names::replay_attack();
    assert_eq!(names.len(), 1200);
    let mut more = names.clone();
    more.push("enroll/train/client001_session01_webcam_enroll_adverse_1.mov".into());
    more.push(
        "face-locations/train/real/client001_session01_webcam_authenticate_adverse_1.face".into(),
    );
    more.push("protocols/clients.txt".into());
    let recordings = complete(Dataset::ReplayAttack, &tree(&more));
    let expected = counts([("bona_fide", 200), ("print", 200), ("replay", 800)]);
    assert_eq!(species(&recordings), expected);
    let path = "test/attack/hand/attack_mobile_client102_session01_mobile_video_adverse.mov";
    let one = find(&recordings, path);
    // The support is in the folder's name only: without it two files would have one id.
    assert_eq!(
        one.id,
        "replay_attack/hand/attack_mobile_client102_session01_mobile_video_adverse"
    );
    assert_eq!(one.instrument, "mobile_video/hand");
    assert_eq!(one.environment.as_deref(), Some("adverse"));
    assert_eq!(one.style, "replay_attack/mobile");

    for prefix in ["replayattack-", "both"] {
        let downloaded = tree(names.iter().map(|name| {
            let part = name.split('/').next().unwrap();
            match prefix {
                "both" => format!("replayattack-{part}/{name}"),
                prefix => format!("{prefix}{name}"),
            }
        }));
        complete(Dataset::ReplayAttack, &downloaded);
    }
    let wrong = "train/real/client003_session01_webcam_authenticate_adverse_1.mov";
    assert!(unfit(Dataset::ReplayAttack, wrong).contains("client 003 is not in train"));
    let wrong = "train/attack/fixed/attack_print_client001_session01_mobile_photo_adverse.mov";
    assert!(unfit(Dataset::ReplayAttack, wrong).contains("none of the 24"));
}

#[test]
fn six_msu_clips_stand_on_their_head() {
    let mut names = names::msu_mfsd();
    assert_eq!(names.len(), 280);
    names.push("train_sub_list.txt".to_owned());
    names.push("scene01/real/real_client001_android_SD_scene01.face".to_owned());
    let recordings = complete(Dataset::MsuMfsd, &tree(names));
    let expected = counts([("bona_fide", 70), ("print", 70), ("replay", 140)]);
    assert_eq!(species(&recordings), expected);
    let turned: Vec<&str> = recordings
        .iter()
        .filter(|recording| recording.rotation != Rotation::None)
        .map(|recording| recording.path.as_str())
        .collect();
    let expected = ["003", "005", "006", "007", "008", "009"]
        .map(|client| format!("scene01/real/real_client{client}_android_SD_scene01.mp4"));
    assert_eq!(turned, expected);
    assert!(
        recordings
            .iter()
            .all(|recording| matches!(recording.rotation, Rotation::None | Rotation::Half))
    );
    let container = "scene01/real/real_client001_android_SD_scene01.mov";
    let (_, survey) = index(&source(Dataset::MsuMfsd, &tree([container])));
    assert_eq!(survey.findings()[0].problem, Problem::ReEncoded);
    let wrong = "scene01/real/real_client004_laptop_SD_scene01.mov";
    assert!(unfit(Dataset::MsuMfsd, wrong).contains("in neither list"));
}

#[test]
fn siw_stems_may_end_in_m() {
    let names = names::siw();
    assert_eq!(
        names.iter().filter(|name| name.ends_with(".m.mov")).count(),
        16
    );
    let recordings = complete(Dataset::Siw, &tree(names));
    assert_eq!(recordings.len(), 4478);
    let one = find(&recordings, "Test/live/153/153-2-1-1-2.m.mov");
    assert_eq!(one.id, "siw/153-2-1-1-2");
    assert_eq!(one.label, Label::BonaFide);
    let one = find(&recordings, "Train/spoof/003/003-1-3-4-2.mov");
    assert_eq!(
        (one.instrument.as_str(), one.session.as_deref()),
        ("replay/4", Some("2"))
    );
    for (path, reason) in [
        ("Train/live/003/004-1-1-1-1.mov", "in the folder of 003"),
        ("Train/live/003/003-1-2-1-1.mov", "type 2 belongs in spoof"),
        ("Train/spoof/003/003-1-2-3-1.mov", "the name is not"),
        ("Valid/live/003/003-1-1-1-1.mov", "not in Train or Test"),
    ] {
        let found = unfit(Dataset::Siw, path);
        assert!(found.contains(reason), "{path}: {found}");
    }
}

#[test]
fn rose_youtu() {
    let recordings = complete(Dataset::RoseYoutu, &tree(names::rose_youtu()));
    let expected = counts([
        ("bona_fide", 897),
        ("paper_mask", 999),
        ("print", 800),
        ("replay", 801),
    ]);
    assert_eq!(species(&recordings), expected);
    let trained = recordings.iter().filter(|r| r.split == Some(Split::Train));
    let subjects: std::collections::BTreeSet<_> = trained.map(|r| r.subject.clone()).collect();
    let first_ten = [2, 3, 4, 5, 6, 7, 9, 10, 11, 12].map(|person| format!("rose_youtu/{person}"));
    assert_eq!(subjects, first_ten.into());
    assert!(unfit(Dataset::RoseYoutu, "8/G_T_HS_g_E_8_1.mp4").contains("none of the 20"));
    assert!(unfit(Dataset::RoseYoutu, "2/G_T_HS_g_E_3_1.mp4").contains("in the folder of 2"));
}

#[test]
fn hkbu_attacks_on_subject_nine_lack_a_zero_and_cameras_are_turned() {
    let recordings = complete(Dataset::HkbuMars, &tree(names::hkbu_mars()));
    assert_eq!(
        species(&recordings),
        counts([("bona_fide", 504), ("rigid_mask", 504)])
    );
    let one = find(
        &recordings,
        "HKBU_MARs_V2/HKBU_MARs_V2/attack/09/01_01_9.avi",
    );
    assert_eq!(one.id, "hkbu_mars/attack/01_01_09");
    assert_eq!(one.subject, "hkbu_mars/09");
    for recording in &recordings {
        let expected = match recording.device.as_deref() {
            Some("04") => Rotation::Clockwise,
            Some("05" | "06") => Rotation::CounterClockwise,
            _ => Rotation::None,
        };
        assert_eq!(recording.rotation, expected, "{}", recording.path);
    }
    // Nowhere else is the zero missing, and a root inside the archive's folders is fine.
    assert!(unfit(Dataset::HkbuMars, "real/09/01_01_9.avi").contains("the name is not"));
    let (inside, _) = index(&source(Dataset::HkbuMars, &tree(["real/09/01_01_09.avi"])));
    assert_eq!(inside.len(), 1);
}

fn wmca_tree() -> Tree {
    let mut files = Vec::new();
    for (part, stems) in names::wmca() {
        let mut list = String::from(",client_id,filepath,group,label\n");
        for (row, stem) in stems.iter().enumerate() {
            let folder = "face-station/12.02.18";
            list += &format!("{row},{},{folder}/{stem},{part},x\n", &stem[..3]);
            for kind in ["RGB", "CDIT"] {
                files.push((
                    format!("WMCA_preprocessed_{kind}/WMCA/{folder}/{stem}.hdf5"),
                    "x".to_owned(),
                ));
            }
        }
        files.push((format!("documentation/PROTOCOL-grandtest_{part}.csv"), list));
    }
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    let contents: BTreeMap<&str, &str> = files
        .iter()
        .map(|(n, c)| (n.as_str(), c.as_str()))
        .collect();
    Tree::with_contents(names, |name| contents[name].into()).unwrap()
}

#[test]
fn wmca_parts_come_from_the_publishers_lists() {
    let tree = wmca_tree();
    let recordings = complete(Dataset::Wmca, &tree);
    let expected = counts([
        ("bona_fide", 347),
        ("fake_head", 122),
        ("flexible_mask", 379),
        ("glasses", 75),
        ("paper_mask", 71),
        ("print", 200),
        ("replay", 348),
        ("rigid_mask", 137),
    ]);
    assert_eq!(species(&recordings), expected);
    assert!(
        recordings
            .iter()
            .all(|r| r.path.contains("RGB") && r.media == Media::Hdf5)
    );
    let mask = recordings
        .iter()
        .find(|r| r.instrument == "flexiblemask")
        .unwrap();
    assert_ne!(mask.presenter.as_ref(), Some(&mask.subject));
    // Without the lists there are no parts.
    std::fs::remove_dir_all(tree.join("documentation")).unwrap();
    let (recordings, survey) = index(&source(Dataset::Wmca, &tree));
    assert_eq!(recordings.len(), 1679);
    assert_eq!(survey.mismatches(Dataset::Wmca.card().expected).len(), 3);
    assert!(unfit(Dataset::Wmca, "RGB/001_01_000_2_19.hdf5").contains("type 2 has no PAI 19"));
    assert!(unfit(Dataset::Wmca, "RGB/001_08_000_0_00.hdf5").contains("the name is not"));
}

#[test]
fn wffd_needs_a_mapping() {
    let tree = tree(["Protocol1/Train/a.jpg", "Protocol1/Train/b.jpg"]);
    let error = DatasetSource::new(Dataset::Wffd, tree.path(), Layout::Original)
        .err()
        .unwrap();
    assert!(matches!(error, DataError::Recording(_)), "{error}");
    assert!(
        error.to_string().contains("set `mapping` in `[wffd]`"),
        "{error}"
    );
    let rows = "path,label,species,subject,split\nProtocol1/Train/a.jpg,bona_fide,,obama,train\n\
                Protocol1/Train/c.jpg,attack,fake_head,obama,train\n";
    tree.write("mapping.csv", rows).unwrap();
    let source = source(Dataset::Wffd, &tree);
    let (recordings, survey) = index(&source);
    assert_eq!(recordings.len(), 1);
    assert_eq!(recordings[0].subject, "wffd/obama");
    assert_eq!(survey.findings().len(), 1);
    assert_eq!(source.missing(&survey), ["wffd/Protocol1/Train/c.jpg"]);
    assert!(Dataset::Wffd.card().experimental);
}

#[test]
fn sets_of_the_users_go_by_folders_or_by_a_table() {
    let tree = tree([
        "train/bona_fide/anna/1.png",
        "test/paper_mask/bert/day 2/clip.mp4",
        "print/cleo/a.jpg",
        "photo/dora/a.jpg",
        "train/print/a.jpg",
        "train/print/a/notes.txt",
    ]);
    let source = DatasetSource::custom("lab", tree.path(), None).unwrap();
    let (recordings, survey) = index(&source);
    assert_eq!(survey.findings().len(), 3);
    let clip = find(&recordings, "test/paper_mask/bert/day 2/clip.mp4");
    assert_eq!((clip.split, clip.media), (Some(Split::Test), Media::Video));
    assert_eq!(
        (clip.subject.as_str(), clip.session.as_deref()),
        ("lab/bert", Some("day 2"))
    );
    assert_eq!(find(&recordings, "print/cleo/a.jpg").split, None);

    let rows =
        "path,label,species,subject,presenter\r\nprint/cleo/a.jpg,attack,print,cleo,dora\r\n";
    let table = tree.write("lab.csv", rows).unwrap();
    let source = DatasetSource::custom("lab", tree.path(), Some(&table)).unwrap();
    let (recordings, survey) = index(&source);
    assert_eq!(recordings.len(), 1);
    assert_eq!(recordings[0].presenter.as_deref(), Some("lab/dora"));
    assert_eq!((survey.findings().len(), survey.companions()), (5, 1));
}

#[test]
fn a_root_above_the_right_one_gets_a_hint() {
    let tree = tree(["OULU/v1/Train_files/1_1_01_1.avi"]);
    let source = source(Dataset::OuluNpu, &tree);
    let (_, survey) = index(&source);
    assert_eq!(source.suggested_root(&survey), Some(tree.join("OULU/v1")));
}

#[test]
fn an_unknown_layout_is_refused() {
    let error = DatasetSource::new(Dataset::MsuMfsd, "", Layout::Flattened)
        .err()
        .unwrap();
    assert_eq!(
        error.to_string(),
        "msu_mfsd: no rule for the layout `flattened`; its layouts are original, re-encoded"
    );
}

#[test]
fn a_check_looks_into_the_files() {
    let avi = b"RIFF\0\0\0\0AVI LIST".to_vec();
    let tree = Tree::with_contents(
        [
            "Train_files/1_1_01_1.avi",
            "Train_files/1_1_01_2.avi",
            "Train_files/1_1_01_3.avi",
            "Train_files/1_1_01_4.avi",
            "Train_files/1_1_01_5.avi",
            "Train_files/1_2_01_1.mp4",
            "Train_files/1_3_01_1.avi",
        ],
        |name| match name {
            "Train_files/1_1_01_3.avi" => b"\0\0\0\x18ftypmp42".to_vec(),
            "Train_files/1_1_01_4.avi" => b"<html>404</html>".to_vec(),
            "Train_files/1_1_01_5.avi" => Vec::new(),
            "Train_files/1_3_01_1.avi" => [&avi[..], b"other"].concat(),
            _ => avi.clone(),
        },
    )
    .unwrap();
    let check = source(Dataset::OuluNpu, &tree)
        .check(CheckDepth::Copies)
        .unwrap();
    let found: Vec<(&str, &str)> = check
        .findings()
        .map(|finding| {
            (
                finding.path.rsplit('/').next().unwrap(),
                finding.problem.kind(),
            )
        })
        .collect();
    assert_eq!(
        found,
        [
            ("1_1_01_5.avi", "empty"),
            ("1_2_01_1.mp4", "re-encoded"),
            ("1_1_01_3.avi", "other container"),
            ("1_1_01_4.avi", "unreadable"),
            ("1_1_01_2.avi", "same content"),
        ]
    );
    assert_eq!(check.missing.len(), 4945);
    assert_eq!(check.mismatches.len(), 3);
    assert!(!check.is_clean());
    let names = source(Dataset::OuluNpu, &tree)
        .check(CheckDepth::Names)
        .unwrap();
    assert_eq!(names.findings().count(), 2);
}

#[test]
fn a_table_may_name_folders_of_images() {
    let tree = tree([
        "clips/a/0001.png",
        "clips/a/0002.png",
        "clips/a/Thumbs.db",
        "clips/b/0001.png",
        "photo.png",
    ]);
    let header = "path,label,species,subject,split,media\n";
    let rows = "clips/a,bona_fide,,anna,train,frames\n\
                photo.png,attack,print,bert,test,\n\
                clips/c/,attack,replay,bert,test,frames\n";
    let table = tree.path().join("table.csv");
    std::fs::write(&table, format!("{header}{rows}")).unwrap();
    let source = DatasetSource::custom("lab", tree.path(), Some(&table)).unwrap();
    let (recordings, survey) = index(&source);
    let found: Vec<(&str, Media)> = recordings
        .iter()
        .map(|recording| (recording.path.as_str(), recording.media))
        .collect();
    assert_eq!(
        found,
        [("photo.png", Media::Image), ("clips/a", Media::Frames)]
    );
    assert_eq!(source.missing(&survey), ["lab/clips/c"]);
    // Of the folder that no row names.
    let odd: Vec<&str> = survey.findings().iter().map(|f| f.path.as_str()).collect();
    assert_eq!(odd, ["clips/b/0001.png"]);
    // The content of the folder is looked at by nobody but the reader of its frames.
    assert!(source.check(CheckDepth::Copies).is_ok());

    for (row, reason) in [
        (
            "clips/a,bona_fide,,anna,train,",
            "write `frames` in a column `media`",
        ),
        (
            "photo.png,bona_fide,,anna,train,movie",
            "media `movie`; write `frames`",
        ),
    ] {
        std::fs::write(&table, format!("{header}{row}\n")).unwrap();
        let error = DatasetSource::custom("lab", tree.path(), Some(&table))
            .err()
            .unwrap()
            .to_string();
        assert!(error.contains(reason), "{error}");
    }
}
