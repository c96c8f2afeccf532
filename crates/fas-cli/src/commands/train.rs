//! `fas train`: networks from data.

mod classifier;
mod dfg;
mod generator;

use std::process::ExitCode;

use clap::{Args, Subcommand};
use fas_data::{Manifest, Protocol};

use self::classifier::TrainClassifier;
use self::dfg::TrainDfg;
use self::generator::TrainGenerator;
use crate::error::CliError;

/// Train a network.
#[derive(Debug, Args)]
pub(crate) struct Train {
    #[command(subcommand)]
    network: Network,
}

#[derive(Debug, Subcommand)]
enum Network {
    Classifier(TrainClassifier),
    Dfg(Box<TrainDfg>),
    Generator(TrainGenerator),
}

impl Train {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        match &self.network {
            Network::Classifier(command) => command.run(),
            Network::Dfg(command) => command.run(),
            Network::Generator(command) => command.run(),
        }
    }
}

/// A protocol across domains, or one domain's own.
fn protocol_by_name(name: &str, manifest: &Manifest) -> Result<Protocol, CliError> {
    let domains = manifest.domains();
    if domains.iter().any(|domain| domain == name) {
        return Ok(Protocol::intra(name));
    }
    let domains: Vec<&str> = domains.iter().map(String::as_str).collect();
    Ok(Protocol::from_name(name, &domains)?)
}

/// A note of a model card.
pub(super) fn key_and_text(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        _ => Err("write KEY=TEXT".to_owned()),
    }
}
