//! What frames are taken of which recordings: of one index, or of every part of a protocol.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::path::Path;

use fas_data::{
    DataError, Dataset, DatasetSource, FramePolicy, OfficialProtocol, Recording, RecordingError,
    Split,
};

use crate::commands::data::protocol::{part_file, read_partition, read_protocol};
use crate::commands::data::source::{Copies, recordings_of};
use crate::error::CliError;

/// One recording, and what is taken of it.
pub(super) struct Task {
    pub(super) recording: Recording,
    /// Part of the manifest that its frames belong to.
    pub(super) split: Split,
    pub(super) policy: FramePolicy,
}

/// Recordings of one or more data sets.
pub(super) struct Job {
    /// Copies by the name of their domain.
    sources: BTreeMap<String, DatasetSource>,
    pub(super) tasks: Vec<Task>,
}

impl Job {
    /// Recordings of one data set by an index. `split` is the part of all of them; without it the publisher's.
    pub(super) fn of_index(
        source: DatasetSource,
        index: &Path,
        split: Option<Split>,
        policy: FramePolicy,
    ) -> Result<Self, CliError> {
        let recordings = recordings_of(&source, index)?;
        let tasks = recordings.into_iter().map(|recording| {
            let split = split
                .or(recording.split)
                .ok_or_else(|| CliError::NoSplit(recording.id.clone()))?;
            Ok(Task {
                recording,
                split,
                policy,
            })
        });
        let tasks = tasks.collect::<Result<Vec<_>, CliError>>()?;
        check_unique(&tasks, |task| task.recording.path.clone())?;
        Ok(Self {
            sources: BTreeMap::from([(source.name().to_owned(), source)]),
            tasks,
        })
    }

    /// Every part of the protocol in `folder`; the part is the split. Frames are those that the protocol says,
    /// unless there is a `policy`.
    pub(super) fn of_protocol(
        folder: &Path,
        copies: &Copies,
        policy: Option<FramePolicy>,
    ) -> Result<Self, CliError> {
        let protocol = read_protocol(&folder.join("protocol.toml"))?;
        let partition = read_partition(folder)?;
        let rules = policies(&protocol);
        let mut tasks = Vec::new();
        for ((split, recordings), rule) in partition.parts().into_iter().zip(rules) {
            let policy = policy.or(rule).unwrap_or(FramePolicy::All);
            if !recordings.is_empty() {
                eprintln!("{split}: {} recordings, frames: {policy}", recordings.len());
            }
            tasks.extend(recordings.iter().map(|recording| Task {
                recording: recording.clone(),
                split,
                policy,
            }));
        }
        check_unique(&tasks, |task| {
            part_file(folder, task.split).display().to_string()
        })?;
        let domains: BTreeSet<&String> = tasks.iter().map(|task| &task.recording.domain).collect();
        let sources = domains
            .into_iter()
            .map(|domain| Ok((domain.clone(), copies.open(&section_of(domain))?)))
            .collect::<Result<_, CliError>>()?;
        Ok(Self { sources, tasks })
    }

    /// Folder that the paths of a recording are relative to.
    pub(super) fn root_of(&self, recording: &Recording) -> &Path {
        self.sources[&recording.domain].root()
    }
}

/// Frame policies of training, development and test part.
fn policies(protocol: &OfficialProtocol) -> [Option<FramePolicy>; 3] {
    [&protocol.train, &protocol.development, &protocol.test].map(|part| part.frames)
}

/// Section of `datasets.toml` that a domain's copy is in.
fn section_of(domain: &str) -> String {
    match domain.parse::<Dataset>() {
        Ok(dataset) => dataset.name().to_owned(),
        Err(_) => format!("custom.{domain}"),
    }
}

/// Refuses a recording that is there twice: its frames would have one name, and one split too few.
fn check_unique(tasks: &[Task], place: impl Fn(&Task) -> String) -> Result<(), DataError> {
    let mut seen = HashMap::new();
    for task in tasks {
        if let Some(first) = seen.insert(&task.recording.id, task) {
            return Err(RecordingError::DuplicateRecording {
                id: task.recording.id.clone(),
                first: place(first),
                second: place(task),
            }
            .into());
        }
    }
    Ok(())
}
