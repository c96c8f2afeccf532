//! What every study can be asked for on the command line.

use std::path::PathBuf;
use std::time::Instant;

use burn::tensor::Device;
use clap::Args;
use fas_classify::loss::{ClassifierLoss, ObjectiveConfig, RelativeQualityLossConfig};
use fas_classify::training::{ClassifierTrainingConfig, OptimiserConfig};
use fas_classify::{MobileVitConfig, ResNetConfig};
use fas_data::{LeakageGuard, Protocol, TrainingPurpose};
use fas_sim::BenchmarkConfig;

use crate::{
    Bundled, BundledGenerator, Captures, Comparison, DeviceChoice, LabelledImages, Method, People,
    Study,
};

/// Cross-entropy over cosines at PatchNet's scale.
pub fn cross_entropy() -> ClassifierLoss {
    ClassifierLoss::CrossEntropy { scale: 30.0 }
}

/// The Relative Quality loss with the paper's margins.
pub fn relative_quality() -> ClassifierLoss {
    ClassifierLoss::RelativeQuality(RelativeQualityLossConfig::new())
}

/// Options of the examples of DiffFAS's tables.
#[derive(Debug, Clone, Args)]
pub struct StudyArguments {
    /// Folder of face photos for the simulated benchmark; without it synthetic identities are drawn.
    #[arg(long)]
    pub faces: Option<PathBuf>,
    /// Of a folder with splits, the subset whose test people are the target's.
    #[arg(long, requires = "faces")]
    pub test_subset: Option<String>,
    /// Manifest of captures to use instead of the simulated benchmark, for instance of your data
    /// sets; its domains are named `O`, `C`, `I`, `M` or end in `-O` and so on.
    #[arg(long, conflicts_with = "faces")]
    pub manifest: Option<PathBuf>,
    /// Generator to use instead of a bundled one.
    #[arg(long)]
    pub generator: Option<PathBuf>,
    /// Seed of faces and captures, and of the first run.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Runs of each method, with different seeds.
    #[arg(long, default_value_t = 5)]
    pub runs: u64,
    /// Training steps of each detector.
    #[arg(long, default_value_t = 200)]
    pub steps: usize,
    /// People of each simulated domain for training, development and test.
    #[arg(long, value_delimiter = ',', num_args = 1, default_value = "32,12,24")]
    pub people: Vec<usize>,
    /// Attacks that are generated for training.
    #[arg(long, default_value_t = 96)]
    pub generated: usize,
    /// Start step of the generated attacks.
    #[arg(long, default_value_t = 999)]
    pub start_step: usize,
    /// Guidance scale of the generated attacks.
    #[arg(long, default_value_t = 1.5)]
    pub guidance: f64,
    /// The paper's configuration: 256 px, ResNet-18 of full width, SGD at 2e-3. For a GPU and a
    /// generator of 256 px.
    #[arg(long)]
    pub paper: bool,
    /// Folder for the tables, as a page and as CSV.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    pub device: DeviceChoice,
}

impl StudyArguments {
    /// [Finishes](Comparison::finish) a table of these options.
    ///
    /// # Errors
    ///
    /// A message that names the file that cannot be written.
    pub fn finish(&self, table: Comparison, started: Instant) -> Result<(), String> {
        let configuration = format!("{self:#?}");
        table.finish(self.out.as_deref(), &self.seeds(), &configuration, started)
    }

    /// Side of the pictures.
    pub fn size(&self) -> usize {
        if self.paper { 256 } else { 64 }
    }

    /// Seeds of the runs.
    pub fn seeds(&self) -> Vec<u64> {
        (self.seed..self.seed + self.runs).collect()
    }

    /// ResNet-18: DiffFAS-R.
    pub fn resnet(&self) -> ResNetConfig {
        if self.paper {
            ResNetConfig::resnet18()
        } else {
            ResNetConfig::small(12)
        }
    }

    /// MobileViT: DiffFAS-V.
    pub fn mobile_vit(&self) -> MobileVitConfig {
        if self.paper {
            MobileVitConfig::s()
        } else {
            MobileVitConfig::xxs()
        }
    }

    /// Training with `objective`: AdamW and a cosine at the small size, SGD with the paper's rate with
    /// `--paper` (spec of section 4.2; what the paper leaves open is this library's default).
    pub fn training(&self, objective: impl Into<ObjectiveConfig>) -> ClassifierTrainingConfig {
        let config = ClassifierTrainingConfig::new(objective.into(), self.steps);
        if self.paper {
            return config
                .with_optimiser(OptimiserConfig::sgd())
                .with_batch_size(64);
        }
        config
    }

