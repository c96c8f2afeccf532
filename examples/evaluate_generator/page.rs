//! The results as a page, a table and a picture.

use std::path::PathBuf;
use std::time::Duration;

use fas_examples::{Edit, Figures};
use fas_report::{
    Cell, Figure, Grid, GridRow, LineChart, LineSeries, Measure, Report, ReportError, RunRecord,
    Section, Table, Unit, write_atomically,
};
use fas_sim::AttackKind;
use image::RgbImage;

use crate::arguments::Arguments;
use crate::column::{Column, styles_that_meet_the_aims};
use crate::setting::Axis;

/// Everything that was measured.
pub(crate) struct Results<'a> {
    pub(crate) arguments: &'a Arguments,
    pub(crate) styles: &'a [String],
    pub(crate) edits: &'a [Edit],
    pub(crate) simulator: &'a Column,
    pub(crate) columns: &'a [Column],
    /// Pictures of each of `columns`, one an edit.
    pub(crate) pictures: &'a [Vec<RgbImage>],
    pub(crate) different_people: f64,
    pub(crate) run_time: Duration,
}

impl Results<'_> {
    /// Writes `report.html`, `generator.csv`, `generator.png` and the curves as SVG; gives the path of
    /// the page.
    pub(crate) fn write(&self) -> Result<PathBuf, String> {
        let out = &self.arguments.out;
        std::fs::create_dir_all(out).map_err(|error| format!("{}: {error}", out.display()))?;
        write_atomically(&out.join("generator.csv"), self.csv().as_bytes())
            .map_err(|error| error.to_string())?;
        self.drawn().map_err(|error| error.to_string())
    }

    fn drawn(&self) -> Result<PathBuf, ReportError> {
        let out = &self.arguments.out;
        let grid = self.grid();
        grid.write_png(out.join("generator.png"))?;
        let curves = self.curves()?;
        for (name, figure) in &curves {
            figure.write_svg(out.join(format!("{name}.svg")))?;
        }
        let page = out.join("report.html");
        self.report(grid, curves)?.write(&page)?;
        Ok(page)
    }

    fn csv(&self) -> String {
        let mut text = String::from(
            "setting,style,people,style_accuracy,identity,brisque,brisque_lowest,brisque_highest\n",
        );
        for column in std::iter::once(self.simulator).chain(self.columns) {
            for (style, figures) in self.styles.iter().zip(&column.by_style) {
                text.push_str(&format!(
                    "\"{}\",{style},{},{:.3},{:.3},{:.1},{:.1},{:.1}\n",
                    column.name,
                    figures.people,
                    figures.style_accuracy,
                    figures.identity,
                    figures.brisque,
                    figures.brisque_range[0],
                    figures.brisque_range[1],
                ));
            }
        }
        text
    }

    fn grid(&self) -> Grid {
        let people = self.edits.len() / self.styles.len();
        let rows = self
            .styles
            .iter()
            .enumerate()
            .filter_map(|(style, label)| {
                let first = self.edits.iter().position(|edit| edit.style == style)?;
                // Another person in each row.
                let at = first + style % people;
                let edit = &self.edits[at];
                let mut images = vec![edit.live.clone(), edit.reference.clone()];
                images.extend(self.pictures.iter().map(|made| made[at].clone()));
                images.push(edit.simulated.clone());
                Some(GridRow::new(label, images))
            })
            .collect();
        let names = self.columns.iter().map(|column| column.name.clone());
        let titles = ["live".to_owned(), "style".to_owned()]
            .into_iter()
            .chain(names)
            .chain(["simulator".to_owned()]);
        Grid::new(rows).with_columns(titles)
    }

    fn report(&self, grid: Grid, curves: Vec<(String, Figure)>) -> Result<Report, ReportError> {
        let arguments = self.arguments;
        let mut summary = format!(
            "{} on {} people of {} that it never saw, each into {} styles; DDIM in {} steps to step {}. \
             Cosine between different people: {:.3}.",
            arguments.generator.display(),
            arguments.people,
            arguments.subset,
            self.styles.len(),
            arguments.sampling_steps,
            arguments.stop_step,
            self.different_people
        );
        if arguments.skip_people > 0 {
            summary += &format!(" The first {} people were left out.", arguments.skip_people);
        }
        if let Some([low, high]) = arguments.guidance_interval {
            summary += &format!(" Guidance acts at steps {low} to {high}.");
        }
        if let Some(path) = &arguments.weaker {
            summary += &format!(" The weaker generator is {}.", path.display());
        }
        if let Some(temperature) = arguments.regular_temperature {
            summary += &format!(" Temperature of halftone prints and displays: {temperature}.");
        }
        let mut page = Report::new("The generator on people it never saw").with_summary(&summary);
        page = page.with_section(
            Section::new("Figures")
                .with_table(self.summary_table())
                .with_table(self.style_table())
                .with_note(
                    "Simulated attacks",
                    "Styles and their ground truth are simulated. Style accuracy is that of a classifier \
                     trained on simulated attacks with other seeds; a high identity beside a low style \
                     accuracy means that too little was changed.",
                ),
        );
        page = page.with_section(
            Section::new("Style by style")
                .with_figures(curves.into_iter().map(|(_, figure)| figure)),
        );
        page = page.with_section(Section::new("Pictures").with_grid(grid));
        let command: Vec<String> = std::env::args().skip(1).collect();
        Ok(page.with_run(
            RunRecord::new(&format!(
                "cargo run --release --example evaluate_generator -- {}",
                command.join(" ")
            ))
            .with_seeds(&[arguments.seed])
            .with_run_time(self.run_time),
        ))
    }

    fn summary_table(&self) -> Table {
        let columns = [
            "setting",
            "style accuracy",
            "identity",
            "BRISQUE",
            "styles that meet all aims",
        ];
        let mut table = Table::new("All styles", columns).with_caption(
            "Means over all edits. The aims of a style: accuracy of at least 80 %, 0.9 of the identity \
             that the simulator keeps, and a mean BRISQUE within the range of its simulated attacks.",
        );
        for column in std::iter::once(self.simulator).chain(self.columns) {
            let met = styles_that_meet_the_aims(column, self.simulator);
            table = table.with_row([
                Cell::from(column.name.as_str()),
                Cell::from(Measure::percent(column.all.style_accuracy)),
                Cell::from(Measure::plain(column.all.identity)),
                Cell::from(Measure::plain(column.all.brisque).with_decimals(1)),
                Cell::from(format!("{met} of {}", self.styles.len())),
            ]);
        }
        table
    }

    fn style_table(&self) -> Table {
        let cell = |figures: &Figures| {
            format!(
                "{:.0} % / {:.3} / {:.1}",
                100.0 * figures.style_accuracy,
                figures.identity,
                figures.brisque
            )
        };
        let all = || std::iter::once(self.simulator).chain(self.columns);
        let names = all().map(|column| column.name.clone());
        let mut table = Table::new(
            "Style by style",
            std::iter::once("style".to_owned()).chain(names),
        )
        .with_caption("Style accuracy / identity (cosine) / BRISQUE.");
        for (index, style) in self.styles.iter().enumerate() {
            let cells = all().map(|column| Cell::from(cell(&column.by_style[index])));
            table = table.with_row(std::iter::once(Cell::from(style.as_str())).chain(cells));
        }
        table
    }

    /// Curves over each axis that has more than one value, one line a style; each with its file name.
    fn curves(&self) -> Result<Vec<(String, Figure)>, ReportError> {
        let mut curves = Vec::new();
        let Some(reference) = self.columns.first().and_then(|column| column.setting) else {
            return Ok(curves);
        };
        for axis in Axis::ALL {
            let mut chosen: Vec<(f64, &Column)> = self
                .columns
                .iter()
                .filter_map(|column| Some((axis.value(&column.setting?, &reference)?, column)))
                .collect();
            if chosen.len() < 2 {
                continue;
            }
            chosen.sort_by(|a, b| a.0.total_cmp(&b.0));
            for quantity in Quantity::ALL {
                for (domain, styles) in self.styles.chunks(AttackKind::ALL.len()).enumerate() {
                    let first = domain * AttackKind::ALL.len();
                    let name = styles[0].split('/').next().unwrap_or_default();
                    let title = format!("{} over {}: {name}", quantity.name(), axis.label());
                    let mut chart = LineChart::new(&title, axis.label(), quantity.axis())
                        .with_unit(quantity.unit());
                    for (offset, style) in styles.iter().enumerate() {
                        let points = chosen
                            .iter()
                            .map(|&(x, column)| {
                                let index = first + offset;
                                (
                                    x,
                                    quantity.of(
                                        &column.by_style[index],
                                        &self.simulator.by_style[index],
                                    ),
                                )
                            })
                            .collect();
                        let label = style.rsplit('/').next().unwrap_or(style);
                        chart = chart.with_series(LineSeries::new(label, points));
                    }
                    if let Some((text, value)) = quantity.aim() {
                        chart = chart.with_reference(text, value);
                    }
                    let axis = axis.label().replace(' ', "_");
                    let file = format!("{}_over_{axis}_{name}", quantity.file());
                    curves.push((file, chart.figure()?));
                }
            }
        }
        Ok(curves)
    }
}

