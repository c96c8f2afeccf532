//! The report of the quickstart.

use std::path::PathBuf;
use std::time::Duration;

use fas_data::{Protocol, ProtocolSplits};
use fas_report::{
    Cell, DetPlot, Grid, GridRow, HistogramPlot, Measure, RateCurve, Report, ReportError, RocPlot,
    RunRecord, Section, Table,
};

use fas_examples::{BundledGenerator, Captures, HEAT_MAP_TOP, peak_memory};

use crate::despoofing::Despoofed;
use crate::detector::{MethodResult, spread};
use crate::generation::Generated;
use crate::settings::Settings;

/// All that goes into the report.
pub(crate) struct Content<'a> {
    pub(crate) settings: &'a Settings,
    pub(crate) protocol: &'a Protocol,
    pub(crate) captures: &'a Captures,
    pub(crate) splits: &'a ProtocolSplits,
    pub(crate) generated: Option<&'a Generated>,
    pub(crate) generator: Option<&'a BundledGenerator>,
    pub(crate) despoofed: Option<&'a Despoofed>,
    pub(crate) results: &'a [MethodResult],
    pub(crate) run_time: Duration,
}

/// Writes `report.html` and the pictures beside it; gives the path of the page.
pub(crate) fn write(content: &Content<'_>) -> Result<PathBuf, String> {
    let out = &content.settings.out;
    std::fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
    let path = out.join("report.html");
    build(content)
        .and_then(|report| report.write(&path))
        .map_err(|error| error.to_string())?;
    if let Some(generated) = content.generated {
        let picture = out.join("generated.png");
        grid(generated)
            .write_png(picture)
            .map_err(|error| error.to_string())?;
    }
    if let Some(despoofed) = content.despoofed {
        despoofed_grid(despoofed)
            .write_png(out.join("despoofed.png"))
            .map_err(|error| error.to_string())?;
    }
    Ok(path)
}

fn build(content: &Content<'_>) -> Result<Report, ReportError> {
    let faces = match &content.settings.faces {
        Some(folder) => format!("faces of {}", folder.display()),
        None => "synthetic identities of the bundled appearance model".to_owned(),
    };
    let mut report = Report::new("fas quickstart").with_summary(&format!(
        "Leave-one-domain-out on simulated attacks: trained on {}, tested on {}, with {faces}.",
        content
            .protocol
            .sources
            .iter()
            .map(ToString::to_string)
            .collect::<Vec<_>>()
            .join(", "),
        content.settings.target,
    ));
    report = report.with_section(results(content)?);
    if let (Some(generated), Some(generator)) = (content.generated, content.generator) {
        let section = Section::new("Generated attacks")
            .with_text(
                "Rows: a live face of a source domain, an attack whose style is taken, and what the \
                 generator makes of the two, at growing start step and guidance.",
            )
            .with_grid(grid(generated))
            .with_note(
                "What the generator has seen",
                &format!(
                    "{} was trained on simulated attacks of {} on real faces; it is used only where \
                     none of them is the target. Only styles of these domains are generated.",
                    generator.name,
                    generator.domains.join(" and ")
                ),
            )
            .with_facts(sorted(&generator.card));
        report = report.with_section(section);
    }
    if let Some(despoofed) = content.despoofed {
        report = report.with_section(despoofing(despoofed));
    }
    report = report.with_section(quality(content)?);
    Ok(report.with_run(run_record(content)))
}

