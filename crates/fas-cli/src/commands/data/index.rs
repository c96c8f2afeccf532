//! `fas data index`: the recordings of a copy as a CSV file.

use std::fs;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use fas_data::{DataError, IndexWriter};

use super::source::Source;
use crate::error::CliError;
use crate::output::check_file;
use crate::progress::Progress;

const DETAILS: &str = "\
One row a recording: id, path, label, species, instrument, split, subject, presenter, session, device,
environment, style and the turn that brings it upright. Files that fit no rule are listed on the
standard error output and left out; the exit code is 1 if one of them is a recording's by its extension.

Examples:
  fas data index oulu_npu --out oulu.csv
  fas data index msu_mfsd --root /data/MSU-MFSD --out msu.csv
  fas data index siw --root /data/SiW --listing names.txt --out siw.csv";

/// Index a data set: one row a recording, with label, person, session, device and split.
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Index {
    #[command(flatten)]
    source: Source,
    /// Index file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Take the names from this text file, one path a line, instead of the folder.
    #[arg(long, value_name = "FILE")]
    listing: Option<PathBuf>,
    /// Show every finding, not only the first ten.
    #[arg(long)]
    all: bool,
}

impl Index {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        check_file(Some(&self.out))?;
        let source = self.source.open()?;
        let mut writer = IndexWriter::create(&self.out)?;
        let progress = Progress::of_unknown_length("indexing");
        let sink = |recording| writer.write(&recording);
        let survey = match &self.listing {
            None => source.index(sink)?,
            Some(listing) => {
                let text = fs::read_to_string(listing).map_err(|source| DataError::Io {
                    path: listing.clone(),
                    action: "read the listing",
                    source,
                })?;
                let lines = text.trim_start_matches('\u{feff}').lines();
                source.index_listing(lines.filter(|line| !line.is_empty()), sink)?
            }
        };
        drop(progress);
        writer.finish()?;
        let classes = survey.classes(None);
        eprintln!(
            "{}: {} bona fide and {} attacks in {}",
            source.name(),
            classes.bona_fide,
            classes.attack,
            self.out.display()
        );
        let findings = survey.findings();
        let shown = if self.all { findings.len() } else { 10 };
        for finding in findings.iter().take(shown) {
            eprintln!("{}: {}", finding.path, finding.problem);
        }
        if findings.len() > shown {
            eprintln!(
                "and {} more; see --all or `fas data check`",
                findings.len() - shown
            );
        }
        if let Some(root) = source.suggested_root(&survey) {
            eprintln!("nothing fits; set the root to {}?", root.display());
        }
        let defect = findings.iter().any(|finding| finding.problem.is_defect());
        Ok(if !defect && survey.recordings() > 0 {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }
}
