//! Result tables: values with interval and spread.

use crate::csv::to_csv;
use crate::{ReportError, Unit};

/// A measured value with its uncertainty.
///
/// The caption of the table says what the interval (level, method) and the spread (of what, how many) are.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    value: f64,
    unit: Unit,
    decimals: usize,
    interval: Option<(f64, f64)>,
    spread: Option<f64>,
}

impl Measure {
    /// A fraction in `[0, 1]`, shown as percent with one decimal; not finite is shown as "n/a".
    pub fn percent(value: f64) -> Self {
        Self {
            value,
            unit: Unit::Percent,
            decimals: 1,
            interval: None,
            spread: None,
        }
    }

    /// A bare number, shown with three decimals; not finite is shown as "n/a".
    pub fn plain(value: f64) -> Self {
        Self {
            value,
            unit: Unit::Plain,
            decimals: 3,
            interval: None,
            spread: None,
        }
    }

    /// Adds an interval, shown as `[lower, upper]`.
    pub fn with_interval(mut self, lower: f64, upper: f64) -> Self {
        self.interval = Some((lower, upper));
        self
    }

    /// Adds a spread, for example the standard deviation over seeds, shown as `± spread`.
    pub fn with_spread(mut self, spread: f64) -> Self {
        self.spread = Some(spread);
        self
    }

    /// Sets the number of decimals.
    pub fn with_decimals(mut self, decimals: usize) -> Self {
        self.decimals = decimals;
        self
    }

    /// Value with unit.
    pub(crate) fn value_text(&self) -> String {
        let suffix = if self.value.is_finite() {
            self.unit.suffix()
        } else {
            ""
        };
        format!("{}{suffix}", self.unit.digits(self.value, self.decimals))
    }

    /// Spread with its sign, or nothing.
    pub(crate) fn spread_text(&self) -> String {
        self.spread.map_or(String::new(), |s| {
            format!("± {}", self.unit.digits(s, self.decimals))
        })
    }

    /// Interval in brackets, or nothing.
    pub(crate) fn interval_text(&self) -> String {
        let digits = |value| self.unit.digits(value, self.decimals);
        self.interval.map_or(String::new(), |(lower, upper)| {
            format!("[{}, {}]", digits(lower), digits(upper))
        })
    }
}

/// One cell of a [`Table`].
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Words.
    Text(String),
    /// A number with its uncertainty.
    Measure(Measure),
}

impl From<&str> for Cell {
    fn from(text: &str) -> Self {
        Cell::Text(text.to_owned())
    }
}

impl From<String> for Cell {
    fn from(text: String) -> Self {
        Cell::Text(text)
    }
}

impl From<Measure> for Cell {
    fn from(measure: Measure) -> Self {
        Cell::Measure(measure)
    }
}

/// A table; the first cell of a row is its header.
#[derive(Clone, Debug)]
pub struct Table {
    pub(crate) title: String,
    pub(crate) caption: String,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<Cell>>,
}

impl Table {
    /// An empty table; `title` is a few words, and the file name of its CSV.
    pub fn new<S: Into<String>>(title: &str, columns: impl IntoIterator<Item = S>) -> Self {
        Self {
            title: title.to_owned(),
            caption: String::new(),
            columns: columns.into_iter().map(Into::into).collect(),
            rows: Vec::new(),
        }
    }

    /// Sets the text after the title: what was measured, on what, and what intervals and spreads are.
    pub fn with_caption(mut self, caption: &str) -> Self {
        self.caption = caption.to_owned();
        self
    }

    /// Adds a row, one cell a column.
    pub fn with_row(mut self, row: impl IntoIterator<Item = Cell>) -> Self {
        self.rows.push(row.into_iter().collect());
        self
    }

    /// The table with all digits: a measured column gives `name`, and where present `name lower`,
    /// `name upper` and `name spread`, percent as fractions.
    pub fn csv(&self) -> String {
        let mut header = Vec::new();
        let mut rows = vec![Vec::new(); self.rows.len()];
        for (index, name) in self.columns.iter().enumerate() {
            let cells: Vec<_> = self.rows.iter().map(|row| row.get(index)).collect();
            let mut push = |name: String, field: &dyn Fn(&Cell) -> Option<String>| {
                let fields: Vec<_> = cells.iter().map(|cell| cell.and_then(field)).collect();
                if fields.iter().any(Option::is_some) || header.is_empty() {
                    header.push(name);
                    for (row, field) in rows.iter_mut().zip(fields) {
                        row.push(field.unwrap_or_default());
                    }
                }
            };
            push(name.clone(), &|cell| match cell {
                Cell::Text(text) => Some(text.clone()),
                Cell::Measure(measure) => Some(measure.value.to_string()),
            });
            let measured = |cell: &Cell, part: fn(&Measure) -> Option<f64>| match cell {
                Cell::Text(_) => None,
                Cell::Measure(measure) => part(measure).map(|value| value.to_string()),
            };
            push(format!("{name} lower"), &|cell| {
                measured(cell, |measure| measure.interval.map(|i| i.0))
            });
            push(format!("{name} upper"), &|cell| {
                measured(cell, |measure| measure.interval.map(|i| i.1))
            });
            push(format!("{name} spread"), &|cell| {
                measured(cell, |measure| measure.spread)
            });
        }
        to_csv(header.iter().map(String::as_str), &rows)
    }

    pub(crate) fn check(&self) -> Result<(), ReportError> {
        match self
            .rows
            .iter()
            .position(|row| row.len() != self.columns.len())
        {
            None => Ok(()),
            Some(row) => Err(ReportError::RaggedTable {
                table: self.title.clone(),
                row,
                cells: self.rows[row].len(),
                columns: self.columns.len(),
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_a_measure() {
        let measure = Measure::percent(0.1234)
            .with_interval(0.1, 0.1561)
            .with_spread(0.01);
        assert_eq!(measure.value_text(), "12.3 %");
        assert_eq!(measure.spread_text(), "± 1.0");
        assert_eq!(measure.interval_text(), "[10.0, 15.6]");
        assert_eq!(
            Measure::plain(0.98765).with_decimals(2).value_text(),
            "0.99"
        );
        assert_eq!(Measure::percent(f64::NAN).value_text(), "n/a");
        assert_eq!(Measure::plain(1.0).interval_text(), "");
    }

    #[test]
    fn csv_has_the_parts_that_exist() {
        let table = Table::new("t", ["method", "HTER", "AUC"])
            .with_row([
                "a".into(),
                Measure::percent(0.25).with_interval(0.2, 0.3).into(),
                Measure::plain(0.5).into(),
            ])
            .with_row(["b".into(), Measure::percent(0.125).into(), "none".into()]);
        assert_eq!(
            table.csv(),
            "method,HTER,HTER lower,HTER upper,AUC\na,0.25,0.2,0.3,0.5\nb,0.125,,,none\n"
        );
    }

    #[test]
    fn ragged_rows_are_named() {
        let table = Table::new("t", ["a", "b"])
            .with_row(["1".into(), "2".into()])
            .with_row(["1".into()]);
        assert_eq!(
            table.check().unwrap_err().to_string(),
            "table `t`, row 1: 1 cells for 2 columns"
        );
    }
}
