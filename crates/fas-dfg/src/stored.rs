//! Weight files of this crate: the parameters, and in the header the configuration they belong to.

use std::collections::HashMap;
use std::path::Path;

use burn::config::Config;
use burn::module::Module;
use fas_weights::{StoredFloat, Weights, save_module};

use crate::DfgError;

/// Writes `module` with `config` under `key` in the header, beside `card`.
pub(crate) fn save_configured<M: Module, C: Config + std::fmt::Display>(
    (module, config): (&M, &C),
    key: &str,
    path: &Path,
    stored: StoredFloat,
    card: &HashMap<String, String>,
) -> Result<(), DfgError> {
    let mut metadata = card.clone();
    metadata.insert(key.to_owned(), config.to_string());
    Ok(save_module(module, path, stored, &metadata)?)
}

/// The configuration under `key`, and the card without it.
pub(crate) fn read_configuration<C: Config>(
    weights: &Weights,
    key: &str,
    what: &'static str,
    path: &Path,
) -> Result<(C, HashMap<String, String>), DfgError> {
    let mut card = weights.metadata.clone();
    let config = card
        .remove(key)
        .and_then(|text| C::load_binary(text.as_bytes()).ok())
        .ok_or_else(|| DfgError::Configuration {
            path: path.to_owned(),
            what,
        })?;
    Ok((config, card))
}

/// The module that [`save_configured`] wrote, frozen, its configuration and its card; `init` makes one
/// of the configuration, and `what` names it in errors, as `path` does the file.
pub(crate) fn load_configured<M: Module, C: Config>(
    weights: Weights,
    path: &Path,
    (key, what): (&str, &'static str),
    init: impl FnOnce(&C) -> M,
) -> Result<(M, C, HashMap<String, String>), DfgError> {
    let (config, card) = read_configuration(&weights, key, what, path)?;
    let module = weights.apply(init(&config), path)?.freeze();
    Ok((module, config, card))
}
