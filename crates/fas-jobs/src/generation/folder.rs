//! The folder of a job: its settings, pictures and lists.
//!
//! ```text
//! job.json         settings, written first
//! journal.jsonl    finished pictures, in the order of finishing
//! images/00000/    PNG files, 1,000 pairs a folder
//! 00000.tar        or, with tar storage, PNG files of so many pairs each
//! manifest.csv     kept pictures, written last
//! provenance.csv   all pictures, written last
//! ```

use std::collections::BTreeMap;
use std::fs::{self, File, TryLockError};
use std::io::Write;
use std::path::{Path, PathBuf};

use fas_data::{Manifest, Sample};
use serde_json::Value;

use super::{JobError, Record, Storage, Verdict};

const IMAGES: &str = "images";
/// Pairs in a folder of images.
const FOLDER: usize = 1000;

/// A folder that this process alone writes to.
#[derive(Debug)]
pub(super) struct Folder {
    path: PathBuf,
    storage: Storage,
    _lock: File,
}

impl Folder {
    /// Takes a new or empty folder, or one of a job with the same settings.
    pub(super) fn open(path: &Path, storage: Storage, settings: &Value) -> Result<Self, JobError> {
        let taken = |reason| JobError::Folder {
            folder: path.to_owned(),
            reason,
        };
        fs::create_dir_all(path).map_err(io(path, "create"))?;
        let job = path.join("job.json");
        let known = job.exists();
        let mut entries = fs::read_dir(path).map_err(io(path, "read"))?;
        let only_ours = |name: &str| name == ".lock" || name.starts_with(".partial");
        let foreign = entries
            .any(|entry| entry.is_ok_and(|entry| !only_ours(&entry.file_name().to_string_lossy())));
        if !known && foreign {
            return Err(taken(
                "it is neither empty nor the folder of a job; name another",
            ));
        }
        let lock_path = path.join(".lock");
        let lock = File::create(&lock_path).map_err(io(&lock_path, "create"))?;
        match lock.try_lock() {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                return Err(taken(
                    "another process is working on this job; wait for it, or work on \
                                  another shard",
                ));
            }
            Err(TryLockError::Error(source)) => return Err(io(&lock_path, "lock")(source)),
        }
        let folder = Self {
            path: path.to_owned(),
            storage,
            _lock: lock,
        };
        if known {
            folder.check_settings(&job, settings)?;
        } else {
            let text = serde_json::to_vec_pretty(settings).expect("settings are plain data");
            folder.write("job.json", &text)?;
        }
        Ok(folder)
    }

    fn check_settings(&self, job: &Path, settings: &Value) -> Result<(), JobError> {
        let text = fs::read(job).map_err(io(job, "read"))?;
        let found: Value = serde_json::from_slice(&text).map_err(|_| JobError::Folder {
            folder: self.path.clone(),
            reason: "its job.json is no JSON; name another folder",
        })?;
        match first_difference("", &found, settings) {
            None => Ok(()),
            Some((setting, found, asked)) => Err(JobError::OtherJob {
                folder: self.path.clone(),
                setting,
                found,
                asked,
            }),
        }
    }

    /// The journal's file.
    pub(super) fn journal(&self) -> PathBuf {
        self.path.join("journal.jsonl")
    }

    /// Where a picture lies in the end, or until its tar file is complete.
    fn picture(index: usize) -> PathBuf {
        PathBuf::from(format!("{IMAGES}/{:05}/{index:08}.png", index / FOLDER))
    }

    /// Keeps the file of a picture.
    pub(super) fn keep(&self, index: usize, png: &[u8]) -> Result<(), JobError> {
        let name = Self::picture(index);
        let parent = self.path.join(name.parent().expect("it lies in a folder"));
        fs::create_dir_all(&parent).map_err(io(&parent, "create"))?;
        self.write(&name.to_string_lossy(), png)
    }

    /// With tar storage: puts the pictures of `indices`, all finished, into file number `number`, unless
    /// it is there already, and removes their single files.
    pub(super) fn pack(
        &self,
        number: usize,
        indices: &[usize],
        records: &BTreeMap<usize, Record>,
    ) -> Result<(), JobError> {
        let Storage::Tar { .. } = self.storage else {
            return Ok(());
        };
        let name = tar_name(number);
        let kept: Vec<usize> = indices
            .iter()
            .copied()
            .filter(|index| records[index].verdict == Verdict::Kept)
            .collect();
        if !self.path.join(&name).exists() {
            let mut archive = tar::Builder::new(Vec::new());
            for &index in &kept {
                let path = self.path.join(Self::picture(index));
                let png = fs::read(&path).map_err(io(&path, "read"))?;
                // Times and owners would differ from run to run.
                let mut header = tar::Header::new_gnu();
                header.set_size(png.len() as u64);
                header.set_mode(0o644);
                header.set_mtime(0);
                archive
                    .append_data(&mut header, format!("{index:08}.png"), &png[..])
                    .expect("a memory buffer takes the picture");
            }
            let bytes = archive.into_inner().expect("a memory buffer is flushed");
            self.write(&name, &bytes)?;
        }
        for index in kept {
            let path = self.path.join(Self::picture(index));
            match fs::remove_file(&path) {
                Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                    return Err(io(&path, "remove")(source));
                }
                _ => {}
            }
        }
        Ok(())
    }

    /// Writes both lists: `manifest.csv` of the kept pictures, `provenance.csv` of all.
    ///
    /// With tar storage the manifest's paths are `NNNNN/INDEX.png`: where the files are once each archive
    /// is unpacked into a folder of its name.
    pub(super) fn finish(&self, records: &[(&Record, Sample)]) -> Result<(), JobError> {
        let mut writer = csv::Writer::from_writer(Vec::new());
        for (record, _) in records {
            writer.serialize(record).expect("a record is a row");
        }
        let rows = writer.into_inner().expect("a memory buffer is flushed");
        self.write("provenance.csv", &rows)?;
        let samples = records
            .iter()
            .filter(|(record, _)| record.verdict == Verdict::Kept)
            .map(|(_, sample)| sample.clone())
            .collect();
        Manifest::new(&self.path, samples)?.write(self.path.join("manifest.csv"))?;
        if matches!(self.storage, Storage::Tar { .. }) {
            let images = self.path.join(IMAGES);
            if images.exists() {
                fs::remove_dir_all(&images).map_err(io(&images, "remove"))?;
            }
        }
        Ok(())
    }

    /// A picture's path in the manifest.
    pub(super) fn manifest_path(&self, index: usize, position: usize) -> PathBuf {
        match self.storage {
            Storage::Images => Self::picture(index),
            Storage::Tar { pairs } => {
                let archive = tar_name(position / pairs);
                let folder = archive.trim_end_matches(".tar");
                PathBuf::from(format!("{folder}/{index:08}.png"))
            }
        }
    }

    /// Writes a file under a temporary name first.
    fn write(&self, name: &str, bytes: &[u8]) -> Result<(), JobError> {
        let path = self.path.join(name);
        let partial = self.path.join(".partial");
        let written = File::create(&partial)
            .and_then(|mut file| {
                file.write_all(bytes)?;
                file.sync_data()
            })
            .and_then(|()| fs::rename(&partial, &path));
        if written.is_err() {
            // The first error is the one to report.
            let _ = fs::remove_file(&partial);
        }
        written.map_err(io(&path, "write"))
    }
}

