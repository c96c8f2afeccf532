//! CelebA-Spoof (Zhang et al. 2020): `Data/{train,test}/{subject}/{live,spoof}/{id}.{png,jpg}`.
//!
//! `metas/intra_test/{train,test}_label.json` maps each path to 44 integers: `[40]` type of attack,
//! `[41]` illumination, `[42]` environment, `[43]` 0 live and 1 spoof. `{id}_BB.txt` holds a face box
//! `x y w h score` in the coordinates of a **224 x 224** image; some boxes are empty or leave the
//! image.

use std::collections::HashMap;
use std::fmt;
use std::fs;
use std::path::Path;

use serde::de::{IgnoredAny, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::adapter::{Adapter, Verdict};
use super::card::{DatasetCard, ExpectedCount, Layout};
use super::name::{parts, split_path};
use crate::{DataError, Label, Media, PaiSpecies, Recording, RecordingError, Split};

pub(super) const CARD: DatasetCard = DatasetCard {
    name: "celeba_spoof",
    title: "CelebA-Spoof",
    letter: None,
    layouts: &[Layout::Original],
    licence: "non-commercial research",
    apply: "authors of CelebA-Spoof, download after agreement",
    expected: &[
        ExpectedCount::total(Some(Split::Train), 494_405),
        ExpectedCount::total(Some(Split::Test), 67_170),
    ],
    marker: "Data",
    experimental: false,
};

const FORM: &str =
    "an object of paths with 44 integers each, as in CelebA-Spoof's metas/intra_test";

/// Side of the image that the boxes are measured in, pixels.
const BOX_SIDE: f32 = 224.0;

/// The last four of a label file's 44 integers.
#[derive(Clone, Copy)]
struct Attributes {
    kind: u8,
    illumination: u8,
    environment: u8,
    is_spoof: u8,
}

impl<'de> Deserialize<'de> for Attributes {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Numbers;
        impl<'de> Visitor<'de> for Numbers {
            type Value = Attributes;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("44 integers")
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut numbers: A) -> Result<Attributes, A::Error> {
                let short = |count| serde::de::Error::invalid_length(count, &"44 integers");
                for index in 0..40 {
                    numbers
                        .next_element::<IgnoredAny>()?
                        .ok_or_else(|| short(index))?;
                }
                let mut last = [0; 4];
                for (index, value) in last.iter_mut().enumerate() {
                    *value = numbers.next_element()?.ok_or_else(|| short(40 + index))?;
                }
                if numbers.next_element::<IgnoredAny>()?.is_some() {
                    return Err(short(45));
                }
                let [kind, illumination, environment, is_spoof] = last;
                Ok(Attributes {
                    kind,
                    illumination,
                    environment,
                    is_spoof,
                })
            }
        }
        deserializer.deserialize_seq(Numbers)
    }
}

/// Reads CelebA-Spoof by its label files.
pub(super) struct CelebaSpoof {
    attributes: HashMap<Box<str>, Attributes>,
}

impl CelebaSpoof {
    pub(super) fn read(root: &Path) -> Result<Self, DataError> {
        let mut attributes = HashMap::new();
        for name in ["train_label.json", "test_label.json"] {
            let path = root.join("metas/intra_test").join(name);
            if !path.is_file() {
                return Err(RecordingError::MissingTable {
                    dataset: CARD.name.to_owned(),
                    path,
                    remedy: "it says what each image is; unpack `metas` of the download into the root",
                }
                .into());
            }
            let bytes = fs::read(&path).map_err(|source| DataError::Io {
                path: path.clone(),
                action: "read the labels",
                source,
            })?;
            let part: HashMap<Box<str>, Attributes> =
                serde_json::from_slice(&bytes).map_err(|source| RecordingError::Json {
                    path,
                    expected: FORM,
                    source,
                })?;
            attributes.extend(part);
        }
        Ok(Self { attributes })
    }
}

/// Species and instrument of `[40]`.
fn instrument_of(kind: u8) -> Option<(PaiSpecies, &'static str)> {
    Some(match kind {
        1 => (PaiSpecies::Print, "photo"),
        2 => (PaiSpecies::Print, "poster"),
        3 => (PaiSpecies::Print, "a4"),
        4 => (PaiSpecies::PaperMask, "face_mask"),
        5 => (PaiSpecies::PaperMask, "upper_body_mask"),
        6 => (PaiSpecies::PaperMask, "region_mask"),
        7 => (PaiSpecies::Replay, "pc"),
        8 => (PaiSpecies::Replay, "pad"),
        9 => (PaiSpecies::Replay, "phone"),
        10 => (PaiSpecies::RigidMask, "3d_mask"),
        _ => return None,
    })
}

