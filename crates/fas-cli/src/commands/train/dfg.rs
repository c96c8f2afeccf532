//! `fas train dfg`: a De-spoofing Face Generator from a manifest of bona fide faces.

use std::collections::HashMap;
use std::path::PathBuf;
use std::process::ExitCode;

use burn::tensor::Device;
use clap::Args;
use fas_data::{
    LeakageGuard, Manifest, Protocol, Sample, Split, TrainingPurpose, center_square, load_rgb,
    resize,
};
use fas_dfg::training::{
    BonaFideCodes, BonaFideSamples, DespoofingTrainer, DespoofingTrainingConfig,
    OptimisationConfig, clean_latent_error,
};
use fas_dfg::{
    DespoofingGenerator, DespoofingGeneratorConfig, DfgError, FirstStage, IdentityEncoder,
};
use image::RgbImage;

use super::{Running, protocol_by_name};
use crate::dashboard::StepFigures;
use crate::error::CliError;
use crate::output::{check_file, check_parent};
use crate::progress::Progress;

/// Noise levels at which development faces are judged, of 1000.
const LEVELS: [usize; 3] = [100, 300, 700];

const DETAILS: &str = "\
The generator learns what bona fide faces look like: the training split of the manifest's sources may
hold no attack. One is refused by name; with --skip-attacks the attacks of a mixed manifest are left out.
Pictures are cut to the square in the middle and scaled to the generator's size.

First stage and identity encoder are fixed: from --first-stage and --identity-encoder, for a fresh
generator of 64 px, or from --start, a generator to go on with. What they say of a face is computed once
and kept in --cache, by the pixels' hash.

With --checkpoint a training that was stopped goes on where it was; the result is the same bit for bit.

Examples:
  fas train dfg manifest.csv --start dfg.safetensors --out finetuned.safetensors --steps 500
  fas train dfg manifest.csv --protocol 'OCI->M' --skip-attacks --first-stage first_stage.safetensors \\
      --identity-encoder identity_encoder.safetensors --checkpoint runs/dfg --out dfg.safetensors";

/// Train a De-spoofing Face Generator on bona fide faces only (AG-FAS).
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct TrainDfg {
    /// Samples (CSV).
    manifest: PathBuf,
    /// Sources and target, such as `OCI->M`, or one domain; not needed where there is but one.
    #[arg(long)]
    protocol: Option<String>,
    /// The generator (safetensors).
    #[arg(long, value_name = "FILE")]
    out: PathBuf,
    /// Generator to go on with.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["first_stage", "identity_encoder"],
          required_unless_present = "first_stage")]
    start: Option<PathBuf>,
    /// First stage of a fresh generator.
    #[arg(long, value_name = "FILE", requires = "identity_encoder")]
    first_stage: Option<PathBuf>,
    /// Identity encoder of a fresh generator.
    #[arg(long, value_name = "FILE", requires = "first_stage")]
    identity_encoder: Option<PathBuf>,
    /// Folder for latents and identity tokens.
    #[arg(long, value_name = "FOLDER", default_value = "runs/face_codes")]
    cache: PathBuf,
    /// Leave attacks out instead of refusing them.
    #[arg(long)]
    skip_attacks: bool,
    /// Training steps.
    #[arg(long, default_value_t = 3000, value_parser = clap::value_parser!(u32).range(1..))]
    steps: u32,
    /// Faces a step.
    #[arg(long, default_value_t = 32, value_parser = clap::value_parser!(u32).range(1..))]
    batch: u32,
    /// Largest learning rate.
    #[arg(long, default_value_t = 1e-3)]
    learning_rate: f64,
    #[command(flatten)]
    running: Running,
}

