//! DiffFAS, figures 8 and 13b: does the generator copy its training pictures?
//!
//! ```text
//! cargo run --release --example difffas_figure_8_13 -- --faces FOLDER \
//!     --identity-weights mobilefacenet.safetensors
//! ```
//!
//! Expected: a table with the distance of generated attacks from their ground truth, for training pairs and
//! for people the generator never saw, and from the nearest training attack on somebody else, in pixels and
//! in identity. A generator that copies is nearer to its ground truth on training pairs, and nearer to its
//! training pictures than new captures of unseen people are. The bundled one is not: 24.2 and 22.9 levels
//! from the ground truth, 39.3 from the nearest training attack where new captures are 40.4. 73 s on two
//! quiet cores. The grid shows training people: it is not for publishing.

use std::path::PathBuf;
use std::time::Instant;

use burn::tensor::Device;
use clap::Parser;
use fas_dfg::MobileFaceNet;
use fas_examples::{
    Bundled, BundledGenerator, DeviceChoice, Edit, EditSettings, FaceFolder, FaceSplit,
    TripletPool, TripletSettings, cost, domains_by_name, edited, edits, embed_faces,
    load_recogniser, pixel_distance,
};
use fas_report::{Cell, Grid, GridRow, Measure, Table, write_atomically};
use fas_sim::Face;
use image::RgbImage;
use rayon::prelude::*;

#[derive(Debug, Parser)]
#[command(
    about = "Generated attacks beside their ground truth and their nearest training pictures"
)]
struct Arguments {
    /// Folder of faces with `index.csv`: the one that the generator was trained on.
    #[arg(long)]
    faces: PathBuf,
    /// MobileFaceNet weights.
    #[arg(long)]
    identity_weights: PathBuf,
    /// Subset of the test split whose people are unseen.
    #[arg(long, default_value = "london_neutral")]
    subset: String,
    /// Training people, the first of the folder: their captures are those of the training.
    #[arg(long, default_value_t = 300)]
    train_people: usize,
    /// Edits of each style.
    #[arg(long, default_value_t = 4)]
    people: usize,
    /// Start step.
    #[arg(long, default_value_t = 999)]
    start_step: usize,
    /// Guidance scale.
    #[arg(long, default_value_t = 1.0)]
    guidance: f64,
    /// Generator of `train_generator`; a bundled one if not given.
    #[arg(long)]
    generator: Option<PathBuf>,
    /// Attacks a face that it was trained with.
    #[arg(long, default_value_t = 3)]
    attacks_per_face: usize,
    /// Seed that it was trained with.
    #[arg(long, default_value_t = 0)]
    training_seed: u64,
    /// Seed of the unseen people's captures and of noise.
    #[arg(long, default_value_t = 1000)]
    seed: u64,
    /// Folder for the results.
    #[arg(long, default_value = "runs/difffas_figure_8_13")]
    out: PathBuf,
    /// Backend.
    #[arg(long, value_enum, default_value = "flex")]
    device: DeviceChoice,
}

/// Pictures with what is compared of them.
struct Pictures<'a> {
    images: Vec<RgbImage>,
    people: Vec<&'a str>,
    /// Unit vectors.
    identities: Vec<Vec<f32>>,
}

/// Distances of pictures, as means.
struct Distances {
    /// From the ground truth, in levels of 255 (RMS).
    truth: Option<f64>,
    /// From the nearest training attack on somebody else, in levels of 255 (RMS).
    pixels: f64,
    /// Largest cosine with a training attack on somebody else.
    cosine: f64,
    /// Position of the nearest training attack of each picture, in pixels.
    nearest: Vec<usize>,
}

