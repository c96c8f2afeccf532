//! The frame all plots share: legend, axes, grid lines and marks, drawn as SVG.
//!
//! The SVG backend knows whole pixels only, so a plot is drawn [`FINE`] times larger than its nominal size.

use plotters::backend::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoTextStyle, ShapeStyle};
use plotters_backend::{DrawingBackend, DrawingErrorKind};

use crate::ReportError;
use crate::axis::Axis;
use crate::palette::{self, Ink};

/// Drawn pixels a nominal pixel.
const FINE: i32 = 4;
/// Nominal width; about that of a phone, so that text keeps its size there.
const WIDTH: i32 = 420 * FINE;
/// Nominal height of plot, axis labels and the label of the y axis, without the legend.
const BODY_HEIGHT: i32 = 290 * FINE;
const LEGEND_ROW: i32 = 19 * FINE;
const FONT: i32 = 12 * FINE;
/// Width of an average character of a sans-serif font, in ems; there is no font to ask.
const CHARACTER: f64 = 0.56;

/// How a legend entry or a point is marked.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum Mark {
    /// Plain line.
    Line,
    /// Line with points of the shape at this index.
    Point(usize),
    /// Filled area with an outline.
    Area,
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

type Drawn = Result<(), DrawingErrorKind<std::io::Error>>;

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
            left: ((self.y.label_width() as f64 * CHARACTER * f64::from(FONT)) as i32) + 10 * FINE,
            right: WIDTH - 16 * FINE,
            top: top + 30 * FINE,
            bottom: height - 42 * FINE,
            x: self.x,
            y: self.y,
        };
        let drawn = canvas
            .frame(height, self.x_label, self.y_label, top)
            .and_then(|()| canvas.legend(&self.legend, &places))
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
        let width =
            38 * FINE + (entry.name.chars().count() as f64 * CHARACTER * f64::from(FONT)) as i32;
        if x > 6 * FINE && x + width > WIDTH {
            (x, row) = (6 * FINE, row + 1);
        }
        places.push((x, row));
        x += width;
    }
    places
}

/// A plot in the making; coordinates are data values unless a method says pixels.
pub(crate) struct Canvas<'a> {
    backend: SVGBackend<'a>,
    left: i32,
    right: i32,
    top: i32,
    bottom: i32,
    x: Axis,
    y: Axis,
}

