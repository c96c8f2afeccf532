//! The program `fas`: face anti-spoofing from the command line.
//!
//! Each command is one file of `commands/`; this file only reads the arguments and sets the exit
//! code: 0 for success, 1 for a failure, 2 for arguments that make no sense, 130 for a training that
//! was interrupted.

mod commands;
mod dashboard;
mod error;
mod interrupt;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;

use crate::commands::Command;

/// Keeps the large buffers that networks ask for again and again, where the system's gives the pages back.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const EXAMPLES: &str = "\
Examples:
  fas quality photos/ --csv > quality.csv
  fas simulate faces/ --out benchmark/
  fas simulate --synthetic 40 --out benchmark/
  fas align photos/ --out crops/ --preset ag-fas --weights mtcnn.safetensors
  fas generate --manifest benchmark/manifest.csv --checkpoint generator.safetensors --out more/
  fas despoof faces/ --generator dfg.safetensors --out despoofed/
  fas evaluate test.csv --dev validation.csv
  fas evaluate test.csv --policy fixed=0.5 --json
  fas data check oulu_npu
  fas train classifier benchmark/manifest.csv --protocol 'OCI->M' --out detector.safetensors
  fas train generator benchmark/manifest.csv --protocol 'CI->M' --out generator.safetensors
  fas predict faces/ --model detector.safetensors --json

`fas COMMAND --help` has the details and more examples.";

/// Face anti-spoofing: simulate and generate attacks, score image quality, evaluate detectors.
#[derive(Debug, Parser)]
#[command(name = "fas", version, after_help = EXAMPLES)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

fn main() -> ExitCode {
    match Arguments::parse().command.run() {
        Ok(code) => code,
        // `fas quality photos/ | head` has read all it wants.
        Err(error) if error.is_broken_pipe() => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(error.exit_code())
        }
    }
}
