//! The detector that `fas predict` uses where none is named: trained on simulated attacks of all four
//! simulated domains, tested on people of another collection.
//!
//! ```text
//! cargo run --release --example train_detector -- --faces FOLDER --test-subset london_neutral \
//!     --out detector.safetensors
//! ```
//!
//! Expected: each network of `--backbones` is trained on the same captures; the one with the lowest EER on
//! development captures is stored, with its threshold there, and only then are test people looked at. A
//! stopped run goes on where it was, from the checkpoints beside `--out`. The bundled detector was made with
//! `--backbones resnet12 --people 800 --steps 1500`: HTER 1.4 % on the London Set; 38 minutes at low priority beside
//! builds.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::Instant;

use burn::tensor::Device;
use clap::{Parser, ValueEnum};
use fas_classify::experiment::{ImageSet, score_set};
use fas_classify::loss::ObjectiveConfig;
use fas_classify::training::{
    ClassLayout, ClassifierTrainer, ClassifierTrainingConfig, StyleClasses, TrainingSet,
    score_pictures,
};
use fas_classify::{
    BackboneConfig, Classifier, ClassifierConfig, Detector, DetectorCard, MobileVitConfig,
    ResNetConfig,
};
use fas_data::{LeakageGuard, ProtocolSplits, Split, TrainingPurpose, resize};
use fas_examples::{
    CaptureSettings, DeviceChoice, FaceFolder, FaceSplit, People, capture_faces, cost,
    guard_of_sources, progress,
};
use fas_metrics::{
    Bootstrap, Evaluation, EvaluationConfig, Interval, ScoreSet, ThresholdPolicy, evaluate,
};
use fas_quality::Brisque;
use fas_sim::{AttackKind, Domain, Face};
use fas_weights::StoredFloat;
use image::RgbImage;

/// Side of the faces.
const SIZE: u32 = 64;
/// Steps between checkpoints.
const CHECKPOINT_EVERY: usize = 250;
/// Where thresholds come from.
const POLICY: ThresholdPolicy = ThresholdPolicy::SourceEer;

#[derive(Parser)]
#[command(about = "Trains the bundled detector on simulated attacks")]
struct Arguments {
    /// Folder of face crops with `index.csv`.
    #[arg(long)]
    faces: PathBuf,
    /// Subset of the test split whose people are tested.
    #[arg(long)]
    test_subset: Option<String>,
    /// File for the detector.
    #[arg(long, default_value = "runs/detector.safetensors")]
    out: PathBuf,
    /// Networks to choose from, separated by commas.
    #[arg(
        long,
        value_enum,
        value_delimiter = ',',
        default_value = "resnet12,mobilevit-xxs"
    )]
    backbones: Vec<Backbone>,
    /// Training people; each is captured in every domain, bona fide and with one kind of attack.
    #[arg(long, default_value_t = 2000)]
    people: usize,
    /// Training steps of each network.
    #[arg(long, default_value_t = 2000)]
    steps: usize,
    /// Pictures a step.
    #[arg(long, default_value_t = 32)]
    batch_size: usize,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Backbone {
    /// ResNet-18 of 12 to 96 channels.
    Resnet12,
    /// ResNet-18 of 24 to 192 channels.
    Resnet24,
    /// MobileViT-XXS.
    MobilevitXxs,
}

impl Backbone {
    fn config(self) -> BackboneConfig {
        match self {
            Self::Resnet12 => ResNetConfig::small(12).into(),
            Self::Resnet24 => ResNetConfig::small(24).into(),
            Self::MobilevitXxs => MobileVitConfig::xxs().into(),
        }
    }

    fn name(self) -> String {
        let value = self.to_possible_value().expect("none is hidden");
        value.get_name().to_owned()
    }
}

/// A trained network and its scores of the development captures.
struct Candidate {
    name: String,
    config: ClassifierConfig,
    classifier: Classifier,
    development: ScoreSet,
    eer: f64,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let device = arguments.device.device()?;
    let domains = Domain::all();
    let folder = FaceFolder::open(&arguments.faces)?;
    let subset = arguments.test_subset.as_deref();
    let people = folder.load(FaceSplit::Test, subset, None)?;
    let captured =
        |faces: &[Face], split, attacks| captures(faces, &domains, split, attacks, arguments.seed);
    let faces = folder.load(FaceSplit::Train, None, Some(arguments.people))?;
    let train = captured(&faces, Split::Train, 1)?;
    let faces = folder.load(FaceSplit::Val, None, None)?;
    let development = captured(&faces, Split::Development, 1)?;
    let test = captured(&people, Split::Test, AttackKind::ALL.len())?;
    println!(
        "{} training, {} development and {} test captures, {:.0} s",
        train.samples().len(),
        development.samples().len(),
        test.samples().len(),
        started.elapsed().as_secs_f64()
    );

