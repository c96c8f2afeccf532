//! The page: one HTML file with everything in it.

use std::path::Path;

use askama::Template;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::atomic::write_atomically;
use crate::csv::file_stem;
use crate::grid::encode_png;
use crate::section::Block;
use crate::table::Measure;
use crate::{Cell, Figure, Grid, ReportError, RunRecord, Section, Table, palette};

/// Longest data set shown as a table below its figure; all are offered as CSV.
const MAX_SHOWN_ROWS: usize = 40;

/// Builder of the page.
///
/// The page loads nothing: style sheet, drawings, images (PNG) and data (CSV) are inside, and there is no script.
/// Its content security policy has the browser refuse anything else. All texts given are escaped.
#[derive(Clone, Debug)]
pub struct Report {
    title: String,
    summary: Vec<String>,
    key_figures: Vec<(String, Measure, String)>,
    sections: Vec<Section>,
    run: Option<RunRecord>,
}

impl Report {
    /// An empty report.
    pub fn new(title: &str) -> Self {
        Self {
            title: title.to_owned(),
            summary: Vec::new(),
            key_figures: Vec::new(),
            sections: Vec::new(),
            run: None,
        }
    }

    /// Adds a paragraph below the title.
    pub fn with_summary(mut self, text: &str) -> Self {
        self.summary.push(text.to_owned());
        self
    }

    /// Adds a number shown large at the top; `note` says what it is measured on.
    pub fn with_key_figure(mut self, label: &str, measure: Measure, note: &str) -> Self {
        self.key_figures
            .push((label.to_owned(), measure, note.to_owned()));
        self
    }

    /// Adds a section.
    pub fn with_section(mut self, section: Section) -> Self {
        self.sections.push(section);
        self
    }

    /// Adds how the run was made, as last section.
    pub fn with_run(mut self, run: RunRecord) -> Self {
        self.run = Some(run);
        self
    }

    /// The page as text.
    ///
    /// # Errors
    ///
    /// A ragged table, a grid without image, or an image that cannot be encoded.
    pub fn to_html(&self) -> Result<String, ReportError> {
        let run_section = self.run.as_ref().map(|run| {
            let section = Section::new("How it was run").with_facts(run.facts.clone());
            run.configurations
                .iter()
                .fold(section, |section, (name, text)| {
                    section.with_code(name, text)
                })
        });
        let mut numbers = Numbers::default();
        let sections = self.sections.iter().chain(&run_section);
        let sections = sections
            .map(|section| numbers.section_view(section))
            .collect::<Result<Vec<_>, _>>()?;
        let page = Page {
            report: self,
            sections,
            dark_rules: palette::dark_rules(),
        };
        page.render().map_err(|source| ReportError::Template {
            title: self.title.clone(),
            source,
        })
    }

    /// Writes the page to a file, whole or not at all; missing folders are created.
    ///
    /// # Errors
    ///
    /// Those of [`to_html`](Self::to_html), or the file cannot be written.
    pub fn write(&self, path: impl AsRef<Path>) -> Result<(), ReportError> {
        write_atomically(path.as_ref(), self.to_html()?.as_bytes())
    }
}

#[derive(Template)]
#[template(path = "report.html")]
struct Page<'a> {
    report: &'a Report,
    sections: Vec<SectionView<'a>>,
    dark_rules: String,
}

struct SectionView<'a> {
    heading: &'a str,
    blocks: Vec<BlockView<'a>>,
}

/// A block with its number and embedded data.
enum BlockView<'a> {
    Text(&'a str),
    Note {
        title: &'a str,
        text: &'a str,
    },
    Table {
        number: usize,
        table: &'a Table,
        download: Download,
    },
    Figures(Vec<FigureView<'a>>),
    Grid {
        number: usize,
        grid: &'a Grid,
        rows: Vec<GridRowView<'a>>,
    },
    Facts(&'a [(String, String)]),
    Code {
        name: &'a str,
        text: &'a str,
        download: Download,
    },
}

struct FigureView<'a> {
    number: usize,
    figure: &'a Figure,
    shown_rows: &'a [Vec<String>],
    download: Download,
}

struct GridRowView<'a> {
    label: &'a str,
    images: Vec<ImageView<'a>>,
    missing: usize,
}

struct ImageView<'a> {
    alt: String,
    width: u32,
    height: u32,
    source: String,
    caption: &'a str,
}

/// A file inside the page.
struct Download {
    file_name: String,
    address: String,
    rows: usize,
}

impl Download {
    fn new(file_name: String, media_type: &str, text: &str) -> Self {
        let address = format!(
            "data:{media_type};charset=utf-8;base64,{}",
            STANDARD.encode(text)
        );
        Self {
            file_name,
            address,
            rows: text.lines().count().saturating_sub(1),
        }
    }

    fn csv(title: &str, text: &str) -> Self {
        Self::new(format!("{}.csv", file_stem(title)), "text/csv", text)
    }
}

/// Running numbers of tables and figures.
#[derive(Default)]
struct Numbers {
    table: usize,
    figure: usize,
}

