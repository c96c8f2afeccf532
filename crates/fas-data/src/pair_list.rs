//! DiffFAS's pair lists: a JSON array of `["/{live folder}/{file}", "/{attack folder}/{file}"]`.
//!
//! `OCIM.json` has 5,912 entries, 4,592 of them distinct; `PADISI.json` 1,416, 354 distinct;
//! `WMCA.json` 6,480. The lists know no parts: OCIM mixes all four domains, and 68 of WMCA's 72
//! clients and 354 people of PADISI are in one list, so a generator trained on it has seen the people
//! of every test part. What a file's name says of its person and recording is read here.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fs;
use std::path::Path;

use crate::{DataError, Partition, Recording, RecordingError};

/// Length of the hexadecimal person in PADISI's names.
const PADISI_PERSON: usize = 24;

/// The list that a pair list is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PairSet {
    /// OULU-NPU, CASIA-FASD, Replay-Attack, MSU-MFSD together.
    Ocim,
    /// WMCA.
    Wmca,
    /// PADISI-Face.
    Padisi,
}

impl PairSet {
    /// File name of the published list.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ocim => "OCIM",
            Self::Wmca => "WMCA",
            Self::Padisi => "PADISI",
        }
    }

    /// Entries and distinct pairs of the published list.
    pub fn published(self) -> (usize, usize) {
        match self {
            Self::Ocim => (5912, 4592),
            Self::Wmca => (6480, 6480),
            Self::Padisi => (1416, 354),
        }
    }
}

/// One image of a pair.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PairFile {
    /// Path as in the list, without the leading slash.
    pub path: String,
    /// Data set.
    pub domain: &'static str,
    /// Folder: the style.
    pub style: String,
    /// Person, the data set first.
    pub subject: String,
    /// Person who wears the instrument (WMCA), the data set first.
    pub presenter: Option<String>,
    /// Recording that the image is of, as the pair list names it.
    pub source: String,
}

/// A live image and an attack on the same person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pair {
    /// The bona fide image.
    pub live: PairFile,
    /// The attack.
    pub attack: PairFile,
}

/// A list of pairs.
#[derive(Debug, Clone, PartialEq)]
pub struct PairList {
    set: PairSet,
    entries: usize,
    pairs: Vec<Pair>,
    unfit: Vec<String>,
}

impl PairList {
    /// Reads a list. Repeated pairs, which balance the released lists, are kept once; names that fit no
    /// rule are kept apart.
    ///
    /// # Errors
    ///
    /// [`DataError::Io`], [`RecordingError::Json`] for another JSON, [`RecordingError::Table`] if no
    /// folder is one of the three lists'.
    pub fn read(path: impl AsRef<Path>) -> Result<Self, DataError> {
        let path = path.as_ref();
        let bytes = fs::read(path).map_err(|source| DataError::Io {
            path: path.to_owned(),
            action: "read the pair list",
            source,
        })?;
        let bytes = bytes.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(&bytes);
        let entries: Vec<[String; 2]> =
            serde_json::from_slice(bytes).map_err(|source| RecordingError::Json {
                path: path.to_owned(),
                expected: "an array of arrays of two paths, live and attack, as in DiffFAS",
                source,
            })?;
        let set = entries
            .iter()
            .find_map(|[live, _]| set_of(live))
            .ok_or_else(|| RecordingError::Table {
                path: path.to_owned(),
                line: 1,
                problem:
                    "no live folder of OCIM (C1, I1, M1, O1, …), WMCA (0_00, …) or PADISI (real)"
                        .to_owned(),
            })?;
        let mut list = Self {
            set,
            entries: entries.len(),
            pairs: Vec::new(),
            unfit: Vec::new(),
        };
        let mut seen = HashSet::new();
        for pair in entries {
            match [file(set, &pair[0]), file(set, &pair[1])] {
                [Some(live), Some(attack)] => {
                    if seen.insert(pair) {
                        list.pairs.push(Pair { live, attack });
                    }
                }
                _ => list.unfit.push(pair.join(", ")),
            }
        }
        Ok(list)
    }

    /// Which list it is, by its folders.
    pub fn set(&self) -> PairSet {
        self.set
    }

    /// Entries, with repeats and unfit ones.
    pub fn entries(&self) -> usize {
        self.entries
    }

    /// Whether it has the numbers of the published list.
    pub fn is_published(&self) -> bool {
        (self.entries, self.pairs.len() + self.unfit.len()) == self.set.published()
    }

    /// The distinct pairs, in the order of the list.
    pub fn pairs(&self) -> &[Pair] {
        &self.pairs
    }

    /// Pairs with a name that fits no rule.
    pub fn unfit(&self) -> &[String] {
        &self.unfit
    }

