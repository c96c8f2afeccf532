//! Results on the standard output, or in a file that is never seen half-written.

mod resumable_table;

use std::io::{self, Cursor, Write};
use std::path::Path;

use fas_report::write_atomically;
use image::{ImageFormat, RgbImage};

use crate::error::CliError;

pub(crate) use self::resumable_table::ResumableTable;

/// Writes `content` to `path`, or to the standard output where there is none.
///
/// A file appears whole or not at all.
pub(crate) fn emit(path: Option<&Path>, content: &[u8]) -> Result<(), CliError> {
    match path {
        None => write_standard_output(content).map_err(|source| CliError::Write {
            what: "the standard output".to_owned(),
            source,
        }),
        Some(path) => Ok(write_atomically(path, content)?),
    }
}

/// Writes a picture as PNG, whole or not at all; missing folders are made.
pub(crate) fn emit_png(path: &Path, image: &RgbImage) -> Result<(), CliError> {
    let mut bytes = Cursor::new(Vec::new());
    image
        .write_to(&mut bytes, ImageFormat::Png)
        .expect("an RGB image is written to memory");
    emit(Some(path), bytes.get_ref())
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

#[cfg(test)]
mod tests {
    use std::fs;

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
