//! `fas train classifier`: a detector from a manifest.

use std::collections::HashMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use fas_classify::experiment::{ImageSet, score_set};
use fas_classify::loss::ObjectiveConfig;
use fas_classify::training::{
    AugmentationConfig, ClassLayout, ClassifierTrainer, ClassifierTrainingConfig, OptimiserConfig,
    SamplingConfig, StyleClasses, TrainingSet, score_pictures,
};
use fas_classify::{
    BackboneConfig, ClassifierConfig, Detector, DetectorCard, InputRange, MobileVitConfig,
    PretrainedBackbone, ResNetConfig,
};
use fas_data::{LeakageGuard, Manifest, Protocol, Sample, TrainingPurpose};
use fas_metrics::{Evaluation, EvaluationConfig, ThresholdPolicy, evaluate};
use fas_quality::Brisque;

use super::{Running, protocol_by_name};
use crate::dashboard::StepFigures;
use crate::error::CliError;
use crate::output::check_file;
use crate::progress::Progress;

/// Pictures that are scored at once.
const SCORING_BATCH: usize = 64;

const DETAILS: &str = "\
The manifest is a CSV table with the columns id,path,label,species,domain,split,subject,video,style,
synthetic,quality_score; `fas simulate` writes one. Pictures are cut to the square in the middle and
scaled. Quality scores that it lacks are computed where the objective needs them.

The protocol names domains by their last letters: OCI->M trains on O, C and I and tests on M. Only the
training split of the sources is trained on; the threshold is chosen on their development split, and
the test split of the target is looked at once, at the end, for the report.

With --checkpoint a training that was stopped goes on where it was; the result is the same bit for bit.

Examples:
  fas simulate --synthetic 160 --out benchmark/
  fas train classifier benchmark/manifest.csv --protocol 'OCI->M' --out detector.safetensors
  fas train classifier manifest.csv --protocol 'WMCA' --policy dev-bpcer=0.01 --backbone mobilevit-s \\
      --size 256 --optimiser adam --pretrained mobilevit_s.safetensors --out wmca.safetensors";

