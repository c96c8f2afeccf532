//! Benchmark: subject-disjoint domains simulated from any set of faces.
//!
//! Like the union of OULU-NPU, CASIA-FASD, Replay-Attack and MSU-MFSD ("OCIM"), but with every
//! factor under control: which instruments a domain has, and whether style, quality or both
//! change between source and target. Protocols are in `benchmark/protocol.rs`.

mod protocol;
mod subject;
mod write;

use std::sync::atomic::{AtomicUsize, Ordering};

use fas_data::{Manifest, Sample, Split};
use image::RgbImage;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use self::protocol::FactorShifts;
use self::subject::Assignment;
use crate::{AttackKind, Domain, Face, Presentation, SimError};

/// Number of subjects and captures of one split of one domain.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct SplitSize {
    /// Subjects, none of whom appears in another split or domain.
    pub subjects: usize,
    /// Captures of each subject with each presentation. Capture `k` shows the subject's face
    /// image `k`, counted round if there are fewer.
    pub captures: usize,
}

impl SplitSize {
    /// `subjects` with one capture a presentation.
    pub const fn of_subjects(subjects: usize) -> Self {
        Self {
            subjects,
            captures: 1,
        }
    }
}

/// A domain and the attacks it contains.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkDomain {
    /// Style and quality.
    pub domain: Domain,
    /// Kinds of attacks; bona fide samples are always there.
    pub kinds: Vec<AttackKind>,
}

/// Configuration of a [`Benchmark`].
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct BenchmarkConfig {
    /// Side of the images in pixels, 16 to 1024.
    pub size: u32,
    /// Domains, with different names.
    pub domains: Vec<BenchmarkDomain>,
    /// Training split of every domain.
    pub train: SplitSize,
    /// Development split of every domain.
    pub development: SplitSize,
    /// Test split of every domain.
    pub test: SplitSize,
    /// Seed of the assignment of subjects and of everything drawn for a sample.
    pub seed: u64,
}

impl BenchmarkConfig {
    /// The four built-in domains in the order O, C, I, M, each with all kinds of attacks; 64 px,
    /// one capture each, seed 0.
    pub fn ocim(train: usize, development: usize, test: usize) -> Self {
        Self::of_domains(Domain::all().to_vec(), train, development, test)
    }

    /// The 2 x 2 grid of two domains' styles and qualities: `a`, `a` with the quality of `b`, `b`
    /// with the quality of `a`, and `b`. [`Benchmark::factor_shifts`] has its protocols.
    pub fn factor_grid(
        a: &Domain,
        b: &Domain,
        train: usize,
        development: usize,
        test: usize,
    ) -> Self {
        let quality_shift = a.clone().with_quality_of(b);
        let style_shift = a.clone().with_style_of(b);
        let domains = vec![a.clone(), quality_shift, style_shift, b.clone()];
        Self::of_domains(domains, train, development, test)
    }

    fn of_domains(domains: Vec<Domain>, train: usize, development: usize, test: usize) -> Self {
        let with_kinds = |domain| BenchmarkDomain {
            domain,
            kinds: AttackKind::ALL.to_vec(),
        };
        Self {
            size: 64,
            domains: domains.into_iter().map(with_kinds).collect(),
            train: SplitSize::of_subjects(train),
            development: SplitSize::of_subjects(development),
            test: SplitSize::of_subjects(test),
            seed: 0,
        }
    }

    /// Images of `size` px.
    #[must_use]
    pub fn with_size(mut self, size: u32) -> Self {
        self.size = size;
        self
    }

    /// Another seed.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = seed;
        self
    }

    /// The same kinds of attacks in every domain.
    #[must_use]
    pub fn with_kinds(mut self, kinds: &[AttackKind]) -> Self {
        for domain in &mut self.domains {
            domain.kinds = kinds.to_vec();
        }
        self
    }

    /// `captures` of every subject and presentation in all splits.
    #[must_use]
    pub fn with_captures(mut self, captures: usize) -> Self {
        for split in [&mut self.train, &mut self.development, &mut self.test] {
            split.captures = captures;
        }
        self
    }

    /// Size of one split.
    pub fn split(&self, split: Split) -> SplitSize {
        match split {
            Split::Train => self.train,
            Split::Development => self.development,
            Split::Test => self.test,
        }
    }
}

