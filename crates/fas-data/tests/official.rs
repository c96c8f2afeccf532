//! Official protocols on complete trees: every published count, and disjoint parts.

#[path = "datasets/names.rs"]
mod names;

use std::collections::{BTreeMap, BTreeSet};

use fas_data::{
    Dataset, DatasetSource, FramePolicy, Label, Layout, OfficialProtocol, PaiSpecies, Partition,
    Recording, Split, official_protocol, official_protocols,
};
use fas_testkit::Tree;

/// Recordings of a data set whose names follow a rule.
fn recordings(dataset: Dataset) -> Vec<Recording> {
    let names = match dataset {
        Dataset::OuluNpu => names::oulu_npu(),
        Dataset::CasiaFasd => names::casia_fasd(),
        Dataset::ReplayAttack => names::replay_attack(),
        Dataset::MsuMfsd => names::msu_mfsd(),
        Dataset::Siw => names::siw(),
        Dataset::RoseYoutu => names::rose_youtu(),
        Dataset::HkbuMars => names::hkbu_mars(),
        other => panic!("{other} has no rule"),
    };
    let source = DatasetSource::new(dataset, "", Layout::Original).unwrap();
    let mut recordings = Vec::new();
    source
        .index_listing(names.iter().map(String::as_str), |recording| {
            recordings.push(recording);
            Ok(())
        })
        .unwrap();
    assert_eq!(recordings.len(), names.len());
    recordings
}

fn wmca() -> Vec<Recording> {
    let tree = Tree::new([]).unwrap();
    let mut names = Vec::new();
    for (part, stems) in names::wmca() {
        let mut list = String::from(",client_id,filepath,group,label\n");
        for stem in stems {
            list += &format!("0,{},face-station/{stem},{part},x\n", &stem[..3]);
            names.push(format!("WMCA_preprocessed_RGB/{stem}.hdf5"));
        }
        tree.write(&format!("PROTOCOL-grandtest_{part}.csv"), list)
            .unwrap();
    }
    let source = DatasetSource::new(Dataset::Wmca, tree.path(), Layout::Original).unwrap();
    let mut recordings = Vec::new();
    source
        .index_listing(names.iter().map(String::as_str), |recording| {
            recordings.push(recording);
            Ok(())
        })
        .unwrap();
    recordings
}

fn counts(part: &[Recording]) -> (usize, usize) {
    let bona_fide = part
        .iter()
        .filter(|recording| recording.label.is_bona_fide())
        .count();
    (bona_fide, part.len() - bona_fide)
}

/// Selects, and checks the published counts and that no recording is in two parts.
fn select(protocol: &OfficialProtocol, recordings: &[Recording]) -> Partition {
    let partition = protocol.select(recordings.iter().cloned()).unwrap();
    assert_eq!(protocol.mismatches(&partition), [], "{}", protocol.name);
    let mut seen = BTreeSet::new();
    for (_, part) in partition.parts() {
        for recording in part {
            assert!(
                seen.insert(&recording.id),
                "{}: {} twice",
                protocol.name,
                recording.id
            );
        }
    }
    partition
}

/// All counts of a protocol in one line, bona fide/attack by part.
fn line(name: &str, recordings: &[Recording]) -> String {
    let partition = select(&official_protocol(name).unwrap(), recordings);
    let parts = partition.parts().map(|(_, part)| {
        let (bona_fide, attack) = counts(part);
        format!("{bona_fide}/{attack}")
    });
    parts.join(" ")
}

#[test]
fn oulu_npu() {
    let recordings = recordings(Dataset::OuluNpu);
    assert_eq!(line("oulu_npu/P1", &recordings), "240/960 180/720 120/480");
    assert_eq!(line("oulu_npu/P2", &recordings), "360/720 270/540 360/720");
    for phone in 1..=6 {
        assert_eq!(
            line(&format!("oulu_npu/P3_{phone}"), &recordings),
            "300/1200 225/900 60/240"
        );
        assert_eq!(
            line(&format!("oulu_npu/P4_{phone}"), &recordings),
            "200/400 150/300 20/40"
        );
    }
    let fourth = select(&official_protocol("oulu_npu/P4_2").unwrap(), &recordings);
    for recording in &fourth.test {
        assert_eq!(recording.device.as_deref(), Some("2"));
        assert_eq!(recording.session.as_deref(), Some("3"));
        assert!(["", "print/2", "video_replay/2"].contains(&recording.instrument.as_str()));
    }
    for recording in fourth.train.iter().chain(&fourth.development) {
        assert_ne!(recording.device.as_deref(), Some("2"));
        assert_ne!(recording.session.as_deref(), Some("3"));
        assert!(["", "print/1", "video_replay/1"].contains(&recording.instrument.as_str()));
    }
}

