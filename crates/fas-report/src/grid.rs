//! Sample grids: bona fide, style and generated images side by side, labelled.

use std::borrow::Cow;
use std::path::Path;

use font8x8::{BASIC_FONTS, LATIN_FONTS, UnicodeFonts};
use image::codecs::png::PngEncoder;
use image::imageops::{self, FilterType};
use image::{Rgb, RgbImage};

use crate::ReportError;
use crate::atomic::write_atomically;

/// One labelled row of a [`Grid`].
#[derive(Clone, Debug)]
pub struct GridRow {
    pub(crate) label: String,
    pub(crate) images: Vec<RgbImage>,
    pub(crate) captions: Vec<String>,
}

impl GridRow {
    /// A row of images of any size; rows may have different lengths.
    pub fn new(label: &str, images: Vec<RgbImage>) -> Self {
        Self {
            label: label.to_owned(),
            images,
            captions: Vec::new(),
        }
    }

    /// Adds a few words below each image, for example its quality score.
    ///
    /// # Panics
    ///
    /// If there is not one caption an image.
    pub fn with_captions(mut self, captions: Vec<String>) -> Self {
        assert_eq!(captions.len(), self.images.len(), "one caption an image");
        self.captions = captions;
        self
    }
}

/// A contact sheet: as PNG file alone, or in a report as a table of embedded images.
#[derive(Clone, Debug)]
pub struct Grid {
    pub(crate) title: String,
    pub(crate) columns: Vec<String>,
    pub(crate) rows: Vec<GridRow>,
    cell_size: u32,
}

/// Pixels a font pixel; the font is 8 by 8.
const FONT_SCALE: u32 = 2;
const CHARACTER: u32 = 8 * FONT_SCALE;
const LINE: u32 = CHARACTER + 4;
const GAP: u32 = 8;
const INK: Rgb<u8> = Rgb([31, 41, 55]);
const PAPER: Rgb<u8> = Rgb([255, 255, 255]);

impl Grid {
    /// A sheet of rows, 160 pixels a cell, without title and column labels.
    pub fn new(rows: Vec<GridRow>) -> Self {
        Self {
            title: String::new(),
            columns: Vec::new(),
            rows,
            cell_size: 160,
        }
    }

    /// Sets the title shown in a report.
    pub fn with_title(mut self, title: &str) -> Self {
        self.title = title.to_owned();
        self
    }

