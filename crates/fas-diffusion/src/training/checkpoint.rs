//! Folders that hold a training run: its files, and its configuration and step as JSON.

use std::fs;
use std::path::Path;

use fas_weights::replace_folder;
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

/// Writes a checkpoint: `save` puts its files into the folder it is given.
pub(super) fn write(
    folder: &Path,
    run: &Value,
    save: impl FnOnce(&Path) -> Result<(), DiffusionError>,
) -> Result<(), DiffusionError> {
    let io = |error: std::io::Error| failed(folder, error);
    let fill = |partial: &Path| {
        save(partial)?;
        fs::write(partial.join(RUN), format!("{run:#}\n")).map_err(io)
    };
    replace_folder(folder, fill, io)
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
}
