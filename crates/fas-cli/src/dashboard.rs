//! A training in the terminal: the curve of its loss, the figures of its last step, the time left.

use std::fmt::Write;
use std::time::{Duration, Instant};

use indicatif::{MultiProgress, ProgressBar, ProgressStyle};
use textplots::{Chart, LabelBuilder, LabelFormat, Plot, Shape};

/// Time between two drawings of the curve.
const REFRESH: Duration = Duration::from_millis(500);
/// Weight of the past in the running mean of the loss.
const MEMORY: f32 = 0.98;
/// Size of the curve in dots, 2 x 4 a character.
const DOTS: (u32, u32) = (140, 48);

/// What a step of a training tells.
#[derive(Debug, Clone)]
pub(crate) struct StepFigures {
    /// The loss before the step.
    pub(crate) loss: f32,
    others: Vec<(&'static str, f32)>,
}

impl StepFigures {
    /// A loss alone.
    pub(crate) fn new(loss: f32) -> Self {
        let others = Vec::new();
        Self { loss, others }
    }

    /// With another figure under its name, if there is one.
    pub(crate) fn with(mut self, name: &'static str, value: impl Into<Option<f32>>) -> Self {
        self.others.extend(value.into().map(|value| (name, value)));
        self
    }
}

/// Curve and figures above a progress bar on the standard error output of a terminal; gone when dropped.
pub(crate) struct Dashboard {
    curve: ProgressBar,
    figures: ProgressBar,
    steps: ProgressBar,
    /// Steps and the running mean of the loss.
    means: Vec<(f32, f32)>,
    /// Steps of the last checkpoint.
    kept: Option<usize>,
    drawn: Option<Instant>,
}

impl Dashboard {
    /// Of a training of `steps` of which `taken` are done.
    pub(crate) fn new(steps: usize, taken: usize) -> Self {
        let all = MultiProgress::new();
        let text = || {
            let style = ProgressStyle::with_template("{msg}").expect("the template is valid");
            all.add(ProgressBar::new_spinner().with_style(style))
        };
        let (curve, figures) = (text(), text());
        let template = "{wide_bar} step {pos}/{len}, {per_sec}, {eta} left";
        let style = ProgressStyle::with_template(template).expect("the template is valid");
        let steps = all.add(ProgressBar::new(steps as u64).with_style(style));
        steps.set_position(taken as u64);
        steps.reset_eta();
        Self {
            curve,
            figures,
            steps,
            means: Vec::new(),
            kept: (taken > 0).then_some(taken),
            drawn: None,
        }
    }

    /// Shows the figures of the step before `taken`.
    pub(crate) fn show(&mut self, taken: usize, figures: &StepFigures) {
        push_mean(&mut self.means, taken, figures.loss);
        self.steps.set_position(taken as u64);
        if self.drawn.is_none_or(|drawn| drawn.elapsed() >= REFRESH) {
            self.drawn = Some(Instant::now());
            self.curve.set_message(curve(&self.means));
            self.figures.set_message(text(figures, self.kept));
        }
    }

    /// Tells that a checkpoint was written after `taken` steps.
    pub(crate) fn kept(&mut self, taken: usize) {
        self.kept = Some(taken);
    }
}

impl Drop for Dashboard {
    fn drop(&mut self) {
        for bar in [&self.curve, &self.figures, &self.steps] {
            bar.finish_and_clear();
        }
    }
}

fn push_mean(means: &mut Vec<(f32, f32)>, taken: usize, loss: f32) {
    let mean = means
        .last()
        .map_or(loss, |&(_, mean)| MEMORY * mean + (1.0 - MEMORY) * loss);
    means.push((taken as f32, mean));
}

/// The curve with the numbers of its axes.
fn curve(means: &[(f32, f32)]) -> String {
    let (Some(&(first, _)), Some(&(last, _))) = (means.first(), means.last()) else {
        return String::new();
    };
    let (low, high) = means
        .iter()
        .fold((f32::MAX, f32::MIN), |(low, high), &(_, mean)| {
            (low.min(mean), high.max(mean))
        });
    let (low, high) = if low < high {
        (low, high)
    } else {
        (low - 0.5, low + 0.5)
    };
    let (width, height) = DOTS;
    let shape = Shape::Lines(means);
    let mut chart = Chart::new_with_y_range(width, height, first, last.max(first + 1.0), low, high);
    let chart = chart
        .lineplot(&shape)
        .x_label_format(LabelFormat::Custom(Box::new(|step| format!("{step:.0}"))))
        .y_label_format(LabelFormat::Custom(Box::new(|loss| format!("{loss:.3}"))));
    chart.figures();
    format!("loss, running mean\n{}", chart.to_string().trim_end())
}

fn text(figures: &StepFigures, kept: Option<usize>) -> String {
    let mut text = format!("loss {:.4}", figures.loss);
    for (name, value) in &figures.others {
        write!(text, "   {name} {value:.4}").expect("writing to a string");
    }
    match kept {
        Some(step) => write!(text, "\nlast checkpoint: step {step}").expect("writing to a string"),
        None => text.push_str("\nno checkpoint yet"),
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_curve_is_the_running_mean_and_falls_from_left_to_right() {
        let mut means = Vec::new();
        push_mean(&mut means, 1, 1.0);
        push_mean(&mut means, 2, 0.0);
        assert_eq!(means, [(1.0, 1.0), (2.0, MEMORY)]);
        for taken in 3..=200 {
            push_mean(&mut means, taken, 0.0);
        }
        let drawn = curve(&means);
        let rows: Vec<&str> = drawn.lines().collect();
        assert!(rows.len() > DOTS.1 as usize / 4, "{drawn}");
        assert!(rows[1].ends_with(" 1.000"), "{drawn}");
        assert!(rows[rows.len() - 1].starts_with('1') && rows[rows.len() - 1].ends_with("200"));
        let dots = |row: &str, left: bool| {
            let cells: Vec<char> = row.chars().take(DOTS.0 as usize / 2).collect();
            let half = cells.len() / 2;
            let side = if left { &cells[..half] } else { &cells[half..] };
            side.iter()
                .filter(|&&c| c > '\u{2800}' && c <= '\u{28ff}')
                .count()
        };
        assert!(
            dots(rows[1], true) > 0 && dots(rows[1], false) == 0,
            "{drawn}"
        );
        let lowest = rows[rows.len() - 2];
        assert!(
            dots(lowest, true) == 0 && dots(lowest, false) > 0,
            "{drawn}"
        );
    }

    #[test]
    fn a_constant_loss_has_a_curve_too() {
        assert!(curve(&[]).is_empty());
        assert!(curve(&[(1.0, 0.25), (2.0, 0.25)]).contains("0.750"));
    }

    #[test]
    fn figures_that_are_there_are_named() {
        let figures = StepFigures::new(0.5)
            .with("triplet", None)
            .with("gradient norm", 1.25);
        let shown = text(&figures, None);
        assert_eq!(
            shown,
            "loss 0.5000   gradient norm 1.2500\nno checkpoint yet"
        );
        assert!(text(&figures, Some(40)).ends_with("last checkpoint: step 40"));
    }
}
