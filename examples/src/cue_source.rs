//! Where cues come from: AG-FAS, Table 4, and the controls that a generator has to beat.

use burn::tensor::{Device, Tensor, TensorData};
use fas_data::{LeakageGuard, Protocol, Split, TrainingPurpose};
use fas_dfg::baseline::{AnoDdpmConfig, DeepSvddConfig, FaceReconstruction, MemAeConfig};
use fas_dfg::training::{BaselineTrainer, BaselineTrainingConfig, BonaFideSamples};
use fas_dfg::{DespoofingConfig, DespoofingGenerator};
use fas_diffusion::EmaConfig;
use fas_sim::Face;
use image::RgbImage;
use image::imageops::{blur, flip_horizontal};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

use crate::{Captures, GENERIC_FACES, bona_fide_views, image_values, images_to_tensor, progress};

/// Pictures that go through a network at once.
const BATCH: usize = 32;
/// Radius of the blur of [`CueSource::Blur`], in pixels of a picture of 64.
const BLUR_DEVIATION: f32 = 1.5;

/// What a face is compared with to get its cue, without a generator file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CueSource {
    /// The face, blurred: no network at all. A control.
    Blur,
    /// MemAE's reconstruction.
    MemAe,
    /// That of Deep SVDD's autoencoder.
    DeepSvdd,
    /// AnoDDPM's.
    AnoDdpm,
}

impl CueSource {
    /// Name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Blur => "x - blur(x)",
            Self::MemAe => "MemAE",
            Self::DeepSvdd => "Deep SVDD",
            Self::AnoDdpm => "AnoDDPM",
        }
    }

    /// Name in files.
    pub fn key(self) -> &'static str {
        match self {
            Self::Blur => "blur",
            Self::MemAe => "memae",
            Self::DeepSvdd => "deep-svdd",
            Self::AnoDdpm => "anoddpm",
        }
    }
}

/// Bona fide faces that reconstructions are learned from, as everyday cameras see them: what the
/// De-spoofing Face Generator learns from too. No one of them is developed or tested on.
#[derive(Debug)]
pub struct RealFaces {
    images: Vec<RgbImage>,
    samples: BonaFideSamples,
}

impl RealFaces {
    /// Two views of each of `faces` at the size of `captures`.
    ///
    /// # Errors
    ///
    /// A message if there is none, or a person is developed or tested on in `captures`.
    pub fn new(faces: &[Face], captures: &Captures, seed: u64) -> Result<Self, String> {
        if faces.is_empty() {
            return Err("no real faces to learn reconstructions from".to_owned());
        }
        let judged = captures.manifest().samples().iter().find(|sample| {
            sample.split != Split::Train && faces.iter().any(|face| face.subject == sample.subject)
        });
        if let Some(sample) = judged {
            return Err(format!(
                "{} is both among the real faces and in the {} split of {}",
                sample.subject, sample.split, sample.domain
            ));
        }
        let views = bona_fide_views(faces, captures.size() as u32, 1, seed)?;
        let (images, samples) = views
            .into_iter()
            .map(|view| (view.image, view.sample))
            .unzip();
        let samples = LeakageGuard::new(&Protocol::intra(GENERIC_FACES))
            .admit(TrainingPurpose::Generator, samples)
            .map_err(|error| error.to_string())?;
        let samples = BonaFideSamples::new(&samples).map_err(|error| error.to_string())?;
        Ok(Self { images, samples })
    }

    /// The faces.
    pub fn images(&self) -> &[RgbImage] {
        &self.images
    }

    /// `count` of them, half of them mirrored.
    fn draw(&self, count: usize, random: &mut ChaCha8Rng, device: &Device) -> Tensor<4> {
        let chosen: Vec<RgbImage> = (0..count)
            .map(|_| {
                let image = &self.images[random.random_range(0..self.images.len())];
                if random.random() {
                    flip_horizontal(image)
                } else {
                    image.clone()
                }
            })
            .collect();
        images_to_tensor(&chosen, device)
    }
}

/// How the reconstructions are learned.
#[derive(Debug, Clone)]
pub struct CueTraining {
    /// Steps of each.
    pub steps: usize,
    /// Faces a step.
    pub batch_size: usize,
    /// Seed of weights, draws and noise.
    pub seed: u64,
    /// Whether the networks are the papers' instead of those for 64 px.
    pub paper: bool,
}

