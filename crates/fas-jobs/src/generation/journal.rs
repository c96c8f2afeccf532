//! What is finished, in the order of finishing: a line a picture, written after the picture.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::Write;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use super::{JobError, Verdict};

/// Provenance of a generated picture: a row of `provenance.csv`, and the text in its PNG file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// Place in the whole job.
    pub index: usize,
    /// Id of the picture.
    pub id: String,
    /// Id of the live face.
    pub face: String,
    /// Person of the live face.
    pub subject: String,
    /// Domain of the live face.
    pub face_domain: String,
    /// Id of the attack image whose style was taken.
    pub style_image: String,
    /// Its style label.
    pub style: String,
    /// Its domain.
    pub style_domain: String,
    /// Its kind of attack.
    pub species: String,
    /// Seed of the job.
    pub seed: u64,
    /// Sampler: `ddim`, `ddpm` or `dpm_solver`.
    pub sampler: String,
    /// Noise level that denoising started from.
    pub start_step: usize,
    /// Calls of the network.
    pub sampling_steps: usize,
    /// Guidance.
    pub guidance_scale: f64,
    /// Lowest timestep that guidance acts at; empty where it acts at all.
    pub guidance_low: Option<usize>,
    /// Highest timestep that guidance acts at; empty where it acts at all.
    pub guidance_high: Option<usize>,
    /// Guidance towards the live face; 1 is none.
    #[serde(default = "no_guidance")]
    pub content_guidance: f64,
    /// Side of the squares that it blurs the face over; empty without it.
    pub content_blur: Option<usize>,
    /// Guidance away from the weaker generator; 1 is none.
    #[serde(default = "no_guidance")]
    pub weaker_guidance: f64,
    /// Scale of the noise.
    pub temperature: f64,
    /// SHA-256 of the generator's file.
    pub model_sha256: String,
    /// SHA-256 of the weaker generator's file; empty where there is none.
    pub weaker_sha256: Option<String>,
    /// BRISQUE, lower is better; empty where it is not defined.
    pub brisque: Option<f64>,
    /// Cosine similarity to the live face, if it was measured.
    pub identity: Option<f64>,
    /// Always true: no camera took this picture.
    pub synthetic: bool,
    /// Whether it was kept.
    pub verdict: Verdict,
}

/// Of lines from before there was such guidance.
fn no_guidance() -> f64 {
    1.0
}

/// The file of the finished pictures.
#[derive(Debug)]
pub(super) struct Journal {
    path: PathBuf,
    file: File,
    records: BTreeMap<usize, Record>,
}

impl Journal {
    /// Opens or begins it. A last line without an end was being written when the job was killed, and is
    /// removed.
    pub(super) fn open(path: &Path) -> Result<Self, JobError> {
        let io = |action| {
            move |source| JobError::Io {
                path: path.to_owned(),
                action,
                source,
            }
        };
        let mut file = OpenOptions::new()
            .read(true)
            .append(true)
            .create(true)
            .open(path)
            .map_err(io("open"))?;
        let bytes = std::fs::read(path).map_err(io("read"))?;
        let whole = bytes
            .iter()
            .rposition(|&b| b == b'\n')
            .map_or(0, |at| at + 1);
        if whole < bytes.len() {
            file.set_len(whole as u64).map_err(io("repair"))?;
        }
        let mut records = BTreeMap::new();
        for (number, line) in bytes[..whole].split_inclusive(|&b| b == b'\n').enumerate() {
            let damaged = |reason: String| JobError::Journal {
                path: path.to_owned(),
                line: number + 1,
                reason,
            };
            let record: Record =
                serde_json::from_slice(line).map_err(|error| damaged(error.to_string()))?;
            let index = record.index;
            if records.insert(index, record).is_some() {
                return Err(damaged(format!("picture {index} is listed twice")));
            }
        }
        file.flush().map_err(io("write"))?;
        Ok(Self {
            path: path.to_owned(),
            file,
            records,
        })
    }

    pub(super) fn records(&self) -> &BTreeMap<usize, Record> {
        &self.records
    }

    /// Adds pictures that are on the disk.
    pub(super) fn append(&mut self, records: Vec<Record>) -> Result<(), JobError> {
        let mut lines = Vec::new();
        for record in &records {
            serde_json::to_writer(&mut lines, record).expect("a record is plain data");
            lines.push(b'\n');
        }
        self.file
            .write_all(&lines)
            .and_then(|()| self.file.sync_data())
            .map_err(|source| JobError::Io {
                path: self.path.clone(),
                action: "write",
                source,
            })?;
        self.records
            .extend(records.into_iter().map(|record| (record.index, record)));
        Ok(())
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    pub(in crate::generation) fn record(index: usize) -> Record {
        Record {
            index,
            id: format!("generated/{index}"),
            face: "f".to_owned(),
            subject: "p".to_owned(),
            face_domain: "a".to_owned(),
            style_image: "s".to_owned(),
            style: "b/print".to_owned(),
            style_domain: "b".to_owned(),
            species: "print".to_owned(),
            seed: 3,
            sampler: "ddim".to_owned(),
            start_step: 250,
            sampling_steps: 25,
            guidance_scale: 2.0,
            guidance_low: None,
            guidance_high: Some(600),
            content_guidance: 2.0,
            content_blur: Some(5),
            weaker_guidance: 1.0,
            temperature: 1.0,
            model_sha256: "00".to_owned(),
            weaker_sha256: None,
            brisque: Some(31.25),
            identity: None,
            synthetic: true,
            verdict: Verdict::Kept,
        }
    }

    #[test]
    fn a_line_from_before_more_guidance_is_read() {
        let mut line = serde_json::to_value(record(2)).unwrap();
        let fields = line.as_object_mut().unwrap();
        for younger in [
            "content_guidance",
            "content_blur",
            "weaker_guidance",
            "weaker_sha256",
        ] {
            fields.remove(younger).unwrap();
        }
        let read: Record = serde_json::from_value(line).unwrap();
        assert_eq!((read.content_guidance, read.weaker_guidance), (1.0, 1.0));
        assert_eq!((read.content_blur, read.weaker_sha256), (None, None));
    }

    #[test]
    fn a_line_that_was_being_written_is_done_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        journal.append(vec![record(4), record(1)]).unwrap();
        let whole = std::fs::read(&path).unwrap();
        journal.append(vec![record(2)]).unwrap();
        let all = std::fs::read(&path).unwrap();
        for cut in whole.len()..all.len() {
            std::fs::write(&path, &all[..cut]).unwrap();
            let opened = Journal::open(&path).unwrap();
            let known: Vec<&usize> = opened.records().keys().collect();
            assert_eq!(known, [&1, &4]);
            assert_eq!(std::fs::read(&path).unwrap(), whole);
        }
        let mut again = Journal::open(&path).unwrap();
        again.append(vec![record(2)]).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), all);
        assert_eq!(again.records()[&4], record(4));
    }

    #[test]
    fn damage_is_named_by_its_line() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("journal");
        let mut journal = Journal::open(&path).unwrap();
        journal.append(vec![record(0)]).unwrap();
        let line = std::fs::read_to_string(&path).unwrap();
        std::fs::write(&path, format!("{line}{line}")).unwrap();
        let error = Journal::open(&path).unwrap_err().to_string();
        assert!(
            error.contains("line 2: picture 0 is listed twice"),
            "{error}"
        );
        std::fs::write(&path, format!("{line}rubbish\n")).unwrap();
        let error = Journal::open(&path).unwrap_err().to_string();
        assert!(error.contains("line 2: expected value"), "{error}");
    }
}
