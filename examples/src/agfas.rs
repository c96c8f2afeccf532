//! What the examples of AG-FAS's tables share: options, people and cues.

use std::path::PathBuf;
use std::time::Instant;

use burn::tensor::Device;
use clap::{Args, ValueEnum};
use fas_agnet::{AgNetConfig, DualBranchConfig, VitConfig};
use fas_classify::loss::ObjectiveConfig;
use fas_classify::training::{
    ClassifierTrainingConfig, LearningRateSchedule, OptimiserConfig, OptimiserKind,
};
use fas_classify::{HeadConfig, ResNetConfig, SsdgHeadConfig};
use fas_data::{LeakageGuard, Protocol, Sample, Split};
use fas_dfg::{DespoofingConfig, DespoofingGenerator};
use fas_sim::{BenchmarkConfig, Face, FaceModel};

use crate::bundled_dfg::quick_despoofing;
use crate::{
    Captures, Comparison, CueDetector, CueMethod, CueSource, CueStudy, CueTraining, Cues,
    Despoofer, DeviceChoice, LabelledImages, People, RealFaces, bundled_despoofing_generator,
};

/// Subject seeds of the synthetic real faces begin here, beyond all people of a benchmark.
const REAL_FACES_FROM: u64 = 1 << 40;

/// Choice of a cue source on the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum CueSourceChoice {
    /// `x - blur(x)`.
    Blur,
    /// MemAE.
    Memae,
    /// Deep SVDD's autoencoder.
    DeepSvdd,
    /// AnoDDPM.
    Anoddpm,
}

impl From<CueSourceChoice> for CueSource {
    fn from(choice: CueSourceChoice) -> Self {
        match choice {
            CueSourceChoice::Blur => Self::Blur,
            CueSourceChoice::Memae => Self::MemAe,
            CueSourceChoice::DeepSvdd => Self::DeepSvdd,
            CueSourceChoice::Anoddpm => Self::AnoDdpm,
        }
    }
}

/// Strategy that trains every detector of a table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Strategy {
    /// Cross-entropy over two cosines.
    CrossEntropy,
    /// SSDG with the head of AG-FAS's released code: cross-entropy, asymmetric triplet and single-side
    /// adversarial loss. The paper's.
    Ssdg,
}

/// How a small detector of AG-FAS is trained in `steps` steps.
pub fn small_training(objective: ObjectiveConfig, steps: usize) -> ClassifierTrainingConfig {
    ClassifierTrainingConfig::new(objective, steps)
        .with_embedding_dropout(0.0)
        .with_optimiser(OptimiserConfig {
            learning_rate: 1e-3,
            ..OptimiserConfig::small()
        })
}

/// Options of the examples of AG-FAS's tables.
#[derive(Debug, Clone, Args)]
pub struct AgfasArguments {
    /// Folder of face photos with an index of splits; without it synthetic identities are drawn.
    #[arg(long)]
    pub faces: Option<PathBuf>,
    /// Of a folder with splits, the subset whose test people are the target's.
    #[arg(long, requires = "faces")]
    pub test_subset: Option<String>,
    /// De-spoofing Face Generator to use instead of the bundled one, as `train_dfg` writes it.
    #[arg(long)]
    pub generator: Option<PathBuf>,
    /// Step of 1000 that faces are noised to before they are de-spoofed; with --paper 801.
    #[arg(long, default_value_t = 300)]
    pub start_step: usize,
    /// Steps of de-spoofing, by DPM-Solver++; with --paper the released code's 41 of DDIM.
    #[arg(long, default_value_t = 5)]
    pub sampling_steps: usize,
    /// Multiply cues by this for the networks, instead of standardising each.
    #[arg(long)]
    pub cue_scale: Option<f32>,
    /// Seed of faces, captures and cues, and of the first run.
    #[arg(long, default_value_t = 0)]
    pub seed: u64,
    /// Runs of each method, with different seeds.
    #[arg(long, default_value_t = 3)]
    pub runs: u64,
    /// Training steps of each detector.
    #[arg(long, default_value_t = 200)]
    pub steps: usize,
    /// Samples a step.
    #[arg(long, default_value_t = 32)]
    pub batch: usize,
    /// People of each simulated domain for training, development and test.
    #[arg(long, value_delimiter = ',', num_args = 1, default_value = "32,12,24")]
    pub people: Vec<usize>,
    /// Bona fide faces that reconstructions are learned from.
    #[arg(long, default_value_t = 512)]
    pub real_faces: usize,
    /// Training steps of each reconstruction.
    #[arg(long, default_value_t = 600)]
    pub cue_steps: usize,
    /// Targets of the leave-one-out protocols, in the order of the columns.
    #[arg(
        long,
        value_delimiter = ',',
        num_args = 1,
        default_value = "sim-M,sim-C,sim-I,sim-O"
    )]
    pub targets: Vec<String>,
    /// Only the rows whose name has this text; may be given more than once.
    #[arg(long, value_name = "TEXT")]
    pub only: Vec<String>,
    /// Strategy of training; with --paper it is SSDG.
    #[arg(long, value_enum, default_value = "cross-entropy")]
    pub strategy: Strategy,
    /// Folder that computed cues are kept in.
    #[arg(long, default_value = "runs/cues")]
    pub cache: PathBuf,
    /// The paper's configuration: 256 px, ViT-B/16 and ResNet-18, the papers' reconstructions. For a
    /// GPU.
    #[arg(long)]
    pub paper: bool,
    /// Folder for the tables, as a page and as CSV.
    #[arg(long)]
    pub out: Option<PathBuf>,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    pub device: DeviceChoice,
}