impl Numbers {
    fn section_view<'a>(&mut self, section: &'a Section) -> Result<SectionView<'a>, ReportError> {
        let blocks = section
            .blocks
            .iter()
            .map(|block| self.block_view(block))
            .collect::<Result<_, _>>()?;
        Ok(SectionView {
            heading: &section.heading,
            blocks,
        })
    }

    fn block_view<'a>(&mut self, block: &'a Block) -> Result<BlockView<'a>, ReportError> {
        Ok(match block {
            Block::Text(text) => BlockView::Text(text),
            Block::Note { title, text } => BlockView::Note { title, text },
            Block::Table(table) => {
                table.check()?;
                self.table += 1;
                let download = Download::csv(&table.title, &table.csv());
                BlockView::Table {
                    number: self.table,
                    table,
                    download,
                }
            }
            Block::Figures(figures) => BlockView::Figures(
                figures
                    .iter()
                    .map(|figure| self.figure_view(figure))
                    .collect(),
            ),
            Block::Grid(grid) => {
                grid.check()?;
                self.figure += 1;
                BlockView::Grid {
                    number: self.figure,
                    grid,
                    rows: grid_rows(grid)?,
                }
            }
            Block::Facts(facts) => BlockView::Facts(facts),
            Block::Code { name, text } => BlockView::Code {
                name,
                text,
                download: Download::new(name.clone(), "text/plain", text),
            },
        })
    }

    fn figure_view<'a>(&mut self, figure: &'a Figure) -> FigureView<'a> {
        self.figure += 1;
        let shown_rows = if figure.rows.len() <= MAX_SHOWN_ROWS {
            &figure.rows[..]
        } else {
            &[]
        };
        let download = Download::csv(&figure.title, &figure.csv());
        FigureView {
            number: self.figure,
            figure,
            shown_rows,
            download,
        }
    }
}

fn grid_rows(grid: &Grid) -> Result<Vec<GridRowView<'_>>, ReportError> {
    let mut rows = Vec::new();
    for row in &grid.rows {
        let mut images = Vec::new();
        for (column, image) in row.images.iter().enumerate() {
            let alt = match grid.columns.get(column) {
                Some(label) => format!("{}, {label}", row.label),
                None => format!("{}, image {}", row.label, column + 1),
            };
            images.push(ImageView {
                alt,
                width: image.width(),
                height: image.height(),
                source: STANDARD.encode(encode_png(image, &grid.title)?),
                caption: row.captions.get(column).map_or("", String::as_str),
            });
        }
        rows.push(GridRowView {
            label: &row.label,
            missing: grid.width() - images.len(),
            images,
        });
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{GridRow, HistogramPlot};

    fn figure(count: usize) -> Figure {
        HistogramPlot::new("Scores", "score")
            .with_series("s", vec![0.5])
            .with_bins(count)
            .figure()
            .unwrap()
    }

    #[test]
    fn texts_are_escaped() {
        let hostile = "<script>alert('x')</script>\"&";
        let image = image::RgbImage::new(1, 1);
        let grid = Grid::new(vec![
            GridRow::new(hostile, vec![image]).with_captions(vec![hostile.to_owned()]),
        ])
        .with_title(hostile)
        .with_columns([hostile]);
        let plot = HistogramPlot::new(hostile, hostile)
            .with_series(hostile, vec![0.0, 1.0])
            .with_threshold(hostile, 0.5)
            .figure()
            .unwrap()
            .with_caption(hostile);
        let section = Section::new(hostile)
            .with_text(hostile)
            .with_note(hostile, hostile)
            .with_table(Table::new(hostile, [hostile]).with_row([hostile.into()]))
            .with_figures([plot])
            .with_grid(grid)
            .with_code(hostile, hostile);
        let page = Report::new(hostile)
            .with_summary(hostile)
            .with_key_figure(hostile, Measure::plain(1.0), hostile)
            .with_section(section)
            .with_run(RunRecord::new(hostile).with_configuration(hostile, hostile))
            .to_html()
            .unwrap();
        assert!(
            !page.contains("<script"),
            "{}",
            &page[page.find("<script").unwrap()..][..80]
        );
        assert!(!page.contains("\"\"&"), "a quote closed an attribute");
        assert!(page.contains("&#60;script&#62;") || page.contains("&lt;script&gt;"));
    }

    #[test]
    fn tables_and_figures_are_numbered_through() {
        let table = || Table::new("T", ["a"]).with_row([Measure::percent(0.5).into()]);
        let image = image::RgbImage::from_pixel(1, 1, image::Rgb([1, 2, 3]));
        let page = Report::new("r")
            .with_section(
                Section::new("one")
                    .with_table(table())
                    .with_figures([figure(2), figure(60)]),
            )
            .with_section(
                Section::new("two")
                    .with_grid(Grid::new(vec![GridRow::new("g", vec![image])]))
                    .with_table(table()),
            )
            .to_html()
            .unwrap();
        for label in [
            "Table&nbsp;1.",
            "Figure&nbsp;1.",
            "Figure&nbsp;2.",
            "Figure&nbsp;3.",
            "Table&nbsp;2.",
        ] {
            assert_eq!(page.matches(label).count(), 1, "{label}");
        }
        assert_eq!(
            page.matches("Show the numbers").count(),
            1,
            "60 bins are for the CSV only"
        );
        assert!(page.contains("60 rows"));
        assert!(
            page.contains("href=\"data:text/csv;charset=utf-8;base64,YQowLjUK\""),
            "CSV of the table"
        );
    }

    #[test]
    fn errors_of_the_parts_come_through() {
        let ragged = Table::new("T", ["a", "b"]).with_row(["1".into()]);
        let report = |section| Report::new("r").with_section(section).to_html();
        assert!(matches!(
            report(Section::new("s").with_table(ragged)),
            Err(ReportError::RaggedTable { .. })
        ));
        assert!(matches!(
            report(Section::new("s").with_grid(Grid::new(vec![]))),
            Err(ReportError::Empty { .. })
        ));
    }
}
