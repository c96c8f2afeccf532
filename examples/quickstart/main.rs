//! The main job, end to end: faces in; generated attacks, a trained detector and a report out.
//!
//! ```text
//! cargo run --release --example quickstart
//! cargo run --release --example quickstart -- --faces FOLDER --target sim-M --seed 1 --out runs/m
//! ```
//!
//! Expected: a page `report.html` whose path is printed at the end, in under 6 minutes on two cores.
//! Everything is simulated: faces (unless `--faces`), attacks and cameras.

mod detector;
mod generation;
mod page;
mod people;
mod settings;

use std::time::Instant;

use clap::Parser;
use fas_data::{LeakageGuard, Protocol, TrainingPurpose};
use fas_quality::Brisque;
use fas_sim::{Benchmark, BenchmarkConfig};

use fas_examples::{cost, progress};
use people::People;
use settings::Settings;

fn main() -> Result<(), String> {
    let settings = Settings::parse();
    let started = Instant::now();
    let device = settings.device.device()?;
    let guidance = generation::BundledGenerator::load(&settings, &device)?;

    let people = People::load(&settings)?;
    println!("{}", people.summary());
    let benchmark = simulate(&people, &settings)?;
    let protocol = protocol(&benchmark, &settings)?;
    let splits = protocol
        .select(benchmark.manifest())
        .map_err(|error| error.to_string())?;
    let guard = LeakageGuard::new(&protocol);
    guard
        .check_splits(&splits)
        .map_err(|error| error.to_string())?;
    guard
        .check_training(TrainingPurpose::StylePool, &splits.train)
        .map_err(|error| error.to_string())?;
    println!(
        "{}: {} training, {} development and {} target samples, {:.0} s",
        protocol.name,
        splits.train.len(),
        splits.development.len(),
        splits.test.len(),
        started.elapsed().as_secs_f64()
    );

    let quality = Brisque::new().score_many(benchmark.images());
    let quality: Vec<Option<f64>> = quality.into_iter().map(Result::ok).collect();
    let pictures = detector::Pictures::new(&benchmark, &quality);

    let generated = match &guidance {
        Some(generator) => Some(generation::generate(
            generator, &pictures, &splits, &settings,
        )?),
        None => None,
    };
    println!(
        "attacks generated, {:.0} s",
        started.elapsed().as_secs_f64()
    );

    let results = detector::train_and_evaluate(
        &pictures,
        &splits,
        &guard,
        generated.as_ref(),
        &settings,
        &device,
    )?;
    println!(
        "detectors trained and evaluated, {:.0} s",
        started.elapsed().as_secs_f64()
    );

    let path = page::write(&page::Content {
        settings: &settings,
        protocol: &protocol,
        pictures: &pictures,
        splits: &splits,
        generated: generated.as_ref(),
        generator: guidance.as_ref(),
        results: &results,
        run_time: started.elapsed(),
    })?;
    for result in &results {
        println!("{}", result.summary());
    }
    println!("report: {}\n{}", path.display(), cost(started));
    Ok(())
}

fn simulate(people: &People, settings: &Settings) -> Result<Benchmark, String> {
    let [train, development, test] = settings.subjects_per_domain();
    let config = BenchmarkConfig::ocim(train, development, test).with_seed(settings.seed);
    let bar = progress("simulating captures", 0);
    let benchmark = Benchmark::generate(config, people.pools(), |done, total| {
        bar.set_length(total as u64);
        bar.set_position(done as u64);
    })
    .map_err(|error| error.to_string())?;
    bar.finish_and_clear();
    Ok(benchmark)
}

fn protocol(benchmark: &Benchmark, settings: &Settings) -> Result<Protocol, String> {
    let protocols = benchmark
        .leave_one_out()
        .map_err(|error| error.to_string())?;
    let targets: Vec<String> = protocols
        .iter()
        .map(|protocol| protocol.target.clone())
        .collect();
    protocols
        .into_iter()
        .find(|protocol| protocol.target == settings.target)
        .ok_or_else(|| {
            format!(
                "no domain {:?}; choose one of {}",
                settings.target,
                targets.join(", ")
            )
        })
}
