//! CelebA-Spoof: labels of its JSON files, and its whole size.

use std::collections::BTreeMap;

use fas_data::{Dataset, DatasetSource, Layout};
use fas_testkit::Tree;

use crate::common::{index, source};

/// Label files of CelebA-Spoof for some (path, type of attack).
fn celeba_labels(rows: &[(&str, u8)]) -> String {
    let rows = rows.iter().map(|(path, kind)| {
        let attributes = ["0"; 40].join(",");
        let (place, class) = if *kind == 0 { (0, 0) } else { (1, 1) };
        format!("\"{path}\":[{attributes},{kind},{place},{place},{class}]")
    });
    format!("{{{}}}", rows.collect::<Vec<_>>().join(","))
}

/// All 561,575 images that can be downloaded, by name: the published counts, and one short is noticed.
#[test]
fn celeba_spoof_has_its_published_size() {
    let names = |part: &'static str, count: usize| {
        (0..count).map(move |i| {
            let (class, kind) = [("live", 0), ("spoof", 1 + (i % 10) as u8)][i % 2];
            let person = i / 60 * 2 + usize::from(part == "test");
            (format!("Data/{part}/{person}/{class}/{i:06}.png"), kind)
        })
    };
    let parts = [("train", 494_405), ("test", 67_170)].map(|(part, count)| {
        let images: Vec<(String, u8)> = names(part, count).collect();
        (part, images)
    });
    let labels = |name: &str| {
        let of_part =
            |(part, _): &&(&str, _)| name == format!("metas/intra_test/{part}_label.json");
        let (_, images): &(_, Vec<_>) = parts.iter().find(of_part).unwrap();
        let rows: Vec<(&str, u8)> = images
            .iter()
            .map(|(path, kind)| (&path[..], *kind))
            .collect();
        celeba_labels(&rows).into_bytes()
    };
    let files = ["train", "test"].map(|part| format!("metas/intra_test/{part}_label.json"));
    let tree = Tree::with_contents(files.iter().map(String::as_str), labels).unwrap();
    let source = source(Dataset::CelebaSpoof, &tree);
    let names: Vec<&str> = parts
        .iter()
        .flat_map(|(_, images)| images.iter().map(|(path, _)| path.as_str()))
        .collect();
    let expected = Dataset::CelebaSpoof.card().expected;
    let survey = source
        .index_listing(names.iter().copied(), |_| Ok(()))
        .unwrap();
    assert_eq!(survey.recordings(), 561_575);
    assert!(survey.findings().is_empty() && survey.mismatches(expected).is_empty());
    assert!(source.missing(&survey).is_empty());
    let survey = source
        .index_listing(names[1..].iter().copied(), |_| Ok(()))
        .unwrap();
    assert_eq!(survey.mismatches(expected).len(), 1);
    assert_eq!(source.missing(&survey).len(), 1);
}

#[test]
fn celeba_spoof_is_labelled_by_its_json() {
    let train = [
        ("Data/train/1/live/000001.png", 0),
        ("Data/train/1/spoof/000002.jpg", 1),
        ("Data/train/2/spoof/000003.png", 9),
        ("Data/train/2/spoof/000004.png", 10),
        ("Data/train/2/live/000005.png", 3),
        ("Data/train/3/live/gone.png", 0),
    ];
    let test = [("Data/test/4/spoof/000006.png", 6)];
    let contents = |name: &str| match name {
        "metas/intra_test/train_label.json" => celeba_labels(&train).into_bytes(),
        "metas/intra_test/test_label.json" => celeba_labels(&test).into_bytes(),
        _ => vec![1],
    };
    let mut names = vec![
        "metas/intra_test/train_label.json",
        "metas/intra_test/test_label.json",
    ];
    names.extend(train[..5].iter().chain(&test).map(|(path, _)| *path));
    names.extend([
        "Data/train/1/live/000001_BB.txt",
        "Data/train/9/live/000009.png",
    ]);
    let tree = Tree::with_contents(names, contents).unwrap();
    let source = source(Dataset::CelebaSpoof, &tree);
    let (recordings, survey) = index(&source);
    let labels: BTreeMap<&str, String> = recordings
        .iter()
        .map(|r| (r.path.as_str(), format!("{} {}", r.label, r.instrument)))
        .collect();
    assert_eq!(
        labels,
        BTreeMap::from([
            (
                "Data/test/4/spoof/000006.png",
                "paper_mask region_mask".to_owned()
            ),
            ("Data/train/1/live/000001.png", "bona_fide ".to_owned()),
            ("Data/train/1/spoof/000002.jpg", "print photo".to_owned()),
            ("Data/train/2/spoof/000003.png", "replay phone".to_owned()),
            (
                "Data/train/2/spoof/000004.png",
                "rigid_mask 3d_mask".to_owned()
            ),
        ])
    );
    let found: Vec<(&str, String)> = survey
        .findings()
        .iter()
        .map(|finding| (finding.path.as_str(), finding.problem.to_string()))
        .collect();
    assert_eq!(found.len(), 2, "{found:?}");
    assert!(
        found[0].1.contains("says print, the folder live"),
        "{found:?}"
    );
    assert!(found[1].1.contains("do not name it"), "{found:?}");
    assert_eq!(
        source.missing(&survey),
        [
            "celeba_spoof/Data/train/2/live/000005",
            "celeba_spoof/Data/train/3/live/gone"
        ]
    );
    std::fs::write(
        tree.join("metas/intra_test/test_label.json"),
        "{\"a\":[1,2]}",
    )
    .unwrap();
    let error = DatasetSource::new(Dataset::CelebaSpoof, tree.path(), Layout::Original)
        .err()
        .unwrap();
    assert!(error.to_string().contains("44 integers"), "{error}");
}
