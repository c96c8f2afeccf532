//! Reading the frames of any recording, upright.

use std::path::Path;
use std::sync::OnceLock;

use image::{RgbImage, imageops};

use super::ffmpeg::Ffmpeg;
use super::policy::FramePolicy;
#[cfg(not(all(feature = "hdf5", feature = "npz")))]
use crate::RecordingError;
use crate::image_file::load_rgb;
use crate::image_folder::list_images;
use crate::{DataError, Media, Recording, Rotation};

/// Reads frames; looks for ffmpeg when the first video comes.
#[derive(Debug, Default)]
pub struct FrameReader {
    ffmpeg: OnceLock<Ffmpeg>,
}

impl FrameReader {
    /// A reader that uses the ffmpeg on the search path.
    pub fn new() -> Self {
        Self::default()
    }

    /// A reader that uses these programs.
    pub fn with_ffmpeg(ffmpeg: Ffmpeg) -> Self {
        Self {
            ffmpeg: OnceLock::from(ffmpeg),
        }
    }

    /// Reads the frames of `recording`, below `root`, that `policy` takes, and hands each to `sink` with
    /// its number: the position in a video or folder, the frame number of WMCA's files. Frames are turned
    /// upright as the recording says.
    ///
    /// # Errors
    ///
    /// If the recording has no frame or cannot be read, and what `sink` returns.
    pub fn read(
        &self,
        root: &Path,
        recording: &Recording,
        policy: FramePolicy,
        mut sink: impl FnMut(usize, RgbImage) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let path = root.join(&recording.path);
        let mut sink = |number, image| sink(number, upright(image, recording.rotation));
        match recording.media {
            Media::Video => {
                let ffmpeg = self.ffmpeg()?;
                let frames = ffmpeg.count_frames(&path)?;
                let positions = policy.select(frames, &recording.id);
                let as_stored = recording.rotation != Rotation::None;
                ffmpeg.decode(&path, &positions, as_stored, sink)
            }
            Media::Image => sink(0, load_rgb(&path)?),
            Media::Frames => {
                let images = list_images(&path)?;
                for position in policy.select(images.len(), &recording.id) {
                    sink(position, load_rgb(&images[position])?)?;
                }
                Ok(())
            }
            Media::Hdf5 => read_hdf5(&path, recording, policy, sink),
            Media::Npz => sink(0, read_archive(&path)?),
            Media::NpyRow => sink(0, read_row(&path, recording.row.unwrap_or(0))?),
        }
    }

    /// Reads the whole `recording`, below `root`.
    ///
    /// # Errors
    ///
    /// If it cannot be read to its end.
    pub fn check(&self, root: &Path, recording: &Recording) -> Result<(), DataError> {
        match recording.media {
            Media::Video => self.ffmpeg()?.check(&root.join(&recording.path)),
            _ => self.read(root, recording, FramePolicy::All, |_, _| Ok(())),
        }
    }

    fn ffmpeg(&self) -> Result<&Ffmpeg, DataError> {
        if let Some(ffmpeg) = self.ffmpeg.get() {
            return Ok(ffmpeg);
        }
        let found = Ffmpeg::find()?;
        Ok(self.ffmpeg.get_or_init(|| found))
    }
}

/// Turns an image.
fn upright(image: RgbImage, rotation: Rotation) -> RgbImage {
    match rotation {
        Rotation::None => image,
        Rotation::Clockwise => imageops::rotate90(&image),
        Rotation::Half => imageops::rotate180(&image),
        Rotation::CounterClockwise => imageops::rotate270(&image),
    }
}

#[cfg(feature = "hdf5")]
fn read_hdf5(
    path: &Path,
    recording: &Recording,
    policy: FramePolicy,
    mut sink: impl FnMut(usize, RgbImage) -> Result<(), DataError>,
) -> Result<(), DataError> {
    let frames = super::hdf5::Hdf5Frames::open(path)?;
    for position in policy.select(frames.keys.len(), &recording.id) {
        let key = frames.keys[position];
        sink(key, frames.read(key)?)?;
    }
    Ok(())
}

#[cfg(not(feature = "hdf5"))]
fn read_hdf5(
    path: &Path,
    _: &Recording,
    _: FramePolicy,
    _: impl FnMut(usize, RgbImage) -> Result<(), DataError>,
) -> Result<(), DataError> {
    Err(missing_feature(path, "hdf5"))
}

#[cfg(feature = "npz")]
use super::npy::{read_archive, read_row};

#[cfg(not(feature = "npz"))]
fn read_archive(path: &Path) -> Result<RgbImage, DataError> {
    Err(missing_feature(path, "npz"))
}

#[cfg(not(feature = "npz"))]
fn read_row(path: &Path, _: usize) -> Result<RgbImage, DataError> {
    Err(missing_feature(path, "npz"))
}

#[cfg(not(all(feature = "hdf5", feature = "npz")))]
fn missing_feature(path: &Path, feature: &'static str) -> DataError {
    RecordingError::MissingFeature {
        path: path.to_owned(),
        feature,
    }
    .into()
}
