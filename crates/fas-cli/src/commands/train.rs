//! `fas train`: networks from data.

mod classifier;
mod dfg;
mod generator;

use std::path::Path;
use std::process::ExitCode;

use clap::{Args, Subcommand};
use fas_data::{Manifest, Protocol};

use self::classifier::TrainClassifier;
use self::dfg::TrainDfg;
use self::generator::TrainGenerator;
use crate::error::CliError;
use crate::progress::Progress;

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

/// Tells where a training goes on that was stopped.
fn tell_resumed(steps_taken: usize) {
    if steps_taken > 0 {
        eprintln!("going on from step {steps_taken}");
    }
}

/// The way of a training to its last step, with checkpoints.
struct Course<'a> {
    steps: usize,
    checkpoint: Option<&'a Path>,
    every: usize,
}

impl<'a> Course<'a> {
    /// To step `steps`; with a folder for checkpoints, one `every` so many steps and one at the end.
    fn new(steps: usize, checkpoint: Option<&'a Path>, every: usize) -> Self {
        Self {
            steps,
            checkpoint,
            every,
        }
    }

    /// Takes `trainer` to the end. `step` takes one step and gives its loss.
    fn run<T>(
        &self,
        trainer: &mut T,
        steps_taken: impl Fn(&T) -> usize,
        mut step: impl FnMut(&mut T) -> Result<f32, CliError>,
        write_checkpoint: impl Fn(&T, &Path) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let progress = Progress::of_steps("training", self.steps);
        (0..steps_taken(trainer)).for_each(|_| progress.step());
        while steps_taken(trainer) < self.steps {
            let loss = step(trainer)?;
            progress.say(&format!("training, loss {loss:.3}"));
            progress.step();
            let taken = steps_taken(trainer);
            if let Some(folder) = self.checkpoint
                && (taken.is_multiple_of(self.every) || taken == self.steps)
            {
                write_checkpoint(trainer, folder)?;
            }
        }
        Ok(())
    }
}
