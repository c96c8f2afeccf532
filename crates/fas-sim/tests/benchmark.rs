//! A small benchmark end to end: contents, protocols, files.

use std::collections::{BTreeMap, BTreeSet};

use fas_data::{LeakageGuard, Manifest, Split, TrainingPurpose, load_rgb};
use fas_sim::{
    AttackKind, Benchmark, BenchmarkConfig, Domain, Face, FacePools, Presentation, SimError,
};
use image::{Rgb, RgbImage};

fn faces(count: usize) -> Vec<Face> {
    (0..count)
        .map(|i| {
            let tone = 90 + (i * 29 % 120) as u8;
            let image = RgbImage::from_fn(64, 64, |x, y| {
                Rgb([tone, tone / 2 + x as u8, tone / 3 + y as u8])
            });
            Face::from_aligned(image, format!("person {i}"))
        })
        .collect()
}

fn small() -> Benchmark {
    let config = BenchmarkConfig::ocim(2, 1, 1)
        .with_size(32)
        .with_kinds(&[AttackKind::PrintHalftone, AttackKind::ReplayOled])
        .with_captures(2);
    Benchmark::generate(config, FacePools::Shared(&faces(16)), |_, _| ()).unwrap()
}

#[test]
fn samples_are_complete_and_subject_disjoint() {
    let benchmark = small();
    // 4 domains, 4 subjects, 2 captures, 3 presentations.
    assert_eq!(benchmark.samples().len(), 4 * 4 * 2 * 3);
    assert_eq!(benchmark.images().len(), benchmark.samples().len());
    let mut places: BTreeMap<&str, BTreeSet<(&str, Split)>> = BTreeMap::new();
    for (sample, image) in benchmark.samples().iter().zip(benchmark.images()) {
        assert_eq!(image.dimensions(), (32, 32));
        places
            .entry(&sample.subject)
            .or_default()
            .insert((&sample.domain, sample.split));
        let presentation = sample
            .style
            .strip_prefix(&format!("{}/", sample.domain))
            .unwrap();
        let presentation: Presentation = presentation.parse().unwrap();
        assert_eq!(presentation.label(), sample.label);
    }
    assert_eq!(places.len(), 16);
    assert!(places.values().all(|place| place.len() == 1), "{places:?}");
}

#[test]
fn threads_do_not_change_it() {
    let one = rayon::ThreadPoolBuilder::new()
        .num_threads(1)
        .build()
        .unwrap();
    let three = rayon::ThreadPoolBuilder::new()
        .num_threads(3)
        .build()
        .unwrap();
    assert!(one.install(small) == three.install(small));
}

#[test]
fn protocols_select_from_it() {
    let benchmark = small();
    let manifest = benchmark.manifest();
    let names = |protocols: &[fas_data::Protocol]| -> Vec<String> {
        protocols
            .iter()
            .map(|protocol| protocol.name.clone())
            .collect()
    };
    let leave_one_out = benchmark.leave_one_out().unwrap();
    assert_eq!(
        names(&leave_one_out),
        ["CIM->O", "OIM->C", "OCM->I", "OCI->M"]
    );
    let splits = leave_one_out[3].select(manifest).unwrap();
    assert_eq!(splits.train.len(), 3 * 2 * 2 * 3);
    assert_eq!(splits.test.len(), 2 * 3);
    let guard = LeakageGuard::new(&leave_one_out[3]);
    guard
        .check_training(TrainingPurpose::Generator, &splits.train)
        .unwrap();
    assert!(
        guard
            .check_training(TrainingPurpose::Generator, &splits.test)
            .is_err()
    );

    let limited = benchmark.limited_source(&["sim-M", "sim-I"]).unwrap();
    assert_eq!(names(&limited), ["MI->O", "MI->C"]);
    assert!(
        limited
            .iter()
            .all(|protocol| protocol.select(manifest).is_ok())
    );
    assert!(matches!(
        benchmark.limited_source(&["sim-X"]),
        Err(SimError::UnknownDomain(_))
    ));

    let unseen = benchmark.unseen_attacks("sim-M").unwrap();
    assert_eq!(unseen.len(), 2);
    let splits = unseen[0].select(manifest).unwrap();
    assert!(
        splits
            .train
            .iter()
            .all(|sample| !sample.style.ends_with("print_halftone"))
    );
    let tested: BTreeSet<&str> = splits
        .test
        .iter()
        .map(|sample| sample.style.as_str())
        .collect();
    assert_eq!(
        tested,
        BTreeSet::from(["sim-M/bona_fide", "sim-M/print_halftone"])
    );
    assert!(benchmark.factor_shifts().unwrap().is_none());
}