fn main() -> Result<(), String> {
    let arguments = Arguments::parse();
    let started = Instant::now();
    let device = arguments.device.device()?;
    let generator =
        BundledGenerator::for_targets(arguments.generator.as_deref(), Bundled::Best, &[], &device)?
            .ok_or("there is no generator")?;
    let domains = domains_by_name(&generator.domains)?;
    let recogniser = load_recogniser(&arguments.identity_weights, &device)?;
    let size = generator.generator.config().unet.image_size as u32;
    let folder = FaceFolder::open(&arguments.faces)?;
    let train = folder.load(FaceSplit::Train, None, Some(arguments.train_people))?;
    let test = folder.load(FaceSplit::Test, Some(&arguments.subset), None)?;
    let settings = TripletSettings {
        attacks_per_face: arguments.attacks_per_face,
        size,
        seed: arguments.training_seed,
    };
    let pool = TripletPool::simulate(&train, &domains, settings)?;
    let captures = EditSettings {
        people: arguments.people,
        size,
        seed: arguments.seed,
    };
    let seen = pool.training_edits(arguments.people);
    let unseen = edits(&test, &domains, captures)?;
    let config = generator.sampler(arguments.start_step, arguments.guidance);
    let make = |edits: &[Edit]| edited(&generator.generator, edits, &config, arguments.seed);

    let (images, faces): (Vec<RgbImage>, Vec<&Face>) = pool
        .attacks()
        .map(|(image, face)| (image.clone(), &train[face]))
        .unzip();
    let training = described(images, &faces, &recogniser, &device)?;
    let mut table = Table::new(
        "Generated attacks and training pictures",
        [
            "pictures",
            "count",
            "from ground truth",
            "from nearest",
            "largest cosine",
        ],
    );
    let mut grid = Vec::new();
    for (name, edits, people, made) in [
        (
            "generated, training pairs",
            &seen,
            &train,
            Some(make(&seen)?),
        ),
        (
            "generated, unseen people",
            &unseen,
            &test,
            Some(make(&unseen)?),
        ),
        ("simulated, unseen people", &unseen, &test, None),
    ] {
        let faces: Vec<&Face> = edits.iter().map(|edit| &people[edit.person]).collect();
        let truth = made.is_some().then_some(edits.as_slice());
        let images = made.unwrap_or_else(|| truths(edits));
        let pictures = described(images, &faces, &recogniser, &device)?;
        let distances = distances(&pictures, truth, &training);
        table = table.with_row(row(name, &distances, edits.len()));
        if distances.truth.is_some() {
            let shown = edits.iter().enumerate().step_by(arguments.people.max(1));
            grid.extend(shown.map(|(at, edit)| {
                let nearest = &training.images[distances.nearest[at]];
                let images = [
                    &edit.live,
                    &edit.reference,
                    &pictures.images[at],
                    &edit.simulated,
                ];
                let images = images.into_iter().chain([nearest]).cloned().collect();
                GridRow::new(&format!("{name}: {}", pool.styles()[edit.style]), images)
            }));
        }
    }
    std::fs::create_dir_all(&arguments.out).map_err(|error| error.to_string())?;
    Grid::new(grid)
        .with_columns([
            "live",
            "style",
            "generated",
            "ground truth",
            "nearest in training",
        ])
        .with_cell_size(2 * size)
        .write_png(arguments.out.join("pictures.png"))
        .map_err(|error| error.to_string())?;
    let csv = arguments.out.join("distances.csv");
    write_atomically(&csv, table.csv().as_bytes()).map_err(|error| error.to_string())?;
    println!("{}\n{}\n{}", csv.display(), table.csv(), cost(started));
    Ok(())
}

fn truths(edits: &[Edit]) -> Vec<RgbImage> {
    edits.iter().map(|edit| edit.simulated.clone()).collect()
}

fn described<'a>(
    images: Vec<RgbImage>,
    faces: &[&'a Face],
    recogniser: &MobileFaceNet,
    device: &Device,
) -> Result<Pictures<'a>, String> {
    let embedded = embed_faces(recogniser, &images, faces, device)?;
    let length = embedded.dims()[1];
    let values: Vec<f32> = embedded.into_data().iter::<f32>().collect();
    let unit = |vector: &[f32]| {
        let norm = vector.iter().map(|v| v * v).sum::<f32>().sqrt();
        vector.iter().map(|v| v / norm).collect()
    };
    Ok(Pictures {
        identities: values.chunks(length).map(unit).collect(),
        people: faces.iter().map(|face| face.subject.as_str()).collect(),
        images,
    })
}

/// Distances of `pictures` from the ground truth, the simulated attacks of `truth`, and from `training`.
fn distances(
    pictures: &Pictures<'_>,
    truth: Option<&[Edit]>,
    training: &Pictures<'_>,
) -> Distances {
    let others = |at: usize| {
        let own = pictures.people[at];
        (0..training.images.len()).filter(move |&other| training.people[other] != own)
    };
    let nearest: Vec<(usize, f64)> = (0..pictures.images.len())
        .into_par_iter()
        .map(|at| {
            let distance =
                |other: usize| pixel_distance(&pictures.images[at], &training.images[other]);
            others(at)
                .map(|other| (other, distance(other)))
                .min_by(|a, b| a.1.total_cmp(&b.1))
                .expect("there is more than one training person")
        })
        .collect();
    let cosine = |at: usize| {
        let own = &pictures.identities[at];
        others(at)
            .map(|other| {
                let products = own.iter().zip(&training.identities[other]);
                f64::from(products.map(|(a, b)| a * b).sum::<f32>())
            })
            .fold(f64::NEG_INFINITY, f64::max)
    };
    let count = pictures.images.len() as f64;
    let truth = truth.map(|edits| {
        let pairs = edits.iter().zip(&pictures.images);
        pairs
            .map(|(edit, image)| pixel_distance(image, &edit.simulated))
            .sum::<f64>()
            / count
    });
    Distances {
        truth,
        pixels: nearest.iter().map(|(_, distance)| distance).sum::<f64>() / count,
        cosine: (0..pictures.images.len()).map(cosine).sum::<f64>() / count,
        nearest: nearest.into_iter().map(|(at, _)| at).collect(),
    }
}

fn row(name: &str, distances: &Distances, count: usize) -> [Cell; 5] {
    let levels = |value: f64| Cell::from(Measure::plain(value).with_decimals(1));
    [
        Cell::from(name),
        Cell::from(count.to_string()),
        distances.truth.map_or(Cell::from("-"), levels),
        levels(distances.pixels),
        Measure::plain(distances.cosine).into(),
    ]
}
