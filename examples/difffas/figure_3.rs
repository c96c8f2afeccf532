//! DiffFAS, Fig. 3: pictures ordered by BRISQUE, and the margin function of the Relative Quality loss.
//!
//! ```text
//! cargo run --release --example difffas_figure_3
//! ```
//!
//! Expected: `runs/figure_3/report.html` with captures of growing BRISQUE for each label, and the target
//! cosine `g(theta)` (equation 17) for pictures of high, mean and low relative quality, in half a minute.

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use fas_classify::loss::RelativeQualityLossConfig;
use fas_examples::{Comparison, Entry, StudyArguments};
use fas_report::{Grid, GridRow, LineChart, LineSeries};

/// Relative quality of the drawn curves: its bounds and the mean (equation 15).
const RELATIVE_QUALITY: [f64; 3] = [0.5, 0.0, -0.5];
/// Pictures of a row.
const SHOWN: usize = 8;

#[derive(Debug, Parser)]
#[command(about = "DiffFAS, Fig. 3: quality and margin")]
struct Arguments {
    #[command(flatten)]
    study: StudyArguments,
}

fn main() -> Result<(), String> {
    let mut arguments = Arguments::parse().study;
    let started = Instant::now();
    let out = arguments
        .out
        .get_or_insert_with(|| PathBuf::from("runs/figure_3"));
    let out = out.clone();
    let captures = arguments.captures()?;
    let mut page = Comparison::new("DiffFAS, Fig. 3: quality and margin", &["BRISQUE"]);
    let mut rows = Vec::new();
    for (name, bona_fide) in [("bona fide", true), ("attack", false)] {
        let mut scored: Vec<(f64, usize)> = captures
            .manifest()
            .samples()
            .iter()
            .enumerate()
            .filter(|(_, sample)| sample.label.is_bona_fide() == bona_fide)
            .filter_map(|(at, sample)| Some((sample.quality_score?, at)))
            .collect();
        scored.sort_by(|a, b| a.0.total_cmp(&b.0));
        if scored.is_empty() {
            return Err(format!("no {name} capture has a BRISQUE score"));
        }
        let shown: Vec<(f64, usize)> = (0..SHOWN)
            .map(|place| scored[place * (scored.len() - 1) / (SHOWN - 1)])
            .collect();
        let images = shown.iter().map(|(_, at)| captures.image(*at).clone());
        let captions = shown.iter().map(|(score, _)| format!("{score:.1}"));
        rows.push(GridRow::new(name, images.collect()).with_captions(captions.collect()));
        let quartiles = [0, 1, 2, 3, 4].map(|quarter| scored[quarter * (scored.len() - 1) / 4].0);
        let text = quartiles.map(|score| format!("{score:.1}")).join(" / ");
        page.ours(
            &format!("{name}: minimum / quartiles / maximum"),
            [Entry::Text(text)],
        );
    }
    let grid = Grid::new(rows).with_title("From the best to the worst BRISQUE, evenly by rank");
    page.grid("quality", grid);
    let loss = RelativeQualityLossConfig::new().init();
    for (name, bona_fide) in [
        ("bona fide classes, s = 0.4", true),
        ("attack classes, s = 0.2", false),
    ] {
        let mut chart = LineChart::new(
            &format!("Margin function: {name}"),
            "angle to the class weight in degrees",
            "g(theta)",
        );
        for relative in RELATIVE_QUALITY {
            let (angles, offsets) = loss.margins(&[bona_fide], &[relative]);
            let curve = (0..=90).map(|degrees| {
                let theta = f64::from(degrees).to_radians();
                (f64::from(degrees), (theta + angles[0]).cos() - offsets[0])
            });
            chart = chart.with_series(LineSeries::new(
                &format!("relative quality {relative}"),
                curve.step_by(5).collect(),
            ));
        }
        page.figure(chart.figure().map_err(|error| error.to_string())?);
    }
    page.note(
        "The better a picture is for its batch, the more its cosine must exceed the others' near its \
         class, and the less far away from it.",
    );
    let configuration = format!("{arguments:#?}");
    page.finish(Some(&out), &[arguments.seed], &configuration, started)
}