    /// Labels the columns from the left.
    pub fn with_columns<S: Into<String>>(mut self, columns: impl IntoIterator<Item = S>) -> Self {
        self.columns = columns.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the width and height of a cell of the PNG sheet, in pixels.
    ///
    /// # Panics
    ///
    /// If `pixels` is below 32.
    pub fn with_cell_size(mut self, pixels: u32) -> Self {
        assert!(
            pixels >= 32,
            "a cell of {pixels} pixels cannot hold an image and its label"
        );
        self.cell_size = pixels;
        self
    }

    /// Number of columns: that of the longest row, or of the labels.
    pub(crate) fn width(&self) -> usize {
        self.rows
            .iter()
            .map(|row| row.images.len())
            .chain([self.columns.len()])
            .max()
            .unwrap_or(0)
    }

    /// Draws the sheet: each image fitted into its cell, enlarged without smoothing, labels in a bitmap font.
    ///
    /// # Errors
    ///
    /// [`ReportError::Empty`] when there is no image.
    pub fn to_image(&self) -> Result<RgbImage, ReportError> {
        self.check()?;
        let cell = self.cell_size;
        let cell_characters = (cell / CHARACTER) as usize;
        let row_labels: Vec<_> = self.rows.iter().map(|row| wrap(&row.label, 12)).collect();
        let column_labels: Vec<_> = self
            .columns
            .iter()
            .map(|label| wrap(label, cell_characters))
            .collect();
        let left = longest(row_labels.iter().flatten()) * CHARACTER + 2 * GAP;
        let top = column_labels
            .iter()
            .map(|lines| lines.len() as u32)
            .max()
            .unwrap_or(0)
            * LINE
            + GAP;
        let captions = |row: &GridRow| -> Vec<Vec<String>> {
            row.captions
                .iter()
                .map(|caption| wrap(caption, cell_characters))
                .collect()
        };
        let row_height = |row: &GridRow| {
            let lines = captions(row).iter().map(Vec::len).max().unwrap_or(0) as u32;
            cell + GAP + lines * LINE
        };
        let width = left + self.width() as u32 * (cell + GAP);
        let height = top + self.rows.iter().map(row_height).sum::<u32>();
        let mut sheet = RgbImage::from_pixel(width, height, PAPER);

        for (column, lines) in (0..).zip(&column_labels) {
            draw_centred(
                &mut sheet,
                lines,
                left + column * (cell + GAP) + cell / 2,
                GAP / 2,
            );
        }
        let mut y = top;
        for (row, label) in self.rows.iter().zip(&row_labels) {
            let label_height = label.len() as u32 * LINE;
            for (index, line) in (0..).zip(label) {
                draw_text(
                    &mut sheet,
                    line,
                    GAP,
                    y + cell.saturating_sub(label_height) / 2 + index * LINE,
                );
            }
            let captions = captions(row);
            for (column, image) in row.images.iter().enumerate() {
                let x = left + column as u32 * (cell + GAP);
                let fitted = fit(image, cell);
                let (dx, dy) = ((cell - fitted.width()) / 2, (cell - fitted.height()) / 2);
                imageops::replace(&mut sheet, &*fitted, i64::from(x + dx), i64::from(y + dy));
                if let Some(lines) = captions.get(column) {
                    draw_centred(&mut sheet, lines, x + cell / 2, y + cell + 4);
                }
            }
            y += row_height(row);
        }
        Ok(sheet)
    }

    /// Writes the sheet as PNG, whole or not at all.
    ///
    /// # Errors
    ///
    /// No image to show, or the file cannot be written.
    pub fn write_png(&self, path: impl AsRef<Path>) -> Result<(), ReportError> {
        write_atomically(path.as_ref(), &encode_png(&self.to_image()?, &self.title)?)
    }

    pub(crate) fn check(&self) -> Result<(), ReportError> {
        let has_image = self
            .rows
            .iter()
            .flat_map(|row| &row.images)
            .any(|image| !image.is_empty());
        if has_image {
            Ok(())
        } else {
            Err(ReportError::Empty {
                name: self.title.clone(),
            })
        }
    }
}

/// The image as PNG bytes; `grid` is for the error.
pub(crate) fn encode_png(image: &RgbImage, grid: &str) -> Result<Vec<u8>, ReportError> {
    let mut bytes = Vec::new();
    image
        .write_with_encoder(PngEncoder::new(&mut bytes))
        .map_err(|source| ReportError::Png {
            grid: grid.to_owned(),
            source,
        })?;
    Ok(bytes)
}

/// The image scaled to fill a square cell: whole pixels repeated when it grows, smoothed when it shrinks.
fn fit(image: &RgbImage, cell: u32) -> Cow<'_, RgbImage> {
    let longest = image.width().max(image.height());
    if longest == cell || image.is_empty() {
        return Cow::Borrowed(image);
    }
    let scaled = |side: u32| (u64::from(side) * u64::from(cell) / u64::from(longest)).max(1) as u32;
    let filter = if longest < cell {
        FilterType::Nearest
    } else {
        FilterType::Triangle
    };
    Cow::Owned(imageops::resize(
        image,
        scaled(image.width()),
        scaled(image.height()),
        filter,
    ))
}

/// Lines of at most `max` characters, broken at spaces, inside a word only if it is longer than a line.
fn wrap(text: &str, max: usize) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for word in text.split_whitespace() {
        for piece in pieces(word, max) {
            match lines.last_mut() {
                Some(line) if line.chars().count() + 1 + piece.chars().count() <= max => {
                    line.push(' ');
                    line.push_str(&piece);
                }
                _ => lines.push(piece),
            }
        }
    }
    lines
}

/// A word in pieces of at most `max` characters, cut after `/`, `_` or `-` where a piece has one.
fn pieces(word: &str, max: usize) -> Vec<String> {
    let mut left: Vec<char> = word.chars().collect();
    let mut pieces = Vec::new();
    while left.len() > max {
        let joint = left[..max].iter().rposition(|c| "/_-".contains(*c));
        let rest = left.split_off(joint.map_or(max, |at| at + 1));
        pieces.push(left.into_iter().collect());
        left = rest;
    }
    pieces.push(left.into_iter().collect());
    pieces
}

fn longest<'a>(lines: impl Iterator<Item = &'a String>) -> u32 {
    lines.map(|line| line.chars().count()).max().unwrap_or(0) as u32
}

