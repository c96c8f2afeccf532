//! What the parts of a protocol share that they should not: people, presenters, sessions, files, and
//! pairs that a generator of attacks was trained on.
//!
//! The guard ([`LeakageGuard`](crate::LeakageGuard)) refuses a training; this report describes lists,
//! whoever made them, before anything is trained.

use std::collections::BTreeMap;
use std::fmt;

use crate::pair_list::PairList;
use crate::{Manifest, Partition, Recording, Split};

/// What two parts share.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[non_exhaustive]
pub enum LeakKind {
    /// A person's face.
    Subject,
    /// A person who wears or holds an instrument in one part, and is seen in the other.
    Presenter,
    /// A session of a person.
    Session,
    /// A video, or a file.
    SourceVideo,
    /// An image, but for size, coding or a small shift.
    NearDuplicate,
    /// A person in a generator's pairs.
    GeneratorSubject,
    /// A recording in a generator's pairs.
    GeneratorSource,
}

impl fmt::Display for LeakKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Subject => "subject(s)",
            Self::Presenter => "presenter(s)",
            Self::Session => "session(s)",
            Self::SourceVideo => "source video(s)",
            Self::NearDuplicate => "near-duplicate image(s)",
            Self::GeneratorSubject => "person(s) of a generator's pairs",
            Self::GeneratorSource => "source(s) of a generator's pairs",
        })
    }
}

/// Where a leak comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum LeakSide {
    /// A part of the protocol.
    Part(Split),
    /// A list of pairs that a generator was trained on.
    Generator,
}

impl fmt::Display for LeakSide {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Part(split) => split.fmt(f),
            Self::Generator => f.write_str("generator"),
        }
    }
}

/// Everything of one kind that two parts share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leak {
    /// What is shared.
    pub kind: LeakKind,
    /// The parts; a leak into the test part spoils its numbers, one between training and development
    /// only the choice of a threshold.
    pub between: (LeakSide, LeakSide),
    /// Number of shared people, sessions, files or images.
    pub shared: usize,
    /// Recordings of the first part that are touched.
    pub touched: usize,
    /// First of what is shared, with an example of either part.
    pub example: (String, String, String),
}

impl fmt::Display for Leak {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second) = self.between;
        let (name, in_first, in_second) = &self.example;
        write!(
            f,
            "{first} and {second} share {} {}, in {} of {first}: `{name}`, in {in_first} and in {in_second}",
            self.shared, self.kind, self.touched
        )
    }
}

/// What is compared of a recording or sample.
#[derive(Debug, Clone)]
struct Item<'a> {
    id: &'a str,
    subject: &'a str,
    presenter: Option<&'a str>,
    session: Option<String>,
    video: String,
}

impl<'a> Item<'a> {
    fn of_recording(recording: &'a Recording) -> Self {
        let row = recording
            .row
            .map(|row| format!("#{row}"))
            .unwrap_or_default();
        Self {
            id: &recording.id,
            subject: &recording.subject,
            presenter: recording.presenter.as_deref(),
            session: recording
                .session
                .as_ref()
                .map(|session| format!("{} session {session}", recording.subject)),
            video: format!("{}/{}{row}", recording.domain, recording.path),
        }
    }
}

/// Key to (items that have it, first of them).
type Found<'a> = BTreeMap<String, (usize, &'a str)>;

fn collect<'a>(
    items: &[Item<'a>],
    key: impl for<'i> Fn(&'i Item<'a>) -> Option<String>,
) -> Found<'a> {
    let mut found = Found::new();
    for item in items {
        if let Some(key) = key(item) {
            found.entry(key).or_insert((0, item.id)).0 += 1;
        }
    }
    found
}