#[test]
fn siw() {
    let recordings = recordings(Dataset::Siw);
    assert_eq!(line("siw/P1", &recordings), "714/1703 0/0 599/1462");
    let first = official_protocol("siw/P1").unwrap();
    assert_eq!(first.train.frames, Some(FramePolicy::First { count: 60 }));
    assert_eq!(first.test.frames, None);
    for medium in 1..=4 {
        let name = format!("siw/P2_{medium}");
        let partition = select(&official_protocol(&name).unwrap(), &recordings);
        let held_out = format!("replay/{medium}");
        assert!(partition.train.iter().all(|r| r.instrument != held_out));
        assert!(
            partition
                .test
                .iter()
                .all(|r| r.instrument.is_empty() || r.instrument == held_out)
        );
        // Prints are in neither part.
        assert!(
            partition
                .train
                .iter()
                .all(|r| !r.instrument.starts_with("print"))
        );
    }
    let third = select(&official_protocol("siw/P3_1").unwrap(), &recordings);
    assert!(
        third
            .train
            .iter()
            .all(|r| !r.instrument.starts_with("replay"))
    );
    assert!(
        third
            .test
            .iter()
            .all(|r| !r.instrument.starts_with("print"))
    );
}

#[test]
fn wmca_grandtest_and_each_attack_left_out() {
    let recordings = wmca();
    let expected = [
        ("grandtest", "124/441 108/449 115/442"),
        ("LOO_fakehead", "124/388 108/397 115/17"),
        ("LOO_flexiblemask", "124/330 108/318 115/137"),
        ("LOO_glasses", "124/410 108/427 115/22"),
        ("LOO_papermask", "124/441 108/449 115/71"),
        ("LOO_prints", "124/373 108/383 115/66"),
        ("LOO_replay", "124/289 108/333 115/80"),
        ("LOO_rigidmask", "124/415 108/387 115/49"),
    ];
    for (name, counts) in expected {
        assert_eq!(line(&format!("wmca/{name}"), &recordings), counts, "{name}");
    }
}

#[test]
fn ocim_as_four_groups_run_it() {
    let sets = [
        Dataset::OuluNpu,
        Dataset::CasiaFasd,
        Dataset::ReplayAttack,
        Dataset::MsuMfsd,
    ];
    let recordings: Vec<Recording> = sets.into_iter().flat_map(recordings).collect();
    let expected = [
        ("OCI->M@ssdg", "1010/4030 0/0 70/210"),
        ("OMI->C@ssdg", "930/3790 0/0 150/450"),
        ("OCM->I@ssdg", "940/3540 0/0 140/700"),
        ("ICM->O@ssdg", "360/1360 0/0 720/2880"),
        ("MI->C@ssdg", "210/910 0/0 150/450"),
        ("MI->O@ag-fas", "210/910 0/0 720/2880"),
        ("OCM->I@safas", "1210/4620 0/0 200/1000"),
        ("ICM->O@safas", "420/1660 0/0 990/3960"),
        ("OCI->M@ssan", "480/1920 0/0 40/120"),
        ("OCI->M@ag-fas", "1010/4030 0/0 70/210"),
    ];
    for (name, counts) in expected {
        assert_eq!(line(name, &recordings), counts, "{name}");
    }
    let frames = |name: &str| {
        let protocol = official_protocol(name).unwrap();
        (
            protocol.train.frames.unwrap(),
            protocol.test.frames.unwrap(),
        )
    };
    assert_eq!(
        frames("OCI->M@ssdg"),
        (
            FramePolicy::Ssdg { count: 1 },
            FramePolicy::Ssdg { count: 2 }
        )
    );
    assert_eq!(frames("OCI->M@ssan").1, FramePolicy::Ssan { count: 8 });
    let ten = FramePolicy::Uniform { count: 10 };
    assert_eq!(frames("OCI->M@ag-fas"), (ten, ten));
}

#[test]
fn further_targets_and_the_larger_benchmark_need_their_sets() {
    let ocim = [
        Dataset::OuluNpu,
        Dataset::CasiaFasd,
        Dataset::ReplayAttack,
        Dataset::MsuMfsd,
    ];
    let mut all: Vec<Recording> = ocim.into_iter().flat_map(recordings).collect();
    let protocol = official_protocol("OCIM->siw@ag-fas").unwrap();
    let error = protocol.select(all.clone()).unwrap_err().to_string();
    assert!(
        error.contains("no bona fide recording in its test part; index casia_fasd"),
        "{error}"
    );
    all.extend(recordings(Dataset::Siw));
    all.extend(recordings(Dataset::HkbuMars));
    let partition = select(&protocol, &all);
    assert_eq!(
        (counts(&partition.train), counts(&partition.test)),
        ((1080, 4240), (1313, 3165))
    );
    let large = official_protocol("ssan/P2_1").unwrap();
    assert_eq!(large.domains().len(), 12);
    let partition = large.select(all.clone()).unwrap();
    assert_eq!(counts(&partition.train), (990 + 70 + 504, 3960 + 210 + 504));
    let reverse = official_protocol("ssan/P2_2").unwrap().select(all).unwrap();
    assert_eq!(reverse.train, partition.test);
}

