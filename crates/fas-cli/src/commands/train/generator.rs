//! `fas train generator`: a generator of attacks from a manifest (DiffFAS, section 3.2).

mod triplets;

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use burn::tensor::Device;
use clap::{Args, ValueEnum};
use fas_data::{LeakageGuard, Manifest, Protocol, ProtocolSplits, TrainingPurpose};
use fas_diffusion::training::{
    DroppedCondition, GeneratorTrainer, GeneratorTrainingConfig, StyleEncoderTrainer,
    StyleEncoderTrainingConfig, clean_image_error,
};
use fas_diffusion::{Generator, GeneratorConfig, GeneratorNetworks, Precision, Prediction};
use fas_jobs::PrecisionChoice;

use self::triplets::Triplets;
use super::{Running, protocol_by_name};
use crate::dashboard::StepFigures;
use crate::error::CliError;
use crate::output::check_file;
use crate::progress::Progress;

/// Pictures of a step of the style encoder.
const ENCODER_BATCH: usize = 32;
/// Noise levels at which development attacks are judged, of 1000.
const LEVELS: [usize; 3] = [120, 250, 500];
/// Most development attacks that are judged.
const JUDGED: usize = 64;

const DETAILS: &str = "\
The manifest is a CSV table as `fas simulate` writes it. The generator learns to turn the bona fide picture
of a person into that person's attack, in the style of another attack of the same style label: each attack
needs a bona fide sample of its subject and domain, and one without is a style image only.

The protocol names domains by their last letters: OCI->M trains on O, C and I, and nothing of M may ever be
seen by a detector's generator. Only the training split of the sources is trained on; the error on
attacks of their development split is printed at the end.

First the style encoder learns to tell the styles, then the U-Net learns with the encoder fixed. With
--checkpoint a training that was stopped goes on where it was; the result is the same bit for bit.

Examples:
  fas simulate --synthetic 160 --out benchmark/
  fas train generator benchmark/manifest.csv --protocol 'CI->M' --checkpoint runs/generator \\
      --out generator.safetensors
  fas train generator manifest.csv --protocol 'OCI->M' --network paper --steps 20000 --batch 24 \\
      --parts 4 --device cuda --out generator.safetensors";

