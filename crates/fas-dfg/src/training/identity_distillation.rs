//! Training of a small identity encoder from another one: knowledge distillation (Hinton et al. 2015,
//! <https://arxiv.org/abs/1503.02531>; of feature maps: Romero et al. 2015,
//! <https://arxiv.org/abs/1412.6550>).
//!
//! The student learns the teacher's last map, through a linear map that is thrown away afterwards, and
//! the direction of its embedding. So a generator can be shipped with a recogniser that no third party
//! owns the weights of; what the teacher was trained on still shaped it, and its card says so.

use std::path::Path;

use burn::config::Config;
use burn::module::Module;
use burn::nn::conv::{Conv2d, Conv2dConfig};
use burn::tensor::{Device, Tensor, assert_shape};
use fas_kernels::layers::conv2d;

use super::module_trainer::{ModuleTrainer, OptimisationConfig};
use crate::{DfgError, IResNet, IResNetConfig, cosine_similarity};

/// How an identity encoder is distilled.
#[derive(Config, Debug)]
pub struct DistillationConfig {
    /// Steps and rates.
    pub optimisation: OptimisationConfig,
    /// Channels of the teacher's map. Default: 512
    #[config(default = 512)]
    pub teacher_channels: usize,
    /// Weight of the embedding's term beside the map's. Default: 1
    #[config(default = 1.0)]
    pub embedding_weight: f64,
}

/// What the teacher says of a batch.
///
/// # Shapes
///
/// - map: `[batch_size, teacher_channels, 7, 7]`
/// - embedding: `[batch_size, embedding]`
#[derive(Debug, Clone)]
pub struct TeacherBatch {
    /// Last map.
    pub map: Tensor<4>,
    /// Embedding; its direction counts.
    pub embedding: Tensor<2>,
}

/// What a step did.
#[derive(Debug, Clone)]
pub struct DistillationReport {
    /// Step, counted from 0.
    pub step: usize,
    /// Squared error of the map over the map's variance: 1 is no better than the mean.
    pub map_error: f32,
    /// Mean cosine of the embeddings of student and teacher.
    pub cosine: f32,
}

/// The student, and the map that is thrown away.
#[derive(Module, Debug)]
struct Student {
    encoder: IResNet,
    projection: Conv2d,
}

/// A student in training.
pub struct IdentityDistillation {
    trainer: ModuleTrainer<Student>,
    config: DistillationConfig,
}

impl IdentityDistillation {
    /// Starts from a fresh student on `device`.
    ///
    /// # Panics
    ///
    /// Panics if `student` is truncated: it needs an embedding to compare.
    pub fn new(student: &IResNetConfig, config: DistillationConfig, device: &Device) -> Self {
        assert!(
            student.embedding.is_some(),
            "a truncated student has no embedding to compare"
        );
        let channels = [student.channels[3], config.teacher_channels];
        let student = Student {
            encoder: student.init(device),
            projection: Conv2dConfig::new(channels, [1, 1]).init(device),
        };
        Self {
            trainer: ModuleTrainer::new(student, config.optimisation.clone()),
            config,
        }
    }

    /// Steps taken so far.
    pub fn steps_taken(&self) -> usize {
        self.trainer.steps_taken()
    }

    /// One step. Student and teacher may see different crops of the same faces.
    ///
    /// # Shapes
    ///
    /// - faces: `[batch_size, 3, height, width]`, in `[-1, 1]`
    ///
    /// # Errors
    ///
    /// [`DfgError::Diverged`] if the loss is not finite; the weights are then unchanged.
    pub fn step(
        &mut self,
        faces: Tensor<4>,
        teacher: TeacherBatch,
    ) -> Result<DistillationReport, DfgError> {
        let step = self.trainer.steps_taken();
        let [batch_size, ..] = faces.dims();
        let channels = self.config.teacher_channels;
        assert_shape!(teacher.map, [batch_size, channels, 7, 7]);
        let spread: f32 = teacher
            .map
            .clone()
            .flatten::<1>(0, 3)
            .var_bias(0)
            .into_scalar();
        let (mut map_error, mut cosine) = (0.0, 0.0);
        self.trainer.step(|student| {
            let map = student.encoder.identity_map(Tensor::from_inner(faces));
            let projected = conv2d(&student.projection, map.clone());
            let error = (projected - Tensor::from_inner(teacher.map))
                .square()
                .mean()
                / spread;
            let embedding = student.encoder.embed_map(map);
            let alike = cosine_similarity(embedding, Tensor::from_inner(teacher.embedding)).mean();
            map_error = error.clone().into_scalar();
            cosine = alike.clone().into_scalar();
            error + (alike.neg() + 1.0) * self.config.embedding_weight
        })?;
        Ok(DistillationReport {
            step,
            map_error,
            cosine,
        })
    }

    /// The averaged student.
    pub fn averaged(&self) -> IResNet {
        self.trainer.average().encoder.clone()
    }

    /// Writes all that [`resume`](Self::resume) needs into `folder`, atomically.
    ///
    /// # Errors
    ///
    /// [`DfgError::Checkpoint`] if a file cannot be written.
    pub fn checkpoint(&self, folder: &Path) -> Result<(), DfgError> {
        self.trainer.checkpoint(folder)
    }

    /// Goes on from a checkpoint of the same configuration, if there is one, bit for bit.
    ///
    /// # Errors
    ///
    /// [`DfgError::Checkpoint`] if the checkpoint is damaged or of another configuration.
    pub fn resume(self, folder: &Path) -> Result<Self, DfgError> {
        Ok(Self {
            trainer: self.trainer.resume(folder)?,
            ..self
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use burn::tensor::Distribution;

    #[test]
    fn a_student_comes_nearer_to_its_teacher() {
        let device = Device::default();
        device.seed(5);
        let config = IResNetConfig::new([1, 1, 1, 1])
            .with_channels([4, 4, 4, 8])
            .with_embedding(Some(6));
        let optimisation = OptimisationConfig::new(40)
            .with_warm_up_steps(1)
            .with_learning_rate(1e-2);
        let distillation = DistillationConfig::new(optimisation).with_teacher_channels(8);
        let mut student = IdentityDistillation::new(&config, distillation, &device);
        let random = || Tensor::<4>::random([3, 3, 112, 112], Distribution::Default, &device);
        let faces = random();
        let teacher = config.init(&device).freeze();
        let map = teacher.identity_map(faces.clone());
        let batch = TeacherBatch {
            embedding: teacher.embed_map(map.clone()),
            map,
        };
        let first = student.step(faces.clone(), batch.clone()).unwrap();
        for _ in 0..38 {
            student.step(faces.clone(), batch.clone()).unwrap();
        }
        let last = student.step(faces, batch).unwrap();
        assert!(last.map_error < 0.7 * first.map_error, "{first:?} {last:?}");
        assert!(last.cosine > first.cosine + 0.2, "{first:?} {last:?}");
        assert_eq!(last.step, 39);
    }
}
