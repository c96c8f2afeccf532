//! AG-FAS, Table 5: is it only the extra real faces?
//!
//! ```text
//! cargo run --release --example agfas_table_5
//! cargo run --release --example agfas_table_5 -- --targets sim-M --steps 100
//! ```
//!
//! Expected: the paper's rows, and below them HTER and AUC of plain detectors without and with the real
//! faces that the reconstructions were learned from among their bona fide training samples, and of AG-Net.
//! Some 15 minutes a target on one core; what came out is in docs/results.md.

use std::time::Instant;

use clap::Parser;
use fas_examples::{
    AgfasArguments, CueDetector, CueMethod, CueSourceChoice, PaperRow, TableText,
    leave_one_out_table,
};
use fas_sim::BenchmarkConfig;

const PAPER: [PaperRow; 4] = [
    (
        "SSDG-R + faces",
        [
            ["8.57", "96.27"],
            ["18.00", "89.58"],
            ["14.50", "94.43"],
            ["13.06", "94.53"],
            ["13.53", "93.71"],
        ],
    ),
    (
        "SSAN-R + faces",
        [
            ["9.76", "95.81"],
            ["22.67", "85.48"],
            ["22.14", "86.40"],
            ["15.14", "92.80"],
            ["17.43", "90.12"],
        ],
    ),
    (
        "SA-FAS + faces",
        [
            ["13.10", "92.37"],
            ["25.33", "83.51"],
            ["22.86", "78.45"],
            ["21.11", "86.17"],
            ["20.60", "85.13"],
        ],
    ),
    (
        "AG-FAS",
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
#[command(about = "AG-FAS, Table 5: is it only the extra real faces?")]
struct Arguments {
    #[command(flatten)]
    agfas: AgfasArguments,
    /// Another source of AG-Net's cue than the De-spoofing Face Generator.
    #[arg(long, value_enum)]
    source: Option<CueSourceChoice>,
}

fn main() -> Result<(), String> {
    let Arguments { agfas, source } = Arguments::parse();
    let started = Instant::now();
    let device = agfas.device.device().map_err(|error| error.to_string())?;
    let data = agfas.captures(BenchmarkConfig::ocim)?;
    let cues = agfas.chosen_cues(source, &data, &device)?;
    let mut methods = Vec::new();
    for (name, detector) in [
        ("ResNet", CueDetector::ResNet(agfas.resnet())),
        ("ViT", CueDetector::Image(agfas.vit())),
    ] {
        methods.push(agfas.method(name, detector.clone(), None));
        methods.push(CueMethod {
            extra_faces: true,
            ..agfas.method(&format!("{name} + faces"), detector, None)
        });
    }
    methods.push(agfas.method("AG-Net", CueDetector::AgNet(agfas.agnet()), Some(&cues)));
    let notes = [
        "With faces, a live training sample is one of them every other time.".to_owned(),
        format!("AG-Net's cue is that of {}.", cues.name),
    ];
    let text = TableText {
        title: "AG-FAS, Table 5: extra real faces, HTER / AUC in %",
        paper: &PAPER,
        notes: &notes,
    };
    leave_one_out_table(&agfas, text, &data, &methods, started, &device)
}
