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

use crate::DataError;

/// Roots of the data sets, as `datasets.toml` gives them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DatasetsFile {
    path: PathBuf,
    roots: BTreeMap<String, PathBuf>,
}

#[derive(Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    root: Option<PathBuf>,
}

/// One field a data set, so that a misspelt name is an error.
#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
#[derive(Default)]
struct Sections {
    oulu_npu: Section,
    casia_fasd: Section,
    replay_attack: Section,
    msu_mfsd: Section,
    siw: Section,
    rose_youtu: Section,
    hkbu_mars: Section,
    wffd: Section,
    celeba_spoof: Section,
    wmca: Section,
    padisi: Section,
    faces: BTreeMap<String, Section>,
}

impl DatasetsFile {
    /// Reads `datasets.toml`. Relative roots are relative to its folder; whether they exist is not
    /// looked at.
    ///
    /// # Errors
    ///
    /// [`DataError::Io`] if it cannot be read, [`DataError::DatasetsFile`] if it is no TOML or has a
    /// data set or key that is not known.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref();
        let text = fs::read_to_string(path).map_err(|source| DataError::Io {
            path: path.to_owned(),
            action: "read the roots of the data sets",
            source,
        })?;
        let sections: Sections =
            toml::from_str(&text).map_err(|source| DataError::DatasetsFile {
                path: path.to_owned(),
                source,
            })?;
        let folder = path.parent().unwrap_or(Path::new(""));
        let roots = sections
            .named()
            .into_iter()
            .filter_map(|(name, section)| Some((name, folder.join(section.root?))))
            .collect();
        Ok(Self {
            path: path.to_owned(),
            roots,
        })
    }

    /// Root of each data set that has one, by name: `oulu_npu`, …, and `faces.NAME` for folders of
    /// bona fide faces.
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
        let sets = sets.map(|(name, section)| (name.to_owned(), section));
        let faces = self
            .faces
            .into_iter()
            .map(|(name, section)| (format!("faces.{name}"), section));
        sets.into_iter().chain(faces).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<DatasetsFile, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("datasets.toml");
        fs::write(&path, text).unwrap();
        DatasetsFile::read(path)
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
    fn the_template_of_the_repository_is_valid_and_sets_no_root() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../datasets.toml");
        let file = DatasetsFile::read(&path).unwrap();
        assert!(file.roots().is_empty());
        // With the comment marks of all `root` lines taken away, every data set has one.
        let text = fs::read_to_string(path)
            .unwrap()
            .replace("\n# root =", "\nroot =");
        assert_eq!(read(&text).unwrap().roots().len(), 12);
    }
}