fn tar_name(number: usize) -> String {
    format!("{number:05}.tar")
}

fn io(path: &Path, action: &'static str) -> impl Fn(std::io::Error) -> JobError {
    move |source| JobError::Io {
        path: path.to_owned(),
        action,
        source,
    }
}

/// The first setting that differs: its name and both values.
fn first_difference(name: &str, found: &Value, asked: &Value) -> Option<(String, String, String)> {
    if let (Value::Object(found), Value::Object(asked)) = (found, asked) {
        let mut names: Vec<&String> = found.keys().chain(asked.keys()).collect();
        names.sort_unstable();
        return names.into_iter().find_map(|key| {
            let below = if name.is_empty() {
                key.clone()
            } else {
                format!("{name}.{key}")
            };
            let null = Value::Null;
            first_difference(
                &below,
                found.get(key).unwrap_or(&null),
                asked.get(key).unwrap_or(&null),
            )
        });
    }
    (found != asked).then(|| (name.to_owned(), found.to_string(), asked.to_string()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn the_first_difference_is_named() {
        let there = json!({ "seed": 1, "sampler": { "steps": 20, "eta": 0.0 } });
        let asked = json!({ "seed": 1, "sampler": { "steps": 25, "eta": 0.0 } });
        let expected = ("sampler.steps".to_owned(), "20".to_owned(), "25".to_owned());
        assert_eq!(first_difference("", &there, &asked), Some(expected));
        assert_eq!(first_difference("", &there, &there), None);
        // A setting that did not exist when the job began, and is not used.
        let newer = json!({ "seed": 1, "sampler": { "steps": 20, "eta": 0.0, "interval": null } });
        assert_eq!(first_difference("", &there, &newer), None);
    }

    #[test]
    fn a_folder_has_one_job_and_one_process() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("out");
        let settings = json!({ "seed": 1 });
        let open = |settings: &Value| Folder::open(&path, Storage::Images, settings);
        let first = open(&settings).unwrap();
        let busy = open(&settings).unwrap_err().to_string();
        assert!(busy.contains("another process"), "{busy}");
        drop(first);
        open(&settings).unwrap();
        let other = open(&json!({ "seed": 2 })).unwrap_err().to_string();
        assert!(other.contains("another seed: 1 there, 2 now"), "{other}");
        let foreign = place.path().join("photos");
        fs::create_dir(&foreign).unwrap();
        fs::write(foreign.join("a.png"), "").unwrap();
        let refused = Folder::open(&foreign, Storage::Images, &settings).unwrap_err();
        assert!(refused.to_string().contains("neither empty"), "{refused}");
    }
}
