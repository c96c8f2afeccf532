//! DiffFAS, Table 6: margins of the two classes.
//!
//! ```text
//! cargo run --release --example difffas_table_6
//! ```
//!
//! Expected: the paper's rows, and below them the Relative Quality loss with other margins.
//! Measured: no difference beyond the intervals (docs/results.md).
//! Four minutes on two cores.

use std::time::Instant;

use clap::Parser;
use fas_classify::loss::{ClassifierLoss, RelativeQualityLossConfig};
use fas_examples::{Comparison, StudyArguments};
use fas_metrics::ThresholdPolicy;

/// Margins of the bona fide and the attack classes, `s_live` and `s_spoof` in the paper.
const MARGINS: [(f64, f64); 4] = [(0.4, 0.1), (0.4, 0.2), (0.4, 0.3), (0.4, 0.4)];

#[derive(Debug, Parser)]
#[command(about = "DiffFAS, Table 6: margins of the two classes")]
struct Arguments {
    #[command(flatten)]
    study: StudyArguments,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse().study;
    let started = Instant::now();
    let device = arguments.device.device().map_err(|e| e.to_string())?;
    let captures = arguments.captures()?;
    let mut table = Comparison::new("DiffFAS, Table 6: OCI->M in %", &["HTER", "AUC"])
        .paper("0.4 / 0.1", &["6.57", "98.31"])
        .paper("0.4 / 0.2", &["3.10", "99.63"])
        .paper("0.4 / 0.3", &["4.23", "99.09"])
        .paper("0.4 / 0.4", &["4.86", "98.51"]);
    let study = arguments.study(&captures, "OCI->M", true, &device)?;
    let generated = study.generated.is_some();
    let methods: Vec<_> = MARGINS
        .iter()
        .map(|&(bona_fide, attack)| {
            let loss = RelativeQualityLossConfig::new()
                .with_margin_bona_fide(bona_fide)
                .with_margin_attack(attack);
            let loss = ClassifierLoss::RelativeQuality(loss);
            arguments.method(&format!("{bona_fide} / {attack}"), loss, generated)
        })
        .collect();
    for method in study.run(&methods, &arguments.seeds(), &device)? {
        let cells = Comparison::hter_and_auc(&method, 0, ThresholdPolicy::SourceEer)?;
        table.ours(&method.name, cells);
    }
    table.note(
        "The paper's best row fits neither of its other tables' rows for this protocol (5.90 and 2.86 % \
         in Table 1).",
    );
    arguments.finish(table, started)
}
