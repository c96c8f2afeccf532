//! DiffFAS, Table 10: how often the domain of the best pictures is drawn.
//!
//! ```text
//! cargo run --release --example difffas_table_10
//! ```
//!
//! Expected: the paper's rows, and below them six ways of drawing: four rates of sim-O, at random, and by quality.
//! Measured: no difference beyond the intervals (docs/results.md).
//! Eleven minutes on one core.

use std::time::Instant;

use clap::Parser;
use fas_classify::training::{SamplingBalance, SamplingConfig};
use fas_examples::{Comparison, Method, StudyArguments, cross_entropy};
use fas_metrics::ThresholdPolicy;

/// How often the first domain is drawn, as a multiple of the others.
const RATES: [f64; 3] = [2.0, 3.0, 4.0];

#[derive(Debug, Parser)]
#[command(about = "DiffFAS, Table 10: how often the domain of the best pictures is drawn")]
struct Arguments {
    #[command(flatten)]
    study: StudyArguments,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse().study;
    let started = Instant::now();
    let device = arguments.device.device().map_err(|e| e.to_string())?;
    let captures = arguments.captures()?;
    let domains = captures.manifest().domains();
    let best = domains
        .iter()
        .find(|domain| *domain == "O" || domain.ends_with("-O"))
        .ok_or("no domain O")?;
    let mut table = Comparison::new("DiffFAS, Table 10: OCI->M in %", &["HTER", "AUC"])
        .paper("average", &["10.67", "95.11"])
        .paper("2x OULU", &["8.76", "96.25"])
        .paper("3x OULU", &["8.29", "96.77"])
        .paper("4x OULU", &["12.86", "93.84"])
        .paper("random", &["9.67", "95.96"]);
    let study = arguments.study(&captures, "OCI->M", false, &device)?;
    let method = |name: &str, sampling: SamplingConfig| {
        let plain = arguments.method(name, cross_entropy(), false);
        Method {
            training: plain.training.with_sampling(sampling),
            ..plain
        }
    };
    let balanced = |balance| SamplingConfig::new().with_balance(balance);
    let mut methods = vec![method("average", balanced(SamplingBalance::Domain))];
    methods.extend(RATES.map(|rate| {
        let sampling = SamplingConfig::new().with_oversampled(best, rate);
        method(&format!("{rate}x {best}"), sampling)
    }));
    methods.push(method("random", balanced(SamplingBalance::Natural)));
    methods.push(method(
        "by quality (ours)",
        SamplingConfig::new().with_quality_strength(0.5),
    ));
    for method in study.run(&methods, &arguments.seeds(), &device)? {
        let cells = Comparison::hter_and_auc(&method, 0, ThresholdPolicy::SourceEer)?;
        table.ours(&method.name, cells);
    }
    table.note(
        "sim-O has the best camera, as OULU-NPU has among its like. The simulated domains are of equal \
         size, so \"average\" and \"random\" draw the same batches. The last row draws good \
         pictures of every domain more often, by their BRISQUE.",
    );
    arguments.finish(table, started)
}