impl Adapter for CelebaSpoof {
    fn classify(&self, path: &str) -> Verdict {
        let (folder, stem, extension) = split_path(path);
        if folder.starts_with("metas") || (extension == "txt" && stem.ends_with("_BB")) {
            return Verdict::Companion;
        }
        let Some(["Data", part, subject, class]) = parts::<4>(folder, '/') else {
            return Verdict::unfit("not in Data/{train,test}/{subject}/{live,spoof}");
        };
        let split = match part {
            "train" => Split::Train,
            "test" => Split::Test,
            _ => return Verdict::unfit("not in Data/train or Data/test"),
        };
        if !["png", "jpg"].contains(&extension) {
            return Verdict::unfit("neither .png nor .jpg, nor a face box");
        }
        let Some(attributes) = self.attributes.get(path) else {
            return Verdict::unfit("the label files of metas/intra_test do not name it");
        };
        let (label, instrument) = match (attributes.is_spoof, instrument_of(attributes.kind)) {
            (0, None) if attributes.kind == 0 => (Label::BonaFide, ""),
            (1, Some((species, instrument))) => (Label::Attack(species), instrument),
            _ => {
                return Verdict::unfit(format!(
                    "the label file contradicts itself: class {}, type of attack {}",
                    attributes.is_spoof, attributes.kind
                ));
            }
        };
        if (class == "live") != label.is_bona_fide() {
            return Verdict::unfit(format!("the label file says {label}, the folder {class}"));
        }
        let (folder, ..) = split_path(path);
        let name = format!("{folder}/{stem}");
        let mut recording = Recording::new(CARD.name, &name, path, Media::Image, label)
            .of_subject(subject)
            .in_split(Some(split))
            .with_instrument(instrument)
            .with_style(if label.is_bona_fide() {
                "bona_fide"
            } else {
                instrument
            });
        let light = ["live", "normal", "strong", "back", "dark"];
        let place = ["live", "indoor", "outdoor"];
        recording.environment = light
            .get(usize::from(attributes.illumination))
            .zip(place.get(usize::from(attributes.environment)))
            .filter(|_| !label.is_bona_fide())
            .map(|(light, place)| format!("{light}/{place}"));
        Verdict::recording(recording, true)
    }

    fn complete(&self) -> Vec<String> {
        self.attributes
            .keys()
            .map(|path| {
                let (folder, stem, _) = split_path(path);
                format!("{}/{folder}/{stem}", CARD.name)
            })
            .collect()
    }
}

/// A face box in pixels of its own image, and the detector's confidence.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct CelebaBox {
    /// Left edge.
    pub x: f32,
    /// Top edge.
    pub y: f32,
    /// Width.
    pub width: f32,
    /// Height.
    pub height: f32,
    /// Confidence of RetinaFace, `[0, 1]`.
    pub score: f32,
}

/// Reads the text of a `_BB.txt` for an image of `width` x `height` pixels. The file measures in an
/// image of 224 x 224, so `x` and `w` are multiplied by `width / 224`, `y` and `h` by `height / 224`.
/// What leaves the image is cut off.
///
/// `None` for a file that is empty, is no five numbers, or whose box lies outside the image: some of the
/// publisher's are so.
pub fn parse_celeba_box(text: &str, width: u32, height: u32) -> Option<CelebaBox> {
    let numbers: Option<Vec<f32>> = text
        .split_whitespace()
        .map(|word| word.parse().ok().filter(|number: &f32| number.is_finite()))
        .collect();
    let [x, y, w, h, score] = numbers?.try_into().ok()?;
    let clip = |start: f32, length: f32, side: u32| {
        let scale = side as f32 / BOX_SIDE;
        let low = (start * scale).clamp(0.0, side as f32);
        let high = ((start + length) * scale).clamp(0.0, side as f32);
        (high > low).then_some((low, high - low))
    };
    let (x, width) = clip(x, w, width)?;
    let (y, height) = clip(y, h, height)?;
    Some(CelebaBox {
        x,
        y,
        width,
        height,
        score,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn boxes_are_in_224_coordinates() {
        let found = parse_celeba_box("56 28 112 56 0.9987", 448, 896).unwrap();
        assert_eq!(
            (found.x, found.y, found.width, found.height, found.score),
            (112.0, 112.0, 224.0, 224.0, 0.9987)
        );
        // A negative edge is cut off, and takes its part of the width along.
        let cut = parse_celeba_box("-28 0 56 224 0.5", 224, 224).unwrap();
        assert_eq!((cut.x, cut.width, cut.height), (0.0, 28.0, 224.0));
        for bad in [
            "",
            "1 2 3 4",
            "1 2 3 4 5 6",
            "0 0 0 10 0.9",
            "300 0 10 10 0.9",
            "a b c d e",
        ] {
            assert_eq!(parse_celeba_box(bad, 224, 224), None, "{bad}");
        }
    }
}
