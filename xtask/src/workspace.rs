//! Our crates as `cargo metadata` describes them.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use serde_json::Value;

use crate::error::XtaskError;

/// A crate of the workspace.
#[derive(Debug)]
pub(crate) struct Package {
    pub(crate) name: String,
    /// Features, and what each turns on.
    pub(crate) features: BTreeMap<String, Vec<String>>,
    /// Dependencies, ours and others.
    pub(crate) dependencies: Vec<Dependency>,
}

/// A dependency as its manifest states it.
#[derive(Debug)]
pub(crate) struct Dependency {
    /// Name of the package.
    pub(crate) name: String,
    /// Name in the manifest that imports it; another than `name` if it is renamed.
    pub(crate) key: String,
    /// Whether only tests, examples and benches see it.
    pub(crate) dev: bool,
    pub(crate) optional: bool,
}

/// Folder of the workspace's manifest; every command runs there.
pub(crate) fn root() -> PathBuf {
    PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/.."))
}

/// `cargo`, the one that runs us, in the workspace's folder.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// The crates of this workspace.
pub(crate) fn packages() -> Result<Vec<Package>, XtaskError> {
    // What our manifests state is enough: without dependencies nothing has to be downloaded.
    let arguments = ["metadata", "--format-version", "1", "--no-deps"];
    let output = cargo()
        .args(arguments)
        .stderr(Stdio::inherit())
        .output()
        .map_err(|source| XtaskError::Start {
            program: "cargo".to_owned(),
            source,
        })?;
    if !output.status.success() {
        return Err(XtaskError::Failed {
            command: format!("cargo {}", arguments.join(" ")),
        });
    }
    let metadata =
        serde_json::from_slice(&output.stdout).map_err(|error| XtaskError::Metadata {
            problem: error.to_string(),
        })?;
    parse(&metadata)
}

/// The packages of a `cargo metadata --no-deps` document.
pub(crate) fn parse(metadata: &Value) -> Result<Vec<Package>, XtaskError> {
    array(metadata, "packages")?.iter().map(package).collect()
}

fn package(value: &Value) -> Result<Package, XtaskError> {
    let features = value["features"]
        .as_object()
        .ok_or_else(|| missing("features"))?
        .iter()
        .map(|(name, list)| {
            let list = list.as_array().ok_or_else(|| missing(name))?;
            let enables = list
                .iter()
                .filter_map(Value::as_str)
                .map(str::to_owned)
                .collect();
            Ok((name.clone(), enables))
        })
        .collect::<Result<_, XtaskError>>()?;
    let dependencies = array(value, "dependencies")?
        .iter()
        .map(dependency)
        .collect::<Result<_, _>>()?;
    Ok(Package {
        name: text(value, "name")?,
        features,
        dependencies,
    })
}

fn dependency(value: &Value) -> Result<Dependency, XtaskError> {
    let name = text(value, "name")?;
    Ok(Dependency {
        key: value["rename"].as_str().unwrap_or(&name).to_owned(),
        name,
        dev: value["kind"] == "dev",
        optional: value["optional"]
            .as_bool()
            .ok_or_else(|| missing("optional"))?,
    })
}

fn array<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>, XtaskError> {
    value[key].as_array().ok_or_else(|| missing(key))
}

fn text(value: &Value, key: &str) -> Result<String, XtaskError> {
    value[key]
        .as_str()
        .map(str::to_owned)
        .ok_or_else(|| missing(key))
}

fn missing(key: &str) -> XtaskError {
    XtaskError::Metadata {
        problem: format!("`{key}` is missing or of another type"),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn fields_are_read() {
        let metadata = json!({ "packages": [{
            "name": "fas-sim",
            "features": { "fit": ["dep:faer"] },
            "dependencies": [
                { "name": "faer", "rename": null, "kind": null, "optional": true },
                { "name": "fas-data", "rename": "data", "kind": "dev", "optional": false },
            ],
        }]});
        let packages = parse(&metadata).unwrap();
        assert_eq!(packages[0].features["fit"], ["dep:faer"]);
        let [faer, data] = &packages[0].dependencies[..] else {
            panic!("two were given")
        };
        assert!(faer.optional && !faer.dev && faer.key == "faer");
        assert!(!data.optional && data.dev && data.key == "data" && data.name == "fas-data");
    }

    #[test]
    fn a_missing_field_is_named() {
        let metadata = json!({ "packages": [{ "name": "fas-sim", "features": {} }] });
        let error = parse(&metadata).unwrap_err().to_string();
        assert!(error.contains("`dependencies` is missing"), "{error}");
    }

    #[test]
    fn this_workspace_is_read() {
        let packages = packages().unwrap();
        assert!(
            packages
                .iter()
                .any(|package| package.name == env!("CARGO_PKG_NAME"))
        );
    }
}