/// Train a generator of attacks on a manifest (DiffFAS).
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct TrainGenerator {
    /// Samples (CSV).
    manifest: PathBuf,
    /// Sources and target, such as `OCI->M`, or one domain for its own splits.
    #[arg(long)]
    protocol: String,
    /// The generator (safetensors).
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Network and how it is trained.
    #[arg(long, value_enum, default_value = "small")]
    network: NetworkChoice,
    /// What the network predicts, instead of what the choice of network says.
    #[arg(long, value_enum)]
    prediction: Option<PredictionChoice>,
    /// Training steps of the generator.
    #[arg(long, default_value_t = 8000, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Training steps of the style encoder, of 32 pictures each.
    #[arg(long, default_value_t = 400, value_parser = clap::value_parser!(u32).range(1..))]
    encoder_steps: u32,
    /// Triplets a step.
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Parts that a step is computed in, one after the other, for less memory.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    parts: u32,
    /// Compute cheap activations again in the backward pass, for less memory.
    #[arg(long)]
    gradient_checkpointing: bool,
    /// What the U-Net is trained in; weights are 32 bits in each case.
    #[arg(long, value_enum, default_value = "full")]
    precision: PrecisionChoice,
    #[command(flatten)]
    running: Running,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum NetworkChoice {
    /// 64 px, live-centred prediction: trains on a CPU.
    Small,
    /// 64 px, twice the channels of the finest maps, and a live face that is moved to where the attack shows it: for
    /// halftone, displays and prints that are held at an angle, at more time a step.
    Wide,
    /// 256 px, as the paper's text has it, with the released schedule.
    Paper,
    /// 256 px, as the released code runs it.
    Released,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum PredictionChoice {
    /// The noise (the paper).
    Noise,
    /// The velocity `v`.
    Velocity,
    /// The residual of a denoiser that starts from the live face.
    LiveCentred,
}

impl From<PredictionChoice> for Prediction {
    fn from(choice: PredictionChoice) -> Self {
        match choice {
            PredictionChoice::Noise => Self::Noise,
            PredictionChoice::Velocity => Self::Velocity,
            PredictionChoice::LiveCentred => Self::live_centred(),
        }
    }
}

impl NetworkChoice {
    fn generator(self, num_styles: usize) -> GeneratorConfig {
        match self {
            Self::Small => GeneratorConfig::small(num_styles),
            Self::Wide => GeneratorConfig::wide(num_styles),
            Self::Paper => GeneratorConfig::paper(num_styles),
            Self::Released => GeneratorConfig::released(num_styles),
        }
    }

    fn style_encoder_training(self, steps: usize) -> StyleEncoderTrainingConfig {
        match self {
            Self::Small | Self::Wide => StyleEncoderTrainingConfig::new(steps),
            Self::Paper | Self::Released => StyleEncoderTrainingConfig::released(steps),
        }
    }

    fn training(self, steps: usize) -> GeneratorTrainingConfig {
        match self {
            Self::Small | Self::Wide => GeneratorTrainingConfig::new(steps),
            Self::Paper => {
                GeneratorTrainingConfig::released(steps).with_dropped(DroppedCondition::Style)
            }
            Self::Released => GeneratorTrainingConfig::released(steps),
        }
    }
}

fn choice_name(choice: &impl ValueEnum) -> String {
    let value = choice.to_possible_value().expect("no choice is hidden");
    value.get_name().to_owned()
}

impl TrainGenerator {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        check_file(Some(&self.out))?;
        let device = self.running.device.device()?;
        let manifest = Manifest::read(&self.manifest)?;
        let protocol = protocol_by_name(&self.protocol, &manifest)?;
        let splits = protocol.select(&manifest)?;
        let guard = LeakageGuard::new(&protocol);
        guard.check_splits(&splits)?;
        let size = self.network.generator(1).unet.image_size as u32;
        let train = Triplets::read(&manifest, &splits.train, size, self.running.seed)?;
        if train.unpaired() > 0 {
            eprintln!(
                "{} attacks have no bona fide sample of their subject and domain; they are style images only",
                train.unpaired()
            );
        }
        let generator = self.train(&train, &splits, &guard, &device)?;
        let notes = self.notes(&protocol, &train);
        generator.save(&self.out, self.running.storage.precision(), &notes)?;
        println!(
            "{}: {} triplets of {} styles",
            self.out.display(),
            train.len(),
            train.styles().len()
        );
        let development = Triplets::read(&manifest, &splits.development, size, self.running.seed)?;
        report(&generator, &development);
        Ok(ExitCode::SUCCESS)
    }

    fn train(
        &self,
        triplets: &Triplets,
        splits: &ProtocolSplits,
        guard: &LeakageGuard,
        device: &Device,
    ) -> Result<Generator, CliError> {
        // Refused now, not after the style encoder's training.
        Precision::from(self.precision).check(device)?;
        device.seed(self.running.seed);
        let mut config = self.network.generator(triplets.styles().len());
        if let Some(prediction) = self.prediction {
            config.prediction = prediction.into();
        }
        let mut generator = config.init(device);
        let folder = self.running.checkpoint.as_deref();
        // A checkpoint holds the style encoder too.
        if !folder.is_some_and(GeneratorTrainer::has_checkpoint) {
            let admitted = guard.admit(TrainingPurpose::StyleEncoder, splits.train.clone())?;
            let encoder = generator.networks().style_encoder.clone();
            let steps = self.encoder_steps as usize;
            let config = self.network.style_encoder_training(steps);
            let mut trainer = StyleEncoderTrainer::new(encoder, config, device, &admitted)?;
            let progress = Progress::of_steps("training the style encoder", steps);
            for step in 0..steps {
                let (images, styles) = triplets.attacks(ENCODER_BATCH, step, device);
                let (loss, _) = trainer.step(images, styles)?;
                progress.say(&format!("training the style encoder, loss {loss:.3}"));
                progress.step();
            }
            let networks = GeneratorNetworks {
                style_encoder: trainer.finish(),
                unet: generator.networks().unet.clone(),
            };
            generator = generator.with_networks(networks);
        }
        let admitted = guard.admit(TrainingPurpose::Generator, splits.train.clone())?;
        let config = self
            .network
            .training(self.steps as usize)
            .with_accumulation(self.parts as usize)
            .with_gradient_checkpointing(self.gradient_checkpointing)
            .with_precision(self.precision.into())
            .with_seed(self.running.seed);
        let trainer = GeneratorTrainer::new(generator, config, &admitted)?;
        let trainer = self.running.train(trainer, self.steps, |trainer| {
            let batch = triplets.batch(self.batch as usize, trainer.steps_taken(), device);
            let report = trainer.step(batch)?;
            Ok(StepFigures::new(report.loss)
                .with("gradient norm", report.gradient_norm)
                .with("loss scale", report.loss_scale))
        })?;
        Ok(trainer.averaged())
    }

    fn notes(&self, protocol: &Protocol, triplets: &Triplets) -> HashMap<String, String> {
        let mut card = self.running.storage.card([
            ("program", format!("fas {}", env!("CARGO_PKG_VERSION"))),
            ("protocol", protocol.name.clone()),
            ("training_domains", protocol.sources.join(",")),
            ("styles", triplets.styles().join(",")),
            ("triplets", triplets.len().to_string()),
            ("network", choice_name(&self.network)),
            ("steps", self.steps.to_string()),
            ("encoder_steps", self.encoder_steps.to_string()),
            ("batch_size", self.batch.to_string()),
            ("seed", self.running.seed.to_string()),
        ]);
        if let Some(prediction) = &self.prediction {
            card.insert("prediction".to_owned(), choice_name(prediction));
        }
        let precision = Precision::from(self.precision);
        if precision != Precision::Full {
            card.insert("precision".to_owned(), format!("{precision:?}"));
        }
        card
    }
}

/// Prints the error of the clean image on development attacks, which nothing was trained on.
fn report(generator: &Generator, development: &Triplets) {
    let count = development.len().min(JUDGED);
    let batch = development.batch(count, 0, generator.device());
    println!("{count} development attacks, error of the clean image (RMS, pixels in [-1, 1]):");
    for level in LEVELS {
        let error = clean_image_error(generator, &batch, level).sqrt();
        println!("  noise of step {level:3}  {error:.4}");
    }
}
