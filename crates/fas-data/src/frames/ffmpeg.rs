//! Videos through the program `ffmpeg`, which reads every codec of the data sets.
//!
//! It is started without a shell and without network protocols, and hands frames over as PPM images, which
//! carry their own size. Turns that a file's metadata ask for are made by ffmpeg, where the data set has no rule
//! of its own: rules are about the pixels as they are stored, and both together would turn a clip twice.

use std::ffi::{OsStr, OsString};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Command, Stdio};

use image::RgbImage;

use crate::{DataError, RecordingError};

/// Sides of a frame beyond which a header is not believed, pixels.
const MAX_SIDE: u32 = 1 << 15;
/// Frames asked for in one filter expression: a limit of the command line's length.
const MAX_SELECTED: usize = 2000;

/// The programs `ffmpeg` and `ffprobe`.
#[derive(Debug, Clone)]
pub struct Ffmpeg {
    ffmpeg: OsString,
    ffprobe: OsString,
    /// Option that keeps every selected frame once; its name changed with version 5.1.
    passthrough: &'static str,
}

impl Ffmpeg {
    /// The programs on the search path.
    ///
    /// # Errors
    ///
    /// [`RecordingError::NoFfmpeg`], which says how to install them.
    pub fn find() -> Result<Self, DataError> {
        Self::at("ffmpeg", "ffprobe")
    }

    /// The programs at given places.
    ///
    /// # Errors
    ///
    /// [`RecordingError::NoFfmpeg`] if one does not run.
    pub fn at(
        ffmpeg: impl Into<OsString>,
        ffprobe: impl Into<OsString>,
    ) -> Result<Self, DataError> {
        let (ffmpeg, ffprobe) = (ffmpeg.into(), ffprobe.into());
        let version = version_of(&ffmpeg)?;
        version_of(&ffprobe)?;
        Ok(Self {
            ffmpeg,
            ffprobe,
            passthrough: if is_before_5_1(&version) {
                "-vsync"
            } else {
                "-fps_mode"
            },
        })
    }

    /// Number of frames of a video, counted by its packets without decoding.
    ///
    /// # Errors
    ///
    /// [`RecordingError::Video`] if it has none, or ffprobe cannot read it.
    pub fn count_frames(&self, path: &Path) -> Result<usize, DataError> {
        Ok(self.counts(path)?.1)
    }

    /// Decodes a video to its end.
    ///
    /// # Errors
    ///
    /// [`RecordingError::Video`] if its header promises more frames than there are, as that of a truncated
    /// copy does, or none of the last ten can be decoded.
    pub fn check(&self, path: &Path) -> Result<(), DataError> {
        let (promised, frames) = self.counts(path)?;
        if let Some(promised) = promised.filter(|promised| *promised > frames) {
            return Err(RecordingError::Video {
                path: path.to_owned(),
                reason: format!("its header says {promised} frames, {frames} are there"),
            }
            .into());
        }
        // More than one, as some encoders end on packets without a frame.
        let last: Vec<usize> = (frames.saturating_sub(10)..frames).collect();
        self.decode(path, &last, true, |_, _| Ok(()))
    }

    /// Frames by the header, where it says, and packets of frames in the file.
    fn counts(&self, path: &Path) -> Result<(Option<usize>, usize), DataError> {
        let output = Command::new(&self.ffprobe)
            .args(["-v", "error", "-protocol_whitelist", "file,pipe"])
            .args(["-select_streams", "v:0", "-count_packets"])
            .args(["-show_entries", "stream=nb_frames,nb_read_packets"])
            .args(["-of", "csv=p=0"])
            .arg(input(path))
            .stdin(Stdio::null())
            .output()
            .map_err(|source| RecordingError::NoFfmpeg {
                program: self.ffprobe.to_string_lossy().into_owned(),
                source,
            })?;
        let text = String::from_utf8_lossy(&output.stdout);
        let mut numbers = text.split([',', '\n', '\r']).map(|n| n.trim().parse().ok());
        let (promised, packets) = (numbers.next().flatten(), numbers.next().flatten());
        match packets {
            Some(packets) if packets > 0 => Ok((promised, packets)),
            _ => Err(video_error(path, &output.stderr).into()),
        }
    }

