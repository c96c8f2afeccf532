//! `fas generate`: attacks of many faces in many styles, by a trained generator.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, ValueEnum};
use fas_data::Manifest;
use fas_diffusion::{DdimConfig, DpmSolverConfig, GenerationConfig, Sampler, StepSpacing};
use fas_jobs::{
    Checkpoint, DeviceChoice, GenerationJobConfig, IdentityFilter, Pairing, Shard, Sources,
    Storage, timestep_interval,
};

use crate::error::CliError;
use crate::output::{check_parent, emit};
use crate::progress::Progress;

const DETAILS: &str = "\
Live faces and attack images come from the training split of their manifests, and nothing of the
target domain is used: neither its faces, nor its styles, nor a generator, weaker or not, that was trained on it.

A job that was stopped, by a kill or a full disk too, goes on with the same command, and gives the
same bytes as one that was not. Noise depends on the seed and the pair alone. With --shard k/n, n
processes anywhere make a part each, in shard folders of the output folder.

The output folder gets manifest.csv (the kept pictures, label and style of the attack whose look was
taken, person of the live face, `synthetic` true, BRISQUE), provenance.csv (all pictures: sources,
seed, sampler, SHA-256 of the weights, scores, verdict) and the pictures, whose PNG text chunks say
the same.

The defaults of the sampler suit the small bundled generators, which need a high start step; the wide one makes
better attacks with the options that an example below gives it. DiffFAS
itself: --start-step 250 --steps 25 --spacing 1 --stop-step 0 --temperature 1 --guidance 2

Examples:
  fas simulate --synthetic 40 --out benchmark/
  fas generate --manifest benchmark/manifest.csv --target sim-M --out generated/ \\
      --checkpoint examples/weights/generator_sim-C_sim-I.safetensors --style-domains sim-C,sim-I
  fas generate … --checkpoint examples/weights/generator_wide_sim-C_sim-I.safetensors --guidance 1 --steps 10 \\
      --temperature 1 --content-guidance 1.5 --weaker examples/weights/generator_sim-C_sim-I.safetensors \\
      --weaker-guidance 1.25
  fas generate … --pairing cross-attack --variants 2 --max-brisque 60
  fas generate … --shard 3/16 --tar 1000";

/// Solvers of the reverse process.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(super) enum Solver {
    /// DDIM, as the released sampling script.
    Ddim,
    /// DPM-Solver++(2M): the same image in fewer steps.
    DpmSolver,
}

/// Generate attacks: live faces in the styles of other attack images, resumable and in parts.
#[derive(Debug, Args)]
#[command(after_help = DETAILS)]
pub(crate) struct Generate {
    /// Manifest with the live faces.
    #[arg(long, value_name = "CSV")]
    manifest: PathBuf,
    /// Manifest with the attack images whose styles are taken; the same if not given.
    #[arg(long, value_name = "CSV")]
    styles: Option<PathBuf>,
    /// Weights of the generator.
    #[arg(long, value_name = "SAFETENSORS")]
    checkpoint: PathBuf,
    /// Folder to write, or to go on with.
    #[arg(long, value_name = "FOLDER")]
    out: PathBuf,
    /// Which faces meet which styles.
    #[arg(long, value_enum, default_value = "cross-domain")]
    pairing: Pairing,
    /// Domain that is tested with what is trained on these pictures; nothing of it is used.
    #[arg(long, value_name = "DOMAIN")]
    target: Option<String>,
    /// Domains of the live faces, separated by commas; all but the target if not given.
    #[arg(long, value_delimiter = ',', value_name = "DOMAINS")]
    face_domains: Vec<String>,
    /// Domains of the styles, separated by commas; all but the target if not given.
    #[arg(long, value_delimiter = ',', value_name = "DOMAINS")]
    style_domains: Vec<String>,
    /// Style labels, separated by commas; all of these domains if not given.
    #[arg(long, value_delimiter = ',', value_name = "STYLES")]
    only_styles: Vec<String>,
    /// Pictures a face and style.
    #[arg(long, default_value_t = 1, value_parser = count)]
    variants: usize,
    /// Seed of noise and of the choice of style images.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Solver.
    #[arg(long, value_enum, default_value = "ddim")]
    sampler: Solver,
    /// Noise level that denoising starts from, below 1000.
    #[arg(long, default_value_t = 999, value_parser = step)]
    start_step: usize,
    /// Calls of the network a picture.
    #[arg(long, default_value_t = 20, value_parser = count)]
    steps: usize,
    /// Power of the spacing of the steps; 1 is even.
    #[arg(long, default_value_t = 2.0)]
    spacing: f64,
    /// Last noise level, below the first.
    #[arg(long, default_value_t = 40, value_parser = step)]
    stop_step: usize,
    /// Guidance; 1 is none and takes half the time.
    #[arg(long, default_value_t = 1.5)]
    guidance: f64,
    /// Lowest and highest timestep that guidance acts at, such as 100,600; all if it is not given.
    #[arg(long, value_name = "LOW,HIGH", value_parser = timestep_interval)]
    guidance_interval: Option<[usize; 2]>,
    /// Guidance towards the live face; 1 is none, above it one more call of the network a step keeps more of the
    /// person.
    #[arg(long, default_value_t = 1.0)]
    content_guidance: f64,
    /// Side, odd, in pixels, of the squares that this guidance blurs the face over.
    #[arg(long, default_value_t = 5)]
    content_blur: usize,
    /// Weights of a weaker generator of the same styles, smaller or trained for less time, to be guided away from.
    #[arg(long, value_name = "SAFETENSORS")]
    weaker: Option<PathBuf>,
    /// That guidance; 1 is none.
    #[arg(long, default_value_t = 1.5, requires = "weaker")]
    weaker_guidance: f64,
    /// Scale of the noise that is started from, in (0, 1].
    #[arg(long, default_value_t = 0.7)]
    temperature: f64,
    /// Leave out pictures whose BRISQUE is larger; lower is better.
    #[arg(long, value_name = "SCORE", allow_negative_numbers = true)]
    max_brisque: Option<f64>,
    /// Leave out pictures whose cosine similarity to the live face is lower.
    #[arg(
        long,
        value_name = "COSINE",
        requires = "identity_encoder",
        allow_negative_numbers = true
    )]
    min_identity: Option<f64>,
    /// Weights of MobileFaceNet, to measure identity; faces must be aligned as `fas simulate` asks.
    #[arg(long, value_name = "SAFETENSORS")]
    identity_encoder: Option<PathBuf>,
    /// Make part k of n only.
    #[arg(long, value_name = "K/N", default_value = "1/1")]
    shard: Shard,
    /// Write tar files of so many pairs each instead of single images.
    #[arg(long, value_name = "PAIRS", value_parser = count)]
    tar: Option<usize>,
    /// Pairs in one call of the network.
    #[arg(long, default_value_t = 16, value_parser = count)]
    batch_size: usize,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
}