    // All simulated domains are sources: the test is of other people, not of other domains.
    let guard = guard_of_sources(&domains)?;
    guard
        .check_splits(&ProtocolSplits {
            train: train.samples().to_vec(),
            development: development.samples().to_vec(),
            test: test.samples().to_vec(),
        })
        .map_err(|error| error.to_string())?;
    let classes = StyleClasses::of(train.samples(), ClassLayout::PerStyle);
    let set = training_set(&train, &classes, &guard)?;
    let candidates = arguments
        .backbones
        .iter()
        .map(|&backbone| {
            let classifier = train_candidate(backbone, &set, &classes, &arguments, &device)?;
            scored_candidate(backbone, classifier, &development, &device)
        })
        .collect::<Result<Vec<_>, String>>()?;
    let best = candidates
        .into_iter()
        .min_by(|a, b| a.eer.total_cmp(&b.eer))
        .ok_or("--backbones names no network")?;

    let evaluation = evaluation(&best, &test, &device)?;
    let mut notes = notes(&arguments, &best, &evaluation, set.len());
    println!("{}", summary(&best.name, "test people", &evaluation));
    for domain in &domains {
        let samples = test.samples().iter().zip(test.images());
        let (samples, images): (Vec<_>, Vec<_>) = samples
            .filter(|(sample, _)| sample.domain == domain.name)
            .map(|(sample, image)| (sample.clone(), (**image).clone()))
            .unzip();
        let part = ImageSet::new(samples, images).map_err(|error| error.to_string())?;
        let evaluation = self::evaluation(&best, &part, &device)?;
        println!("{}", summary(&best.name, &domain.name, &evaluation));
    }
    other_pictures(
        &best,
        &people,
        &domains,
        &evaluation,
        &arguments,
        &mut notes,
        &device,
    )?;
    store(best, &classes, &evaluation, notes, &arguments.out)?;
    println!("{}\n{}", arguments.out.display(), cost(started));
    Ok(())
}

/// Captures of faces in all domains, with their BRISQUE scores.
fn captures(
    faces: &[Face],
    domains: &[Domain],
    split: Split,
    attacks_per_face: usize,
    seed: u64,
) -> Result<ImageSet, String> {
    let settings = CaptureSettings {
        purpose: split.name(),
        split,
        attacks_per_face,
        size: SIZE,
        seed,
    };
    let captured = capture_faces(faces, domains, &settings)?
        .into_iter()
        .flatten();
    let (samples, images) = captured
        .map(|capture| (capture.sample, capture.image))
        .unzip();
    let brisque = Brisque::new();
    let set = ImageSet::new(samples, images).map_err(|error| error.to_string())?;
    Ok(set.with_quality(|image| brisque.score(image).ok()))
}

fn training_set(
    train: &ImageSet,
    classes: &StyleClasses,
    guard: &LeakageGuard,
) -> Result<TrainingSet, String> {
    let admitted = guard
        .admit(TrainingPurpose::Classifier, train.samples().to_vec())
        .map_err(|error| error.to_string())?;
    let numbers = classes
        .numbers_of(train.samples())
        .map_err(|error| error.to_string())?;
    TrainingSet::of_pictures(&admitted, train.images().to_vec(), numbers)
        .map_err(|error| error.to_string())
}

fn classifier_config(backbone: Backbone, classes: &StyleClasses) -> ClassifierConfig {
    ClassifierConfig::new(backbone.config(), classes.len(), classes.num_bona_fide())
        .with_scale(ObjectiveConfig::relative_quality().classification.scale())
}

fn train_candidate(
    backbone: Backbone,
    set: &TrainingSet,
    classes: &StyleClasses,
    arguments: &Arguments,
    device: &Device,
) -> Result<(ClassifierConfig, Classifier), String> {
    let config = classifier_config(backbone, classes);
    let training =
        ClassifierTrainingConfig::new(ObjectiveConfig::relative_quality(), arguments.steps)
            .with_batch_size(arguments.batch_size)
            .with_seed(arguments.seed);
    let checkpoint = arguments.out.with_extension(backbone.name());
    if let Some(folder) = checkpoint.parent() {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    }
    let start = config.init_seeded(arguments.seed, device);
    let mut trainer = ClassifierTrainer::new(start, set, training, device)
        .map_err(|error| error.to_string())?
        .resume(&checkpoint)
        .map_err(|error| error.to_string())?;
    let bar = progress("training", arguments.steps as u64);
    bar.set_position(trainer.steps_taken() as u64);
    let (started, first) = (Instant::now(), trainer.steps_taken());
    while !trainer.is_done() {
        let report = trainer.step().map_err(|error| error.to_string())?;
        bar.inc(1);
        if trainer.steps_taken().is_multiple_of(CHECKPOINT_EVERY) || trainer.is_done() {
            let pace = started.elapsed().as_secs_f64() / (trainer.steps_taken() - first) as f64;
            println!(
                "{} step {}: loss {:.3}, {pace:.3} s a step",
                backbone.name(),
                trainer.steps_taken(),
                report.loss
            );
            trainer
                .checkpoint(&checkpoint)
                .map_err(|error| error.to_string())?;
        }
    }
    bar.finish_and_clear();
    Ok((config, trainer.classifier()))
}

