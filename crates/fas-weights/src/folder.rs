//! Folders that are replaced as a whole: checkpoints of training runs.
//!
//! The new one is written beside the old one (`.partial`), flushed to the disk, and takes its place by
//! renaming; the old one is away (`.old`) only between two renames, and is found there. A kill at any
//! moment leaves a whole one.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};

/// Replaces `folder` by what `fill` puts into the folder it is given.
///
/// # Errors
///
/// What `fill` says, or `failed` of the system's error; the older folder is then untouched.
pub fn replace_folder<E>(
    folder: &Path,
    fill: impl FnOnce(&Path) -> Result<(), E>,
    failed: impl Fn(io::Error) -> E,
) -> Result<(), E> {
    let (partial, old) = (
        folder.with_extension("partial"),
        folder.with_extension("old"),
    );
    let prepared = remove(&partial).and_then(|()| fs::create_dir_all(&partial));
    prepared.map_err(&failed)?;
    fill(&partial)?;
    exchange(folder, &partial, &old).map_err(failed)
}

fn exchange(folder: &Path, partial: &Path, old: &Path) -> io::Result<()> {
    for entry in fs::read_dir(partial)? {
        File::open(entry?.path())?.sync_all()?;
    }
    if folder.exists() {
        remove(old)?;
        fs::rename(folder, old)?;
    }
    fs::rename(partial, folder)?;
    remove(old)
}

fn remove(folder: &Path) -> io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// The folder that [`replace_folder`] left, if any: where it belongs, or where a kill between two renames
/// left the older one.
pub fn find_folder(folder: &Path) -> Option<PathBuf> {
    [folder.to_owned(), folder.with_extension("old")]
        .into_iter()
        .find(|place| place.is_dir())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write(folder: &Path, text: &str) -> Result<(), String> {
        let fill = |partial: &Path| {
            fs::write(partial.join("half"), text).unwrap();
            if text == "full" {
                return Err("no space left".to_owned());
            }
            fs::rename(partial.join("half"), partial.join("text")).map_err(|e| e.to_string())
        };
        replace_folder(folder, fill, |error| error.to_string())
    }

    #[test]
    fn a_failure_leaves_the_older_folder() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("run");
        assert_eq!(find_folder(&folder), None);
        write(&folder, "first").unwrap();
        assert_eq!(write(&folder, "full").unwrap_err(), "no space left");
        let read = |folder: &Path| fs::read_to_string(folder.join("text")).unwrap();
        assert_eq!(read(&find_folder(&folder).unwrap()), "first");
        // The next one is not disturbed by what lies about.
        write(&folder, "second").unwrap();
        assert_eq!(read(&find_folder(&folder).unwrap()), "second");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
        // Killed between the two renames.
        fs::rename(&folder, folder.with_extension("old")).unwrap();
        assert_eq!(read(&find_folder(&folder).unwrap()), "second");
        write(&folder, "third").unwrap();
        assert_eq!(read(&find_folder(&folder).unwrap()), "third");
        assert_eq!(fs::read_dir(place.path()).unwrap().count(), 1);
    }
}
