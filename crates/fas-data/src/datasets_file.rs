//! `datasets.toml`: where the user's copies of the public data sets live.
//!
//! ```toml
//! [oulu_npu]
//! root = "/data/OULU-NPU"
//! ```
//!
//! The data sets come under licences that forbid handing them on; the file at the root of the
//! repository has a section for each, with its layout and where to ask for it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::{DataError, ExpectedCount, Layout, RecordingError, Split};

/// Roots of the data sets, as `datasets.toml` gives them.
#[derive(Debug, Clone, PartialEq)]
pub struct DatasetsFile {
    path: PathBuf,
    roots: BTreeMap<String, PathBuf>,
    sections: BTreeMap<String, DatasetSection>,
}

/// What `datasets.toml` says about one data set; paths include the file's folder.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DatasetSection {
    /// Folder of the copy.
    pub root: Option<PathBuf>,
    /// How it is laid out.
    pub layout: Layout,
    /// Terms of use, as a reminder.
    pub licence: Option<String>,
    /// Where to ask for it, as a reminder.
    pub apply: Option<String>,
    /// Numbers of recordings that the copy should have, where they are not the published ones.
    pub expected: Vec<ExpectedCount>,
    /// Table of the user's that says what each file is (WFFD).
    pub mapping: Option<PathBuf>,
    /// Table of the recordings of a custom set.
    pub table: Option<PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    root: Option<PathBuf>,
    #[serde(default)]
    layout: Layout,
    licence: Option<String>,
    apply: Option<String>,
    #[serde(default)]
    expected: Expected,
    mapping: Option<PathBuf>,
    table: Option<PathBuf>,
}

/// Counts as they are written: `train = [bona fide, attacks]`, or `train = total`.
#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    train: Option<Count>,
    development: Option<Count>,
    test: Option<Count>,
    all: Option<Count>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Count {
    Classes([usize; 2]),
    Total(usize),
}

impl Expected {
    fn counts(self) -> Vec<ExpectedCount> {
        let parts = [
            (Some(Split::Train), self.train),
            (Some(Split::Development), self.development),
            (Some(Split::Test), self.test),
            (None, self.all),
        ];
        let counts = parts.into_iter().filter_map(|(split, count)| {
            Some(match count? {
                Count::Classes([bona_fide, attack]) => {
                    ExpectedCount::classes(split, bona_fide, attack)
                }
                Count::Total(total) => ExpectedCount::total(split, total),
            })
        });
        counts.collect()
    }
}

impl Section {
    /// With every path below `folder`, unless it is absolute.
    fn placed(self, folder: &Path) -> DatasetSection {
        let place = |path: Option<PathBuf>| path.map(|path| folder.join(path));
        DatasetSection {
            root: place(self.root),
            layout: self.layout,
            licence: self.licence,
            apply: self.apply,
            expected: self.expected.counts(),
            mapping: place(self.mapping),
            table: place(self.table),
        }
    }
}

/// One field a data set, so that a misspelt name is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Sections {
    oulu_npu: Option<Section>,
    casia_fasd: Option<Section>,
    replay_attack: Option<Section>,
    msu_mfsd: Option<Section>,
    siw: Option<Section>,
    rose_youtu: Option<Section>,
    hkbu_mars: Option<Section>,
    wffd: Option<Section>,
    celeba_spoof: Option<Section>,
    wmca: Option<Section>,
    padisi: Option<Section>,
    faces: BTreeMap<String, Section>,
    custom: BTreeMap<String, Section>,
}

impl DatasetsFile {
    /// Reads `datasets.toml`. Relative roots are relative to its folder; whether they exist is not
    /// looked at.
    ///
    /// # Errors
    ///
    /// [`RecordingError::NoDatasetsFile`] if it is not there, [`DataError::Io`] if it cannot be read,
    /// [`DataError::DatasetsFile`] if it is no TOML or has a
    /// data set or key that is not known.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|source| {
            let path = path.to_owned();
            if source.kind() == std::io::ErrorKind::NotFound {
                return RecordingError::NoDatasetsFile { path, source }.into();
            }
            DataError::Io {
                path,
                action: "read the roots of the data sets",
                source,
            }
        })?;
        let sections: Sections =
            toml::from_str(&text).map_err(|source| DataError::DatasetsFile {
                path: path.to_owned(),
                source,
            })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let sections: BTreeMap<String, DatasetSection> = sections
            .named()
            .into_iter()
            .map(|(name, section)| (name, section.placed(folder)))
            .collect();
        let roots = sections
            .iter()
            .filter_map(|(name, section)| Some((name.clone(), section.root.clone()?)))
            .collect();
        Ok(Self {
            path: path.to_owned(),
            roots,
            sections,
        })
    }

    /// What the file says about a data set, by name; `None` if it has no such section.
    pub fn section(&self, name: &str) -> Option<&DatasetSection> {
        self.sections.get(name)
    }

    /// Root of each data set that has one, by name: `oulu_npu`, …, `faces.NAME` for folders of bona fide
    /// faces, and `custom.NAME` for other sets of the user's.
    pub fn roots(&self) -> &BTreeMap<String, PathBuf> {
        &self.roots
    }

    /// Root of one data set.
    ///
    /// # Errors
    ///
    /// [`DataError::NoDatasetRoot`] if the file gives none.
    pub fn root(&self, name: &str) -> Result<&Path, DataError> {
        self.roots
            .get(name)
            .map(PathBuf::as_path)
            .ok_or_else(|| DataError::NoDatasetRoot {
                path: self.path.clone(),
                name: name.to_owned(),
            })
    }
}

