//! Pictures and reports of face anti-spoofing experiments: plots, contact sheets and one
//! self-contained HTML page.
//!
//! Inputs are plain data: scores, `(apcer, bpcer)` points, [`image::RgbImage`]s. Output is a
//! [`Figure`] (SVG and its data as CSV), a PNG contact sheet ([`Grid::write_png`]) or a page
//! ([`Report::write`]) that needs no network, no script and no installed font, reads well from
//! 390 to 1280 pixels, and follows the reader's light or dark setting.
//!
//! Rates (`apcer`, `bpcer`, accuracies) are fractions in `[0, 1]`, shown as percent. A score is
//! higher for bona fide; a sample is accepted when `score >= threshold`. BRISQUE is lower for better.
//!
//! ```
//! use fas_report::{HistogramPlot, Measure, Report, Section, Table};
//!
//! # fn main() -> Result<(), fas_report::ReportError> {
//! let table = Table::new("Error on the target domain", ["Training", "HTER"])
//!     .with_row(["cross-entropy".into(), Measure::percent(0.231).with_spread(0.012).into()]);
//! let scores = HistogramPlot::new("Scores on the target", "score")
//!     .with_series("bona fide", vec![0.7, 0.8, 0.9])
//!     .with_series("attack", vec![0.1, 0.2, 0.6])
//!     .with_threshold("source EER", 0.5)
//!     .figure()?;
//! let page = Report::new("Leave sim-C out")
//!     .with_summary("Three simulated domains in, one out.")
//!     .with_section(Section::new("Results").with_table(table).with_figures([scores]))
//!     .to_html()?;
//! assert!(page.contains("23.1 %"));
//! # Ok(())
//! # }
//! ```

mod atomic;
mod axis;
mod canvas;
mod chart;
mod csv;
mod curve;
mod det;
mod error;
mod figure;
mod grid;
mod heat_map;
mod histogram;
mod html;
mod line;
mod palette;
mod roc;
mod run;
mod scatter;
mod section;
mod table;
mod unit;

pub use atomic::write_atomically;
pub use curve::RateCurve;
pub use det::DetPlot;
pub use error::ReportError;
pub use figure::Figure;
pub use grid::{Grid, GridRow};
pub use heat_map::{HeatMap, colour_bar};
pub use histogram::HistogramPlot;
pub use html::Report;
pub use line::{LineChart, LineSeries};
pub use roc::RocPlot;
pub use run::RunRecord;
pub use scatter::{ScatterPlot, ScatterPoint};
pub use section::Section;
pub use table::{Cell, Measure, Table};
pub use unit::Unit;
