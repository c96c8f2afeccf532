//! A job from its settings to its lists.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use burn::tensor::Device;
use fas_data::{Manifest, Sample, center_square, load_rgb, resize};
use fas_diffusion::{DiffusionError, Generator, Sampler};
use fas_quality::Brisque;
use fas_weights::WeightsError;
use image::RgbImage;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::folder::Folder;
use super::journal::Journal;
use super::pairs::Plan;
use super::picture::{finite_pictures, png_with_provenance};
use super::{
    GenerationJobConfig, IdentityFilter, JobError, Pair, Record, Shard, Sources, Storage, Verdict,
};
use crate::images_to_tensor;

/// A generator from a file, and what is known of it.
#[derive(Debug)]
pub struct Checkpoint {
    path: PathBuf,
    generator: Generator,
    training_domains: Option<Vec<String>>,
    sha256: String,
    weaker: Option<Weaker>,
}

/// The generator that another one is guided away from: itself in that one.
#[derive(Debug)]
struct Weaker {
    path: PathBuf,
    training_domains: Option<Vec<String>>,
    sha256: String,
}

impl Checkpoint {
    /// Reads a file that [`Generator::save`] wrote.
    ///
    /// # Errors
    ///
    /// [`JobError::Generator`] if the file is unreadable or no generator.
    pub fn load(path: &Path, device: &Device) -> Result<Self, JobError> {
        let bytes = std::fs::read(path).map_err(|source| {
            DiffusionError::from(WeightsError::Io {
                path: path.to_owned(),
                source,
            })
        })?;
        let (generator, card) = Generator::from_bytes(&bytes, path, device)?;
        let training_domains = card
            .get("training_domains")
            .map(|names| names.split(',').map(str::to_owned).collect());
        Ok(Self {
            path: path.to_owned(),
            generator,
            training_domains,
            sha256: hex(&bytes),
            weaker: None,
        })
    }

    /// The same generator beside a weaker one to be guided away from; see [`Generator::with_weaker`].
    ///
    /// # Errors
    ///
    /// [`JobError::Generator`] if it does not fit.
    pub fn with_weaker(self, weaker: Self) -> Result<Self, JobError> {
        Ok(Self {
            generator: self.generator.with_weaker(weaker.generator)?,
            weaker: Some(Weaker {
                path: weaker.path,
                training_domains: weaker.training_domains,
                sha256: weaker.sha256,
            }),
            ..self
        })
    }

    /// The generator.
    pub fn generator(&self) -> &Generator {
        &self.generator
    }

    /// Whether neither generator has seen `target`.
    fn check_target(&self, target: &str) -> Result<(), JobError> {
        let weaker = self.weaker.iter().map(|w| (&w.path, &w.training_domains));
        for (path, domains) in weaker.chain([(&self.path, &self.training_domains)]) {
            let (checkpoint, target) = (path.clone(), target.to_owned());
            match domains {
                None => return Err(JobError::UnknownTraining { checkpoint, target }),
                Some(domains) if domains.contains(&target) => {
                    return Err(JobError::TargetSeen { checkpoint, target });
                }
                Some(_) => {}
            }
        }
        Ok(())
    }

    fn weaker_sha256(&self) -> Option<String> {
        self.weaker.as_ref().map(|weaker| weaker.sha256.clone())
    }
}

fn hex(bytes: &[u8]) -> String {
    let digest = Sha256::digest(bytes);
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a job made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobSummary {
    /// Pictures of this part of the job.
    pub pictures: usize,
    /// Those that earlier runs had made.
    pub found: usize,
    /// Pictures that the filters left out, by verdict.
    pub left_out: BTreeMap<&'static str, usize>,
}

/// A job that is ready to run.
#[derive(Debug)]
pub struct GenerationJob<'a> {
    config: GenerationJobConfig,
    checkpoint: &'a Checkpoint,
    identity: Option<&'a IdentityFilter>,
    sources: &'a Sources,
    plan: Plan,
}

impl GenerationJobConfig {
    /// Plans a job, and asks the leakage guard.
    ///
    /// # Errors
    ///
    /// [`JobError::Data`] for samples that may not be used, [`JobError::TargetSeen`],
    /// [`JobError::UnknownTraining`], [`JobError::UnknownStyle`], [`JobError::NoPairs`].
    ///
    /// # Panics
    ///
    /// Panics if a count is 0, or identity is limited and there is nothing to measure it with.
    pub fn init<'a>(
        &self,
        sources: &'a Sources,
        checkpoint: &'a Checkpoint,
        identity: Option<&'a IdentityFilter>,
    ) -> Result<GenerationJob<'a>, JobError> {
        assert!(
            self.batch_size > 0 && self.variants > 0 && self.storage != (Storage::Tar { pairs: 0 }),
            "batches, variants and tar files hold at least one picture"
        );
        assert!(
            self.min_identity.is_none() || identity.is_some(),
            "a limit of identity needs an identity encoder"
        );
        if let Some(target) = &self.target {
            checkpoint.check_target(target)?;
        }
        Ok(GenerationJob {
            plan: sources.plan(self)?,
            config: self.clone(),
            checkpoint,
            identity,
            sources,
        })
    }
}

