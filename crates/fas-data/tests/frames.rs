//! Frames of every kind of recording: arrays written by h5py and NumPy (`frames/make.py`), folders, and
//! videos that ffmpeg makes here.

use std::path::{Path, PathBuf};
use std::process::Command;

use fas_data::{
    CheckDepth, DataError, DatasetSource, Ffmpeg, FramePolicy, FrameReader, Label, Media,
    Recording, RecordingError, Rotation,
};
use image::{Rgb, RgbImage};
use tempfile::TempDir;

#[cfg(any(feature = "hdf5", feature = "npz"))]
fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/frames")
}

fn recording(path: &str, media: Media) -> Recording {
    Recording::new("x", path, path, media, Label::BonaFide).of_subject("a")
}

fn read(
    root: &Path,
    recording: &Recording,
    policy: FramePolicy,
) -> Result<Vec<(usize, RgbImage)>, DataError> {
    let mut frames = Vec::new();
    FrameReader::new().read(root, recording, policy, |number, image| {
        frames.push((number, image));
        Ok(())
    })?;
    Ok(frames)
}

/// `value()` of make.py.
#[cfg(any(feature = "hdf5", feature = "npz"))]
fn value(channel: u32, y: u32, x: u32, frame: u32) -> u8 {
    ((channel * 50 + y * 7 + x * 3 + frame * 11) % 256) as u8
}

#[cfg(feature = "hdf5")]
#[test]
fn wmca_frames_are_those_that_are_there() {
    let file = recording("wmca_rgb.hdf5", Media::Hdf5);
    let frames = read(&fixtures(), &file, FramePolicy::All).unwrap();
    let numbers: Vec<usize> = frames.iter().map(|(number, _)| *number).collect();
    // In the order of their numbers, and without frame 1.
    assert_eq!(numbers, [0, 2, 10]);
    for (number, image) in &frames {
        let expected = RgbImage::from_fn(6, 8, |x, y| {
            Rgb([0, 1, 2].map(|channel| value(channel, y, x, *number as u32)))
        });
        assert_eq!(*image, expected, "frame {number}");
    }
    // A policy counts frames that are there: the second of three.
    let second = read(&fixtures(), &file, FramePolicy::Uniform { count: 1 }).unwrap();
    assert_eq!(second[0].0, 2);

    let other = recording("wmca_cdit.hdf5", Media::Hdf5);
    let error = read(&fixtures(), &other, FramePolicy::All)
        .unwrap_err()
        .to_string();
    assert!(error.contains("has the shape [4, 8, 6]"), "{error}");
    let error = read(
        &fixtures(),
        &recording("padisi.npy", Media::Hdf5),
        FramePolicy::All,
    )
    .unwrap_err();
    assert!(
        matches!(error, DataError::Recording(RecordingError::Array { .. })),
        "{error}"
    );
}

#[cfg(feature = "npz")]
#[test]
fn padisi_arrays_are_blue_first() {
    let expected = |frame: u32| {
        RgbImage::from_fn(5, 4, |x, y| {
            Rgb([2, 1, 0].map(|channel| value(channel, y, x, frame)))
        })
    };
    for name in ["padisi.npy", "padisi_u8.npy"] {
        for row in 0..3 {
            let mut recording = recording(name, Media::NpyRow);
            recording.row = Some(row);
            let frames = read(&fixtures(), &recording, FramePolicy::All).unwrap();
            assert_eq!(frames, [(0, expected(row as u32))], "{name} {row}");
        }
    }
    for name in ["padisi.npz", "padisi_stored.npz"] {
        let frames = read(&fixtures(), &recording(name, Media::Npz), FramePolicy::All).unwrap();
        assert_eq!(frames, [(0, expected(7))], "{name}");
    }
    for (name, row, reason) in [
        ("padisi.npy", 3, "row 3 of 3"),
        ("padisi_bad.npy", 1, "a value outside [0, 1]"),
        ("wmca_rgb.hdf5", 0, "wmca_rgb.hdf5"),
    ] {
        let mut recording = recording(name, Media::NpyRow);
        recording.row = Some(row);
        let error = read(&fixtures(), &recording, FramePolicy::All)
            .unwrap_err()
            .to_string();
        assert!(error.contains(reason), "{name}: {error}");
    }
}

#[test]
fn folders_of_images_are_videos_too() {
    let folder = tempfile::tempdir().unwrap();
    for number in 0..4_u8 {
        let image = RgbImage::from_pixel(3, 2, Rgb([number * 10; 3]));
        image
            .save(folder.path().join(format!("{number:03}.png")))
            .unwrap();
    }
    let mut clip = recording("", Media::Frames);
    let frames = read(folder.path(), &clip, FramePolicy::Every { step: 3 }).unwrap();
    let seen: Vec<(usize, u8)> = frames
        .iter()
        .map(|(n, image)| (*n, image.get_pixel(0, 0)[0]))
        .collect();
    assert_eq!(seen, [(0, 0), (3, 30)]);
    clip.rotation = Rotation::Clockwise;
    let frames = read(folder.path(), &clip, FramePolicy::First { count: 1 }).unwrap();
    assert_eq!(frames[0].1.dimensions(), (2, 3));
}

