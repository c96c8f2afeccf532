//! Does the Relative Quality loss answer a shift of quality, and generation a shift of style?
//!
//! DiffFAS says so (sections 1 and 3), and public data sets cannot tell, since they differ in both. Here
//! detectors of two simulated source domains are tested on four versions of the same people: the
//! sources' own style and camera, another camera, another style, and both.
//!
//! ```text
//! cargo run --release --example difffas_factors
//! ```
//!
//! Expected: for each way of training the HTER in the four cells, and its difference from cross-entropy
//! seed by seed with a 95 % interval, in about twelve minutes on two cores. docs/results.md has what
//! came out.

use std::time::Instant;

use clap::Parser;
use fas_data::{LeakageGuard, Protocol, ProtocolSplits, Sample, Split};
use fas_examples::{
    Bundled, BundledGenerator, Captures, Comparison, Entry, LabelledImages, MethodRuns, Study,
    StudyArguments, t_interval,
};
use fas_metrics::ThresholdPolicy;
use fas_sim::{BenchmarkConfig, Domain};

/// Sources and targets: for each pair of sources there is a bundled generator that saw these alone.
const GRIDS: [([&str; 2], [&str; 2]); 2] = [
    (["sim-C", "sim-I"], ["sim-M", "sim-O"]),
    (["sim-M", "sim-O"], ["sim-C", "sim-I"]),
];
const CELLS: [&str; 4] = ["no shift", "quality", "style", "both"];
/// Whether a cell has the target's style, and its camera.
const SHIFTS: [[bool; 2]; 4] = [[false, false], [false, true], [true, false], [true, true]];

#[derive(Debug, Parser)]
#[command(about = "HTER under a shift of quality, of style, of both")]
struct Arguments {
    #[command(flatten)]
    study: StudyArguments,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse().study;
    if arguments.manifest.is_some() {
        return Err(
            "--manifest: real data sets shift style and quality together; this study needs \
                    the simulated benchmark"
                .to_owned(),
        );
    }
    let started = Instant::now();
    let mut table = Comparison::new("Shift of one factor at a time: HTER in %", &CELLS);
    // By method and cell, of each trained detector: its HTER, averaged over the targets.
    let mut pooled: Vec<(String, [Vec<f64>; 4])> = Vec::new();
    for (sources, targets) in GRIDS {
        let results = train_and_test(&arguments, sources, targets)?;
        for (at, method) in results.iter().enumerate() {
            // HTER of each target, cell and run.
            let mut errors = Vec::new();
            for (number, target) in targets.iter().enumerate() {
                let cells: Vec<Vec<f64>> = (0..CELLS.len())
                    .map(|cell| {
                        let test = number * CELLS.len() + cell;
                        let runs = method.errors(test, ThresholdPolicy::SourceEer)?;
                        Ok(runs.iter().map(|run| run.hter).collect())
                    })
                    .collect::<Result<_, String>>()?;
                let name = format!("{} -> {target}: {}", sources.join(" + "), method.name);
                table.ours(&name, cells.iter().cloned().map(Entry::Percent));
                errors.push(cells);
            }
            if at == pooled.len() {
                pooled.push((method.name.clone(), Default::default()));
            }
            for (cell, all) in pooled[at].1.iter_mut().enumerate() {
                all.extend((0..method.runs.len()).map(|run| {
                    errors.iter().map(|cells| cells[cell][run]).sum::<f64>() / errors.len() as f64
                }));
            }
        }
    }
    for (name, cells) in &pooled {
        let cells = cells.clone().map(Entry::Percent);
        table.ours(&format!("all targets: {name}"), cells);
    }
    let baseline = pooled[0].1.clone();
    for (name, cells) in &pooled[1..] {
        let differences = std::array::from_fn::<_, 4, _>(|cell| {
            let pairs = cells[cell].iter().zip(&baseline[cell]);
            pairs
                .map(|(method, plain)| method - plain)
                .collect::<Vec<f64>>()
        });
        for (cell, values) in CELLS.iter().zip(&differences) {
            if let Some((low, high)) = t_interval(values) {
                let verdict = match (low > 0.0, high < 0.0) {
                    (true, _) => "worse",
                    (_, true) => "better",
                    _ => "no difference shown",
                };
                println!("{name:15} {cell:9} {verdict}");
            }
        }
        let name = format!("all targets: {name} minus neither");
        table.ours(&name, differences.map(Entry::Percent));
    }
    table.note(
        "Rows of all targets average the targets of one detector, since these are tested on by the same \
         weights. Differences are taken detector by detector of equal sources and seed; an interval that \
         does not contain zero is a difference. Cells of a target show the same people.",
    );
    arguments.finish(table, started)
}

