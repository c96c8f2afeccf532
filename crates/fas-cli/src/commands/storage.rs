//! How a network is stored: the precision of its weights, and what its card says.

use std::collections::HashMap;

use clap::Args;
use fas_weights::StoredFloat;

/// How a network is stored.
#[derive(Debug, Args)]
pub(super) struct Storage {
    /// Store weights in 16 bits, for shipping.
    #[arg(long)]
    half: bool,
    /// A note for the model card, such as the licence of the data or the domains it is of: KEY=TEXT.
    #[arg(long, value_name = "KEY=TEXT", value_parser = key_and_text)]
    note: Vec<(String, String)>,
}

impl Storage {
    /// Type of the stored weights.
    pub(super) fn precision(&self) -> StoredFloat {
        stored_float(self.half)
    }

    /// A card of `facts` and the user's notes, which come after and so may replace a fact.
    pub(super) fn card<const N: usize>(
        &self,
        facts: [(&str, String); N],
    ) -> HashMap<String, String> {
        let facts = facts.map(|(key, value)| (key.to_owned(), value));
        facts.into_iter().chain(self.note.iter().cloned()).collect()
    }
}

/// Type of stored weights, by the option `--half`.
pub(super) fn stored_float(half: bool) -> StoredFloat {
    match half {
        true => StoredFloat::F16,
        false => StoredFloat::F32,
    }
}

fn key_and_text(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=TEXT".to_owned()),
    }
}
