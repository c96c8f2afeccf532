//! `fas simulate`: a benchmark of simulated attacks and captures from a folder of faces.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use fas_data::{DataError, center_square, list_images, load_rgb};
use fas_sim::{
    AttackKind, Benchmark, BenchmarkConfig, BenchmarkDomain, Domain, Face, FacePools, Presentation,
    SimError, SplitSize,
};
use rayon::prelude::*;

use crate::error::CliError;
use crate::output::emit;
use crate::progress::Progress;

const DETAILS: &str = "\
Every person is shown in one split of one domain only, once bona fide and once with each attack.
Of the people of a domain half are for training and a quarter each for development and test,
unless --train, --development and --test say otherwise.

Faces are aligned crops: eyes at 30 % of the height, mouth at 67 %. An image that is not square
is cropped to the square in its middle.

The output folder is new: PNG files, manifest.csv and benchmark.json. The same faces, options and
seed give the same files.

Domains:  sim-O, sim-C, sim-I, sim-M; STYLE+QUALITY joins the displays, printers and light of one
          with the camera of another, for instance sim-C+sim-M
Attacks:  print_halftone, print_inkjet, replay_lcd, replay_oled, mask_paper, mask_resin,
          glasses_paper, glasses_funny_eye

Examples:
  fas simulate faces/ --out benchmark/
  fas simulate faces/ --out benchmark/ --subject-by folder --size 128 --seed 7
  fas simulate faces/ --out benchmark/ --subject-by prefix      007_neutral.jpg, 007_smiling.jpg
  fas simulate faces/ --out small/ --train 20 --development 5 --test 10
  fas simulate faces/ --out shift/ --domains sim-C,sim-C+sim-M --attacks print_halftone,replay_lcd";

/// Simulate attacks and captures on a folder of faces: a benchmark with a manifest.
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Simulate {
    /// Folder of face images; folders below it are searched too.
    faces: PathBuf,
    /// Folder to write; it must not exist.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Who is in an image; needed when folders or names leave it open.
    #[arg(long, value_enum)]
    subject_by: Option<SubjectBy>,
    /// Leave images out that cannot be read, with a warning each.
    #[arg(long)]
    skip_unreadable: bool,
    /// Domains, comma-separated.
    #[arg(long, value_delimiter = ',', default_value = "sim-O,sim-C,sim-I,sim-M", value_parser = parse_domain)]
    domains: Vec<Domain>,
    /// Kinds of attacks, comma-separated; all unless given.
    #[arg(long, value_delimiter = ',', value_parser = parse_attack)]
    attacks: Vec<AttackKind>,
    /// Side of the captured images, 16 to 1024 pixels.
    #[arg(long, value_name = "PIXELS", default_value_t = 64)]
    size: u32,
    /// Captures of each person with each presentation.
    #[arg(long, value_name = "N", default_value_t = 1)]
    captures: usize,
    /// People a domain for training.
    #[arg(long, value_name = "N", requires = "development", requires = "test")]
    train: Option<usize>,
    /// People a domain for development.
    #[arg(long, value_name = "N", requires = "train", requires = "test")]
    development: Option<usize>,
    /// People a domain for test.
    #[arg(long, value_name = "N", requires = "train", requires = "development")]
    test: Option<usize>,
    /// Seed of everything drawn.
    #[arg(long, default_value_t = 0)]
    seed: u64,
}

/// Who is in an image.
#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum SubjectBy {
    /// Each image shows another person.
    File,
    /// The images of one folder show one person.
    Folder,
    /// Images whose names are the same up to the first `_` show one person.
    Prefix,
}

impl Simulate {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        // Before the long work, not after it.
        if self.out.exists() {
            return Err(SimError::FolderExists(self.out.clone()).into());
        }
        let faces = self.load_faces()?;
        let config = self.config(&faces)?;
        let captures = captures_of(&config);
        let benchmark = {
            let progress = Progress::of_steps("simulating", captures);
            Benchmark::generate(config, FacePools::Shared(&faces), |_, _| progress.step())?
        };
        {
            let _progress = Progress::of_unknown_length("writing");
            benchmark.write(&self.out)?;
        }
        emit(None, self.summary(&benchmark).as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }

    fn load_faces(&self) -> Result<Vec<Face>, CliError> {
        let paths = list_images(&self.faces)?;
        let subject_by = match self.subject_by {
            Some(subject_by) => subject_by,
            None => self.guess_subject_by(&paths)?,
        };
        let progress = Progress::of_steps("reading faces", paths.len());
        let loaded: Vec<Result<Face, DataError>> = paths
            .par_iter()
            .map(|path| {
                let face = load_rgb(path).map(|image| {
                    let subject = subject_of(&self.faces, path, subject_by);
                    Face::from_aligned(center_square(&image), subject)
                });
                progress.step();
                face
            })
            .collect();
        drop(progress);
        self.readable(loaded)
    }

    /// By file, unless a person may be in several: images in folders below, or names that begin
    /// alike, as `007_neutral` and `007_smiling` do.
    fn guess_subject_by(&self, paths: &[PathBuf]) -> Result<SubjectBy, CliError> {
        let unclear = |reason| {
            Err(CliError::UnclearSubjects {
                folder: self.faces.clone(),
                reason,
            })
        };
        if paths.iter().any(|path| path.parent() != Some(&self.faces)) {
            return unclear("images lie in folders below".to_owned());
        }
        let mut seen = BTreeMap::new();
        for path in paths {
            let prefix = subject_of(&self.faces, path, SubjectBy::Prefix);
            if let Some(other) = seen.insert(prefix, path) {
                return unclear(format!(
                    "`{}` and `{}` may show one person",
                    other.display(),
                    path.display()
                ));
            }
        }
        Ok(SubjectBy::File)
    }