/// Train a detector on a manifest; its file holds the threshold, with its policy.
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct TrainClassifier {
    /// Samples (CSV).
    manifest: PathBuf,
    /// Sources and target, such as `OCI->M`, or one domain for its own splits.
    #[arg(long)]
    protocol: String,
    /// The detector (safetensors).
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Network below the head.
    #[arg(long, value_enum, default_value = "small")]
    backbone: BackboneChoice,
    /// Weights the network starts from, of torchvision or timm (safetensors, .pt or .pth).
    #[arg(long, value_name = "FILE")]
    pretrained: Option<PathBuf>,
    /// What is minimised.
    #[arg(long, value_enum, default_value = "rq")]
    objective: ObjectiveChoice,
    /// Optimiser and learning rate.
    #[arg(long, value_enum, default_value = "small")]
    optimiser: OptimiserChoice,
    /// Side of the pictures in pixels.
    #[arg(long, default_value_t = 64, value_parser = clap::value_parser!(u32).range(32..=1024))]
    size: u32,
    /// Training steps.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Pictures a step.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(2..))]
    batch: u32,
    /// Where the threshold comes from; see `fas evaluate --help`.
    #[arg(long, default_value_t)]
    policy: ThresholdPolicy,
    /// Share of generated pictures, where the manifest has any.
    #[arg(long, value_name = "SHARE")]
    generated_share: Option<f64>,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum BackboneChoice {
    /// ResNet-18 of 12 to 96 channels, for 64 px.
    Small,
    /// ResNet-18.
    Resnet18,
    /// MobileViT-S.
    MobilevitS,
    /// MobileViT-XS.
    MobilevitXs,
    /// MobileViT-XXS.
    MobilevitXxs,
}

impl BackboneChoice {
    fn config(self) -> BackboneConfig {
        match self {
            Self::Small => ResNetConfig::small(12).into(),
            Self::Resnet18 => ResNetConfig::resnet18().into(),
            Self::MobilevitS => MobileVitConfig::s().into(),
            Self::MobilevitXs => MobileVitConfig::xs().into(),
            Self::MobilevitXxs => MobileVitConfig::xxs().into(),
        }
    }

    /// Range of the values that pretrained weights want.
    fn input(self) -> InputRange {
        match self {
            Self::Small | Self::Resnet18 => InputRange::ImageNet,
            Self::MobilevitS | Self::MobilevitXs | Self::MobilevitXxs => InputRange::Unit,
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, ValueEnum)]
enum ObjectiveChoice {
    /// Cross-entropy over scaled cosines.
    CrossEntropy,
    /// Focal loss.
    Focal,
    /// Asymmetric margin softmax (PatchNet's margins).
    AsymmetricSoftmax,
    /// Cross-entropy and the single-side triplet loss.
    Triplet,
    /// Relative Quality loss (DiffFAS).
    Rq,
    /// SSDG's terms over cosines.
    Ssdg,
    /// SSDG's terms and the Relative Quality loss.
    SsdgRq,
    /// PatchNet's terms.
    Patchnet,
    /// PatchNet's terms and the Relative Quality loss.
    PatchnetRq,
}

impl ObjectiveChoice {
    fn config(self) -> ObjectiveConfig {
        match self {
            Self::CrossEntropy => ObjectiveConfig::cross_entropy(),
            Self::Focal => ObjectiveConfig::focal(),
            Self::AsymmetricSoftmax => ObjectiveConfig::asymmetric_softmax(),
            Self::Triplet => ObjectiveConfig::single_side_triplet(),
            Self::Rq => ObjectiveConfig::relative_quality(),
            Self::Ssdg => ObjectiveConfig::ssdg(),
            Self::SsdgRq => ObjectiveConfig::ssdg().on_relative_quality(),
            Self::Patchnet => ObjectiveConfig::patchnet(),
            Self::PatchnetRq => ObjectiveConfig::patchnet().on_relative_quality(),
        }
    }

    fn augmentation(self) -> AugmentationConfig {
        match self {
            Self::Patchnet | Self::PatchnetRq => AugmentationConfig::patches(),
            _ => AugmentationConfig::new(),
        }
    }

    fn needs_quality(self) -> bool {
        matches!(self, Self::Rq | Self::SsdgRq | Self::PatchnetRq)
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum OptimiserChoice {
    /// AdamW up to 2e-3 in one cycle: short trainings from random weights.
    Small,
    /// SGD at 2e-3 (DiffFAS).
    Sgd,
    /// Adam at 1e-4 (DiffFAS, for WMCA, PADISI and the target O).
    Adam,
    /// SGD at 1e-3, a tenth of it from step 1500 on (SSDG).
    Ssdg,
}

impl OptimiserChoice {
    fn config(self) -> OptimiserConfig {
        match self {
            Self::Small => OptimiserConfig::small(),
            Self::Sgd => OptimiserConfig::sgd(),
            Self::Adam => OptimiserConfig::adam(),
            Self::Ssdg => OptimiserConfig::ssdg(),
        }
    }
}

impl TrainClassifier {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        check_file(Some(&self.out))?;
        let device = self.running.device.device()?;
        let manifest = Manifest::read(&self.manifest)?;
        let protocol = protocol_by_name(&self.protocol, &manifest)?;
        let splits = protocol.select(&manifest)?;
        let guard = LeakageGuard::new(&protocol);
        guard.check_splits(&splits)?;
        let images = self.images(&manifest, &protocol)?;
        // With the quality scores that were computed just now.
        let manifest = Manifest::new(manifest.root(), images.samples().to_vec())?;
        let splits = protocol.select(&manifest)?;

        let classes = StyleClasses::of(&splits.train, ClassLayout::PerStyle);
        let numbers = classes.numbers_of(&splits.train)?;
        let admitted = guard.admit(TrainingPurpose::Classifier, splits.train.clone())?;
        let set = TrainingSet::of_pictures(&admitted, images.images_of(&splits.train)?, numbers)?;

        let objective = self.objective.config();
        let mut config = ClassifierConfig::new(
            self.backbone.config(),
            classes.len(),
            classes.num_bona_fide(),
        )
        .with_scale(objective.classification.scale());
        if self.pretrained.is_some() {
            config.input = self.backbone.input();
        }
        let mut start = config.init_seeded(self.running.seed, &device);
        if let Some(path) = &self.pretrained {
            start = start.with_pretrained_backbone(&PretrainedBackbone::new(path.clone()))?;
        }
        let training = ClassifierTrainingConfig::new(objective, self.steps as usize)
            .with_batch_size(self.batch as usize)
            .with_optimiser(self.optimiser.config())
            .with_sampling(SamplingConfig::new().with_generated_share(self.generated_share))
            .with_augmentation(self.objective.augmentation())
            .with_seed(self.running.seed);
        let trainer = ClassifierTrainer::new(start, &set, training, &device)?;
        let trainer = self.running.train(trainer, self.steps, |trainer| {
            let report = trainer.step()?;
            Ok(StepFigures::new(report.loss)
                .with("classification", report.classification)
                .with("triplet", report.triplet)
                .with("adversarial", report.adversarial)
                .with("similarity", report.similarity))
        })?;

        let classifier = trainer.classifier();
        let scored = |samples: &[Sample]| -> Result<_, CliError> {
            let pictures = images.images_of(samples)?;
            let scores = score_pictures(&classifier, &pictures, SCORING_BATCH, &device);
            Ok(score_set(samples, &scores)?)
        };
        let evaluation = evaluate(
            &scored(&splits.test)?,
            Some(&scored(&splits.development)?),
            &EvaluationConfig {
                policy: self.policy,
                allow_inverted: true,
                ..EvaluationConfig::default()
            },
        )?;
        let card = DetectorCard::new(
            config,
            classes.names().to_vec(),
            self.size as usize,
            // A threshold that rejects all is infinite, which JSON cannot say.
            evaluation.threshold.value.min(f64::MAX),
            self.policy.to_string(),
        );
        let notes = self.notes(&protocol, &evaluation, set.len());
        Detector::new(classifier, card, notes).save(&self.out, self.running.storage.precision())?;
        print!("{}", report(&protocol, &evaluation));
        Ok(ExitCode::SUCCESS)
    }

    /// Pictures of the protocol's domains, with quality scores where they are needed.
    fn images(&self, manifest: &Manifest, protocol: &Protocol) -> Result<ImageSet, CliError> {
        let wanted = manifest.filter(|sample| {
            protocol.sources.contains(&sample.domain) || protocol.target == sample.domain
        });
        let images = {
            let _progress = Progress::of_unknown_length("reading pictures");
            ImageSet::load(&wanted, self.size)?
        };
        if !self.objective.needs_quality() {
            return Ok(images);
        }
        let _progress = Progress::of_unknown_length("scoring image quality");
        let brisque = Brisque::new();
        // A blank picture has no score, and the loss has a rule for it.
        Ok(images.with_quality(|image| brisque.score(image).ok()))
    }

    fn notes(
        &self,
        protocol: &Protocol,
        evaluation: &Evaluation,
        samples: usize,
    ) -> HashMap<String, String> {
        self.running.storage.card([
            ("program", format!("fas {}", env!("CARGO_PKG_VERSION"))),
            ("protocol", protocol.name.clone()),
            ("samples", samples.to_string()),
            ("objective", self.objective.config().name()),
            ("optimiser", self.optimiser.config().to_string()),
            ("steps", self.steps.to_string()),
            ("batch", self.batch.to_string()),
            ("seed", self.running.seed.to_string()),
            ("target_hter", format!("{:.4}", evaluation.hter)),
            ("target_auc", format!("{:.4}", evaluation.auc)),
        ])
    }
}

fn report(protocol: &Protocol, evaluation: &Evaluation) -> String {
    let mut text = String::new();
    let percent = |rate: f64| format!("{:.2} %", 100.0 * rate);
    writeln!(
        text,
        "{}, test split of {}:",
        protocol.name, protocol.target
    )
    .and_then(|()| {
        let threshold = &evaluation.threshold;
        writeln!(
            text,
            "  threshold  {:.6} ({}, from {})",
            threshold.value,
            evaluation.config.policy,
            evaluation.config.policy.source()
        )
    })
    .and_then(|()| {
        writeln!(
            text,
            "  APCER      {} (worst: {})",
            percent(evaluation.apcer),
            evaluation.worst_species
        )
    })
    .and_then(|()| writeln!(text, "  BPCER      {}", percent(evaluation.bpcer.value)))
    .and_then(|()| writeln!(text, "  HTER       {}", percent(evaluation.hter)))
    .and_then(|()| writeln!(text, "  AUC        {}", percent(evaluation.auc)))
    .expect("writing to a string");
    text
}