fn draw_centred(sheet: &mut RgbImage, lines: &[String], centre: u32, y: u32) {
    for (index, line) in (0..).zip(lines) {
        let half = line.chars().count() as u32 * CHARACTER / 2;
        draw_text(sheet, line, centre.saturating_sub(half), y + index * LINE);
    }
}

/// Draws a line of text; a character the font lacks is drawn as a question mark.
fn draw_text(sheet: &mut RgbImage, text: &str, x: u32, y: u32) {
    for (index, character) in (0..).zip(text.chars()) {
        let glyph = BASIC_FONTS
            .get(character)
            .or_else(|| LATIN_FONTS.get(character));
        let glyph = glyph.or_else(|| BASIC_FONTS.get('?')).unwrap_or_default();
        for (row, bits) in (0..).zip(glyph) {
            for column in (0..8).filter(|column| bits >> column & 1 == 1) {
                let (left, top) = (
                    x + index * CHARACTER + column * FONT_SCALE,
                    y + row * FONT_SCALE,
                );
                for (dx, dy) in
                    (0..FONT_SCALE).flat_map(|dx| (0..FONT_SCALE).map(move |dy| (dx, dy)))
                {
                    if let Some(pixel) = sheet.get_pixel_mut_checked(left + dx, top + dy) {
                        *pixel = INK;
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flat(color: [u8; 3], width: u32, height: u32) -> RgbImage {
        RgbImage::from_pixel(width, height, Rgb(color))
    }

    #[test]
    fn cells_are_where_the_labels_say() {
        let mut two_by_two = flat([255, 0, 0], 2, 2);
        two_by_two.put_pixel(1, 1, Rgb([0, 0, 255]));
        let grid = Grid::new(vec![
            GridRow::new("A", vec![two_by_two, flat([0, 255, 0], 64, 32)]),
            GridRow::new("B", vec![flat([9, 9, 9], 32, 32)]).with_captions(vec!["q 34".to_owned()]),
        ])
        .with_columns(["x", "y"])
        .with_cell_size(32);
        let sheet = grid.to_image().unwrap();
        // left = 16 + 16; top = 20 + 8; a cell is 32 + 8; the second row has two caption lines ("q", "34").
        assert_eq!(sheet.dimensions(), (32 + 2 * 40, 28 + 40 + 80));
        assert_eq!(sheet.get_pixel(32, 28), &Rgb([255, 0, 0]));
        assert_eq!(
            sheet.get_pixel(32 + 15, 28 + 16),
            &Rgb([255, 0, 0]),
            "enlarged without smoothing"
        );
        assert_eq!(sheet.get_pixel(32 + 16, 28 + 16), &Rgb([0, 0, 255]));
        assert_eq!(
            sheet.get_pixel(32 + 40, 28 + 7),
            &PAPER,
            "a wide image is centred"
        );
        assert_eq!(sheet.get_pixel(32 + 40, 28 + 8), &Rgb([0, 255, 0]));
        assert_eq!(sheet.get_pixel(32, 28 + 40), &Rgb([9, 9, 9]));
        assert_eq!(
            sheet.get_pixel(32 + 40, 28 + 40 + 16),
            &PAPER,
            "missing cell"
        );
        // Glyph "A" of the font starts with 0x0C: columns 2 and 3 of its first row, at x = 8, y = 28 + 6.
        assert_eq!(sheet.get_pixel(8 + 4, 34), &INK);
        assert_eq!(sheet.get_pixel(8 + 2, 34), &PAPER);
    }

    #[test]
    fn written_png_reads_back() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("grid.png");
        let grid =
            Grid::new(vec![GridRow::new("", vec![flat([1, 2, 3], 32, 32)])]).with_cell_size(32);
        grid.write_png(&path).unwrap();
        assert_eq!(
            image::open(&path).unwrap().into_rgb8(),
            grid.to_image().unwrap()
        );
    }

    #[test]
    fn no_image_is_an_error() {
        let grid = Grid::new(vec![GridRow::new("live", vec![])]).with_title("samples");
        assert!(
            grid.to_image()
                .unwrap_err()
                .to_string()
                .contains("`samples` has no data")
        );
        assert!(
            Grid::new(vec![GridRow::new("", vec![RgbImage::new(0, 0)])])
                .to_image()
                .is_err()
        );
    }

    #[test]
    fn labels_wrap_at_spaces() {
        assert_eq!(wrap("generated s = 2", 10), ["generated", "s = 2"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("sim-C/mask_paper", 8), ["sim-C/", "mask_", "paper"]);
        assert!(wrap(" ", 3).is_empty());
    }
}
