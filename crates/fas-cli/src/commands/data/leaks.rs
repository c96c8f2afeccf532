//! `fas data leaks`: what training, development and test share.

use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use clap::Args;
use fas_data::{
    Leak, LeakKind, Manifest, PairList, Partition, PerceptualHash, Sample, Split, find_leaks,
    find_manifest_leaks, find_pair_leaks, load_rgb, near_duplicates,
};
use rayon::prelude::*;

use super::protocol::read_partition;
use crate::error::CliError;
use crate::output::{check_file, emit};
use crate::progress::Progress;

const DETAILS: &str = "\
Compares people, presenters (who wear or hold an instrument), sessions and source videos between the
parts; with --manifest also the images, by a perceptual hash; with --pairs a list of pairs that a
generator is trained on, such as DiffFAS's. Exit code 1 if anything is shared, unless --allow-leak.

DiffFAS's published lists know no parts: everybody in WMCA.json and PADISI.json is in it, people of every
test part too. They are refused; --clean writes the pairs of people who are neither in development nor in
test of --protocol.

Examples:
  fas data leaks --protocol grandtest/
  fas data leaks --manifest faces/manifest.csv --near 10
  fas data leaks --protocol grandtest/ --pairs WMCA.json --clean train_pairs.json";

/// Find what training, development and test share: people, presenters, sessions, videos, images, pairs.
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Leaks {
    /// Folder of `fas data protocol`.
    #[arg(long, value_name = "FOLDER", required_unless_present_any = ["manifest", "pairs"])]
    protocol: Option<PathBuf>,
    /// Manifest of images.
    #[arg(long, value_name = "FILE")]
    manifest: Option<PathBuf>,
    /// Pair list that a generator is trained on.
    #[arg(long, value_name = "FILE")]
    pairs: Option<PathBuf>,
    /// Write the pairs that do not leak.
    #[arg(long, value_name = "FILE", requires_all = ["pairs", "protocol"])]
    clean: Option<PathBuf>,
    /// Largest number of differing bits, of 256, of near-duplicate images.
    #[arg(long, value_name = "BITS", default_value_t = 10, value_parser = clap::value_parser!(u32).range(0..=15))]
    near: u32,
    /// Report leaks, and succeed all the same.
    #[arg(long)]
    allow_leak: bool,
    /// Write to this file instead of the standard output.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

impl Leaks {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        check_file(self.out.as_deref())?;
        check_file(self.clean.as_deref())?;
        let mut lines = Vec::new();
        let partition = self.protocol.as_deref().map(read_partition).transpose()?;
        if let Some(partition) = &partition {
            lines.extend(find_leaks(partition).iter().map(Leak::to_string));
        }
        if let Some(path) = &self.manifest {
            let manifest = Manifest::read(path)?;
            lines.extend(find_manifest_leaks(&manifest).iter().map(Leak::to_string));
            lines.extend(near_lines(&manifest, self.near)?);
        }
        let mut refused = false;
        if let Some(path) = &self.pairs {
            let pairs = PairList::read(path)?;
            let (text, leaks) = pair_lines(path, &pairs, partition.as_ref());
            eprint!("{text}");
            refused = leaks.is_empty() && partition.is_none();
            lines.extend(leaks);
            if let (Some(clean), Some(partition)) = (&self.clean, &partition) {
                let kept = clean_pairs(pairs, partition);
                eprintln!(
                    "{} pairs without a leak in {}",
                    kept.pairs().len(),
                    clean.display()
                );
                emit(Some(clean), kept.to_json().as_bytes())?;
            }
        }
        let mut report = String::new();
        for line in &lines {
            writeln!(report, "leak: {line}").expect("writing to a string");
        }
        if lines.is_empty() && !refused {
            report.push_str("no leak found\n");
        }
        emit(self.out.as_deref(), report.as_bytes())?;
        let fails = (refused || !lines.is_empty()) && !self.allow_leak;
        if fails {
            eprintln!("refused; mend the lists, or accept it with --allow-leak");
        }
        Ok(if fails {
            ExitCode::FAILURE
        } else {
            ExitCode::SUCCESS
        })
    }
}

/// What the list is, and what it shares with development and test.
fn pair_lines(
    path: &Path,
    pairs: &PairList,
    partition: Option<&Partition>,
) -> (String, Vec<String>) {
    let mut text = String::new();
    let people: Vec<String> = pairs
        .people()
        .into_iter()
        .map(|(domain, people)| format!("{people} of {domain}"))
        .collect();
    writeln!(
        text,
        "{}: {} entries, {} distinct pairs of {} people{}",
        path.display(),
        pairs.entries(),
        pairs.pairs().len(),
        people.join(", "),
        if pairs.is_published() {
            "; the published list"
        } else {
            ""
        }
    )
    .expect("writing to a string");
    for unfit in pairs.unfit().iter().take(10) {
        writeln!(text, "fits no rule: {unfit}").expect("writing to a string");
    }
    if !pairs.unfit().is_empty() {
        writeln!(text, "{} pairs fit no rule", pairs.unfit().len()).expect("writing to a string");
    }
    for pair in pairs.mismatched() {
        writeln!(
            text,
            "two people in one pair: {}, {}",
            pair.live.path, pair.attack.path
        )
        .expect("writing to a string");
    }
    let Some(partition) = partition else {
        writeln!(
            text,
            "a {} list knows no parts, so everybody in it counts as tested; give --protocol to see who is",
            pairs.set().name()
        )
        .expect("writing to a string");
        return (text, Vec::new());
    };
    let leaks = find_pair_leaks(pairs, partition);
    (text, leaks.iter().map(Leak::to_string).collect())
}

/// The pairs that share nothing with development and test.
fn clean_pairs(pairs: PairList, partition: &Partition) -> PairList {
    let tested = Partition {
        train: Vec::new(),
        ..partition.clone()
    };
    let keys = pairs.keys_of(&tested);
    pairs.filter(|pair| {
        [&pair.live, &pair.attack].into_iter().all(|file| {
            let people = std::iter::once(&file.subject).chain(&file.presenter);
            !keys.contains(&file.source) && people.into_iter().all(|person| !keys.contains(person))
        })
    })
}

/// Near-duplicates between the splits of a manifest.
fn near_lines(manifest: &Manifest, distance: u32) -> Result<Vec<String>, CliError> {
    let progress = Progress::of_steps("hashing", manifest.samples().len());
    let hashes: Vec<PerceptualHash> = manifest
        .samples()
        .par_iter()
        .map(|sample| {
            let hash =
                load_rgb(manifest.image_path(sample)).map(|image| PerceptualHash::of(&image));
            progress.step();
            hash
        })
        .collect::<Result<_, _>>()?;
    let of_split = |split: Split| -> (Vec<PerceptualHash>, Vec<&Sample>) {
        let pairs = hashes.iter().zip(manifest.samples());
        pairs
            .filter(|(_, sample)| sample.split == split)
            .map(|(hash, sample)| (*hash, sample))
            .unzip()
    };
    let mut lines = Vec::new();
    for (first, second) in [
        (Split::Train, Split::Test),
        (Split::Development, Split::Test),
        (Split::Train, Split::Development),
    ] {
        let ((hashes, samples), (others, other_samples)) = (of_split(first), of_split(second));
        let pairs = near_duplicates(&hashes, &others, distance);
        if let Some(&(a, b)) = pairs.first() {
            lines.push(format!(
                "{first} and {second} share {} {}, the first: {} and {}",
                pairs.len(),
                LeakKind::NearDuplicate,
                samples[a].path.display(),
                other_samples[b].path.display()
            ));
        }
    }
    Ok(lines)
}
