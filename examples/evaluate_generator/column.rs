//! What was measured at one setting, style by style.

use fas_examples::{Edit, Figures, Measured};

use crate::setting::Setting;

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
        Self {
            name: setting.map_or("simulator".to_owned(), |setting| setting.name()),
            setting,
            by_style: Figures::by_style(num_styles, edits, measured),
            all: Figures::new(&measured.iter().collect::<Vec<_>>()),
        }
    }

    pub(crate) fn summary(&self) -> String {
        format!(
            "{:66} style {:5.1} %  identity {:.3}  BRISQUE {:.1}",
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