fn results(content: &Content<'_>) -> Result<Section, ReportError> {
    let mut table = Table::new(
        "Target domain",
        ["training", "HTER", "APCER", "BPCER", "oracle EER", "AUC"],
    )
    .with_caption(&format!(
        "Mean over {} seeds ± standard deviation; in brackets the 95 % interval of the first seed \
         (bootstrap over people, 500 replicates). HTER, APCER (worst species) and BPCER at the threshold \
         of equal error on source development data; the oracle EER takes its threshold from the target \
         itself and is no deployable figure.",
        content.settings.runs
    ));
    for result in content.results {
        let (first, oracle) = (&result.evaluations[0], &result.oracles[0]);
        let measure = |(mean, spread): (f64, f64)| Measure::percent(mean).with_spread(spread);
        let mut hter = measure(spread(&result.evaluations, |e| e.hter));
        let mut eer = measure(spread(&result.oracles, |e| e.eer.rate));
        let mut auc = measure(spread(&result.evaluations, |e| e.auc));
        if let Some(intervals) = &first.bootstrap {
            hter = hter.with_interval(intervals.acer_pooled.lower, intervals.acer_pooled.upper);
            auc = auc.with_interval(intervals.auc.lower, intervals.auc.upper);
        }
        if let Some(intervals) = &oracle.bootstrap {
            eer = eer.with_interval(intervals.eer.lower, intervals.eer.upper);
        }
        table = table.with_row([
            Cell::from(result.name()),
            Cell::from(hter),
            Cell::from(measure(spread(&result.evaluations, |e| e.apcer))),
            Cell::from(measure(spread(&result.evaluations, |e| e.bpcer.value))),
            Cell::from(eer),
            Cell::from(auc),
        ]);
    }
    let mut roc = RocPlot::new("ROC on the target, first seed");
    let mut det = DetPlot::new("DET on the target, first seed");
    for result in content.results {
        let points = result.runs.runs[0].tests[0]
            .sweep()
            .roc()
            .iter()
            .map(|p| (p.fpr, 1.0 - p.tpr))
            .collect();
        let curve = RateCurve::new(result.name(), points)?;
        roc = roc.with_curve(curve.clone());
        det = det.with_curve(curve);
    }
    let mut figures = vec![roc.figure()?, det.figure()?];
    for result in content.results {
        let run = &result.runs.runs[0];
        let scores = |bona_fide: bool| -> Vec<f64> {
            let samples = run.tests[0].samples().iter();
            samples
                .filter(|s| (s.label == fas_metrics::Label::BonaFide) == bona_fide)
                .map(|s| s.score)
                .collect()
        };
        let plot = HistogramPlot::new(&format!("Scores: {}", result.name()), "score")
            .with_series("bona fide", scores(true))
            .with_series("attack", scores(false))
            .with_threshold("source EER", result.evaluations[0].threshold.value);
        figures.push(plot.figure()?);
    }
    Ok(Section::new("Results")
        .with_table(table)
        .with_figures(figures)
        .with_note(
            "Simulated data",
            "Attacks and cameras are simulated, the detectors are small and trained for seconds: these \
             figures compare ways of training under a known shift, and say nothing about OULU-NPU, \
             CASIA-FASD, Replay-Attack or MSU-MFSD.",
        )
        .with_facts(vec![
            ("training samples".to_owned(), content.splits.train.len().to_string()),
            ("generated samples".to_owned(), content.generated.map_or(0, |g| g.attacks.images.len()).to_string()),
            ("development samples".to_owned(), content.splits.development.len().to_string()),
            ("target samples".to_owned(), content.splits.test.len().to_string()),
        ]))
}

fn quality(content: &Content<'_>) -> Result<Section, ReportError> {
    let of = |bona_fide: bool| -> Vec<f64> {
        let samples = content.captures.manifest().samples().iter();
        samples
            .filter(|sample| sample.label.is_bona_fide() == bona_fide)
            .filter_map(|sample| sample.quality_score)
            .collect()
    };
    let mut plot = HistogramPlot::new("BRISQUE (lower is better)", "BRISQUE")
        .with_series("live", of(true))
        .with_series("simulated attack", of(false));
    if let Some(generated) = content.generated {
        let scores: Vec<f64> = generated
            .attacks
            .samples
            .iter()
            .filter_map(|s| s.quality_score)
            .collect();
        if !scores.is_empty() {
            plot = plot.with_series("generated attack", scores);
        }
    }
    Ok(Section::new("Image quality").with_figures([plot.figure()?]))
}

fn despoofing(despoofed: &Despoofed) -> Section {
    Section::new("De-spoofed faces")
        .with_text(&format!(
            "One person of the target, live and attacked: the capture, what the generator's first stage \
             alone makes of it, the de-spoofed face, and the cue that AG-Net attends to, the absolute \
             difference of capture and de-spoofed face (0 to {HEAT_MAP_TOP} of the range -1 to 1)."
        ))
        .with_grid(despoofed_grid(despoofed))
        .with_note(
            "What the generator has seen",
            "Bona fide faces only, real ones, as everyday cameras see them: no attack, and nothing of a \
             simulated domain. The row ViT of the results is AG-Net without the cue.",
        )
        .with_facts(sorted(&despoofed.card))
}

fn despoofed_grid(despoofed: &Despoofed) -> Grid {
    let rows = despoofed.shown.iter();
    Grid::new(
        rows.map(|(label, images)| GridRow::new(label, images.clone()))
            .collect(),
    )
    .with_columns(["input", "first stage", "de-spoofed", "cue"])
}

fn grid(generated: &Generated) -> Grid {
    let rows = generated
        .shown
        .iter()
        .map(|(label, images)| GridRow::new(label, images.clone()))
        .collect();
    Grid::new(rows).with_columns(generated.columns.clone())
}

fn sorted(card: &std::collections::HashMap<String, String>) -> Vec<(String, String)> {
    let mut facts: Vec<(String, String)> = card
        .iter()
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect();
    facts.sort();
    facts
}

fn run_record(content: &Content<'_>) -> RunRecord {
    let settings = content.settings;
    let command: Vec<String> = std::env::args().skip(1).collect();
    let mut run = RunRecord::new(&format!(
        "cargo run --release --example quickstart -- {}",
        command.join(" ")
    ))
    .with_seeds(
        &(0..settings.runs)
            .map(|run| settings.seed + run)
            .collect::<Vec<_>>(),
    )
    .with_run_time(content.run_time)
    .with_fact("device", &format!("{:?}", settings.device))
    .with_configuration("settings.txt", &format!("{settings:#?}"));
    if let Some(bytes) = peak_memory() {
        run = run.with_peak_memory(bytes);
    }
    run
}
