//! Which copy of a data set a command is about.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use clap::Args;
use fas_data::{DataError, DatasetSource, DatasetsFile, Layout, Recording, read_index};

use crate::error::CliError;

/// A copy of a data set, by `datasets.toml` or by its folder.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// Data set: `oulu_npu` and so on (`fas data list`), or `custom.NAME` of datasets.toml.
    #[arg(value_name = "DATASET")]
    name: String,
    #[command(flatten)]
    copies: Copies,
}

/// Where copies of data sets are.
#[derive(Debug, Args)]
pub(crate) struct Copies {
    /// File that says where the copies are.
    #[arg(long, value_name = "FILE", default_value = "datasets.toml")]
    datasets: PathBuf,
    /// Folder of the copy, instead of the one in datasets.toml.
    #[arg(long, value_name = "FOLDER")]
    root: Option<PathBuf>,
    /// Layout of the folder given by --root.
    #[arg(long, value_name = "LAYOUT", requires = "root", value_parser = layout, default_value = "original")]
    layout: Layout,
}

fn layout(text: &str) -> Result<Layout, String> {
    let known = Layout::ALL.map(Layout::name);
    Layout::ALL
        .into_iter()
        .find(|layout| layout.name() == text)
        .ok_or_else(|| format!("write one of {}", known.join(", ")))
}

impl Source {
    /// Opens the copy.
    pub(crate) fn open(&self) -> Result<DatasetSource, CliError> {
        self.copies.open(&self.name)
    }
}

impl Copies {
    /// Opens the copy of a data set: `oulu_npu` and so on, or `custom.NAME`.
    pub(crate) fn open(&self, name: &str) -> Result<DatasetSource, CliError> {
        let opened = match &self.root {
            Some(root) => match name.strip_prefix("custom.") {
                Some(name) => DatasetSource::custom(name, root, None),
                None => {
                    let dataset = name.parse().map_err(DataError::from)?;
                    DatasetSource::new(dataset, root, self.layout)
                }
            },
            None => DatasetSource::open(&DatasetsFile::read(&self.datasets)?, name),
        };
        Ok(opened?)
    }
}

/// Recordings of the data set in an index; none is an error.
pub(super) fn recordings_of(
    source: &DatasetSource,
    index: &Path,
) -> Result<Vec<Recording>, CliError> {
    let mut recordings = Vec::new();
    let mut domains = BTreeSet::new();
    read_index(index, |recording| {
        if recording.domain == source.name() {
            recordings.push(recording);
        } else {
            domains.insert(recording.domain);
        }
        Ok(())
    })?;
    if recordings.is_empty() {
        return Err(CliError::NoRecordings {
            index: index.to_owned(),
            dataset: source.name().to_owned(),
            domains: domains.into_iter().collect(),
        });
    }
    Ok(recordings)
}
