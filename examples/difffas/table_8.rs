//! DiffFAS, Table 8: generated training data.
//!
//! ```text
//! cargo run --release --example difffas_table_8
//! ```
//!
//! Expected: the paper's rows, and below them a detector without and with generated attacks, and a control.
//! Measured: generated attacks and the control move the error alike (docs/results.md).
//! Four minutes on two cores.

use std::time::Instant;

use clap::Parser;
use fas_examples::{Comparison, LabelledImages, StudyArguments, cross_entropy};
use fas_metrics::ThresholdPolicy;

#[derive(Debug, Parser)]
#[command(about = "DiffFAS, Table 8: generated training data")]
struct Arguments {
    #[command(flatten)]
    study: StudyArguments,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse().study;
    let started = Instant::now();
    let device = arguments.device.device().map_err(|e| e.to_string())?;
    let captures = arguments.captures()?;
    let mut table = Comparison::new("DiffFAS, Table 8: OCI->M in %", &["HTER", "AUC"])
        .paper("ResNet-18", &["9.67", "95.96"])
        .paper("+ DSDG", &["8.57", "96.55"])
        .paper("+ DiffFAS", &["7.71", "98.05"]);
    let mut study = arguments.study(&captures, "OCI->M", true, &device)?;
    let Some(generated) = study.generated.take() else {
        return Err(
            "no generator that has not seen the target; name one with --generator".to_owned(),
        );
    };
    // As many attacks as are generated, of the same styles and people as far as they exist: what the
    // same number of additional samples is worth without a generator.
    let repeated = LabelledImages {
        samples: generated
            .samples
            .iter()
            .map(|sample| {
                repetition(&study.train, sample).map(|at| study.train.samples[at].clone())
            })
            .collect::<Result<_, _>>()?,
        images: generated
            .samples
            .iter()
            .map(|sample| repetition(&study.train, sample).map(|at| study.train.images[at].clone()))
            .collect::<Result<_, _>>()?,
    };
    let rows = [
        ("ResNet-18", None),
        ("+ repeated source attacks (control)", Some(repeated)),
        ("+ DiffFAS", Some(generated)),
    ];
    for (name, added) in rows {
        study.generated = added;
        let method = arguments.method(name, cross_entropy(), study.generated.is_some());
        let results = study.run(&[method], &arguments.seeds(), &device)?;
        let cells = Comparison::hter_and_auc(&results[0], 0, ThresholdPolicy::SourceEer)?;
        table.ours(name, cells);
    }
    table.note(
        "DSDG is not part of this library, so its row is the paper's alone. The control repeats source \
         attacks of the styles that are generated, as often as they are generated: its data are not new, \
         its class balance is the same.",
    );
    arguments.finish(table, started)
}

/// Position of a training attack of the style of `sample`; repetitions take them in turn by number.
fn repetition(train: &LabelledImages, sample: &fas_data::Sample) -> Result<usize, String> {
    let of_style: Vec<usize> = (0..train.samples.len())
        .filter(|&at| train.samples[at].style == sample.style)
        .collect();
    let number: usize = sample
        .id
        .rsplit('/')
        .next()
        .and_then(|number| number.parse().ok())
        .unwrap_or(0);
    of_style
        .get(number % of_style.len().max(1))
        .copied()
        .ok_or_else(|| format!("no training attack of style {}", sample.style))
}
