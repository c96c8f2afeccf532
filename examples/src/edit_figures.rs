//! What was measured of many edits, as means.

use crate::{Edit, Measured};

/// Means over the people of one style, or over all edits.
#[derive(Debug, Clone, Copy)]
pub struct Figures {
    /// Number of edits.
    pub people: usize,
    /// Share of pictures that the judge assigns to the requested style.
    pub style_accuracy: f64,
    /// Cosine of live and attack.
    pub identity: f64,
    /// BRISQUE, lower is better.
    pub brisque: f64,
    /// Smallest and largest BRISQUE.
    pub brisque_range: [f64; 2],
}

impl Figures {
    /// Means of `measured`.
    pub fn new(measured: &[&Measured]) -> Self {
        let mean = |values: &mut dyn Iterator<Item = f64>| {
            let (sum, count) = values.fold((0.0, 0), |(sum, n), value| (sum + value, n + 1));
            sum / f64::from(count.max(1))
        };
        let brisque: Vec<f64> = measured.iter().filter_map(|m| m.brisque).collect();
        let found = |m: &&Measured| f64::from(u8::from(m.style_found));
        Self {
            people: measured.len(),
            style_accuracy: mean(&mut measured.iter().map(found)),
            identity: mean(&mut measured.iter().map(|m| m.identity)),
            brisque: mean(&mut brisque.iter().copied()),
            brisque_range: [
                brisque.iter().copied().fold(f64::INFINITY, f64::min),
                brisque.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            ],
        }
    }

    /// Means of each of `num_styles` styles.
    pub fn by_style(num_styles: usize, edits: &[Edit], measured: &[Measured]) -> Vec<Self> {
        (0..num_styles)
            .map(|style| {
                let pairs = edits.iter().zip(measured);
                let of_style = pairs.filter(|(edit, _)| edit.style == style);
                Self::new(&of_style.map(|(_, measured)| measured).collect::<Vec<_>>())
            })
            .collect()
    }
}
