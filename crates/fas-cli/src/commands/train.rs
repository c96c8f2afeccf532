//! `fas train`: networks from data.

mod classifier;
mod dfg;
mod generator;

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, Subcommand};
use fas_classify::training::ClassifierTrainer;
use fas_data::{Manifest, Protocol};
use fas_dfg::training::DespoofingTrainer;
use fas_diffusion::training::GeneratorTrainer;
use fas_jobs::DeviceChoice;

use self::classifier::TrainClassifier;
use self::dfg::TrainDfg;
use self::generator::TrainGenerator;
use super::storage::Storage;
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

/// What every training takes.
#[derive(Debug, Args)]
struct Running {
    /// Seed of the weights and of everything drawn.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder of a checkpoint; a stopped training goes on from it.
    #[arg(long, value_name = "FOLDER")]
    checkpoint: Option<PathBuf>,
    /// Steps between checkpoints.
    #[arg(long, value_name = "STEPS", default_value_t = 250, requires = "checkpoint",
          value_parser = clap::value_parser!(u32).range(1..))]
    checkpoint_every: u32,
    /// Show the curve of the loss and the figures of the last step in the terminal.
    #[arg(long)]
    dashboard: bool,
    #[command(flatten)]
    storage: Storage,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
}

/// A trainer whose state can be kept on disk.
trait Resumable: Sized {
    fn steps_taken(&self) -> usize;

    /// Goes on from the checkpoint in `folder`, if there is one.
    fn resume(self, folder: &Path) -> Result<Self, CliError>;

    fn write_checkpoint(&self, folder: &Path) -> Result<(), CliError>;
}

/// Each trainer has these methods under its own error.
macro_rules! resumable {
    ($($trainer:ty),+) => {$(
        impl Resumable for $trainer {
            fn steps_taken(&self) -> usize {
                self.steps_taken()
            }

            fn resume(self, folder: &Path) -> Result<Self, CliError> {
                Ok(self.resume(folder)?)
            }

            fn write_checkpoint(&self, folder: &Path) -> Result<(), CliError> {
                Ok(self.checkpoint(folder)?)
            }
        }
    )+};
}

resumable!(ClassifierTrainer<'_>, DespoofingTrainer, GeneratorTrainer);

impl Running {
    /// Takes `trainer` to step `steps`, from its checkpoint on and with further ones. `step` takes one step and
    /// tells its figures.
    ///
    /// # Errors
    ///
    /// Those of `step` and of checkpoints; [`CliError::Stopped`] after an interrupt, with a last checkpoint if
    /// there is a folder for it.
    fn train<T: Resumable>(
        &self,
        mut trainer: T,
        steps: u32,
        mut step: impl FnMut(&mut T) -> Result<StepFigures, CliError>,
    ) -> Result<T, CliError> {
        let (steps, every) = (steps as usize, self.checkpoint_every as usize);
        if let Some(folder) = &self.checkpoint {
            trainer = trainer.resume(folder)?;
            if trainer.steps_taken() > 0 {
                eprintln!("going on from step {}", trainer.steps_taken());
            }
        }
        let interrupt = Interrupt::watch().map_err(CliError::Interrupts)?;
        let mut display = Display::new(self.dashboard, steps, trainer.steps_taken());
        while trainer.steps_taken() < steps {
            let figures = step(&mut trainer)?;
            let taken = trainer.steps_taken();
            display.show(taken, &figures);
            let stopped = interrupt.is_asked_for() && taken < steps;
            if let Some(folder) = &self.checkpoint
                && (taken.is_multiple_of(every) || taken == steps || stopped)
            {
                trainer.write_checkpoint(folder)?;
                display.kept(taken);
            }
            if stopped {
                return Err(CliError::Stopped {
                    step: taken,
                    steps,
                    checkpoint: self.checkpoint.clone(),
                });
            }
        }
        Ok(trainer)
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