    /// A ResNet-18 trained with `objective`.
    pub fn method(
        &self,
        name: &str,
        objective: impl Into<ObjectiveConfig>,
        generated: bool,
    ) -> Method {
        Method {
            name: name.to_owned(),
            backbone: self.resnet().into(),
            training: self.training(objective),
            generated,
        }
    }

    /// Without and with the Relative Quality loss, without and with generated attacks: the rows of
    /// DiffFAS's ablations (Table 7), in the order neither, without loss, without generation, both.
    pub fn ablation(&self) -> [Method; 4] {
        [
            self.method("neither", cross_entropy(), false),
            self.method("w/o loss", cross_entropy(), true),
            self.method("w/o generation", relative_quality(), false),
            self.method("DiffFAS", relative_quality(), true),
        ]
    }

    /// Sizes of the training, development and test split of each simulated domain.
    ///
    /// # Errors
    ///
    /// A message unless there are three of them.
    pub fn split_sizes(&self) -> Result<[usize; 3], String> {
        self.people
            .as_slice()
            .try_into()
            .map_err(|_| format!("--people needs three numbers, got {:?}", self.people))
    }

    /// People for `domains` simulated domains.
    ///
    /// # Errors
    ///
    /// A message that names the folder or picture that cannot be read.
    pub fn load_people(&self, domains: usize) -> Result<People, String> {
        let count = domains * self.split_sizes()?.iter().sum::<usize>();
        let subset = self.test_subset.as_deref();
        People::load(self.faces.as_deref(), subset, count, self.seed)
    }

    /// The captures of `--manifest`, or those of the four simulated domains.
    ///
    /// # Errors
    ///
    /// A message that names what cannot be read.
    pub fn captures(&self) -> Result<Captures, String> {
        if let Some(manifest) = &self.manifest {
            return Captures::read(manifest, self.size());
        }
        let [train, development, test] = self.split_sizes()?;
        let config = BenchmarkConfig::ocim(train, development, test)
            .with_size(self.size() as u32)
            .with_seed(self.seed);
        let people = self.load_people(config.domains.len())?;
        println!("{}", people.summary());
        Captures::simulate(config, &people)
    }

    /// The data of a protocol by its name, such as `OCI->M`, with generated attacks if
    /// `with_generated` and there is a generator that has not seen the target.
    ///
    /// # Errors
    ///
    /// A message if the captures do not have these domains, or something leaks.
    pub fn study(
        &self,
        captures: &Captures,
        protocol: &str,
        with_generated: bool,
        device: &Device,
    ) -> Result<Study, String> {
        let domains = captures.manifest().domains();
        let domains: Vec<&str> = domains.iter().map(String::as_str).collect();
        let protocol =
            Protocol::from_name(protocol, &domains).map_err(|error| error.to_string())?;
        self.study_of(captures, &protocol, with_generated, device)
    }

    /// [`study`](Self::study) of any protocol.
    ///
    /// # Errors
    ///
    /// As [`study`](Self::study).
    pub fn study_of(
        &self,
        captures: &Captures,
        protocol: &Protocol,
        with_generated: bool,
        device: &Device,
    ) -> Result<Study, String> {
        let splits = protocol
            .select(captures.manifest())
            .map_err(|error| error.to_string())?;
        let guard = LeakageGuard::new(protocol);
        guard
            .check_splits(&splits)
            .and_then(|()| guard.check_training(TrainingPurpose::StylePool, &splits.train))
            .map_err(|error| error.to_string())?;
        let generator = if with_generated {
            let targets = [protocol.target.as_str()];
            BundledGenerator::for_targets(
                self.generator.as_deref(),
                Bundled::Alike,
                &targets,
                device,
            )?
        } else {
            None
        };
        let generated = match generator {
            Some(generator) => Some(generator.training_attacks(
                captures,
                &splits.train,
                self.generated,
                self.seed,
                &generator.sampler(self.start_step, self.guidance),
            )?),
            None => None,
        };
        Ok(Study {
            guards: vec![guard],
            train: LabelledImages::of(captures, &splits.train)?,
            generated,
            development: LabelledImages::of(captures, &splits.development)?,
            tests: vec![(
                protocol.name.clone(),
                LabelledImages::of(captures, &splits.test)?,
            )],
        })
    }
}
