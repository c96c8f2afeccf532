//! Axes: linear, logarithmic and probit.

use std::ops::Range;

use statrs::function::erf::erfc_inv;

use crate::Unit;

/// Rule from value to place.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Scale {
    Linear,
    Log10,
    Probit,
}

/// One axis of a chart: range, tick values and how they are written.
///
/// Values outside the range are drawn at its end; the log and probit axes need that for rates of 0 and 1.
#[derive(Clone, Debug)]
pub(crate) struct Axis {
    scale: Scale,
    range: Range<f64>,
    ticks: Vec<f64>,
    unit: Unit,
}

impl Axis {
    /// Linear axis over exactly `range`, which must not be empty, with about `max_ticks` round ticks.
    pub(crate) fn linear(range: Range<f64>, max_ticks: usize, unit: Unit) -> Self {
        let step = round_step((range.end - range.start) / max_ticks as f64);
        let first = (range.start / step - 1e-9).ceil() as i64;
        let last = (range.end / step + 1e-9).floor() as i64;
        let ticks = (first..=last).map(|index| index as f64 * step).collect();
        Self {
            scale: Scale::Linear,
            range,
            ticks,
            unit,
        }
    }

    /// Linear axis over the smallest range of whole ticks that holds `values`, which must be finite.
    pub(crate) fn around(
        values: impl IntoIterator<Item = f64>,
        max_ticks: usize,
        unit: Unit,
    ) -> Self {
        let (mut low, mut high) = values
            .into_iter()
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| {
                (low.min(v), high.max(v))
            });
        if low >= high {
            let half = if low == 0.0 { 0.5 } else { low.abs() * 0.1 };
            (low, high) = (low - half, high + half);
        }
        let step = round_step((high - low) / max_ticks as f64);
        let range = (low / step + 1e-9).floor() * step..(high / step - 1e-9).ceil() * step;
        Self::linear(range, max_ticks, unit)
    }

    /// Log axis for a rate, from `floor` (a power of ten) to 1, one tick a decade.
    pub(crate) fn log_rate(floor: f64) -> Self {
        let decades = -floor.log10().round() as i32;
        let ticks = (0..=decades)
            .rev()
            .map(|decade| 10f64.powi(-decade))
            .collect();
        Self {
            scale: Scale::Log10,
            range: floor..1.0,
            ticks,
            unit: Unit::Percent,
        }
    }

    /// Probit axis for a rate, from `floor` to 0.9, with ticks that leave room for their labels.
    pub(crate) fn probit_rate(floor: f64) -> Self {
        let ticks = [1e-4, 1e-3, 0.01, 0.05, 0.2, 0.4, 0.6, 0.9];
        let ticks = ticks
            .into_iter()
            .filter(|tick| *tick >= floor * 0.999)
            .collect();
        Self {
            scale: Scale::Probit,
            range: floor..0.9,
            ticks,
            unit: Unit::Percent,
        }
    }

    /// Lowest value drawn in its own place.
    pub(crate) fn start(&self) -> f64 {
        self.range.start
    }

    /// Highest value drawn in its own place.
    pub(crate) fn end(&self) -> f64 {
        self.range.end
    }

    /// Place of a value between the two ends, in `[0, 1]`.
    pub(crate) fn position(&self, value: f64) -> f64 {
        let transform = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Log10 => value.log10(),
            Scale::Probit => probit(value),
        };
        let (start, end) = (transform(self.range.start), transform(self.range.end));
        (transform(value.clamp(self.range.start, self.range.end)) - start) / (end - start)
    }

    /// Place of a value on a canvas where the axis runs from pixel `start` to pixel `end`.
    pub(crate) fn place(&self, value: f64, start: i32, end: i32) -> i32 {
        start + (self.position(value) * f64::from(end - start)).round() as i32
    }

    /// Tick values with their labels.
    pub(crate) fn ticks(&self) -> impl Iterator<Item = (f64, String)> {
        self.ticks.iter().map(|tick| (*tick, self.unit.tick(*tick)))
    }

    /// Longest tick label.
    pub(crate) fn longest_label(&self) -> String {
        let labels = self.ticks().map(|(_, label)| label);
        labels
            .max_by_key(|label| label.chars().count())
            .unwrap_or_default()
    }
}

/// Quantile of the standard normal distribution, the axis of a DET plot.
fn probit(rate: f64) -> f64 {
    -std::f64::consts::SQRT_2 * erfc_inv(2.0 * rate)
}

/// Smallest of 1, 2 and 5 times a power of ten that is not below `step`.
fn round_step(step: f64) -> f64 {
    let power = 10f64.powi(step.log10().floor() as i32);
    let factor = [1.0, 2.0, 5.0]
        .into_iter()
        .find(|factor| factor * power >= step * (1.0 - 1e-9));
    factor.unwrap_or(10.0) * power
}

/// Power of ten at or below the smallest positive rate, within `[1e-4, 1e-2]`: where a log or probit axis starts.
pub(crate) fn rate_floor(rates: impl IntoIterator<Item = f64>) -> f64 {
    let smallest = rates
        .into_iter()
        .filter(|rate| *rate > 0.0)
        .fold(1.0, f64::min);
    10f64.powi(((smallest.log10() + 1e-9).floor() as i32).clamp(-4, -2))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn probit_known_values() {
        for (rate, quantile) in [
            (0.5, 0.0),
            (0.025, -1.959963984540054),
            (0.1, -1.2815515655446004),
            (0.99, 2.3263478740408408),
        ] {
            assert!(
                (probit(rate) - quantile).abs() < 1e-9,
                "{rate}: {}",
                probit(rate)
            );
        }
    }

    #[test]
    fn log_axis_gives_each_decade_the_same_width() {
        let axis = Axis::log_rate(1e-3);
        let places: Vec<i32> = [0.0, 1e-3, 1e-2, 1e-1, 1.0]
            .iter()
            .map(|rate| axis.place(*rate, 0, 300))
            .collect();
        assert_eq!(places, [0, 0, 100, 200, 300]);
        assert_eq!(axis.ticks, [1e-3, 1e-2, 1e-1, 1.0]);
    }

    #[test]
    fn probit_axis_is_even_in_standard_deviations() {
        let axis = Axis::probit_rate(0.1);
        assert!((axis.position(0.5) - 0.5).abs() < 1e-12);
        assert_eq!(axis.place(0.9, 400, 0), 0);
        assert_eq!(axis.place(1.0, 400, 0), 0);
    }

    #[test]
    fn linear_ticks_are_round_and_hold_the_data() {
        let axis = Axis::around([0.07, 0.93], 5, Unit::Plain);
        assert_eq!((axis.start(), axis.end()), (0.0, 1.0));
        assert_eq!(axis.ticks.len(), 6);
        let axis = Axis::around([-13.0, 41.0], 5, Unit::Plain);
        assert_eq!(axis.ticks, [-20.0, 0.0, 20.0, 40.0, 60.0]);
        let flat = Axis::around([2.0, 2.0], 5, Unit::Plain);
        assert!(flat.start() < 2.0 && flat.end() > 2.0);
        assert_eq!(round_step(0.13), 0.2);
        assert_eq!(round_step(7.0), 10.0);
    }

    #[test]
    fn floor_follows_the_data_within_bounds() {
        assert_eq!(rate_floor([0.0, 0.004, 1.0]), 1e-3);
        assert_eq!(rate_floor([0.3]), 1e-2);
        assert_eq!(rate_floor([1e-7]), 1e-4);
    }
}
