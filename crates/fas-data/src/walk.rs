//! The files below a root, in a fixed order, without leaving it.
//!
//! Folders that are links are not entered: one inside the root is walked at its own place anyway, which
//! is why loops end, and one outside leads away from the root. Both are reported.

use std::fs::{self, DirEntry};
use std::io;
use std::path::Path;

use crate::manifest::canonical_root;
use crate::survey::{Finding, Problem};
use crate::{DataError, RecordingError};

/// What a walk comes across.
pub(crate) enum Walked {
    /// A file, relative to the root with `/`, and its size in bytes.
    File(String, u64),
    /// Something that is no ordinary file.
    Problem(Finding),
}

/// Visits everything below `root`, folders in alphabetical order; names with a leading dot are skipped.
pub(crate) fn walk(
    root: &Path,
    visit: &mut dyn FnMut(Walked) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let canonical = canonical_root(root).map_err(|error| match error {
        DataError::Io { path, source, .. } => RecordingError::NoRoot { path, source }.into(),
        other => other,
    })?;
    let mut pending = vec![String::new()];
    while let Some(folder) = pending.pop() {
        let path = root.join(&folder);
        let entries = match sorted_entries(&path) {
            Ok(entries) => entries,
            Err(source) if folder.is_empty() => {
                return Err(DataError::Io {
                    path,
                    action: "list the folder",
                    source,
                });
            }
            Err(source) => {
                visit(problem(folder, Problem::Unreadable(source.to_string())))?;
                continue;
            }
        };
        let mut folders = Vec::new();
        for entry in entries {
            let name = entry.file_name();
            if name.as_encoded_bytes().starts_with(b".") {
                continue;
            }
            let prefix = if folder.is_empty() { "" } else { "/" };
            let Some(name) = name.to_str() else {
                let shown = format!("{folder}{prefix}{}", name.to_string_lossy());
                visit(problem(shown, Problem::NotUnicode))?;
                continue;
            };
            let relative = format!("{folder}{prefix}{name}");
            if name.contains('\\') {
                visit(problem(relative, Problem::Backslash))?;
                continue;
            }
            match look(&entry, &canonical) {
                Ok(Look::Folder) => folders.push(relative),
                Ok(Look::File(bytes)) => visit(Walked::File(relative, bytes))?,
                Ok(Look::Odd(what)) => visit(problem(relative, what))?,
                Err(error) => visit(problem(relative, Problem::Unreadable(error.to_string())))?,
            }
        }
        pending.extend(folders.into_iter().rev());
    }
    Ok(())
}

enum Look {
    Folder,
    File(u64),
    Odd(Problem),
}

fn look(entry: &DirEntry, canonical_root: &Path) -> io::Result<Look> {
    let kind = entry.file_type()?;
    if kind.is_dir() {
        return Ok(Look::Folder);
    }
    if kind.is_symlink() {
        let target = entry.path().canonicalize()?;
        if !target.starts_with(canonical_root) {
            return Ok(Look::Odd(Problem::LeavesRoot));
        }
        let metadata = fs::metadata(&target)?;
        return Ok(if metadata.is_dir() {
            Look::Odd(Problem::LinkedFolder)
        } else {
            Look::File(metadata.len())
        });
    }
    if kind.is_file() {
        return Ok(Look::File(entry.metadata()?.len()));
    }
    Ok(Look::Odd(Problem::Unreadable(
        "neither a file nor a folder".to_owned(),
    )))
}

fn sorted_entries(folder: &Path) -> io::Result<Vec<DirEntry>> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_unstable_by_key(DirEntry::file_name);
    Ok(entries)
}

fn problem(path: String, problem: Problem) -> Walked {
    Walked::Problem(Finding { path, problem })
}
