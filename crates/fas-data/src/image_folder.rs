//! Finding the images below a folder.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use crate::DataError;
use crate::image_file::recognise;

/// Extensions that mark a file as an image, in lower case.
const EXTENSIONS: [&str; 7] = ["bmp", "jpeg", "jpg", "png", "tif", "tiff", "webp"];

/// The image files in `folder` and all folders below it, sorted by path.
///
/// A file counts by its extension (BMP, JPEG, PNG, TIFF, WebP; any case) or, whatever its name, by
/// its first bytes. So a text file named `face.jpg` is listed, and [`load_rgb`](crate::load_rgb) then
/// says what is wrong with it, as it does for a broken link; a JPEG named `face.dat` is listed too.
/// Names that start with a dot are skipped. Links are followed; each folder is entered once, so
/// loops end.
///
/// # Errors
///
/// [`DataError::NoImages`] if there is none, [`DataError::Io`] if a folder cannot be read.
pub fn list_images(folder: impl AsRef<Path>) -> Result<Vec<PathBuf>, DataError> {
    let folder = folder.as_ref();
    let mut images = Vec::new();
    let mut entered = HashSet::new();
    collect(folder, &mut entered, &mut images)?;
    if images.is_empty() {
        return Err(DataError::NoImages(folder.to_owned()));
    }
    images.sort_unstable();
    Ok(images)
}

fn collect(
    folder: &Path,
    entered: &mut HashSet<PathBuf>,
    images: &mut Vec<PathBuf>,
) -> Result<(), DataError> {
    let io_error = |source| DataError::Io {
        path: folder.to_owned(),
        action: "list the folder",
        source,
    };
    if !entered.insert(folder.canonicalize().map_err(io_error)?) {
        return Ok(());
    }
    let entries = fs::read_dir(folder).map_err(io_error)?;
    let mut entries = entries.collect::<io::Result<Vec<_>>>().map_err(io_error)?;
    // Which of several ways into one folder is taken must not depend on the file system.
    entries.sort_unstable_by_key(fs::DirEntry::file_name);
    for entry in entries {
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let path = entry.path();
        let metadata = fs::metadata(&path);
        if metadata.as_ref().is_ok_and(fs::Metadata::is_dir) {
            collect(&path, entered, images)?;
        } else if has_image_extension(&path)
            || (metadata.is_ok_and(|metadata| metadata.is_file()) && has_image_content(&path))
        {
            images.push(path);
        }
    }
    Ok(())
}

fn has_image_extension(path: &Path) -> bool {
    path.extension().is_some_and(|extension| {
        EXTENSIONS
            .iter()
            .any(|known| extension.eq_ignore_ascii_case(known))
    })
}

fn has_image_content(path: &Path) -> bool {
    let mut start = Vec::with_capacity(16);
    let read = File::open(path).and_then(|file| file.take(16).read_to_end(&mut start));
    read.is_ok() && recognise(&start).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_by_extension_or_content_in_order() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("b/deep")).unwrap();
        for (name, content) in [
            ("z.PNG", &b"text"[..]),
            ("b/deep/2.jpg", b""),
            ("b/1.dat", b"\xFF\xD8\xFF\xE0"),
            ("b/notes.txt", b"text"),
            ("._z.png", b"text"),
            ("a.tif", b""),
        ] {
            fs::write(root.join(name), content).unwrap();
        }
        let found = list_images(root).unwrap();
        let expected = ["a.tif", "b/1.dat", "b/deep/2.jpg", "z.PNG"];
        assert_eq!(found, expected.map(|name| root.join(name)));
    }

    #[test]
    #[cfg(unix)]
    fn links_are_followed_and_loops_end() {
        use std::os::unix::fs::symlink;
        let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let root = folder.path();
        fs::create_dir(root.join("a")).unwrap();
        fs::write(root.join("a/1.png"), "").unwrap();
        fs::write(other.path().join("2.png"), "").unwrap();
        symlink(root, root.join("a/loop")).unwrap();
        symlink(root.join("a"), root.join("b")).unwrap();
        symlink(other.path(), root.join("c")).unwrap();
        symlink("nowhere", root.join("d.png")).unwrap();
        symlink("nowhere", root.join("e")).unwrap();
        let found = list_images(root).unwrap();
        assert_eq!(
            found,
            ["a/1.png", "c/2.png", "d.png"].map(|name| root.join(name))
        );
    }

    #[test]
    fn an_empty_or_missing_folder_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("notes.txt"), "text").unwrap();
        let error = list_images(folder.path()).unwrap_err().to_string();
        assert!(
            error.contains("no image in this folder or below it"),
            "{error}"
        );
        let error = list_images(folder.path().join("gone"))
            .unwrap_err()
            .to_string();
        assert!(error.contains("gone: cannot list the folder"), "{error}");
    }
}
