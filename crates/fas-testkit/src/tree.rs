//! Directory trees that are true to a data set's file names, in a temporary folder.

use std::collections::BTreeSet;
use std::io;
use std::path::{Component, Path, PathBuf};

use tempfile::TempDir;

/// A temporary directory tree, removed when dropped.
///
/// ```
/// # fn main() -> std::io::Result<()> {
/// let tree = fas_testkit::Tree::new(["Train_files/1_1_01_1.avi", "Protocols/"])?;
/// assert!(tree.join("Train_files/1_1_01_1.avi").is_file());
/// assert!(tree.join("Protocols").is_dir());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Tree {
    root: TempDir,
}

impl Tree {
    /// A tree with an empty file for every relative path; a path that ends in `/` is a folder.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if a path is empty, absolute, leaves the tree, or is listed twice; or if
    /// writing fails.
    pub fn new<'a>(paths: impl IntoIterator<Item = &'a str>) -> io::Result<Self> {
        Self::with_contents(paths, |_| Vec::new())
    }

    /// A tree whose files hold what `contents` returns for their path.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn with_contents<'a>(
        paths: impl IntoIterator<Item = &'a str>,
        mut contents: impl FnMut(&str) -> Vec<u8>,
    ) -> io::Result<Self> {
        let tree = Self {
            root: TempDir::new()?,
        };
        let mut seen = BTreeSet::new();
        for path in paths {
            if !seen.insert(path) {
                return Err(invalid(path, "is listed twice"));
            }
            if path.ends_with('/') {
                std::fs::create_dir_all(tree.inside(path)?)?;
            } else {
                tree.write(path, contents(path))?;
            }
        }
        Ok(tree)
    }

    /// A tree from a listing with one path a line; blank lines and lines starting with `#` are
    /// ignored. Files are empty.
    ///
    /// # Errors
    ///
    /// As [`new`](Self::new).
    pub fn from_listing(listing: &str) -> io::Result<Self> {
        let lines = listing.lines().map(str::trim);
        Self::new(lines.filter(|line| !line.is_empty() && !line.starts_with('#')))
    }

    /// Writes a file, making its folders, and returns its path.
    ///
    /// # Errors
    ///
    /// `InvalidInput` if `path` is empty, absolute or leaves the tree; or if writing fails.
    pub fn write(&self, path: &str, contents: impl AsRef<[u8]>) -> io::Result<PathBuf> {
        let full = self.inside(path)?;
        if let Some(folder) = full.parent() {
            std::fs::create_dir_all(folder)?;
        }
        std::fs::write(&full, contents)?;
        Ok(full)
    }

    /// The root folder.
    pub fn path(&self) -> &Path {
        self.root.path()
    }

    /// Full path of `path` in the tree.
    pub fn join(&self, path: &str) -> PathBuf {
        self.path().join(path)
    }

    fn inside(&self, path: &str) -> io::Result<PathBuf> {
        let plain = Path::new(path)
            .components()
            .all(|c| matches!(c, Component::Normal(_)));
        if path.is_empty() || !plain {
            return Err(invalid(path, "does not name something inside the tree"));
        }
        Ok(self.join(path))
    }
}

fn invalid(path: &str, what: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidInput, format!("path `{path}` {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listing_makes_files_and_folders() {
        let tree = Tree::from_listing("# OULU\nTrain_files/1_1_01_1.avi\n\nProtocols/\n").unwrap();
        assert!(tree.join("Train_files/1_1_01_1.avi").is_file());
        assert!(tree.join("Protocols").is_dir());
        let root = tree.path().to_owned();
        drop(tree);
        assert!(!root.exists());
    }

    #[test]
    fn contents_come_from_the_path() {
        let tree = Tree::with_contents(["a/b.txt"], |path| path.as_bytes().to_vec()).unwrap();
        assert_eq!(std::fs::read(tree.join("a/b.txt")).unwrap(), b"a/b.txt");
    }

    #[test]
    fn paths_that_leave_the_tree_are_refused() {
        for path in ["", "/etc/x", "../x", "a/../../x"] {
            let error = Tree::new([path]).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::InvalidInput, "{path}");
        }
        assert!(Tree::new(["a", "a"]).is_err());
    }
}
