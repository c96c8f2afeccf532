//! The commands of the program, one file each. A new command is a `mod`, a variant and a line of
//! [`Command::run`]; a group such as `train` is a command whose file holds the same three things.

mod align;
mod cue;
mod data;
mod despoof;
mod despoofing;
mod evaluate;
mod fetch;
mod frame_list;
mod generate;
mod predict;
mod quality;
mod simulate;
mod storage;
mod train;
mod weights;

use std::process::ExitCode;

use clap::Subcommand;

use self::align::Align;
use self::cue::Cue;
use self::data::Data;
use self::despoof::Despoof;
use self::evaluate::Evaluate;
use self::fetch::Fetch;
use self::generate::Generate;
use self::predict::Predict;
use self::quality::Quality;
use self::simulate::Simulate;
use self::train::Train;
use self::weights::WeightFiles;
use crate::error::CliError;

/// What `fas` can do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Align(Box<Align>),
    Cue(Cue),
    Data(Data),
    Despoof(Despoof),
    Evaluate(Evaluate),
    Fetch(Fetch),
    Generate(Box<Generate>),
    Predict(Predict),
    Quality(Quality),
    Simulate(Simulate),
    Train(Box<Train>),
    Weights(WeightFiles),
}

impl Command {
    /// Does it.
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        match self {
            Self::Align(command) => command.run(),
            Self::Cue(command) => command.run(),
            Self::Data(command) => command.run(),
            Self::Despoof(command) => command.run(),
            Self::Evaluate(command) => command.run(),
            Self::Fetch(command) => command.run(),
            Self::Generate(command) => command.run(),
            Self::Predict(command) => command.run(),
            Self::Quality(command) => command.run(),
            Self::Simulate(command) => command.run(),
            Self::Train(command) => command.run(),
            Self::Weights(command) => command.run(),
        }
    }
}
