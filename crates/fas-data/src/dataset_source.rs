//! A user's copy of a data set: where it is, which adapter reads it, and its index.

use std::path::{Path, PathBuf};

use crate::datasets::{Adapter, CsvTableAdapter, FolderAdapter, Verdict, is_image, is_media};
use crate::survey::{Problem, Survey};
use crate::walk::{Walked, walk};
use crate::{DataError, Dataset, DatasetSection, DatasetsFile, ExpectedCount, Layout, Recording};

/// A copy of a data set on disk.
pub struct DatasetSource {
    name: String,
    dataset: Option<Dataset>,
    root: PathBuf,
    layout: Layout,
    expected: Vec<ExpectedCount>,
    adapter: Box<dyn Adapter>,
}

impl DatasetSource {
    /// A copy of a public data set below `root`.
    ///
    /// # Errors
    ///
    /// If the layout has no rules, or a table that the adapter needs is missing or wrong.
    pub fn new(
        dataset: Dataset,
        root: impl Into<PathBuf>,
        layout: Layout,
    ) -> Result<Self, DataError> {
        Self::with_mapping(dataset, root.into(), layout, None)
    }

    fn with_mapping(
        dataset: Dataset,
        root: PathBuf,
        layout: Layout,
        mapping: Option<&Path>,
    ) -> Result<Self, DataError> {
        Ok(Self {
            name: dataset.name().to_owned(),
            dataset: Some(dataset),
            adapter: dataset.adapter(&root, layout, mapping)?,
            expected: dataset.card().expected.to_vec(),
            root,
            layout,
        })
    }

    /// A data set of the user's: by its folders, `[{split}/]{label}/{subject}/…`, or by a CSV table
    /// with the columns [`CSV_TABLE_COLUMNS`](crate::CSV_TABLE_COLUMNS).
    ///
    /// # Errors
    ///
    /// If the table cannot be read or understood.
    pub fn custom(
        name: &str,
        root: impl Into<PathBuf>,
        table: Option<&Path>,
    ) -> Result<Self, DataError> {
        let root = root.into();
        let adapter: Box<dyn Adapter> = match table {
            Some(table) => Box::new(CsvTableAdapter::read(name, &root, table)?),
            None => Box::new(FolderAdapter::new(name)),
        };
        Ok(Self {
            name: name.to_owned(),
            dataset: None,
            root,
            layout: Layout::Original,
            expected: Vec::new(),
            adapter,
        })
    }

    /// The copy that `datasets.toml` describes under `name`, `oulu_npu` or `custom.NAME`.
    ///
    /// # Errors
    ///
    /// If there is no such section or it has no root, and as [`new`](Self::new).
    pub fn open(file: &DatasetsFile, name: &str) -> Result<Self, DataError> {
        let root = file.root(name)?.to_owned();
        let DatasetSection {
            layout,
            expected,
            mapping,
            table,
            ..
        } = file.section(name).cloned().unwrap_or_default();
        let mut source = match name.strip_prefix("custom.") {
            Some(custom) => Self::custom(custom, root, table.as_deref())?,
            None => Self::with_mapping(name.parse()?, root, layout, mapping.as_deref())?,
        };
        if !expected.is_empty() {
            source.expected = expected;
        }
        Ok(source)
    }

    /// Name of the data set in index files.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The public data set, if it is one.
    pub fn dataset(&self) -> Option<Dataset> {
        self.dataset
    }

    /// Root of the copy.
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Numbers of recordings that a complete copy has.
    pub fn expected(&self) -> &[ExpectedCount] {
        &self.expected
    }

    /// Walks through the copy and hands each recording to `sink`, in alphabetical order of the folders.
    /// Nothing is kept but ids, paths and counts.
    ///
    /// # Errors
    ///
    /// [`DataError::Io`] if the root cannot be listed, and what `sink` returns.
    pub fn index(
        &self,
        mut sink: impl FnMut(Recording) -> Result<(), DataError>,
    ) -> Result<Survey, DataError> {
        let mut survey = Survey::default();
        walk(&self.root, &mut |walked| match walked {
            Walked::Problem(finding) => {
                survey.push(finding);
                Ok(())
            }
            Walked::File(path, bytes) => self.sort_in(&path, Some(bytes), &mut survey, &mut sink),
        })?;
        Ok(survey)
    }

    /// Like [`index`](Self::index), for a list of paths relative to the root instead of the files: of a
    /// copy that is on another machine. Sizes are not looked at.
    ///
    /// # Errors
    ///
    /// What `sink` returns.
    pub fn index_listing<'a>(
        &self,
        paths: impl IntoIterator<Item = &'a str>,
        mut sink: impl FnMut(Recording) -> Result<(), DataError>,
    ) -> Result<Survey, DataError> {
        let mut survey = Survey::default();
        for path in paths {
            if path.contains('\\') {
                survey.report(path, Problem::Backslash);
            } else if crate::manifest::check_path(Path::new(path)).is_err() {
                survey.report(path, Problem::LeavesRoot);
            } else {
                self.sort_in(path, None, &mut survey, &mut sink)?;
            }
        }
        Ok(survey)
    }

    /// Ids of recordings that a complete copy has and this one lacks, sorted. Empty where neither a rule
    /// nor a table lists the names.
    pub fn missing(&self, survey: &Survey) -> Vec<String> {
        survey.missing(self.adapter.complete())
    }

    /// A better root, if no file fits and all would below one of the folders.
    pub fn suggested_root(&self, survey: &Survey) -> Option<PathBuf> {
        if survey.recordings() > 0 {
            return None;
        }
        let marker = self.dataset?.card().marker;
        survey.findings().iter().find_map(|finding| {
            let at = finding
                .path
                .split('/')
                .position(|folder| folder == marker)?;
            let above: PathBuf = finding.path.split('/').take(at).collect();
            (at > 0).then(|| self.root.join(above))
        })
    }

    fn sort_in(
        &self,
        path: &str,
        bytes: Option<u64>,
        survey: &mut Survey,
        sink: &mut impl FnMut(Recording) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let recordings = match self.adapter.classify(path) {
            Verdict::Recording(recording) => vec![*recording],
            Verdict::Recordings(recordings) => recordings,
            Verdict::ReEncoded(recording) => {
                if self.layout == Layout::Original {
                    survey.report(path, Problem::ReEncoded);
                    return Ok(());
                }
                vec![*recording]
            }
            Verdict::Companion => {
                survey.add_companion();
                return Ok(());
            }
            Verdict::Frame(recording) => {
                // The first image of a folder stands for all.
                if !is_image(path) || survey.file(&recording.id).is_some() {
                    survey.add_companion();
                    return Ok(());
                }
                vec![*recording]
            }
            Verdict::Unfit(reason) => {
                let problem = if is_media(path) {
                    Problem::Unfit(reason)
                } else {
                    Problem::Extra(reason)
                };
                survey.report(path, problem);
                return Ok(());
            }
        };
        if bytes == Some(0) {
            survey.report(path, Problem::Empty);
            return Ok(());
        }
        for recording in recordings {
            if survey.admit(&recording, bytes.unwrap_or(0)) {
                sink(recording)?;
            }
        }
        Ok(())
    }
}
