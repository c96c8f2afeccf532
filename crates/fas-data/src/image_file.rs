//! Reading an image file as 8-bit sRGB, whatever it holds, or a clear error.
//!
//! | file | result |
//! |---|---|
//! | 8-bit grey | the grey value in all three channels |
//! | 16 bits a channel | `(v + 128) / 257`, rounded down: the nearest 8-bit value |
//! | alpha | dropped, whatever its value, as Pillow's `convert("RGB")` and OpenCV's `imread` do |
//! | palette | its colours |
//! | CMYK or YCCK JPEG | read as Adobe writes them (inverted): `C * K / 255` for red, and so on |
//! | EXIF orientation | applied: the image comes out upright |
//! | ICC profile | ignored: values count as sRGB |
//! | floating point | [`DataError::UnsupportedPixelFormat`] |
//!
//! The format is recognised by the content; the name does not matter. Dimensions are checked before
//! memory for the pixels is taken.

use std::fs::{self, File};
use std::io::{BufReader, Cursor, Read};
use std::path::Path;

use image::{DynamicImage, ImageDecoder, ImageFormat, ImageReader, RgbImage};

use crate::DataError;

/// What is accepted by [`load_rgb_with_limits`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ImageLimits {
    /// Longest side, pixels.
    pub max_side: u32,
    /// Decoded size, bytes: width x height x channels x bytes a channel.
    pub max_decoded_bytes: u64,
    /// Size of the file, bytes.
    pub max_file_bytes: u64,
}

impl Default for ImageLimits {
    /// Sides up to 32,768 pixels, 512 MiB decoded (13,377 x 13,377 in RGB), files up to 256 MiB: more
    /// than any camera writes.
    fn default() -> Self {
        Self {
            max_side: 1 << 15,
            max_decoded_bytes: 512 << 20,
            max_file_bytes: 256 << 20,
        }
    }
}

/// Reads an image as 8-bit sRGB within the default [`ImageLimits`].
///
/// # Errors
///
/// See [`load_rgb_with_limits`].
pub fn load_rgb(path: impl AsRef<Path>) -> Result<RgbImage, DataError> {
    load_rgb_with_limits(path, &ImageLimits::default())
}

/// Reads an image as 8-bit sRGB; the conversions are in the table of `docs/bad-input.md`.
///
/// # Errors
///
/// All name the file: [`DataError::Io`] (missing, no permission), [`DataError::NotAFile`],
/// [`DataError::EmptyFile`], [`DataError::FileTooLarge`], [`DataError::UnknownImageFormat`],
/// [`DataError::ImageTooLarge`], [`DataError::TruncatedImage`], [`DataError::ImageDecode`],
/// [`DataError::UnsupportedPixelFormat`].
pub fn load_rgb_with_limits(
    path: impl AsRef<Path>,
    limits: &ImageLimits,
) -> Result<RgbImage, DataError> {
    let path = path.as_ref();
    let bytes = read_file(path, limits)?;
    let decode_error = |source| DataError::ImageDecode {
        path: path.to_owned(),
        source,
    };

    let mut reader = ImageReader::new(Cursor::new(&bytes));
    let format = recognise(&bytes).ok_or_else(|| DataError::UnknownImageFormat(path.to_owned()))?;
    reader.set_format(format);
    let mut reader_limits = image::Limits::default();
    reader_limits.max_alloc = Some(limits.max_decoded_bytes);
    reader.limits(reader_limits);
    let mut decoder = reader.into_decoder().map_err(decode_error)?;

    let (width, height) = decoder.dimensions();
    let decoded_bytes = decoder.total_bytes();
    if width.max(height) > limits.max_side || decoded_bytes > limits.max_decoded_bytes {
        return Err(DataError::ImageTooLarge {
            path: path.to_owned(),
            width,
            height,
            bytes: decoded_bytes,
            max_side: limits.max_side,
            max_decoded_bytes: limits.max_decoded_bytes,
        });
    }
    if format == ImageFormat::Jpeg && !has_end_of_image(&bytes) {
        return Err(DataError::TruncatedImage(path.to_owned()));
    }
    // A damaged orientation tag is no reason to lose the image.
    let orientation = decoder
        .orientation()
        .unwrap_or(image::metadata::Orientation::NoTransforms);
    let mut image = DynamicImage::from_decoder(decoder).map_err(decode_error)?;
    if matches!(
        image,
        DynamicImage::ImageRgb32F(_) | DynamicImage::ImageRgba32F(_)
    ) {
        return Err(DataError::UnsupportedPixelFormat {
            path: path.to_owned(),
            format: format!("{:?}", image.color()),
        });
    }
    image.apply_orientation(orientation);
    Ok(image.into_rgb8())
}

