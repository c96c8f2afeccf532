//! The form of a manifest or index file, by the end of its name.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use crate::DataError;
#[cfg(not(feature = "parquet"))]
use crate::RecordingError;

/// How a table is stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TableFormat {
    /// CSV, whatever the name.
    Csv,
    /// Parquet, in files named `*.parquet`.
    #[cfg(feature = "parquet")]
    Parquet,
}

impl TableFormat {
    /// The form of the file at `path`.
    ///
    /// # Errors
    ///
    /// [`RecordingError::MissingFeature`](crate::RecordingError::MissingFeature) for a Parquet file in a build without it.
    pub(crate) fn of(path: &Path) -> Result<Self, DataError> {
        let parquet = path
            .extension()
            .is_some_and(|extension| extension.eq_ignore_ascii_case("parquet"));
        if !parquet {
            return Ok(Self::Csv);
        }
        #[cfg(feature = "parquet")]
        return Ok(Self::Parquet);
        #[cfg(not(feature = "parquet"))]
        return Err(RecordingError::MissingFeature {
            path: path.to_owned(),
            feature: "parquet",
        }
        .into());
    }
}

/// A file beside the one at `path` to write its content to before it takes that name.
pub(crate) fn temporary_beside(path: &Path) -> PathBuf {
    let mut name = OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(format!(".{}.tmp", std::process::id()));
    path.with_file_name(name)
}