#[test]
fn protocols_within_a_domain_and_from_one_to_another() {
    let benchmark = small();
    let manifest = benchmark.manifest();
    let styles = |samples: &[fas_data::Sample]| -> BTreeSet<String> {
        samples.iter().map(|sample| sample.style.clone()).collect()
    };
    let seen = benchmark.seen_attacks("sim-C").unwrap();
    let splits = seen.select(manifest).unwrap();
    assert_eq!(styles(&splits.train), styles(&splits.test));
    assert_eq!(splits.test.len(), 2 * 3);
    LeakageGuard::new(&seen).check_splits(&splits).unwrap();

    let unseen = benchmark.unseen_attacks_within("sim-C").unwrap();
    assert_eq!(unseen.len(), 2);
    assert_eq!(unseen[0].name, "sim-C unseen print_halftone");
    for protocol in &unseen {
        let splits = protocol.select(manifest).unwrap();
        LeakageGuard::new(protocol).check_splits(&splits).unwrap();
        let held_out = protocol.held_out.to_string();
        let has = |samples| styles(samples).contains(&format!("sim-C/{held_out}"));
        assert!(!has(&splits.train) && !has(&splits.development) && has(&splits.test));
        assert_eq!(styles(&splits.test).len(), 2);
    }

    let across = benchmark.cross_dataset("sim-C", "sim-I").unwrap();
    assert_eq!(across.name, "C->I");
    assert!(across.select(manifest).is_ok());
    assert!(benchmark.cross_dataset("sim-C", "sim-C").is_err());
    for unknown in [
        benchmark.seen_attacks("sim-X").map(|_| ()),
        benchmark.unseen_attacks_within("sim-X").map(|_| ()),
        benchmark.cross_dataset("sim-C", "sim-X").map(|_| ()),
    ] {
        assert!(matches!(unknown, Err(SimError::UnknownDomain(_))));
    }
}

#[test]
fn factor_grid_shifts_one_factor_at_a_time() {
    let config = BenchmarkConfig::factor_grid(&Domain::sim_o(), &Domain::sim_i(), 1, 1, 1)
        .with_size(32)
        .with_kinds(&[AttackKind::MaskPaper]);
    let benchmark = Benchmark::generate(config, FacePools::Shared(&faces(12)), |_, _| ()).unwrap();
    let shifts = benchmark.factor_shifts().unwrap().unwrap();
    assert_eq!(shifts.none.target, "sim-O");
    assert_eq!(shifts.quality.target, "sim-O+sim-I");
    assert_eq!(shifts.style.target, "sim-I+sim-O");
    assert_eq!(shifts.both.target, "sim-I");
    for protocol in [&shifts.none, &shifts.quality, &shifts.style, &shifts.both] {
        assert_eq!(protocol.sources, ["sim-O"]);
        assert_eq!(protocol.select(benchmark.manifest()).unwrap().test.len(), 2);
    }
}

#[test]
fn written_folder_reads_back() {
    let benchmark = small();
    let parent = tempfile::tempdir().unwrap();
    let folder = parent.path().join("ocim");
    benchmark.write(&folder).unwrap();
    let manifest = Manifest::read(folder.join("manifest.csv")).unwrap();
    assert_eq!(manifest.samples(), benchmark.samples());
    for (sample, image) in manifest.samples().iter().zip(benchmark.images()) {
        assert_eq!(&load_rgb(manifest.image_path(sample)).unwrap(), image);
    }
    let config = std::fs::read(folder.join("benchmark.json")).unwrap();
    let config: BenchmarkConfig = serde_json::from_slice(&config).unwrap();
    assert_eq!(&config, benchmark.config());
    assert!(matches!(
        benchmark.write(&folder),
        Err(SimError::FolderExists(_))
    ));
    // Nothing half-written is left beside it.
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 1);
}

#[test]
fn progress_counts_every_capture() {
    let seen = std::sync::Mutex::new(BTreeSet::new());
    let config = BenchmarkConfig::ocim(1, 1, 1)
        .with_size(16)
        .with_kinds(&[AttackKind::MaskResin]);
    Benchmark::generate(config, FacePools::Shared(&faces(12)), |done, total| {
        assert_eq!(total, 24);
        seen.lock().unwrap().insert(done);
    })
    .unwrap();
    assert_eq!(seen.into_inner().unwrap(), (1..=24).collect());
}
