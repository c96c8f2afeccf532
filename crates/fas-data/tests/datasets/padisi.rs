//! PADISI-Face: labels of its ground truth, and its three folds.

use std::collections::BTreeMap;

use fas_data::{Dataset, DatasetSource, Layout, LeakKind, Split, find_leaks, official_protocol};
use fas_testkit::Tree;

use crate::common::{complete, counts, find, index, source, species};

/// Bona fide samples; attacks come after them.
const BONA_FIDE: usize = 1105;
const ATTACKS: usize = 924;

/// Published samples of the test and the development part of each fold, bona fide and attacks.
const TEST: [[usize; 2]; 3] = [[363, 304], [361, 315], [381, 305]];
const DEVELOPMENT: [[usize; 2]; 3] = [[145, 127], [148, 127], [143, 125]];

/// Part of a sample in each fold: the test parts of the three make up the whole, and the development
/// part comes after the test part, around the end.
fn parts_of(sample: usize) -> [&'static str; 3] {
    let (class, index, count) = match sample.checked_sub(BONA_FIDE) {
        None => (0, sample, BONA_FIDE),
        Some(index) => (1, index, ATTACKS),
    };
    let mut start = 0;
    [0, 1, 2].map(|fold| {
        let place = (index + count - start) % count;
        let test = TEST[fold][class];
        start += test;
        if place < test {
            "test"
        } else if place < test + DEVELOPMENT[fold][class] {
            "valid"
        } else {
            "train"
        }
    })
}

/// PADISI's tables and images by the published numbers: 1105 bona fide, attacks by category.
fn padisi_tree() -> Tree {
    let categories = [
        ("m00000", BONA_FIDE),
        ("m50101", 140),
        ("m50201", 56),
        ("m50301", 71),
        ("m50401", 27),
        ("m50501", 232),
        ("m50601", 206),
        ("m50701", 33),
        ("m50801", 66),
        ("m50901", 93),
    ];
    let header = "transaction_id,trial_id,trial_name,modality,ground_truth,participant_id";
    let (mut truth, mut folds) = (
        format!("{header}\n"),
        vec![format!("{header},partition_name\n"); 3],
    );
    let mut names = Vec::new();
    let mut sample = 0;
    for (code, count) in categories {
        for take in 0..count {
            let parts = parts_of(sample);
            // People of equal parts only, so that no fold shares one.
            let person = format!("{}{}", parts.join("-"), sample % 13);
            let row = format!(
                "{sample:024x},{},FACE_neutral,FACE,{code},{person}",
                take % 5
            );
            truth += &format!("{row}\n");
            for (table, part) in folds.iter_mut().zip(parts) {
                *table += &format!("{row},{part}\n");
            }
            names.push(format!(
                "images/ID_{sample:024x}_{}_FACE_neutral.png",
                take % 5
            ));
            sample += 1;
        }
    }
    let mut files: BTreeMap<String, String> =
        names.into_iter().map(|name| (name, "x".into())).collect();
    let folder = "data/face_partitions/padisi_USC_FACE";
    files.insert(format!("{folder}_ground_truth.csv"), truth);
    for (fold, table) in folds.into_iter().enumerate() {
        files.insert(
            format!("{folder}_dataset_partition_3folds_part{fold}.csv"),
            table,
        );
    }
    Tree::with_contents(files.keys().map(String::as_str), |name| {
        files[name].clone().into_bytes()
    })
    .unwrap()
}

#[test]
fn padisi_is_labelled_by_its_ground_truth() {
    let tree = padisi_tree();
    let recordings = complete(Dataset::Padisi, &tree);
    let expected = counts([
        ("bona_fide", BONA_FIDE),
        ("fake_head", 71),
        ("flexible_mask", 33),
        ("glasses", 206),
        ("makeup", 206),
        ("partial", 93),
        ("print", 56),
        ("rigid_mask", 259),
    ]);
    assert_eq!(species(&recordings), expected);
    let first = find(
        &recordings,
        "images/ID_000000000000000000000000_0_FACE_neutral.png",
    );
    assert_eq!(
        first.folds,
        [
            Some(Split::Test),
            Some(Split::Train),
            Some(Split::Development)
        ]
    );
    tree.write("padisi_USC_FACE_preprocessed.bz2", "BZh")
        .unwrap();
    tree.write("colour.npy", "x").unwrap();
    let table = "row,identifier,bona_fide,pai_code\n0,ID_000000000000000000000000_0_FACE_neutral,false,m00000\n";
    tree.write("colour.csv", table).unwrap();
    let error = DatasetSource::new(Dataset::Padisi, tree.path(), Layout::Original)
        .err()
        .unwrap();
    assert!(
        error
            .to_string()
            .contains("colour.csv, line 2: bona_fide is false"),
        "{error}"
    );
    tree.write("colour.csv", table.replace("false", "true"))
        .unwrap();
    let (_, survey) = index(&source(Dataset::Padisi, &tree));
    let found: Vec<String> = survey
        .findings()
        .iter()
        .map(|f| f.problem.to_string())
        .collect();
    // The row of the array and the image are two files of one recording.
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found
            .iter()
            .any(|text| text.contains("a second file of the recording")),
        "{found:?}"
    );
    assert!(
        found
            .iter()
            .any(|text| text.contains("tools/export_padisi.py")),
        "{found:?}"
    );
}

#[test]
fn folds_have_the_published_counts_and_share_no_participant() {
    let tree = padisi_tree();
    let recordings = complete(Dataset::Padisi, &tree);
    for (fold, train) in [(597, 493), (596, 482), (581, 494)].into_iter().enumerate() {
        let protocol = official_protocol(&format!("padisi/part{fold}")).unwrap();
        let partition = protocol.select(recordings.clone()).unwrap();
        assert_eq!(protocol.mismatches(&partition), [], "fold {fold}");
        let bona_fide = partition
            .train
            .iter()
            .filter(|one| one.label.is_bona_fide());
        assert_eq!(
            (bona_fide.count(), partition.train.len()),
            (train.0, train.0 + train.1),
            "fold {fold}"
        );
        let leaks = find_leaks(&partition);
        let shared = leaks.iter().find(|leak| leak.kind == LeakKind::Subject);
        assert!(shared.is_none(), "fold {fold}: {shared:?}");
    }
}