impl Sections {
    fn named(self) -> Vec<(String, Section)> {
        let sets = [
            ("oulu_npu", self.oulu_npu),
            ("casia_fasd", self.casia_fasd),
            ("replay_attack", self.replay_attack),
            ("msu_mfsd", self.msu_mfsd),
            ("siw", self.siw),
            ("rose_youtu", self.rose_youtu),
            ("hkbu_mars", self.hkbu_mars),
            ("wffd", self.wffd),
            ("celeba_spoof", self.celeba_spoof),
            ("wmca", self.wmca),
            ("padisi", self.padisi),
        ];
        let sets = sets
            .into_iter()
            .filter_map(|(name, section)| Some((name.to_owned(), section?)));
        let group = |group: &'static str, sections: BTreeMap<String, Section>| {
            sections
                .into_iter()
                .map(move |(name, section)| (format!("{group}.{name}"), section))
        };
        sets.chain(group("faces", self.faces))
            .chain(group("custom", self.custom))
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Dataset;

    fn read(text: &str) -> Result<DatasetsFile, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("datasets.toml");
        fs::write(&path, text).unwrap();
        DatasetsFile::read(path)
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error_with_the_remedy() {
        let folder = tempfile::tempdir().unwrap();
        let error = DatasetsFile::read(folder.path().join("datasets.toml")).unwrap_err();
        let message = error.to_string();
        assert!(
            message.contains("copy datasets.toml of the repository") && message.contains("--root"),
            "{message}"
        );
    }

    #[test]
    fn roots_are_found_by_name() {
        let file =
            read("[oulu_npu]\nroot = \"/data/O\"\n[wmca]\n[faces.mine]\nroot = \"photos\"\n")
                .unwrap();
        assert_eq!(
            file.roots().keys().collect::<Vec<_>>(),
            ["faces.mine", "oulu_npu"]
        );
        assert_eq!(file.root("oulu_npu").unwrap(), Path::new("/data/O"));
        assert_eq!(
            file.root("faces.mine").unwrap(),
            file.path.with_file_name("photos")
        );
        let error = file.root("wmca").unwrap_err().to_string();
        assert!(error.ends_with("data set `wmca` has no root; set `root` in its section `[wmca]`"));
    }

    #[test]
    fn misspellings_are_errors_with_their_line() {
        for (text, at, what) in [
            (
                "[oulu]\nroot = \"/data\"\n",
                "line 1",
                "unknown field `oulu`",
            ),
            (
                "[wmca]\n[siw]\nrot = \"/data\"\n",
                "line 3",
                "unknown field `rot`",
            ),
            ("[siw]\nroot = 3\n", "line 2", "invalid type: integer `3`"),
            ("[siw\n", "line 1", "unclosed table"),
        ] {
            let error = read(text).unwrap_err();
            assert!(matches!(error, DataError::DatasetsFile { .. }), "{error}");
            let message = error.to_string();
            assert!(
                message.contains(at) && message.contains(what),
                "{text}: {message}"
            );
        }
    }

    #[test]
    fn sections_say_more_than_the_root() {
        let file = read(
            "[casia_fasd]\nroot = \"C\"\nlayout = \"re-encoded\"\nexpected = { train = [3, 4], test = 5 }\n\
             [custom.lab]\nroot = \"lab\"\ntable = \"lab.csv\"\n",
        )
        .unwrap();
        let section = file.section("casia_fasd").unwrap();
        assert_eq!(section.layout, Layout::ReEncoded);
        assert_eq!(
            section.expected,
            [
                ExpectedCount::classes(Some(Split::Train), 3, 4),
                ExpectedCount::total(Some(Split::Test), 5)
            ]
        );
        let table = file.section("custom.lab").unwrap().table.clone();
        assert_eq!(table, Some(file.path.with_file_name("lab.csv")));
        assert!(file.section("wmca").is_none());
        let error = read("[casia_fasd]\nlayout = \"flat\"\n")
            .unwrap_err()
            .to_string();
        assert!(error.contains("unknown variant `flat`"), "{error}");
    }

    #[test]
    fn the_template_of_the_repository_says_what_the_adapters_know() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets.toml");
        let file = DatasetsFile::read(&path).unwrap();
        assert!(file.roots().is_empty());
        for dataset in crate::Dataset::ALL {
            let card = dataset.card();
            let section = file.section(card.name).unwrap();
            assert_eq!(section.expected, card.expected, "{dataset}");
            assert_eq!(section.licence.as_deref(), Some(card.licence), "{dataset}");
            assert_eq!(section.apply.as_deref(), Some(card.apply), "{dataset}");
            assert_eq!(section.layout, Layout::Original, "{dataset}");
        }
        // With the comment marks of all `root` lines taken away, every data set has one.
        let text = fs::read_to_string(path)
            .unwrap()
            .replace("\n# root =", "\nroot =");
        assert_eq!(read(&text).unwrap().roots().len(), Dataset::ALL.len() + 2);
    }
}
