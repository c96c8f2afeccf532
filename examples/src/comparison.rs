//! A table of a paper beside ours, clearly apart.

use std::path::Path;
use std::time::Instant;

use burn::tensor::Device;
use fas_metrics::{Deviation, Spread, ThresholdPolicy};
use fas_report::{Cell, Figure, Grid, Measure, Report, RunRecord, Section, Table};

use crate::{Method, MethodRuns, Study, cost, mean_and_deviation, peak_memory};

/// A paper's table, and ours of the same rows on other data.
#[derive(Debug)]
pub struct Comparison {
    title: String,
    columns: Vec<String>,
    paper: Vec<Vec<String>>,
    ours: Vec<Vec<Entry>>,
    notes: Vec<String>,
    figures: Vec<Figure>,
    grids: Vec<(String, Grid)>,
}

/// A cell of our part of the table.
#[derive(Debug, Clone)]
pub enum Entry {
    /// Text.
    Text(String),
    /// Fractions over seeds, shown as percent: mean, sample deviation, 95 % interval of the mean.
    Percent(Vec<f64>),
}

impl From<&str> for Entry {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

/// 95 % interval of the mean of `values` by Student's t; `None` for fewer than two.
pub fn t_interval(values: &[f64]) -> Option<(f64, f64)> {
    let spread = Spread::of(values, Deviation::Sample).ok()?;
    let interval = spread.mean_interval(0.95).ok()?;
    Some((interval.lower, interval.upper))
}

impl Entry {
    fn text(&self) -> String {
        match self {
            Self::Text(text) => text.clone(),
            Self::Percent(values) => {
                let (mean, deviation) = mean_and_deviation(values);
                let mut text = format!("{:.1} ± {:.1}", 100.0 * mean, 100.0 * deviation);
                if let Some((low, high)) = t_interval(values) {
                    text += &format!(" [{:.1}, {:.1}]", 100.0 * low, 100.0 * high);
                }
                text
            }
        }
    }

    fn cell(&self) -> Cell {
        match self {
            Self::Text(text) => Cell::from(text.as_str()),
            Self::Percent(values) => {
                let (mean, deviation) = mean_and_deviation(values);
                let measure = Measure::percent(mean).with_spread(deviation);
                Cell::from(match t_interval(values) {
                    Some((low, high)) => measure.with_interval(low, high),
                    None => measure,
                })
            }
        }
    }
}

impl Comparison {
    /// A table with a column of names and `columns`.
    pub fn new(title: &str, columns: &[&str]) -> Self {
        Self {
            title: title.to_owned(),
            columns: columns.iter().map(|&column| column.to_owned()).collect(),
            paper: Vec::new(),
            ours: Vec::new(),
            notes: Vec::new(),
            figures: Vec::new(),
            grids: Vec::new(),
        }
    }

    /// A row of the paper, as printed there.
    #[must_use]
    pub fn paper(mut self, name: &str, values: &[&str]) -> Self {
        let row = std::iter::once(&name).chain(values);
        self.paper.push(row.map(|&text| text.to_owned()).collect());
        self
    }

    /// A row of ours.
    pub fn ours(&mut self, name: &str, values: impl IntoIterator<Item = Entry>) {
        let row = std::iter::once(Entry::from(name)).chain(values);
        self.ours.push(row.collect());
    }

    /// HTER at the threshold of `policy` and AUC of a method, for each of its test sets.
    ///
    /// # Errors
    ///
    /// A message of the metrics.
    pub fn hter_and_auc(
        method: &MethodRuns,
        test: usize,
        policy: ThresholdPolicy,
    ) -> Result<[Entry; 2], String> {
        let errors = method.errors(test, policy)?;
        Ok([
            Entry::Percent(errors.iter().map(|run| run.hter).collect()),
            Entry::Percent(errors.iter().map(|run| run.auc).collect()),
        ])
    }

    /// HTER and AUC of `methods` on the test set of each study in turn, one row a method. Methods that
    /// want generated attacks are left out where a study has none.
    ///
    /// # Errors
    ///
    /// A message of a study, its trainings or the metrics.
    pub fn rows_over_studies(
        &mut self,
        studies: impl IntoIterator<Item = Result<Study, String>>,
        methods: &[Method],
        policy: ThresholdPolicy,
        seeds: &[u64],
        device: &Device,
    ) -> Result<(), String> {
        let mut rows: Vec<(String, Vec<Entry>)> = Vec::new();
        for study in studies {
            let study = study?;
            let available: Vec<Method> = methods
                .iter()
                .filter(|method| study.generated.is_some() || !method.generated)
                .cloned()
                .collect();
            for method in study.run(&available, seeds, device)? {
                let cells = Self::hter_and_auc(&method, 0, policy)?;
                match rows.iter_mut().find(|(name, _)| *name == method.name) {
                    Some((_, row)) => row.extend(cells),
                    None => rows.push((method.name, cells.to_vec())),
                }
            }
        }
        for (name, cells) in rows {
            self.ours(&name, cells);
        }
        Ok(())
    }