    /// Decodes the frames at `positions`, ascending, and hands each to `sink` with its position. A video
    /// that ends before its packets say gives fewer. A turn that the file's metadata ask for is made, unless
    /// `as_stored`.
    ///
    /// # Errors
    ///
    /// [`RecordingError::Video`] if ffmpeg cannot decode it, and what `sink` returns.
    pub fn decode(
        &self,
        path: &Path,
        positions: &[usize],
        as_stored: bool,
        mut sink: impl FnMut(usize, RgbImage) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        for chunk in positions.chunks(MAX_SELECTED) {
            self.decode_some(path, chunk, as_stored, &mut sink)?;
        }
        Ok(())
    }

    fn decode_some(
        &self,
        path: &Path,
        positions: &[usize],
        as_stored: bool,
        sink: &mut impl FnMut(usize, RgbImage) -> Result<(), DataError>,
    ) -> Result<(), DataError> {
        let Some(last) = positions.last() else {
            return Ok(());
        };
        let terms: Vec<String> = positions.iter().map(|n| format!("eq(n,{n})")).collect();
        let mut child = Command::new(&self.ffmpeg)
            .args([
                "-nostdin",
                "-v",
                "error",
                "-protocol_whitelist",
                "file,pipe",
            ])
            .args(as_stored.then_some("-noautorotate"))
            .arg("-i")
            .arg(input(path))
            .args(["-map", "0:v:0", "-an", "-sn", "-dn"])
            .args(["-vf", &format!("select='{}'", terms.join("+"))])
            .args([self.passthrough, "passthrough"])
            .args(["-frames:v", &positions.len().to_string()])
            .args([
                "-c:v",
                "ppm",
                "-pix_fmt",
                "rgb24",
                "-f",
                "image2pipe",
                "pipe:1",
            ])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .map_err(|source| RecordingError::NoFfmpeg {
                program: self.ffmpeg.to_string_lossy().into_owned(),
                source,
            })?;
        // Both pipes are read to their end, or ffmpeg would wait for the one that is full.
        let mut errors = child.stderr.take();
        let said = std::thread::spawn(move || {
            let mut text = Vec::new();
            if let Some(pipe) = &mut errors {
                // What it said so far is all there is to report.
                let _ = pipe.take(1 << 16).read_to_end(&mut text);
                let _ = io::copy(pipe, &mut io::sink());
            }
            text
        });
        let mut frames = 0;
        let mut result = Ok(());
        if let Some(pipe) = child.stdout.take() {
            let mut pipe = BufReader::with_capacity(1 << 18, pipe);
            for position in positions {
                match read_ppm(&mut pipe) {
                    Ok(Some(image)) => result = sink(*position, image),
                    Ok(None) => break,
                    Err(source) => {
                        result = Err(DataError::Io {
                            path: path.to_owned(),
                            action: "read the frames of ffmpeg",
                            source,
                        });
                    }
                }
                if result.is_err() {
                    break;
                }
                frames += 1;
            }
        }
        if result.is_err() {
            // The first error is the one to report.
            let _ = child.kill();
        }
        let status = child.wait();
        let said = said.join().unwrap_or_default();
        result?;
        if frames == 0 || (!status.is_ok_and(|status| status.success()) && frames < positions.len())
        {
            return Err(RecordingError::Video {
                path: path.to_owned(),
                reason: reason(&said, &format!("{frames} of the frames up to {last}")),
            }
            .into());
        }
        Ok(())
    }
}

/// A path that ffmpeg takes as a file, whatever its name: not as an option, not as another protocol.
fn input(path: &Path) -> OsString {
    let mut name = OsString::from("file:");
    name.push(path);
    name
}

fn version_of(program: &OsStr) -> Result<String, DataError> {
    let failed = |source| RecordingError::NoFfmpeg {
        program: program.to_string_lossy().into_owned(),
        source,
    };
    let output = Command::new(program)
        .arg("-version")
        .stdin(Stdio::null())
        .output()
        .map_err(failed)?;
    if !output.status.success() {
        let error = io::Error::other("it ends with an error when asked for its version");
        return Err(failed(error).into());
    }
    let text = String::from_utf8_lossy(&output.stdout);
    Ok(text
        .split_whitespace()
        .nth(2)
        .unwrap_or_default()
        .to_owned())
}

