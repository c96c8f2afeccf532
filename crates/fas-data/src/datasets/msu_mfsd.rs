//! MSU-MFSD (Wen et al. 2015), the public 35 clients.
//!
//! `scene01/real/real_client{NNN}_{android,laptop}_SD_scene01.{mp4,mov}` and
//! `scene01/attack/attack_client{NNN}_{android,laptop}_SD_{instrument}_scene01.{mp4,mov}`; android
//! cameras wrote mp4, laptops mov. Six android clips of bona fide clients 003 to 009 stand on their
//! head. The publisher's lists give 15 clients to training and 20 to the test.

use super::adapter::{Adapter, Verdict};
use super::card::{DatasetCard, ExpectedCount, Layout};
use super::name::{number, split_path, video};
use crate::{Label, Media, PaiSpecies, Recording, Rotation, Split};

pub(super) const CARD: DatasetCard = DatasetCard {
    name: "msu_mfsd",
    title: "MSU-MFSD",
    letter: Some('M'),
    layouts: &[Layout::Original, Layout::ReEncoded],
    licence: "request form, research only",
    apply: "Michigan State University, Biometrics Research Group",
    expected: &[
        ExpectedCount::classes(Some(Split::Train), 30, 90),
        ExpectedCount::classes(Some(Split::Test), 40, 120),
    ],
    marker: "scene01",
    experimental: false,
};

const TRAIN: [u32; 15] = [2, 3, 5, 6, 7, 8, 9, 11, 12, 21, 22, 34, 53, 54, 55];
const TEST: [u32; 20] = [
    1, 13, 14, 23, 24, 26, 28, 29, 30, 32, 33, 35, 36, 37, 39, 42, 48, 49, 50, 51,
];
/// Clients whose bona fide android clip is upside down.
const UPSIDE_DOWN: [u32; 6] = [3, 5, 6, 7, 8, 9];
const INSTRUMENTS: [&str; 3] = ["ipad_video", "iphone_video", "printed_photo"];
const DEVICES: [&str; 2] = ["android", "laptop"];

/// Reads names of MSU-MFSD.
pub(super) struct MsuMfsd;

/// Client, device and instrument of a stem.
fn parse(stem: &str) -> Option<(&str, &str, Option<&'static str>)> {
    let (attack, rest) = match stem.strip_prefix("real_client") {
        Some(rest) => (false, rest),
        None => (true, stem.strip_prefix("attack_client")?),
    };
    let (client, rest) = rest.split_once('_')?;
    let (device, rest) = rest.split_once("_SD_")?;
    let instrument = if attack {
        let name = rest.strip_suffix("_scene01")?;
        Some(INSTRUMENTS.into_iter().find(|known| *known == name)?)
    } else if rest == "scene01" {
        None
    } else {
        return None;
    };
    DEVICES
        .contains(&device)
        .then_some((client, device, instrument))
}

impl Adapter for MsuMfsd {
    fn classify(&self, path: &str) -> Verdict {
        let (folder, stem, extension) = split_path(path);
        let list = ["train_sub_list", "test_sub_list"].contains(&stem);
        if extension == "face" || (folder.is_empty() && (list || extension == "txt")) {
            return Verdict::Companion;
        }
        let Some((client, device, instrument)) = parse(stem) else {
            return Verdict::unfit("the name is neither that of a bona fide clip nor of an attack");
        };
        let home = instrument.map_or("scene01/real", |_| "scene01/attack");
        if folder != home {
            return Verdict::unfit(format!("it belongs in {home}"));
        }
        let container = if device == "android" { "mp4" } else { "mov" };
        let Some(original) = video(extension, &[container]) else {
            return Verdict::unfit("not a video");
        };
        let number = number(client, 3, 1..=55);
        let split = match number {
            Some(number) if TRAIN.contains(&number) => Split::Train,
            Some(number) if TEST.contains(&number) => Split::Test,
            _ => return Verdict::unfit(format!("client {client} is in neither list")),
        };
        let label = match instrument {
            None => Label::BonaFide,
            Some("printed_photo") => Label::Attack(PaiSpecies::Print),
            Some(_) => Label::Attack(PaiSpecies::Replay),
        };
        let mut recording = Recording::new(CARD.name, stem, path, Media::Video, label)
            .of_subject(client)
            .in_split(Some(split))
            .with_instrument(instrument.unwrap_or_default())
            // DiffFAS: a style a camera and instrument.
            .with_style(format_args!(
                "{device}/{}",
                instrument.unwrap_or("bona_fide")
            ));
        recording.device = Some(device.to_owned());
        let turned = instrument.is_none()
            && device == "android"
            && number.is_some_and(|number| UPSIDE_DOWN.contains(&number));
        if turned {
            recording.rotation = Rotation::Half;
        }
        Verdict::recording(recording, original)
    }

    fn complete(&self) -> Vec<String> {
        let mut ids = Vec::with_capacity(280);
        for client in TRAIN.into_iter().chain(TEST) {
            for device in DEVICES {
                ids.push(format!(
                    "{}/real_client{client:03}_{device}_SD_scene01",
                    CARD.name
                ));
                ids.extend(INSTRUMENTS.map(|instrument| {
                    format!(
                        "{}/attack_client{client:03}_{device}_SD_{instrument}_scene01",
                        CARD.name
                    )
                }));
            }
        }
        ids
    }
}
