//! PADISI's arrays: rows of an exported `.npy` of shape `[samples, 3, height, width]`, and `.npz` archives
//! with `data` of shape `[1, 22, height, width]`, whose first three channels are colour. Values are
//! `[0, 1]` floats or 8-bit, and channels **blue first**.
//!
//! The header of the format (NumPy enhancement proposal 1) is read here: the crates that do it bring a
//! parser generator and C along.

use std::fs::File;
use std::io::{self, BufReader, Read, Seek};
use std::path::Path;

use image::{Rgb, RgbImage};

use crate::{DataError, RecordingError};

/// Values of one image that are read at most.
const MAX_VALUES: u64 = 1 << 28;
/// Longest header that is read, bytes.
const MAX_HEADER: u64 = 1 << 16;

/// Row `row` of an array of images.
pub(super) fn read_row(path: &Path, row: usize) -> Result<RgbImage, DataError> {
    let failed = |error: io::Error| array_error(path, error.to_string());
    let mut file = File::open(path).map_err(failed)?;
    let header = NpyHeader::from_reader(&mut file).map_err(failed)?;
    let image = ImageArray::of(path, &header, row)?;
    file.seek_relative(image.skip).map_err(failed)?;
    image.read(path, &mut BufReader::new(file))
}

/// The colour image of a multi-spectral archive.
pub(super) fn read_archive(path: &Path) -> Result<RgbImage, DataError> {
    let file = File::open(path).map_err(|error| array_error(path, error.to_string()))?;
    let failed = |error: zip::result::ZipError| array_error(path, error.to_string());
    let mut archive = zip::ZipArchive::new(BufReader::new(file)).map_err(failed)?;
    let mut entry = archive
        .by_name("data.npy")
        .map_err(|error| array_error(path, format!("array `data`: {error}")))?;
    let header =
        NpyHeader::from_reader(&mut entry).map_err(|error| array_error(path, error.to_string()))?;
    ImageArray::of(path, &header, 0)?.read(path, &mut entry)
}

/// What the header of a `.npy` file says.
#[derive(Debug, PartialEq)]
struct NpyHeader {
    descr: String,
    fortran_order: bool,
    shape: Vec<u64>,
}

impl NpyHeader {
    /// Reads the magic bytes, the version, the length and the dictionary, for instance
    /// `{'descr': '<f4', 'fortran_order': False, 'shape': (3, 4), }`.
    fn from_reader(source: &mut impl Read) -> io::Result<Self> {
        let bad = |what| io::Error::new(io::ErrorKind::InvalidData, what);
        let mut start = [0; 8];
        source.read_exact(&mut start)?;
        if !start.starts_with(b"\x93NUMPY") {
            return Err(bad("no NumPy array"));
        }
        let length = if start[6] == 1 {
            let mut length = [0; 2];
            source.read_exact(&mut length)?;
            u64::from(u16::from_le_bytes(length))
        } else {
            let mut length = [0; 4];
            source.read_exact(&mut length)?;
            u64::from(u32::from_le_bytes(length))
        };
        let mut text = String::new();
        let read = source
            .take(length.min(MAX_HEADER))
            .read_to_string(&mut text)?;
        if read as u64 != length {
            return Err(bad("the header is cut or too long"));
        }
        Self::parse(&text)
            .ok_or_else(|| bad("the header is no dictionary of descr, fortran_order and shape"))
    }

    fn parse(text: &str) -> Option<Self> {
        let value = |key: &str| {
            let (_, rest) = text.split_once(&format!("'{key}':"))?;
            Some(rest.trim_start())
        };
        let (descr, _) = value("descr")?.strip_prefix('\'')?.split_once('\'')?;
        let (shape, _) = value("shape")?.strip_prefix('(')?.split_once(')')?;
        let sides = shape
            .split(',')
            .map(str::trim)
            .filter(|side| !side.is_empty());
        Some(Self {
            descr: descr.to_owned(),
            fortran_order: match value("fortran_order")? {
                rest if rest.starts_with("False") => false,
                rest if rest.starts_with("True") => true,
                _ => return None,
            },
            shape: sides.map(|side| side.parse().ok()).collect::<Option<_>>()?,
        })
    }
}

/// Where an image is in an array.
struct ImageArray {
    kind: Kind,
    height: usize,
    width: usize,
    /// Bytes before the image.
    skip: i64,
}

#[derive(Clone, Copy)]
enum Kind {
    U8,
    F32,
    F64,
}

impl Kind {
    fn bytes(self) -> usize {
        match self {
            Self::U8 => 1,
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }
}

impl ImageArray {
    fn of(path: &Path, header: &NpyHeader, row: usize) -> Result<Self, DataError> {
        let bad = |reason: String| Err(array_error(path, reason));
        let kind = match header.descr.as_str() {
            "|u1" => Kind::U8,
            "<f4" => Kind::F32,
            "<f8" => Kind::F64,
            other => return bad(format!("values of type {other}; known are |u1, <f4, <f8")),
        };
        let shape = &header.shape;
        let [rows, channels, height, width] = shape[..] else {
            return bad(format!(
                "the shape is {shape:?}, not [samples, channels, height, width]"
            ));
        };
        let values = channels.saturating_mul(height).saturating_mul(width);
        let fortran = header.fortran_order;
        if channels < 3 || height == 0 || width == 0 || values > MAX_VALUES || fortran {
            return bad(format!(
                "shape {shape:?}, Fortran order {fortran}, is no array of images"
            ));
        }
        let skip = (row as u64)
            .checked_mul(values * kind.bytes() as u64)
            .and_then(|bytes| i64::try_from(bytes).ok());
        let (true, Some(skip)) = ((row as u64) < rows, skip) else {
            return bad(format!("row {row} of {rows}"));
        };
        Ok(Self {
            kind,
            height: height as usize,
            width: width as usize,
            skip,
        })
    }

    fn read(&self, path: &Path, source: &mut impl Read) -> Result<RgbImage, DataError> {
        let plane = self.height * self.width;
        let mut bytes = vec![0; 3 * plane * self.kind.bytes()];
        source
            .read_exact(&mut bytes)
            .map_err(|error| array_error(path, error.to_string()))?;
        let value = |index: usize| -> Option<u8> {
            let float = match self.kind {
                Kind::U8 => return Some(bytes[index]),
                Kind::F32 => {
                    f64::from(f32::from_le_bytes(bytes[index * 4..][..4].try_into().ok()?))
                }
                Kind::F64 => f64::from_le_bytes(bytes[index * 8..][..8].try_into().ok()?),
            };
            (0.0..=1.0)
                .contains(&float)
                .then(|| (float * 255.0).round() as u8)
        };
        let mut image = RgbImage::new(self.width as u32, self.height as u32);
        for (at, pixel) in image.pixels_mut().enumerate() {
            // Blue comes first.
            let (Some(red), Some(green), Some(blue)) =
                (value(2 * plane + at), value(plane + at), value(at))
            else {
                return Err(array_error(path, "a value outside [0, 1]".to_owned()));
            };
            *pixel = Rgb([red, green, blue]);
        }
        Ok(image)
    }
}

fn array_error(path: &Path, reason: String) -> DataError {
    RecordingError::Array {
        path: path.to_owned(),
        reason,
    }
    .into()
}
