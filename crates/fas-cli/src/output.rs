//! Results on the standard output, or in a file that is never seen half-written.

use std::fs::{self, File};
use std::io::{self, Write};
use std::path::Path;

use crate::error::CliError;

/// Writes `content` to `path`, or to the standard output where there is none.
///
/// A file is written under a temporary name beside its own and then renamed; after an error
/// nothing is left of it, and an older file stays as it was.
pub(crate) fn emit(path: Option<&Path>, content: &[u8]) -> Result<(), CliError> {
    match path {
        None => write_standard_output(content).map_err(|source| CliError::Write {
            what: "the standard output".to_owned(),
            source,
        }),
        Some(path) => write_file(path, content).map_err(|source| CliError::Write {
            what: path.display().to_string(),
            source,
        }),
    }
}

/// Refuses a file that cannot be written where it is asked for, before the work that fills it.
pub(crate) fn check_file(path: Option<&Path>) -> Result<(), CliError> {
    let Some(path) = path else { return Ok(()) };
    let refuse = |reason: String| CliError::Place {
        path: path.to_owned(),
        reason,
    };
    if path.is_dir() {
        return Err(refuse("it is a folder; name a file".to_owned()));
    }
    let parent = path.parent().filter(|parent| parent.as_os_str() != "");
    match parent {
        Some(parent) if !parent.is_dir() => Err(refuse(format!(
            "`{}` is no folder; create it first",
            parent.display()
        ))),
        _ => Ok(()),
    }
}

/// Refuses a new folder below something that is no folder. Missing parents are made with it.
pub(crate) fn check_parent(path: &Path) -> Result<(), CliError> {
    let existing = path.ancestors().skip(1).find(|ancestor| ancestor.exists());
    match existing {
        Some(ancestor) if !ancestor.is_dir() => Err(CliError::Place {
            path: path.to_owned(),
            reason: format!("`{}` is no folder; write elsewhere", ancestor.display()),
        }),
        _ => Ok(()),
    }
}

fn write_standard_output(content: &[u8]) -> io::Result<()> {
    let mut output = io::stdout().lock();
    output.write_all(content)?;
    output.flush()
}

fn write_file(path: &Path, content: &[u8]) -> io::Result<()> {
    let name = path
        .file_name()
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidInput, "it names no file"))?;
    let mut partial = std::ffi::OsString::from(".");
    partial.push(name);
    partial.push(format!(".{}.partial", std::process::id()));
    let partial = path.with_file_name(partial);
    let written = File::create(&partial)
        .and_then(|mut file| {
            file.write_all(content)?;
            file.sync_all()
        })
        .and_then(|()| fs::rename(&partial, path));
    if written.is_err() {
        // The first error is the one to report.
        let _ = fs::remove_file(&partial);
    }
    written
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_and_nothing_else_is_left() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.csv");
        emit(Some(&path), b"first, longer").unwrap();
        emit(Some(&path), b"second").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"second");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_failure_leaves_nothing() {
        let folder = tempfile::tempdir().unwrap();
        // A folder in the place of the file: the rename fails after the writing.
        let path = folder.path().join("taken");
        fs::create_dir_all(path.join("inner")).unwrap();
        let message = emit(Some(&path), b"text").unwrap_err().to_string();
        assert!(message.contains("taken"), "{message}");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }
}
