//! `fas data list`: what is known about each data set.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use fas_data::{Dataset, DatasetsFile, ExpectedCount, Layout};

use crate::error::CliError;
use crate::output::emit;

/// List the known data sets, their published counts, and where your copies are.
#[derive(Debug, Args)]
pub(crate) struct List {
    /// File that says where the copies are.
    #[arg(long, value_name = "FILE", default_value = "datasets.toml")]
    datasets: PathBuf,
}

impl List {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        let file = match self.datasets.exists() {
            true => Some(DatasetsFile::read(&self.datasets)?),
            false => None,
        };
        let mut text = String::new();
        for dataset in Dataset::ALL {
            let card = dataset.card();
            let experimental = if card.experimental {
                ", experimental"
            } else {
                ""
            };
            let counts: Vec<String> = card.expected.iter().map(count).collect();
            let layouts: Vec<&str> = card.layouts.iter().copied().map(Layout::name).collect();
            let root = file
                .as_ref()
                .and_then(|file| file.roots().get(card.name))
                .map_or_else(
                    || "no root set".to_owned(),
                    |root| root.display().to_string(),
                );
            write!(
                text,
                "{}  {}{experimental}\n    {}\n    layouts: {}; {}; ask: {}\n    {root}\n",
                card.name,
                card.title,
                counts.join(", "),
                layouts.join(", "),
                card.licence,
                card.apply,
            )
            .expect("writing to a string");
        }
        emit(None, text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }
}

/// `train 360 bona fide + 1440 attacks`.
pub(crate) fn count(expected: &ExpectedCount) -> String {
    let part = expected.split.map_or("all", |split| split.name());
    match expected.classes {
        Some((bona_fide, attack)) => format!("{part} {bona_fide} bona fide + {attack} attacks"),
        None => format!("{part} {}", expected.total),
    }
}
