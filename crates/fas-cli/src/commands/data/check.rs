//! `fas data check`: whether a copy is complete, named as published, and readable.

use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use fas_data::{CheckDepth, DatasetCheck, DatasetSource};

use super::list::count;
use super::source::Source;
use crate::error::CliError;
use crate::output::{check_file, emit};
use crate::progress::Progress;

const DETAILS: &str = "\
Reports files that are missing, extra or misnamed, empty, damaged, there twice, or re-encoded, links
that leave the root, and counts that are not the published ones. The exit code is 1 if there is any but
extra files: those that are no recording by their extension, such as README.txt, are told of and do no harm.

Depth: `names` looks at names and sizes, `containers` also at the first bytes of each file, `copies`
also compares files of equal size by content, `frames` also reads every recording to its end (videos need
ffmpeg), which finds truncated ones and takes long.

Examples:
  fas data check oulu_npu
  fas data check casia_fasd --root /data/CASIA --depth copies
  fas data check celeba_spoof --all > findings.txt";

/// Check a copy of a data set: missing, misnamed, damaged and copied files, counts.
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Check {
    #[command(flatten)]
    source: Source,
    /// How closely to look.
    #[arg(long, value_name = "DEPTH", default_value = "containers", value_parser = depth)]
    depth: CheckDepth,
    /// List every finding, not only the first ten of a kind.
    #[arg(long)]
    all: bool,
    /// Write to this file instead of the standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

fn depth(text: &str) -> Result<CheckDepth, String> {
    match text {
        "names" => Ok(CheckDepth::Names),
        "containers" => Ok(CheckDepth::Containers),
        "copies" => Ok(CheckDepth::Copies),
        "frames" => Ok(CheckDepth::Frames),
        _ => Err("write one of names, containers, copies, frames".to_owned()),
    }
}

impl Check {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        check_file(self.out.as_deref())?;
        let source = self.source.open()?;
        let progress = Progress::of_unknown_length("checking");
        let check = source.check(self.depth)?;
        drop(progress);
        emit(self.out.as_deref(), self.report(&source, &check).as_bytes())?;
        Ok(if check.is_clean() {
            ExitCode::SUCCESS
        } else {
            ExitCode::FAILURE
        })
    }

    fn report(&self, source: &DatasetSource, check: &DatasetCheck) -> String {
        let mut text = String::new();
        let mut line = |line: String| {
            text.push_str(&line);
            text.push('\n');
        };
        line(format!("{} in {}", source.name(), source.root().display()));
        for ((split, label), number) in check.survey.counts() {
            let part = split.map_or("no split", |split| split.name());
            // Padding is the text's, not the label's.
            let label = label.to_string();
            line(format!("  {part:<12} {label:<14} {number:>7}"));
        }
        for mismatch in &check.mismatches {
            line(format!(
                "count: {}, here {} bona fide + {} attacks",
                count(&mismatch.expected),
                mismatch.found.bona_fide,
                mismatch.found.attack
            ));
        }
        let limit = if self.all { usize::MAX } else { 10 };
        if !check.missing.is_empty() {
            line(format!("missing: {}", check.missing.len()));
            for id in check.missing.iter().take(limit) {
                line(format!("  {id}"));
            }
        }
        for (kind, number) in check.kinds() {
            line(format!("{kind}: {number}"));
            let findings = check
                .findings()
                .filter(|finding| finding.problem.kind() == kind);
            for finding in findings.take(limit) {
                line(format!("  {}: {}", finding.path, finding.problem));
            }
        }
        if let Some(root) = source.suggested_root(&check.survey) {
            line(format!("nothing fits; set the root to {}?", root.display()));
        }
        let experimental = source
            .dataset()
            .is_some_and(|dataset| dataset.card().experimental);
        let verdict = match (check.is_clean(), experimental) {
            (true, false) => "complete, nothing odd",
            (true, true) => "nothing odd, by the user's table; names of this set are not public",
            (false, _) => "not as published",
        };
        writeln!(text, "{verdict}").expect("writing to a string");
        text
    }
}
