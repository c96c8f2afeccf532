//! `cargo xtask`: the checks of this repository, together or one by one.
//!
//! `cargo xtask check` runs all of them, cheapest first, and stops at the first that fails.

mod error;
mod features;
mod layers;
mod readme;
mod steps;
mod workspace;

use std::process::ExitCode;

use clap::Parser;

use crate::error::XtaskError;
use crate::steps::Step;

/// Checks of this repository.
#[derive(Debug, Parser)]
#[command(name = "cargo xtask", version)]
enum Task {
    /// All checks, cheapest first: fmt, layers, deny, clippy, doc, features, test
    Check {
        /// Also build the features that need a GPU stack (wgpu, vulkan, cuda, CubeCL's cpu)
        #[arg(long)]
        gpu: bool,
    },
    /// Formatting
    Fmt,
    /// Which of our crates may import which (DESIGN.md, "Layers")
    Layers,
    /// Licences, sources and duplicates of dependencies; skipped without cargo-deny
    Deny,
    /// Lints of every target, warnings denied
    Clippy,
    /// Documentation, warnings denied
    Doc,
    /// Every crate alone: without features, then with each of its features
    Features {
        /// Also the features that need a GPU stack (wgpu, vulkan, cuda, CubeCL's cpu)
        #[arg(long)]
        gpu: bool,
    },
    /// The test command of README.md; set FAS_FIXTURES to compare with fixtures elsewhere too
    Test,
}

impl Task {
    fn steps(&self) -> Vec<Step> {
        match *self {
            Self::Check { gpu } => vec![
                Step::Fmt,
                Step::Layers,
                Step::Deny,
                Step::Clippy,
                Step::Doc,
                Step::Features { gpu },
                Step::Test,
            ],
            Self::Fmt => vec![Step::Fmt],
            Self::Layers => vec![Step::Layers],
            Self::Deny => vec![Step::Deny],
            Self::Clippy => vec![Step::Clippy],
            Self::Doc => vec![Step::Doc],
            Self::Features { gpu } => vec![Step::Features { gpu }],
            Self::Test => vec![Step::Test],
        }
    }
}

fn main() -> ExitCode {
    match run(&Task::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}

fn run(task: &Task) -> Result<(), XtaskError> {
    for step in task.steps() {
        println!("== {step}");
        step.run()?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::*;

    #[test]
    fn arguments_are_consistent() {
        Task::command().debug_assert();
    }

    #[test]
    fn check_runs_every_step_cheapest_first() {
        let task = Task::parse_from(["xtask", "check", "--gpu"]);
        let names: Vec<String> = task.steps().iter().map(ToString::to_string).collect();
        assert_eq!(
            names,
            ["fmt", "layers", "deny", "clippy", "doc", "features", "test"]
        );
        assert!(task.steps().contains(&Step::Features { gpu: true }));
    }

    #[test]
    fn every_step_can_be_called_alone() {
        for step in Task::parse_from(["xtask", "check"]).steps() {
            assert_eq!(
                Task::parse_from(["xtask", &step.to_string()]).steps(),
                [step]
            );
        }
    }
}