/// Faces that the subjects of a benchmark are drawn from.
#[derive(Debug, Clone, Copy)]
pub enum FacePools<'a> {
    /// One pool for all splits.
    Shared(&'a [Face]),
    /// A pool for each split, for instance when test people come from another collection. No
    /// subject may be in two of them.
    BySplit {
        /// Faces of the training split.
        train: &'a [Face],
        /// Faces of the development split.
        development: &'a [Face],
        /// Faces of the test split.
        test: &'a [Face],
    },
}

/// Simulated data set in memory: images, and a [`Sample`] for each.
#[derive(Debug, Clone, PartialEq)]
pub struct Benchmark {
    config: BenchmarkConfig,
    images: Vec<RgbImage>,
    manifest: Manifest,
}

/// One capture to be made.
struct Job<'a> {
    domain: &'a Domain,
    face: &'a Face,
    presentation: Presentation,
    sample: Sample,
}

impl Benchmark {
    /// Simulates the benchmark, in parallel; the result does not depend on the number of threads
    /// nor on the order of the faces of different subjects.
    ///
    /// `progress(done, total)` is called after every capture, from any thread.
    ///
    /// # Errors
    ///
    /// [`SimError::TooFewSubjects`] and [`SimError::SubjectInTwoPools`] for faces that cannot fill
    /// the splits, [`SimError::Data`] for a configuration whose samples make no valid manifest
    /// (for instance two domains of one name), and as [`Domain::capture`].
    pub fn generate(
        config: BenchmarkConfig,
        faces: FacePools<'_>,
        progress: impl Fn(usize, usize) + Sync,
    ) -> Result<Self, SimError> {
        let assignment = Assignment::new(&config, faces)?;
        let jobs = jobs(&config, &assignment);
        let samples = jobs.iter().map(|job| job.sample.clone()).collect();
        let manifest = Manifest::new("", samples)?;
        let (done, total) = (AtomicUsize::new(0), jobs.len());
        let images = jobs
            .par_iter()
            .map(|job| {
                let id = &job.sample.id;
                let image =
                    job.domain
                        .capture(job.face, job.presentation, config.size, config.seed, id);
                progress(done.fetch_add(1, Ordering::Relaxed) + 1, total);
                image
            })
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            config,
            images,
            manifest,
        })
    }

    /// The configuration it was made from.
    pub fn config(&self) -> &BenchmarkConfig {
        &self.config
    }

    /// Samples, in the order of [`images`](Self::images); image paths are relative.
    pub fn samples(&self) -> &[Sample] {
        self.manifest.samples()
    }

    /// Images of [`BenchmarkConfig::size`], in the order of [`samples`](Self::samples).
    pub fn images(&self) -> &[RgbImage] {
        &self.images
    }

    /// The images alone, in the order of [`samples`](Self::samples).
    pub fn into_images(self) -> Vec<RgbImage> {
        self.images
    }

    /// The samples as a manifest without a root, for [`fas_data::Protocol::select`].
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }
}

/// All captures: domain by domain, split by split, subject by subject.
fn jobs<'a>(config: &'a BenchmarkConfig, assignment: &Assignment<'a>) -> Vec<Job<'a>> {
    let mut jobs = Vec::new();
    for (index, BenchmarkDomain { domain, kinds }) in config.domains.iter().enumerate() {
        let attacks = kinds.iter().copied().map(Presentation::Attack);
        let presentations: Vec<_> = std::iter::once(Presentation::BonaFide)
            .chain(attacks)
            .collect();
        for split in Split::ALL {
            for (number, faces) in assignment.subjects(index, split).iter().enumerate() {
                for capture in 0..config.split(split).captures {
                    let face = faces[capture % faces.len()];
                    for &presentation in &presentations {
                        // Paths are numbered: names of subjects may not be fit for a file name.
                        let file = format!("{split}-{number:05}-{capture}.png");
                        let sample = Sample {
                            id: format!(
                                "{}/{presentation}/{}/{capture}",
                                domain.name, face.subject
                            ),
                            path: [&domain.name, presentation.name(), &file].iter().collect(),
                            label: presentation.label(),
                            domain: domain.name.clone(),
                            split,
                            subject: face.subject.clone(),
                            video: None,
                            style: domain.style_label(presentation),
                            synthetic: false,
                            quality_score: None,
                            presenter: None,
                            crop: None,
                        };
                        jobs.push(Job {
                            domain,
                            face,
                            presentation,
                            sample,
                        });
                    }
                }
            }
        }
    }
    jobs
}