fn shared(
    kind: LeakKind,
    between: (LeakSide, LeakSide),
    first: &Found<'_>,
    second: &Found<'_>,
) -> Option<Leak> {
    let mut leak: Option<Leak> = None;
    for (name, (items, id)) in first {
        let Some((_, other)) = second.get(name) else {
            continue;
        };
        let leak = leak.get_or_insert_with(|| Leak {
            kind,
            between,
            shared: 0,
            touched: 0,
            example: (name.clone(), (*id).to_owned(), (*other).to_owned()),
        });
        leak.shared += 1;
        leak.touched += items;
    }
    leak
}

/// What the parts share, training with test first, then development with test, then training with
/// development.
pub fn find_leaks(partition: &Partition) -> Vec<Leak> {
    let parts = partition.parts().map(|(split, recordings)| {
        let items: Vec<Item<'_>> = recordings.iter().map(Item::of_recording).collect();
        (split, items)
    });
    leaks_of(&parts)
}

/// What the splits of a manifest share.
pub fn find_manifest_leaks(manifest: &Manifest) -> Vec<Leak> {
    let parts = Split::ALL.map(|split| {
        let samples = manifest
            .samples()
            .iter()
            .filter(|sample| sample.split == split);
        let items = samples.map(|sample| Item {
            id: &sample.id,
            subject: &sample.subject,
            presenter: sample.presenter.as_deref(),
            session: None,
            video: match &sample.video {
                Some(video) => format!("{}/{video}", sample.domain),
                None => sample.path.to_string_lossy().into_owned(),
            },
        });
        (split, items.collect::<Vec<_>>())
    });
    leaks_of(&parts)
}

