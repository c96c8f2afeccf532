//! AG-FAS, section 3.2: a small identity encoder of our own, distilled from MobileFaceNet.
//!
//! ```text
//! cargo run --release --example distil_identity -- --faces FOLDER \
//!     --teacher mobilefacenet_foamliu.safetensors --out identity_encoder.safetensors
//! ```
//!
//! Expected: 15 minutes on one core; on held-out faces a cosine of about 0.4 to the teacher's
//! embeddings. A stopped run goes on where it was, from the checkpoint beside `--out`.

use std::collections::HashMap;
use std::path::PathBuf;
use std::time::Instant;

use burn::module::Module;
use burn::tensor::{Device, Tensor, TensorData};
use clap::Parser;
use fas_dfg::training::{
    DistillationConfig, IdentityDistillation, OptimisationConfig, TeacherBatch,
};
use fas_dfg::{
    IResNet, IResNetConfig, IdentityEncoder, IdentityEncoderConfig, MobileFaceNet, align_face,
    cosine_similarity, identity_input,
};
use fas_examples::{
    BonaFideView, DeviceChoice, FaceFolder, FaceSplit, bona_fide_views, cost, images_to_tensor,
    load_recogniser, mirrored, progress,
};
use fas_sim::Face;
use fas_weights::StoredFloat;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Side of the student's faces.
const SIZE: u32 = 64;
/// Steps between checkpoints and lines of progress.
const REPORT_EVERY: usize = 100;

#[derive(Parser)]
#[command(about = "Distils a small identity encoder from MobileFaceNet")]
struct Arguments {
    /// Folder of face crops (with `index.csv`: its train split).
    #[arg(long)]
    faces: PathBuf,
    /// Released weights of the teacher.
    #[arg(long)]
    teacher: PathBuf,
    /// File for the student.
    #[arg(long, default_value = "runs/identity_encoder.safetensors")]
    out: PathBuf,
    /// Steps of training.
    #[arg(long, default_value_t = 1600)]
    steps: usize,
    /// Pictures a step.
    #[arg(long, default_value_t = 16)]
    batch_size: usize,
    /// Camera pictures of each face, beside its photo.
    #[arg(long, default_value_t = 2)]
    captures: usize,
    /// Use only the first faces.
    #[arg(long)]
    limit: Option<usize>,
    /// Seed of everything random.
    #[arg(long, default_value_t = 0)]
    seed: u64,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
}

/// Pictures, and the teacher's crops of the faces that they show.
struct Pictures {
    faces: Vec<[Face; 2]>,
    views: Vec<BonaFideView>,
}

impl Pictures {
    fn new(faces: Vec<Face>, captures: usize, seed: u64) -> Result<Self, String> {
        let views = bona_fide_views(&faces, SIZE, captures, seed)?;
        let faces = faces
            .into_iter()
            .map(|face| {
                let mirror = mirrored(&face);
                [face, mirror]
            })
            .collect();
        Ok(Self { faces, views })
    }
}

/// The teacher, which is asked once a face and side: its answers are kept.
struct Teacher {
    net: MobileFaceNet,
    answers: HashMap<(usize, bool), (Vec<f32>, Vec<f32>)>,
}

impl Teacher {
    fn ask(
        &mut self,
        pictures: &Pictures,
        chosen: &[&BonaFideView],
        device: &Device,
    ) -> Result<TeacherBatch, String> {
        let mut unknown: Vec<(usize, bool)> = chosen
            .iter()
            .map(|view| (view.face, view.mirrored))
            .filter(|key| !self.answers.contains_key(key))
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        if !unknown.is_empty() {
            let crops = unknown
                .iter()
                .map(|&(index, mirror)| {
                    let face = &pictures.faces[index][usize::from(mirror)];
                    align_face(&face.image, &face.landmarks).map_err(|error| error.to_string())
                })
                .collect::<Result<Vec<_>, _>>()?;
            let map = self.net.identity_map(identity_input(&crops, device));
            let embeddings = floats(self.net.embed_map(map.clone()).into_data());
            let maps = floats(map.into_data());
            let widths = [maps.len() / unknown.len(), embeddings.len() / unknown.len()];
            for (row, key) in unknown.into_iter().enumerate() {
                let part = |values: &[f32], width| values[row * width..][..width].to_vec();
                self.answers
                    .insert(key, (part(&maps, widths[0]), part(&embeddings, widths[1])));
            }
        }
        let (mut maps, mut embeddings): (Vec<f32>, Vec<f32>) = (Vec::new(), Vec::new());
        for view in chosen {
            let (map, embedding) = &self.answers[&(view.face, view.mirrored)];
            maps.extend_from_slice(map);
            embeddings.extend_from_slice(embedding);
        }
        let count = chosen.len();
        let width = embeddings.len() / count;
        Ok(TeacherBatch {
            map: Tensor::from_data(TensorData::new(maps, [count, 512, 7, 7]), device),
            embedding: Tensor::from_data(TensorData::new(embeddings, [count, width]), device),
        })
    }
}

