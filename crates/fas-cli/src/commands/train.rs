//! `fas train`: networks from data.

mod classifier;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use self::classifier::TrainClassifier;
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
}

impl Train {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        match &self.network {
            Network::Classifier(command) => command.run(),
        }
    }
}
