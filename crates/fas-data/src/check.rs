//! Checking a copy of a data set: what is missing, extra, misnamed, empty, damaged, copied or
//! re-encoded, and whether the counts are the published ones.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io::{self, BufReader, Read};
use std::path::Path;

use sha2::{Digest, Sha256};

use crate::survey::{CountMismatch, Finding, Problem, Survey};
use crate::{DataError, DatasetSource, FrameReader, Media, Recording};

/// How closely files are looked at.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum CheckDepth {
    /// Names and sizes.
    Names,
    /// Also the first bytes: whether a file is what its name says.
    #[default]
    Containers,
    /// Also whether two files of one size have the same bytes.
    Copies,
    /// Also whether every recording can be read to its end.
    Frames,
}

/// Result of a check.
#[derive(Debug)]
pub struct DatasetCheck {
    /// Counts, and findings by name.
    pub survey: Survey,
    /// Findings by content.
    pub content: Vec<Finding>,
    /// Ids of recordings that a complete copy has and this one lacks, sorted.
    pub missing: Vec<String>,
    /// Parts whose counts are not as expected.
    pub mismatches: Vec<CountMismatch>,
}

impl DatasetCheck {
    /// Whether nothing is the matter; files beside the recordings do no harm.
    pub fn is_clean(&self) -> bool {
        self.missing.is_empty()
            && self.mismatches.is_empty()
            && !self.findings().any(|finding| finding.problem.is_defect())
    }

    /// Everything odd, by name and by content.
    pub fn findings(&self) -> impl Iterator<Item = &Finding> {
        self.survey.findings().iter().chain(&self.content)
    }

    /// Number of findings of each kind.
    pub fn kinds(&self) -> Vec<(&'static str, usize)> {
        let mut kinds: Vec<(&'static str, usize)> = Vec::new();
        for finding in self.findings() {
            let kind = finding.problem.kind();
            match kinds.iter_mut().find(|(name, _)| *name == kind) {
                Some((_, count)) => *count += 1,
                None => kinds.push((kind, 1)),
            }
        }
        kinds
    }
}

impl DatasetSource {
    /// Checks the copy.
    ///
    /// # Errors
    ///
    /// [`DataError::Io`] if the root cannot be listed, and at [`CheckDepth::Frames`] a program that is not
    /// there. Files that cannot be read are findings.
    pub fn check(&self, depth: CheckDepth) -> Result<DatasetCheck, DataError> {
        let mut content = Vec::new();
        let mut recordings = Vec::new();
        let mut last = String::new();
        let survey = self.index(|recording| {
            if depth >= CheckDepth::Frames {
                recordings.push(recording.clone());
            }
            // Rows of one array come one after the other.
            if depth >= CheckDepth::Containers && recording.path != last {
                let problem =
                    container_problem(&self.root().join(&recording.path), recording.media);
                if let Some(problem) = problem {
                    content.push(Finding {
                        path: recording.path.clone(),
                        problem,
                    });
                }
                last = recording.path;
            }
            Ok(())
        })?;
        if depth >= CheckDepth::Copies {
            content.extend(copies(self.root(), &survey));
        }
        if depth >= CheckDepth::Frames {
            let odd: HashSet<&str> = content.iter().map(|odd| odd.path.as_str()).collect();
            recordings.retain(|recording| !odd.contains(recording.path.as_str()));
            content.extend(unreadable(self.root(), &recordings)?);
        }
        Ok(DatasetCheck {
            missing: self.missing(&survey),
            mismatches: survey.mismatches(self.expected()),
            survey,
            content,
        })
    }
}

/// What is wrong with the first bytes of a file, by the kind that its name says.
fn container_problem(path: &Path, media: Media) -> Option<Problem> {
    let mut start = Vec::with_capacity(16);
    let read = File::open(path).and_then(|file| file.take(16).read_to_end(&mut start));
    if let Err(error) = read {
        return Some(Problem::Unreadable(error.to_string()));
    }
    let extension = path.extension().and_then(|extension| extension.to_str());
    let extension = extension.unwrap_or_default().to_ascii_lowercase();
    let found = match media {
        Media::Video => match video_container(&start) {
            // A MOV and an MP4 are of one family, and names are not kept apart with care.
            Some(found) if found.contains(&extension.as_str()) => return None,
            found => found.map(|extensions| extensions[0]),
        },
        Media::Image => {
            let known = crate::image_file::recognise(&start);
            return known.is_none().then(|| damaged("image"));
        }
        Media::Hdf5 => {
            return (!start.starts_with(b"\x89HDF\r\n\x1a\n")).then(|| damaged("HDF5 file"));
        }
        Media::Npz => return (!start.starts_with(b"PK\x03\x04")).then(|| damaged("NumPy archive")),
        Media::NpyRow => return (!start.starts_with(b"\x93NUMPY")).then(|| damaged("NumPy array")),
        Media::Frames => return None,
    };
    Some(match found {
        Some(container) => Problem::OtherContainer {
            found: container.to_owned(),
        },
        None => damaged("video"),
    })
}

fn damaged(what: &str) -> Problem {
    Problem::Unreadable(format!(
        "the content is no {what}; copy or download it again"
    ))
}

/// Extensions of the container that a video starts like.
fn video_container(start: &[u8]) -> Option<&'static [&'static str]> {
    let at = |offset: usize, magic: &[u8]| start.get(offset..offset + magic.len()) == Some(magic);
    if at(0, b"RIFF") && at(8, b"AVI ") {
        Some(&["avi"])
    } else if [&b"ftyp"[..], b"moov", b"mdat", b"wide", b"free", b"skip"]
        .iter()
        .any(|magic| at(4, magic))
    {
        Some(&["mp4", "mov", "m4v"])
    } else if at(0, b"\x1A\x45\xDF\xA3") {
        Some(&["mkv", "webm"])
    } else if at(0, b"\x30\x26\xB2\x75") {
        Some(&["wmv"])
    } else if at(0, b"\0\0\x01\xBA") || at(0, b"\0\0\x01\xB3") {
        Some(&["mpg"])
    } else {
        None
    }
}