    /// A remark under the tables.
    pub fn note(&mut self, text: &str) {
        self.notes.push(text.to_owned());
    }

    /// A figure under the tables.
    pub fn figure(&mut self, figure: Figure) {
        self.figures.push(figure);
    }

    /// Pictures under the tables; also written beside the page as `<name>.png`.
    pub fn grid(&mut self, name: &str, grid: Grid) {
        self.grids.push((name.to_owned(), grid));
    }

    /// Prints both parts and, given a folder, writes them as `report.html` and `ours.csv`.
    ///
    /// # Errors
    ///
    /// A message that names the file that cannot be written.
    pub fn finish(
        self,
        out: Option<&Path>,
        seeds: &[u64],
        configuration: &str,
        started: Instant,
    ) -> Result<(), String> {
        let mut header = vec![String::new()];
        header.extend(self.columns.iter().cloned());
        println!("\n{}", self.title);
        if !self.paper.is_empty() {
            println!("\nThe paper, on real data sets:");
            print_table(&header, &self.paper);
        }
        let ours: Vec<Vec<String>> = self
            .ours
            .iter()
            .map(|row| row.iter().map(Entry::text).collect())
            .collect();
        match seeds.len() {
            0 | 1 => println!("\nHere:"),
            runs => println!(
                "\nHere, mean ± standard deviation over {runs} seeds [95 % interval of the mean]:"
            ),
        }
        print_table(&header, &ours);
        for note in &self.notes {
            println!("\n{note}");
        }
        if let Some(out) = out {
            let path = out.join("report.html");
            self.write(out, &path, &header, seeds, configuration, started)?;
            println!("\nreport: {}", path.display());
        }
        println!("{}", cost(started));
        Ok(())
    }

    fn write(
        self,
        out: &Path,
        path: &Path,
        header: &[String],
        seeds: &[u64],
        configuration: &str,
        started: Instant,
    ) -> Result<(), String> {
        std::fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
        for (name, grid) in &self.grids {
            grid.write_png(out.join(format!("{name}.png")))
                .map_err(|error| error.to_string())?;
        }
        let mut ours = Table::new("Here", header.to_vec()).with_caption(&format!(
            "Mean ± standard deviation over {} seeds, 95 % interval of the mean in brackets.",
            seeds.len()
        ));
        for row in &self.ours {
            ours = ours.with_row(row.iter().map(Entry::cell));
        }
        let mut section = Section::new("Results").with_table(ours);
        if !self.paper.is_empty() {
            let mut paper = Table::new("The paper", header.to_vec())
                .with_caption("As printed, on real data sets and full-size networks.");
            for row in &self.paper {
                paper = paper.with_row(row.iter().map(|text| Cell::from(text.as_str())));
            }
            section = section.with_table(paper);
        }
        for note in &self.notes {
            section = section.with_text(note);
        }
        section = section.with_figures(self.figures);
        for (_, grid) in self.grids {
            section = section.with_grid(grid);
        }
        let command: Vec<String> = std::env::args().skip(1).collect();
        let mut run = RunRecord::new(&format!(
            "cargo run --release --example {} -- {}",
            program(),
            command.join(" ")
        ))
        .with_seeds(seeds)
        .with_run_time(started.elapsed())
        .with_configuration("settings.txt", configuration);
        if let Some(bytes) = peak_memory() {
            run = run.with_peak_memory(bytes);
        }
        Report::new(&self.title)
            .with_section(section)
            .with_run(run)
            .write(path)
            .map_err(|error| error.to_string())
    }
}

/// Name of the running example.
fn program() -> String {
    std::env::current_exe()
        .ok()
        .and_then(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
        .unwrap_or_default()
}

fn print_table(header: &[String], rows: &[Vec<String>]) {
    let width = |column: usize| {
        std::iter::once(header)
            .chain(rows.iter().map(Vec::as_slice))
            .filter_map(|row| row.get(column))
            .map(|text| text.chars().count())
            .max()
            .unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    for row in std::iter::once(header).chain(rows.iter().map(Vec::as_slice)) {
        let cells: Vec<String> = row
            .iter()
            .zip(&widths)
            .map(|(text, &width)| format!("{text:width$}"))
            .collect();
        println!("  {}", cells.join("  ").trim_end());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn interval_of_a_mean_is_students() {
        // Mean 2, deviation 1, t(0.975, 2) = 4.302653: 2 ± 4.302653 / sqrt(3).
        let (low, high) = t_interval(&[1.0, 2.0, 3.0]).unwrap();
        assert!((low + 0.484138).abs() < 1e-5, "{low}");
        assert!((high - 4.484138).abs() < 1e-5, "{high}");
        assert!(t_interval(&[1.0]).is_none());
    }

    #[test]
    fn entries_show_percent_with_spread() {
        let entry = Entry::Percent(vec![0.01, 0.02, 0.03]);
        assert_eq!(entry.text(), "2.0 ± 1.0 [-0.5, 4.5]");
    }
}