#[test]
fn rose_youtu_and_hkbu_mars_have_counts_to_compare_with() {
    let rose = recordings(Dataset::RoseYoutu);
    assert_eq!(line("rose_youtu/official", &rose), "448/1300 0/0 449/1300");
    let ocim = [
        Dataset::OuluNpu,
        Dataset::CasiaFasd,
        Dataset::ReplayAttack,
        Dataset::MsuMfsd,
    ];
    let sources: Vec<Recording> = ocim.into_iter().flat_map(recordings).collect();
    for (target, recordings, counts) in [
        ("rose_youtu", rose, "1080/4240 0/0 897/2600"),
        (
            "hkbu_mars",
            recordings(Dataset::HkbuMars),
            "1080/4240 0/0 504/504",
        ),
    ] {
        let protocol = official_protocol(&format!("OCIM->{target}@ag-fas")).unwrap();
        assert_eq!(protocol.uncounted(), []);
        let all = [sources.clone(), recordings].concat();
        assert_eq!(line(&protocol.name, &all), counts);
        // One attack less is told.
        let mut short = protocol.select(all).unwrap();
        let at = short.test.iter().rposition(|r| !r.label.is_bona_fide());
        short.test.remove(at.unwrap());
        assert_eq!(protocol.mismatches(&short).len(), 1, "{target}");
    }
    let celeba = official_protocol("OCIM->celeba_spoof@ag-fas").unwrap();
    assert_eq!(celeba.uncounted(), [Split::Test]);
    let siw = official_protocol("siw/P2_1").unwrap();
    assert_eq!(siw.uncounted(), [Split::Train, Split::Test]);
}

#[test]
fn wmca_without_makeup_and_wigs_is_what_its_publisher_counts() {
    let mut recordings = wmca();
    assert_eq!(counts(&recordings), (347, 1332));
    for kind in ["makeup", "wig"] {
        let mut other = recordings[0].clone();
        other.id = format!("wmca/{kind}");
        other.label = Label::Attack(PaiSpecies::Makeup);
        other.instrument = kind.to_owned();
        other.split = None;
        recordings.push(other);
    }
    for name in ["wmca->padisi", "padisi->wmca"] {
        let protocol = official_protocol(name).unwrap();
        assert_eq!(protocol.uncounted(), []);
        let mut partition = Partition::default();
        for recording in recordings.clone() {
            protocol.place(recording, &mut partition);
        }
        let found = [partition.train, partition.test].concat();
        assert_eq!(counts(&found), (347, 1332), "{name}");
    }
    let large = official_protocol("ssan/P2_1").unwrap();
    let mut partition = Partition::default();
    for recording in recordings {
        large.place(recording, &mut partition);
    }
    assert_eq!(counts(&partition.train), (347, 1332));
}

#[test]
fn protocols_are_data_and_have_one_name_each() {
    let protocols = official_protocols();
    let names: BTreeSet<&str> = protocols
        .iter()
        .map(|protocol| protocol.name.as_str())
        .collect();
    assert_eq!(names.len(), protocols.len());
    let mut kinds = BTreeMap::<&str, usize>::new();
    for name in &names {
        let kind = name
            .split_once('@')
            .map_or_else(|| name.split('/').next().unwrap(), |(_, kind)| kind);
        *kinds.entry(kind).or_default() += 1;
    }
    assert_eq!(kinds["oulu_npu"], 14);
    assert_eq!(kinds["siw"], 7);
    assert_eq!(kinds["wmca"], 8);
    assert_eq!(kinds["padisi"], 3);
    assert_eq!(kinds["ssan"], 6 + 3);
    assert_eq!(kinds["ag-fas"], 6 + 5);
    for protocol in &protocols {
        let back: OfficialProtocol = toml::from_str(&protocol.to_toml()).unwrap();
        assert_eq!(&back, protocol);
    }
    let error = official_protocol("oulu_npu/P5").unwrap_err().to_string();
    assert!(error.contains("similar are oulu_npu/P1"), "{error}");
}
