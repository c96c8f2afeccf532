//! Attacks generated from source live faces in the styles of source domains.

use fas_data::Sample;
use fas_examples::{BundledGenerator, Captures, LabelledImages, Pair, progress};
use image::RgbImage;

use crate::settings::Settings;

/// Start step and guidance of the attacks that are trained on.
const TRAINING_START: usize = 999;
const TRAINING_GUIDANCE: f64 = 1.0;
/// Styles that are shown.
const SHOWN_STYLES: usize = 8;
/// Settings that are shown side by side.
const SHOWN: [(usize, f64); 5] = [(400, 1.0), (700, 1.0), (999, 1.0), (999, 2.0), (999, 3.0)];

/// What the generator made.
pub(crate) struct Generated {
    /// Attacks to train on.
    pub(crate) attacks: LabelledImages,
    /// One row a shown pair: live, style, and one picture a setting.
    pub(crate) shown: Vec<(String, Vec<RgbImage>)>,
    /// Titles of the columns of `shown`.
    pub(crate) columns: Vec<String>,
}

/// Generates the training attacks and the pictures that are shown.
pub(crate) fn generate(
    bundled: &BundledGenerator,
    captures: &Captures,
    train: &[Sample],
    settings: &Settings,
) -> Result<Generated, String> {
    let attacks = bundled.training_attacks(
        captures,
        train,
        settings.generated,
        settings.seed,
        &bundled.sampler(TRAINING_START, TRAINING_GUIDANCE),
    )?;
    let mut pairs: Vec<Pair> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for pair in bundled.pairs(captures, train, settings.generated)? {
        let style = captures.sample(pair.style).style.as_str();
        if !seen.contains(&style) && pairs.len() < SHOWN_STYLES {
            seen.push(style);
            pairs.push(pair);
        }
    }
    let bar = progress(
        "generating what is shown",
        (pairs.len() * SHOWN.len()) as u64,
    );
    let mut columns = vec!["live".to_owned(), "style".to_owned()];
    let mut shown: Vec<(String, Vec<RgbImage>)> = pairs
        .iter()
        .map(|pair| {
            let images = [pair.content, pair.style].map(|at| captures.image(at).clone());
            (captures.sample(pair.style).style.clone(), images.to_vec())
        })
        .collect();
    for (start, scale) in SHOWN {
        columns.push(format!("start {start}, guidance {scale}"));
        let sampler = bundled.sampler(start, scale);
        let images = bundled.pictures(captures, &pairs, settings.seed, &sampler, |made| {
            bar.inc(made)
        })?;
        for (row, image) in shown.iter_mut().zip(images) {
            row.1.push(image);
        }
    }
    bar.finish_and_clear();
    Ok(Generated {
        attacks,
        shown,
        columns,
    })
}