/// Trains on `sources` and tests on the four cells of each target, target by target.
fn train_and_test(
    arguments: &StudyArguments,
    sources: [&str; 2],
    targets: [&str; 2],
) -> Result<Vec<MethodRuns>, String> {
    let device = arguments.device.device().map_err(|e| e.to_string())?;
    let by_name = |name: &str| Domain::by_name(name).map_err(|error| error.to_string());
    let sources = [by_name(sources[0])?, by_name(sources[1])?];
    let names = sources.each_ref().map(|source| source.name.as_str());
    let people = arguments.load_people(4)?;
    let chosen = arguments.generator.as_deref();
    let generator = BundledGenerator::for_targets(chosen, Bundled::Alike, &targets, &device)?
        .ok_or("no generator that has not seen a target; name one with --generator")?;
    let targets = [by_name(targets[0])?, by_name(targets[1])?];

    // The sources are the same in every cell, so they are captured once; of the domains that stand in
    // the places of the tested ones no attack is needed here.
    let mut config = grid_config(arguments, &sources, &targets)?;
    config.test.captures = 0;
    config.domains[2..]
        .iter_mut()
        .for_each(|place| place.kinds.clear());
    let captures = Captures::simulate(config, &people)?;
    let of_sources = |split| -> Vec<Sample> {
        let samples = captures.manifest().samples().iter();
        let of_split = samples.filter(|sample| sample.split == split);
        let of_sources = of_split.filter(|sample| names.contains(&sample.domain.as_str()));
        of_sources.cloned().collect()
    };
    let (train, development) = (of_sources(Split::Train), of_sources(Split::Development));
    let mut study = Study {
        guards: Vec::new(),
        train: LabelledImages::of(&captures, &train)?,
        generated: Some(generator.training_attacks(
            &captures,
            &train,
            arguments.generated,
            arguments.seed,
            &generator.sampler(arguments.start_step, arguments.guidance),
        )?),
        development: LabelledImages::of(&captures, &development)?,
        tests: Vec::new(),
    };

    for target in &targets {
        for (cell, [new_style, new_quality]) in CELLS.iter().zip(SHIFTS) {
            let tested = sources.each_ref().map(|source| {
                let pick = |new: bool| if new { target } else { source };
                shifted(source, pick(new_style), pick(new_quality))
            });
            let mut config = grid_config(arguments, &sources, &tested)?;
            (config.train.captures, config.development.captures) = (0, 0);
            config.domains[..2]
                .iter_mut()
                .for_each(|place| place.kinds.clear());
            let captures = Captures::simulate(config, &people)?;
            let mut test = LabelledImages::default();
            for domain in &tested {
                let protocol = Protocol::cross_domain(&names, &domain.name)
                    .map_err(|error| error.to_string())?;
                let samples = captures.manifest().samples().iter();
                let splits = ProtocolSplits {
                    train: train.clone(),
                    development: development.clone(),
                    test: samples
                        .filter(|sample| sample.domain == domain.name)
                        .cloned()
                        .collect(),
                };
                let guard = LeakageGuard::new(&protocol);
                guard
                    .check_splits(&splits)
                    .map_err(|error| error.to_string())?;
                test = test.with(&LabelledImages::of(&captures, &splits.test)?);
                study.guards.push(guard);
            }
            study.tests.push((format!("{}, {cell}", target.name), test));
        }
    }
    study.run(&arguments.ablation(), &arguments.seeds(), &device)
}

/// `source` with the style and the quality of others, under a name of its own.
fn shifted(source: &Domain, style: &Domain, quality: &Domain) -> Domain {
    let name = format!("{}: {}+{}", source.name, style.name, quality.name);
    Domain {
        name,
        ..source.clone().with_style_of(style).with_quality_of(quality)
    }
}

/// The sources and two tested domains. People are dealt by the position of a domain, so those of the
/// tested ones are the same in every cell.
fn grid_config(
    arguments: &StudyArguments,
    sources: &[Domain; 2],
    tested: &[Domain; 2],
) -> Result<BenchmarkConfig, String> {
    let [train, development, test] = arguments.split_sizes()?;
    let mut config = BenchmarkConfig::ocim(train, development, test)
        .with_size(arguments.size() as u32)
        .with_seed(arguments.seed);
    for (place, domain) in config.domains.iter_mut().zip(sources.iter().chain(tested)) {
        place.domain = domain.clone();
    }
    Ok(config)
}
