//! DiffFAS, figure 10: quality of generated attacks against that of the originals.
//!
//! ```text
//! cargo run --release --example difffas_figure_10
//! ```
//!
//! Expected: a histogram of BRISQUE (lower is better) of live captures, of simulated attacks and of
//! generated ones in the same 16 styles, and their means and quartiles, in half a minute on two cores.
//! With the wide bundled generator the means of simulated and generated attacks are 42.2 and 41.8 (64 pictures
//! each); a mean far from the attacks' would say that a detector can tell them by their quality alone.

use std::path::PathBuf;
use std::time::Instant;

use clap::Parser;
use fas_examples::{Bundled, BundledGenerator, DeviceChoice, cost, edit, edit_pairs, progress};
use fas_quality::Brisque;
use fas_report::{Cell, Grid, GridRow, HistogramPlot, Measure, Table, write_atomically};
use image::RgbImage;

#[derive(Debug, Parser)]
#[command(about = "BRISQUE of live, simulated and generated pictures")]
struct Arguments {
    /// People edited into every style.
    #[arg(long, default_value_t = 4)]
    people: usize,
    /// Start step.
    #[arg(long, default_value_t = 999)]
    start_step: usize,
    /// Guidance.
    #[arg(long, default_value_t = 1.5)]
    guidance: f64,
    /// Generator; a bundled one if not given.
    #[arg(long)]
    generator: Option<PathBuf>,
    /// Seed of the people and of noise.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder for the results.
    #[arg(long, default_value = "runs/difffas_figure_10")]
    out: PathBuf,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let started = Instant::now();
    if arguments.start_step <= 40 {
        return Err("--start-step lies above 40, where the sampler stops".to_owned());
    }
    let device = arguments.device.device()?;
    let generator =
        BundledGenerator::for_targets(arguments.generator.as_deref(), Bundled::Best, &[], &device)?
            .ok_or("there is no generator")?;
    let size = generator.generator.config().unet.image_size as u32;
    let pairs = edit_pairs(&generator, arguments.people, size, arguments.seed)?;
    let config = generator.sampler(arguments.start_step, arguments.guidance);
    let bar = progress("generating", pairs.len() as u64);
    let made = edit(&generator, &pairs, &config, arguments.seed, |made| {
        bar.inc(made)
    })?;
    bar.finish_and_clear();

    let lives: Vec<RgbImage> = pairs.iter().map(|pair| pair.live.clone()).collect();
    let simulated: Vec<RgbImage> = pairs.iter().map(|pair| pair.simulated.clone()).collect();
    let columns = [
        "pictures",
        "count",
        "mean",
        "lower quartile",
        "median",
        "upper quartile",
    ];
    let mut table = Table::new("BRISQUE, lower is better", columns);
    let mut plot = HistogramPlot::new("Quality of generated and original pictures", "BRISQUE");
    for (name, images) in [
        ("live", &lives),
        ("simulated attack", &simulated),
        ("generated", &made),
    ] {
        let mut scores: Vec<f64> = Brisque::new()
            .score_many(images)
            .into_iter()
            .filter_map(Result::ok)
            .collect();
        scores.sort_by(f64::total_cmp);
        if scores.is_empty() {
            return Err(format!("no {name} picture has a BRISQUE score"));
        }
        let mean = scores.iter().sum::<f64>() / scores.len() as f64;
        let quartile = |part: usize| scores[(scores.len() - 1) * part / 4];
        let figures = [mean, quartile(1), quartile(2), quartile(3)];
        let cells = figures.map(|value| Cell::from(Measure::plain(value).with_decimals(1)));
        let first = [Cell::from(name), Cell::from(scores.len().to_string())];
        table = table.with_row(first.into_iter().chain(cells));
        plot = plot.with_series(name, scores);
    }

    std::fs::create_dir_all(&arguments.out).map_err(|error| error.to_string())?;
    let figure = plot.figure().map_err(|error| error.to_string())?;
    let svg = arguments.out.join("brisque.svg");
    figure.write_svg(&svg).map_err(|error| error.to_string())?;
    let csv = arguments.out.join("brisque.csv");
    write_atomically(&csv, table.csv().as_bytes()).map_err(|error| error.to_string())?;
    let rows = pairs
        .iter()
        .zip(&made)
        .step_by(arguments.people.max(1) * 2)
        .map(|(pair, made)| {
            let pictures = [&pair.live, &pair.reference, &pair.simulated, made];
            GridRow::new(&pair.style, pictures.map(RgbImage::clone).to_vec())
        });
    Grid::new(rows.collect())
        .with_columns(["live", "style", "simulated", "generated"])
        .with_cell_size(2 * size)
        .write_png(arguments.out.join("pictures.png"))
        .map_err(|error| error.to_string())?;
    println!("{}\n{}\n{}", svg.display(), table.csv(), cost(started));
    Ok(())
}