impl Canvas<'_> {
    fn pixel(&self, (x, y): (f64, f64)) -> (i32, i32) {
        (
            self.x.place(x, self.left, self.right),
            self.y.place(y, self.bottom, self.top),
        )
    }

    /// Line through the points; neighbours that fall on one pixel are drawn once.
    pub(crate) fn line(&mut self, points: &[(f64, f64)], ink: Ink) -> Drawn {
        let mut pixels: Vec<_> = points.iter().map(|point| self.pixel(*point)).collect();
        pixels.dedup();
        self.backend.draw_path(pixels, &stroke(ink, 2.0))
    }

    /// Thin line between two points.
    pub(crate) fn thin_line(&mut self, from: (f64, f64), to: (f64, f64), ink: Ink) -> Drawn {
        let (from, to) = (self.pixel(from), self.pixel(to));
        self.backend.draw_line(from, to, &stroke(ink, 1.2))
    }

    /// Area between the points and the lower end of the y axis, with its outline.
    pub(crate) fn area(&mut self, points: &[(f64, f64)], ink: Ink, opacity: f64) -> Drawn {
        let outline: Vec<_> = points.iter().map(|point| self.pixel(*point)).collect();
        let (Some(first), Some(last)) = (outline.first(), outline.last()) else {
            return Ok(());
        };
        let mut polygon = outline.clone();
        polygon.extend([(last.0, self.bottom), (first.0, self.bottom)]);
        self.backend
            .fill_polygon(polygon, &ink.color().mix(opacity).filled())?;
        self.backend.draw_path(outline, &stroke(ink, 1.6))
    }

    /// Point of one of four shapes, so that series differ without colour.
    pub(crate) fn point(&mut self, at: (f64, f64), shape: usize, ink: Ink) -> Drawn {
        let at = self.pixel(at);
        self.point_at(at, shape, ink)
    }

    /// Whisker from `lower` to `upper` with caps.
    pub(crate) fn whisker(&mut self, x: f64, lower: f64, upper: f64, ink: Ink) -> Drawn {
        let (lower, upper) = (self.pixel((x, lower)), self.pixel((x, upper)));
        let style = stroke(ink, 1.2);
        self.backend.draw_line(lower, upper, &style)?;
        for (x, y) in [lower, upper] {
            self.backend
                .draw_line((x - 3 * FINE, y), (x + 3 * FINE, y), &style)?;
        }
        Ok(())
    }

    /// Dashed vertical line over the whole height with a label at its top, `row` lines down.
    pub(crate) fn vertical_rule(&mut self, x: f64, label: &str, row: i32, ink: Ink) -> Drawn {
        let (x, _) = self.pixel((x, self.y.start()));
        self.dashes((x, self.bottom), (x, self.top), ink)?;
        let width = (label.chars().count() as f64 * CHARACTER * f64::from(FONT)) as i32;
        let y = self.top + 2 * FINE + row * 15 * FINE;
        if x + width + 6 * FINE > self.right {
            self.text(label, (x - 4 * FINE, y), HPos::Right, VPos::Top, ink)
        } else {
            self.text(label, (x + 4 * FINE, y), HPos::Left, VPos::Top, ink)
        }
    }

    /// Dashed horizontal line over the whole width with a label above its right end.
    pub(crate) fn horizontal_rule(&mut self, y: f64, label: &str, ink: Ink) -> Drawn {
        let (_, y) = self.pixel((self.x.start(), y));
        self.dashes((self.left, y), (self.right, y), ink)?;
        self.text(
            label,
            (self.right - 2 * FINE, y - 3 * FINE),
            HPos::Right,
            VPos::Bottom,
            ink,
        )
    }

    /// Background, grid lines, axes and their labels; `label_top` is the pixel above the y label.
    fn frame(&mut self, height: i32, x_label: &str, y_label: &str, label_top: i32) -> Drawn {
        let (left, right, top, bottom) = (self.left, self.right, self.top, self.bottom);
        self.backend.draw_rect(
            (0, 0),
            (WIDTH, height),
            &palette::PAPER.color().filled(),
            true,
        )?;
        let grid = stroke(palette::GRID, 1.0);
        for (value, label) in self.x.ticks().collect::<Vec<_>>() {
            let x = self.x.place(value, left, right);
            self.backend.draw_line((x, bottom), (x, top), &grid)?;
            self.text(
                &label,
                (x, bottom + 6 * FINE),
                HPos::Center,
                VPos::Top,
                palette::MUTED,
            )?;
        }
        for (value, label) in self.y.ticks().collect::<Vec<_>>() {
            let y = self.y.place(value, bottom, top);
            self.backend.draw_line((left, y), (right, y), &grid)?;
            self.text(
                &label,
                (left - 6 * FINE, y),
                HPos::Right,
                VPos::Center,
                palette::MUTED,
            )?;
        }
        let axis = stroke(palette::AXIS, 1.2);
        self.backend
            .draw_path([(left, top), (left, bottom), (right, bottom)], &axis)?;
        let middle = (left + right) / 2;
        self.text(
            x_label,
            (middle, bottom + 23 * FINE),
            HPos::Center,
            VPos::Top,
            palette::TEXT,
        )?;
        self.text(
            y_label,
            (6 * FINE, label_top + 6 * FINE),
            HPos::Left,
            VPos::Top,
            palette::TEXT,
        )
    }

    fn legend(&mut self, legend: &[Entry], places: &[(i32, i32)]) -> Drawn {
        for (entry, (x, row)) in legend.iter().zip(places) {
            let y = row * LEGEND_ROW + LEGEND_ROW / 2;
            match entry.mark {
                Mark::Line => {
                    self.backend
                        .draw_line((*x, y), (x + 18 * FINE, y), &stroke(entry.ink, 2.4))?;
                }
                Mark::Point(shape) => {
                    self.backend
                        .draw_line((*x, y), (x + 18 * FINE, y), &stroke(entry.ink, 2.0))?;
                    self.point_at((x + 9 * FINE, y), shape, entry.ink)?;
                }
                Mark::Area => {
                    let style = entry.ink.color().filled();
                    self.backend.draw_rect(
                        (x + 4 * FINE, y - 5 * FINE),
                        (x + 16 * FINE, y + 5 * FINE),
                        &style,
                        true,
                    )?;
                }
            }
            self.text(
                &entry.name,
                (x + 23 * FINE, y),
                HPos::Left,
                VPos::Center,
                palette::TEXT,
            )?;
        }
        Ok(())
    }

    fn point_at(&mut self, (x, y): (i32, i32), shape: usize, ink: Ink) -> Drawn {
        let style = ink.color().filled();
        let r = 4 * FINE;
        match shape % 4 {
            0 => self.backend.draw_circle((x, y), r as u32, &style, true),
            1 => {
                self.backend
                    .draw_rect((x - r + 2, y - r + 2), (x + r - 2, y + r - 2), &style, true)
            }
            2 => self.backend.fill_polygon(
                [(x, y - r - 3), (x + r + 2, y + r), (x - r - 2, y + r)],
                &style,
            ),
            _ => {
                let r = r + 4;
                self.backend
                    .fill_polygon([(x, y - r), (x + r, y), (x, y + r), (x - r, y)], &style)
            }
        }
    }

    fn dashes(&mut self, from: (i32, i32), to: (i32, i32), ink: Ink) -> Drawn {
        let (dx, dy) = (f64::from(to.0 - from.0), f64::from(to.1 - from.1));
        let length = dx.hypot(dy);
        let along = |distance: f64| {
            let share = (distance / length).min(1.0);
            (
                from.0 + (dx * share).round() as i32,
                from.1 + (dy * share).round() as i32,
            )
        };
        let (dash, gap) = (f64::from(5 * FINE), f64::from(4 * FINE));
        for index in 0..(length / (dash + gap)).ceil() as i32 {
            let start = f64::from(index) * (dash + gap);
            self.backend
                .draw_line(along(start), along(start + dash), &stroke(ink, 1.3))?;
        }
        Ok(())
    }

    /// Text at a pixel.
    fn text(&mut self, text: &str, at: (i32, i32), h: HPos, v: VPos, ink: Ink) -> Drawn {
        let color = ink.color();
        // Plotters writes sizes divided by 1.24.
        let style = ("sans-serif", f64::from(FONT) * 1.24)
            .into_text_style(&(WIDTH as u32, BODY_HEIGHT as u32))
            .pos(Pos::new(h, v))
            .color(&color);
        self.backend.draw_text(text, &style, at)
    }
}

