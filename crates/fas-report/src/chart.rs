//! The frame all plots share: legend, axes and grid lines, drawn as SVG.

use plotters::backend::SVGBackend;
use plotters::style::Color;
use plotters::style::text_anchor::{HPos, VPos};
use plotters_backend::DrawingBackend;

use crate::ReportError;
use crate::axis::Axis;
use crate::canvas::{Canvas, Drawn, FINE, stroke, text_width};
use crate::palette::{self, Ink};

/// Nominal width: that of a phone, so that text keeps its size there.
const WIDTH: i32 = 390 * FINE;
/// Nominal height of plot, axis labels and the label of the y axis, without the legend.
const BODY_HEIGHT: i32 = 280 * FINE;
const LEGEND_ROW: i32 = 19 * FINE;

/// How a legend entry or a point is marked.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mark {
    /// Plain line.
    Line,
    /// Line with points of the shape at this index.
    Point(usize),
    /// A point alone, of the shape at this index.
    Dot(usize),
    /// Filled area with an outline.
    Area,
    /// Dashed line, for a rule.
    Dashed,
}

/// One entry of the legend.
pub(crate) struct Entry {
    /// Text.
    pub(crate) name: String,
    /// Colour.
    pub(crate) ink: Ink,
    /// Sign before the text.
    pub(crate) mark: Mark,
}

/// What to draw around the data.
pub(crate) struct Frame<'a> {
    /// Title, for errors.
    pub(crate) title: &'a str,
    /// Text alternative for readers who cannot see the plot.
    pub(crate) alt: &'a str,
    /// Label under the x axis.
    pub(crate) x_label: &'a str,
    /// Label above the y axis.
    pub(crate) y_label: &'a str,
    /// The x axis.
    pub(crate) x: Axis,
    /// The y axis.
    pub(crate) y: Axis,
    /// Legend.
    pub(crate) legend: Vec<Entry>,
}

impl Frame<'_> {
    /// The whole SVG; `draw_data` draws between the grid and the axes.
    pub(crate) fn draw(
        self,
        draw_data: impl FnOnce(&mut Canvas<'_>) -> Drawn,
    ) -> Result<String, ReportError> {
        let places = legend_places(&self.legend);
        let legend_rows = places.last().map_or(0, |(_, row)| row + 1);
        let top = legend_rows * LEGEND_ROW;
        let height = top + BODY_HEIGHT;
        let mut svg = String::new();
        let mut canvas = Canvas {
            backend: SVGBackend::with_string(&mut svg, (WIDTH as u32, height as u32)),
            left: text_width(&self.y.longest_label()) + 10 * FINE,
            right: WIDTH - 24 * FINE,
            top: top + 30 * FINE,
            bottom: height - 42 * FINE,
            x: self.x,
            y: self.y,
        };
        let drawn = draw_axes(&mut canvas, height, self.x_label, self.y_label, top)
            .and_then(|()| draw_legend(&mut canvas, &self.legend, &places))
            .and_then(|()| draw_data(&mut canvas))
            .and_then(|()| canvas.backend.present());
        drop(canvas);
        drawn.map_err(|error| ReportError::Drawing {
            figure: self.title.to_owned(),
            reason: error.to_string(),
        })?;
        let opening = format!(
            "<svg class=\"plot\" role=\"img\" aria-label=\"{}\" ",
            escape_attribute(self.alt)
        );
        Ok(svg.replacen("<svg ", &opening, 1))
    }
}

/// Left end and row of each legend entry, wrapped at the right edge.
fn legend_places(legend: &[Entry]) -> Vec<(i32, i32)> {
    let (mut x, mut row) = (6 * FINE, 0);
    let mut places = Vec::with_capacity(legend.len());
    for entry in legend {
        let width = 38 * FINE + text_width(&entry.name);
        if x > 6 * FINE && x + width > WIDTH {
            (x, row) = (6 * FINE, row + 1);
        }
        places.push((x, row));
        x += width;
    }
    places
}

