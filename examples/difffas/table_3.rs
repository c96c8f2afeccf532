//! DiffFAS, Table 3: limited sources.
//!
//! ```text
//! cargo run --release --example difffas_table_3
//! ```
//!
//! Expected: the paper's rows, and below them HTER and AUC of cross-entropy and of DiffFAS trained on two simulated domains.
//! Measured: no difference beyond the intervals (docs/results.md). 22 minutes on one core.

use std::time::Instant;

use clap::Parser;
use fas_examples::{Comparison, LIMITED_SOURCES, Method, StudyArguments, limited_sources};

#[derive(Debug, Parser)]
#[command(about = "DiffFAS, Table 3: limited sources")]
struct Arguments {
    #[command(flatten)]
    study: StudyArguments,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse().study;
    let started = Instant::now();
    let [neither, _, _, both] = arguments.ablation();
    let methods = [
        Method {
            name: "ResNet-18, cross-entropy".to_owned(),
            ..neither
        },
        Method {
            name: "DiffFAS-R".to_owned(),
            ..both.clone()
        },
        Method {
            name: "DiffFAS-V".to_owned(),
            backbone: arguments.mobile_vit().into(),
            ..both
        },
    ];
    let table = Comparison::new("DiffFAS, Table 3: HTER / AUC in %", &LIMITED_SOURCES)
        .paper("SSDG-R", &["19.86", "86.46", "27.92", "78.72"])
        .paper("SSAN-R", &["25.56", "83.89", "24.44", "82.56"])
        .paper("DiVT-M", &["20.11", "86.71", "23.61", "85.73"])
        .paper("DiffFAS-V", &["15.06", "92.83", "16.19", "92.62"]);
    limited_sources(&arguments, table, &methods, started)
}
