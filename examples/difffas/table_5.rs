//! DiffFAS, Table 5: losses.
//!
//! ```text
//! cargo run --release --example difffas_table_5
//! ```
//!
//! Expected: the paper's rows, and below them five losses with the same generated training data.
//! Measured: every AUC above 99, RQ with the highest HTER of the five within wide intervals (docs/results.md).
//! Five minutes on two cores.

use std::time::Instant;

use clap::Parser;
use fas_classify::loss::ObjectiveConfig;
use fas_examples::{Comparison, StudyArguments};
use fas_metrics::ThresholdPolicy;

#[derive(Debug, Parser)]
#[command(about = "DiffFAS, Table 5: losses")]
struct Arguments {
    #[command(flatten)]
    study: StudyArguments,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse().study;
    let started = Instant::now();
    let device = arguments.device.device().map_err(|e| e.to_string())?;
    let captures = arguments.captures()?;
    let mut table = Comparison::new("DiffFAS, Table 5: OCI->M in %", &["HTER", "AUC"])
        .paper("cross-entropy", &["7.71", "98.05"])
        .paper("focal", &["11.48", "94.28"])
        .paper("asymmetric softmax", &["6.81", "97.64"])
        .paper("single-side triplet", &["6.57", "97.90"])
        .paper("RQ", &["5.90", "98.10"]);
    let study = arguments.study(&captures, "OCI->M", true, &device)?;
    let generated = study.generated.is_some();
    let methods = [
        ObjectiveConfig::cross_entropy(),
        ObjectiveConfig::focal(),
        ObjectiveConfig::asymmetric_softmax(),
        ObjectiveConfig::single_side_triplet(),
        ObjectiveConfig::relative_quality(),
    ]
    .map(|objective| arguments.method(&objective.name(), objective, generated));
    for method in study.run(&methods, &arguments.seeds(), &device)? {
        let cells = Comparison::hter_and_auc(&method, 0, ThresholdPolicy::SourceEer)?;
        table.ours(&method.name, cells);
    }
    table.note(
        "Every row trains on the same captures and generated attacks. The triplet loss stands beside \
         cross-entropy over the style classes, as in SSDG.",
    );
    arguments.finish(table, started)
}
