//! WMCA (George et al. 2019): `…/{dd.mm.yy}/{client}_{session}_{presenter}_{type}_{pai}.hdf5`, once for
//! colour (`WMCA_preprocessed_RGB`) and once for grey, depth, infrared and thermal (`…_CDIT`).
//!
//! | type | what |
//! |---|---|
//! | 0 | bona fide; pai 01 and 02 with own or unisex glasses, bona fide too |
//! | 1 | disguise glasses; 08 to 12 wigs, which no protocol has |
//! | 2 | 01 to 07 fake head, 08 to 11 paper mask, 12 to 17 rigid mask, 18 and 75 to 99 flexible mask |
//! | 3 | photo: 05, 10, 15 on a display (replay), the others printed |
//! | 4 | video replay |
//! | 5 | make-up, which grandtest leaves out |
//!
//! Client and presenter have three digits; presenter 000 is the client, or a support. The parts of the
//! grandtest protocol are by client and come from the publisher's
//! `PROTOCOL-grandtest_{train,dev,eval}.csv`, looked for in the root, `documentation` and `protocols`.
//! Clients are disjoint, but **presenters cross the parts**: see `fas data leaks`.

use std::collections::HashMap;
use std::path::Path;

use super::adapter::{Adapter, Verdict};
use super::card::{DatasetCard, ExpectedCount, Layout};
use super::name::{number, parts, split_path};
use super::table::Table;
use crate::{DataError, Label, Media, PaiSpecies, Recording, Split};

pub(super) const CARD: DatasetCard = DatasetCard {
    name: "wmca",
    title: "WMCA",
    letter: None,
    layouts: &[Layout::Original],
    licence: "signed agreement, research only",
    apply: "Idiap Research Institute",
    expected: &[
        ExpectedCount::classes(Some(Split::Train), 124, 441),
        ExpectedCount::classes(Some(Split::Development), 108, 449),
        ExpectedCount::classes(Some(Split::Test), 115, 442),
    ],
    marker: "WMCA_preprocessed_RGB",
    experimental: false,
};

const LISTS: [(&str, Split); 3] = [
    ("PROTOCOL-grandtest_train.csv", Split::Train),
    ("PROTOCOL-grandtest_dev.csv", Split::Development),
    ("PROTOCOL-grandtest_eval.csv", Split::Test),
];
const LIST_FOLDERS: [&str; 3] = ["", "documentation", "protocols"];

/// Reads names of WMCA, and its grandtest lists where they are.
pub(super) struct Wmca {
    splits: HashMap<String, Split>,
}

impl Wmca {
    pub(super) fn read(root: &Path) -> Result<Self, DataError> {
        let mut splits = HashMap::new();
        for (name, split) in LISTS {
            let places = LIST_FOLDERS.map(|folder| root.join(folder).join(name));
            let Some(path) = places.iter().find(|path| path.is_file()) else {
                continue;
            };
            for row in Table::read(path)?.rows() {
                let (_, stem, _) = split_path(row.require("filepath")?);
                if let Some(other) = splits.insert(stem.to_owned(), split)
                    && other != split
                {
                    return Err(row.error(format!("`{stem}` is also in {other}")).into());
                }
            }
        }
        Ok(Self { splits })
    }
}

/// Label and instrument by type and PAI.
pub(super) fn label_of(kind: u32, pai: u32) -> Option<(Label, &'static str)> {
    use PaiSpecies::{
        FakeHead, FlexibleMask, Glasses, Makeup, PaperMask, Partial, Print, Replay, RigidMask,
    };
    let (species, instrument) = match (kind, pai) {
        (0, 0..=2) => return Some((Label::BonaFide, "")),
        (1, 8..=12) => (Partial, "wig"),
        (1, _) => (Glasses, "glasses"),
        (2, 1..=7) => (FakeHead, "fakehead"),
        (2, 8..=11) => (PaperMask, "papermask"),
        (2, 12..=17) => (RigidMask, "rigidmask"),
        (2, 18 | 75..=99) => (FlexibleMask, "flexiblemask"),
        (3, 5 | 10 | 15) | (4, _) => (Replay, "replay"),
        (3, _) => (Print, "prints"),
        (5, _) => (Makeup, "makeup"),
        _ => return None,
    };
    Some((Label::Attack(species), instrument))
}

impl Adapter for Wmca {
    fn classify(&self, path: &str) -> Verdict {
        let (folder, stem, extension) = split_path(path);
        if extension == "csv" || folder.split('/').next() == Some("documentation") {
            return Verdict::Companion;
        }
        if extension != "hdf5" {
            return Verdict::unfit("not an .hdf5 file");
        }
        let fields =
            parts(stem, '_').and_then(|[client, session, presenter, kind, pai]: [&str; 5]| {
                number(client, 3, 0..=999)?;
                number(presenter, 3, 0..=999)?;
                number(session, 2, 1..=7)?;
                let (kind_number, pai_number) = (number(kind, 1, 0..=5)?, number(pai, 2, 0..=99)?);
                Some((
                    client,
                    session,
                    presenter,
                    [kind, pai],
                    kind_number,
                    pai_number,
                ))
            });
        let Some((client, session, presenter, codes, kind, pai)) = fields else {
            return Verdict::unfit("the name is not {client}_{session}_{presenter}_{type}_{pai}");
        };
        let Some((label, instrument)) = label_of(kind, pai) else {
            return Verdict::unfit(format!("type {kind} has no PAI {pai:02}"));
        };
        if folder.contains("CDIT") {
            return Verdict::Companion;
        }
        let mut recording = Recording::new(CARD.name, stem, path, Media::Hdf5, label)
            .of_subject(client)
            .in_split(self.splits.get(stem).copied())
            .with_instrument(instrument)
            // DiffFAS: one style a type and PAI.
            .with_style(codes.join("_"));
        recording.session = Some(session.to_owned());
        recording.presenter = (presenter != "000").then(|| format!("{}/{presenter}", CARD.name));
        Verdict::recording(recording, true)
    }

    fn complete(&self) -> Vec<String> {
        let mut ids: Vec<String> = self
            .splits
            .keys()
            .map(|stem| format!("{}/{stem}", CARD.name))
            .collect();
        ids.sort_unstable();
        ids
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn glasses_of_type_zero_are_bona_fide_and_photos_on_displays_are_replays() {
        let name = |kind, pai| label_of(kind, pai).map(|(label, _)| label.to_string());
        for (kind, pai, expected) in [
            (0, 0, "bona_fide"),
            (0, 1, "bona_fide"),
            (0, 2, "bona_fide"),
            (1, 1, "glasses"),
            (1, 9, "partial"),
            (2, 7, "fake_head"),
            (2, 8, "paper_mask"),
            (2, 17, "rigid_mask"),
            (2, 18, "flexible_mask"),
            (2, 75, "flexible_mask"),
            (3, 5, "replay"),
            (3, 6, "print"),
            (4, 1, "replay"),
            (5, 1, "makeup"),
        ] {
            assert_eq!(
                name(kind, pai).as_deref(),
                Some(expected),
                "{kind}_{pai:02}"
            );
        }
        assert_eq!(name(0, 3), None);
        assert_eq!(name(2, 19), None);
    }
}
