//! What is published about a data set: names, layouts, licence, where to apply, counts.

use std::fmt;
use std::path::Path;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::adapter::Adapter;
use super::{
    casia_fasd, celeba_spoof, hkbu_mars, msu_mfsd, oulu_npu, padisi, replay_attack, rose_youtu,
    siw, wffd, wmca,
};
use crate::{DataError, RecordingError, Split};

/// How a copy of a data set is laid out on disk.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Layout {
    /// Folders, names and containers of the publisher.
    #[default]
    Original,
    /// Folders joined into the file's name by `_`: `train_release/1_HR_1.avi`.
    Flattened,
    /// The publisher's names in another container: `.mp4` for `.avi`.
    ReEncoded,
}

impl Layout {
    /// Every layout.
    pub const ALL: [Self; 3] = [Self::Original, Self::Flattened, Self::ReEncoded];

    /// The name in `datasets.toml`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Original => "original",
            Self::Flattened => "flattened",
            Self::ReEncoded => "re-encoded",
        }
    }
}

impl fmt::Display for Layout {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Published number of recordings of a part.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct ExpectedCount {
    /// Part, or the whole where the set has no parts.
    pub split: Option<Split>,
    /// Bona fide recordings and attacks, where they are published apart.
    pub classes: Option<(usize, usize)>,
    /// All recordings.
    pub total: usize,
}

impl ExpectedCount {
    /// Bona fide recordings and attacks of a part.
    pub const fn classes(split: Option<Split>, bona_fide: usize, attack: usize) -> Self {
        Self {
            split,
            classes: Some((bona_fide, attack)),
            total: bona_fide + attack,
        }
    }

    /// Recordings of a part whose classes are not published apart.
    pub const fn total(split: Option<Split>, total: usize) -> Self {
        Self {
            split,
            classes: None,
            total,
        }
    }
}

/// What is published about a data set.
#[derive(Debug, Clone, Copy, Serialize)]
pub struct DatasetCard {
    /// Name in `datasets.toml`, in index files and in protocols.
    pub name: &'static str,
    /// Name in papers.
    pub title: &'static str,
    /// Letter in the names of cross-domain protocols, `O` in `OCI->M`.
    pub letter: Option<char>,
    /// Layouts that have rules.
    pub layouts: &'static [Layout],
    /// Terms of use, in a few words.
    pub licence: &'static str,
    /// Where to ask for it.
    pub apply: &'static str,
    /// Published numbers of recordings.
    pub expected: &'static [ExpectedCount],
    /// A folder or file that lies directly in the right root.
    pub marker: &'static str,
    /// Whether the rules were never checked against the publisher's names.
    pub experimental: bool,
}

/// The public data sets with an adapter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Dataset {
    /// OULU-NPU.
    OuluNpu,
    /// CASIA-FASD, also CASIA-MFSD.
    CasiaFasd,
    /// Replay-Attack.
    ReplayAttack,
    /// MSU-MFSD.
    MsuMfsd,
    /// SiW.
    Siw,
    /// Rose-Youtu.
    RoseYoutu,
    /// HKBU-MARs V2.
    HkbuMars,
    /// Wax Figure Face Database; experimental, through a mapping file.
    Wffd,
    /// CelebA-Spoof.
    CelebaSpoof,
    /// WMCA.
    Wmca,
    /// PADISI-Face.
    Padisi,
}

impl Dataset {
    /// Every data set, in the order in which they are listed.
    pub const ALL: [Self; 11] = [
        Self::OuluNpu,
        Self::CasiaFasd,
        Self::ReplayAttack,
        Self::MsuMfsd,
        Self::Siw,
        Self::RoseYoutu,
        Self::HkbuMars,
        Self::Wffd,
        Self::CelebaSpoof,
        Self::Wmca,
        Self::Padisi,
    ];

    /// What is published about it.
    pub fn card(self) -> &'static DatasetCard {
        match self {
            Self::OuluNpu => &oulu_npu::CARD,
            Self::CasiaFasd => &casia_fasd::CARD,
            Self::ReplayAttack => &replay_attack::CARD,
            Self::MsuMfsd => &msu_mfsd::CARD,
            Self::Siw => &siw::CARD,
            Self::RoseYoutu => &rose_youtu::CARD,
            Self::HkbuMars => &hkbu_mars::CARD,
            Self::Wffd => &wffd::CARD,
            Self::CelebaSpoof => &celeba_spoof::CARD,
            Self::Wmca => &wmca::CARD,
            Self::Padisi => &padisi::CARD,
        }
    }

    /// Its name in `datasets.toml`.
    pub fn name(self) -> &'static str {
        self.card().name
    }

    /// The adapter for a copy below `root`; it reads the tables that it needs.
    pub(crate) fn adapter(
        self,
        root: &Path,
        layout: Layout,
        mapping: Option<&Path>,
    ) -> Result<Box<dyn Adapter>, DataError> {
        let card = self.card();
        if !card.layouts.contains(&layout) {
            let known = card.layouts.iter().map(|layout| layout.name()).collect();
            return Err(RecordingError::UnsupportedLayout {
                dataset: card.name.to_owned(),
                layout: layout.name().to_owned(),
                known,
            }
            .into());
        }
        Ok(match self {
            Self::OuluNpu => Box::new(oulu_npu::OuluNpu::new(layout)),
            Self::CasiaFasd => Box::new(casia_fasd::CasiaFasd::new(layout)),
            Self::ReplayAttack => Box::new(replay_attack::ReplayAttack),
            Self::MsuMfsd => Box::new(msu_mfsd::MsuMfsd),
            Self::Siw => Box::new(siw::Siw),
            Self::RoseYoutu => Box::new(rose_youtu::RoseYoutu),
            Self::HkbuMars => Box::new(hkbu_mars::HkbuMars),
            Self::Wffd => Box::new(wffd::Wffd::read(root, mapping)?),
            Self::CelebaSpoof => Box::new(celeba_spoof::CelebaSpoof::read(root)?),
            Self::Wmca => Box::new(wmca::Wmca::read(root)?),
            Self::Padisi => Box::new(padisi::Padisi::read(root)?),
        })
    }
}

impl FromStr for Dataset {
    type Err = RecordingError;

    fn from_str(text: &str) -> Result<Self, RecordingError> {
        Self::ALL
            .into_iter()
            .find(|dataset| dataset.name() == text)
            .ok_or_else(|| RecordingError::UnknownDataset {
                found: text.to_owned(),
                known: Self::ALL.map(|dataset| dataset.name().to_owned()).to_vec(),
            })
    }
}

impl fmt::Display for Dataset {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn names_and_letters_are_unique_and_parse_back() {
        let names: BTreeSet<_> = Dataset::ALL.map(Dataset::name).into();
        assert_eq!(names.len(), Dataset::ALL.len());
        let letters: Vec<char> = Dataset::ALL
            .iter()
            .filter_map(|dataset| dataset.card().letter)
            .collect();
        assert_eq!(letters, ['O', 'C', 'I', 'M']);
        for dataset in Dataset::ALL {
            assert_eq!(dataset.name().parse::<Dataset>().unwrap(), dataset);
        }
        let error = "oulu".parse::<Dataset>().unwrap_err().to_string();
        assert!(error.starts_with("unknown data set `oulu`; known are oulu_npu, casia_fasd"));
    }
}