fn leaks_of(parts: &[(Split, Vec<Item<'_>>); 3]) -> Vec<Leak> {
    let [train, development, test] = parts;
    let mut leaks = Vec::new();
    for ((first_split, first), (second_split, second)) in
        [(train, test), (development, test), (train, development)]
    {
        let between = (LeakSide::Part(*first_split), LeakSide::Part(*second_split));
        let subject = |item: &Item<'_>| Some(item.subject.to_owned());
        let presenter = |item: &Item<'_>| {
            item.presenter
                .filter(|presenter| *presenter != item.subject)
                .map(str::to_owned)
        };
        let (subjects, other_subjects) = (collect(first, subject), collect(second, subject));
        let (presenters, others) = (collect(first, presenter), collect(second, presenter));
        leaks.extend(shared(
            LeakKind::Subject,
            between,
            &subjects,
            &other_subjects,
        ));
        leaks.extend(shared(
            LeakKind::Presenter,
            between,
            &presenters,
            &other_subjects,
        ));
        // The other way round, told from the part with the presenter.
        leaks.extend(shared(
            LeakKind::Presenter,
            (between.1, between.0),
            &others,
            &subjects,
        ));
        let session = |item: &Item<'_>| item.session.clone();
        leaks.extend(shared(
            LeakKind::Session,
            between,
            &collect(first, session),
            &collect(second, session),
        ));
        let video = |item: &Item<'_>| Some(item.video.clone());
        leaks.extend(shared(
            LeakKind::SourceVideo,
            between,
            &collect(first, video),
            &collect(second, video),
        ));
    }
    leaks
}

/// What a generator's pairs share with the development and the test part: nothing may be learnt from
/// these people before they are tested, by a generator neither.
pub fn find_pair_leaks(pairs: &PairList, partition: &Partition) -> Vec<Leak> {
    let mut leaks = Vec::new();
    for (split, recordings) in partition.parts() {
        if split == Split::Train {
            continue;
        }
        let between = (LeakSide::Generator, LeakSide::Part(split));
        let mut people = Found::new();
        let mut sources = Found::new();
        for file in pairs
            .pairs()
            .iter()
            .flat_map(|pair| [&pair.live, &pair.attack])
        {
            for person in std::iter::once(&file.subject).chain(&file.presenter) {
                people.entry(person.clone()).or_insert((0, &file.path)).0 += 1;
            }
            sources
                .entry(file.source.clone())
                .or_insert((0, &file.path))
                .0 += 1;
        }
        let mut tested_people = Found::new();
        let mut tested = Found::new();
        for recording in recordings {
            for person in std::iter::once(&recording.subject).chain(&recording.presenter) {
                tested_people
                    .entry(person.clone())
                    .or_insert((0, &recording.id))
                    .0 += 1;
            }
            // PADISI's lists name a person by the transaction only.
            let source = pairs.source_key(recording);
            if let Some(person) = pairs.person_key(recording) {
                tested_people.entry(person).or_insert((0, &recording.id)).0 += 1;
            }
            tested.entry(source).or_insert((0, &recording.id)).0 += 1;
        }
        leaks.extend(shared(
            LeakKind::GeneratorSubject,
            between,
            &people,
            &tested_people,
        ));
        leaks.extend(shared(
            LeakKind::GeneratorSource,
            between,
            &sources,
            &tested,
        ));
    }
    leaks
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::tests::sample;
    use crate::{Label, Media, PaiSpecies};

    fn recording(subject: &str, presenter: Option<&str>, session: &str, name: &str) -> Recording {
        let label = presenter.map_or(Label::BonaFide, |_| Label::Attack(PaiSpecies::RigidMask));
        let mut recording =
            Recording::new("wmca", name, &format!("{name}.hdf5"), Media::Hdf5, label)
                .of_subject(subject);
        recording.presenter = presenter.map(|presenter| format!("wmca/{presenter}"));
        recording.session = Some(session.to_owned());
        recording
    }

    fn lines(partition: &Partition) -> Vec<String> {
        find_leaks(partition).iter().map(Leak::to_string).collect()
    }

    #[test]
    fn presenters_who_are_tested_are_found() {
        let partition = Partition {
            train: vec![
                recording("001", None, "1", "a"),
                recording("900", Some("003"), "1", "b"),
                recording("901", Some("003"), "1", "c"),
                recording("902", Some("002"), "1", "d"),
            ],
            development: vec![recording("002", None, "1", "e")],
            test: vec![recording("003", None, "1", "f")],
        };
        assert_eq!(
            lines(&partition),
            [
                "train and test share 1 presenter(s), in 2 of train: `wmca/003`, in wmca/b and in wmca/f",
                "train and development share 1 presenter(s), in 1 of train: `wmca/002`, in wmca/d and in wmca/e",
            ]
        );
    }

    #[test]
    fn presenters_of_a_manifest_are_found() {
        let mut attack = sample("wmca", "wmca/900", Split::Train, "rigid_mask");
        attack.presenter = Some("wmca/003".to_owned());
        let tested = sample("wmca", "wmca/003", Split::Test, "bona_fide");
        let manifest = Manifest::new("", vec![attack, tested]).unwrap();
        let leaks = find_manifest_leaks(&manifest);
        let kinds: Vec<LeakKind> = leaks.iter().map(|leak| leak.kind).collect();
        assert_eq!(kinds, [LeakKind::Presenter], "{leaks:?}");
    }

    #[test]
    fn people_sessions_and_files_are_found() {
        let shared = recording("001", None, "2", "a");
        let partition = Partition {
            train: vec![shared.clone(), recording("002", None, "1", "b")],
            development: vec![recording("002", None, "3", "c")],
            test: vec![shared],
        };
        let kinds: Vec<(LeakKind, usize)> = find_leaks(&partition)
            .iter()
            .map(|leak| (leak.kind, leak.shared))
            .collect();
        assert_eq!(
            kinds,
            [
                (LeakKind::Subject, 1),
                (LeakKind::Session, 1),
                (LeakKind::SourceVideo, 1),
                // Another session of the same person: training with development.
                (LeakKind::Subject, 1),
            ]
        );
    }

    #[test]
    fn disjoint_parts_share_nothing() {
        let partition = Partition {
            train: vec![
                recording("001", None, "1", "a"),
                recording("1", Some("001"), "1", "b"),
            ],
            development: vec![recording("002", None, "1", "c")],
            test: vec![recording("003", None, "1", "d")],
        };
        assert_eq!(lines(&partition), Vec::<String>::new());
    }
}
