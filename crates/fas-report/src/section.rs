//! Sections of a report: text, notes, tables, figures and grids in the order they were added.

use crate::{Figure, Grid, Table};

/// A part of the page under one heading.
#[derive(Clone, Debug)]
pub struct Section {
    pub(crate) heading: String,
    pub(crate) blocks: Vec<Block>,
}

#[derive(Clone, Debug)]
pub(crate) enum Block {
    Text(String),
    Note { title: String, text: String },
    Table(Table),
    Figures(Vec<Figure>),
    Grid(Grid),
    Facts(Vec<(String, String)>),
    Code { name: String, text: String },
}

impl Section {
    /// An empty section.
    pub fn new(heading: &str) -> Self {
        Self {
            heading: heading.to_owned(),
            blocks: Vec::new(),
        }
    }

    /// Adds a paragraph.
    pub fn with_text(self, text: &str) -> Self {
        self.with(Block::Text(text.to_owned()))
    }

    /// Adds a remark the reader must not miss, such as a limit of the data or how a threshold was chosen.
    pub fn with_note(self, title: &str, text: &str) -> Self {
        self.with(Block::Note {
            title: title.to_owned(),
            text: text.to_owned(),
        })
    }

    /// Adds a table.
    pub fn with_table(self, table: Table) -> Self {
        self.with(Block::Table(table))
    }

    /// Adds figures, side by side where the page is wide enough.
    pub fn with_figures(self, figures: impl IntoIterator<Item = Figure>) -> Self {
        self.with(Block::Figures(figures.into_iter().collect()))
    }

    /// Adds a grid of images, embedded at their own size.
    pub fn with_grid(self, grid: Grid) -> Self {
        self.with(Block::Grid(grid))
    }

    /// Adds a list of names and values.
    pub fn with_facts(self, facts: Vec<(String, String)>) -> Self {
        self.with(Block::Facts(facts))
    }

    /// Adds text shown word for word, such as a configuration; `name` is also its file name for download.
    pub fn with_code(self, name: &str, text: &str) -> Self {
        self.with(Block::Code {
            name: name.to_owned(),
            text: text.to_owned(),
        })
    }

    fn with(mut self, block: Block) -> Self {
        self.blocks.push(block);
        self
    }
}
