//! Studies of detectors that may look at a cue: AG-FAS, Tables 3 to 6.

use burn::module::Module;
use burn::tensor::{Device, Tensor};
use fas_agnet::{AgNet, AgNetConfig, DualBranch, DualBranchConfig, Vit, VitConfig};
use fas_classify::experiment::score_set;
use fas_classify::training::{
    ClassifierTrainingConfig, TrainingSet, score_images, train_classifier,
};
use fas_classify::{Backbone, Classifier, HeadConfig, ResNet, ResNetConfig};
use fas_data::{LeakageGuard, Sample, TrainingPurpose};
use rayon::prelude::*;

use crate::cues::standardised;
use crate::{Cues, LabelledImages, MethodRuns, Run, image_values, progress};

/// A detector by what it looks at.
#[derive(Debug, Clone)]
pub enum CueDetector {
    /// ResNet on the face: a plain strategy.
    ResNet(ResNetConfig),
    /// Vision transformer on the face: the paper's "only image".
    Image(VitConfig),
    /// Vision transformer on the cue in place of the face: "only residual".
    Cue(VitConfig),
    /// Two vision transformers: "dual-branch".
    Dual(DualBranchConfig),
    /// Vision transformer with cross-attention to the cue.
    AgNet(AgNetConfig),
}

impl CueDetector {
    fn init(&self, device: &Device) -> AnyBackbone {
        match self {
            Self::ResNet(config) => AnyBackbone::ResNet(config.init(device)),
            Self::Image(config) | Self::Cue(config) => AnyBackbone::Vit(config.init(device)),
            Self::Dual(config) => AnyBackbone::Dual(config.init(device)),
            Self::AgNet(config) => AnyBackbone::AgNet(config.init(device)),
        }
    }
}

/// Any of the networks, so that all are trained by the same lines.
#[derive(Module, Debug)]
#[allow(clippy::large_enum_variant, reason = "a detector has one of them")]
enum AnyBackbone {
    ResNet(ResNet),
    Vit(Vit),
    Dual(DualBranch),
    AgNet(AgNet),
}

impl Backbone for AnyBackbone {
    fn channels(&self) -> usize {
        match self {
            Self::ResNet(network) => network.channels(),
            Self::Vit(network) => network.channels(),
            Self::Dual(network) => network.channels(),
            Self::AgNet(network) => network.channels(),
        }
    }

    fn feature_length(&self) -> usize {
        match self {
            Self::ResNet(network) => network.feature_length(),
            Self::Vit(network) => network.feature_length(),
            Self::Dual(network) => network.feature_length(),
            Self::AgNet(network) => network.feature_length(),
        }
    }

    fn forward(&self, images: Tensor<4>) -> Tensor<2> {
        match self {
            Self::ResNet(network) => network.forward(images),
            Self::Vit(network) => network.forward(images),
            Self::Dual(network) => network.forward(images),
            Self::AgNet(network) => network.forward(images),
        }
    }
}

/// A row of a table: a detector and the source of its cues.
#[derive(Debug, Clone)]
pub struct CueMethod<'a> {
    /// Name in tables.
    pub name: String,
    /// Detector.
    pub detector: CueDetector,
    /// Cues; a detector that wants one and has none gets the standardised face itself, which is the
    /// same network with nothing new to look at.
    pub cues: Option<&'a Cues>,
    /// Whether extra bona fide faces are among the training data.
    pub extra_faces: bool,
}

impl<'a> CueMethod<'a> {
    /// A method without extra faces.
    pub fn new(name: &str, detector: CueDetector, cues: Option<&'a Cues>) -> Self {
        Self {
            name: name.to_owned(),
            detector,
            cues,
            extra_faces: false,
        }
    }
}

/// Data of a study: every method trains on the same, and is tested on the same.
#[derive(Debug)]
pub struct CueStudy {
    /// Refuses to train on what is tested.
    pub guard: LeakageGuard,
    /// Training captures of the sources.
    pub train: LabelledImages,
    /// Extra bona fide faces, under the domains of the sources.
    pub extra: Option<LabelledImages>,
    /// Development captures of the sources, for thresholds.
    pub development: LabelledImages,
    /// Captures of the target.
    pub test: LabelledImages,
}