    fn readable(&self, loaded: Vec<Result<Face, DataError>>) -> Result<Vec<Face>, CliError> {
        let total = loaded.len();
        let (mut faces, mut errors) = (Vec::new(), Vec::new());
        for face in loaded {
            match face {
                Ok(face) => faces.push(face),
                Err(error) => errors.push(error),
            }
        }
        if self.skip_unreadable {
            for error in errors.drain(..) {
                eprintln!("warning: left out: {error}");
            }
        }
        let count = errors.len();
        match errors.into_iter().next() {
            None => Ok(faces),
            Some(first) => Err(CliError::UnreadableFaces {
                count,
                total,
                first: Box::new(first),
            }),
        }
    }

    fn config(&self, faces: &[Face]) -> Result<BenchmarkConfig, CliError> {
        let subjects: BTreeSet<&str> = faces.iter().map(|face| face.subject.as_str()).collect();
        let [train, development, test] = match (self.train, self.development, self.test) {
            (Some(train), Some(development), Some(test)) => [train, development, test],
            _ => shares(subjects.len(), self.domains.len())?,
        };
        let split = |subjects| SplitSize {
            subjects,
            captures: self.captures,
        };
        let kinds = if self.attacks.is_empty() {
            AttackKind::ALL.to_vec()
        } else {
            self.attacks.clone()
        };
        let with_kinds = |domain: &Domain| BenchmarkDomain {
            domain: domain.clone(),
            kinds: kinds.clone(),
        };
        Ok(BenchmarkConfig {
            size: self.size,
            domains: self.domains.iter().map(with_kinds).collect(),
            train: split(train),
            development: split(development),
            test: split(test),
            seed: self.seed,
        })
    }

    fn summary(&self, benchmark: &Benchmark) -> String {
        let mut text = format!(
            "{}: {} images\n",
            self.out.display(),
            benchmark.images().len()
        );
        for ((domain, split), counts) in benchmark.manifest().counts() {
            text += &format!(
                "  {domain:<14} {:<12} {:>6} bona fide {:>7} attacks\n",
                split.name(),
                counts.bona_fide,
                counts.attack
            );
        }
        text
    }
}

/// People of one domain: half for training, a quarter each for development and test.
fn shares(subjects: usize, domains: usize) -> Result<[usize; 3], CliError> {
    let a_domain = subjects / domains.max(1);
    let quarter = a_domain / 4;
    if quarter == 0 {
        return Err(CliError::TooFewPeople {
            subjects,
            domains,
            needed: 4 * domains,
        });
    }
    Ok([a_domain - 2 * quarter, quarter, quarter])
}

fn captures_of(config: &BenchmarkConfig) -> usize {
    let splits = [config.train, config.development, config.test];
    let shown: usize = splits
        .iter()
        .map(|split| split.subjects * split.captures)
        .sum();
    config
        .domains
        .iter()
        .map(|domain| shown * (domain.kinds.len() + 1))
        .sum()
}

/// Name of the person: path of the image below the folder of faces without its extension, of its
/// folder, or of the image up to the first `_` of its name.
fn subject_of(root: &Path, image: &Path, subject_by: SubjectBy) -> String {
    let below = image.strip_prefix(root).unwrap_or(image);
    let named = match subject_by {
        SubjectBy::File => below.with_extension(""),
        SubjectBy::Folder => below.parent().unwrap_or(below).to_owned(),
        SubjectBy::Prefix => {
            let stem = below.file_stem().unwrap_or_default().to_string_lossy();
            let prefix = stem.split('_').next().unwrap_or_default();
            below.with_file_name(prefix)
        }
    };
    named.to_string_lossy().replace('\\', "/")
}

fn parse_domain(text: &str) -> Result<Domain, SimError> {
    match text.split_once('+') {
        None => Domain::by_name(text),
        Some((style, quality)) => {
            Ok(Domain::by_name(style)?.with_quality_of(&Domain::by_name(quality)?))
        }
    }
}

fn parse_attack(text: &str) -> Result<AttackKind, SimError> {
    match text.parse()? {
        Presentation::Attack(kind) => Ok(kind),
        Presentation::BonaFide => Err(SimError::UnknownPresentation(text.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn people_are_shared_out() {
        assert_eq!(shares(40, 4).unwrap(), [6, 2, 2]);
        assert_eq!(shares(16, 4).unwrap(), [2, 1, 1]);
        let message = shares(15, 4).unwrap_err().to_string();
        assert!(message.contains("at least 16"), "{message}");
    }

    #[test]
    fn subjects_are_named_by_file_folder_or_prefix() {
        let (root, image) = (Path::new("faces"), Path::new("faces/ann/1.png"));
        assert_eq!(subject_of(root, image, SubjectBy::File), "ann/1");
        assert_eq!(subject_of(root, image, SubjectBy::Folder), "ann");
        let image = Path::new("faces/london/007_smiling_2.jpg");
        assert_eq!(subject_of(root, image, SubjectBy::Prefix), "london/007");
    }

    #[test]
    fn domains_join_style_and_quality() {
        let domain = parse_domain("sim-C+sim-M").unwrap();
        assert_eq!(domain.name, "sim-C+sim-M");
        assert_eq!(domain.style, Domain::sim_c().style);
        assert_eq!(domain.quality, Domain::sim_m().quality);
        assert!(parse_domain("sim-X").is_err());
        assert!(parse_attack("bona_fide").is_err());
        assert_eq!(parse_attack("replay_lcd").unwrap(), AttackKind::ReplayLcd);
    }
}
