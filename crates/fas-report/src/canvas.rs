//! Lines, points, areas and text at data values: what plots draw with.
//!
//! The SVG backend knows whole pixels only, so a plot is drawn [`FINE`] times larger than its nominal size.

use plotters::backend::SVGBackend;
use plotters::style::text_anchor::{HPos, Pos, VPos};
use plotters::style::{Color, IntoTextStyle, ShapeStyle};
use plotters_backend::{DrawingBackend, DrawingErrorKind};

use crate::axis::Axis;
use crate::palette::Ink;

/// Drawn pixels a nominal pixel.
pub(crate) const FINE: i32 = 4;
const FONT: i32 = 12 * FINE;
/// Width of an average character of a sans-serif font, in ems; there is no font to ask.
const CHARACTER: f64 = 0.56;

/// Outcome of a drawing operation.
pub(crate) type Drawn = Result<(), DrawingErrorKind<std::io::Error>>;

/// About the width of a text, in pixels.
pub(crate) fn text_width(text: &str) -> i32 {
    (text.chars().count() as f64 * CHARACTER * f64::from(FONT)) as i32
}

/// A plot in the making; coordinates are data values unless a method says pixels.
pub(crate) struct Canvas<'a> {
    pub(crate) backend: SVGBackend<'a>,
    pub(crate) left: i32,
    pub(crate) right: i32,
    pub(crate) top: i32,
    pub(crate) bottom: i32,
    pub(crate) x: Axis,
    pub(crate) y: Axis,
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

    /// Dashed vertical line over the whole height.
    pub(crate) fn vertical_rule(&mut self, x: f64, ink: Ink) -> Drawn {
        let (x, _) = self.pixel((x, self.y.start()));
        self.dashes((x, self.bottom), (x, self.top), ink)
    }

    /// Label of a vertical rule, `row` lines below the top; on the side that has room.
    pub(crate) fn rule_label(&mut self, x: f64, label: &str, row: i32, ink: Ink) -> Drawn {
        let (x, _) = self.pixel((x, self.y.start()));
        let y = self.top + 2 * FINE + row * 15 * FINE;
        if x + text_width(label) + 6 * FINE > self.right {
            self.text(label, (x - 4 * FINE, y), HPos::Right, VPos::Top, ink)
        } else {
            self.text(label, (x + 4 * FINE, y), HPos::Left, VPos::Top, ink)
        }
    }

    /// Dashed horizontal line over the whole width.
    pub(crate) fn horizontal_rule(&mut self, y: f64, ink: Ink) -> Drawn {
        let (_, y) = self.pixel((self.x.start(), y));
        self.dashes((self.left, y), (self.right, y), ink)
    }

    /// Point of one of four shapes at a pixel.
    pub(crate) fn point_at(&mut self, (x, y): (i32, i32), shape: usize, ink: Ink) -> Drawn {
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

    /// Dashed line between two pixels.
    pub(crate) fn dashes(&mut self, from: (i32, i32), to: (i32, i32), ink: Ink) -> Drawn {
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
    pub(crate) fn text(&mut self, text: &str, at: (i32, i32), h: HPos, v: VPos, ink: Ink) -> Drawn {
        let color = ink.color();
        // Plotters writes sizes divided by 1.24.
        let style = ("sans-serif", f64::from(FONT) * 1.24)
            .into_text_style(&self.backend.get_size())
            .pos(Pos::new(h, v))
            .color(&color);
        self.backend.draw_text(text, &style, at)
    }
}

/// Stroke of a width in nominal pixels.
pub(crate) fn stroke(ink: Ink, nominal_width: f64) -> ShapeStyle {
    ink.color()
        .stroke_width((nominal_width * f64::from(FINE)).round() as u32)
}
