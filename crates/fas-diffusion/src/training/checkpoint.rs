//! Folders that hold a training run, written so that a kill at any moment leaves a whole one.
//!
//! A checkpoint is written beside the old one (`.partial`), flushed to the disk, and takes its place by
//! renaming; the old one is away (`.old`) only between two renames, and is found there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::DiffusionError;

/// Configuration and step of the run, as JSON.
const RUN: &str = "run.json";

fn failed(path: &Path, reason: impl ToString) -> DiffusionError {
    DiffusionError::Checkpoint {
        path: path.to_owned(),
        reason: reason.to_string(),
    }
}

/// The folder that [`write`] left, if any: where it belongs, or where a kill between two renames left
/// the older one.
pub(super) fn find(folder: &Path) -> Option<PathBuf> {
    [folder.to_owned(), folder.with_extension("old")]
        .into_iter()
        .find(|place| place.is_dir())
}

/// Writes a checkpoint: `save` puts its files into the folder it is given.
pub(super) fn write(
    folder: &Path,
    run: &Value,
    save: impl FnOnce(&Path) -> Result<(), DiffusionError>,
) -> Result<(), DiffusionError> {
    let io = |error: std::io::Error| failed(folder, error);
    let (partial, old) = (
        folder.with_extension("partial"),
        folder.with_extension("old"),
    );
    remove(&partial).map_err(io)?;
    fs::create_dir_all(&partial).map_err(io)?;
    save(&partial)?;
    fs::write(partial.join(RUN), format!("{run:#}\n")).map_err(io)?;
    for entry in fs::read_dir(&partial).map_err(io)? {
        let file = File::open(entry.map_err(io)?.path()).map_err(io)?;
        file.sync_all().map_err(io)?;
    }
    if folder.exists() {
        remove(&old).map_err(io)?;
        fs::rename(folder, &old).map_err(io)?;
    }
    fs::rename(&partial, folder).map_err(io)?;
    remove(&old).map_err(io)
}

fn remove(folder: &Path) -> std::io::Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

/// Reads what [`write`] was given as `run`.
pub(super) fn read_run(folder: &Path) -> Result<Value, DiffusionError> {
    let path = folder.join(RUN);
    let text = fs::read_to_string(&path).map_err(|error| failed(&path, error))?;
    serde_json::from_str(&text).map_err(|error| failed(&path, error))
}

/// Refuses a checkpoint whose configuration is not the one that goes on.
pub(super) fn check_configuration(
    folder: &Path,
    stored: &Value,
    asked: &Value,
) -> Result<(), DiffusionError> {
    match first_difference("", stored, asked) {
        None => Ok(()),
        Some((field, stored, asked)) => Err(DiffusionError::CheckpointConfiguration {
            path: folder.to_owned(),
            field,
            stored,
            asked,
        }),
    }
}

fn first_difference(path: &str, stored: &Value, asked: &Value) -> Option<(String, String, String)> {
    if let (Value::Object(stored), Value::Object(asked)) = (stored, asked) {
        return asked.keys().chain(stored.keys()).find_map(|key| {
            let value =
                |map: &serde_json::Map<String, Value>| map.get(key).cloned().unwrap_or(Value::Null);
            let separator = if path.is_empty() { "" } else { "." };
            let path = format!("{path}{separator}{key}");
            first_difference(&path, &value(stored), &value(asked))
        });
    }
    (stored != asked).then(|| (path.to_owned(), stored.to_string(), asked.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_difference_is_named_by_its_place() {
        let stored = json!({"training": {"seed": 1, "ema": {"decay": 0.9}}});
        let asked = json!({"training": {"seed": 1, "ema": {"decay": 0.99}}});
        let error = check_configuration(Path::new("run"), &stored, &asked).unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains("training.ema.decay is 0.9 there and 0.99 here"),
            "{text}"
        );
        assert!(check_configuration(Path::new("run"), &stored, &stored).is_ok());
    }

    #[test]
    fn a_failed_write_leaves_the_older_checkpoint() {
        let place = tempfile::tempdir().unwrap();
        let folder = place.path().join("run");
        write(&folder, &json!({"step": 1}), |_| Ok(())).unwrap();
        let full = write(&folder, &json!({"step": 2}), |partial| {
            fs::write(partial.join("half"), "half").unwrap();
            Err(failed(partial, "no space left"))
        });
        assert!(full.is_err());
        let found = find(&folder).unwrap();
        assert_eq!(read_run(&found).unwrap(), json!({"step": 1}));
        // The next one is not disturbed by what lies about.
        write(&folder, &json!({"step": 3}), |_| Ok(())).unwrap();
        assert_eq!(read_run(&folder).unwrap(), json!({"step": 3}));
        assert!(!folder.with_extension("partial").exists());
        // Killed between the two renames.
        fs::rename(&folder, folder.with_extension("old")).unwrap();
        let found = find(&folder).unwrap();
        assert_eq!(read_run(&found).unwrap(), json!({"step": 3}));
    }
}