fn stroke(ink: Ink, nominal_width: f64) -> ShapeStyle {
    ink.color()
        .stroke_width((nominal_width * f64::from(FINE)).round() as u32)
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
        // left = 3 characters ("0.2") * 0.56 * 48 + 40 = 120; right = 1680 - 64; top = 120; bottom = 1160 - 168.
        let svg = frame(vec![])
            .draw(|canvas| {
                canvas.line(
                    &[(0.0, 0.0), (0.5, 0.5), (1.0, 1.0), (1.0, 2.0)],
                    palette::series(0),
                )
            })
            .unwrap();
        assert!(
            svg.contains("points=\"120,992 868,556 1616,120 \""),
            "{svg}"
        );
        assert!(svg.contains("viewBox=\"0 0 1680 1160\""));
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
        let legend: Vec<_> = (0..3).map(|_| entry("a name of twenty-five chs")).collect();
        // Each entry is 38 * 4 + 25 * 0.56 * 48 = 824 wide: one a row would overflow after 24 + 2 * 824 = 1672.
        assert_eq!(legend_places(&legend), [(24, 0), (848, 0), (24, 1)]);
        let svg = frame(legend).draw(|_| Ok(())).unwrap();
        assert!(svg.contains("viewBox=\"0 0 1680 1312\""));
    }
}
