//! DiffFAS, Table 7: components.
//!
//! ```text
//! cargo run --release --example difffas_table_7
//! ```
//!
//! Expected: the paper's rows, and below them the four ways of training on two simulated source domains.
//! Not run in full yet: docs/results.md has no row of it.

use std::time::Instant;

use clap::Parser;
use fas_examples::{Comparison, StudyArguments};
use fas_metrics::ThresholdPolicy;

/// Protocols, in the paper's order.
const PROTOCOLS: [&str; 2] = ["MI->C", "MI->O"];
/// HTER and AUC of each.
const COLUMNS: [&str; 4] = ["MI->C HTER", "AUC", "MI->O HTER", "AUC"];

#[derive(Debug, Parser)]
#[command(about = "DiffFAS, Table 7: components")]
struct Arguments {
    #[command(flatten)]
    study: StudyArguments,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse().study;
    let started = Instant::now();
    let device = arguments.device.device().map_err(|e| e.to_string())?;
    let captures = arguments.captures()?;
    let methods = arguments.ablation();
    let mut table = Comparison::new("DiffFAS, Table 7: HTER / AUC in %", &COLUMNS)
        .paper("MobileViT", &["24.57", "83.70", "24.16", "85.37"])
        .paper("w/o loss", &["16.91", "91.82", "18.02", "89.98"])
        .paper("w/o generation", &["15.50", "92.53", "16.99", "91.19"])
        .paper("DiffFAS-V", &["15.06", "92.83", "16.19", "92.62"]);
    table.rows_over_studies(
        PROTOCOLS
            .into_iter()
            .map(|protocol| arguments.study(&captures, protocol, true, &device)),
        &methods,
        ThresholdPolicy::SourceEer,
        &arguments.seeds(),
        &device,
    )?;
    table.note(
        "Threshold of equal error on source development data. The generated attacks come from a \
         generator that has not seen the target; the bundled ones have seen one domain that is no \
         source here, whose styles are not used. With the option --generator one can name a \
         generator of the sources alone.",
    );
    let configuration = format!("{arguments:#?}");
    table.finish(
        arguments.out.as_deref(),
        &arguments.seeds(),
        &configuration,
        started,
    )
}