fn count(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err("write a whole number above 0".to_owned()),
        Ok(number) => Ok(number),
    }
}

fn step(text: &str) -> Result<usize, String> {
    match text.parse() {
        Ok(step) if step < 1000 => Ok(step),
        _ => Err("write a step of the schedule, 0 to 999".to_owned()),
    }
}

impl Generate {
    pub(crate) fn run(&self) -> Result<ExitCode, CliError> {
        if self.stop_step >= self.start_step {
            return Err(CliError::Option {
                option: "--stop-step",
                reason: format!(
                    "{} is not below --start-step {}",
                    self.stop_step, self.start_step
                ),
            });
        }
        if !(self.temperature > 0.0 && self.temperature <= 1.0) {
            return Err(CliError::Option {
                option: "--temperature",
                reason: format!("{} does not lie in (0, 1]", self.temperature),
            });
        }
        let scales = [self.guidance, self.content_guidance, self.weaker_guidance];
        if !(self.spacing.is_finite() && self.spacing > 0.0 && scales.iter().all(|s| s.is_finite()))
        {
            return Err(CliError::Option {
                option: "--spacing, --guidance, --content-guidance, --weaker-guidance",
                reason: "the spacing is a number above 0, each guidance a number".to_owned(),
            });
        }
        if self.content_blur < 3 || self.content_blur.is_multiple_of(2) {
            return Err(CliError::Option {
                option: "--content-blur",
                reason: format!("{} is not an odd number above 1", self.content_blur),
            });
        }
        check_parent(&self.out)?;
        let device = self.device.device()?;
        let faces = Manifest::read(&self.manifest)?;
        let styles = match &self.styles {
            Some(path) => Manifest::read(path)?,
            None => faces.clone(),
        };
        let sources = Sources {
            faces,
            styles,
            face_domains: self.face_domains.clone(),
            style_domains: self.style_domains.clone(),
            only_styles: self.only_styles.clone(),
        };
        let mut checkpoint = Checkpoint::load(&self.checkpoint, &device)?;
        if let Some(path) = &self.weaker {
            checkpoint = checkpoint.with_weaker(Checkpoint::load(path, &device)?)?;
        }
        let identity = self
            .identity_encoder
            .as_ref()
            .map(|path| IdentityFilter::load(path, &device))
            .transpose()?;
        let job = self
            .config()
            .init(&sources, &checkpoint, identity.as_ref())?;
        let progress = Progress::of_steps("generating", job.len());
        let summary = job.run(&self.out, || progress.step())?;
        drop(progress);
        let mut text = format!("{}: {} pictures", self.out.display(), summary.pictures);
        if summary.found > 0 {
            text += &format!(", {} of them from earlier runs", summary.found);
        }
        for (verdict, count) in &summary.left_out {
            text += &format!(", {count} left out for {verdict}");
        }
        text.push('\n');
        emit(None, text.as_bytes())?;
        Ok(ExitCode::SUCCESS)
    }

    fn config(&self) -> GenerationJobConfig {
        let sampler: Sampler = match self.sampler {
            Solver::Ddim => DdimConfig::new(self.start_step)
                .with_sampling_steps(self.steps)
                .with_spacing_power(self.spacing)
                .with_stop_step(self.stop_step)
                .into(),
            Solver::DpmSolver => DpmSolverConfig::new(self.start_step)
                .with_sampling_steps(self.steps)
                .with_spacing(StepSpacing::Time {
                    power: self.spacing,
                })
                .with_stop_step(self.stop_step)
                .into(),
        };
        let generation = GenerationConfig::new(sampler)
            .with_guidance_scale(self.guidance)
            .with_guidance_interval(self.guidance_interval)
            .with_content_guidance(self.content_guidance)
            .with_content_blur(self.content_blur)
            .with_weaker_guidance(match &self.weaker {
                Some(_) => self.weaker_guidance,
                None => 1.0,
            })
            .with_temperature(self.temperature);
        GenerationJobConfig::new(generation)
            .with_pairing(self.pairing)
            .with_variants(self.variants)
            .with_seed(self.seed)
            .with_target(self.target.clone())
            .with_batch_size(self.batch_size)
            .with_storage(match self.tar {
                Some(pairs) => Storage::Tar { pairs },
                None => Storage::Images,
            })
            .with_shard(self.shard)
            .with_max_brisque(self.max_brisque)
            .with_min_identity(self.min_identity)
    }
}
