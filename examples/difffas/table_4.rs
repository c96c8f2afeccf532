//! DiffFAS, Table 4: from one data set to another, threshold 0.5.
//!
//! ```text
//! cargo run --release --example difffas_table_4
//! ```
//!
//! Expected: the paper's rows, and below them HTER at 0.5 and AUC between two simulated domains.
//! Measured: no difference beyond the intervals in HTER (docs/results.md). 25 minutes on one busy core.

use std::time::Instant;

use clap::Parser;
use fas_examples::{Comparison, StudyArguments};
use fas_metrics::ThresholdPolicy;

/// Threshold of the paper's cross-data-set tables.
const THRESHOLD: f64 = 0.5;

#[derive(Debug, Parser)]
#[command(about = "DiffFAS, Table 4: from one data set to another, threshold 0.5")]
struct Arguments {
    #[command(flatten)]
    study: StudyArguments,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse().study;
    let started = Instant::now();
    let device = arguments.device.device().map_err(|e| e.to_string())?;
    let captures = arguments.captures()?;
    let mut table = Comparison::new(
        "DiffFAS, Table 4: HTER at 0.5 / AUC in %",
        &["WMCA->PADISI HTER", "AUC", "PADISI->WMCA HTER", "AUC"],
    )
    .paper("MCDeepPixBiS", &["12.83", "95.43", "17.18", "90.96"])
    .paper("EPCR", &["10.06", "97.30", "16.26", "92.49"])
    .paper("w/o generation", &["8.67", "97.06", "15.15", "92.56"])
    .paper("w/o loss", &["8.13", "97.59", "14.96", "93.19"])
    .paper("DiffFAS-V", &["7.09", "97.92", "12.67", "94.04"]);
    let studies = ["C->M", "M->C"]
        .into_iter()
        .map(|protocol| arguments.study(&captures, protocol, true, &device));
    table.rows_over_studies(
        studies,
        &arguments.ablation(),
        ThresholdPolicy::Fixed(THRESHOLD),
        &arguments.seeds(),
        &device,
    )?;
    table.note(
        "Our columns are sim-C to sim-M and sim-M to sim-C: each domain has all kinds of attacks, as \
         WMCA and PADISI have many. Generated attacks show source faces in turn in the attack styles of \
         the source (cross-attack).",
    );
    arguments.finish(table, started)
}
