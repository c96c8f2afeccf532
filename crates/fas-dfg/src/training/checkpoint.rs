//! Checkpoints of a training run: a folder, replaced as a whole.

use std::path::{Path, PathBuf};

use fas_weights::{find_folder, replace_folder};

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
    let fill = |partial: &Path| {
        write(partial).map_err(failed)?;
        std::fs::write(partial.join("step"), step.to_string()).map_err(io)
    };
    replace_folder(folder, fill, io)
}

/// The folder to resume from and the steps taken there, if there is a checkpoint.
pub(crate) fn find_checkpoint(folder: &Path) -> Result<Option<(PathBuf, usize)>, DfgError> {
    let Some(folder) = find_folder(folder) else {
        return Ok(None);
    };
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
    fn a_checkpoint_is_found_with_its_step() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("checkpoint");
        assert!(find_checkpoint(&folder).unwrap().is_none());
        write_checkpoint(&folder, 7, |_| Ok(())).unwrap();
        std::fs::rename(&folder, folder.with_extension("old")).unwrap();
        let (found, step) = find_checkpoint(&folder).unwrap().unwrap();
        assert_eq!((found, step), (folder.with_extension("old"), 7));
    }
}
