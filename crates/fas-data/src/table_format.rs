//! The form of a manifest or index file, by the end of its name.

use std::path::Path;

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
