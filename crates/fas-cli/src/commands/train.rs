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
use crate::dashboard::{Dashboard, StepFigures};
use crate::error::CliError;
use crate::interrupt::Interrupt;
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

/// How a training is followed.
#[derive(Debug, Args)]
struct Following {
    /// Show the curve of the loss and the figures of the last step in the terminal.
    #[arg(long)]
    dashboard: bool,
}

/// The way of a training to its last step, with checkpoints.
struct Course<'a> {
    steps: usize,
    checkpoint: Option<&'a Path>,
    every: usize,
    dashboard: bool,
}

impl<'a> Course<'a> {
    /// To step `steps`; with a folder for checkpoints, one `every` so many steps and one at the end.
    fn new(
        steps: usize,
        checkpoint: Option<&'a Path>,
        every: usize,
        following: &Following,
    ) -> Self {
        Self {
            steps,
            checkpoint,
            every,
            dashboard: following.dashboard,
        }
    }

    /// Takes `trainer` to the end. `step` takes one step and tells its figures.
    ///
    /// # Errors
    ///
    /// Those of `step` and `write_checkpoint`; [`CliError::Stopped`] after an interrupt, with a last
    /// checkpoint if there is a folder for it.
    fn run<T>(
        &self,
        trainer: &mut T,
        steps_taken: impl Fn(&T) -> usize,
        mut step: impl FnMut(&mut T) -> Result<StepFigures, CliError>,
        write_checkpoint: impl Fn(&T, &Path) -> Result<(), CliError>,
    ) -> Result<(), CliError> {
        let interrupt = Interrupt::watch().map_err(CliError::Interrupts)?;
        let mut display = Display::new(self.dashboard, self.steps, steps_taken(trainer));
        while steps_taken(trainer) < self.steps {
            let figures = step(trainer)?;
            let taken = steps_taken(trainer);
            display.show(taken, &figures);
            let stopped = interrupt.is_asked_for() && taken < self.steps;
            if let Some(folder) = self.checkpoint
                && (taken.is_multiple_of(self.every) || taken == self.steps || stopped)
            {
                write_checkpoint(trainer, folder)?;
                display.kept(taken);
            }
            if stopped {
                return Err(CliError::Stopped {
                    step: taken,
                    steps: self.steps,
                    checkpoint: self.checkpoint.map(Path::to_owned),
                });
            }
        }
        Ok(())
    }
}

/// What is seen of a training.
enum Display {
    Bar(Progress),
    Dashboard(Box<Dashboard>),
}

impl Display {
    fn new(dashboard: bool, steps: usize, taken: usize) -> Self {
        if dashboard {
            return Self::Dashboard(Box::new(Dashboard::new(steps, taken)));
        }
        let progress = Progress::of_steps("training", steps);
        (0..taken).for_each(|_| progress.step());
        Self::Bar(progress)
    }

    fn show(&mut self, taken: usize, figures: &StepFigures) {
        match self {
            Self::Bar(progress) => {
                progress.say(&format!("training, loss {:.3}", figures.loss));
                progress.step();
            }
            Self::Dashboard(dashboard) => dashboard.show(taken, figures),
        }
    }

    fn kept(&mut self, taken: usize) {
        if let Self::Dashboard(dashboard) = self {
            dashboard.kept(taken);
        }
    }
}