impl GenerationJob<'_> {
    /// Pairs of the whole job.
    pub fn pairs(&self) -> &[Pair] {
        &self.plan.pairs
    }

    /// Number of pictures in this part of the job.
    pub fn len(&self) -> usize {
        self.own().count()
    }

    /// Whether this part has nothing to do, as where there are more parts than pairs.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    fn own(&self) -> impl Iterator<Item = &Pair> {
        let shard = self.config.shard;
        self.plan.pairs.iter().filter(move |p| shard.has(p.index))
    }

    /// Generates what is not there yet into `out`, or for one part of several into
    /// `out/shard-KKKKK-of-NNNNN`, and writes the lists. `progress` is told of every picture that is done,
    /// those of earlier runs included.
    ///
    /// # Errors
    ///
    /// [`JobError::OtherJob`], [`JobError::Folder`] or [`JobError::Journal`] if the folder holds something
    /// else; [`JobError::Data`], [`JobError::Io`], [`JobError::NotFinite`] while it runs.
    pub fn run(&self, out: &Path, mut progress: impl FnMut()) -> Result<JobSummary, JobError> {
        let out = match self.config.shard {
            Shard::WHOLE => out.to_owned(),
            Shard { number, of } => out.join(format!("shard-{number:05}-of-{of:05}")),
        };
        let folder = Folder::open(&out, self.config.storage, &self.settings()?)?;
        let mut journal = Journal::open(&folder.journal())?;
        let own: Vec<&Pair> = self.own().collect();
        let found = journal.records().len();
        (0..found).for_each(|_| progress());
        let per_file = match self.config.storage {
            Storage::Images => own.len().max(1),
            Storage::Tar { pairs } => pairs,
        };
        for (number, file) in own.chunks(per_file).enumerate() {
            // A batch is always the same pairs, whatever is there of it: the numbers of a picture may
            // differ in the last bit with its neighbours in a batch.
            for batch in file.chunks(self.config.batch_size) {
                let missing = |pair: &&&Pair| !journal.records().contains_key(&pair.index);
                if batch.iter().any(|pair| missing(&pair)) {
                    let made = self.generate(batch)?;
                    let mut finished = Vec::new();
                    for (pair, (picture, record)) in batch.iter().zip(made) {
                        if !missing(&pair) {
                            continue;
                        }
                        if record.verdict == Verdict::Kept {
                            folder.keep(pair.index, &png_with_provenance(&picture, &record))?;
                        }
                        finished.push(record);
                        progress();
                    }
                    journal.append(finished)?;
                }
            }
            let indices: Vec<usize> = file.iter().map(|pair| pair.index).collect();
            folder.pack(number, &indices, journal.records())?;
        }
        let rows: Vec<(&Record, Sample)> = own
            .iter()
            .enumerate()
            .map(|(position, pair)| {
                let record = &journal.records()[&pair.index];
                let path = folder.manifest_path(pair.index, position);
                (record, self.sample(pair, record, path))
            })
            .collect();
        folder.finish(&rows)?;
        let mut left_out = BTreeMap::new();
        for (record, _) in &rows {
            let name = match record.verdict {
                Verdict::Kept => continue,
                Verdict::PoorQuality => "poor quality",
                Verdict::OtherPerson => "another person",
            };
            *left_out.entry(name).or_insert(0) += 1;
        }
        Ok(JobSummary {
            pictures: own.len(),
            found,
            left_out,
        })
    }

    /// All that decides the pictures, by content and not by path, so that a job may move.
    fn settings(&self) -> Result<Value, JobError> {
        let mut config: Value =
            serde_json::from_str(&self.config.to_string()).expect("a configuration is JSON");
        // Guidance that does nothing is none, as in jobs from before there was any.
        let generation = &self.config.generation;
        if generation.content_guidance == 1.0 {
            config["generation"]["content_guidance"] = Value::Null;
            config["generation"]["content_blur"] = Value::Null;
        }
        if generation.weaker_guidance == 1.0 {
            config["generation"]["weaker_guidance"] = Value::Null;
        }
        let ids = |samples: &[Sample]| {
            let text: String = samples
                .iter()
                .map(|s| format!("{}\n{}\n{}\n", s.id, s.path.display(), s.style))
                .collect();
            hex(text.as_bytes())
        };
        Ok(json!({
            "format": 1,
            "config": config,
            "model_sha256": self.checkpoint.sha256,
            "weaker_sha256": self.checkpoint.weaker_sha256(),
            "faces_sha256": ids(&self.plan.faces),
            "styles_sha256": ids(&self.plan.styles),
            "pairs": self.plan.pairs.len(),
            "identity_measured": self.identity.is_some(),
        }))
    }

    fn generate(&self, batch: &[&Pair]) -> Result<Vec<(RgbImage, Record)>, JobError> {
        let generator = self.checkpoint.generator();
        let size = generator.config().unet.image_size as u32;
        let load = |manifest: &Manifest, sample: &Sample| -> Result<RgbImage, JobError> {
            let image = center_square(&load_rgb(manifest.image_path(sample))?);
            Ok(if image.width() == size {
                image
            } else {
                resize(&image, size, size)
            })
        };
        let mut faces = Vec::new();
        let mut styles = Vec::new();
        for pair in batch {
            faces.push(load(&self.sources.faces, &self.plan.faces[pair.face])?);
            styles.push(load(&self.sources.styles, &self.plan.styles[pair.style])?);
        }
        let ids: Vec<&str> = batch.iter().map(|pair| pair.id.as_str()).collect();
        let device = generator.device();
        let made = generator.generate(
            images_to_tensor(&faces, device),
            images_to_tensor(&styles, device),
            &ids,
            self.config.seed,
            &self.config.generation,
        )?;
        let pictures = finite_pictures(made, &ids)?;
        let identities = match self.identity {
            Some(filter) => filter
                .similarities(&faces, &pictures)?
                .into_iter()
                .map(Some)
                .collect(),
            None => vec![None; pictures.len()],
        };
        let brisque = Brisque::new().score_many(&pictures);
        Ok(batch
            .iter()
            .zip(pictures)
            .zip(identities)
            .zip(brisque)
            .map(|(((pair, picture), identity), brisque)| {
                let record = self.record(pair, brisque.ok(), identity);
                (picture, record)
            })
            .collect())
    }

    fn record(&self, pair: &Pair, brisque: Option<f64>, identity: Option<f64>) -> Record {
        let (face, style) = (&self.plan.faces[pair.face], &self.plan.styles[pair.style]);
        let generation = &self.config.generation;
        let schedule = self.checkpoint.generator.config().schedule.init();
        let sampler = match generation.sampler {
            Sampler::Ddim(_) => "ddim",
            Sampler::Ddpm(_) => "ddpm",
            Sampler::DpmSolver(_) => "dpm_solver",
        };
        Record {
            index: pair.index,
            id: pair.id.clone(),
            face: face.id.clone(),
            subject: face.subject.clone(),
            face_domain: face.domain.clone(),
            style_image: style.id.clone(),
            style: style.style.clone(),
            style_domain: style.domain.clone(),
            species: style.label.species().map_or("", |s| s.name()).to_owned(),
            seed: self.config.seed,
            sampler: sampler.to_owned(),
            start_step: generation.sampler.start_step(),
            sampling_steps: generation.sampler.timesteps(&schedule).len(),
            guidance_scale: generation.guidance_scale,
            guidance_low: generation.guidance_interval.map(|[low, _]| low),
            guidance_high: generation.guidance_interval.map(|[_, high]| high),
            content_guidance: generation.content_guidance,
            content_blur: (generation.content_guidance != 1.0).then_some(generation.content_blur),
            weaker_guidance: generation.weaker_guidance,
            temperature: generation.temperature,
            model_sha256: self.checkpoint.sha256.clone(),
            weaker_sha256: self.checkpoint.weaker_sha256(),
            brisque,
            identity,
            synthetic: true,
            verdict: Verdict::of(&self.config, brisque, identity),
        }
    }

    /// Person of the live face; label, style and domain of the attack whose look was taken.
    fn sample(&self, pair: &Pair, record: &Record, path: PathBuf) -> Sample {
        let style = &self.plan.styles[pair.style];
        Sample {
            id: pair.id.clone(),
            path,
            label: style.label,
            domain: style.domain.clone(),
            split: style.split,
            subject: record.subject.clone(),
            video: None,
            style: style.style.clone(),
            synthetic: true,
            quality_score: record.brisque,
            presenter: None,
            crop: None,
        }
    }
}
