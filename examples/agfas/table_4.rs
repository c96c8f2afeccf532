//! AG-FAS, Table 4: sources of the cue.
//!
//! ```text
//! cargo run --release --example agfas_table_4
//! cargo run --release --example agfas_table_4 -- --sources blur   # the controls and the generator alone
//! ```
//!
//! Expected: the paper's rows, and below them HTER and AUC of AG-Net with each cue, beside four controls:
//! no cue in a network of the same size, the face itself as the cue, `x - blur(x)`, and the generator's first stage
//! alone. Under the tables
//! stands how well each cue tells attacks apart without any network. Measured: the DFG's cue ranks best and has
//! no lower HTER than the image (docs/results.md). Two hours on one core, 40 minutes on two with `--sources
//! blur`.

use std::time::Instant;

use clap::{Parser, ValueEnum};
use fas_data::Split;
use fas_examples::{
    AgfasArguments, Captures, CueDetector, CueSource, CueSourceChoice, Cues, PaperRow, TableText,
    attack_auc, leave_one_out_table, presentation_name,
};
use fas_sim::{AttackKind, BenchmarkConfig};

const PAPER: [PaperRow; 5] = [
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
        "MemAE",
        [
            ["5.95", "97.99"],
            ["5.33", "98.43"],
            ["9.50", "96.44"],
            ["10.54", "96.25"],
            ["7.83", "97.28"],
        ],
    ),
    (
        "Deep SVDD",
        [
            ["5.95", "97.42"],
            ["6.67", "98.06"],
            ["8.36", "97.49"],
            ["12.95", "94.71"],
            ["8.48", "96.92"],
        ],
    ),
    (
        "AnoDDPM",
        [
            ["8.57", "96.88"],
            ["6.56", "98.22"],
            ["11.64", "95.81"],
            ["9.46", "96.60"],
            ["9.06", "96.88"],
        ],
    ),
    (
        "DFG (AG-FAS)",
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
#[command(about = "AG-FAS, Table 4: sources of the cue")]
struct Arguments {
    #[command(flatten)]
    agfas: AgfasArguments,
    /// Sources of a cue beside the De-spoofing Face Generator and its first stage.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        num_args = 1,
        default_values_t = CueSourceChoice::value_variants().to_vec()
    )]
    sources: Vec<CueSourceChoice>,
}

fn main() -> Result<(), String> {
    let Arguments {
        agfas,
        sources: choices,
    } = Arguments::parse();
    let started = Instant::now();
    let device = agfas.device.device().map_err(|error| error.to_string())?;
    let data = agfas.captures(BenchmarkConfig::ocim)?;
    let mut sources = Vec::new();
    for source in choices.into_iter().map(CueSource::from) {
        sources.push(agfas.cues(source, &data, &device)?);
        println!(
            "{}: {:.0} s",
            source.name(),
            started.elapsed().as_secs_f64()
        );
    }
    let generator = agfas.generator_cues(&data, &device)?;
    let despoofed = generator.is_some();
    sources.extend(generator.into_iter().flatten());
    let agnet = || CueDetector::AgNet(agfas.agnet());
    let mut methods = vec![
        agfas.method("only image", CueDetector::Image(agfas.vit()), None),
        agfas.method(
            "control: only image, AG-Net's size",
            CueDetector::Image(agfas.vit_of_equal_size()),
            None,
        ),
        agfas.method("control: the face as its cue", agnet(), None),
    ];
    for cues in &sources {
        let name = match cues.name.as_str() {
            name if name == CueSource::Blur.name() || name.starts_with("first stage") => {
                format!("control: {name}")
            }
            name => name.to_owned(),
        };
        methods.push(agfas.method(&name, agnet(), Some(cues)));
    }
    let mut notes = Vec::new();
    for cues in &sources {
        notes.push(energy(&data.0, cues)?);
    }
    if !despoofed {
        notes.push(
            "With --generator FILE the De-spoofing Face Generator's cue joins them.".to_owned(),
        );
    }
    let text = TableText {
        title: "AG-FAS, Table 4: AG-Net by the source of its cue, HTER / AUC in %",
        paper: &PAPER,
        notes: &notes,
    };
    leave_one_out_table(&agfas, text, &data, &methods, started, &device)
}

/// AUC of the mean absolute residual alone, larger for attacks, over the test splits of all domains.
fn energy(captures: &Captures, cues: &Cues) -> Result<String, String> {
    let mut energies: Vec<(&str, bool, f64)> = Vec::new();
    for sample in captures.manifest().samples() {
        if sample.split == Split::Test {
            let kind = presentation_name(sample);
            let attack = !sample.label.is_bona_fide();
            energies.push((kind, attack, cues.energy(&sample.id)?));
        }
    }
    let mut parts = Vec::new();
    for kind in AttackKind::ALL.map(AttackKind::name) {
        let judged = energies
            .iter()
            .filter(|(of, attack, _)| !attack || *of == kind);
        let (attack, values): (Vec<bool>, Vec<f64>) =
            judged.map(|(_, attack, energy)| (*attack, *energy)).unzip();
        let auc = attack_auc(&values, &attack)?;
        parts.push(format!("{kind} {:.1}", 100.0 * auc));
    }
    Ok(format!(
        "AUC in % of the mean absolute residual alone, {}: {}.",
        cues.name,
        parts.join(", ")
    ))
}
