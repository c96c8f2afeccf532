//! DiffFAS, Fig. 11: the Relative Quality loss on top of other methods.
//!
//! ```text
//! cargo run --release --example difffas_figure_11
//! ```
//!
//! Expected: SSDG and PatchNet without and with the Relative Quality loss.
//! Measured: RQ raises the mean HTER of all three, within the intervals (docs/results.md).
//! Eight minutes on two cores.

use std::time::Instant;

use clap::Parser;
use fas_classify::loss::ObjectiveConfig;
use fas_examples::{Comparison, StudyArguments};
use fas_metrics::ThresholdPolicy;

#[derive(Debug, Parser)]
#[command(about = "DiffFAS, Fig. 11: the Relative Quality loss on top of other methods")]
struct Arguments {
    #[command(flatten)]
    study: StudyArguments,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse().study;
    let started = Instant::now();
    let device = arguments.device.device().map_err(|e| e.to_string())?;
    let captures = arguments.captures()?;
    let mut table = Comparison::new("DiffFAS, Fig. 11: OCI->M in %", &["HTER", "AUC"]);
    let study = arguments.study(&captures, "OCI->M", false, &device)?;
    let pairs = [
        ObjectiveConfig::cross_entropy(),
        ObjectiveConfig::ssdg(),
        ObjectiveConfig::patchnet(),
    ];
    let methods: Vec<_> = pairs
        .into_iter()
        .flat_map(|plain| [plain.clone(), plain.on_relative_quality()])
        .map(|objective| arguments.method(&objective.name(), objective, false))
        .collect();
    for method in study.run(&methods, &arguments.seeds(), &device)? {
        let cells = Comparison::hter_and_auc(&method, 0, ThresholdPolicy::SourceEer)?;
        table.ours(&method.name, cells);
    }
    table.note(
        "The paper shows bars without numbers: RQ lowers the HTER of SSDG and of PatchNet. Here RQ takes \
         the place of the classification loss of each and its other terms stay; no generated attacks.",
    );
    arguments.finish(table, started)
}