impl CueSource {
    /// Learns the reconstruction where there is one to learn, and gives `face - reconstruction` of every
    /// picture, `3 x size x size` values in `[-2, 2]` each.
    ///
    /// # Errors
    ///
    /// A message if the training diverges.
    pub fn residuals(
        self,
        pictures: &[(&str, &RgbImage)],
        faces: &RealFaces,
        training: &CueTraining,
        device: &Device,
    ) -> Result<Vec<Vec<f32>>, String> {
        let size = pictures.first().map_or(64, |(_, image)| image.width());
        device.seed(training.seed);
        match self {
            Self::Blur => {
                let deviation = BLUR_DEVIATION * size as f32 / 64.0;
                Ok(pictures
                    .iter()
                    .map(|(_, image)| {
                        let blurred = blur(*image, deviation);
                        let pairs = image_values(image).zip(image_values(&blurred));
                        pairs.map(|(x, smooth)| x - smooth).collect()
                    })
                    .collect())
            }
            Self::MemAe => {
                let config = if training.paper {
                    MemAeConfig::paper()
                } else {
                    MemAeConfig::small()
                };
                let network = self.learn(config.init(device), None, faces, training, device)?;
                Ok(residuals(&network, pictures, training.seed, device))
            }
            Self::DeepSvdd => {
                let config = if training.paper {
                    DeepSvddConfig::paper()
                } else {
                    DeepSvddConfig::small()
                };
                let network = self.learn(config.init(device), None, faces, training, device)?;
                Ok(residuals(&network, pictures, training.seed, device))
            }
            Self::AnoDdpm => {
                let config = if training.paper {
                    AnoDdpmConfig::paper()
                } else {
                    AnoDdpmConfig::small()
                };
                let ema = EmaConfig::new()
                    .with_decay(0.999)
                    .with_copy_steps(0)
                    .with_warm_up(true);
                let network =
                    self.learn(config.init(device), Some(ema), faces, training, device)?;
                Ok(residuals(&network, pictures, training.seed, device))
            }
        }
    }

    fn learn<B: FaceReconstruction>(
        self,
        network: B,
        ema: Option<EmaConfig>,
        faces: &RealFaces,
        training: &CueTraining,
        device: &Device,
    ) -> Result<B, String> {
        let rate = if training.paper { 1e-4 } else { 1e-3 };
        let config = BaselineTrainingConfig::new(training.steps)
            .with_learning_rate(rate)
            .with_ema(ema)
            .with_seed(training.seed);
        let mut trainer = BaselineTrainer::new(network, config, &faces.samples);
        let mut random = ChaCha8Rng::seed_from_u64(training.seed);
        let bar = progress("learning to reconstruct", training.steps as u64);
        let mut mean = None;
        for _ in 0..training.steps {
            let batch = faces.draw(training.batch_size, &mut random, device);
            let loss = trainer.step(batch).map_err(|error| error.to_string())?;
            let mean = mean.get_or_insert(loss);
            *mean = 0.95 * *mean + 0.05 * loss;
            bar.inc(1);
        }
        bar.finish_and_clear();
        let loss = mean.unwrap_or(f32::NAN);
        println!("{}: training loss {loss:.4} (running mean)", self.name());
        Ok(trainer.finish())
    }
}

fn residuals<B: FaceReconstruction>(
    network: &B,
    pictures: &[(&str, &RgbImage)],
    seed: u64,
    device: &Device,
) -> Vec<Vec<f32>> {
    by_batch(pictures, device, |images, ids| {
        network.reconstruct(images, ids, seed)
    })
}

/// `picture - reconstruct(picture)` of all pictures.
fn by_batch(
    pictures: &[(&str, &RgbImage)],
    device: &Device,
    reconstruct: impl Fn(Tensor<4>, &[&str]) -> Tensor<4>,
) -> Vec<Vec<f32>> {
    let bar = progress("reconstructing", pictures.len() as u64);
    let mut all = Vec::with_capacity(pictures.len());
    for chunk in pictures.chunks(BATCH) {
        let ids: Vec<&str> = chunk.iter().map(|(id, _)| *id).collect();
        let images = images_to_tensor(chunk.iter().map(|(_, image)| *image), device);
        all.extend(split_batch(images.clone() - reconstruct(images, &ids)));
        bar.inc(chunk.len() as u64);
    }
    bar.finish_and_clear();
    all
}

/// A De-spoofing Face Generator, and how faces go through it.
#[derive(Debug)]
pub struct Despoofer {
    generator: DespoofingGenerator,
    config: DespoofingConfig,
    seed: u64,
}

impl Despoofer {
    /// `generator`, run by `config` with noise of `seed`.
    pub fn new(generator: DespoofingGenerator, config: DespoofingConfig, seed: u64) -> Self {
        Self {
            generator,
            config,
            seed,
        }
    }

    /// What distinguishes its cues from those of any other.
    pub fn key(&self) -> String {
        let fingerprint = self.generator.fingerprint();
        format!("{fingerprint} {} {}", self.config, self.seed)
    }

    /// `face - despoofed` of every picture or, for the control, `face - first stage's reconstruction`.
    pub fn residuals(&self, pictures: &[(&str, &RgbImage)], first_stage: bool) -> Vec<Vec<f32>> {
        by_batch(pictures, self.generator.device(), |images, ids| {
            if first_stage {
                self.generator.reconstruct(images)
            } else {
                self.generator.despoof(images, ids, self.seed, &self.config)
            }
        })
    }
}

/// The values of each picture of a batch.
pub(crate) fn split_batch(batch: Tensor<4>) -> Vec<Vec<f32>> {
    let [count, channels, height, width] = batch.dims();
    let data: TensorData = batch.into_data_as::<f32>();
    let values: Vec<f32> = data.try_to_vec().expect("converted to f32 above");
    let length = channels * height * width;
    (0..count)
        .map(|at| values[at * length..][..length].to_vec())
        .collect()
}
