//! The main job, end to end: faces in; generated attacks, a trained detector and a report out.
//!
//! ```text
//! cargo run --release --example quickstart
//! cargo run --release --example quickstart -- --faces FOLDER --target sim-M --seed 1 --out runs/m
//! ```
//!
//! Expected: a page `report.html` whose path is printed at the end, after six minutes on two
//! cores, of which `--no-agfas` saves half, that of the de-spoofed faces and AG-Net. Everything is
//! simulated: faces (unless `--faces`), attacks and cameras.

mod despoofing;
mod detector;
mod generation;
mod page;
mod settings;

use std::time::Instant;

use clap::Parser;
use fas_data::{LeakageGuard, Protocol, Sample, TrainingPurpose};
use fas_sim::BenchmarkConfig;

use detector::MethodResult;
use fas_examples::{
    Bundled, BundledGenerator, Captures, CueStudy, LabelledImages, People, Study, cost,
};
use settings::Settings;

fn main() -> Result<(), String> {
    let settings = Settings::parse();
    let started = Instant::now();
    let device = settings.device.device()?;
    let targets = [settings.target.as_str()];
    let generator = BundledGenerator::for_targets(
        settings.generator.as_deref(),
        Bundled::Best,
        &targets,
        &device,
    )?;

    let subset = settings.test_subset.as_deref();
    let people = People::load(
        settings.faces.as_deref(),
        subset,
        settings.subjects(),
        settings.seed,
    )?;
    println!("{}", people.summary());
    let [train, development, test] = settings.subjects_per_domain();
    let config = BenchmarkConfig::ocim(train, development, test).with_seed(settings.seed);
    let captures = Captures::simulate(config, &people)?;
    let protocol = protocol(&captures, &settings)?;
    let splits = protocol
        .select(captures.manifest())
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

    let generated = match &generator {
        Some(generator) => Some(generation::generate(
            generator,
            &captures,
            &splits.train,
            &settings,
        )?),
        None => None,
    };
    println!(
        "attacks generated, {:.0} s",
        started.elapsed().as_secs_f64()
    );

    let study = Study {
        guards: vec![guard],
        train: LabelledImages::of(&captures, &splits.train)?,
        generated: generated
            .as_ref()
            .map(|generated| generated.attacks.clone()),
        development: LabelledImages::of(&captures, &splits.development)?,
        tests: vec![(
            protocol.name.clone(),
            LabelledImages::of(&captures, &splits.test)?,
        )],
    };
    let seeds: Vec<u64> = (settings.seed..settings.seed + settings.runs).collect();
    let mut runs = study.run(
        &detector::methods(&settings, generated.is_some()),
        &seeds,
        &device,
    )?;
    println!(
        "detectors trained and evaluated, {:.0} s",
        started.elapsed().as_secs_f64()
    );
    let despoofed = if settings.no_agfas {
        None
    } else {
        let all = [&splits.train, &splits.development, &splits.test];
        let all: Vec<Sample> = all.into_iter().flatten().cloned().collect();
        let despoofed = despoofing::despoof(&captures, &all, &splits.test, &settings, &device)?;
        println!("faces de-spoofed, {:.0} s", started.elapsed().as_secs_f64());
        let cue_study = CueStudy {
            guard: LeakageGuard::new(&protocol),
            train: study.train.clone(),
            extra: None,
            development: study.development.clone(),
            test: study.tests[0].1.clone(),
        };
        let cues = &despoofed.cues;
        runs.extend(despoofing::detectors(
            &cue_study, cues, &settings, &seeds, &device,
        )?);
        println!(
            "AG-Net trained and evaluated, {:.0} s",
            started.elapsed().as_secs_f64()
        );
        Some(despoofed)
    };
    let results = runs
        .into_iter()
        .map(MethodResult::new)
        .collect::<Result<Vec<_>, String>>()?;

    let path = page::write(&page::Content {
        settings: &settings,
        protocol: &protocol,
        captures: &captures,
        splits: &splits,
        generated: generated.as_ref(),
        generator: generator.as_ref(),
        despoofed: despoofed.as_ref(),
        results: &results,
        run_time: started.elapsed(),
    })?;
    for result in &results {
        println!("{}", result.summary());
    }
    println!("report: {}\n{}", path.display(), cost(started));
    Ok(())
}

fn protocol(captures: &Captures, settings: &Settings) -> Result<Protocol, String> {
    let domains = captures.manifest().domains();
    let domains: Vec<&str> = domains.iter().map(String::as_str).collect();
    if !domains.contains(&settings.target.as_str()) {
        return Err(format!(
            "no domain {:?}; choose one of {}",
            settings.target,
            domains.join(", ")
        ));
    }
    Protocol::leave_one_out(&domains, &settings.target).map_err(|error| error.to_string())
}