fn scored_candidate(
    backbone: Backbone,
    (config, classifier): (ClassifierConfig, Classifier),
    development: &ImageSet,
    device: &Device,
) -> Result<Candidate, String> {
    let development = scores(&classifier, development, device)?;
    let eer = development.sweep().eer().rate;
    println!(
        "{}: EER on development captures {:.2} %",
        backbone.name(),
        100.0 * eer
    );
    Ok(Candidate {
        name: backbone.name(),
        config,
        classifier,
        development,
        eer,
    })
}

fn scores(classifier: &Classifier, set: &ImageSet, device: &Device) -> Result<ScoreSet, String> {
    let images: Vec<&RgbImage> = set.images().iter().map(AsRef::as_ref).collect();
    let scores = score_pictures(classifier, &images, 64, device);
    score_set(set.samples(), &scores).map_err(|error| error.to_string())
}

/// At the threshold of the development captures, with intervals over people.
fn evaluation(
    candidate: &Candidate,
    test: &ImageSet,
    device: &Device,
) -> Result<Evaluation, String> {
    let config = EvaluationConfig {
        policy: POLICY,
        bootstrap: Some(Bootstrap::default()),
        allow_inverted: true,
        ..EvaluationConfig::default()
    };
    let scores = scores(&candidate.classifier, test, device)?;
    evaluate(&scores, Some(&candidate.development), &config).map_err(|error| error.to_string())
}

fn percent(rate: f64) -> String {
    format!("{:.2} %", 100.0 * rate)
}

fn summary(network: &str, what: &str, evaluation: &Evaluation) -> String {
    let interval = |interval: &Interval| {
        format!(
            "{:.2} to {:.2}",
            100.0 * interval.lower,
            100.0 * interval.upper
        )
    };
    let hter = evaluation
        .bootstrap
        .as_ref()
        .map(|b| interval(&b.acer_pooled));
    format!(
        "{network}, {what}: HTER {} (95 % {}), BPCER {}, APCER {} (worst: {}), AUC {}",
        percent(evaluation.hter),
        hter.unwrap_or_default(),
        percent(evaluation.bpcer.value),
        percent(evaluation.apcer),
        evaluation.worst_species,
        percent(evaluation.auc)
    )
}

/// What the captures of test people do not show: photos that no simulated camera took, and faces of the
/// statistical model.
fn other_pictures(
    candidate: &Candidate,
    people: &[Face],
    domains: &[Domain],
    evaluation: &Evaluation,
    arguments: &Arguments,
    notes: &mut HashMap<String, String>,
    device: &Device,
) -> Result<(), String> {
    let photos: Vec<RgbImage> = people
        .iter()
        .map(|face| resize(&face.image, SIZE, SIZE))
        .collect();
    let scores = score_pictures(&candidate.classifier, &photos, 64, device);
    let refused = scores
        .iter()
        .filter(|score| **score < evaluation.threshold.value)
        .count() as f64;
    let share = percent(refused / photos.len() as f64);
    println!("photos of test people, no simulated camera: BPCER {share}");
    notes.insert("test_photos_bpcer".to_owned(), share);
    let People::Synthetic(faces) = People::synthetic(50, arguments.seed)? else {
        unreachable!("drawn");
    };
    let kinds = AttackKind::ALL.len();
    let seed = arguments.seed;
    let set = captures(&faces, domains, Split::Test, kinds, seed)?;
    let evaluation = self::evaluation(candidate, &set, device)?;
    println!(
        "{}",
        summary(&candidate.name, "synthetic people", &evaluation)
    );
    notes.insert("synthetic_hter".to_owned(), percent(evaluation.hter));
    Ok(())
}

fn notes(
    arguments: &Arguments,
    candidate: &Candidate,
    evaluation: &Evaluation,
    samples: usize,
) -> HashMap<String, String> {
    let subset = arguments.test_subset.clone();
    [
        ("program", "example train_detector".to_owned()),
        ("network", candidate.name.clone()),
        (
            "training_domains",
            Domain::all().map(|domain| domain.name).join(","),
        ),
        ("samples", samples.to_string()),
        ("objective", ObjectiveConfig::relative_quality().name()),
        ("steps", arguments.steps.to_string()),
        ("batch", arguments.batch_size.to_string()),
        ("seed", arguments.seed.to_string()),
        ("development_eer", percent(candidate.eer)),
        ("test_people", subset.unwrap_or_else(|| "all".to_owned())),
        ("test_hter", percent(evaluation.hter)),
        ("test_auc", percent(evaluation.auc)),
        (
            "limits",
            "simulated attacks only, faces of 64 px".to_owned(),
        ),
    ]
    .map(|(key, value)| (key.to_owned(), value))
    .into()
}

fn store(
    candidate: Candidate,
    classes: &StyleClasses,
    evaluation: &Evaluation,
    notes: HashMap<String, String>,
    out: &Path,
) -> Result<(), String> {
    let card = DetectorCard::new(
        candidate.config,
        classes.names().to_vec(),
        SIZE as usize,
        evaluation.threshold.value,
        POLICY.to_string(),
    );
    Detector::new(candidate.classifier, card, notes)
        .save(out, StoredFloat::F16)
        .map_err(|error| error.to_string())
}
