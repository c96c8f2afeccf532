//! AG-FAS, Table 3: ways of using the cue.
//!
//! ```text
//! cargo run --release --example agfas_table_3
//! cargo run --release --example agfas_table_3 -- --targets sim-M --steps 100
//! ```
//!
//! Expected: the paper's rows, and below them HTER and AUC of a vision transformer on the face, on the
//! cue, of two side by side and of AG-Net, with two controls of AG-Net's size. The cue is that of the
//! bundled De-spoofing Face Generator, or of `--generator` or `--source`.
//! Some 20 minutes a target on one core; what came out is in docs/results.md.

use std::time::Instant;

use clap::Parser;
use fas_examples::{
    AgfasArguments, CueDetector, CueSourceChoice, PaperRow, TableText, leave_one_out_table,
};
use fas_sim::BenchmarkConfig;

const PAPER: [PaperRow; 4] = [
    (
        "only image",
        [
            ["6.91", "97.06"],
            ["8.00", "97.37"],
            ["7.71", "97.96"],
            ["16.11", "92.43"],
            ["9.68", "96.20"],
        ],
    ),
    (
        "only residual",
        [
            ["20.00", "85.23"],
            ["33.44", "70.82"],
            ["13.43", "93.96"],
            ["23.89", "84.67"],
            ["22.69", "83.67"],
        ],
    ),
    (
        "dual-branch",
        [
            ["7.14", "96.86"],
            ["7.22", "98.05"],
            ["9.29", "96.31"],
            ["13.32", "94.02"],
            ["9.24", "96.31"],
        ],
    ),
    (
        "AG-Net",
        [
            ["5.71", "97.76"],
            ["5.89", "98.14"],
            ["5.86", "98.36"],
            ["9.41", "96.36"],
            ["6.72", "97.65"],
        ],
    ),
];

#[derive(Debug, Parser)]
#[command(about = "AG-FAS, Table 3: ways of using the cue")]
struct Arguments {
    #[command(flatten)]
    agfas: AgfasArguments,
    /// Another source of the cue than the De-spoofing Face Generator.
    #[arg(long, value_enum)]
    source: Option<CueSourceChoice>,
}

fn main() -> Result<(), String> {
    let Arguments { agfas, source } = Arguments::parse();
    let started = Instant::now();
    let device = agfas.device.device().map_err(|error| error.to_string())?;
    let data = agfas.captures(BenchmarkConfig::ocim)?;
    let cues = agfas.chosen_cues(source, &data, &device)?;
    let cue = Some(&cues);
    let methods = [
        agfas.method("only image", CueDetector::Image(agfas.vit()), None),
        agfas.method("only residual", CueDetector::Cue(agfas.vit()), cue),
        agfas.method("dual-branch", CueDetector::Dual(agfas.dual_branch()), cue),
        agfas.method("AG-Net", CueDetector::AgNet(agfas.agnet()), cue),
        agfas.method(
            "control: only image, AG-Net's size",
            CueDetector::Image(agfas.vit_of_equal_size()),
            None,
        ),
        agfas.method(
            "control: AG-Net, the face as its cue",
            CueDetector::AgNet(agfas.agnet()),
            None,
        ),
    ];
    let notes = [format!("The cue is that of {}.", cues.name)];
    let text = TableText {
        title: "AG-FAS, Table 3: HTER / AUC in %",
        paper: &PAPER,
        notes: &notes,
    };
    leave_one_out_table(&agfas, text, &data, &methods, started, &device)
}
