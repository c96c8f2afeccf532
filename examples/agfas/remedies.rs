//! AG-FAS: does another use of the generator's cue help?
//!
//! ```text
//! cargo run --release --example agfas_remedies
//! cargo run --release --example agfas_remedies -- --strategy ssdg
//! cargo run --release --example agfas_remedies -- --only unstandardised --targets sim-M
//! ```
//!
//! Expected: HTER and AUC of the image alone and of AG-Net with the De-spoofing Face Generator's cue in
//! five forms: as in Table 4, from step 700 instead of 300, unstandardised, less the first stage's own
//! residual, and both last together; and with the free controls' residuals unstandardised. Some 20 minutes a target on one
//! core; what came out is in docs/results.md.

use std::time::Instant;

use clap::Parser;
use fas_dfg::DespoofingStart;
use fas_examples::{AgfasArguments, CueDetector, CueSource, TableText, leave_one_out_table};
use fas_sim::BenchmarkConfig;

/// From where diffusion draws more of the face anew: the start with the highest energy AUC of the cue study.
const LATE_START: usize = 700;

/// Residuals have a deviation of 0.2 over all captures, with and without diffusion: about as large as
/// standardised ones.
const SCALE: f32 = 5.0;

/// Differences have one of 0.08.
const DIFFERENCE_SCALE: f32 = 13.0;

/// What a blur leaves over has one of 0.1.
const BLUR_SCALE: f32 = 10.0;

#[derive(Debug, Parser)]
#[command(about = "AG-FAS: other uses of the generator's cue")]
struct Arguments {
    #[command(flatten)]
    agfas: AgfasArguments,
}

fn main() -> Result<(), String> {
    let Arguments { agfas } = Arguments::parse();
    let started = Instant::now();
    let device = agfas.device.device().map_err(|error| error.to_string())?;
    let data = agfas.captures(BenchmarkConfig::ocim)?;
    let generator = agfas
        .despoofing_generator(&device)?
        .ok_or("no generator is bundled for the paper's size: name one with --generator")?;
    let [first_stage, plain] = agfas.cues_of_generator(&generator, agfas.despoofing(), &data)?;
    let late = DespoofingStart::NoisedInput {
        start_step: LATE_START,
    };
    let late = agfas.despoofing().with_start(late);
    let late = agfas.despoofed_cues("DFG, from step 700", &generator, late, &data)?;
    let scaled = plain.renamed("DFG, unstandardised").with_scale(Some(SCALE));
    let difference = plain.less("DFG, less the first stage's residual", &first_stage)?;
    let scaled_difference = difference
        .renamed("DFG, less the first stage's residual, unstandardised")
        .with_scale(Some(DIFFERENCE_SCALE));
    let blur = agfas
        .cues(CueSource::Blur, &data, &device)?
        .renamed("control: x - blur(x), unstandardised")
        .with_scale(Some(BLUR_SCALE));
    let first_stage = first_stage
        .renamed("control: first stage alone, unstandardised")
        .with_scale(Some(SCALE));
    let mut methods = vec![agfas.method("only image", CueDetector::Image(agfas.vit()), None)];
    for cues in [
        &plain,
        &late,
        &scaled,
        &difference,
        &scaled_difference,
        &blur,
        &first_stage,
    ] {
        let agnet = CueDetector::AgNet(agfas.agnet());
        methods.push(agfas.method(&cues.name, agnet, Some(cues)));
    }
    let notes = [format!(
        "Unstandardised cues are multiplied by {SCALE}, differences by {DIFFERENCE_SCALE}, those of a blur by {BLUR_SCALE}."
    )];
    let text = TableText {
        title: "AG-FAS: AG-Net by the use of the generator's cue, HTER / AUC in %",
        paper: &[],
        notes: &notes,
    };
    leave_one_out_table(&agfas, text, &data, &methods, started, &device)
}