/// What a curve shows.
#[derive(Debug, Clone, Copy)]
enum Quantity {
    Style,
    /// Relative to what the simulator keeps.
    Identity,
    /// Relative to the simulated attacks.
    Brisque,
}

impl Quantity {
    const ALL: [Self; 3] = [Self::Style, Self::Identity, Self::Brisque];

    fn name(self) -> &'static str {
        match self {
            Self::Style => "Style accuracy",
            Self::Identity => "Identity",
            Self::Brisque => "BRISQUE",
        }
    }

    fn file(self) -> &'static str {
        match self {
            Self::Style => "style",
            Self::Identity => "identity",
            Self::Brisque => "brisque",
        }
    }

    fn axis(self) -> &'static str {
        match self {
            Self::Style => "style accuracy",
            Self::Identity => "cosine, share of the simulator's",
            Self::Brisque => "BRISQUE minus the simulator's",
        }
    }

    fn unit(self) -> Unit {
        match self {
            Self::Style => Unit::Percent,
            Self::Identity | Self::Brisque => Unit::Plain,
        }
    }

    fn aim(self) -> Option<(&'static str, f64)> {
        match self {
            Self::Style => Some(("aim", 0.8)),
            Self::Identity => Some(("aim", 0.9)),
            Self::Brisque => Some(("simulator", 0.0)),
        }
    }

    fn of(self, made: &Figures, simulated: &Figures) -> f64 {
        match self {
            Self::Style => made.style_accuracy,
            Self::Identity => made.identity / simulated.identity,
            Self::Brisque => made.brisque - simulated.brisque,
        }
    }
}