/// Whether ffmpeg is there. With CI=true it must be.
fn has_ffmpeg() -> bool {
    let found = Ffmpeg::find();
    if std::env::var_os("CI").is_some_and(|ci| ci == "true") {
        found.unwrap();
        return true;
    }
    if found.is_err() {
        println!("skipped: install ffmpeg");
    }
    found.is_ok()
}

/// A clip of `frames` frames whose grey level is five times the frame's number, its left third white.
fn clip(folder: &TempDir, name: &str, frames: u32, options: &[&str]) -> Option<PathBuf> {
    if !has_ffmpeg() {
        return None;
    }
    for number in 0..frames {
        let image = RgbImage::from_fn(48, 32, |x, _| {
            Rgb([if x < 16 { 255 } else { (number * 5) as u8 }; 3])
        });
        image
            .save(folder.path().join(format!("{number:03}.png")))
            .unwrap();
    }
    let made = Command::new("ffmpeg")
        .args(["-nostdin", "-v", "error", "-y", "-framerate", "25", "-i"])
        .arg(folder.path().join("%03d.png"))
        .args(options)
        .arg(folder.path().join(name))
        .status()
        .unwrap();
    assert!(made.success());
    Some(folder.path().join(name))
}

#[test]
fn videos_give_the_frames_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    for (name, options) in [
        (
            "mjpeg.avi",
            &["-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj444p"][..],
        ),
        (
            "mjpeg.mov",
            &["-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj444p"],
        ),
        // Frames depend on earlier ones, and some on later ones.
        ("mpeg4.mp4", &["-c:v", "mpeg4", "-q:v", "2", "-bf", "2"]),
        // Names that a shell or ffmpeg itself could mistake.
        (
            "-y; $(rm) 'x' %d.avi",
            &["-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj444p"],
        ),
    ] {
        let file = if name.contains('%') {
            "plain.avi"
        } else {
            name
        };
        let Some(made) = clip(&folder, file, 40, options) else {
            return;
        };
        if file != name {
            std::fs::rename(made, folder.path().join(name)).unwrap();
        }
        let recording = recording(name, Media::Video);
        let policy = FramePolicy::Ssdg { count: 2 };
        let frames = read(folder.path(), &recording, policy).unwrap();
        let numbers: Vec<usize> = frames.iter().map(|(number, _)| *number).collect();
        assert_eq!(numbers, [6, 26], "{name}");
        for (number, image) in &frames {
            let grey = i32::from(image.get_pixel(40, 16)[0]);
            assert!(
                (grey - *number as i32 * 5).abs() <= 4,
                "{name}: frame {number} is {grey}"
            );
            assert!(image.get_pixel(4, 16)[0] > 240);
        }
        assert_eq!(
            read(folder.path(), &recording, FramePolicy::All)
                .unwrap()
                .len(),
            40,
            "{name}"
        );
    }
}

#[test]
fn videos_are_turned_upright() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["-c:v", "mjpeg", "-q:v", "2", "-pix_fmt", "yuvj444p"];
    if clip(&folder, "a.avi", 2, &options).is_none() {
        return;
    }
    let mut video = recording("a.avi", Media::Video);
    // Where the white third lies after each turn.
    for (rotation, size, white) in [
        (Rotation::None, (48, 32), (4, 16)),
        (Rotation::Half, (48, 32), (44, 16)),
        (Rotation::Clockwise, (32, 48), (16, 4)),
        (Rotation::CounterClockwise, (32, 48), (16, 44)),
    ] {
        video.rotation = rotation;
        let frames = read(folder.path(), &video, FramePolicy::First { count: 1 }).unwrap();
        let image = &frames[0].1;
        assert_eq!(image.dimensions(), size, "{rotation}");
        assert!(image.get_pixel(white.0, white.1)[0] > 240, "{rotation}");
    }
}

/// Gives the only track of an MP4 file the matrix of half a turn, as phones do.
fn tag_half_turn(path: &Path) {
    let mut bytes = std::fs::read(path).unwrap();
    let header = bytes.windows(4).position(|word| word == b"tkhd").unwrap();
    // ISO/IEC 14496-12, 8.3.2: the matrix follows 40 bytes of a header of version 0.
    let matrix = header + 4 + 40;
    let word = |value: i32| value.to_be_bytes();
    assert_eq!(bytes[matrix..matrix + 4], word(1 << 16));
    let half_turn = [-1 << 16, 0, 0, 0, -1 << 16, 0, 48 << 16, 32 << 16, 1 << 30];
    bytes[matrix..matrix + 36].copy_from_slice(half_turn.map(word).as_flattened());
    std::fs::write(path, bytes).unwrap();
}

