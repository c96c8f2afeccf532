//! DiffFAS, Table 7: components.
//!
//! ```text
//! cargo run --release --example difffas_table_7
//! ```
//!
//! Expected: the paper's rows, and below them the four ways of training on two simulated source domains.
//! Measured: no difference beyond the intervals (docs/results.md).
//! Eight minutes on two cores.

use std::time::Instant;

use clap::Parser;
use fas_examples::{Comparison, LIMITED_SOURCES, StudyArguments, limited_sources};

#[derive(Debug, Parser)]
#[command(about = "DiffFAS, Table 7: components")]
struct Arguments {
    #[command(flatten)]
    study: StudyArguments,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse().study;
    let started = Instant::now();
    let methods = arguments.ablation();
    let table = Comparison::new("DiffFAS, Table 7: HTER / AUC in %", &LIMITED_SOURCES)
        .paper("MobileViT", &["24.57", "83.70", "24.16", "85.37"])
        .paper("w/o loss", &["16.91", "91.82", "18.02", "89.98"])
        .paper("w/o generation", &["15.50", "92.53", "16.99", "91.19"])
        .paper("DiffFAS-V", &["15.06", "92.83", "16.19", "92.62"]);
    limited_sources(&arguments, table, &methods, started)
}
