//! Errors of this crate.

use std::path::PathBuf;

/// What can go wrong when drawing a figure or writing a report.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ReportError {
    /// A plot or grid was given nothing to show.
    #[error("`{name}` has no data; leave it out of the report or add at least one value")]
    Empty {
        /// Title of the figure, or name of the series.
        name: String,
    },
    /// A value is NaN or infinite.
    #[error("`{name}`, value {index}: {value} cannot be drawn; remove or repair it first")]
    NonFinite {
        /// Name of the series.
        name: String,
        /// Position of the value in the series, from 0.
        index: usize,
        /// The value.
        value: f64,
    },
    /// A rate lies outside `[0, 1]`.
    #[error("`{name}`, point {index}: rate {value} is not in [0, 1]; pass fractions, not percent")]
    RateOutOfRange {
        /// Name of the curve.
        name: String,
        /// Position of the point in the curve, from 0.
        index: usize,
        /// The rate.
        value: f64,
    },
    /// BPCER rises with APCER, which no threshold sweep can give.
    #[error(
        "`{name}`: BPCER rises from {before} to {after} as APCER grows to {apcer}; pass (APCER, BPCER) \
         points of one threshold sweep, not (FPR, TPR)"
    )]
    NotMonotone {
        /// Name of the curve.
        name: String,
        /// APCER of the first point that breaks the order.
        apcer: f64,
        /// BPCER of the point before it.
        before: f64,
        /// BPCER of that point.
        after: f64,
    },
    /// An interval does not run upwards.
    #[error("`{name}`, point {index}: interval [{lower}, {upper}] is empty; give lower <= upper")]
    EmptyInterval {
        /// Name of the series.
        name: String,
        /// Position of the point in the series, from 0.
        index: usize,
        /// Lower end.
        lower: f64,
        /// Upper end.
        upper: f64,
    },
    /// A table row has another number of cells than the table has columns.
    #[error("table `{table}`, row {row}: {cells} cells for {columns} columns")]
    RaggedTable {
        /// Title of the table.
        table: String,
        /// Position of the row, from 0.
        row: usize,
        /// Cells in that row.
        cells: usize,
        /// Columns of the table.
        columns: usize,
    },
    /// The plotting backend refused.
    #[error("drawing `{figure}`: {reason}")]
    Drawing {
        /// Title of the figure.
        figure: String,
        /// What the backend said.
        reason: String,
    },
    /// An image could not be encoded as PNG.
    #[error("encoding an image of `{grid}` as PNG: {source}")]
    Png {
        /// Title of the grid.
        grid: String,
        /// Underlying cause.
        source: image::ImageError,
    },
    /// The page template failed.
    #[error("rendering the page `{title}`: {source}")]
    Template {
        /// Title of the report.
        title: String,
        /// Underlying cause.
        source: askama::Error,
    },
    /// A file could not be written.
    #[error(
        "writing {path}: {source}; check that the folder can be written and the disk is not full"
    )]
    Write {
        /// File that was being written.
        path: PathBuf,
        /// Underlying cause.
        source: std::io::Error,
    },
}

/// Fails on the first value that is NaN or infinite.
pub(crate) fn check_finite(name: &str, values: &[f64]) -> Result<(), ReportError> {
    match values.iter().position(|value| !value.is_finite()) {
        None => Ok(()),
        Some(index) => Err(ReportError::NonFinite {
            name: name.to_owned(),
            index,
            value: values[index],
        }),
    }
}
