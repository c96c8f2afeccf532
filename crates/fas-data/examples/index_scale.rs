//! Time and memory of an index of CelebA-Spoof's size.
//!
//! ```text
//! cargo run --release -p fas-data --example index_scale -- 600000           # names from a list
//! cargo run --release -p fas-data --example index_scale -- 600000 --files   # files on disk
//! ```
//!
//! Makes label files and names (with `--files` also the files) by the publisher's rule in a temporary
//! folder, then indexes them into a CSV file, reads that back, selects a protocol and looks for leaks;
//! prints the time of each step and the peak of the process's memory. Making the files is not timed.

use std::error::Error;
use std::fs::{self, File};
use std::io::{BufWriter, Write};
use std::path::Path;
use std::time::Instant;

use fas_data::{
    Dataset, DatasetSource, IndexWriter, Layout, Partition, find_leaks, official_protocol,
    read_index,
};

/// Images of one person, a third of them live, as in CelebA-Spoof on average.
const IMAGES: usize = 60;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let count = arguments.first().map_or(Ok(600_000), |text| text.parse())?;
    let files = arguments.iter().any(|text| text == "--files");
    let folder = tempfile::tempdir()?;
    let root = folder.path();
    let names: Vec<String> = (0..count).map(name).collect();
    make(root, &names, files)?;

    let start = Instant::now();
    let source = DatasetSource::new(Dataset::CelebaSpoof, root, Layout::Original)?;
    println!("labels read    {:6.2} s", start.elapsed().as_secs_f64());

    let index = root.join("index.csv");
    let mut writer = IndexWriter::create(&index)?;
    let sink = |recording| writer.write(&recording);
    let survey = if files {
        source.index(sink)?
    } else {
        source.index_listing(names.iter().map(String::as_str), sink)?
    };
    writer.finish()?;
    let missing = source.missing(&survey).len();
    println!(
        "indexed        {:6.2} s   {} recordings, {} odd, {missing} missing",
        start.elapsed().as_secs_f64(),
        survey.recordings(),
        survey.findings().len()
    );
    drop((survey, source, names));

    let start = Instant::now();
    let protocol = official_protocol("celeba_spoof/official")?;
    let mut partition = Partition::default();
    read_index(&index, |recording| {
        protocol.place(recording, &mut partition);
        Ok(())
    })?;
    println!(
        "protocol       {:6.2} s   {} to train, {} to test",
        start.elapsed().as_secs_f64(),
        partition.train.len(),
        partition.test.len()
    );
    let start = Instant::now();
    let leaks = find_leaks(&partition);
    println!(
        "leaks          {:6.2} s   {} found",
        start.elapsed().as_secs_f64(),
        leaks.len()
    );
    if let Some(peak) = peak_memory() {
        println!("peak memory    {peak:6.0} MB");
    }
    Ok(())
}

/// Name of the image `index`; every eighth person is in the test part.
fn name(index: usize) -> String {
    let person = index / IMAGES;
    let part = if person % 8 == 7 { "test" } else { "train" };
    let class = if index.is_multiple_of(3) {
        "live"
    } else {
        "spoof"
    };
    format!("Data/{part}/{person}/{class}/{index:06}.png")
}

fn make(root: &Path, names: &[String], files: bool) -> std::io::Result<()> {
    fs::create_dir_all(root.join("metas/intra_test"))?;
    for part in ["train", "test"] {
        let path = root.join(format!("metas/intra_test/{part}_label.json"));
        let mut file = BufWriter::new(File::create(path)?);
        let prefix = format!("Data/{part}/");
        let attributes = "0, ".repeat(40);
        let mut separator = "{";
        for (index, name) in names
            .iter()
            .enumerate()
            .filter(|(_, name)| name.starts_with(&prefix))
        {
            let last = if index.is_multiple_of(3) {
                "0, 0, 0, 0"
            } else {
                "1, 1, 1, 1"
            };
            write!(file, "{separator}\"{name}\": [{attributes}{last}]")?;
            separator = ", ";
        }
        file.write_all(if separator == "{" { b"{}" } else { b"}" })?;
        file.flush()?;
    }
    if files {
        for name in names {
            let path = root.join(name);
            if let (true, Some(parent)) = (name.ends_with("0.png"), path.parent()) {
                fs::create_dir_all(parent)?;
            }
            let written = fs::write(&path, "x");
            if written.is_err() {
                fs::create_dir_all(path.parent().unwrap_or(root))?;
                fs::write(&path, "x")?;
            }
        }
    }
    Ok(())
}

/// Largest resident size of this process, MB; Linux only.
fn peak_memory() -> Option<f64> {
    let status = fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1000.0)
}
