//! What was measured at one setting, style by style.

use crate::edits::Edit;
use crate::instruments::Measured;
use crate::setting::Setting;

/// Means over the people of one style, or over all edits.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Figures {
    pub(crate) people: usize,
    /// Share of pictures that the judge assigns to the requested style.
    pub(crate) style_accuracy: f64,
    /// Cosine of live and attack.
    pub(crate) identity: f64,
    pub(crate) brisque: f64,
    /// Smallest and largest BRISQUE.
    pub(crate) brisque_range: [f64; 2],
}

impl Figures {
    fn new(measured: &[&Measured]) -> Self {
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
}

/// One table column: the simulator, or the generator at one setting.
#[derive(Debug, Clone)]
pub(crate) struct Column {
    pub(crate) name: String,
    /// `None` is the simulator.
    pub(crate) setting: Option<Setting>,
    pub(crate) by_style: Vec<Figures>,
    pub(crate) all: Figures,
}

impl Column {
    pub(crate) fn new(
        setting: Option<Setting>,
        num_styles: usize,
        edits: &[Edit],
        measured: &[Measured],
    ) -> Self {
        let of_style = |style: usize| -> Vec<&Measured> {
            let pairs = edits.iter().zip(measured);
            pairs
                .filter(|(edit, _)| edit.style == style)
                .map(|(_, measured)| measured)
                .collect()
        };
        Self {
            name: setting.map_or("simulator".to_owned(), |setting| setting.name()),
            setting,
            by_style: (0..num_styles)
                .map(|style| Figures::new(&of_style(style)))
                .collect(),
            all: Figures::new(&measured.iter().collect::<Vec<_>>()),
        }
    }

    pub(crate) fn summary(&self) -> String {
        format!(
            "{:41} style {:5.1} %  identity {:.3}  BRISQUE {:.1}",
            self.name,
            100.0 * self.all.style_accuracy,
            self.all.identity,
            self.all.brisque
        )
    }
}

/// How many styles meet the three aims at once: 80 % style accuracy, 0.9 of the identity that the
/// simulator keeps, and a mean BRISQUE inside the range of the simulated attacks.
pub(crate) fn styles_that_meet_the_aims(column: &Column, simulator: &Column) -> usize {
    let pairs = column.by_style.iter().zip(&simulator.by_style);
    pairs
        .filter(|(made, simulated)| {
            let [low, high] = simulated.brisque_range;
            made.style_accuracy >= 0.8
                && made.identity >= 0.9 * simulated.identity
                && (low..=high).contains(&made.brisque)
        })
        .count()
}
