//! `fas fetch`: weights of third parties that a command needs, from the package that carries them.

use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

use clap::{Args, ValueEnum};
use fas_mtcnn::{RELEASED_PACKAGE, save_released};

use crate::error::CliError;
use crate::output::check_file;

const DETAILS: &str = "\
mtcnn   face detector of `fas align`: facenet-pytorch 2.6.0 (MIT), a wheel of 1.9 MB that `pip`
        unpacks from PyPI into a temporary folder. Only the weights are taken from it, after a check
        of their hashes; nothing in it is run. Without network, name the folder that has the package
        by --package.

Examples:
  fas fetch mtcnn --out mtcnn.safetensors
  fas fetch mtcnn --out mtcnn.safetensors --package site-packages/";

/// Get weights that are not ours, from the package that carries them.
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Fetch {
    /// What to get.
    #[arg(value_name = "WEIGHTS")]
    weights: Released,
    /// Safetensors file to write.
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Folder that the package is installed in, if it is here already.
    #[arg(long, value_name = "FOLDER")]
    package: Option<PathBuf>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Released {
    Mtcnn,
}

impl Fetch {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        check_file(Some(&self.out))?;
        let Released::Mtcnn = self.weights;
        match &self.package {
            Some(folder) => save_released(folder, &self.out)?,
            None => {
                let folder = tempfile::tempdir().map_err(|source| CliError::Write {
                    what: "a temporary folder".to_owned(),
                    source,
                })?;
                download(RELEASED_PACKAGE, folder.path())?;
                save_released(folder.path(), &self.out)?;
            }
        }
        eprintln!("{}: MTCNN of {RELEASED_PACKAGE}, MIT", self.out.display());
        Ok(ExitCode::SUCCESS)
    }
}

/// Unpacks the wheel of `package`, without what it depends on, into `folder`.
fn download(package: &str, folder: &Path) -> Result<(), CliError> {
    let failed = |reason: String| CliError::Download {
        package: package.to_owned(),
        reason,
    };
    let run = Command::new("python3")
        .args(["-m", "pip", "install", "--quiet", "--no-deps"])
        .args(["--only-binary", ":all:", "--no-compile", "--target"])
        .arg(folder)
        .arg(package)
        .output()
        .map_err(|error| failed(format!("python3 does not start: {error}")))?;
    if run.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&run.stderr);
    let last = said.lines().rfind(|line| !line.trim().is_empty());
    Err(failed(last.unwrap_or("no message").to_owned()))
}