fn read_file(path: &Path, limits: &ImageLimits) -> Result<Vec<u8>, DataError> {
    let io_error = |source| DataError::Io {
        path: path.to_owned(),
        action: "read the image",
        source,
    };
    // Before opening: opening a pipe would wait for a writer.
    let metadata = fs::metadata(path).map_err(io_error)?;
    if !metadata.is_file() {
        return Err(DataError::NotAFile(path.to_owned()));
    }
    if metadata.len() > limits.max_file_bytes {
        return Err(DataError::FileTooLarge {
            path: path.to_owned(),
            bytes: metadata.len(),
            max_bytes: limits.max_file_bytes,
        });
    }
    let mut bytes = Vec::with_capacity(metadata.len() as usize);
    let file = File::open(path).map_err(io_error)?;
    BufReader::new(file.take(limits.max_file_bytes))
        .read_to_end(&mut bytes)
        .map_err(io_error)?;
    if bytes.is_empty() {
        return Err(DataError::EmptyFile(path.to_owned()));
    }
    Ok(bytes)
}

/// The format of an image that starts with `bytes`, if it is one that is read here. Twelve bytes
/// are enough.
pub(crate) fn recognise(bytes: &[u8]) -> Option<ImageFormat> {
    let format = image::guess_format(bytes).ok()?;
    let read_here = [
        ImageFormat::Bmp,
        ImageFormat::Jpeg,
        ImageFormat::Png,
        ImageFormat::Tiff,
        ImageFormat::WebP,
    ];
    read_here.contains(&format).then_some(format)
}

/// Whether a JPEG stream reaches its end marker.
///
/// The decoder fills what is missing with grey instead of failing, which would pass for an image of
/// low quality. Markers are walked as ITU T.81, annex B, has them, so that the end marker of an
/// embedded thumbnail does not count.
fn has_end_of_image(bytes: &[u8]) -> bool {
    const START_OF_IMAGE: u8 = 0xD8;
    const END_OF_IMAGE: u8 = 0xD9;
    let mut at = 0;
    loop {
        // To the next marker: within entropy-coded data, 0xFF00 is a data byte.
        while bytes.get(at).is_some_and(|byte| *byte != 0xFF) {
            at += 1;
        }
        let Some(&marker) = bytes.get(at + 1) else {
            return false;
        };
        match marker {
            END_OF_IMAGE => return true,
            0xFF => at += 1,
            // Stuffed byte, restart markers, and the other markers without a segment.
            0x00 | 0x01 | 0xD0..=START_OF_IMAGE => at += 2,
            _ => {
                let Some(length) = bytes.get(at + 2..at + 4) else {
                    return false;
                };
                at += 2 + usize::from(u16::from_be_bytes([length[0], length[1]]));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_marker_of_a_thumbnail_does_not_count() {
        // SOI, an APP1 segment of 8 bytes that contains FFD9, SOS of 2 bytes, data with a stuffed
        // byte and a restart marker, EOI.
        let image = [
            0xFF, 0xD8, 0xFF, 0xE1, 0, 8, 1, 2, 0xFF, 0xD9, 3, 4, 0xFF, 0xDA, 0, 2, 7, 0xFF, 0, 8,
            0xFF, 0xD0, 9, 0xFF, 0xFF, 0xD9,
        ];
        assert!(has_end_of_image(&image));
        let with_trailer = [&image[..], &[0, 1, 2]].concat();
        assert!(has_end_of_image(&with_trailer));
        for end in 0..image.len() {
            assert!(!has_end_of_image(&image[..end]), "cut at {end}");
        }
    }

    #[test]
    fn formats_are_recognised_by_content() {
        assert_eq!(recognise(b"\x89PNG\r\n\x1a\nIHDR"), Some(ImageFormat::Png));
        assert_eq!(
            recognise(&[0xFF, 0xD8, 0xFF, 0xE0]),
            Some(ImageFormat::Jpeg)
        );
        assert_eq!(recognise(b"RIFF\0\0\0\0WEBP"), Some(ImageFormat::WebP));
        assert_eq!(recognise(b"GIF89a"), None);
        assert_eq!(recognise(b"hello"), None);
    }
}
