//! Checkpoints of a training run: a folder, replaced as a whole.

use std::path::{Path, PathBuf};

use crate::DfgError;

/// Writes a checkpoint: `write` fills a folder of another name, which then takes the place of
/// `folder`. A kill at any moment leaves the older checkpoint or the new one.
pub(crate) fn write_checkpoint(
    folder: &Path,
    step: usize,
    write: impl FnOnce(&Path) -> Result<(), String>,
) -> Result<(), DfgError> {
    let failed = |reason: String| DfgError::Checkpoint {
        path: folder.to_owned(),
        reason,
    };
    let io = |error: std::io::Error| failed(error.to_string());
    let partial = folder.with_extension("partial");
    let _ = std::fs::remove_dir_all(&partial);
    std::fs::create_dir_all(&partial).map_err(io)?;
    write(&partial).map_err(failed)?;
    std::fs::write(partial.join("step"), step.to_string()).map_err(io)?;
    let old = folder.with_extension("old");
    let _ = std::fs::remove_dir_all(&old);
    if folder.exists() {
        std::fs::rename(folder, &old).map_err(io)?;
    }
    std::fs::rename(&partial, folder).map_err(io)?;
    let _ = std::fs::remove_dir_all(&old);
    Ok(())
}

/// The folder to resume from and the steps taken there, if there is a checkpoint.
pub(crate) fn find_checkpoint(folder: &Path) -> Result<Option<(PathBuf, usize)>, DfgError> {
    // A kill between the two renames leaves only the older one.
    let old = folder.with_extension("old");
    let folder = if folder.exists() || !old.exists() {
        folder.to_owned()
    } else {
        old
    };
    if !folder.exists() {
        return Ok(None);
    }
    let failed = |reason: String| DfgError::Checkpoint {
        path: folder.clone(),
        reason,
    };
    let text = std::fs::read_to_string(folder.join("step")).map_err(|e| failed(e.to_string()))?;
    let step = text
        .trim()
        .parse()
        .map_err(|_| failed(format!("step reads {text:?}")))?;
    Ok(Some((folder, step)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interrupted_exchange_leaves_the_older_one() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("checkpoint");
        assert!(find_checkpoint(&folder).unwrap().is_none());
        write_checkpoint(&folder, 7, |_| Ok(())).unwrap();
        std::fs::rename(&folder, folder.with_extension("old")).unwrap();
        let (found, step) = find_checkpoint(&folder).unwrap().unwrap();
        assert_eq!((found, step), (folder.with_extension("old"), 7));
    }

    #[test]
    fn a_failed_write_keeps_the_older_one() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("checkpoint");
        write_checkpoint(&folder, 3, |_| Ok(())).unwrap();
        let error = write_checkpoint(&folder, 4, |_| Err("disk full".to_owned())).unwrap_err();
        assert!(error.to_string().contains("disk full"), "{error}");
        assert_eq!(find_checkpoint(&folder).unwrap().unwrap().1, 3);
    }
}