impl CueStudy {
    /// Trains every method with every seed on two classes, bona fide and attack, under `head`, and scores
    /// development and test set. Equal arguments give equal scores on the CPU, whatever the number of threads.
    ///
    /// # Errors
    ///
    /// A message if the guard refuses a sample, a cue is missing, or a training diverges.
    pub fn run(
        &self,
        methods: &[CueMethod<'_>],
        head: &HeadConfig,
        training: &ClassifierTrainingConfig,
        seeds: &[u64],
        device: &Device,
    ) -> Result<Vec<MethodRuns>, String> {
        // Initial weights come from the device's one generator: drawn here, in order, not in threads.
        let jobs: Vec<_> = methods
            .iter()
            .flat_map(|method| seeds.iter().map(move |&seed| (method, seed)))
            .map(|(method, seed)| {
                device.seed(seed);
                let backbone = method.detector.init(device);
                let scale = training.objective.classification.scale();
                let classifier = Classifier::with_head(backbone, head, [2, 1], scale, device);
                let record = classifier.clone().into_record();
                (method, seed, classifier.load_record(record))
            })
            .collect();
        let bar = progress("training detectors", (jobs.len() * training.steps) as u64);
        let runs = jobs
            .into_par_iter()
            .map(|(method, seed, classifier)| {
                let training = training.clone().with_seed(seed);
                let set = self.training_set(method, device)?;
                let trained = train_classifier(classifier, &set, &training, device, |_| {
                    bar.inc(1);
                })
                .map_err(|error| format!("{}, seed {seed}: {error}", method.name))?;
                let size = self.size();
                let score = |set: &LabelledImages| {
                    let planes = planes(method, set, device)?;
                    let scores = score_images(&trained, &planes, size, 32, device);
                    score_set(&set.samples, &scores).map_err(|error| error.to_string())
                };
                Ok(Run {
                    development: score(&self.development)?,
                    tests: vec![score(&self.test)?],
                })
            })
            .collect::<Result<Vec<Run>, String>>()?;
        bar.finish_and_clear();
        let mut runs = runs.into_iter();
        Ok(methods
            .iter()
            .map(|method| MethodRuns {
                name: method.name.clone(),
                runs: runs.by_ref().take(seeds.len()).collect(),
            })
            .collect())
    }

    fn size(&self) -> usize {
        self.test.images[0].width() as usize
    }

    fn training_set(&self, method: &CueMethod<'_>, device: &Device) -> Result<TrainingSet, String> {
        let data = match (&self.extra, method.extra_faces) {
            (_, false) => self.train.clone(),
            (Some(extra), true) => self.train.clone().with(extra),
            (None, true) => return Err(format!("{}: no extra faces", method.name)),
        };
        let planes = planes(method, &data, device)?;
        let class = |sample: &Sample| usize::from(!sample.label.is_bona_fide());
        let classes = data.samples.iter().map(class).collect();
        let admitted = self
            .guard
            .admit(TrainingPurpose::Classifier, data.samples)
            .map_err(|error| error.to_string())?;
        TrainingSet::new(&admitted, planes, self.size(), classes).map_err(|error| error.to_string())
    }
}

/// What a method looks at: face planes, cue planes, or both.
fn planes(
    method: &CueMethod<'_>,
    data: &LabelledImages,
    device: &Device,
) -> Result<Vec<Vec<f32>>, String> {
    data.samples
        .iter()
        .zip(&data.images)
        .map(|(sample, image)| {
            let face: Vec<f32> = image_values(image).collect();
            let cue = || match method.cues {
                Some(cues) => cues.for_networks(&sample.id, device),
                None => Ok(standardised(face.clone(), image.width() as usize, device)),
            };
            match method.detector {
                CueDetector::ResNet(_) | CueDetector::Image(_) => Ok(face),
                CueDetector::Cue(_) => cue(),
                CueDetector::Dual(_) | CueDetector::AgNet(_) => {
                    let cue = cue()?;
                    Ok([face, cue].concat())
                }
            }
        })
        .collect()
}
