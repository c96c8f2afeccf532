//! `fas data`: copies of public data sets, their index, their health, their protocols and leaks.

mod boxes;
mod check;
mod convert;
mod frames;
mod index;
mod leaks;
mod list;
mod protocol;
mod source;

use std::process::ExitCode;

use clap::{Args, Subcommand};

use crate::error::CliError;

const EXAMPLES: &str = "\
`datasets.toml` says where your copies are; docs/datasets.md how to get and lay out each set.

Examples:
  fas data list
  fas data check oulu_npu
  fas data index oulu_npu --out oulu.csv
  fas data protocol oulu_npu/P1 --index oulu.csv --out P1/
  fas data leaks --protocol P1/
  fas data frames --protocol P1/ --policy uniform --count 10 --out frames/";

/// Data sets: index, check, protocols, leaks, frames.
#[derive(Debug, Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Data {
    #[command(subcommand)]
    command: DataCommand,
}

#[derive(Debug, Subcommand)]
enum DataCommand {
    Boxes(boxes::Boxes),
    Check(check::Check),
    Convert(convert::Convert),
    Frames(frames::Frames),
    Index(index::Index),
    Leaks(leaks::Leaks),
    List(list::List),
    Protocol(protocol::Protocol),
}

impl Data {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        match &self.command {
            DataCommand::Boxes(command) => command.run(),
            DataCommand::Check(command) => command.run(),
            DataCommand::Convert(command) => command.run(),
            DataCommand::Frames(command) => command.run(),
            DataCommand::Index(command) => command.run(),
            DataCommand::Leaks(command) => command.run(),
            DataCommand::List(command) => command.run(),
            DataCommand::Protocol(command) => command.run(),
        }
    }
}
