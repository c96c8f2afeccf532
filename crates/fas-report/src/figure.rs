//! A finished plot with the numbers behind it.

use std::path::Path;

use crate::ReportError;
use crate::atomic::write_atomically;
use crate::csv::to_csv;

/// A plot: SVG, title, text alternative, caption, and its data.
#[derive(Clone, Debug)]
pub struct Figure {
    pub(crate) title: String,
    pub(crate) alt: String,
    pub(crate) svg: String,
    pub(crate) caption: String,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<Vec<String>>,
}

impl Figure {
    /// Adds a sentence to the caption below the plot.
    pub fn with_caption(mut self, sentence: &str) -> Self {
        if !self.caption.is_empty() {
            self.caption.push(' ');
        }
        self.caption.push_str(sentence);
        self
    }

    /// Title.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What the plot shows, in words, for readers who cannot see it; inside the SVG too.
    pub fn alt(&self) -> &str {
        &self.alt
    }

    /// The drawing: stands alone, in colours for a light page.
    pub fn svg(&self) -> &str {
        &self.svg
    }

    /// The numbers behind the drawing, with a header line.
    pub fn csv(&self) -> String {
        to_csv(self.columns.iter().map(String::as_str), &self.rows)
    }

    /// Writes the drawing to a file, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`ReportError::Write`] when the file cannot be written.
    pub fn write_svg(&self, path: impl AsRef<Path>) -> Result<(), ReportError> {
        write_atomically(path.as_ref(), self.svg.as_bytes())
    }
}