impl AgfasArguments {
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

    /// The vision transformer alone.
    pub fn vit(&self) -> VitConfig {
        if self.paper {
            VitConfig::base()
        } else {
            VitConfig::face64()
        }
    }

    /// A vision transformer alone with about as many parameters as AG-Net: more layers.
    pub fn vit_of_equal_size(&self) -> VitConfig {
        // 0.96 million beside 0.92, or 121.2 beside 120.6.
        self.vit().with_depth(if self.paper { 17 } else { 7 })
    }

    /// AG-Net.
    pub fn agnet(&self) -> AgNetConfig {
        if self.paper {
            AgNetConfig::base()
        } else {
            AgNetConfig::face64()
        }
    }

    /// Two vision transformers.
    pub fn dual_branch(&self) -> DualBranchConfig {
        DualBranchConfig::new(self.vit())
    }

    /// A plain strategy's network.
    pub fn resnet(&self) -> ResNetConfig {
        if self.paper {
            ResNetConfig::resnet18()
        } else {
            ResNetConfig::small(12)
        }
    }

    fn is_ssdg(&self) -> bool {
        self.paper || self.strategy == Strategy::Ssdg
    }

    /// Head of every detector.
    pub fn head(&self) -> HeadConfig {
        if self.is_ssdg() {
            HeadConfig::Ssdg(SsdgHeadConfig::agfas())
        } else {
            HeadConfig::Cosine
        }
    }

    /// Training of a detector; the seed is that of the run.
    pub fn training(&self) -> ClassifierTrainingConfig {
        let objective = if self.is_ssdg() {
            ObjectiveConfig::ssdg_released()
        } else {
            ObjectiveConfig::cross_entropy()
        };
        let config = small_training(objective, self.steps).with_batch_size(self.batch);
        if !self.paper {
            return config;
        }
        let kind = OptimiserKind::Sgd {
            momentum: 0.9,
            weight_decay: 5e-4,
        };
        let schedule = LearningRateSchedule::WarmUpCosine { warm_up_steps: 400 };
        // Ten bona fide samples and ten attacks of each of three sources.
        config
            .with_batch_size(60)
            .with_optimiser(OptimiserConfig::new(kind, 1e-3).with_schedule(schedule))
    }

