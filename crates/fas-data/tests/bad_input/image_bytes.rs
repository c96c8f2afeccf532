//! Image files made by rule, byte by byte where no encoder writes them.

use image::codecs::jpeg::JpegEncoder;
use image::{DynamicImage, ImageFormat, Rgb, RgbImage};

/// A 24 x 16 picture whose corners differ.
pub(crate) fn picture() -> RgbImage {
    RgbImage::from_fn(24, 16, |x, y| Rgb([10 * x as u8, 15 * y as u8, 128]))
}

/// `image` in the given format.
pub(crate) fn encode(image: impl Into<DynamicImage>, format: ImageFormat) -> Vec<u8> {
    let mut bytes = std::io::Cursor::new(Vec::new());
    image.into().write_to(&mut bytes, format).unwrap();
    bytes.into_inner()
}

/// `image` as JPEG of good quality.
pub(crate) fn jpeg(image: &RgbImage) -> Vec<u8> {
    let mut bytes = Vec::new();
    JpegEncoder::new_with_quality(&mut bytes, 98)
        .encode_image(image)
        .unwrap();
    bytes
}

/// Header of a PNG of the given size, RGB with 8 bits, with a correct checksum, and an empty body.
pub(crate) fn png_header(width: u32, height: u32) -> Vec<u8> {
    let mut header = [
        b"IHDR",
        &width.to_be_bytes()[..],
        &height.to_be_bytes(),
        &[8, 2, 0, 0, 0],
    ]
    .concat();
    let checksum = crc32(&header);
    header.extend(checksum.to_be_bytes());
    [
        b"\x89PNG\r\n\x1a\n\0\0\0\x0d",
        &header[..],
        b"\0\0\0\0IDAT\x35\xaf\x06\x1e",
    ]
    .concat()
}

fn crc32(bytes: &[u8]) -> u32 {
    !bytes.iter().fold(!0, |mut crc: u32, byte| {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = (crc >> 1) ^ (0xEDB8_8320 * (crc & 1));
        }
        crc
    })
}

/// A JPEG whose frame header promises another size.
pub(crate) fn jpeg_of_size(width: u16, height: u16) -> Vec<u8> {
    let mut bytes = jpeg(&picture());
    let frame = bytes
        .windows(2)
        .position(|pair| pair == [0xFF, 0xC0])
        .unwrap();
    bytes[frame + 5..frame + 7].copy_from_slice(&height.to_be_bytes());
    bytes[frame + 7..frame + 9].copy_from_slice(&width.to_be_bytes());
    bytes
}

/// A BMP whose header promises another size.
pub(crate) fn bmp_of_size(width: i32, height: i32) -> Vec<u8> {
    let mut bytes = encode(picture(), ImageFormat::Bmp);
    bytes[18..22].copy_from_slice(&width.to_le_bytes());
    bytes[22..26].copy_from_slice(&height.to_le_bytes());
    bytes
}

/// A baseline JPEG of 8 x 8 equal pixels with four components, as Adobe writes CMYK (`transform` 0)
/// and YCCK (2): ITU T.81. The components differ from 128 by 64 to 127 either way, so that each takes a
/// code of one bit, seven bits of value, and one bit for "no more coefficients".
pub(crate) fn four_component_jpeg(transform: u8, components: [u8; 4]) -> Vec<u8> {
    let mut bytes = vec![0xFF, 0xD8];
    bytes.extend([0xFF, 0xEE, 0, 14]);
    bytes.extend(b"Adobe\0\x64\0\0\0\0");
    bytes.push(transform);
    // The mean of a block is its first coefficient over 8: a step of 8 makes it the value itself.
    bytes.extend([0xFF, 0xDB, 0, 67, 0]);
    bytes.extend([8; 64]);
    bytes.extend([0xFF, 0xC0, 0, 20, 8, 0, 8, 0, 8, 4]);
    (1..=4).for_each(|id| bytes.extend([id, 0x11, 0]));
    for (class, symbol) in [(0x00, 7), (0x10, 0)] {
        bytes.extend([0xFF, 0xC4, 0, 20, class, 1]);
        bytes.extend([0; 15]);
        bytes.push(symbol);
    }
    bytes.extend([0xFF, 0xDA, 0, 14, 4, 1, 0, 2, 0, 3, 0, 4, 0, 0, 63, 0]);
    let mut bits = String::new();
    for component in components {
        let value = i32::from(component) - 128;
        assert!((64..=127).contains(&value.abs()));
        let code = if value > 0 { value } else { value + 127 };
        bits += &format!("0{code:07b}0");
    }
    while !bits.len().is_multiple_of(8) {
        bits.push('1');
    }
    bytes.extend(
        bits.as_bytes()
            .chunks(8)
            .map(|byte| u8::from_str_radix(std::str::from_utf8(byte).unwrap(), 2).unwrap()),
    );
    bytes.extend([0xFF, 0xD9]);
    bytes
}

/// `jpeg` with an EXIF segment that holds the orientation tag.
pub(crate) fn with_orientation(jpeg: &[u8], orientation: u8) -> Vec<u8> {
    let mut exif = b"Exif\0\0MM\0*\0\0\0\x08\0\x01".to_vec();
    exif.extend([
        0x01,
        0x12,
        0,
        3,
        0,
        0,
        0,
        1,
        0,
        orientation,
        0,
        0,
        0,
        0,
        0,
        0,
    ]);
    let length = (exif.len() as u16 + 2).to_be_bytes();
    [&jpeg[..2], &[0xFF, 0xE1], &length, &exif, &jpeg[2..]].concat()
}