fn floats(data: TensorData) -> Vec<f32> {
    data.iter::<f32>().collect()
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let device = arguments.device.device()?;
    let folder = FaceFolder::open(&arguments.faces)?;
    let pictures = |split, limit| -> Result<Pictures, String> {
        Pictures::new(
            folder.load(split, None, limit)?,
            arguments.captures,
            arguments.seed,
        )
    };
    let train = pictures(FaceSplit::Train, arguments.limit)?;
    let held_out = pictures(FaceSplit::Val, Some(48))?;
    let net = load_recogniser(&arguments.teacher, &device)?.freeze();
    let mut teacher = Teacher {
        net,
        answers: HashMap::new(),
    };
    device.seed(arguments.seed);
    let student = IResNetConfig::small();
    let optimisation = OptimisationConfig::new(arguments.steps).with_learning_rate(2e-3);
    let distillation = DistillationConfig::new(optimisation);
    let checkpoint = arguments.out.with_extension("checkpoint");
    if let Some(folder) = arguments.out.parent() {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    }
    let mut trainer = IdentityDistillation::new(&student, distillation, &device)
        .resume(&checkpoint)
        .map_err(|error| error.to_string())?;
    // Answers for other faces than those of training are kept apart.
    let mut judge = Teacher {
        net: teacher.net.clone(),
        answers: HashMap::new(),
    };
    let bar = progress("distilling the identity encoder", arguments.steps as u64);
    bar.set_position(trainer.steps_taken() as u64);
    let (clock, first) = (Instant::now(), trainer.steps_taken());
    let (mut map_error, mut cosine) = (0.0, 0.0);
    while trainer.steps_taken() < arguments.steps {
        let mut random = ChaCha8Rng::seed_from_u64(arguments.seed);
        random.set_stream(trainer.steps_taken() as u64);
        let chosen: Vec<&BonaFideView> = (0..arguments.batch_size)
            .map(|_| &train.views[random.random_range(0..train.views.len())])
            .collect();
        let faces = images_to_tensor(chosen.iter().map(|view| &view.image), &device);
        let answer = teacher.ask(&train, &chosen, &device)?;
        let report = trainer
            .step(faces, answer)
            .map_err(|error| error.to_string())?;
        map_error += report.map_error / REPORT_EVERY as f32;
        cosine += report.cosine / REPORT_EVERY as f32;
        bar.inc(1);
        let done = trainer.steps_taken();
        if done.is_multiple_of(REPORT_EVERY) || done == arguments.steps {
            let pace = clock.elapsed().as_secs_f64() / (done - first) as f64;
            println!(
                "step {done}  {pace:.3} s a step  map {map_error:.3}  cosine {cosine:.3}  held out {:.3}",
                agreement(&trainer.averaged().freeze(), &mut judge, &held_out, &device)?
            );
            (map_error, cosine) = (0.0, 0.0);
            trainer
                .checkpoint(&checkpoint)
                .map_err(|error| error.to_string())?;
        }
    }
    bar.finish_and_clear();
    let card = HashMap::from(
        [
            ("architecture", "fas-dfg IResNetConfig::small".to_owned()),
            (
                "teacher",
                "foamliu/MobileFaceNet, trained on MS-Celeb-1M".to_owned(),
            ),
            ("pictures", train.views.len().to_string()),
            ("steps", arguments.steps.to_string()),
            ("batch_size", arguments.batch_size.to_string()),
            ("seed", arguments.seed.to_string()),
        ]
        .map(|(key, value)| (key.to_owned(), value)),
    );
    IdentityEncoder::IResNet(trainer.averaged())
        .save(
            &IdentityEncoderConfig::IResNet(student),
            &arguments.out,
            StoredFloat::F16,
            &card,
        )
        .map_err(|error| error.to_string())?;
    println!("{}\n{}", arguments.out.display(), cost(started));
    Ok(())
}

/// Mean cosine between the embeddings of student and teacher.
fn agreement(
    student: &IResNet,
    teacher: &mut Teacher,
    pictures: &Pictures,
    device: &Device,
) -> Result<f32, String> {
    let mut sum = 0.0;
    for chunk in pictures.views.chunks(16) {
        let chosen: Vec<&BonaFideView> = chunk.iter().collect();
        let answer = teacher.ask(pictures, &chosen, device)?;
        let faces = images_to_tensor(chunk.iter().map(|view| &view.image), device);
        let cosines = cosine_similarity(student.embed(faces), answer.embedding);
        sum += cosines.sum().into_scalar::<f32>();
    }
    Ok(sum / pictures.views.len() as f32)
}
