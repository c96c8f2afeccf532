//! `fas quality`: BRISQUE scores of images and of all images in folders.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use fas_data::{DataError, list_images, load_rgb};
use fas_quality::{Brisque, QualityError};
use rayon::prelude::*;

use crate::error::CliError;
use crate::output::{check_file, emit};
use crate::progress::Progress;

const DETAILS: &str = "\
Every file is processed whatever happens to the others; the exit code is 1 if any has no score.
Folders are searched for images, folders below them too.

Examples:
  fas quality photo.jpg
  fas quality photos/ more/ --csv > quality.csv
  fas quality photos/ --csv --out quality.csv";

/// Score image quality without a reference: BRISQUE, lower is better.
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Quality {
    /// Images, or folders of images.
    #[arg(required = true, value_name = "PATHS")]
    paths: Vec<PathBuf>,
    /// Print CSV with the columns path,score,error.
    #[arg(long)]
    csv: bool,
    /// Write to this file instead of the standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

/// Why an image has no score.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error("{0}")]
    Image(#[from] DataError),
    #[error("{0}")]
    Quality(#[from] QualityError),
}

/// One line of the result.
struct Row {
    path: PathBuf,
    score: Result<f64, Failure>,
}

impl Quality {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        check_file(self.out.as_deref())?;
        let rows = score(find(&self.paths));
        let text = if self.csv {
            csv_of(&rows)
        } else {
            table_of(&rows).into_bytes()
        };
        emit(self.out.as_deref(), &text)?;
        let failed = rows.iter().filter(|row| row.score.is_err()).count();
        if failed == 0 {
            return Ok(ExitCode::SUCCESS);
        }
        eprintln!("{failed} of {} have no score", rows.len());
        Ok(ExitCode::FAILURE)
    }
}

/// The files to score. A folder that cannot be searched is a failed row of its own.
fn find(paths: &[PathBuf]) -> Vec<Result<PathBuf, Row>> {
    let _progress = Progress::of_unknown_length("looking for images");
    let mut found = Vec::new();
    for path in paths {
        if !path.is_dir() {
            found.push(Ok(path.clone()));
            continue;
        }
        match list_images(path) {
            Ok(images) => found.extend(images.into_iter().map(Ok)),
            Err(error) => found.push(Err(Row {
                path: path.clone(),
                score: Err(error.into()),
            })),
        }
    }
    found
}

fn score(files: Vec<Result<PathBuf, Row>>) -> Vec<Row> {
    let brisque = Brisque::new();
    let progress = Progress::of_steps("scoring", files.len());
    files
        .into_par_iter()
        .map(|file| {
            let row = file.map_or_else(
                |failed| failed,
                |path| Row {
                    score: score_file(&brisque, &path),
                    path,
                },
            );
            progress.step();
            row
        })
        .collect()
}

fn score_file(brisque: &Brisque, path: &Path) -> Result<f64, Failure> {
    Ok(brisque.score(&load_rgb(path)?)?)
}

fn csv_of(rows: &[Row]) -> Vec<u8> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    let mut write = |path: &[u8], score: &str, error: &str| {
        writer
            .write_record([path, score.as_bytes(), error.as_bytes()])
            .expect("writing to memory");
    };
    write(b"path", "score", "error");
    for row in rows {
        // The bytes as they are: a name need not be UTF-8.
        let path = row.path.as_os_str().as_encoded_bytes();
        match &row.score {
            Ok(score) => write(path, &score.to_string(), ""),
            Err(error) => write(path, "", &error.to_string()),
        }
    }
    writer.into_inner().expect("writing to memory")
}

fn table_of(rows: &[Row]) -> String {
    let mut text = String::from("  score  path\n");
    for row in rows {
        let path = row.path.display().to_string();
        match row.score.as_ref().map_err(Failure::to_string) {
            Ok(score) => writeln!(text, "{score:7.2}  {path}"),
            // An error of reading names its file already.
            Err(error) if error.starts_with(&path) => writeln!(text, "      -  {error}"),
            Err(error) => writeln!(text, "      -  {path}: {error}"),
        }
        .expect("writing to a string");
    }
    let mut scores: Vec<f64> = rows
        .iter()
        .filter_map(|row| row.score.as_ref().ok().copied())
        .collect();
    if scores.len() > 1 {
        scores.sort_unstable_by(f64::total_cmp);
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        let middle = scores.len() / 2;
        let median = f64::midpoint(scores[(scores.len() - 1) / 2], scores[middle]);
        writeln!(
            text,
            "\n{} images: mean {mean:.2}, median {median:.2}, {:.2} to {:.2}; lower is better",
            scores.len(),
            scores[0],
            scores[scores.len() - 1],
        )
        .expect("writing to a string");
    }
    text
}