/// Whether a version such as `4.4.2-0ubuntu0` is before 5.1. Builds from the repository have no number
/// and are newer.
fn is_before_5_1(version: &str) -> bool {
    let mut numbers = version
        .trim_start_matches('n')
        .split(|c: char| !c.is_ascii_digit())
        .map(str::parse::<u32>);
    match (numbers.next(), numbers.next()) {
        (Some(Ok(major)), Some(Ok(minor))) => (major, minor) < (5, 1),
        (Some(Ok(major)), _) => major < 5,
        _ => false,
    }
}

fn video_error(path: &Path, said: &[u8]) -> RecordingError {
    RecordingError::Video {
        path: path.to_owned(),
        reason: reason(said, "no frame"),
    }
}

/// The first line that ffmpeg said.
fn reason(said: &[u8], otherwise: &str) -> String {
    let text = String::from_utf8_lossy(said);
    let line = text.lines().find(|line| !line.trim().is_empty());
    line.map_or_else(|| otherwise.to_owned(), |line| line.trim().to_owned())
}

/// Reads one binary PPM image (`P6`, width, height, 255) as ffmpeg writes it; `None` at the end.
fn read_ppm(pipe: &mut impl BufRead) -> io::Result<Option<RgbImage>> {
    if pipe.fill_buf()?.is_empty() {
        return Ok(None);
    }
    let mut words = Vec::new();
    while words.len() < 4 {
        let mut line = Vec::new();
        pipe.by_ref().take(64).read_until(b'\n', &mut line)?;
        let line = String::from_utf8_lossy(&line).into_owned();
        words.extend(line.split_whitespace().map(str::to_owned));
        if line.is_empty() {
            break;
        }
    }
    let bad = || io::Error::new(io::ErrorKind::InvalidData, "no PPM image");
    let [magic, width, height, depth] = <[String; 4]>::try_from(words).map_err(|_| bad())?;
    let side = |text: &str| {
        text.parse()
            .ok()
            .filter(|side| (1..=MAX_SIDE).contains(side))
    };
    let (Some(width), Some(height), "P6", "255") = (side(&width), side(&height), &*magic, &*depth)
    else {
        return Err(bad());
    };
    let mut pixels = vec![0; width as usize * height as usize * 3];
    pipe.read_exact(&mut pixels)?;
    Ok(RgbImage::from_raw(width, height, pixels))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_before_5_1_are_known() {
        for (version, before) in [
            ("4.4.2-0ubuntu0.22.04.1", true),
            ("5.0.1", true),
            ("5.1.9-0+deb12u1", false),
            ("n6.0", false),
            ("7.1", false),
            ("8", false),
            ("N-112233-gabcdef", false),
        ] {
            assert_eq!(is_before_5_1(version), before, "{version}");
        }
    }

    #[test]
    fn a_missing_program_says_how_to_install_it() {
        let error = Ffmpeg::at("no-such-ffmpeg", "ffprobe")
            .unwrap_err()
            .to_string();
        assert!(
            error.contains("no-such-ffmpeg") && error.contains("apt-get install ffmpeg"),
            "{error}"
        );
    }

    #[test]
    fn images_follow_one_another_in_the_pipe() {
        let mut bytes = b"P6\n2 1\n255\n\x01\x02\x03\x0a\x0b\x0c".to_vec();
        bytes.extend(b"P6\n1 1\n255\n\x07\x08\x09");
        let mut pipe = &bytes[..];
        let first = read_ppm(&mut pipe).unwrap().unwrap();
        assert_eq!(
            (first.dimensions(), first.get_pixel(1, 0).0),
            ((2, 1), [10, 11, 12])
        );
        assert_eq!(
            read_ppm(&mut pipe).unwrap().unwrap().get_pixel(0, 0).0,
            [7, 8, 9]
        );
        assert!(read_ppm(&mut pipe).unwrap().is_none());
        for bad in [
            &b"P5\n1 1\n255\nx"[..],
            b"P6\n1 1\n255\nx",
            b"P6\n99999 1\n255\n",
            b"junk",
        ] {
            assert!(read_ppm(&mut &bad[..]).is_err());
        }
    }
}
