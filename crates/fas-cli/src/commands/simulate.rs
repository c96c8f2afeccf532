//! `fas simulate`: a benchmark of simulated attacks and captures, of a folder of faces or of
//! synthetic people.

mod faces;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::Args;
use fas_sim::{
    AttackKind, Benchmark, BenchmarkConfig, BenchmarkDomain, Domain, Face, FacePools, SimError,
    SplitSize,
};

use self::faces::FaceSource;
use crate::error::CliError;
use crate::output::{check_parent, emit};
use crate::progress::Progress;

const DETAILS: &str = "\
Every person is shown in one split of one domain only, once bona fide and once with each attack.
Of the people of a domain half are for training and a quarter each for development and test,
unless --train, --development and --test say otherwise.

Faces are aligned crops: eyes at 31 % and 67 % of the width and 31 % of the height, mouth at 68 %.
An image that is not square is cropped to the square in its middle.

Synthetic people come from the statistical face model in the program: plausible at 64 pixels, no
more. Their pictures are for trying things out; do not report results on them as results on faces.

The output folder is new: PNG files, manifest.csv and benchmark.json. The same faces, options and
seed give the same files; the seed also chooses the synthetic people.

Domains:  sim-O, sim-C, sim-I, sim-M; STYLE+QUALITY joins the displays, printers and light of one
          with the camera of another, for instance sim-C+sim-M
Attacks:  print_halftone, print_inkjet, replay_lcd, replay_oled, mask_paper, mask_resin,
          glasses_paper, glasses_funny_eye

Examples:
  fas simulate faces/ --out benchmark/
  fas simulate --synthetic 40 --out benchmark/
  fas simulate faces/ --out benchmark/ --subject-by folder --size 128 --seed 7
  fas simulate faces/ --out benchmark/ --subject-by prefix   # 007_neutral.jpg, 007_smiling.jpg
  fas simulate faces/ --out small/ --train 20 --development 5 --test 10
  fas simulate faces/ --out shift/ --domains sim-C,sim-C+sim-M --attacks print_halftone,replay_lcd";

/// Simulate attacks and captures on faces, yours or synthetic: a benchmark with a manifest.
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Simulate {
    #[command(flatten)]
    source: FaceSource,
    /// Folder to write; it must not exist.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Domains, comma-separated.
    #[arg(long, value_delimiter = ',', default_value = "sim-O,sim-C,sim-I,sim-M", value_parser = parse_domain)]
    domains: Vec<Domain>,
    /// Kinds of attacks, comma-separated; all unless given.
    #[arg(long, value_delimiter = ',', value_parser = parse_attack)]
    attacks: Vec<AttackKind>,
    /// Side of the captured images, 16 to 1024 pixels.
    #[arg(long, value_name = "PIXELS", default_value_t = 64, value_parser = clap::value_parser!(u32).range(16..=1024))]
    size: u32,
    /// Captures of each person with each presentation.
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    captures: u32,
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

impl Simulate {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        // Before the long work, not after it.
        if self.out.exists() {
            return Err(SimError::FolderExists(self.out.clone()).into());
        }
        check_parent(&self.out)?;
        self.check_lists()?;
        if self.source.is_synthetic() && self.size > FaceSource::SYNTHETIC_SIZE {
            eprintln!(
                "warning: synthetic faces have {} pixels; --size {} enlarges them",
                FaceSource::SYNTHETIC_SIZE,
                self.size
            );
        }
        let faces = self.source.load(self.captures, self.seed)?;
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

    /// Refuses domains or attacks that are named twice, before anything is read.
    fn check_lists(&self) -> Result<(), CliError> {
        let domains = self.domains.iter().map(|domain| domain.name.as_str());
        check_unique("--domains", domains)?;
        check_unique("--attacks", self.attacks.iter().map(|kind| kind.name()))
    }

    fn config(&self, faces: &[Face]) -> Result<BenchmarkConfig, CliError> {
        let subjects: BTreeSet<&str> = faces.iter().map(|face| face.subject.as_str()).collect();
        let [train, development, test] = match (self.train, self.development, self.test) {
            (Some(train), Some(development), Some(test)) => [train, development, test],
            _ => shares(subjects.len(), self.domains.len())?,
        };
        let split = |subjects| SplitSize {
            subjects,
            captures: self.captures as usize,
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

fn parse_domain(text: &str) -> Result<Domain, SimError> {
    match text.split_once('+') {
        None => Domain::by_name(text),
        Some((style, quality)) => {
            Ok(Domain::by_name(style)?.with_quality_of(&Domain::by_name(quality)?))
        }
    }
}

fn parse_attack(text: &str) -> Result<AttackKind, String> {
    let mut kinds = AttackKind::ALL.into_iter();
    kinds.find(|kind| kind.name() == text).ok_or_else(|| {
        let known = AttackKind::ALL.map(AttackKind::name).join(", ");
        format!("no attack has this name; known are {known}")
    })
}

fn check_unique<'a>(
    option: &'static str,
    names: impl Iterator<Item = &'a str>,
) -> Result<(), CliError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            let name = name.to_owned();
            return Err(CliError::NamedTwice { option, name });
        }
    }
    Ok(())
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
