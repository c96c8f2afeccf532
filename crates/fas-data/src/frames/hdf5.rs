//! WMCA's frames: HDF5 with a group `Frame_{k}` a frame and in it `array`, `[channels, 128, 128]` u8. Colour
//! files have 3 channels, red first; the others grey, depth, infrared, thermal. **Some frames are
//! missing**, and not the same ones in both files: the frames are those that are there, by their number.

use std::path::Path;

use hdf5_pure::File;
use image::{Rgb, RgbImage};

use crate::{DataError, RecordingError};

/// Frames of one WMCA file.
pub(super) struct Hdf5Frames<'a> {
    path: &'a Path,
    file: File,
    /// Frame numbers in ascending order.
    pub(super) keys: Vec<usize>,
}

impl<'a> Hdf5Frames<'a> {
    pub(super) fn open(path: &'a Path) -> Result<Self, DataError> {
        let failed = |error: hdf5_pure::Error| array_error(path, error.to_string());
        let file = File::open(path).map_err(failed)?;
        let groups = file.root().groups().map_err(failed)?;
        let mut keys: Vec<usize> = groups
            .iter()
            .filter_map(|name| name.strip_prefix("Frame_")?.parse().ok())
            .collect();
        keys.sort_unstable();
        if keys.is_empty() {
            return Err(array_error(
                path,
                "it has no group `Frame_0`, `Frame_1`, …".to_owned(),
            ));
        }
        Ok(Self { path, file, keys })
    }

    /// The frame of the number `key`.
    pub(super) fn read(&self, key: usize) -> Result<RgbImage, DataError> {
        let name = format!("Frame_{key}/array");
        let failed = |error: hdf5_pure::Error| array_error(self.path, format!("{name}: {error}"));
        let dataset = self.file.dataset(&name).map_err(failed)?;
        let shape = dataset.shape().map_err(failed)?;
        let [3, height, width] = shape[..] else {
            let reason =
                format!("{name} has the shape {shape:?}, a colour frame [3, height, width]");
            return Err(array_error(self.path, reason));
        };
        let (height, width) = (height as usize, width as usize);
        let values = dataset.read::<u8>().map_err(failed)?;
        if values.len() != 3 * height * width {
            return Err(array_error(
                self.path,
                format!("{name} is shorter than its shape"),
            ));
        }
        Ok(RgbImage::from_fn(width as u32, height as u32, |x, y| {
            let at = y as usize * width + x as usize;
            Rgb([0, 1, 2].map(|channel| values[channel * height * width + at]))
        }))
    }
}

fn array_error(path: &Path, reason: String) -> DataError {
    RecordingError::Array {
        path: path.to_owned(),
        reason,
    }
    .into()
}
