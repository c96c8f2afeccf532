//! Taking file names apart.

use crate::Media;

const IMAGE: [&str; 7] = ["bmp", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// Containers that people re-encode videos to.
const VIDEO: [&str; 8] = ["avi", "mov", "mp4", "mkv", "m4v", "webm", "mpg", "wmv"];

/// Folder, stem and extension of a path with `/`. The extension is what follows the last dot.
pub(super) fn split_path(path: &str) -> (&str, &str, &str) {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    let (stem, extension) = name.rsplit_once('.').unwrap_or((name, ""));
    (folder, stem, extension)
}

/// Whether the extension is a video's: `Some(true)` for one of the publisher's (any case),
/// `Some(false)` for another container, `None` for no video.
pub(super) fn video(extension: &str, publishers: &[&str]) -> Option<bool> {
    let is = |known: &&str| extension.eq_ignore_ascii_case(known);
    if publishers.iter().any(is) {
        Some(true)
    } else {
        VIDEO.iter().any(is).then_some(false)
    }
}

/// What kind of file an extension stands for, where any data set may use it.
pub(super) fn media_of(extension: &str) -> Option<Media> {
    let is = |known: &&str| extension.eq_ignore_ascii_case(known);
    if VIDEO.iter().any(is) {
        Some(Media::Video)
    } else if IMAGE.iter().any(is) {
        Some(Media::Image)
    } else if ["hdf5", "h5"].iter().any(is) {
        Some(Media::Hdf5)
    } else {
        ["npz"].iter().any(is).then_some(Media::Npz)
    }
}

/// Whether the file is an image, by its extension.
pub(crate) fn is_image(path: &str) -> bool {
    media_of(split_path(path).2) == Some(Media::Image)
}

/// Whether the file holds recordings, by its extension.
pub(crate) fn is_media(path: &str) -> bool {
    let (.., extension) = split_path(path);
    media_of(extension).is_some() || extension.eq_ignore_ascii_case("npy")
}

/// A number of exactly `width` digits within `range`.
pub(super) fn number(
    text: &str,
    width: usize,
    range: std::ops::RangeInclusive<u32>,
) -> Option<u32> {
    let digits = text.len() == width && text.bytes().all(|byte| byte.is_ascii_digit());
    let value = digits.then(|| text.parse().ok()).flatten()?;
    range.contains(&value).then_some(value)
}

/// The parts of `text` between `separator`, if there are exactly `N`.
pub(super) fn parts<const N: usize>(text: &str, separator: char) -> Option<[&str; N]> {
    let mut parts = text.split(separator);
    let mut found = [""; N];
    for slot in &mut found {
        *slot = parts.next()?;
    }
    parts.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_apart() {
        assert_eq!(split_path("a/b/c.m.mov"), ("a/b", "c.m", "mov"));
        assert_eq!(split_path("c"), ("", "c", ""));
        assert_eq!(video("AVI", &["avi"]), Some(true));
        assert_eq!(video("mp4", &["avi"]), Some(false));
        assert_eq!(video("txt", &["avi"]), None);
        assert_eq!(number("07", 2, 1..=55), Some(7));
        for (text, width) in [("7", 2), ("56", 2), ("+7", 2), ("0x", 2), ("", 0)] {
            assert_eq!(number(text, width, 1..=55), None, "{text}");
        }
        assert_eq!(parts::<2>("a_b", '_'), Some(["a", "b"]));
        assert_eq!(parts::<2>("a_b_c", '_'), None);
        assert_eq!(parts::<2>("a", '_'), None);
    }
}