#[test]
fn a_clip_is_turned_by_its_tag_or_by_the_rule_and_never_by_both() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["-c:v", "mpeg4", "-q:v", "2"];
    let Some(made) = clip(&folder, "tagged.mp4", 2, &options) else {
        return;
    };
    tag_half_turn(&made);
    // Stored with the white third on the left; upside down it is on the right.
    for rotation in [Rotation::None, Rotation::Half] {
        let mut video = recording("tagged.mp4", Media::Video);
        video.rotation = rotation;
        let frames = read(folder.path(), &video, FramePolicy::First { count: 1 }).unwrap();
        let image = &frames[0].1;
        assert!(image.get_pixel(44, 16)[0] > 200, "{rotation}");
        assert!(image.get_pixel(4, 16)[0] < 60, "{rotation}");
    }
}

#[test]
fn a_video_that_is_none_is_an_error_with_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    if !has_ffmpeg() {
        return;
    }
    for (name, content) in [("empty.avi", &b""[..]), ("text.mp4", b"not a video")] {
        std::fs::write(folder.path().join(name), content).unwrap();
        let error = read(
            folder.path(),
            &recording(name, Media::Video),
            FramePolicy::All,
        )
        .unwrap_err();
        assert!(
            matches!(error, DataError::Recording(RecordingError::Video { .. })),
            "{error}"
        );
        assert!(error.to_string().contains(name), "{error}");
    }
    // An error of the sink ends the reading.
    let options = ["-c:v", "mjpeg"];
    clip(&folder, "long.avi", 50, &options);
    let stopped = FrameReader::new().read(
        folder.path(),
        &recording("long.avi", Media::Video),
        FramePolicy::All,
        |_, _| Err(DataError::UnknownSplit("stop".to_owned())),
    );
    assert!(matches!(stopped, Err(DataError::UnknownSplit(_))));
}

#[test]
fn a_truncated_video_is_found_by_reading_it() {
    let folder = tempfile::tempdir().unwrap();
    let options = ["-c:v", "mjpeg", "-q:v", "2"];
    if clip(&folder, "whole.avi", 40, &options).is_none() {
        return;
    }
    let root = folder.path();
    let bytes = std::fs::read(root.join("whole.avi")).unwrap();
    std::fs::write(root.join("half.avi"), &bytes[..bytes.len() * 6 / 10]).unwrap();
    let reader = FrameReader::new();
    let check = |name: &str| reader.check(root, &recording(name, Media::Video));
    check("whole.avi").unwrap();
    let error = check("half.avi").unwrap_err().to_string();
    assert!(
        error.contains("half.avi") && error.contains("its header says 40 frames"),
        "{error}"
    );

    // As a finding of a check, beside a clip of B-frames that is whole.
    let clips = root.join("copy/train/bona_fide/anna");
    std::fs::create_dir_all(&clips).unwrap();
    std::fs::rename(root.join("half.avi"), clips.join("half.avi")).unwrap();
    std::fs::rename(root.join("whole.avi"), clips.join("whole.avi")).unwrap();
    let options = ["-c:v", "mpeg4", "-q:v", "2", "-bf", "2"];
    let made = clip(&folder, "b.mp4", 40, &options).unwrap();
    std::fs::rename(made, clips.join("b.mp4")).unwrap();
    let source = DatasetSource::custom("lab", root.join("copy"), None).unwrap();
    assert!(source.check(CheckDepth::Copies).unwrap().is_clean());
    let found = source.check(CheckDepth::Frames).unwrap();
    let paths: Vec<&str> = found.findings().map(|f| f.path.as_str()).collect();
    assert_eq!(paths, ["train/bona_fide/anna/half.avi"]);
    assert_eq!(found.kinds(), [("unreadable", 1)]);
}

#[cfg(feature = "hdf5")]
#[test]
fn a_truncated_array_file_is_found_by_reading_it() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = std::fs::read(fixtures().join("wmca_rgb.hdf5")).unwrap();
    std::fs::write(folder.path().join("whole.hdf5"), &bytes).unwrap();
    std::fs::write(folder.path().join("half.hdf5"), &bytes[..bytes.len() / 2]).unwrap();
    let reader = FrameReader::new();
    let check = |name: &str| reader.check(folder.path(), &recording(name, Media::Hdf5));
    check("whole.hdf5").unwrap();
    assert!(check("half.hdf5").is_err());
}