    /// Number of people in the live images of each data set.
    pub fn people(&self) -> BTreeMap<&'static str, usize> {
        let mut people = BTreeMap::<_, BTreeSet<&str>>::new();
        for pair in &self.pairs {
            people
                .entry(pair.live.domain)
                .or_default()
                .insert(&pair.live.subject);
        }
        people
            .into_iter()
            .map(|(domain, people)| (domain, people.len()))
            .collect()
    }

    /// Pairs whose two images show different people: the released OCIM list has one.
    pub fn mismatched(&self) -> Vec<&Pair> {
        let differ = |pair: &&Pair| {
            pair.live.subject != pair.attack.subject
                && pair.attack.presenter.as_ref() != Some(&pair.live.subject)
        };
        self.pairs.iter().filter(differ).collect()
    }

    /// The pairs for which `keep` holds.
    #[must_use]
    pub fn filter(mut self, keep: impl Fn(&Pair) -> bool) -> Self {
        self.pairs.retain(keep);
        self.entries = self.pairs.len();
        self.unfit.clear();
        self
    }

    /// The list as JSON in DiffFAS's form, each pair once.
    pub fn to_json(&self) -> String {
        let pairs: Vec<[String; 2]> = self
            .pairs
            .iter()
            .map(|pair| {
                [
                    format!("/{}", pair.live.path),
                    format!("/{}", pair.attack.path),
                ]
            })
            .collect();
        serde_json::to_string(&pairs).expect("texts are JSON")
    }

    /// How this list names the people and the recordings of `partition`: whatever file of it has one of
    /// these as subject, presenter or source is of the partition.
    pub fn keys_of(&self, partition: &Partition) -> HashSet<String> {
        let parts = partition.parts();
        let recordings = parts.iter().flat_map(|(_, recordings)| recordings.iter());
        recordings
            .flat_map(|recording| {
                let people = [Some(recording.subject.clone()), recording.presenter.clone()];
                let keys = [self.person_key(recording), Some(self.source_key(recording))];
                people.into_iter().chain(keys).flatten()
            })
            .collect()
    }

    /// How this list would name the recording as a source.
    pub(crate) fn source_key(&self, recording: &Recording) -> String {
        match self.set {
            PairSet::Padisi => person_of_padisi(recording).unwrap_or_else(|| recording.id.clone()),
            PairSet::Ocim | PairSet::Wmca => recording.id.clone(),
        }
    }

    /// How this list would name the person of the recording, where that is not the subject.
    pub(crate) fn person_key(&self, recording: &Recording) -> Option<String> {
        match self.set {
            PairSet::Padisi => person_of_padisi(recording),
            PairSet::Ocim | PairSet::Wmca => None,
        }
    }
}

fn person_of_padisi(recording: &Recording) -> Option<String> {
    let hex = recording
        .id
        .strip_prefix("padisi/ID_")?
        .get(..PADISI_PERSON)?;
    Some(format!("padisi/{hex}"))
}

/// The list that a live path is of.
fn set_of(live: &str) -> Option<PairSet> {
    let folder = live.trim_start_matches('/').split('/').next()?;
    match folder {
        "real" => Some(PairSet::Padisi),
        "0_00" | "0_01" | "0_02" => Some(PairSet::Wmca),
        _ => domain_of(folder).map(|_| PairSet::Ocim),
    }
}

/// The data set of an OCIM folder: a letter and a number.
fn domain_of(folder: &str) -> Option<&'static str> {
    let number = folder.get(1..)?;
    let digits = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
    let domain = match folder.get(..1)? {
        "O" => "oulu_npu",
        "C" => "casia_fasd",
        "I" => "replay_attack",
        "M" => "msu_mfsd",
        _ => return None,
    };
    digits.then_some(domain)
}

fn file(set: PairSet, path: &str) -> Option<PairFile> {
    let path = path.trim_start_matches('/');
    let (folder, name) = path.split_once('/')?;
    let (stem, _) = name.rsplit_once('.')?;
    let (domain, subject, presenter, source) = match set {
        PairSet::Wmca => wmca(folder, stem)?,
        PairSet::Padisi => {
            let hex = stem.strip_prefix("ID_")?.get(..PADISI_PERSON)?;
            let person = hex
                .bytes()
                .all(|byte| byte.is_ascii_hexdigit())
                .then_some(hex)?;
            (
                "padisi",
                person.to_owned(),
                None,
                format!("padisi/{person}"),
            )
        }
        PairSet::Ocim => ocim(folder, stem)?,
    };
    Some(PairFile {
        path: path.to_owned(),
        domain,
        style: folder.to_owned(),
        subject: format!("{domain}/{subject}"),
        presenter: presenter.map(|presenter| format!("{domain}/{presenter}")),
        source,
    })
}

