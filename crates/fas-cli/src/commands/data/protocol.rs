//! `fas data protocol`: the recordings of an official protocol, part by part.

use std::collections::HashMap;
use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use fas_data::{
    DataError, IndexWriter, OfficialProtocol, Partition, RecordingError, Split, official_protocol,
    official_protocols, read_index,
};

use crate::error::CliError;
use crate::output::{check_parent, emit};

const DETAILS: &str = "\
Writes train.csv, development.csv and test.csv (index files) and protocol.toml into the folder --out.
Counts are compared with the published ones; a difference is an error unless --partial. Where none are
published (SiW P2 and P3, CelebA-Spoof, ssan) a note says so. A recording that is given twice is an error.

Names: oulu_npu/P1 … P4_6, siw/P1 … P3_2, wmca/grandtest, wmca/LOO_glasses …, padisi/part0 … part2,
replay_attack/grandtest; OCI->M, OMI->C, OCM->I, ICM->O, MI->C, MI->O with @ssdg, @safas, @ssan or
@ag-fas; OCIM->siw@ag-fas …; wmca->padisi; ssan/P1, P2_1, P2_2. --list has all of them.

Examples:
  fas data protocol --list
  fas data protocol oulu_npu/P3_2 --index oulu.csv --out P3_2/
  fas data protocol 'OCI->M@ssdg' --index o.csv --index c.csv --index i.csv --index m.csv --out ocim/
  fas data protocol oulu_npu/P1 --show > mine.toml
  fas data protocol --file mine.toml --index oulu.csv --out mine/";

/// Select the recordings of an official protocol, or of one of your own.
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Protocol {
    /// Name of the protocol.
    #[arg(value_name = "NAME", required_unless_present_any = ["list", "file"])]
    name: Option<String>,
    /// List every protocol.
    #[arg(long)]
    list: bool,
    /// Print the protocol as TOML, to be changed and given to --file.
    #[arg(long, conflicts_with = "list")]
    show: bool,
    /// Read the protocol from a TOML file.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["name", "list"])]
    file: Option<PathBuf>,
    /// Index files of `fas data index`, one for each data set.
    #[arg(long, value_name = "FILE")]
    index: Vec<PathBuf>,
    /// Folder to write.
    #[arg(long, value_name = "FOLDER", required_unless_present_any = ["list", "show"])]
    out: Option<PathBuf>,
    /// Accept counts that are not the published ones.
    #[arg(long)]
    partial: bool,
}

impl Protocol {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        if self.list {
            let mut text = String::new();
            for protocol in official_protocols() {
                writeln!(text, "{:<28} {}", protocol.name, protocol.about).expect("to a string");
            }
            emit(None, text.as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        }
        let protocol = self.protocol()?;
        let (false, Some(out)) = (self.show, &self.out) else {
            emit(None, protocol.to_toml().as_bytes())?;
            return Ok(ExitCode::SUCCESS);
        };
        check_parent(out)?;
        let partition = self.partition(&protocol)?;
        protocol.check_classes(&partition)?;
        let mismatches = protocol.mismatches(&partition);
        for mismatch in &mismatches {
            eprintln!(
                "{}: published {} bona fide + {} attacks, here {} + {}",
                mismatch.part,
                mismatch.expected.0,
                mismatch.expected.1,
                mismatch.found.bona_fide,
                mismatch.found.attack
            );
        }
        if !mismatches.is_empty() && !self.partial {
            eprintln!(
                "nothing is written; complete the copy (`fas data check`), or accept it with --partial"
            );
            return Ok(ExitCode::FAILURE);
        }
        write(out, &protocol, &partition)?;
        for (part, recordings) in partition.parts() {
            let bona_fide = recordings.iter().filter(|r| r.label.is_bona_fide()).count();
            eprintln!(
                "{part}: {bona_fide} bona fide, {} attacks",
                recordings.len() - bona_fide
            );
        }
        for part in protocol.uncounted() {
            eprintln!("{part}: counts not published, none compared");
        }
        for caveat in &protocol.caveats {
            eprintln!("note: {caveat}");
        }
        Ok(ExitCode::SUCCESS)
    }

    fn protocol(&self) -> Result<OfficialProtocol, CliError> {
        match &self.file {
            None => Ok(official_protocol(self.name.as_deref().unwrap_or_default())?),
            Some(file) => read_protocol(file),
        }
    }

    /// The recordings of the indices, each once, in their parts.
    fn partition(&self, protocol: &OfficialProtocol) -> Result<Partition, CliError> {
        let mut partition = Partition::default();
        let mut seen = HashMap::<String, &Path>::new();
        for index in &self.index {
            read_index(index, |recording| {
                if let Some(first) = seen.insert(recording.id.clone(), index) {
                    return Err(RecordingError::DuplicateRecording {
                        id: recording.id,
                        first: first.display().to_string(),
                        second: index.display().to_string(),
                    }
                    .into());
                }
                protocol.place(recording, &mut partition);
                Ok(())
            })?;
        }
        Ok(partition)
    }
}

/// A protocol in a TOML file.
pub(super) fn read_protocol(file: &Path) -> Result<OfficialProtocol, CliError> {
    let text = fs::read_to_string(file).map_err(|source| DataError::Io {
        path: file.to_owned(),
        action: "read the protocol",
        source,
    })?;
    Ok(OfficialProtocol::from_toml(&text, file)?)
}

/// File of a part in a protocol's folder.
pub(super) fn part_file(folder: &Path, part: Split) -> PathBuf {
    folder.join(format!("{part}.csv"))
}

fn write(
    folder: &Path,
    protocol: &OfficialProtocol,
    partition: &Partition,
) -> Result<(), CliError> {
    fs::create_dir_all(folder).map_err(|source| CliError::Write {
        what: folder.display().to_string(),
        source,
    })?;
    for (part, recordings) in partition.parts() {
        let mut writer = IndexWriter::create(part_file(folder, part))?;
        for recording in recordings {
            writer.write(recording)?;
        }
        writer.finish()?;
    }
    emit(
        Some(&folder.join("protocol.toml")),
        protocol.to_toml().as_bytes(),
    )
}

/// Reads the folder of a protocol back.
pub(super) fn read_partition(folder: &Path) -> Result<Partition, CliError> {
    let mut partition = Partition::default();
    for (part, recordings) in [
        (Split::Train, &mut partition.train),
        (Split::Development, &mut partition.development),
        (Split::Test, &mut partition.test),
    ] {
        read_index(part_file(folder, part), |recording| {
            recordings.push(recording);
            Ok(())
        })?;
    }
    Ok(partition)
}
