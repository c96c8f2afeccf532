//! Trees, their indices, and what is asked of them.

use std::collections::BTreeMap;

use fas_data::{Dataset, DatasetSource, Layout, Problem, Recording, Survey};
use fas_testkit::Tree;

/// A tree with one byte in every file.
pub(crate) fn tree<T: AsRef<str>>(names: impl IntoIterator<Item = T>) -> Tree {
    let names: Vec<T> = names.into_iter().collect();
    Tree::with_contents(names.iter().map(AsRef::as_ref), |_| vec![1]).unwrap()
}

pub(crate) fn index(source: &DatasetSource) -> (Vec<Recording>, Survey) {
    let mut recordings = Vec::new();
    let survey = source
        .index(|recording| {
            recordings.push(recording);
            Ok(())
        })
        .unwrap();
    (recordings, survey)
}

pub(crate) fn source(dataset: Dataset, tree: &Tree) -> DatasetSource {
    DatasetSource::new(dataset, tree.path(), Layout::Original).unwrap()
}

/// Indexes a complete tree: nothing odd, nothing missing, counts as published.
pub(crate) fn complete(dataset: Dataset, tree: &Tree) -> Vec<Recording> {
    let source = source(dataset, tree);
    let (recordings, survey) = index(&source);
    assert_eq!(survey.findings(), [], "{dataset}");
    assert_eq!(survey.mismatches(dataset.card().expected), [], "{dataset}");
    assert_eq!(source.missing(&survey), Vec::<String>::new(), "{dataset}");
    recordings
}

pub(crate) fn species(recordings: &[Recording]) -> BTreeMap<String, usize> {
    let mut counts = BTreeMap::new();
    for recording in recordings {
        *counts.entry(recording.label.to_string()).or_default() += 1;
    }
    counts
}

pub(crate) fn counts<const N: usize>(counts: [(&str, usize); N]) -> BTreeMap<String, usize> {
    counts.map(|(name, count)| (name.to_owned(), count)).into()
}

pub(crate) fn find<'a>(recordings: &'a [Recording], path: &str) -> &'a Recording {
    recordings
        .iter()
        .find(|recording| recording.path == path)
        .unwrap_or_else(|| panic!("{path} is not in the index"))
}

/// The reason why a single file is not in the index.
pub(crate) fn unfit(dataset: Dataset, path: &str) -> String {
    let tree = tree([path]);
    let (recordings, survey) = index(&source(dataset, &tree));
    assert!(recordings.is_empty(), "{path}");
    match survey.findings() {
        [finding] => match &finding.problem {
            Problem::Unfit(reason) | Problem::Extra(reason) => reason.clone(),
            other => panic!("{path}: {other:?}"),
        },
        other => panic!("{path}: {other:?}"),
    }
}