type Parsed = (&'static str, String, Option<String>, String);

/// `client_session_presenter_type_PAI_Frame_0` in the folder `type_PAI`.
fn wmca(folder: &str, stem: &str) -> Option<Parsed> {
    let (recording, _frame) = stem.split_once("_Frame_")?;
    let mut fields = recording.splitn(4, '_');
    let (client, _session, presenter) = (fields.next()?, fields.next()?, fields.next()?);
    (fields.next()? == folder).then(|| {
        let presenter = (presenter != "000").then(|| presenter.to_owned());
        (
            "wmca",
            client.to_owned(),
            presenter,
            format!("wmca/{recording}"),
        )
    })
}

/// OULU-NPU: `phone_session_user_type`. Replay-Attack and MSU-MFSD: `client` and three digits anywhere.
/// CASIA: the person first, with `(2)` in names of the test part.
fn ocim(folder: &str, stem: &str) -> Option<Parsed> {
    let domain = domain_of(folder)?;
    let digits = |text: &str| -> String { text.chars().take_while(char::is_ascii_digit).collect() };
    let subject = match domain {
        "oulu_npu" => {
            let fields: Vec<&str> = stem.split('_').collect();
            let [_phone, _session, user, _kind] = fields.try_into().ok()?;
            user.to_owned()
        }
        "casia_fasd" => {
            let number: u32 = digits(stem).parse().ok()?;
            let before = if stem.contains("(2)") { 20 } else { 0 };
            format!("{:02}", before + number)
        }
        _ => {
            let (_, rest) = stem.split_once("client")?;
            let client = digits(rest);
            (client.len() == 3).then_some(client)?
        }
    };
    Some((domain, subject, None, format!("{domain}/{stem}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn list(pairs: &[[&str; 2]]) -> Result<PairList, DataError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.json");
        fs::write(&path, serde_json::to_string(pairs).unwrap()).unwrap();
        PairList::read(path)
    }

    #[test]
    fn names_of_wmca_tell_client_presenter_and_recording() {
        let list = list(&[
            [
                "/0_00/017_01_000_0_00_Frame_0.png",
                "/2_12/501_02_017_2_12_Frame_0.png",
            ],
            [
                "/0_00/017_01_000_0_00_Frame_0.png",
                "/2_12/501_02_017_2_13_Frame_0.png",
            ],
        ])
        .unwrap();
        assert_eq!(list.set(), PairSet::Wmca);
        let [pair] = list.pairs() else { panic!() };
        assert_eq!(pair.live.subject, "wmca/017");
        assert_eq!(pair.attack.source, "wmca/501_02_017_2_12");
        assert_eq!(pair.attack.presenter.as_deref(), Some("wmca/017"));
        // The presenter is the live person: no mismatch. The second pair lies in the wrong folder.
        assert_eq!(list.mismatched().len(), 0);
        assert_eq!(list.unfit().len(), 1);
        assert!(!list.is_published());
    }

    #[test]
    fn ocim_is_deduplicated_and_its_mismatch_found() {
        let pair = ["/I1/client001_adverse.png", "/I2/client001_print.png"];
        let list = list(&[
            pair,
            pair,
            ["/I1/client021_a.png", "/I3/client020_a.png"],
            ["/C1/7_1.png", "/C4/7_3.png"],
            ["/C1/7(2)_1.png", "/C4/7(2)_3.png"],
            ["/O12/2_1_33_1.png", "/O22/2_1_33_2.png"],
        ])
        .unwrap();
        assert_eq!(list.set(), PairSet::Ocim);
        assert_eq!((list.entries(), list.pairs().len()), (6, 5));
        assert_eq!(list.mismatched().len(), 1);
        assert_eq!(
            list.people(),
            BTreeMap::from([("casia_fasd", 2), ("oulu_npu", 1), ("replay_attack", 2)])
        );
        let casia = list.filter(|pair| pair.live.domain == "casia_fasd");
        assert_eq!(
            casia.to_json(),
            "[[\"/C1/7_1.png\",\"/C4/7_3.png\"],[\"/C1/7(2)_1.png\",\"/C4/7(2)_3.png\"]]"
        );
    }

    #[test]
    fn another_json_is_refused() {
        let error = list(&[["/a/b.png", "/c/d.png"]]).unwrap_err().to_string();
        assert!(error.contains("no live folder of OCIM"), "{error}");
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("pairs.json");
        fs::write(&path, "{\"a\": 1}").unwrap();
        let error = PairList::read(path).unwrap_err().to_string();
        assert!(error.contains("an array of arrays of two paths"), "{error}");
    }
}
