//! Which copy of a data set a command is about.

use std::path::PathBuf;

use clap::Args;
use fas_data::{DataError, DatasetSource, DatasetsFile, Layout};

use crate::error::CliError;

/// A copy of a data set, by `datasets.toml` or by its folder.
#[derive(Debug, Args)]
pub(crate) struct Source {
    /// Data set: `oulu_npu` and so on (`fas data list`), or `custom.NAME` of datasets.toml.
    #[arg(value_name = "DATASET")]
    pub(crate) name: String,
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
        let opened = match &self.root {
            Some(root) => match self.name.strip_prefix("custom.") {
                Some(name) => DatasetSource::custom(name, root, None),
                None => {
                    let dataset = self.name.parse().map_err(DataError::from)?;
                    DatasetSource::new(dataset, root, self.layout)
                }
            },
            None => DatasetSource::open(&DatasetsFile::read(&self.datasets)?, &self.name),
        };
        Ok(opened?)
    }
}