    /// A method without extra faces.
    pub fn method<'a>(
        &self,
        name: &str,
        detector: CueDetector,
        cues: Option<&'a Cues>,
    ) -> CueMethod<'a> {
        CueMethod::new(name, detector, cues)
    }

    /// The methods that `--only` leaves.
    ///
    /// # Errors
    ///
    /// A message if it leaves none.
    pub fn chosen<'m>(&self, methods: &[CueMethod<'m>]) -> Result<Vec<CueMethod<'m>>, String> {
        let is_chosen = |method: &&CueMethod<'_>| {
            self.only.is_empty() || self.only.iter().any(|text| method.name.contains(text))
        };
        let chosen: Vec<_> = methods.iter().filter(is_chosen).cloned().collect();
        if chosen.is_empty() {
            let names: Vec<&str> = methods.iter().map(|m| m.name.as_str()).collect();
            return Err(format!(
                "no row has the text of --only; there are: {}",
                names.join(", ")
            ));
        }
        Ok(chosen)
    }

    fn people_per_domain(&self) -> Result<[usize; 3], String> {
        self.people
            .as_slice()
            .try_into()
            .map_err(|_| format!("--people needs three numbers, got {:?}", self.people))
    }

    /// Captures of a benchmark over `domains`, made from people of the options, and the faces that
    /// reconstructions are learned from, who are other people or, of a folder, those for training.
    ///
    /// # Errors
    ///
    /// A message that names what is missing or cannot be read.
    pub fn captures(
        &self,
        config: impl FnOnce(usize, usize, usize) -> BenchmarkConfig,
    ) -> Result<(Captures, RealFaces), String> {
        let [train, development, test] = self.people_per_domain()?;
        let config = config(train, development, test)
            .with_size(self.size() as u32)
            .with_seed(self.seed);
        let count = config.domains.len() * (train + development + test);
        let subset = self.test_subset.as_deref();
        let people = People::load(self.faces.as_deref(), subset, count, self.seed)?;
        println!("{}", people.summary());
        let captures = Captures::simulate(config, &people)?;
        let faces: Vec<Face> = match people {
            People::Synthetic(_) => {
                let model = FaceModel::bundled().map_err(|error| error.to_string())?;
                let first = REAL_FACES_FROM + self.seed.wrapping_mul(1 << 20);
                (0..self.real_faces as u64)
                    .map(|number| model.sample(first + number, 0))
                    .collect()
            }
            People::Splits([train, ..]) => {
                let mut train = train;
                train.truncate(self.real_faces);
                train
            }
            People::Folder(_) => {
                return Err(
                    "reconstructions need faces that are not tested on: give a folder with an \
                     index of splits"
                        .to_owned(),
                );
            }
        };
        let faces = RealFaces::new(&faces, &captures, self.seed)?;
        Ok((captures, faces))
    }

    /// Cues of a source for all captures and real faces.
    ///
    /// # Errors
    ///
    /// As [`Cues::compute`].
    pub fn cues(
        &self,
        source: CueSource,
        (captures, faces): &(Captures, RealFaces),
        device: &Device,
    ) -> Result<Cues, String> {
        let training = CueTraining {
            steps: self.cue_steps,
            batch_size: 16,
            seed: self.seed,
            paper: self.paper,
        };
        let settings = format!("{training:?}");
        let names = (source.name(), source.key());
        Cues::compute(names, &settings, captures, faces, &self.cache, |pictures| {
            source.residuals(pictures, faces, &training, device)
        })
        .map(|cues| cues.with_scale(self.cue_scale))
    }

    /// The generator of `--generator`, or the bundled one; none at the paper's size without `--generator`.
    ///
    /// # Errors
    ///
    /// A message if the file is no generator, or one for pictures of another size.
    pub fn despoofing_generator(
        &self,
        device: &Device,
    ) -> Result<Option<DespoofingGenerator>, String> {
        let Some(path) = &self.generator else {
            if self.paper {
                return Ok(None);
            }
            return bundled_despoofing_generator(device).map(|(generator, _)| Some(generator));
        };
        let (generator, _) =
            DespoofingGenerator::load(path, device).map_err(|error| error.to_string())?;
        let (size, wanted) = (generator.config().image_size, self.size());
        if size != wanted {
            return Err(format!(
                "{}: a generator of {size} px for pictures of {wanted}",
                path.display()
            ));
        }
        Ok(Some(generator))
    }

    /// How faces are de-spoofed.
    pub fn despoofing(&self) -> DespoofingConfig {
        if self.paper {
            DespoofingConfig::released()
        } else {
            quick_despoofing(self.start_step, self.sampling_steps)
        }
    }

    /// Cues of `generator`, used as `config` says, under `name`.
    ///
    /// # Errors
    ///
    /// As [`Cues::compute`].
    pub fn despoofed_cues(
        &self,
        name: &str,
        generator: &DespoofingGenerator,
        config: DespoofingConfig,
        (captures, faces): &(Captures, RealFaces),
    ) -> Result<Cues, String> {
        let despoofer = Despoofer::new(generator.clone(), config, self.seed);
        let settings = despoofer.key();
        let names = (name, "dfg");
        Cues::compute(names, &settings, captures, faces, &self.cache, |pictures| {
            Ok(despoofer.residuals(pictures, false))
        })
        .map(|cues| cues.with_scale(self.cue_scale))
    }

    /// Cues of the first stage of `generator` alone and of the generator, used as `config` says.
    ///
    /// # Errors
    ///
    /// As [`Cues::compute`].
    pub fn cues_of_generator(
        &self,
        generator: &DespoofingGenerator,
        config: DespoofingConfig,
        data: &(Captures, RealFaces),
    ) -> Result<[Cues; 2], String> {
        let despoofed = self.despoofed_cues("DFG", generator, config.clone(), data)?;
        let despoofer = Despoofer::new(generator.clone(), config, self.seed);
        let (captures, faces) = data;
        let names = ("first stage alone", "first-stage");
        let settings = despoofer.key();
        let first_stage =
            Cues::compute(names, &settings, captures, faces, &self.cache, |pictures| {
                Ok(despoofer.residuals(pictures, true))
            })?;
        Ok([first_stage.with_scale(self.cue_scale), despoofed])
    }

    /// [`cues_of_generator`](Self::cues_of_generator) of
    /// [`despoofing_generator`](Self::despoofing_generator)'s, if there is one.
    ///
    /// # Errors
    ///
    /// As those two.
    pub fn generator_cues(
        &self,
        data: &(Captures, RealFaces),
        device: &Device,
    ) -> Result<Option<[Cues; 2]>, String> {
        let Some(generator) = self.despoofing_generator(device)? else {
            return Ok(None);
        };
        self.cues_of_generator(&generator, self.despoofing(), data)
            .map(Some)
    }

    /// Cues of `source`, or of the generator where none is named.
    ///
    /// # Errors
    ///
    /// A message if there is neither; as [`cues`](Self::cues) and
    /// [`generator_cues`](Self::generator_cues).
    pub fn chosen_cues(
        &self,
        source: Option<CueSourceChoice>,
        data: &(Captures, RealFaces),
        device: &Device,
    ) -> Result<Cues, String> {
        if let Some(source) = source {
            return self.cues(source.into(), data, device);
        }
        match self.generator_cues(data, device)? {
            Some([_, despoofed]) => Ok(despoofed),
            None => Err(
                "no generator is bundled for the paper's size: name one with --generator, or \
                 another source of the cue with --source"
                    .to_owned(),
            ),
        }
    }

    /// The data of a protocol, with as many extra real faces under each source domain as it has bona
    /// fide captures: live samples are then drawn from both in equal parts (section 5.4).
    ///
    /// # Errors
    ///
    /// A message if something leaks.
    pub fn study(
        &self,
        captures: &Captures,
        faces: &RealFaces,
        protocol: &Protocol,
    ) -> Result<CueStudy, String> {
        let splits = protocol
            .select(captures.manifest())
            .map_err(|error| error.to_string())?;
        let guard = LeakageGuard::new(protocol);
        guard
            .check_splits(&splits)
            .map_err(|error| error.to_string())?;
        let bona_fide = splits.train.iter().filter(|s| s.label.is_bona_fide());
        let numbered = bona_fide.cycle().zip(faces.images().iter().enumerate());
        let mut extra = LabelledImages::default();
        let count = splits
            .train
            .iter()
            .filter(|s| s.label.is_bona_fide())
            .count();
        for (beside, (number, image)) in numbered.take(count) {
            extra.samples.push(Sample {
                id: format!("real/{number}"),
                path: format!("real/{number}.png").into(),
                split: Split::Train,
                subject: format!("real/{number}"),
                quality_score: None,
                ..beside.clone()
            });
            extra.images.push(image.clone());
        }
        Ok(CueStudy {
            guard,
            train: LabelledImages::of(captures, &splits.train)?,
            extra: Some(extra),
            development: LabelledImages::of(captures, &splits.development)?,
            test: LabelledImages::of(captures, &splits.test)?,
        })
    }
}