/// Files with the same bytes: only files of one size are read, and of these only those whose first bytes
/// are equal are read to the end.
fn copies(root: &Path, survey: &Survey) -> Vec<Finding> {
    let mut by_size = HashMap::<u64, Vec<&str>>::new();
    for (bytes, path) in survey.sizes() {
        by_size.entry(*bytes).or_default().push(path);
    }
    let mut findings = Vec::new();
    for paths in by_size.into_values().filter(|paths| paths.len() > 1) {
        for paths in same_digest(root, paths, HEAD, &mut findings) {
            for paths in same_digest(root, paths, u64::MAX, &mut findings) {
                findings.extend(paths[1..].iter().map(|path| Finding {
                    path: (*path).to_owned(),
                    problem: Problem::SameContent {
                        first: paths[0].to_owned(),
                    },
                }));
            }
        }
    }
    findings.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    findings
}

/// Recordings that cannot be read to their end, one thread a core.
fn unreadable(root: &Path, recordings: &[Recording]) -> Result<Vec<Finding>, DataError> {
    let reader = FrameReader::new();
    let threads = std::thread::available_parallelism().map_or(1, usize::from);
    let check = |first: usize| -> Result<Vec<Finding>, DataError> {
        let mut findings = Vec::new();
        for recording in recordings.iter().skip(first).step_by(threads) {
            match reader.check(root, recording) {
                Ok(()) => {}
                Err(DataError::Recording(error)) if error.is_of_the_program() => {
                    return Err(error.into());
                }
                Err(error) => findings.push(Finding {
                    path: recording.path.clone(),
                    problem: Problem::Unreadable(error.to_string()),
                }),
            }
        }
        Ok(findings)
    };
    let found = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads)
            .map(|first| scope.spawn(move || check(first)))
            .collect();
        let ended = running.into_iter().map(|thread| {
            thread
                .join()
                .unwrap_or_else(|panic| std::panic::resume_unwind(panic))
        });
        ended.collect::<Result<Vec<_>, _>>()
    })?;
    let mut findings = found.concat();
    findings.sort_unstable_by(|a, b| a.path.cmp(&b.path));
    Ok(findings)
}

/// Bytes at the start that are compared before whole files are.
const HEAD: u64 = 1 << 14;

/// Groups of at least two files whose first `limit` bytes are the same, in the order given.
fn same_digest<'a>(
    root: &Path,
    paths: Vec<&'a str>,
    limit: u64,
    findings: &mut Vec<Finding>,
) -> Vec<Vec<&'a str>> {
    let mut groups = HashMap::<[u8; 32], Vec<&str>>::new();
    for path in paths {
        match digest(&root.join(path), limit) {
            Ok(digest) => groups.entry(digest).or_default().push(path),
            Err(error) => findings.push(Finding {
                path: path.to_owned(),
                problem: Problem::Unreadable(error.to_string()),
            }),
        }
    }
    groups
        .into_values()
        .filter(|group| group.len() > 1)
        .collect()
}

fn digest(path: &Path, limit: u64) -> io::Result<[u8; 32]> {
    let mut file = BufReader::new(File::open(path)?).take(limit);
    let mut sha = Sha256::new();
    let mut buffer = vec![0; 1 << 16];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(sha.finalize().into());
        }
        sha.update(&buffer[..read]);
    }
}