/// Background, grid lines, axes and their labels; `label_top` is the pixel above the y label.
fn draw_axes(
    canvas: &mut Canvas<'_>,
    height: i32,
    x_label: &str,
    y_label: &str,
    label_top: i32,
) -> Drawn {
    let (left, right, top, bottom) = (canvas.left, canvas.right, canvas.top, canvas.bottom);
    canvas.backend.draw_rect(
        (0, 0),
        (WIDTH, height),
        &palette::PAPER.color().filled(),
        true,
    )?;
    let grid = stroke(palette::GRID, 1.0);
    for (value, label) in canvas.x.ticks().collect::<Vec<_>>() {
        let x = canvas.x.place(value, left, right);
        canvas.backend.draw_line((x, bottom), (x, top), &grid)?;
        canvas.text(
            &label,
            (x, bottom + 6 * FINE),
            HPos::Center,
            VPos::Top,
            palette::MUTED,
        )?;
    }
    for (value, label) in canvas.y.ticks().collect::<Vec<_>>() {
        let y = canvas.y.place(value, bottom, top);
        canvas.backend.draw_line((left, y), (right, y), &grid)?;
        canvas.text(
            &label,
            (left - 6 * FINE, y),
            HPos::Right,
            VPos::Center,
            palette::MUTED,
        )?;
    }
    let axis = stroke(palette::AXIS, 1.2);
    canvas
        .backend
        .draw_path([(left, top), (left, bottom), (right, bottom)], &axis)?;
    let middle = (left + right) / 2;
    canvas.text(
        x_label,
        (middle, bottom + 23 * FINE),
        HPos::Center,
        VPos::Top,
        palette::TEXT,
    )?;
    canvas.text(
        y_label,
        (6 * FINE, label_top + 6 * FINE),
        HPos::Left,
        VPos::Top,
        palette::TEXT,
    )
}

fn draw_legend(canvas: &mut Canvas<'_>, legend: &[Entry], places: &[(i32, i32)]) -> Drawn {
    for (entry, (x, row)) in legend.iter().zip(places) {
        let y = row * LEGEND_ROW + LEGEND_ROW / 2;
        match entry.mark {
            Mark::Line => {
                canvas
                    .backend
                    .draw_line((*x, y), (x + 18 * FINE, y), &stroke(entry.ink, 2.4))?;
            }
            Mark::Point(shape) => {
                canvas
                    .backend
                    .draw_line((*x, y), (x + 18 * FINE, y), &stroke(entry.ink, 2.0))?;
                canvas.point_at((x + 9 * FINE, y), shape, entry.ink)?;
            }
            Mark::Dot(shape) => canvas.point_at((x + 9 * FINE, y), shape, entry.ink)?,
            Mark::Dashed => canvas.dashes((*x, y), (x + 18 * FINE, y), entry.ink)?,
            Mark::Area => {
                let style = entry.ink.color().filled();
                canvas.backend.draw_rect(
                    (x + 4 * FINE, y - 5 * FINE),
                    (x + 16 * FINE, y + 5 * FINE),
                    &style,
                    true,
                )?;
            }
        }
        canvas.text(
            &entry.name,
            (x + 23 * FINE, y),
            HPos::Left,
            VPos::Center,
            palette::TEXT,
        )?;
    }
    Ok(())
}

/// Text made safe inside a double-quoted attribute.
pub(crate) fn escape_attribute(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            other => escaped.push(other),
        }
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Unit;

    fn frame<'a>(legend: Vec<Entry>) -> Frame<'a> {
        let axis = Axis::linear(0.0..1.0, 5, Unit::Plain);
        Frame {
            title: "t",
            alt: "a \"b\" <c>",
            x_label: "x & y",
            y_label: "y",
            x: axis.clone(),
            y: axis,
            legend,
        }
    }

    fn entry(name: &str) -> Entry {
        Entry {
            name: name.to_owned(),
            ink: palette::series(0),
            mark: Mark::Line,
        }
    }

    #[test]
    fn corners_and_centre_fall_where_the_layout_says() {
        // left = 3 characters ("0.2") * 0.56 * 48 + 40 = 120; right = 1560 - 96; top = 120; bottom = 1120 - 168.
        let svg = frame(vec![])
            .draw(|canvas| {
                canvas.line(
                    &[(0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (1.0, 2.0)],
                    palette::series(0),
                )
            })
            .unwrap();
        assert!(
            svg.contains("points=\"120,952 792,536 1464,120 \""),
            "{svg}"
        );
        assert!(svg.contains("viewBox=\"0 0 1560 1120\""));
    }

    #[test]
    fn text_is_escaped_everywhere() {
        let svg = frame(vec![entry("<script>")]).draw(|_| Ok(())).unwrap();
        assert!(svg.starts_with(
            "<svg class=\"plot\" role=\"img\" aria-label=\"a &quot;b&quot; &lt;c&gt;\" "
        ));
        assert!(
            svg.contains("x &amp; y")
                && svg.contains("&lt;script&gt;")
                && !svg.contains("<script>")
        );
        assert!(svg.trim_end().ends_with("</svg>"));
    }

    #[test]
    fn legend_wraps_at_the_right_edge() {
        let legend: Vec<_> = (0..3).map(|_| entry("a name of 15 ch")).collect();
        // Each entry is 38 * 4 + 15 * 0.56 * 48 = 555 wide; a third would end at 24 + 3 * 555 = 1689.
        assert_eq!(legend_places(&legend), [(24, 0), (579, 0), (24, 1)]);
        let svg = frame(legend).draw(|_| Ok(())).unwrap();
        assert!(svg.contains("viewBox=\"0 0 1560 1272\""));
    }
}
