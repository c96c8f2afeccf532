//! DiffFAS, figures 6 and 7: what guidance and the start step do to an attack.
//!
//! ```text
//! cargo run --release --example difffas_figure_6_7
//! ```
//!
//! Expected: a grid of pictures for one person a start step and guidance scale, and tables of the change
//! from the live face and of the share of pictures that the generator's own style encoder takes for the
//! requested style, over all 16 styles. Both grow with guidance, and mostly with the start step: from 8 levels of
//! 255 and 12 % (start 100, no guidance) to 38 levels and 100 % (start 999, no guidance). 87 s on two cores. Figure 6 of the paper is the row of one start step, figure 7 the column of one guidance scale; the
//! bundled generator has 64 px and about three hours of training on a CPU, and needs larger start steps.

use std::path::PathBuf;
use std::time::Instant;

use burn::tensor::Tensor;
use clap::Parser;
use fas_examples::{
    Bundled, BundledGenerator, DeviceChoice, EditPair, cost, edit, edit_pairs, images_to_tensor,
    pixel_distance, progress,
};
use fas_report::{Cell, Grid, GridRow, Measure, Table, write_atomically};
use image::RgbImage;

/// Pairs in one call of the style encoder.
const BATCH: usize = 16;

#[derive(Debug, Parser)]
#[command(about = "Attacks over start step and guidance")]
struct Arguments {
    /// Start steps, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "100,400,700,999")]
    start_steps: Vec<usize>,
    /// Guidance scales, separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1,1.2,2,3")]
    guidance: Vec<f64>,
    /// People edited into every style.
    #[arg(long, default_value_t = 1)]
    people: usize,
    /// Style that the grid shows.
    #[arg(long, default_value = "sim-C/replay_lcd")]
    shown: String,
    /// Generator; a bundled one if not given.
    #[arg(long)]
    generator: Option<PathBuf>,
    /// Seed of the people and of noise.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Folder for the results.
    #[arg(long, default_value = "runs/difffas_figure_6_7")]
    out: PathBuf,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let started = Instant::now();
    if arguments.start_steps.iter().any(|&start| start <= 40) {
        return Err("--start-steps lie above 40, where the sampler stops".to_owned());
    }
    let device = arguments.device.device()?;
    let generator =
        BundledGenerator::for_targets(arguments.generator.as_deref(), Bundled::Best, &[], &device)?
            .ok_or("there is no generator")?;
    let size = generator.generator.config().unet.image_size as u32;
    let pairs = edit_pairs(&generator, arguments.people, size, arguments.seed)?;
    let shown = pairs
        .iter()
        .position(|pair| pair.style == arguments.shown)
        .ok_or_else(|| {
            let styles: Vec<&str> = pairs.iter().map(|pair| pair.style.as_str()).collect();
            format!("--shown: the generator knows {}", styles.join(", "))
        })?;

    let columns = || {
        let scales = arguments.guidance.iter();
        std::iter::once("start step".to_owned()).chain(scales.map(|g| format!("guidance {g}")))
    };
    let mut change = Table::new("Change from the live face, levels of 255", columns());
    let mut found = Table::new("Share taken for the requested style", columns());
    let count = arguments.start_steps.len() * arguments.guidance.len();
    let bar = progress("generating", (count * pairs.len()) as u64);
    let mut rows = Vec::new();
    for &start in &arguments.start_steps {
        let mut pictures = vec![pairs[shown].live.clone(), pairs[shown].reference.clone()];
        let mut changes = vec![Cell::from(start.to_string())];
        let mut shares = changes.clone();
        for &guidance in &arguments.guidance {
            let config = generator.sampler(start, guidance);
            let made = edit(&generator, &pairs, &config, arguments.seed, |made| {
                bar.inc(made)
            })?;
            let lives = pairs.iter().map(|pair| &pair.live);
            let distance: f64 = made
                .iter()
                .zip(lives)
                .map(|(a, b)| pixel_distance(a, b))
                .sum();
            changes.push(
                Measure::plain(distance / pairs.len() as f64)
                    .with_decimals(1)
                    .into(),
            );
            shares.push(Measure::percent(style_found(&generator, &pairs, &made)?).into());
            pictures.push(made[shown].clone());
        }
        rows.push(GridRow::new(&format!("start {start}"), pictures));
        change = change.with_row(changes);
        found = found.with_row(shares);
    }
    bar.finish_and_clear();

    std::fs::create_dir_all(&arguments.out).map_err(|error| error.to_string())?;
    let names = ["live", "style"].map(str::to_owned).into_iter();
    Grid::new(rows)
        .with_title(&format!("{}, by start step and guidance", arguments.shown))
        .with_columns(names.chain(columns().skip(1)))
        .with_cell_size(2 * size)
        .write_png(arguments.out.join("grid.png"))
        .map_err(|error| error.to_string())?;
    for (name, table) in [("change.csv", &change), ("style.csv", &found)] {
        let path = arguments.out.join(name);
        write_atomically(&path, table.csv().as_bytes()).map_err(|error| error.to_string())?;
        println!("{}\n{}", path.display(), table.csv());
    }
    println!(
        "{}\n{}",
        arguments.out.join("grid.png").display(),
        cost(started)
    );
    Ok(())
}

/// Share of pictures that the generator's own style encoder takes for the requested style. It was trained
/// with the generator, so it is no independent judge: `evaluate_generator` trains one.
fn style_found(
    generator: &BundledGenerator,
    pairs: &[EditPair],
    made: &[RgbImage],
) -> Result<f64, String> {
    let styles = generator
        .card
        .get("styles")
        .ok_or("the card names no styles")?;
    let styles: Vec<&str> = styles.split(',').collect();
    let encoder = &generator.generator.networks().style_encoder;
    let mut right = 0;
    for (pairs, made) in pairs.chunks(BATCH).zip(made.chunks(BATCH)) {
        let logits: Tensor<2> =
            encoder.forward(images_to_tensor(made, generator.generator.device()));
        let classes = logits.argmax(1).into_data();
        for (pair, class) in pairs.iter().zip(classes.iter::<i64>()) {
            right += usize::from(styles.get(class as usize) == Some(&pair.style.as_str()));
        }
    }
    Ok(right as f64 / made.len() as f64)
}
