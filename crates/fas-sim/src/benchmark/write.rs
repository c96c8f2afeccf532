//! A benchmark as a folder: PNG files and `manifest.csv`.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use fas_data::Manifest;
use rayon::prelude::*;

use crate::{Benchmark, SimError};

impl Benchmark {
    /// Writes the images as PNG, their `manifest.csv`, and the configuration as
    /// `benchmark.json`, all into a new folder `folder`. They are made in a folder beside it,
    /// which then takes its name, so that nobody sees half a benchmark; after an error nothing
    /// is left.
    ///
    /// # Errors
    ///
    /// [`SimError::FolderExists`] if `folder` exists; [`SimError::Write`],
    /// [`SimError::EncodeImage`] or [`SimError::Data`] if something cannot be written.
    pub fn write(&self, folder: impl AsRef<Path>) -> Result<(), SimError> {
        let folder = folder.as_ref();
        if folder.exists() {
            return Err(SimError::FolderExists(folder.to_owned()));
        }
        let partial = partial_path(folder)?;
        let written = self.write_files(&partial).and_then(|()| {
            fs::rename(&partial, folder).map_err(|source| write_error(folder, source))
        });
        if written.is_err() {
            // The first error is the one to report.
            let _ = fs::remove_dir_all(&partial);
        }
        written
    }

    fn write_files(&self, folder: &Path) -> Result<(), SimError> {
        for sample in self.samples() {
            if let Some(parent) = folder.join(&sample.path).parent() {
                fs::create_dir_all(parent).map_err(|source| write_error(parent, source))?;
            }
        }
        self.samples()
            .par_iter()
            .zip(self.images())
            .try_for_each(|(sample, image)| {
                let path = folder.join(&sample.path);
                image
                    .save(&path)
                    .map_err(|source| SimError::EncodeImage { path, source })
            })?;
        let config = folder.join("benchmark.json");
        serde_json::to_vec_pretty(&self.config)
            .map_err(io::Error::other)
            .and_then(|text| fs::write(&config, text))
            .map_err(|source| write_error(&config, source))?;
        let manifest = Manifest::new(folder, self.samples().to_vec())?;
        Ok(manifest.write(folder.join("manifest.csv"))?)
    }
}

/// New folder beside `folder`, hidden.
fn partial_path(folder: &Path) -> Result<PathBuf, SimError> {
    let name = folder.file_name().ok_or_else(|| {
        write_error(
            folder,
            io::Error::new(io::ErrorKind::InvalidInput, "it has no name"),
        )
    })?;
    let name = format!(".{}.{}.partial", name.to_string_lossy(), std::process::id());
    let partial = folder.with_file_name(name);
    fs::create_dir_all(&partial).map_err(|source| write_error(&partial, source))?;
    Ok(partial)
}

fn write_error(path: &Path, source: io::Error) -> SimError {
    SimError::Write {
        path: path.to_owned(),
        source,
    }
}