impl TrainDfg {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        check_file(Some(&self.out))?;
        check_parent(&self.cache)?;
        if !(self.learning_rate.is_finite() && self.learning_rate > 0.0) {
            return Err(CliError::Option {
                option: "--learning-rate",
                reason: format!("{} is no number above 0", self.learning_rate),
            });
        }
        let device = self.running.device.device()?;
        let manifest = Manifest::read(&self.manifest)?;
        let protocol = self.protocol(&manifest)?;
        let guard = LeakageGuard::new(&protocol);
        let train = self.samples(&manifest, &protocol, Split::Train);
        if train.is_empty() {
            return Err(CliError::NoImages);
        }
        let admitted = guard.admit(TrainingPurpose::Generator, train)?;
        let samples = BonaFideSamples::new(&admitted)?;
        let generator = self.generator(&device)?;
        let faces = self.codes(&generator, &manifest, &samples)?;
        let generator = self.train(generator, &faces)?;
        let notes = self.notes(&protocol, samples.samples().len());
        generator.save(&self.out, self.running.storage.precision(), &notes)?;
        println!("{}: {} faces", self.out.display(), samples.samples().len());
        self.report_development(&generator, &manifest, &protocol)
    }

    fn protocol(&self, manifest: &Manifest) -> Result<Protocol, CliError> {
        match (&self.protocol, manifest.domains().as_slice()) {
            (Some(name), _) => protocol_by_name(name, manifest),
            (None, [domain]) => Ok(Protocol::intra(domain)),
            (None, domains) => Err(CliError::Option {
                option: "--protocol",
                reason: format!(
                    "the manifest has {} domains ({}); say which are the sources, and which the target",
                    domains.len(),
                    domains.join(", ")
                ),
            }),
        }
    }

    /// Rows of the sources in `split`; without their attacks if those are to be skipped.
    fn samples(&self, manifest: &Manifest, protocol: &Protocol, split: Split) -> Vec<Sample> {
        let wanted = |sample: &&Sample| {
            sample.split == split
                && protocol.sources.contains(&sample.domain)
                && (sample.label.is_bona_fide() || !self.skip_attacks)
        };
        manifest.samples().iter().filter(wanted).cloned().collect()
    }

    /// The generator to go on with, or a fresh one around fixed networks that are read.
    fn generator(&self, device: &Device) -> Result<DespoofingGenerator, CliError> {
        let (Some(first_stage), Some(identity_encoder)) =
            (&self.first_stage, &self.identity_encoder)
        else {
            let start = self.start.as_ref().expect("clap asks for one of the two");
            return Ok(DespoofingGenerator::load(start, device)?.0);
        };
        let (first_stage, first_stage_config, _) = FirstStage::load(first_stage, device)?;
        let (identity_encoder, identity_config, _) =
            IdentityEncoder::load(identity_encoder, device)?;
        device.seed(self.running.seed);
        let config = DespoofingGeneratorConfig::small(first_stage_config, identity_config);
        Ok(config.init_around(first_stage, identity_encoder, device))
    }

    fn codes(
        &self,
        generator: &DespoofingGenerator,
        manifest: &Manifest,
        samples: &BonaFideSamples,
    ) -> Result<BonaFideCodes, CliError> {
        let total = samples.samples().len();
        let progress = Progress::of_steps("encoding faces", total);
        let mut shown = 0;
        let done = |count: usize| {
            (shown..count).for_each(|_| progress.step());
            shown = count;
        };
        let load = |sample: &Sample| picture(generator, manifest, sample);
        Ok(BonaFideCodes::compute(
            generator,
            samples,
            load,
            &self.cache,
            done,
        )?)
    }

    fn train(
        &self,
        generator: DespoofingGenerator,
        faces: &BonaFideCodes,
    ) -> Result<DespoofingGenerator, CliError> {
        let steps = self.steps as usize;
        let optimisation = OptimisationConfig::new(steps).with_learning_rate(self.learning_rate);
        let config = DespoofingTrainingConfig::new(optimisation)
            .with_batch_size(self.batch as usize)
            .with_seed(self.running.seed);
        let trainer = DespoofingTrainer::new(generator, config);
        let trainer = self.running.train(trainer, self.steps, |trainer| {
            Ok(StepFigures::new(trainer.step(faces)?.loss))
        })?;
        Ok(trainer.averaged())
    }

    /// Prints the error of the clean latents of development faces, if there are any.
    fn report_development(
        &self,
        generator: &DespoofingGenerator,
        manifest: &Manifest,
        protocol: &Protocol,
    ) -> Result<ExitCode, CliError> {
        let mut faces = self.samples(manifest, protocol, Split::Development);
        faces.retain(|sample| sample.label.is_bona_fide());
        if !faces.is_empty() {
            let load = |index: usize| picture(generator, manifest, &faces[index]);
            let codes =
                fas_dfg::FaceCodes::compute(generator, faces.len(), load, &self.cache, |_| {})?;
            println!(
                "error of the clean latents of {} development faces:",
                faces.len()
            );
            for level in LEVELS {
                let error = clean_latent_error(generator, &codes, level);
                println!("  noise of step {level}: {error:.4}");
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    fn notes(&self, protocol: &Protocol, faces: usize) -> HashMap<String, String> {
        self.running.storage.card([
            ("program", format!("fas {}", env!("CARGO_PKG_VERSION"))),
            ("training_data", "bona fide faces only".to_owned()),
            ("protocol", protocol.name.clone()),
            ("pictures", faces.to_string()),
            ("steps", self.steps.to_string()),
            ("batch_size", self.batch.to_string()),
            ("learning_rate", self.learning_rate.to_string()),
            ("seed", self.running.seed.to_string()),
        ])
    }
}

/// The picture of a sample at the generator's size.
fn picture(
    generator: &DespoofingGenerator,
    manifest: &Manifest,
    sample: &Sample,
) -> Result<RgbImage, DfgError> {
    let size = generator.config().image_size as u32;
    let image = load_rgb(manifest.image_path(sample))?;
    Ok(resize(&center_square(&image), size, size))
}
